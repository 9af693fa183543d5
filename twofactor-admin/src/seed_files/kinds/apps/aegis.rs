//! Aegis: `db.entries`, each with its parameters in `info`.

use super::entry::{Entry, EntryKind, hash, unknown, whole, word};
use crate::seed_files::json::Json;

pub(super) fn entry(json: &Json) -> Entry {
    let info = |name| json.at(&["info", name]);
    Entry {
        issuer: word(json.get("issuer")),
        label: word(json.get("name")),
        kind: EntryKind::of(json.get("type")),
        algorithm: hash(info("algo")),
        digits: whole(info("digits")),
        period: whole(info("period")),
        counter: whole(info("counter")),
        unknown: [
            unknown(
                Some(json),
                &[
                    "type",
                    "uuid",
                    "name",
                    "issuer",
                    "note",
                    "favorite",
                    "icon",
                    "icon_mime",
                    "icon_hash",
                    "group",
                    "groups",
                    "info",
                ],
            ),
            unknown(json.get("info"), &["secret", "algo", "digits", "period", "counter"]),
        ]
        .concat(),
        ..Entry::from_base32(info("secret").and_then(Json::text))
    }
}
