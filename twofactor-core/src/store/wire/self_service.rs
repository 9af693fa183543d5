//! Questions of users about themselves, and the answers, as messages.

use zeroize::Zeroizing;

use super::answered::{ANSWER, Answered};
use super::enrolling;
use super::error::WireError;
use super::message::Message;
use crate::account::factors::Attestation;
use crate::account::invitation::InvitationCode;
use crate::account::throttle::Source;
use crate::account::{Confirmation, LastAccepted};
use crate::codes::answer::Answer;
use crate::codes::otp::Code;
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::Secret;
use crate::codes::ssh_key::{Fingerprint, KeyType, SshKey};
use crate::codes::token::{Label, Serial};
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::store::administration::SshKeyView;
use crate::store::self_service::{
    Change, Changed, NewApp, NotChanged, Offer, OwnAccount, OwnApp, OwnToken, OwnedToken, Permitted, Request,
};

/// The word for a change, as it stands in the message.
pub(super) fn word_of(change: &Change) -> &'static str {
    match change {
        Change::Enroll(_) => "self-enroll",
        Change::Replace(_) => "self-replace",
        Change::Reset => "self-reset",
        Change::Recovery => "self-recovery",
        Change::Token(_) => "self-token",
        Change::AddSshKey { .. } => "self-ssh-key-add",
        Change::RemoveSshKey(_) => "self-ssh-key-remove",
    }
}

/// The keys of each change.
pub(super) fn keys_of(change: &str) -> Option<&'static [&'static str]> {
    Some(match change {
        "self-enroll" => &["user", "uid", "label", "secret", "code", "invitation"],
        "self-replace" => &["user", "uid", "label", "secret", "code", "proof"],
        "self-reset" | "self-recovery" => &["user", "uid", "proof"],
        "self-token" => &["user", "uid", "serial", "code", "proof", "invitation"],
        "self-ssh-key-add" => &["user", "uid", "ssh_key", "key", "label", "proof"],
        "self-ssh-key-remove" => &["user", "uid", "fingerprint", "proof"],
        _ => return None,
    })
}

/// Reads a change.
pub(super) fn request(verb: &str, message: &Message) -> Result<Request, WireError> {
    let change = match verb {
        "self-enroll" => Change::Enroll(new_app(message)?),
        "self-replace" => Change::Replace(new_app(message)?),
        "self-reset" => Change::Reset,
        "self-recovery" => Change::Recovery,
        "self-token" => Change::Token(owned_token(message)?),
        "self-ssh-key-add" => {
            let key = SshKey::parse(message.get("ssh_key")?, message.get("key")?).ok_or(WireError::Value("key"))?;
            Change::AddSshKey { key, label: label(message, "label")? }
        }
        "self-ssh-key-remove" => Change::RemoveSshKey(fingerprint(message, "fingerprint")?),
        _ => return Err(WireError::Value("ask")),
    };
    let proof = message.find("proof")?.map(|digits| match Answer::parse(digits.as_bytes()) {
        Answer::Unintelligible => Err(WireError::Value("proof")),
        answer => Ok(answer),
    });
    let invitation = message.find("invitation")?;
    let invitation = invitation
        .map(|typed| InvitationCode::parse(typed.as_bytes()).ok_or(WireError::Value("invitation")))
        .transpose()?;
    Ok(Request { proof: proof.transpose()?, invitation, change })
}

fn label(message: &Message, key: &'static str) -> Result<Label, WireError> {
    Label::new(message.get(key)?).ok_or(WireError::Value(key))
}

fn fingerprint(message: &Message, key: &'static str) -> Result<Fingerprint, WireError> {
    Fingerprint::parse(message.get(key)?).ok_or(WireError::Value(key))
}

fn new_app(message: &Message) -> Result<NewApp, WireError> {
    let label = label(message, "label")?;
    let secret = Secret::from_base32(message.get("secret")?).map_err(|_| WireError::Value("secret"))?;
    let code = Code::new(Zeroizing::new(message.get("code")?.to_owned())).ok_or(WireError::Value("code"))?;
    Ok(NewApp { label, secret, code })
}

