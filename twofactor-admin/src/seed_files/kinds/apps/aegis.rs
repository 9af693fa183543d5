//! Aegis: `db.entries`, each with its parameters in `info`.

use super::entry::{Entry, EntryKind, word};
use crate::seed_files::json::Json;

pub(super) fn entry(json: &Json) -> Entry {
    let info = |name| json.at(&["info", name]);
    Entry {
        issuer: word(json.get("issuer")),
        label: word(json.get("name")),
        kind: EntryKind::of(json.get("type")),
        algorithm: info("algo").and_then(Json::text).map(str::to_owned),
        digits: info("digits").and_then(Json::number),
        period: info("period").and_then(Json::number),
        counter: info("counter").and_then(Json::number),
        ..Entry::from_base32(info("secret").and_then(Json::text))
    }
}
