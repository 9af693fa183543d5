//! The real tool, from the command line to what it prints, stores and leaves behind.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod accounts;
mod bulk;
mod completing;
mod drawing;
mod enrolling;
mod exit_codes;
mod exporting;
mod policy;
mod randomness;
mod renaming;
mod reports;
mod ssh_keys;
mod trial;
mod typing;
mod uids;
mod upgrading;
mod users;

use std::process::Output;

use twofactor_tests::oathtool::Authenticator;

/// What stands behind `name: ` on a line of its own.
#[track_caller]
fn line<'t>(text: &'t str, name: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no line \"{name}: …\" in:\n{text}"))
}

/// The app that scanned or typed what was shown; the secret in groups and the URI agree.
#[track_caller]
fn app_of(shown: &str) -> Authenticator {
    let app = Authenticator::from_uri(line(shown, "URI"));
    let grouped = line(shown, "Secret");
    assert!(grouped.split(' ').rev().skip(1).all(|group| group.len() == 4), "groups of four: {grouped}");
    assert_eq!(grouped.replace(' ', ""), app.secret);
    app
}

/// The recovery codes that were shown.
fn recovery_codes(shown: &str) -> Vec<String> {
    let code = |word: &&str| {
        word.len() == 19
            && word.split('-').all(|group| group.len() == 4 && group.bytes().all(|byte| byte.is_ascii_digit()))
    };
    shown.split_whitespace().filter(code).map(str::to_owned).collect()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}
