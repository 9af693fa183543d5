//! Proton Authenticator: `entries`, each with a URI.

use super::entry::{Entry, word};
use super::uri;
use crate::seed_files::json::Json;

pub(super) fn entry(json: &Json) -> Entry {
    let content = |name| json.at(&["content", name]);
    let entry = content("uri").and_then(Json::text).and_then(uri::entry).unwrap_or_default();
    let label = if entry.label.is_empty() { word(content("name")) } else { entry.label };
    Entry { label, ..entry }
}
