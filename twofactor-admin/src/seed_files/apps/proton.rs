//! Proton Authenticator: `entries`, each with a URI.

use super::super::json::Json;
use super::{Entry, uri, word};

pub(super) fn entry(json: &Json) -> Entry {
    let content = |name| json.at(&["content", name]);
    let entry = content("uri").and_then(Json::text).and_then(uri::entry).unwrap_or_default();
    let label = if entry.label.is_empty() { word(content("name")) } else { entry.label };
    Entry { label, ..entry }
}
