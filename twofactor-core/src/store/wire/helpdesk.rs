//! Questions of a helpdesk without root, and the answers, as messages.
//!
//! An account is told in parts: what it has once, then a part for each app, token and ssh key, which begins with its name.

use std::time::Duration;

use zeroize::Zeroizing;

use super::answered::{ANSWER, Answered, untold};
use super::enrolling::parameters;
use super::error::WireError;
use super::message::Message;
use crate::account::factors::Attestation;
use crate::account::throttle::Source;
use crate::account::{Confirmation, EnrolledKey, LastAccepted};
use crate::codes::answer::Answer;
use crate::codes::otp::{Kind, Period, Step};
use crate::codes::ssh_key::SshKey;
use crate::codes::temporary::TemporaryCode;
use crate::codes::token::{Label, Serial};
use crate::host::clock::UnixTime;
use crate::host::user::{Person, Uid, UserName};
use crate::store::administration::{AccountStatus, AppStatus, Newcomer, TokenView};
use crate::store::helpdesk::{Act, Credential, Helped, LONGEST_VALID, NotHelped, Request, Verdict, Whom};
use crate::store::self_service::OwnedToken;

/// The keys of each question.
pub(super) fn keys_of(act: &str) -> Option<&'static [&'static str]> {
    Some(match act {
        "help-may" => &["user", "uid", "owner_of"],
        "help-status" | "help-unlock" | "help-revoke-code" | "help-reset" => &["user", "uid"],
        "help-verify" => &["user", "uid", "code"],
        "help-code" => &["user", "uid", "seconds"],
        "help-assign" => &["user", "uid", "serial"],
        "help-resync" => &["owner_of", "code"],
        _ => return None,
    })
}

/// Reads a question about `user`, or about the owner of a token.
pub(super) fn request(act: &str, user: Option<Person>, message: &Message) -> Result<Request, WireError> {
    let whom = match (user, message.find("owner_of")?) {
        (Some(user), None) => Whom::User(user),
        (None, Some(serial)) => Whom::OwnerOf(serial_in(serial, "owner_of")?),
        (Some(_), Some(_)) | (None, None) => return Err(WireError::Value("user")),
    };
    let act = match act {
        "help-may" => None,
        "help-status" => Some(Act::Status),
        "help-verify" => Some(Act::Verify(match Answer::parse(message.get("code")?.as_bytes()) {
            Answer::Unintelligible => return Err(WireError::Value("code")),
            answer => answer,
        })),
        "help-unlock" => Some(Act::Unlock),
        "help-code" => {
            let valid = Duration::from_secs(message.parsed("seconds")?);
            let is_possible = !valid.is_zero() && valid <= LONGEST_VALID;
            Some(Act::GiveCode(is_possible.then_some(valid).ok_or(WireError::Value("seconds"))?))
        }
        "help-revoke-code" => Some(Act::RevokeCode),
        "help-reset" => Some(Act::Reset),
        "help-assign" => Some(Act::Assign(serial_in(message.get("serial")?, "serial")?)),
        "help-resync" => match &whom {
            Whom::OwnerOf(serial) => {
                Some(Act::Resync(OwnedToken { serial: serial.clone(), codes: message.two_codes()? }))
            }
            Whom::User(_) => return Err(WireError::Value("owner_of")),
        },
        _ => return Err(WireError::Value("ask")),
    };
    Ok(Request { whom, act })
}

fn serial_in(text: &str, key: &'static str) -> Result<Serial, WireError> {
    Serial::new(text).ok_or(WireError::Value(key))
}

impl Message {
    /// A question of a member.
    pub(in crate::store) fn asking_for_help(Request { whom, act }: &Request) -> Self {
        let verb = match act {
            None => "help-may",
            Some(Act::Status) => "help-status",
            Some(Act::Verify(_)) => "help-verify",
            Some(Act::Unlock) => "help-unlock",
            Some(Act::GiveCode(_)) => "help-code",
            Some(Act::RevokeCode) => "help-revoke-code",
            Some(Act::Reset) => "help-reset",
            Some(Act::Assign(_)) => "help-assign",
            Some(Act::Resync(_)) => "help-resync",
        };
        let this = match whom {
            Whom::User(person) => Self::asking_of(verb, person),
            Whom::OwnerOf(serial) => Self::asking(verb).with("owner_of", serial.as_str()),
        };
        match act {
            Some(Act::Verify(answer)) => this.with_some("code", answer.digits()),
            Some(Act::GiveCode(valid)) => this.with_plain("seconds", valid.as_secs()),
            Some(Act::Assign(serial)) => this.with("serial", serial.as_str()),
            Some(Act::Resync(OwnedToken { codes, .. })) => {
                codes.iter().fold(this, |this, code| this.with("code", code.expose()))
            }
            None | Some(Act::Status | Act::Unlock | Act::RevokeCode | Act::Reset) => this,
        }
    }