fn owned_token(message: &Message) -> Result<OwnedToken, WireError> {
    let serial = Serial::new(message.get("serial")?).ok_or(WireError::Value("serial"))?;
    Ok(OwnedToken { serial, codes: message.two_codes()? })
}

/// The word of a list for a time that has not come: each row has one.
const NEVER: &str = "never";

fn time_or_never(time: Option<UnixTime>) -> String {
    time.map_or_else(|| NEVER.to_owned(), |time| time.to_string())
}

fn read_time_or_never(key: &'static str, text: &str) -> Result<Option<UnixTime>, WireError> {
    if text == NEVER { Ok(None) } else { UnixTime::from_rfc3339(text).map(Some).ok_or(WireError::Value(key)) }
}

impl Message {
    /// A change that a user asks for.
    pub(in crate::store) fn requesting(person: &Person, request: &Request) -> Self {
        let Request { proof, invitation, change } = request;
        let this = Self::asking_of(word_of(change), person);
        let this = match change {
            Change::Enroll(new) | Change::Replace(new) => this.with_new_app(new),
            Change::Reset | Change::Recovery => this,
            Change::Token(OwnedToken { serial, codes }) => {
                let this = this.with("serial", serial.as_str());
                codes.iter().fold(this, |this, code| this.with("code", code.expose()))
            }
            Change::AddSshKey { key, label } => {
                let this = this.with("ssh_key", key.kind().word()).with("key", &key.base64());
                this.with("label", label.as_str())
            }
            Change::RemoveSshKey(fingerprint) => this.with("fingerprint", fingerprint.as_str()),
        };
        let proof = proof.as_ref().and_then(Answer::digits);
        this.with_some("proof", proof).with_some("invitation", invitation.as_ref().map(InvitationCode::expose))
    }

    fn with_new_app(self, NewApp { label, secret, code }: &NewApp) -> Self {
        self.with("label", label.as_str()).with("secret", secret.expose_base32().as_str()).with("code", code.expose())
    }

    /// The answer about an account.
    pub fn answering_own_account(account: &OwnAccount, offer: &Offer) -> Self {
        let mut this = Self::new(ANSWER, "account");
        for OwnApp { label, serial, issued, confirmation, last_accepted } in &account.apps {
            this = this.with("app", label.as_str()).with("app_serial", serial.as_str());
            this = this.with_plain("app_issued", issued).with("app_state", word_of_app(*confirmation));
            this = this.with("app_last", &time_or_never(*last_accepted));
        }
        for OwnToken { serial, state, last_accepted } in &account.tokens {
            this = this.with("token", serial.as_str()).with("token_state", state);
            this = this.with("token_last", &time_or_never(*last_accepted));
        }
        let time = |time: Option<UnixTime>| time.map(|time| time.to_string());
        let last = account.last_accepted.as_ref();
        let Offer { issuer, parameters, enroll, change, tokens, ssh_keys } = offer;
        this.with_plain("ssh_keys", account.ssh_keys)
            .with_plain("recovery", account.recovery_left)
            .with_some("temporary_until", time(account.temporary_until))
            .with_plain("failures", account.failures)
            .with_some("blocked_until", time(account.blocked_until))
            .with_plain("own_failures", account.own_failures)
            .with_some("own_blocked_until", time(account.own_blocked_until))
            .with_some("last_at", last.map(|last| last.at.to_string()))
            .with_some("last_from", last.map(|last| last.source.as_str()))
            .with_some("last_with", last.map(|last| last.factor.as_str()))
            .with_some("invited_until", time(account.invited_until))
            .with_some("issuer", issuer.as_ref())
            .with_parameters(*parameters)
            .with("may_enroll", enroll.word())
            .with("may_change", change.word())
            .with("may_register", tokens.word())
            .with("may_change_ssh_keys", ssh_keys.word())
    }

