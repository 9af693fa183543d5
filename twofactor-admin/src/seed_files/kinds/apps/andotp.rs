//! andOTP: an array of entries.

use super::entry::{Entry, EntryKind, hash, unknown, whole, word};
use crate::seed_files::json::Json;

pub(super) fn entry(json: &Json) -> Entry {
    Entry {
        issuer: word(json.get("issuer")),
        label: word(json.get("label")),
        kind: EntryKind::of(json.get("type")),
        algorithm: hash(json.get("algorithm")),
        digits: whole(json.get("digits")),
        period: whole(json.get("period")),
        counter: whole(json.get("counter")),
        unknown: unknown(
            Some(json),
            &[
                "secret",
                "issuer",
                "label",
                "digits",
                "type",
                "algorithm",
                "period",
                "counter",
                "thumbnail",
                "last_used",
                "used_frequency",
                "tags",
            ],
        ),
        ..Entry::from_base32(json.get("secret").and_then(Json::text))
    }
}