    /// The answer to a member.
    pub fn answering_help(outcome: &Result<Helped, NotHelped>) -> Self {
        let helped = match outcome {
            Ok(helped) => helped,
            Err(why) => return Self::new(ANSWER, "not-helped").with("why", why.word()),
        };
        match helped {
            Helped::Enrolled(status) => Self::new(ANSWER, "enrolled").with_account(status),
            Helped::Invited(Newcomer { uid, invited_until, failures, blocked_until }) => Self::new(ANSWER, "invited")
                .with_number("uid", uid.map(|uid| uid.0))
                .with_plain("invited_until", invited_until)
                .with_plain("failures", failures)
                .with_time("blocked_until", *blocked_until),
            Helped::Judged(verdict, blocked_until) => {
                Self::new(ANSWER, "judged").with_verdict(verdict).with_time("blocked_until", *blocked_until)
            }
            Helped::Unlocked(failures) => Self::new(ANSWER, "unlocked").with_plain("failures", failures),
            Helped::CodeGiven { code, until, blocked_until } => Self::new(ANSWER, "code-given")
                .with("code", code.expose())
                .with_plain("until", until)
                .with_time("blocked_until", *blocked_until),
            Helped::CodeRevoked(had) => Self::new(ANSWER, "code-revoked").with("had", yes_or_no(*had)),
            Helped::Reset(tokens) => {
                let this = Self::new(ANSWER, "reset");
                tokens.iter().fold(this, |this, serial| this.with("serial", serial.as_str()))
            }
            Helped::Assigned => Self::new(ANSWER, "assigned"),
            Helped::Resynced { owner, kind, drift, watermark } => Self::new(ANSWER, "resynced")
                .with("owner", owner.as_str())
                .with_kind(*kind)
                .with_plain("drift", drift)
                .with_number("watermark", watermark.map(|step| step.0)),
        }
    }

    fn with_time(self, key: &'static str, time: Option<UnixTime>) -> Self {
        self.with_some(key, time.map(|time| time.to_string()))
    }

    fn with_number(self, key: &'static str, number: Option<impl ToString>) -> Self {
        self.with_some(key, number.map(|number| number.to_string()))
    }

    fn with_kind(self, kind: Kind) -> Self {
        match kind {
            Kind::Totp(period) => self.with_plain("period", period.seconds()),
            Kind::Hotp => self,
        }
    }

    fn with_account(self, status: &AccountStatus) -> Self {
        let last = status.last_accepted.as_ref();
        let this = self
            .with_number("uid", status.uid.map(|uid| uid.0))
            .with_plain("recovery", status.recovery_left)
            .with_plain("failures", status.failures)
            .with_time("blocked_until", status.blocked_until)
            .with_plain("own_failures", status.own_failures)
            .with_time("own_blocked_until", status.own_blocked_until)
            .with_time("last_at", last.map(|last| last.at))
            .with_some("last_from", last.map(|last| last.source.as_str()))
            .with_some("last_with", last.map(|last| last.factor.as_str()))
            .with_time("invited_until", status.invited_until)
            .with_time("temporary_until", status.temporary_until)
            .with("tokens_known", yes_or_no(status.tokens_problem.is_none()));
        let this = status.apps.iter().fold(this, Self::with_app);
        let this = status.tokens.iter().fold(this, Self::with_held);
        status.ssh_keys.iter().fold(this, Self::with_ssh_key)
    }

    fn with_app(self, app: &AppStatus) -> Self {
        self.with("app", app.label.as_str())
            .with("serial", app.serial.as_str())
            .with_parameters(app.parameters)
            .with_plain("issued", app.issued)
            .with_plain("drift", app.drift)
            .with_time("burned_until", app.burned_until)
            .with_time("last_accepted", app.last_accepted)
            .with("confirmed", yes_or_no(app.confirmation == Confirmation::Confirmed))
    }

    fn with_held(self, token: &TokenView) -> Self {
        self.with("token", token.serial.as_str())
            .with_some("owner", token.owner.as_ref().map(UserName::as_str))
            .with_parameters(token.parameters)
            .with_plain("issued", token.issued)
            .with_time("assigned_at", token.assigned_at)
            .with_some("series", token.series.as_ref())
            .with_some("vendor", token.vendor.as_ref())
            .with_some("model", token.model.as_ref())
            .with("stage", token.stage.word())
            .with_plain("drift", token.drift)
            .with_time("last_accepted", token.last_accepted)
            .with_plain("near_misses", token.near_misses)
            .with_number("owner_uid", token.owner_uid.map(|uid| uid.0))
            .with("readable", yes_or_no(token.problem.is_none()))
    }

