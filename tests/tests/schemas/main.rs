//! What `--json` prints is what the schemas in `docs/schemas` say, field by field, in every state that an output can have.
//!
//! A schema allows no field that it does not name: one that is new fails here until the schema names it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod files;
mod fleet;
mod oneself;
mod surroundings;
mod tokens;
mod users;
mod witness;

use std::collections::BTreeSet;

use twofactor_tests::manual::all_commands;
use twofactor_tests::requirements;

use crate::files::Schemas;

/// Commands that print no report: their output has one form, whatever `--json` says.
const WITHOUT_REPORT: [&str; 3] = ["completions", "help", "version"];

#[test]
fn every_command_that_reports_has_a_schema_that_is_compared_with_its_output_and_nothing_else_has_one() {
    if !requirements::met() {
        return;
    }
    let leaves = all_commands().into_iter().filter(|(_, help)| !help.contains("\nCommands:\n"));
    let mut reporting: BTreeSet<String> = leaves.map(|(path, _)| path.join(" ")).collect();
    for command in WITHOUT_REPORT {
        assert!(reporting.remove(command), "{command} is no command");
    }
    let described: BTreeSet<String> = Schemas::read().commands().map(str::to_owned).collect();
    let unlike: Vec<&String> = reporting.symmetric_difference(&described).collect();
    assert!(unlike.is_empty(), "docs/schemas has a file too many or too few for: {unlike:?}");
    let compared: BTreeSet<String> =
        [users::COMMANDS, oneself::COMMANDS, tokens::COMMANDS, surroundings::COMMANDS, fleet::COMMANDS]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect();
    let unlike: Vec<&String> = described.symmetric_difference(&compared).collect();
    assert!(unlike.is_empty(), "no story compares, or no schema describes: {unlike:?}");
}

#[test]
fn every_schema_is_a_valid_one_and_every_part_says_what_it_is() {
    for (name, schema) in Schemas::read().documents() {
        jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        files::assert_described(name, schema);
    }
}
