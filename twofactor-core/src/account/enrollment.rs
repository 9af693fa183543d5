//! The story of an enrollment: a new secret is proposed, a code confirms it, and only then there is an app to store.
//!
//! Invariants: nothing is stored before the confirmation, the confirmation's code is burned, and the expected code
//! is never shown.

use zeroize::Zeroizing;

use crate::account::credentials::{App, Confirmation};
use crate::account::limits::MOST_RECOVERY_CODES;
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Parameters, Progress, Window};
use crate::codes::otpauth;
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::{Secret, SecretError};
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::{Clock, ClockError, UnixTime};

/// The number of codes that may be tried before an enrollment is given up.
pub const TRIES: u8 = 3;

/// A secret offered to a user, not stored anywhere.
#[derive(Debug)]
pub struct Proposal {
    token: Token,
    issuer: String,
    account: String,
}

/// The end of an attempt to confirm that gave no app.
#[derive(Debug)]
pub enum Unconfirmed<E> {
    /// All [`TRIES`] were wrong.
    Refused,
    /// The question could not be asked.
    Asking(E),
    /// The clock cannot be read.
    Clock(ClockError),
}

impl Proposal {
    /// A new secret, of the length that fits the hash.
    pub fn new(
        label: Label,
        parameters: Parameters,
        issuer: &str,
        account: &str,
        now: UnixTime,
    ) -> Result<Self, SecretError> {
        let secret = Secret::generate(parameters.algorithm.secret_length())?;
        Self::with_secret(secret, label, parameters, issuer, account, now)
    }

    /// A secret that exists already.
    pub fn with_secret(
        secret: Secret,
        label: Label,
        parameters: Parameters,
        issuer: &str,
        account: &str,
        now: UnixTime,
    ) -> Result<Self, SecretError> {
        let serial = Serial::generate()?;
        let token = Token { serial, label, secret, parameters, issued: now, start: Progress::default() };
        Ok(Self::again(token, issuer, account))
    }

    /// A secret whose confirmation was taken back (`reset --keep-secret`), offered again.
    pub fn again(token: Token, issuer: &str, account: &str) -> Self {
        Self { token, issuer: issuer.to_owned(), account: account.to_owned() }
    }

    /// The token on offer.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The URI for a QR code. It holds the secret.
    pub fn uri(&self) -> Zeroizing<String> {
        otpauth::uri(&self.token, &self.issuer, &self.account)
    }

    /// The app, when `code` is of the secret on offer; else the proposal again.
    pub fn try_code(self, code: &Code, window: Window, now: UnixTime) -> Result<App, Box<Self>> {
        let Self { token, issuer, account } = self;
        App::confirmed_by(token, code, window, now).map_err(|token| Box::new(Self { token, issuer, account }))
    }

    /// The app, when a store in another process has judged a code of the secret on offer and burned it.
    pub(crate) fn confirmed_elsewhere(self, start: Progress) -> App {
        App::stored(Token { start, ..self.token }, Confirmation::Confirmed)
    }

    /// Asks for a code until one is right, at most [`TRIES`] times. `ask` is told how many tries are left.
    pub fn confirm<E>(
        self,
        window: Window,
        clock: &dyn Clock,
        mut ask: impl FnMut(u8) -> Result<Answer, E>,
    ) -> Result<App, Unconfirmed<E>> {
        let mut proposal = self;
        for left in (1..=TRIES).rev() {
            let answer = ask(left).map_err(Unconfirmed::Asking)?;
            let now = clock.now().map_err(Unconfirmed::Clock)?;
            let Answer::Code(code) = answer else { continue };
            proposal = match proposal.try_code(&code, window, now) {
                Ok(app) => return Ok(app),
                Err(proposal) => *proposal,
            };
        }
        Err(Unconfirmed::Refused)
    }

    /// Takes the sysadmin's word that the secret has reached its owner.
    pub fn vouch(self) -> App {
        App::vouched_for(self.token)
    }
}

/// New recovery codes, to be shown once and stored as digests; at most [`MOST_RECOVERY_CODES`].
pub fn recovery_codes(count: usize) -> Result<Vec<RecoveryCode>, SecretError> {
    (0..count.min(MOST_RECOVERY_CODES)).map(|_| RecoveryCode::generate()).collect()
}