    fn with_ssh_key(self, EnrolledKey { key, label, issued, attestation }: &EnrolledKey) -> Self {
        self.with("ssh_key", key.kind().word())
            .with("key", &key.base64())
            .with("label", label.as_str())
            .with_plain("issued", issued)
            .with("attested", yes_or_no(*attestation == Attestation::Checked))
    }

    fn with_verdict(self, verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Right(Credential::Token { serial, label, drift }) => self
                .with("verdict", "right")
                .with("serial", serial.as_str())
                .with("label", label.as_str())
                .with_plain("drift", drift),
            Verdict::Right(Credential::Recovery) => self.with("verdict", "right-recovery"),
            Verdict::Right(Credential::Temporary) => self.with("verdict", "right-temporary"),
            Verdict::Replayed => self.with("verdict", "replayed"),
            Verdict::NotConfirmed => self.with("verdict", "not-confirmed"),
            Verdict::Disabled { serial, stage } => {
                self.with("verdict", "disabled").with("serial", serial.as_str()).with("stage", stage.word())
            }
            Verdict::TokenOutOfStep { serial, steps } => {
                self.with("verdict", "token-out-of-step").with("serial", serial.as_str()).with_plain("steps", steps)
            }
            Verdict::AppOutOfStep { label, steps } => {
                self.with("verdict", "app-out-of-step").with("label", label.as_str()).with_plain("steps", steps)
            }
            Verdict::Wrong => self.with("verdict", "wrong"),
        }
    }

    fn time(&self, key: &'static str) -> Result<Option<UnixTime>, WireError> {
        let read = |text| UnixTime::from_rfc3339(text).ok_or(WireError::Value(key));
        self.find(key)?.map(read).transpose()
    }

    fn known_time(&self, key: &'static str) -> Result<UnixTime, WireError> {
        self.time(key)?.ok_or(WireError::Value(key))
    }

    fn is_yes(&self, key: &'static str) -> Result<bool, WireError> {
        match self.get(key)? {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(WireError::Value(key)),
        }
    }

    fn serial(&self, key: &'static str) -> Result<Serial, WireError> {
        serial_in(self.get(key)?, key)
    }

    fn label(&self, key: &'static str) -> Result<Label, WireError> {
        Label::new(self.get(key)?).ok_or(WireError::Value(key))
    }

    fn kind(&self) -> Result<Kind, WireError> {
        Ok(match self.parsed_if_there("period")? {
            Some(seconds) => Kind::Totp(Period::new(seconds).map_err(|_| WireError::Value("period"))?),
            None => Kind::Hotp,
        })
    }

    fn user(&self, key: &'static str) -> Result<Option<UserName>, WireError> {
        self.find(key)?.map(|name| UserName::new(name).map_err(|_| WireError::Value(key))).transpose()
    }

    fn uid(&self, key: &'static str) -> Result<Option<Uid>, WireError> {
        Ok(self.parsed_if_there(key)?.map(Uid))
    }

    fn some(&self, key: &'static str) -> Result<Option<String>, WireError> {
        Ok(self.find(key)?.map(ToOwned::to_owned))
    }

    fn app(&self) -> Result<AppStatus, WireError> {
        let is_confirmed = self.is_yes("confirmed")?;
        Ok(AppStatus {
            serial: self.serial("serial")?,
            label: self.label("app")?,
            parameters: parameters(self)?,
            issued: self.known_time("issued")?,
            drift: self.parsed("drift")?,
            burned_until: self.time("burned_until")?,
            last_accepted: self.time("last_accepted")?,
            confirmation: if is_confirmed { Confirmation::Confirmed } else { Confirmation::Pending },
        })
    }

    fn token(&self) -> Result<TokenView, WireError> {
        Ok(TokenView {
            serial: self.serial("token")?,
            parameters: parameters(self)?,
            owner: self.user("owner")?,
            assigned_at: self.time("assigned_at")?,
            issued: self.known_time("issued")?,
            series: self.some("series")?,
            vendor: self.some("vendor")?,
            model: self.some("model")?,
            stage: self.parsed("stage")?,
            drift: self.parsed("drift")?,
            last_accepted: self.time("last_accepted")?,
            near_misses: self.parsed("near_misses")?,
            owner_uid: self.uid("owner_uid")?,
            problem: (!self.is_yes("readable")?).then(untold),
        })
    }

    fn ssh_key(&self) -> Result<EnrolledKey, WireError> {
        let key = SshKey::parse(self.get("ssh_key")?, self.get("key")?);
        let key = key.ok_or(WireError::Value("key"))?;
        let attestation = if self.is_yes("attested")? { Attestation::Checked } else { Attestation::None };
        Ok(EnrolledKey { key, label: self.label("label")?, issued: self.known_time("issued")?, attestation })
    }

    fn verdict(&self) -> Result<Verdict, WireError> {
        Ok(match self.get("verdict")? {
            "right" => Verdict::Right(Credential::Token {
                serial: self.serial("serial")?,
                label: self.label("label")?,
                drift: self.parsed("drift")?,
            }),
            "right-recovery" => Verdict::Right(Credential::Recovery),
            "right-temporary" => Verdict::Right(Credential::Temporary),
            "replayed" => Verdict::Replayed,
            "not-confirmed" => Verdict::NotConfirmed,
            "disabled" => Verdict::Disabled { serial: self.serial("serial")?, stage: self.parsed("stage")? },
            "token-out-of-step" => {
                Verdict::TokenOutOfStep { serial: self.serial("serial")?, steps: self.parsed("steps")? }
            }
            "app-out-of-step" => Verdict::AppOutOfStep { label: self.label("label")?, steps: self.parsed("steps")? },
            "wrong" => Verdict::Wrong,
            _ => return Err(WireError::Value("verdict")),
        })
    }
}

