//! The broker's lines, to syslog (authpriv), in the form of the module's. The module in a user's process writes lines too, but
//! any program of that user can write those; these are root's.

use twofactor_core::codes::ssh_key::Fingerprint;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::syslog;
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::log::record::{Event, Record};
use twofactor_core::store::helpdesk::{Helped, NotHelped};
use twofactor_core::store::self_service::{Change, ChangeOutcome, NotChanged};
use twofactor_core::store::{Redemption, StoreError, Stripping};

use crate::caller::{Caller, Refusal};

/// The beginning of each line, as `sshd:auth` does before the module's.
const WRITER: &str = "pam_twofactor(broker:auth): ";

/// A process without root, and the service that it asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'s> {
    pub(crate) caller: Caller,
    /// That of a rule. What a process says itself is not written.
    pub(crate) service: Option<&'s str>,
}

/// A question of a service account that no rule allows, or of a helpdesk where it is not certain that one does.
pub(crate) fn write_refusal(user: Option<&UserName>, caller: Caller, refusal: &Refusal) {
    let Refusal { reason, problem, hint, .. } = refusal;
    let record = asked_by(Record::refused(*reason).with_some("user", user), caller).with("reason", reason);
    write(&record.with("problem", problem).with("hint", hint));
}

/// The outcome of an attempt.
pub(crate) fn write_redemption(person: &Person, asker: Asker<'_>, outcome: &Result<Redemption, StoreError>) {
    let about = |record| about(record, person, asker);
    let refused = |reason: Reason, hint: Option<&String>| {
        write(&about(Record::refused(reason)).with("reason", reason).with_some("hint", hint));
    };
    match outcome {
        Ok(Redemption::Redeemed(redeemed)) => {
            write(&redeemed.factor().noted_in(about(Record::new(Event::Accepted))));
            if let Some(problem) = redeemed.problem() {
                write(&failed(person, asker, problem));
            }
        }
        Ok(Redemption::NearMiss { hint }) => refused(Reason::WrongCode, hint.as_ref()),
        Ok(Redemption::Refused { reason, hint }) => refused(*reason, hint.as_ref()),
        Err(error) => write(&failed(person, asker, error)),
    }
}

/// Begins the line about a change that a user asks for.
pub(crate) fn about_change(person: &Person, asker: Asker<'_>, change: &Change) -> Record {
    let named = |fingerprint: &Fingerprint| Some(format!("ssh-key:{fingerprint}"));
    let (event, token) = match change {
        Change::Enroll(new) | Change::Replace(new) => (Event::Enrolled, Some(new.label.to_string())),
        Change::Reset => (Event::Reset, None),
        Change::Recovery => (Event::RecoveryReplaced, None),
        Change::Token(token) => (Event::Registered, Some(token.serial.to_string())),
        Change::AddSshKey { key, .. } => (Event::SshKeyAdded, named(&key.fingerprint())),
        Change::RemoveSshKey(fingerprint) => (Event::SshKeyRemoved, named(fingerprint)),
    };
    about(Record::new(event), person, asker).with_some("token", token)
}

/// The code that was used up for a change of a user's, and the change; or why there is none.
pub(crate) fn write_change(person: &Person, asker: Asker<'_>, change: Record, outcome: &ChangeOutcome) {
    if let Some(proof) = &outcome.proof {
        write(&proof.noted_in(about(Record::new(Event::Accepted), person, asker)));
    }
    match &outcome.made {
        Ok(Ok(changed)) => {
            let label = changed.ssh_key.as_ref().map(|key| &key.label);
            write(&change.with_some("label", label).with("by", &person.name));
        }
        Ok(Err(not_changed)) => {
            let reason = match not_changed {
                NotChanged::Proof(reason) => *reason,
                NotChanged::NeedsProof => Reason::NoAnswer,
                NotChanged::TokenRefused => Reason::WrongCode,
                NotChanged::NeedsInvitation => Reason::InvitationWrong,
                NotChanged::Unconfirmed | NotChanged::BadSecret => Reason::NotConfirmed,
                NotChanged::NotEnrolled | NotChanged::NoCodes => Reason::NotEnrolled,
                NotChanged::Closed => Reason::AccountExpired,
                NotChanged::Enrolled
                | NotChanged::TooMany
                | NotChanged::SwitchedOff
                | NotChanged::AppsDoNotCount
                | NotChanged::TokensDoNotCount
                | NotChanged::SshKey(_) => Reason::FactorNotAllowed,
            };
            let problem = format!("twofactor self: {}", not_changed.word());
            write(&about(Record::refused(reason), person, asker).with("reason", reason).with("problem", problem));
        }
        Err(error) => write(&failed(person, asker, error)),
    }
}

