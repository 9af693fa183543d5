//! What the documents say is what the code does: the shipped configuration, the code map, links. The manual pages have a
//! suite of their own, `manuals.rs`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]

use std::fs;
use std::path::PathBuf;

use twofactor_core::account::throttle::Limits;
use twofactor_core::config::Config;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::checkout::files_below;
use twofactor_tests::guessing::{Guesser, Guesses};
use twofactor_tests::manual;

fn document(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_configuration_key_is_in_the_manual_and_in_the_shipped_file() {
    if !manual::can_be_rendered() {
        return;
    }
    let (manual, shipped) = (manual::page("twofactor.toml.5"), document("etc/twofactor.toml"));
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
        "resync",
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
fn the_code_map_names_every_folder() {
    let map = document("ARCHITECTURE.md");
    for root in ["twofactor-core/src", "twofactor-admin/src", "twofactor-cli/src", "tests/src", "tests/tests"] {
        let root = workspace().join(root);
        let files = files_below(&root, "rs");
        assert!(!files.is_empty(), "{}", root.display());
        let base =
            if root.ends_with("tests/src") || root.ends_with("tests/tests") { root.parent().unwrap() } else { &root };
        for folder in files.iter().filter_map(|file| file.parent()).filter(|folder| *folder != root) {
            let name = folder.strip_prefix(base).unwrap().display().to_string();
            // The tests of a file belong to it.
            let belongs = base == root && folder.iter().any(|part| part == "tests");
            assert!(belongs || map.contains(&format!("`{name}/`")), "ARCHITECTURE.md has no row for {name}/");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let roots = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "BENCHMARKS.md"];
    let mut pages: Vec<PathBuf> = roots.map(|name| workspace().join(name)).into();
    pages.extend(files_below(&workspace().join("docs"), "md"));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let local = !target.is_empty() && !target.contains("://");
            let target = page.parent().unwrap().join(target);
            assert!(!local || target.exists(), "{} links to {}", page.display(), target.display());
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

/// With CARGO_TARGET_DIR or `build.target-dir` set, `make install` and the packages looked for the build in `target/`.
#[test]
fn make_takes_the_build_from_where_cargo_builds() {
    let folder = "/nowhere/else";
    let mut make = std::process::Command::new("make");
    make.args(["--dry-run", "install", "demo-enroll"]).env("CARGO_TARGET_DIR", folder).current_dir(workspace());
    let output = make.output().expect("make runs");
    let commands = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for program in ["libpam_twofactor.so", "twofactor", "demo"] {
        assert!(commands.contains(&format!("{folder}/release/{program}")), "{program}: {commands}");
    }
    assert!(!commands.replace(folder, "").contains(" target/release/"), "{commands}");
}

/// The throttle of the core is asked, for three days in the place of thirty.
#[test]
fn the_guesses_that_are_promised_are_those_that_the_throttle_looks_at() {
    let security = document("SECURITY.md");
    let row = |guesser: Guesser, logins: u64| {
        let Guesses { first_day, later } = Guesses::simulate(guesser, logins, Limits::default(), 3);
        // Two later days are few: a guess on the edge of the second is half a guess a day.
        let later = later.floor();
        let years = Guesses { first_day, later }.years_to_an_even_chance();
        format!("{first_day} | {later:.0} | {years:.1} years |")
    };
    let promised = |begins: &str| {
        let line = security.lines().find(|line| line.starts_with(begins));
        line.unwrap_or_else(|| panic!("SECURITY.md has no row {begins}"))[begins.len()..].trim_start().to_owned()
    };
    let others = "| twenty addresses, or a new one each time |";
    for (guesser, begins, logins) in [
        (Guesser::OneAddress, "| one address | 0 to 1000 |".to_owned(), [0, 1000]),
        (Guesser::TwentyAddresses, format!("{others} 0 to 1 |"), [0, 1]),
        (Guesser::ANewAddressEachTime, format!("{others} 0 to 1 |"), [0, 1]),
        (Guesser::TwentyAddresses, format!("{others} 10 to 1000 |"), [10, 1000]),
        (Guesser::ANewAddressEachTime, format!("{others} 10 to 1000 |"), [10, 1000]),
    ] {
        for logins in logins {
            assert_eq!(promised(&begins), row(guesser, logins), "{guesser:?}, {logins} logins a day");
        }
    }
}
