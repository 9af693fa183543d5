//! A user's apps, recovery codes, physical tokens and ssh keys.

use super::state::State;
use crate::account::factors::{Attestation, Factors};
use crate::account::lifecycle::TokenStatus;
use crate::codes::digest::Digest;
use crate::codes::otp::{self, Code, Match, Window};
use crate::codes::recovery::{RecoveryCode, Salt};
use crate::codes::secret::SecretError;
use crate::codes::ssh_key::SshKey;
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::UnixTime;

/// The apps, tokens, recovery codes and ssh keys of a user.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Authenticator apps, oldest first.
    pub apps: Vec<App>,
    /// Salts every digest of this account.
    pub salt: Salt,
    /// Recovery codes, as digests.
    pub recovery: Vec<Digest>,
    /// Physical tokens that are assigned to the user, also those that are put aside.
    pub held: Vec<Held>,
    /// Security keys of ssh, oldest first.
    pub ssh_keys: Vec<EnrolledKey>,
}

/// An app's token, and whether a code ever confirmed it. New ones exist only confirmed: by a code or by the sysadmin.
#[derive(Debug, Clone)]
pub struct App {
    pub(super) token: Token,
    pub(super) confirmation: Confirmation,
}

impl App {
    /// The app of a token whose holder just typed `code`. The code's step is burned: an onlooker who saw it
    /// cannot log in with it. Gives the token back when the code is not right.
    pub fn confirmed_by(mut token: Token, code: &Code, window: Window, now: UnixTime) -> Result<Self, Token> {
        match token.find(code, token.start, window, now) {
            Match::Fresh(step) => {
                token.start = token.start.advanced(step, token.parameters.kind, now);
                Ok(Self { token, confirmation: Confirmation::Confirmed })
            }
            Match::Replayed(_) | Match::None => Err(token),
        }
    }

    /// The app of a token the sysadmin vouches for, without a code.
    pub fn vouched_for(token: Token) -> Self {
        Self { token, confirmation: Confirmation::Confirmed }
    }

    /// The shared secret and its names, with all the progress they ever made, to be confirmed again.
    pub(crate) fn offered_again(mut self, state: &State) -> Token {
        self.token.start = state.progress_of(&self.token);
        self.token
    }

    /// Its secret and its names, for the stories of a store.
    #[cfg(test)]
    pub(crate) fn into_token(self) -> Token {
        self.token
    }

    /// An app as a store has kept it.
    pub(crate) fn stored(token: Token, confirmation: Confirmation) -> Self {
        Self { token, confirmation }
    }

    /// The shared secret and its names.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// An app that no code has confirmed opens nothing.
    pub fn confirmation(&self) -> Confirmation {
        self.confirmation
    }

    /// True when the code that has confirmed this app, which is its last one, is within `window` at `now`. A counter knows no
    /// time.
    pub(crate) fn was_confirmed_within(&self, window: Window, now: UnixTime) -> bool {
        let Token { start, parameters, .. } = &self.token;
        start.watermark.is_none_or(|last| otp::is_within(last, parameters.kind, *start, window, now))
    }

    /// Takes the confirmation back.
    pub(crate) fn unconfirm(&mut self) {
        self.confirmation = Confirmation::Pending;
    }
}

/// The proof, by a code, that the app holds the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// A code was right, or the sysadmin vouched for it (`--no-confirm`).
    Confirmed,
    /// `reset --keep-secret`: the next enrollment shows the same secret again.
    Pending,
}

/// A physical token assigned to the user.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its secret, serial and parameters. It begins where it stood when it was assigned.
    pub token: Token,
    /// The token's status: good, or put aside.
    pub status: TokenStatus,
    /// The wider search for the first login with the token.
    pub first_use: FirstUse,
}

/// A security key of ssh that the user proves himself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledKey {
    /// The key.
    pub key: SshKey,
    /// The user's name for it. Several keys may have the same.
    pub label: Label,
    /// The time at which it was enrolled.
    pub issued: UnixTime,
    /// Its attestation.
    pub attestation: Attestation,
}

/// The mark of a token that has not been used since it was assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstUse {
    /// It may be, unless the owner's state knows better.
    Open,
    /// It is not.
    Over,
}

impl Credentials {
    /// None yet, with a salt of their own.
    pub fn none() -> Result<Self, SecretError> {
        let salt = Salt::generate()?;
        Ok(Self { apps: Vec::new(), salt, recovery: Vec::new(), held: Vec::new(), ssh_keys: Vec::new() })
    }

    /// True when there is no app, no recovery code and no ssh key. Physical tokens may be there: a reset leaves them.
    pub fn has_tokens_alone(&self) -> bool {
        self.apps.is_empty() && self.recovery.is_empty() && self.ssh_keys.is_empty()
    }

    /// The physical token with this serial.
    pub fn held(&self, serial: &Serial) -> Option<&Held> {
        self.held.iter().find(|held| held.token.serial == *serial)
    }

    /// The first of `keys` that is one of the user's and counts where the policy accepts `factors`.
    pub fn enrolled_among<'k>(&self, keys: &'k [SshKey], factors: Factors) -> Option<&'k SshKey> {
        let counts = |enrolled: &&EnrolledKey| factors.accept_ssh_key(enrolled.attestation);
        keys.iter().find(|key| self.ssh_keys.iter().filter(counts).any(|enrolled| enrolled.key == **key))
    }

    /// Puts these recovery codes in the place of all others.
    pub fn replace_recovery(&mut self, codes: &[RecoveryCode]) {
        self.recovery = codes.iter().map(|code| self.salt.digest(code)).collect();
    }

    /// The app called `label`.
    pub fn app(&self, label: &Label) -> Option<&App> {
        self.apps.iter().find(|app| app.token.label == *label)
    }

    /// The number of recovery codes that are still good.
    pub fn recovery_left(&self, state: &State) -> usize {
        self.recovery.iter().filter(|digest| !state.used_recovery.contains(digest)).count()
    }
}
