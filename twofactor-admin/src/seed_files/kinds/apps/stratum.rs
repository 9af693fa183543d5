//! Stratum (Authenticator Pro): `Authenticators`, with numbers for type and hash.

use super::entry::{Entry, EntryKind, word};
use crate::seed_files::json::Json;
use crate::seed_files::options::KindName;

pub(super) fn entry(json: &Json) -> Entry {
    let number = |name| json.get(name).and_then(Json::number);
    Entry {
        issuer: word(json.get("Issuer")),
        label: word(json.get("Username")),
        kind: match number("Type") {
            Some(1) => EntryKind::Known(KindName::Hotp),
            Some(2) => EntryKind::Known(KindName::Totp),
            _ => EntryKind::Other,
        },
        // A number that is none of these is no hash either, and its entry is rejected.
        algorithm: number("Algorithm").map(|number| match number {
            0 => "SHA1".to_owned(),
            1 => "SHA256".to_owned(),
            2 => "SHA512".to_owned(),
            other => other.to_string(),
        }),
        digits: number("Digits"),
        period: number("Period"),
        counter: number("Counter"),
        ..Entry::from_base32(json.get("Secret").and_then(Json::text))
    }
}
