//! Questions of a first login that sets up an app, and the answers, as messages. A process of root that its user can stop
//! asks them.
//!
//! A secret goes to the broker and none comes back: one that was kept for its owner is shown by logins that open the files.

use zeroize::Zeroizing;

use super::answered::{self, ANSWER, Answered};
use super::error::WireError;
use super::message::Message;
use crate::account::enrollment::Proposal;
use crate::account::factors::Factors;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::throttle::Source;
use crate::account::{App, Confirmation, MOST_RECOVERY_CODES};
use crate::codes::digest::Digest;
use crate::codes::otp::{Code, Digits, Kind, LARGEST_DRIFT, Parameters, Period, Progress, Step};
use crate::codes::recovery::{RecoveryCode, Salt};
use crate::codes::secret::Secret;
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::log::reason::Reason;
use crate::store::enrollment::{EnrollmentStore, Pending, PendingFactor, SecretOrigin};
use crate::store::error::StoreError;
use crate::store::redemption::Attempt;

/// A secret that a login shows, and a code that the user has typed.
#[derive(Debug)]
pub struct Confirming {
    token: Token,
    code: Code,
}

/// An invitation code that a user has typed.
#[derive(Debug)]
pub struct TypedInvitation {
    code: InvitationCode,
    source: Source,
}

/// An app that a login has confirmed, with what is stored beside it.
#[derive(Debug)]
pub struct NewcomersApp {
    app: App,
    recovery: Vec<RecoveryCode>,
    invitation: Option<Invitation>,
}

/// The keys of an app's token.
macro_rules! keys_with_token {
    ($($key:literal),*) => {
        &[$($key,)* "serial", "label", "secret", "algorithm", "digits", "period", "issued", "watermark", "drift", "anchor"]
    };
}

/// The keys of each question.
pub(super) fn keys_of(question: &str) -> Option<&'static [&'static str]> {
    Some(match question {
        "confirm" => keys_with_token!("code"),
        "check-invitation" => &["user", "uid", "invitation", "source"],
        "store-app" => keys_with_token!("user", "uid", "recovery_code", "salt", "digest", "until"),
        _ => return None,
    })
}

impl Confirming {
    pub(super) fn read(message: &Message) -> Result<Self, WireError> {
        let code = Code::new(Zeroizing::new(message.get("code")?.to_owned())).ok_or(WireError::Value("code"))?;
        Ok(Self { token: token(message)?, code })
    }

    /// The question that it came in, once more.
    #[cfg(test)]
    pub(super) fn asking(self) -> Message {
        Message::confirming(&Proposal::again(self.token, "", ""), &self.code)
    }

    /// Judges the code at the store's time.
    pub(super) fn answered_by(self, store: &impl EnrollmentStore) -> Result<Message, StoreError> {
        // No text is shown there.
        let proposal = Proposal::again(self.token, "", "");
        Ok(match store.confirm(None, proposal, &self.code)? {
            Ok(app) => Message::new(ANSWER, "confirmed").with_progress(app.token().start),
            Err(_) => Message::new(ANSWER, "not-confirmed"),
        })
    }
}

impl TypedInvitation {
    pub(super) fn read(message: &Message) -> Result<Self, WireError> {
        let code = InvitationCode::parse(message.get("invitation")?.as_bytes());
        Ok(Self { code: code.ok_or(WireError::Value("invitation"))?, source: source(message)? })
    }

    /// The same as one of this host.
    pub(super) fn at_host(self, host: &str) -> Self {
        Self { source: self.source.at_host(host), ..self }
    }

    /// The question that it came in, once more.
    #[cfg(test)]
    pub(super) fn asking(&self, person: &Person) -> Message {
        Message::inviting(person, &self.code, &self.source)
    }

    pub(super) fn answered_by(&self, store: &impl EnrollmentStore, person: &Person) -> Result<Message, StoreError> {
        let checked = store.check_invitation(person, &self.code, &attempt_from(&self.source))?;
        Ok(match checked {
            Ok(invitation) => Message::new(ANSWER, "invited").with_invitation(Some(&invitation)),
            Err(reason) => Message::new(ANSWER, "refused").with("reason", reason.word()),
        })
    }
}

impl NewcomersApp {
    pub(super) fn read(message: &Message) -> Result<Self, WireError> {
        let codes = message.all("recovery_code").map(|digits| RecoveryCode::new(Zeroizing::new(digits.to_owned())));
        let recovery: Option<Vec<RecoveryCode>> = codes.collect();
        let recovery = recovery.filter(|codes| codes.len() <= MOST_RECOVERY_CODES);
        Ok(Self {
            app: App::stored(token(message)?, Confirmation::Confirmed),
            recovery: recovery.ok_or(WireError::Value("recovery_code"))?,
            invitation: invitation(message)?,
        })
    }

    /// The request that it came in, once more.
    #[cfg(test)]
    pub(super) fn asking(&self, person: &Person) -> Message {
        Message::storing_app(person, &self.app, &self.recovery, self.invitation.as_ref())
    }

    /// True when it comes with an invitation. The store says later if it is good.
    pub fn is_invited(&self) -> bool {
        self.invitation.is_some()
    }

    pub(super) fn answered_by(self, store: &impl EnrollmentStore, user: Person) -> Message {
        let Self { app, recovery, invitation } = self;
        let factor = PendingFactor::App { app, recovery, secret: SecretOrigin::New };
        answered::of_stored(&store.store_pending(Pending { user, factor, invitation }))
    }
}

/// The attempt of a first login, whose answer is not one to [`Store::redeem`](crate::store::Store::redeem).
pub(super) fn attempt_from(source: &Source) -> Attempt<'_> {
    Attempt { readings: &[], previous: None, source, factors: Factors::ALL, remember: None }
}