    /// The answer about the ssh keys of a user.
    pub fn answering_own_ssh_keys(keys: &[SshKeyView]) -> Self {
        keys.iter().fold(Self::new(ANSWER, "ssh-keys"), Self::with_ssh_key_view)
    }

    fn with_ssh_key_view(self, SshKeyView { fingerprint, kind, label, issued, attestation }: &SshKeyView) -> Self {
        self.with("ssh_key", kind.word())
            .with("fingerprint", fingerprint.as_str())
            .with("label", label.as_str())
            .with_plain("issued", issued)
            .with("attested", if *attestation == Attestation::Checked { "yes" } else { "no" })
    }

    fn ssh_key_view(&self) -> Result<SshKeyView, WireError> {
        Ok(SshKeyView {
            fingerprint: fingerprint(self, "fingerprint")?,
            kind: KeyType::of_word(self.get("ssh_key")?).ok_or(WireError::Value("ssh_key"))?,
            label: label(self, "label")?,
            issued: UnixTime::from_rfc3339(self.get("issued")?).ok_or(WireError::Value("issued"))?,
            attestation: match self.get("attested")? {
                "yes" => Attestation::Checked,
                "no" => Attestation::None,
                _ => return Err(WireError::Value("attested")),
            },
        })
    }

    /// The answer to a change.
    pub fn answering_change(outcome: &Result<Changed, NotChanged>) -> Self {
        match outcome {
            Ok(Changed { recovery, ssh_key, .. }) => {
                let this = Self::new(ANSWER, "changed");
                let this = recovery.iter().fold(this, |this, code| this.with("recovery_code", code.expose()));
                ssh_key.iter().fold(this, Self::with_ssh_key_view)
            }
            Err(NotChanged::Proof(reason)) => Self::new(ANSWER, "refused").with("reason", reason.word()),
            Err(other) => Self::new(ANSWER, "not-changed").with("why", other.word()),
        }
    }
}

