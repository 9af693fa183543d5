//! The English of the product is measured: sentences without an actor and comments that open with a question word are
//! counted against budgets that may only fall.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]
#![allow(clippy::print_stdout, reason = "the figures are of interest as long as they are within the budgets, too")]

use std::fs;
use std::path::{Path, PathBuf};

use twofactor_tests::artifacts::workspace;
use twofactor_tests::checkout::files_below;

/// Indefinite persons in 100,000 words of comments and user-visible texts. The aim was 50.
const PERSONS: usize = 8;
/// Doc comments of 10,000 that open with a question word. The aim was 300.
const QUESTIONS: usize = 19;
/// By how much a figure may lie below its budget before the budget has to be lowered: a fifth.
const SLACK: usize = 5;

/// The crates that ship.
const CRATES: [&str; 5] =
    ["twofactor-core", "twofactor-admin", "twofactor-rehearsal", "pam_twofactor", "twofactor-cli"];
/// Words that put an unknown person in the place of an actor. A space stands for any white space.
const PERSON_WORDS: [&str; 14] = [
    "whoever",
    "whomever",
    "somebody",
    "someone",
    "nobody",
    "anybody",
    "anyone",
    "everybody",
    "everyone",
    "no one",
    "one who",
    "one whom",
    "one whose",
    "oneself",
];
/// Openings that put a clause in the place of a noun.
const QUESTION_WORDS: [&str; 10] =
    ["what", "who", "whom", "whose", "whether", "which", "how", "when", "where", "whoever"];

/// The texts of one Rust source that a person reads.
#[derive(Debug, Default, PartialEq, Eq)]
struct Source {
    /// `//!` and `///`, a block each.
    docs: Vec<String>,
    /// `//`, a line each.
    comments: Vec<String>,
    /// String literals.
    literals: Vec<String>,
}

/// Reads a source up to its tests, which stand at the end of a file.
fn read(text: &str) -> Source {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut source = Source::default();
    let (mut rest, mut doc) = (text, None::<(&str, String)>);
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            let line = rest.lines().next().unwrap_or_default();
            rest = &rest[line.len()..];
            let marker = ["///", "//!"].into_iter().find(|marker| line.starts_with(marker));
            let Some(marker) = marker else {
                source.comments.push(line.trim_start_matches('/').trim().to_owned());
                continue;
            };
            let line = line[marker.len()..].trim();
            match &mut doc {
                Some((of, block)) if *of == marker => block.extend(["\n", line]),
                _ => source.docs.extend(doc.replace((marker, line.to_owned())).map(|(_, block)| block)),
            }
        } else if let Some((literal, length)) = literal(rest) {
            source.literals.extend(literal.map(str::to_owned));
            rest = &rest[length..];
            source.docs.extend(doc.take().map(|(_, block)| block));
        } else {
            if !first.is_whitespace() {
                source.docs.extend(doc.take().map(|(_, block)| block));
            }
            // An `r` or `b` inside a word opens no literal.
            let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            rest = &rest[word.max(first.len_utf8())..];
        }
    }
    source.docs.extend(doc.map(|(_, block)| block));
    source
}

/// The literal that `text` begins with, and its length: the text of a string, nothing for a character.
fn literal(text: &str) -> Option<(Option<&str>, usize)> {
    if let Some(character) = text.strip_prefix("b'").or_else(|| text.strip_prefix('\'')) {
        let escaped = character.strip_prefix('\\');
        let closing = match escaped {
            Some(escaped) => 1 + escaped.find('\'').filter(|&at| at > 0).unwrap_or(1),
            None => character.chars().next()?.len_utf8(),
        };
        // Otherwise it is a lifetime.
        let closed = character.get(closing..)?.starts_with('\'');
        return closed.then(|| (None, text.len() - character.len() + closing + 1));
    }
    let raw = ["br", "cr", "r"].into_iter().find_map(|prefix| text.strip_prefix(prefix));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(inside) = raw[hashes..].strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let length = inside.find(&end)?;
            return Some((Some(&inside[..length]), text.len() - inside.len() + length + end.len()));
        }
    }
    let inside = ["b\"", "c\"", "\""].into_iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let mut escaped = false;
    let length = inside.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })?;
    Some((Some(&inside[..length]), text.len() - inside.len() + length + 1))
}

