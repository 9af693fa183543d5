//! The sentences for members of a helpdesk without root, for whom nothing was done.

use twofactor_core::codes::token::Serial;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::user::UserName;
use twofactor_core::store::helpdesk::NotHelped;

use super::status::ExitStatus;
use super::tokens::TWO_CODES;

pub(super) fn sentence(user: Option<&UserName>, serial: Option<&Serial>, why: NotHelped) -> String {
    let token = serial.map_or_else(|| "the token".to_owned(), |serial| format!("token {serial}"));
    let whom = user.map_or_else(|| format!("the owner of {token}"), ToString::to_string);
    match why {
        NotHelped::Oneself => "a member of the helpdesk does not help himself".to_owned(),
        NotHelped::Protected => {
            format!("{whom} is root, of the helpdesk, or in a protected group: only root can do this")
        }
        NotHelped::NoUser => format!("there is no user \"{whom}\""),
        NotHelped::AnotherPerson => format!("the account of {whom} belongs to another person, who had the name before"),
        NotHelped::NotEnrolled => format!("{whom} is not enrolled"),
        NotHelped::OnlyTokens => format!("{whom} has physical tokens only, and nothing that a reset forgets"),
        NotHelped::Throttled => "too many wrong codes were tried here; this one was not looked at".to_owned(),
        NotHelped::NoToken => format!("there is no {token}"),
        NotHelped::Owned => format!("{token} is assigned already"),
        NotHelped::NotOwned => format!("{token} is not assigned to a user"),
        NotHelped::Revoked => format!("{token} is revoked"),
        NotHelped::Unusable => format!("{token} is disabled or lost"),
        NotHelped::TooMany => format!("{whom} has as many tokens as a user can have"),
        NotHelped::Shared => format!("another user has the secret of {token}"),
        NotHelped::WrongCodes => format!("these are not two consecutive new codes of {token}"),
    }
}

pub(super) fn status(why: NotHelped) -> ExitStatus {
    match why {
        NotHelped::Oneself | NotHelped::Protected => ExitStatus::NotPermitted,
        NotHelped::NoUser | NotHelped::NotEnrolled | NotHelped::OnlyTokens | NotHelped::NoToken => ExitStatus::NotThere,
        NotHelped::Throttled | NotHelped::WrongCodes => ExitStatus::CodeRefused,
        NotHelped::AnotherPerson
        | NotHelped::Owned
        | NotHelped::NotOwned
        | NotHelped::Revoked
        | NotHelped::Unusable
        | NotHelped::TooMany
        | NotHelped::Shared => ExitStatus::Refused,
    }
}

pub(super) fn hint(why: NotHelped, user: Option<&UserName>) -> Option<String> {
    Some(match why {
        NotHelped::Oneself => "see what you can do yourself: twofactor self status".to_owned(),
        NotHelped::NoUser => format!("look the user up: getent passwd {}", quoted(user?.as_str())),
        NotHelped::NotEnrolled => format!("an administrator runs \"twofactor enroll {}\"", quoted(user?.as_str())),
        NotHelped::Throttled => "wait; \"twofactor unlock\" by an administrator ends that".to_owned(),
        NotHelped::WrongCodes => TWO_CODES.to_owned(),
        NotHelped::Unusable => "an administrator runs \"twofactor token enable\"".to_owned(),
        NotHelped::Revoked => "its secret is wiped, nothing brings it back; use another token".to_owned(),
        NotHelped::Protected
        | NotHelped::AnotherPerson
        | NotHelped::OnlyTokens
        | NotHelped::NoToken
        | NotHelped::Owned
        | NotHelped::NotOwned
        | NotHelped::TooMany
        | NotHelped::Shared => "ask an administrator".to_owned(),
    })
}
