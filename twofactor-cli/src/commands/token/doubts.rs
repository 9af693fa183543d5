//! Doubts about a seed file, over what it left unsaid or was not understood: the same words in every report, and under `--strict`
//! the reason to refuse it.

use serde_json::{Value, json};
use twofactor_admin::seed_files::{Aspect, SeedFile};

use crate::error::Failure;
use crate::output::values::counted;

/// The lines of a report, each a label and a sentence. The usual values that nothing speaks against share a line.
pub(super) fn lines(seeds: &SeedFile) -> Vec<(&'static str, String)> {
    let usual = seeds.assumptions().filter(|assumption| assumption.could_be.is_none());
    let usual: Vec<&str> = usual.map(|assumption| assumption.taken.as_str()).collect();
    let mut lines = Vec::new();
    if !usual.is_empty() {
        lines.push(("Assumed:", format!("{}; the file does not say", usual.join(", "))));
    }
    let doubtful = seeds.assumptions().filter(|assumption| assumption.could_be.is_some());
    lines.extend(doubtful.map(|assumption| ("Assumed:", format!("{}: {assumption}", assumption.what.word()))));
    let unexplained: Vec<String> = seeds.unexplained().map(ToString::to_string).collect();
    if !unexplained.is_empty() {
        lines.push(("Not read:", format!("{}; not understood", unexplained.join(", "))));
    }
    lines
}

/// The same for scripts.
pub(super) fn as_json(seeds: &SeedFile) -> (Value, Value) {
    let assumption = |assumption: &twofactor_admin::seed_files::Assumption| json!({ "what": assumption.what.word(), "taken": assumption.taken, "could_be": assumption.could_be });
    let assumptions: Vec<Value> = seeds.assumptions().map(assumption).collect();
    let unexplained: Vec<String> = seeds.unexplained().map(ToString::to_string).collect();
    (assumptions.into(), unexplained.into())
}

/// True when the survey of the file has seen a secret that could be encoded twice.
fn are_told(seeds: &SeedFile) -> bool {
    seeds.assumptions().any(|assumption| {
        assumption.what == Aspect::Encoding
            && assumption.could_be.as_deref().is_some_and(|other| other.contains("twice"))
    })
}

/// The remark about secrets that could be encoded twice, where the survey did not see them.
pub(super) fn encoded_twice(twice: u64, seeds: &SeedFile) -> Option<String> {
    let is_new = twice > 0 && !are_told(seeds);
    let secrets = counted(twice, "secret");
    let words = "could be encoded twice, as they decode to hexadecimal digits or base32: ask the vendor";
    is_new.then(|| format!("{secrets} {words}"))
}

/// The refusal by `--strict` of a file in which so many secrets could be encoded twice, as all rows together show.
pub(super) fn about_secrets(twice: u64, seeds: &SeedFile, strict: bool) -> Option<Failure> {
    let is_new = twice > 0 && !are_told(seeds);
    (strict && is_new).then(|| Failure::InDoubt(vec!["the encoding is not stated".to_owned()]))
}

/// The refusal by `--strict` of a file; `None` when it leaves nothing in doubt.
pub(super) fn refusal(seeds: &SeedFile) -> Option<Failure> {
    let not_stated = |what: Aspect| {
        let verb = if what == Aspect::Digits { "are" } else { "is" };
        format!("the {} {verb} not stated", what.word())
    };
    let assumptions = seeds.assumptions().map(|assumption| assumption.what);
    let mut doubts: Vec<String> = Vec::new();
    for what in assumptions.map(not_stated) {
        if !doubts.contains(&what) {
            doubts.push(what);
        }
    }
    doubts.extend(seeds.unexplained().map(|part| format!("{part} is not understood")));
    (!doubts.is_empty()).then_some(Failure::InDoubt(doubts))
}