impl Answered {
    pub(in crate::store) fn own_account(&self) -> Result<(OwnAccount, Offer), WireError> {
        self.must_be("account")?;
        let message = self.message();
        let column = |key: &'static str| message.all(key).collect::<Vec<_>>();
        let (labels, serials) = (column("app"), column("app_serial"));
        let (issued, states) = (column("app_issued"), column("app_state"));
        let last = column("app_last");
        if [serials.len(), issued.len(), states.len(), last.len()] != [labels.len(); 4] {
            return Err(WireError::Value("app"));
        }
        let rows = labels.into_iter().zip(serials).zip(issued.into_iter().zip(states)).zip(last);
        let apps = rows.map(|(((label, serial), (issued, state)), last)| {
            let confirmation = match state {
                "active" => Confirmation::Confirmed,
                "pending" => Confirmation::Pending,
                _ => return None,
            };
            let (label, serial) = (Label::new(label)?, Serial::new(serial)?);
            let (issued, last_accepted) = (UnixTime::from_rfc3339(issued)?, read_time_or_never("app_last", last).ok()?);
            Some(OwnApp { label, serial, issued, confirmation, last_accepted })
        });
        let apps: Option<Vec<OwnApp>> = apps.collect();
        let (serials, states, last) = (column("token"), column("token_state"), column("token_last"));
        if [states.len(), last.len()] != [serials.len(); 2] {
            return Err(WireError::Value("token"));
        }
        let tokens = serials.into_iter().zip(states).zip(last).map(|((serial, state), last)| {
            let (serial, last_accepted) = (Serial::new(serial)?, read_time_or_never("token_last", last).ok()?);
            Some(OwnToken { serial, state: state.to_owned(), last_accepted })
        });
        let tokens: Option<Vec<OwnToken>> = tokens.collect();
        let time = |key: &'static str| {
            let read = |text| UnixTime::from_rfc3339(text).ok_or(WireError::Value(key));
            message.find(key)?.map(read).transpose()
        };
        let last_accepted = match time("last_at")? {
            Some(at) => Some(LastAccepted {
                at,
                source: Source::from_rhost(Some(message.get("last_from")?)),
                factor: message.get("last_with")?.to_owned(),
            }),
            None => None,
        };
        let account = OwnAccount {
            apps: apps.ok_or(WireError::Value("app"))?,
            tokens: tokens.ok_or(WireError::Value("token"))?,
            ssh_keys: message.parsed("ssh_keys")?,
            recovery_left: message.parsed("recovery")?,
            temporary_until: time("temporary_until")?,
            failures: message.parsed("failures")?,
            blocked_until: time("blocked_until")?,
            own_failures: message.parsed("own_failures")?,
            own_blocked_until: time("own_blocked_until")?,
            last_accepted,
            invited_until: time("invited_until")?,
        };
        Ok((account, self.offer()?))
    }

    fn offer(&self) -> Result<Offer, WireError> {
        let message = self.message();
        let permitted = |key| Permitted::from_word(message.get(key)?).ok_or(WireError::Value(key));
        Ok(Offer {
            issuer: message.find("issuer")?.map(ToOwned::to_owned),
            parameters: enrolling::parameters(message)?,
            enroll: permitted("may_enroll")?,
            change: permitted("may_change")?,
            tokens: permitted("may_register")?,
            ssh_keys: permitted("may_change_ssh_keys")?,
        })
    }

    /// The user's ssh keys.
    pub(in crate::store) fn own_ssh_keys(&self) -> Result<Vec<SshKeyView>, WireError> {
        self.must_be("ssh-keys")?;
        self.message().parts(&["ssh_key"]).iter().skip(1).map(Message::ssh_key_view).collect()
    }

    /// The change, or the reason for which there is none.
    pub(in crate::store) fn change(&self) -> Result<Result<Changed, NotChanged>, WireError> {
        let recovery = match self.changed()? {
            Ok(recovery) => recovery,
            Err(why) => return Ok(Err(why)),
        };
        let ssh_key = self.message().find("ssh_key")?.map(|_| self.message().ssh_key_view()).transpose()?;
        Ok(Ok(Changed { recovery, ssh_key }))
    }

    /// The new recovery codes, or the reason for which nothing was changed.
    pub(in crate::store) fn changed(&self) -> Result<Result<Vec<RecoveryCode>, NotChanged>, WireError> {
        let Some(why) = self.not_changed()? else {
            let codes = self.message().all("recovery_code");
            let code = |digits: &str| RecoveryCode::new(Zeroizing::new(digits.to_owned()));
            let codes: Option<Vec<RecoveryCode>> = codes.map(code).collect();
            return Ok(Ok(codes.ok_or(WireError::Value("recovery_code"))?));
        };
        Ok(Err(why))
    }

    /// The ssh key that was enrolled or taken away, or the reason for which it was not.
    pub(in crate::store) fn changed_ssh_key(&self) -> Result<Result<SshKeyView, NotChanged>, WireError> {
        self.not_changed()?.map_or_else(|| self.message().ssh_key_view().map(Ok), |why| Ok(Err(why)))
    }

    fn not_changed(&self) -> Result<Option<NotChanged>, WireError> {
        let message = self.message();
        match message.get(ANSWER)? {
            "changed" => Ok(None),
            "refused" => {
                let reason = super::answered::reason(message.get("reason")?).ok_or(WireError::Value("reason"))?;
                Ok(Some(NotChanged::Proof(reason)))
            }
            "not-changed" => NotChanged::from_word(message.get("why")?).map(Some).ok_or(WireError::Value("why")),
            _ => Err(WireError::Value(ANSWER)),
        }
    }
}

fn word_of_app(confirmation: Confirmation) -> &'static str {
    match confirmation {
        Confirmation::Confirmed => "active",
        Confirmation::Pending => "pending",
    }
}
