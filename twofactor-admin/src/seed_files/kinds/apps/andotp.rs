//! andOTP: an array of entries.

use super::entry::{Entry, EntryKind, word};
use crate::seed_files::json::Json;

pub(super) fn entry(json: &Json) -> Entry {
    Entry {
        issuer: word(json.get("issuer")),
        label: word(json.get("label")),
        kind: EntryKind::of(json.get("type")),
        algorithm: json.get("algorithm").and_then(Json::text).map(str::to_owned),
        digits: json.get("digits").and_then(Json::number),
        period: json.get("period").and_then(Json::number),
        counter: json.get("counter").and_then(Json::number),
        ..Entry::from_base32(json.get("secret").and_then(Json::text))
    }
}