impl Answered {
    /// The leave to act for a user.
    pub(in crate::store) fn leave(&self) -> Result<Result<(), NotHelped>, WireError> {
        match self.not_helped()? {
            Some(why) => Ok(Err(why)),
            None => self.done().map(Ok),
        }
    }

    /// An act that was done, or the reason for which it was not.
    pub(in crate::store) fn helped(&self) -> Result<Result<Helped, NotHelped>, WireError> {
        if let Some(why) = self.not_helped()? {
            return Ok(Err(why));
        }
        let message = self.message();
        Ok(Ok(match message.get(ANSWER)? {
            "enrolled" => Helped::Enrolled(Box::new(account(message)?)),
            "invited" => Helped::Invited(Newcomer {
                uid: message.uid("uid")?,
                invited_until: message.known_time("invited_until")?,
                failures: message.parsed("failures")?,
                blocked_until: message.time("blocked_until")?,
            }),
            "judged" => Helped::Judged(message.verdict()?, message.time("blocked_until")?),
            "unlocked" => Helped::Unlocked(message.parsed("failures")?),
            "code-given" => {
                let code = TemporaryCode::new(Zeroizing::new(message.get("code")?.to_owned()));
                Helped::CodeGiven {
                    code: code.ok_or(WireError::Value("code"))?,
                    until: message.known_time("until")?,
                    blocked_until: message.time("blocked_until")?,
                }
            }
            "code-revoked" => Helped::CodeRevoked(message.is_yes("had")?),
            "reset" => {
                let serials = message.all("serial").map(|serial| serial_in(serial, "serial"));
                Helped::Reset(serials.collect::<Result<_, _>>()?)
            }
            "assigned" => Helped::Assigned,
            "resynced" => Helped::Resynced {
                owner: message.user("owner")?.ok_or(WireError::Value("owner"))?,
                kind: message.kind()?,
                drift: message.parsed("drift")?,
                watermark: message.parsed_if_there("watermark")?.map(Step),
            },
            _ => return Err(WireError::Value(ANSWER)),
        }))
    }

    fn not_helped(&self) -> Result<Option<NotHelped>, WireError> {
        let message = self.message();
        if message.get(ANSWER)? != "not-helped" {
            return Ok(None);
        }
        NotHelped::from_word(message.get("why")?).map(Some).ok_or(WireError::Value("why"))
    }
}

fn account(message: &Message) -> Result<AccountStatus, WireError> {
    let parts = message.parts(&["app", "token", "ssh_key"]);
    let Some((whole, rows)) = parts.split_first() else { return Err(WireError::Value(ANSWER)) };
    let (mut apps, mut tokens, mut ssh_keys) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match (row.find("app")?, row.find("token")?) {
            (Some(_), _) => apps.push(row.app()?),
            (None, Some(_)) => tokens.push(row.token()?),
            (None, None) => ssh_keys.push(row.ssh_key()?),
        }
    }
    let last_accepted = match whole.time("last_at")? {
        Some(at) => Some(LastAccepted {
            at,
            source: Source::from_rhost(Some(whole.get("last_from")?)),
            factor: whole.get("last_with")?.to_owned(),
        }),
        None => None,
    };
    Ok(AccountStatus {
        apps,
        tokens,
        tokens_problem: (!whole.is_yes("tokens_known")?).then(untold),
        ssh_keys,
        recovery_left: whole.parsed("recovery")?,
        failures: whole.parsed("failures")?,
        blocked_until: whole.time("blocked_until")?,
        own_failures: whole.parsed("own_failures")?,
        own_blocked_until: whole.time("own_blocked_until")?,
        last_accepted,
        invited_until: whole.time("invited_until")?,
        temporary_until: whole.time("temporary_until")?,
        uid: whole.uid("uid")?,
    })
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
