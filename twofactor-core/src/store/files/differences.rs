//! Differences between the registry and the files of the tokens' owners, as a process leaves them that is killed, or a
//! backup of one of the two that is restored.

use crate::account::lifecycle::TokenStatus;
use crate::account::{Credentials, Held};
use crate::codes::token::Serial;
use crate::host::user::UserName;
use crate::store::administration::{Difference, TokenDifference};

/// The differences between a user's file and what the registry says. `is_known` tells the tokens that the registry has.
pub(super) fn between<E>(
    user: &UserName,
    credentials: Option<&Credentials>,
    registered: &[Held],
    is_known: impl Fn(&Serial) -> Result<bool, E>,
) -> Result<Vec<TokenDifference>, E> {
    let in_file = credentials.map_or(&[][..], |credentials| &credentials.held);
    let mut found = Vec::new();
    let mut note = |serial: &Serial, difference| {
        found.push(TokenDifference { user: user.clone(), serial: serial.clone(), difference });
    };
    for held in registered {
        let present = in_file.iter().find(|present| present.token.serial == held.token.serial);
        match present {
            None => note(&held.token.serial, Difference::NotInFile),
            Some(present) if !is_same(present, held) => note(&held.token.serial, Difference::Codes),
            Some(present) if present.status != held.status => {
                let (file, registry) = (present.status, held.status);
                note(&held.token.serial, Difference::Status { file, registry });
            }
            Some(_) => {}
        }
    }
    for present in in_file {
        let serial = &present.token.serial;
        if !registered.iter().any(|held| held.token.serial == *serial) {
            let difference = if is_known(serial)? { Difference::NotRegistered } else { Difference::Unknown };
            note(serial, difference);
        }
    }
    Ok(found)
}

/// True when both show the same codes.
fn is_same(one: &Held, other: &Held) -> bool {
    one.token.parameters == other.token.parameters && one.token.marks() == other.token.marks()
}

/// The stricter of two.
pub(super) fn stricter(one: TokenStatus, other: TokenStatus) -> TokenStatus {
    let rank = |status| match status {
        TokenStatus::Good => 0,
        TokenStatus::Disabled => 1,
        TokenStatus::Lost => 2,
        TokenStatus::Revoked => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}
