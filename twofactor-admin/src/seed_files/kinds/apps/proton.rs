//! Proton Authenticator: `entries`, each with a URI.

use super::entry::{Entry, unknown, word};
use super::uri;
use crate::seed_files::json::Json;

pub(super) fn entry(json: &Json) -> Entry {
    let content = |name| json.at(&["content", name]);
    let entry = content("uri").and_then(Json::text).and_then(uri::entry).unwrap_or_default();
    let label = if entry.label.is_empty() { word(content("name")) } else { entry.label };
    let mut unknown_members = entry.unknown;
    unknown_members.extend(unknown(Some(json), &["id", "content", "note"]));
    unknown_members.extend(unknown(json.get("content"), &["uri", "entry_type", "name"]));
    Entry { label, unknown: unknown_members, ..entry }
}
