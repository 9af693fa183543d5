//! Physical tokens with the real tool: from a vendor's seed file to the helpdesk.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod again;
mod assigning;
mod helpdesk;
mod importing;
mod lifecycle;
mod listing;
mod mistakes;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::private_host::{Host, said};

/// The fob with that number, as its owner holds it.
fn fob(number: u64) -> Authenticator {
    Authenticator { secret: secret(number), algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) }
}

/// 160 bits in base32, different for every number.
fn secret(number: u64) -> String {
    let alphabet: Vec<char> = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".chars().collect();
    let digit = |position: u32| alphabet[usize::try_from((number >> (5 * position)) & 31).unwrap()];
    let number: String = (0..8).map(digit).collect();
    format!("{number}JBSWY3DPEHPK3PXPJBSWY3DP")
}

/// Its serial, with the leading zeros that matter.
fn serial(number: u64) -> String {
    format!("{:013}", 4_711_000 + number)
}

/// What a vendor writes.
fn seed_line(number: u64) -> String {
    format!("{},{}\n", serial(number), secret(number))
}

/// Writes a file for root only and gives its path.
fn file(host: &Host, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = host.place(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Imports the fobs 0, 1, … into the series "fobs".
fn import_fobs(host: &Host, count: u64) {
    let path = file(host, "fobs.csv", (0..count).map(seed_line).collect::<String>());
    host.succeed("twofactor", ["token", "import", path.as_str()]);
}

/// Runs the tool with a script's standard input.
fn with_input(host: &Host, arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut command = host.twofactor(arguments);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses does not read everything.
    let _ = process.stdin.take().unwrap().write_all(input.as_ref());
    process.wait_with_output().unwrap()
}

/// Asserts the exit code and that the errors hold these words.
#[track_caller]
fn assert_ends(output: &Output, status: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(status), "{}", said(output));
    for word in words {
        assert!(stderr(output).contains(word), "should say {word:?}: {}", said(output));
    }
}

/// Runs the tool and asserts how it fails.
#[track_caller]
fn assert_fails(host: &Host, arguments: &[&str], status: i32, words: &[&str]) {
    let output = host.run_twofactor(arguments);
    assert_ends(&output, status, words);
    host.fits_as(arguments, &output);
}

/// Asserts that the journal has a line with all of these words.
#[track_caller]
fn assert_journal(host: &Host, words: &[&str]) {
    let lines: Vec<String> =
        host.log().into_iter().map(|line| line.text).filter(|text| text.starts_with("twofactor[")).collect();
    let found = lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(found, "no line has all of {words:?}:\n{}", lines.join("\n"));
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}
