//! The sentences for users whose own second factor was not changed.

use twofactor_core::host::shell::quoted;
use twofactor_core::host::user::UserName;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::self_service::NotChanged;

use super::status::ExitStatus;

pub(super) fn sentence(why: NotChanged) -> &'static str {
    match why {
        NotChanged::Proof(Reason::Replayed) => "that code is used already; nothing was changed",
        NotChanged::Proof(Reason::Throttled) => "too many wrong codes; nothing was changed",
        NotChanged::Proof(Reason::NotEnrolled) | NotChanged::NotEnrolled => "you have no second factor",
        NotChanged::Proof(_) => "the code is not right; nothing was changed",
        NotChanged::NeedsProof => "a change takes a code; nothing was changed",
        NotChanged::Unconfirmed => "the code is not one of the new secret; nothing was changed",
        NotChanged::NeedsInvitation => "setting up a second factor takes an invitation code; nothing was changed",
        NotChanged::Enrolled => "you have a second factor already; nothing was changed",
        NotChanged::TooMany => "you have as many apps as a user can have; nothing was changed",
        NotChanged::TokenRefused => "the token is not registered: serial or codes are not right, or it is not free",
        NotChanged::TokensDoNotCount => "the configuration of this host does not let you register a token",
        NotChanged::SwitchedOff => "the configuration of this host does not let users do this",
        NotChanged::AppsDoNotCount => "no app counts for you on this host, so none is set up",
        NotChanged::BadSecret => "the broker does not take the secret; nothing was changed",
        NotChanged::Closed => "your account has expired, so no second factor is set up",
        NotChanged::NoCodes => "a change takes a code, and you have nothing that gives one",
        NotChanged::SshKey(_) => "your ssh keys do not allow it; nothing was changed",
    }
}

pub(super) fn status(why: NotChanged) -> ExitStatus {
    match why {
        NotChanged::Proof(Reason::NotEnrolled) | NotChanged::NotEnrolled => ExitStatus::NotThere,
        NotChanged::Proof(_)
        | NotChanged::NeedsProof
        | NotChanged::Unconfirmed
        | NotChanged::TokenRefused
        | NotChanged::NeedsInvitation => ExitStatus::CodeRefused,
        NotChanged::Enrolled | NotChanged::TooMany | NotChanged::NoCodes | NotChanged::SshKey(_) => ExitStatus::Refused,
        NotChanged::SwitchedOff | NotChanged::AppsDoNotCount | NotChanged::TokensDoNotCount | NotChanged::Closed => {
            ExitStatus::NotPermitted
        }
        NotChanged::BadSecret => ExitStatus::Failed,
    }
}

pub(super) fn hint(why: NotChanged, user: &UserName) -> Option<String> {
    let user = quoted(user.as_str());
    Some(match why {
        NotChanged::Proof(Reason::Throttled) => format!("wait, or ask your administrator: twofactor unlock {user}"),
        NotChanged::Proof(Reason::Replayed) => "wait for the next code".to_owned(),
        NotChanged::Proof(Reason::NotEnrolled) | NotChanged::NotEnrolled => {
            "set one up: twofactor self enroll".to_owned()
        }
        NotChanged::NeedsInvitation => format!("ask your administrator: twofactor invite {user}"),
        NotChanged::Enrolled => "for a new phone: twofactor self replace".to_owned(),
        NotChanged::TooMany => "--label with the label of an app that you do not use any more".to_owned(),
        NotChanged::SwitchedOff | NotChanged::TokensDoNotCount | NotChanged::Closed => {
            "ask your administrator".to_owned()
        }
        NotChanged::TokenRefused | NotChanged::AppsDoNotCount => {
            format!("ask your administrator: twofactor token assign SERIAL {user}")
        }
        NotChanged::NoCodes => format!("ask your administrator or helpdesk for a code: twofactor code {user}"),
        NotChanged::SshKey(_) => "see: twofactor self ssh-key list".to_owned(),
        NotChanged::BadSecret => "do the broker and this command have the same version?".to_owned(),
        NotChanged::Unconfirmed => "are the clocks right, the phone's and this host's? see: date -u".to_owned(),
        NotChanged::Proof(_) | NotChanged::NeedsProof => return None,
    })
}
