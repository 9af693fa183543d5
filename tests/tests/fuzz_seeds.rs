//! The seeds of the fuzz targets and thousands of damaged ones, through the targets themselves.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test fails loudly and names its seed")]

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use twofactor_tests::artifacts::workspace;
use twofactor_tests::fuzzing;
use twofactor_tests::random::Random;
use twofactor_tests::seeds::fuzz;

const DAMAGED: usize = 1500;

/// Feeds a target its seeds, of which most must make sense, and damaged ones.
fn replay(name: &str, mut target: impl FnMut(&[u8]) -> bool) {
    let corpus = workspace().join("tests/fuzz/corpus").join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let sensible = seeds.iter().filter(|seed| target(seed)).count();
    assert!(2 * sensible >= seeds.len() && sensible > 1, "{sensible} of {} seeds make sense", seeds.len());
    let seed = Random::seed();
    println!("TWOFACTOR_TESTS_SEED={seed}");
    let mut random = Random::new(seed);
    for _ in 0..DAMAGED {
        let bytes = damaged(&seeds, &mut random);
        let what = String::from_utf8_lossy(&bytes).into_owned();
        let fed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&bytes)));
        assert!(fed.is_ok(), "seed {seed}: {what:?}");
    }
}

/// A seed with some bytes changed, dropped, doubled or taken from another.
fn damaged(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.choose(seeds).clone();
    let other = random.choose(seeds);
    for _ in 0..=random.below(4) {
        let place = |random: &mut Random, length: usize| {
            usize::try_from(random.below(u64::try_from(length).unwrap() + 1)).unwrap()
        };
        let at = place(random, bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.bytes(1)[0]),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            4 => {
                let piece = other[place(random, other.len())..].iter().take(40).copied().collect::<Vec<u8>>();
                bytes.splice(at..at, piece);
            }
            _ => {
                let digit = *random.choose(b"0123456789-\"'[]=#\\\n\t \xa0\xff");
                bytes.insert(at, digit);
            }
        }
    }
    bytes
}

#[test]
fn configurations_are_valid_or_every_problem_has_a_place() {
    replay("configuration", fuzzing::configuration);
}

/// A folder of the test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("twofactor-fuzz-seeds-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn damaged_accounts_are_never_taken_for_none() {
    let folder = Folder::new();
    replay("account", |bytes| fuzzing::account(&folder.0, bytes));
}

#[test]
fn damaged_ssh_keys_are_refused_or_are_whole_keys() {
    replay("ssh_keys", fuzzing::ssh_keys);
}

#[test]
fn no_value_forges_a_line_of_the_log() {
    replay("log_lines", fuzzing::log_lines);
}

#[test]
fn answers_are_digits_or_no_guess() {
    replay("answer", fuzzing::answer);
}

#[test]
fn damaged_messages_to_the_broker_are_refused() {
    replay("wire", fuzzing::wire);
}

#[test]
fn what_is_read_of_a_backup_is_written_again_and_read_back() {
    replay("backup", fuzzing::backup);
}

#[test]
fn damaged_accounts_of_google_authenticator_are_refused_or_read_whole() {
    replay("google_authenticator", fuzzing::google_authenticator);
}

#[test]
fn damaged_files_of_pam_oath_lose_no_line_unnamed() {
    replay("oath_users", fuzzing::oath_users);
}

#[test]
fn damaged_files_of_pam_u2f_have_one_line_a_user_that_counts() {
    replay("pam_u2f", fuzzing::pam_u2f);
}

#[test]
fn damaged_tables_are_refused_or_read_whole() {
    replay("csv", |bytes| fuzz::csv(bytes) > 0);
}

#[test]
fn damaged_pskc_is_refused_or_read_whole() {
    replay("pskc", |bytes| fuzz::pskc(bytes) > 0);
}

#[test]
fn damaged_zip_files_are_refused_or_read_whole() {
    replay("zip_csv", |bytes| fuzz::zip_csv(bytes) > 0);
}

#[test]
fn damaged_records_of_vendors_and_apps_are_refused_or_read_whole() {
    replay("records", |bytes| fuzz::records(bytes) > 0);
}
