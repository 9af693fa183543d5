//! Stratum (Authenticator Pro): `Authenticators`, with numbers for type and hash.

use super::entry::{Entry, EntryKind, hash, unknown, whole, word};
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
        algorithm: match number("Algorithm") {
            Some(0) => Some("SHA1".to_owned()),
            Some(1) => Some("SHA256".to_owned()),
            Some(2) => Some("SHA512".to_owned()),
            Some(other) => Some(other.to_string()),
            None => hash(json.get("Algorithm")),
        },
        digits: whole(json.get("Digits")),
        period: whole(json.get("Period")),
        counter: whole(json.get("Counter")),
        unknown: unknown(
            Some(json),
            &[
                "Type",
                "Icon",
                "Issuer",
                "Username",
                "Secret",
                "Pin",
                "Algorithm",
                "Digits",
                "Period",
                "Counter",
                "CopyCount",
                "Ranking",
            ],
        ),
        ..Entry::from_base32(json.get("Secret").and_then(Json::text))
    }
}