/// A code that was burned where none was needed, or an error.
pub(crate) fn write_stripping(person: &Person, asker: Asker<'_>, outcome: &Result<Stripping, StoreError>) {
    match outcome {
        Ok(Stripping::Burned { factor, .. }) => {
            write(&factor.noted_in(about(Record::new(Event::Skipped), person, asker)));
        }
        Ok(Stripping::Nothing | Stripping::Throttled) => {}
        Err(error) => write(&failed(person, asker, error)),
    }
}

/// Says on standard error and in the log that the broker itself cannot go on.
#[expect(clippy::print_stderr, reason = "the journal of the unit, and the terminal of who starts it by hand")]
pub(crate) fn complain(problem: &str) {
    eprintln!("twofactord: {problem}");
    write(&Record::new(Event::Error).with("reason", "store-unavailable").with("problem", problem));
}

/// An act of the helpdesk, done or not.
#[derive(Debug)]
pub(crate) struct Deed<'a> {
    pub(crate) caller: Caller,
    /// The member.
    pub(crate) by: &'a UserName,
    /// The user whom it is about, where that is known.
    pub(crate) user: Option<UserName>,
    pub(crate) act: &'static str,
    /// The event of an act that is done; `None` where the member asks for leave alone.
    pub(crate) event: Option<Event>,
    /// The token, of an act about one.
    pub(crate) serial: Option<Serial>,
}

impl Deed<'_> {
    fn begun(&self, record: Record) -> Record {
        let record = record.with_some("serial", self.serial.as_ref()).with_some("user", self.user.as_ref());
        asked_by(record, self.caller)
    }

    fn failed(&self, error: &StoreError) -> Record {
        let reason = error.reason();
        self.begun(Record::refused(reason)).with("reason", reason).with("problem", error).with("hint", error.hint())
    }
}

/// The outcome of an act of the helpdesk.
pub(crate) fn write_deed(deed: &Deed<'_>, outcome: &Result<Result<Helped, NotHelped>, StoreError>) {
    let by = |record: Record| write(&record.with("by", deed.by));
    match outcome {
        Ok(Ok(helped)) => {
            if let Some(event) = deed.event.filter(|_| !helped.is_nothing()) {
                by(helped.noted_in(deed.begun(Record::new(event))));
            }
            if let Helped::Enrolled(status) = helped
                && let Some(problem) = &status.tokens_problem
            {
                by(deed.failed(problem));
            }
        }
        Ok(Err(why)) => {
            by(why.noted_in(deed.begun(Record::refused(why.reason())), deed.act));
        }
        Err(error) => by(deed.failed(error)),
    }
}

/// Writes down that a question of users about themselves could not be answered.
pub(crate) fn write_failure(person: &Person, asker: Asker<'_>, error: &StoreError) {
    write(&failed(person, asker, error));
}

fn about(record: Record, person: &Person, Asker { caller, service }: Asker<'_>) -> Record {
    asked_by(record.with("user", &person.name).with_some("service", service), caller)
}

fn asked_by(record: Record, caller: Caller) -> Record {
    record.with("asked_by", caller.uid).with("asked_by_process", caller.pid)
}

fn failed(person: &Person, asker: Asker<'_>, error: &StoreError) -> Record {
    let reason = error.reason();
    about(Record::refused(reason), person, asker)
        .with("reason", reason)
        .with("problem", error)
        .with("hint", error.hint())
}

fn write(record: &Record) {
    syslog::write("twofactord", std::process::id(), [format!("{WRITER}{record}")]);
}
