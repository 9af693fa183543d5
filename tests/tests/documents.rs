//! What the documents say is what the code does: manual pages, the shipped configuration, the code map, links.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use twofactor_core::audit::Event;
use twofactor_core::config::Config;
use twofactor_core::reason::Reason;
use twofactor_tests::artifacts::{self, workspace};
use twofactor_tests::requirements;

const PAGES: [&str; 3] = ["twofactor.8", "pam_twofactor.8", "twofactor.toml.5"];

fn document(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether manual pages can be rendered here; skips or fails like every suite when they cannot.
fn renderers() -> bool {
    let there = ["mandoc", "man"].iter().all(|name| requirements::program(name).is_some());
    assert!(
        there || std::env::var_os("TWOFACTOR_TESTS_MUST_RUN").is_none_or(|value| value != "1"),
        "mandoc and man must be installed"
    );
    if !there {
        // Written past the test runner's capture: a skipped test must not look like one that ran.
        let _ = writeln!(std::io::stderr(), "skipped: mandoc or man is not installed");
    }
    there
}

/// A manual page as a reader sees it, without overstriking and line breaks.
fn page(name: &str) -> String {
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "utf8", "-O", "width=1000"]).arg(workspace().join("man").join(name));
    let output = mandoc.output().expect("mandoc runs");
    let mut text = String::new();
    for character in String::from_utf8(output.stdout).unwrap().chars() {
        if character == '\u{8}' {
            text.pop();
        } else {
            text.push(character);
        }
    }
    text.replace(['\u{2212}', '\u{2010}'], "-")
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(&artifacts::debug().tool).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every `--option` in a text.
fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 3 && !word.starts_with("---"));
    options.map(|word| word.trim_end_matches('-').to_owned()).collect()
}

/// The commands a help text lists, one a line below "Commands:".
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let listed =
        listed.take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    listed.filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "help").map(str::to_owned).collect()
}

/// Every command of the tool with its help text.
fn all_commands() -> Vec<(Vec<String>, String)> {
    let mut all = vec![(Vec::new(), help(&[]))];
    let mut next = 0;
    while let Some((path, text)) = all.get(next).cloned() {
        for command in commands(&text) {
            let path: Vec<String> = path.iter().cloned().chain([command]).collect();
            let words: Vec<&str> = path.iter().map(String::as_str).collect();
            let text = help(&words);
            all.push((path, text));
        }
        next += 1;
    }
    all
}

#[test]
fn the_manual_pages_render_without_warnings() {
    if !renderers() {
        return;
    }
    for name in PAGES {
        let path = workspace().join("man").join(name);
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&path).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&lint.stdout), "", "{name}");
        let man =
            Command::new("man").args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]).arg(&path).output().unwrap();
        assert!(man.status.success() && man.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&man.stderr));
    }
}

#[test]
fn every_command_and_option_is_in_the_manual_and_nothing_else() {
    if !renderers() {
        return;
    }
    let manual = page("twofactor.8");
    let all = all_commands();
    assert!(all.len() >= 10, "the help lists the commands: {all:?}");
    let mut known = BTreeSet::new();
    for (path, text) in &all {
        assert!(manual.contains(&path.join(" ")), "twofactor.8 does not have {path:?}");
        known.extend(options(text));
    }
    let documented = options(&manual);
    assert_eq!(known.difference(&documented).collect::<Vec<_>>(), Vec::<&String>::new(), "not in twofactor.8");
    assert_eq!(documented.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "only in twofactor.8");
}

#[test]
fn every_configuration_key_is_in_the_manual_and_in_the_shipped_file() {
    if !renderers() {
        return;
    }
    let (manual, shipped) = (page("twofactor.toml.5"), document("etc/twofactor.toml"));
    let keys = [
        "state",
        "issuer",
        "algorithm",
        "digits",
        "period",
        "recovery_codes",
        "invitation",
        "self_register",
        "drift",
        "counter_look_ahead",
        "resync_at_login",
        "free_attempts",
        "first_delay",
        "max_delay",
        "code",
        "tries",
        "combined",
        "second_factor",
    ];
    for key in keys {
        assert!(manual.contains(key), "twofactor.toml.5 does not have {key}");
        assert!(shipped.contains(&format!("# {key} = ")), "etc/twofactor.toml does not have {key}");
    }
    for key in ["users", "groups", "services", "networks", "local", "factors", "until", "remember"] {
        assert!(manual.contains(&format!("{key} = ")), "twofactor.toml.5 does not have {key}");
        assert!(shipped.contains(&format!("\n#{key} = ")), "the rules of etc/twofactor.toml do not have {key}");
    }
    let in_shipped = shipped.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(" = ")).map(|(key, _)| key);
    let (mut in_shipped, mut keys): (Vec<_>, Vec<_>) = (in_shipped.collect(), keys.to_vec());
    in_shipped.sort_unstable();
    keys.sort_unstable();
    assert_eq!(in_shipped, keys);
}

#[test]
fn the_configuration_in_the_readme_is_valid() {
    let readme = document("README.md");
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        assert!(!Config::parse(block).unwrap_or_else(|problems| panic!("{problems:?}")).rules.is_empty(), "{block}");
    }
}

#[test]
fn every_reason_and_event_of_the_log_is_in_the_manual() {
    if !renderers() {
        return;
    }
    let manual = page("pam_twofactor.8");
    for reason in Reason::ALL {
        assert!(manual.contains(reason.word()), "pam_twofactor.8 does not have {reason}");
    }
    for event in [
        Event::Accepted,
        Event::Denied,
        Event::Skipped,
        Event::Enrolled,
        Event::Registered,
        Event::Resynced,
        Event::Error,
    ] {
        assert!(manual.contains(&event.to_string()), "pam_twofactor.8 does not have {event}");
    }
    for word in ["conf=", "debug", "nullok", "PAM_AUTHINFO_UNAVAIL", "PAM_MAXTRIES", "PAM_USER_UNKNOWN"] {
        assert!(manual.contains(word), "pam_twofactor.8 does not have {word}");
    }
}

#[test]
fn the_code_map_names_every_source_file() {
    let map = document("ARCHITECTURE.md");
    for folder in ["twofactor-core/src", "pam_twofactor/src", "twofactor-cli/src", "tests/src", "tests/tests"] {
        let mut files = Vec::new();
        source_files(&workspace().join(folder), &mut files);
        assert!(!files.is_empty(), "{folder}");
        for file in files {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            let parent = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
            // The tests of a module belong to it, and so does the file that only lists modules.
            let belongs = (stem == "tests" && parent != "tests") || matches!(stem, "lib" | "main" | "mod");
            assert!(belongs || map.contains(stem), "ARCHITECTURE.md does not have {}", file.display());
        }
    }
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "BENCHMARKS.md"] {
        let text = document(name);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let local = !target.is_empty() && !target.contains("://");
            assert!(!local || workspace().join(target).exists(), "{name} links to {target}");
        }
    }
}

#[test]
fn what_the_readme_names_exists() {
    let (readme, makefile) = (document("README.md"), document("Makefile"));
    for target in readme.split("make ").skip(1).filter_map(|rest| rest.split_whitespace().next()) {
        let target: String =
            target.chars().take_while(|character| character.is_ascii_lowercase() || *character == '-').collect();
        let known = makefile.contains(&format!("\n{target}:"));
        let a_word_of_prose =
            !readme.contains(&format!("`make {target}`")) && !readme.contains(&format!("make {target}\n"));
        assert!(known || a_word_of_prose, "README.md names make {target}");
    }
}
