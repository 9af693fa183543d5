//! The files in `docs/schemas`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::checkout::files_below;

/// Where the schemas find each other. Nothing is fetched: every file is in memory.
const BASE: &str = "schemas:///";

/// Parts of the other schemas.
const COMMON: &str = "common";

/// Every schema by the name of its file, without `.json`.
#[derive(Clone)]
pub(crate) struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Reads all of them.
    pub(crate) fn read() -> Self {
        let files = files_below(&workspace().join("docs/schemas"), "json").into_iter().map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let schema = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), schema)
        });
        Self(files.collect())
    }

    /// The documents by the names of their files.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, schema)| (name.as_str(), schema))
    }

    /// The commands that the files are about.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(name, _)| *name != COMMON).map(|(name, schema)| {
            let title = schema["title"].as_str().and_then(|title| title.strip_prefix("twofactor "));
            let command = title.unwrap_or_else(|| panic!("{name}.json has the title of no command"));
            assert_eq!(command.replace(' ', "-"), *name, "a file is named after its command");
            command
        })
    }

    /// What compares an output with its schema, for each command.
    pub(crate) fn validators(&self) -> BTreeMap<String, Validator> {
        let validator = |command: &str| {
            let name = command.replace(' ', "-");
            let options =
                jsonschema::options().with_retriever(self.clone()).with_base_uri(format!("{BASE}{name}.json"));
            options.build(&self.0[&name]).unwrap_or_else(|error| panic!("{name}.json: {error}"))
        };
        self.commands().map(|command| (command.to_owned(), validator(command))).collect()
    }
}

impl Retrieve for Schemas {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let name = uri.as_str().strip_prefix(BASE).and_then(|name| name.strip_suffix(".json"));
        let schema = name.and_then(|name| self.0.get(name));
        schema.cloned().ok_or_else(|| format!("{uri} is no file of docs/schemas").into())
    }
}

/// Asserts that each property says what it is, and that each object allows no other.
pub(crate) fn assert_described(place: &str, schema: &Value) {
    match schema {
        Value::Object(members) => {
            for (name, property) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let says = ["description", "$ref", "const"].iter().any(|word| property.get(word).is_some());
                assert!(says, "{place}: {name} has no description");
            }
            if members.contains_key("properties") && place.split('/').next() != Some(COMMON) {
                let closed = ["additionalProperties", "unevaluatedProperties"];
                let is_closed = closed.iter().any(|word| members.get(*word) == Some(&Value::Bool(false)));
                assert!(is_closed, "{place} allows properties that it does not name");
            }
            members.iter().for_each(|(name, part)| assert_described(&format!("{place}/{name}"), part));
        }
        Value::Array(parts) => parts.iter().for_each(|part| assert_described(place, part)),
        _ => {}
    }
}
