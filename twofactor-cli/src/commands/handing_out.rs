//! Codes that a sysadmin hands out to a user, and takes back: invitations and temporary codes.

use serde_json::json;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::store::StoreError;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::journal;
use crate::output::{self, Format, Output, Stream, Unwritten};

/// Shows a code, this one time. `key` is its name in JSON, and `use_of_it` says what it is good for.
pub(super) fn show(
    key: &str,
    code: &str,
    user: &UserName,
    until: UnixTime,
    use_of_it: &str,
    output: &Output,
) -> Result<(), Unwritten> {
    match output.format() {
        Format::Json => output::must_show_json(json!({ "user": user.as_str(), key: code, "until": until.to_string() })),
        Format::Text => {
            let about = output.explanation(use_of_it, Stream::Results);
            output::must_show(Stream::Results, &Zeroizing::new(format!("{about}{code}\n")))
        }
    }
    .map_err(Unwritten)
}

/// Takes a code back. `take` gives whether there was one, and `name` is the word for such a code.
pub(super) fn revoke(
    typed: &str,
    take: impl FnOnce(&UserName) -> Result<bool, StoreError>,
    event: Event,
    name: &str,
    output: &Output,
) -> Result<(), Failure> {
    let known = SystemUsers.canonical(typed)?;
    let is_known = known.is_some();
    // A user who was deleted from the host may come back under the same name.
    let user = match known {
        Some(user) => user,
        None => UserName::new(typed).map_err(|_| Failure::UnknownUser(typed.to_owned()))?,
    };
    let had = take(&user)?;
    if !had && !is_known {
        return Err(Failure::UnknownUser(typed.to_owned()));
    }
    if had {
        journal::write(journal::about(event, &user));
    }
    say_void(&user, had, name, output)
}

/// Says that a code is void, where there was one.
pub(super) fn say_void(user: &UserName, had: bool, name: &str, output: &Output) -> Result<(), Failure> {
    Ok(output.done(
        || if had { format!("{user}'s {name} is void.\n") } else { format!("{user} had no {name}.\n") },
        || json!({ "user": user.as_str(), "revoked": had }),
    )?)
}
