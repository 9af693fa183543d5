//! Bitwarden: `items`, of which those with `login.totp` are entries: a URI, or a base32 secret alone.

use super::entry::{Entry, EntryKind, unknown, word};
use super::uri;
use crate::seed_files::json::Json;
use crate::seed_files::options::KindName;

pub(super) fn entry(json: &Json) -> Option<Entry> {
    let totp = json.at(&["login", "totp"])?.text()?;
    let entry = if totp.contains("://") {
        uri::entry(totp).unwrap_or_default()
    } else {
        Entry { kind: EntryKind::Known(KindName::Totp), ..Entry::from_base32(Some(totp)) }
    };
    let or = |text: String, other: String| if text.is_empty() { other } else { text };
    let mut unknown_members = entry.unknown;
    unknown_members.extend(unknown(
        json.get("login"),
        &["username", "password", "totp", "uris", "fido2Credentials", "passwordRevisionDate", "autofillOnPageLoad"],
    ));
    Some(Entry {
        unknown: unknown_members,
        issuer: or(entry.issuer, word(json.get("name"))),
        label: or(entry.label, word(json.at(&["login", "username"]))),
        ..entry
    })
}