pub(super) fn source(message: &Message) -> Result<Source, WireError> {
    let source = message.get("source")?;
    let read = Source::from_rhost(Some(source));
    if read.as_str() == source { Ok(read) } else { Err(WireError::Value("source")) }
}

fn token(message: &Message) -> Result<Token, WireError> {
    Ok(Token {
        serial: Serial::new(message.get("serial")?).ok_or(WireError::Value("serial"))?,
        label: Label::new(message.get("label")?).ok_or(WireError::Value("label"))?,
        secret: Secret::from_base32(message.get("secret")?).map_err(|_| WireError::Value("secret"))?,
        parameters: parameters(message)?,
        issued: UnixTime::from_rfc3339(message.get("issued")?).ok_or(WireError::Value("issued"))?,
        start: progress(message)?,
    })
}

/// The parameters of a secret's codes. Those of a counter have no period.
pub(super) fn parameters(message: &Message) -> Result<Parameters, WireError> {
    let digits = Digits::new(message.parsed("digits")?).map_err(|_| WireError::Value("digits"))?;
    let kind = match message.parsed_if_there("period")? {
        Some(seconds) => Kind::Totp(Period::new(seconds).map_err(|_| WireError::Value("period"))?),
        None => Kind::Hotp,
    };
    Ok(Parameters { algorithm: message.parsed("algorithm")?, digits, kind })
}

fn progress(message: &Message) -> Result<Progress, WireError> {
    let within = |key: &'static str, most: i32| {
        let steps: i32 = message.parsed(key)?;
        if (-most..=most).contains(&steps) { Ok(steps) } else { Err(WireError::Value(key)) }
    };
    Ok(Progress {
        watermark: message.parsed_if_there("watermark")?.map(Step),
        drift: within("drift", LARGEST_DRIFT + Progress::MOST_DRIFT)?,
        anchor: within("anchor", LARGEST_DRIFT)?,
    })
}

/// The invitation that is to be spent.
pub(super) fn invitation(message: &Message) -> Result<Option<Invitation>, WireError> {
    let Some(salt) = message.find("salt")? else { return Ok(None) };
    let salt = Salt::parse(salt).ok_or(WireError::Value("salt"))?;
    let digest = Digest::parse(message.get("digest")?).ok_or(WireError::Value("digest"))?;
    let until = UnixTime::from_rfc3339(message.get("until")?).ok_or(WireError::Value("until"))?;
    Ok(Some(Invitation { salt, digest, until }))
}

impl Message {
    /// The question if `code` is one of the proposed secret.
    pub(in crate::store) fn confirming(proposal: &Proposal, code: &Code) -> Self {
        Self::asking("confirm").with_token(proposal.token()).with("code", code.expose())
    }

    /// The question if an invitation code is right.
    pub(in crate::store) fn inviting(person: &Person, typed: &InvitationCode, source: &Source) -> Self {
        Self::asking_of("check-invitation", person).with("invitation", typed.expose()).with("source", source.as_str())
    }

    /// The request to store an app.
    pub(in crate::store) fn storing_app(
        person: &Person,
        app: &App,
        recovery: &[RecoveryCode],
        invitation: Option<&Invitation>,
    ) -> Self {
        let this = Self::asking_of("store-app", person).with_token(app.token());
        let this = recovery.iter().fold(this, |this, code| this.with("recovery_code", code.expose()));
        this.with_invitation(invitation)
    }

    /// The question with the invitation that is to be spent, or the answer with one that is good.
    pub(in crate::store) fn with_invitation(self, invitation: Option<&Invitation>) -> Self {
        match invitation {
            Some(Invitation { salt, digest, until }) => {
                self.with_plain("salt", salt).with_plain("digest", digest).with_plain("until", until)
            }
            None => self,
        }
    }

    fn with_token(self, token: &Token) -> Self {
        self.with("serial", token.serial.as_str())
            .with("label", token.label.as_str())
            .with("secret", token.secret.expose_base32().as_str())
            .with_parameters(token.parameters)
            .with_plain("issued", token.issued)
            .with_progress(token.start)
    }

    pub(super) fn with_parameters(self, Parameters { algorithm, digits, kind }: Parameters) -> Self {
        let period = match kind {
            Kind::Totp(period) => Some(period.seconds().to_string()),
            Kind::Hotp => None,
        };
        self.with_plain("algorithm", algorithm).with_plain("digits", digits.count()).with_some("period", period)
    }

    fn with_progress(self, Progress { watermark, drift, anchor }: Progress) -> Self {
        self.with_some("watermark", watermark.map(|Step(step)| step.to_string()))
            .with_plain("drift", drift)
            .with_plain("anchor", anchor)
    }
}

impl Answered {
    /// The progress of the secret with the code burned, when it was right.
    pub(in crate::store) fn confirmed(&self) -> Result<Option<Progress>, WireError> {
        match self.message().get(ANSWER)? {
            "confirmed" => progress(self.message()).map(Some),
            "not-confirmed" => Ok(None),
            _ => Err(WireError::Value(ANSWER)),
        }
    }

    pub(in crate::store) fn invited(&self) -> Result<Result<Invitation, Reason>, WireError> {
        match self.message().get(ANSWER)? {
            "invited" => invitation(self.message())?.map(Ok).ok_or(WireError::Value("salt")),
            "refused" => answered::reason(self.message().get("reason")?).map(Err).ok_or(WireError::Value("reason")),
            _ => Err(WireError::Value(ANSWER)),
        }
    }
}