/// The words of a text, in lower case. What stands in backquotes is a name: `nobody` is a user.
fn words(text: &str) -> Vec<String> {
    let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" x ");
    let prose = prose.replace("\\n", " ").to_lowercase();
    let words = prose.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '-'));
    words
        .map(|word| word.trim_end_matches("'s").trim_matches('\'').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// How often an indefinite person stands in a text.
fn persons(words: &[String]) -> usize {
    let stands_at = |at: usize, phrase: &str| {
        let mut here = words[at..].iter();
        phrase.split(' ').all(|part| here.next().is_some_and(|word| word == part))
    };
    (0..words.len()).filter(|&at| PERSON_WORDS.iter().any(|phrase| stands_at(at, phrase))).count()
}

fn opens_with_a_question(doc: &str) -> bool {
    words(doc).first().is_some_and(|first| QUESTION_WORDS.contains(&first.as_str()))
}

/// The sources of the product, but for tests.
fn sources() -> Vec<(PathBuf, Source)> {
    let paths = CRATES.into_iter().flat_map(|name| files_below(&workspace().join(name).join("src"), "rs"));
    let of_tests = |path: &Path| path.iter().any(|part| part == "tests" || part == "tests.rs");
    let paths = paths.filter(|path| !of_tests(path));
    paths.map(|path| (path.clone(), read(&fs::read_to_string(path).unwrap()))).collect()
}

/// The prose of a document in Markdown: no commands and no output.
fn of_markdown(text: &str) -> String {
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The prose of a manual page: no requests, no comments, no fonts.
fn of_manual(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with(".\\\""));
    let lines =
        lines.map(|line| if line.starts_with('.') { line.split_once(' ').map_or("", |(_, rest)| rest) } else { line });
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\-", "-");
    ["\\fB", "\\fI", "\\fR", "\\fP", "\\&", "\\,", "\\/"].into_iter().fold(text, |text, font| text.replace(font, ""))
}

/// Every document of users with its prose.
fn documents() -> Vec<(PathBuf, String)> {
    let root = workspace();
    let pages = [vec![root.join("README.md")], files_below(&root.join("docs"), "md")].concat();
    let manuals = ["5", "8"].into_iter().flat_map(|section| files_below(&root.join("man"), section));
    let pages = pages.into_iter().map(|path| (path, of_markdown as fn(&str) -> String));
    let read = |(path, prose): (PathBuf, fn(&str) -> String)| {
        let text = fs::read_to_string(&path).unwrap();
        (path, prose(&text))
    };
    pages.chain(manuals.map(|path| (path, of_manual as fn(&str) -> String))).map(read).collect()
}

/// Fails above the budget, and clearly below it as well: a budget only falls.
fn hold(what: &str, figure: usize, budget: usize, worst: &[(usize, PathBuf)]) {
    println!("{what}: {figure}, budget {budget}");
    for (number, path) in worst {
        println!("  {number:4} {}", path.strip_prefix(workspace()).unwrap().display());
    }
    assert!(figure <= budget, "{what}: {figure} is above the budget of {budget}");
    assert!(
        figure + budget / SLACK >= budget,
        "{what}: {figure} is clearly below {budget}: lower the budget to {figure}"
    );
}

/// The files with the most, the worst first.
fn worst(mut files: Vec<(usize, PathBuf)>) -> Vec<(usize, PathBuf)> {
    files.retain(|(number, _)| *number > 0);
    files.sort_unstable_by(|a, b| b.cmp(a));
    files.truncate(30);
    files
}

#[test]
fn sentences_name_their_actor() {
    let texts = |source: Source| [source.docs, source.comments, source.literals].concat().join("\n\n");
    let files = sources().into_iter().map(|(path, source)| (path, texts(source))).chain(documents());
    let counted = files.map(|(path, text)| {
        let words = words(&text);
        (persons(&words), words.len(), path)
    });
    let counted: Vec<_> = counted.collect();
    let words: usize = counted.iter().map(|(_, words, _)| words).sum();
    let found: usize = counted.iter().map(|(persons, ..)| persons).sum();
    println!("{found} indefinite persons in {words} words of {} files", counted.len());
    assert!(words > 100_000, "the texts were read: {words} words");
    let worst = worst(counted.into_iter().map(|(persons, _, path)| (persons, path)).collect());
    hold("indefinite persons in 100,000 words", (found * 100_000).div_ceil(words), PERSONS, &worst);
}

#[test]
fn a_doc_comment_opens_with_the_thing_and_not_with_a_question_word() {
    let counted = sources().into_iter().map(|(path, source)| {
        let questions = source.docs.iter().filter(|doc| opens_with_a_question(doc)).count();
        (questions, source.docs.len(), path)
    });
    let counted: Vec<_> = counted.collect();
    let docs: usize = counted.iter().map(|(_, docs, _)| docs).sum();
    let found: usize = counted.iter().map(|(questions, ..)| questions).sum();
    println!("{found} of {docs} doc comments in {} files", counted.len());
    assert!(docs > 3_000, "the comments were read: {docs}");
    let worst = worst(counted.into_iter().map(|(questions, _, path)| (questions, path)).collect());
    hold("doc comments of 10,000 that open with a question word", (found * 10_000).div_ceil(docs), QUESTIONS, &worst);
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let source = read(concat!(
        "//! The file.\n//!\n//! Whoever.\n\n/// What it is.\n#[must_use]\nfn f<'a>(c: char) -> &'a str {\n",
        "    // A line.\n    let (a, b) = ('\"', '\\'');\n    concat!(\"a \\\" // b\", r#\"raw \" text\"#, b\"bytes\")\n}\n",
        "/// Another.\nstruct S;\n#[cfg(test)]\nmod tests {\n    /// Who.\n}\n",
    ));
    assert_eq!(source.docs, ["The file.\n\nWhoever.", "What it is.", "Another."]);
    assert_eq!(source.comments, ["A line."]);
    assert_eq!(source.literals, ["a \\\" // b", "raw \" text", "bytes"]);
    assert_eq!(source.docs.iter().filter(|doc| opens_with_a_question(doc)).count(), 1);
}

#[test]
fn a_person_is_counted_and_a_user_of_that_name_is_not() {
    let count = |text: &str| persons(&words(text));
    assert_eq!(count("Nobody is told, and somebody's code is burned by whoever comes."), 3);
    assert_eq!(count("No\none, one who asks"), 2);
    assert_eq!(count("the user `nobody`, one whole token, no ones"), 0);
    assert_eq!(count(&of_markdown("anyone\n```\nsomeone\n```\nthe end")), 1);
    assert_eq!(count(&of_manual(".\\\" nobody\n.B nobody\n\\fInobody\\fR")), 2);
}
