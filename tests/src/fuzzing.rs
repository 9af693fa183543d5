//! Fuzz targets for text that decides about logins: configuration, account files, log lines, answers. `cargo fuzz` feeds
//! them any bytes; the suite `fuzz_seeds` feeds them the committed seeds and thousands of damaged ones.
//!
//! Each returns `true` when the bytes made sense, so that a corpus of nothing but garbage is noticed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use twofactor_admin::backup::{BackupReader, BackupWriter};
use twofactor_admin::logbook::Message;
use twofactor_admin::logbook::syslog_line::SyslogLine;
use twofactor_admin::moving_in::{self, Arrived};
use twofactor_core::account::MOST_RECOVERY_CODES;
use twofactor_core::codes::answer::{self, Answer};
use twofactor_core::codes::otp::{Kind, LARGEST_DRIFT, Step, current_step};
use twofactor_core::codes::ssh_key::{PublicKey, SshKey, auth_info};
use twofactor_core::config::Config;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::{self, Event, Record};
use twofactor_core::store::administration::{AccountAdministration as _, StateInspection as _};
use twofactor_core::store::files::Files;
use twofactor_core::store::wire;

/// A configuration is valid as a whole, or every problem has a place in it.
pub fn configuration(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match Config::parse(&text) {
        Ok(config) => {
            assert!(config.prompt.tries >= 1, "a prompt is shown");
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal says why");
            let lines = text.split('\n').count();
            for problem in problems {
                assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem:?} has no place");
                assert!(!problem.message.contains(['\n', '\u{1b}']), "{problem:?} is one line");
            }
            false
        }
    }
}

/// A public key file, and the text in which sshd names the keys it has verified. A key that is read is the same when it is
/// read again as `authorized_keys` has it, and what is no line of a public key names none.
pub fn ssh_keys(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let of_file = PublicKey::read(&text).ok().map(|read| read.key);
    let verified = auth_info::verified_keys(&text);
    for key in verified.iter().chain(&of_file) {
        assert_eq!(SshKey::parse(key.kind().word(), &key.base64()).as_ref(), Some(key), "it is read back");
        assert_eq!(key.fingerprint().as_str().len(), "SHA256:".len() + 43);
    }
    assert!(verified.len() <= text.split('\n').filter(|line| line.starts_with("publickey sk-")).count());
    let methods = auth_info::methods(&text);
    assert!(methods.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b',')), "{methods:?}");
    of_file.is_some() || !verified.is_empty()
}

/// A state file of google-authenticator: refused without a word of what stood there, or one token and codes of eight digits.
pub fn google_authenticator(bytes: &[u8]) -> bool {
    match moving_in::google_authenticator::read(bytes, MOVED_AT) {
        Ok(arrival) => {
            assert_eq!(arrival.tokens.len(), 1);
            of_clocks_nothing_is_burned_for_long(&arrival.tokens);
            assert!(arrival.recovery.len() <= MOST_RECOVERY_CODES);
            assert!(arrival.recovery.iter().all(|code| code.expose().len() == 8));
            true
        }
        Err(refused) => {
            assert!(refused.to_string().len() < 100, "{refused}");
            false
        }
    }
}

/// A users file of pam_oath: every line is a token, is named, or has nothing.
pub fn oath_users(bytes: &[u8]) -> bool {
    let read = moving_in::oath_users::read(bytes, MOVED_AT);
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let tokens: usize = read.users.values().map(|(_, arrival)| arrival.tokens.len()).sum();
    assert!(tokens + read.rejected.len() <= lines, "a line is counted twice");
    assert!(read.rejected.iter().all(|(line, _)| (1..=lines).contains(line)));
    for (line, arrival) in read.users.values() {
        assert!((1..=lines).contains(line) && !arrival.tokens.is_empty());
        of_clocks_nothing_is_burned_for_long(&arrival.tokens);
    }
    tokens > 0
}

/// A file of pam_u2f: of each user one line counts, and it has a key.
pub fn pam_u2f(bytes: &[u8]) -> bool {
    let lines = moving_in::pam_u2f::read(bytes);
    let mut users = BTreeSet::new();
    for line in lines.iter().filter(|line| !line.superseded) {
        if let Ok((user, keys)) = &line.content {
            assert!(users.insert(user.clone()), "two lines of {user} count");
            assert!((1..=24).contains(&keys.len()));
        }
    }
    assert!(lines.is_sorted_by_key(|line| line.number));
    !users.is_empty()
}

/// The time at which the accounts of other systems are read.
const MOVED_AT: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// A code that is far in the future is no reason to keep a user out until then.
fn of_clocks_nothing_is_burned_for_long(tokens: &[Arrived]) {
    for token in tokens {
        if let (Kind::Totp(period), Some(Step(burned))) = (token.parameters.kind, token.start.watermark) {
            let furthest = current_step(period, MOVED_AT).0 + u64::from(LARGEST_DRIFT.unsigned_abs()) + 60;
            assert!(burned <= furthest, "{burned}");
        }
    }
}

/// A user's two files, divided by the first NUL byte, as a store reads them in `folder`, which is empty or was used for this
/// before. Whatever stands in them, the user is never taken for one who is not enrolled.
pub fn account(folder: &Path, bytes: &[u8]) -> bool {
    let (secret, state) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    let alice = folder.join("users/alice");
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(&alice).expect("a folder");
    for (name, content) in [("secret.toml", secret), ("state", state)] {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(alice.join(name));
        std::io::Write::write_all(&mut file.expect("a file"), content).expect("it is written");
    }
    let now = UnixTime::from_seconds(1_800_000_000);
    let store = Files::new(folder, Owner(nix::unistd::geteuid().as_raw()), std::time::Duration::ZERO, now);
    let _ = store.inspect();
    let user = UserName::new("alice").expect("a name");
    match store.status(&user) {
        Ok(status) => {
            assert!(status.is_some(), "a user with a file of secrets counts as not enrolled");
            true
        }
        Err(error) => {
            assert!(!error.hint().is_empty(), "{error} says what to do");
            false
        }
    }
}

/// The stream of a backup: what is read of it is written again and read back, and a whole one stays whole.
pub fn backup(bytes: &[u8]) -> bool {
    let Ok(mut reader) = BackupReader::begin(bytes) else { return false };
    let mut writer = BackupWriter::begin(Vec::new(), reader.at(), "").expect("memory takes it");
    let is_whole = loop {
        match reader.next_record() {
            Ok(Some(record)) => writer.write(&record).expect("memory takes it"),
            Ok(None) => break true,
            Err(error) => {
                assert!(!error.to_string().contains(['\n', '\u{1b}']), "{error:?} is one line");
                break false;
            }
        }
    };
    let (again, written) = writer.finish().expect("memory takes it");
    assert!(!is_whole || written == reader.summary(), "{written:?} is not {:?}", reader.summary());
    let mut reader = BackupReader::begin(&again[..]).expect("what we write we read");
    while reader.next_record().expect("what we write we read").is_some() {}
    assert_eq!(reader.summary(), written);
    written.records > 0
}

/// A message to the broker, without its length: a question, or refused.
pub fn wire(bytes: &[u8]) -> bool {
    let Ok(message) = wire::Message::read(bytes) else { return false };
    wire::Call::read(&message).is_ok()
}

/// Log files by line: what is ours reads back as it was written, and no value forges a line.
pub fn log_lines(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut ours = false;
    for line in text.lines() {
        let Some(line) = SyslogLine::read(line) else { continue };
        let Some(message) = Message::read(line.identifier, line.message) else { continue };
        ours = true;
        let mut record = Record::new(message.event);
        for (key, value) in &message.pairs {
            record = record.with(key, value);
        }
        let (event, pairs) = record::read(&record.to_string()).expect("what we write we read");
        assert_eq!((event, &pairs), (message.event, &message.pairs), "{line:?}");
    }
    let record = Record::new(Event::Denied).with("user", &text).with("reason", "wrong-code").to_string();
    assert!(record.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{record:?} is one printable line");
    let (event, pairs) = record::read(&record).expect("what we write we read");
    let keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((event, keys), (Event::Denied, vec!["user", "reason"]), "a value stays one value: {record}");
    ours
}

/// An answer is digits of a known length, or no guess. A combined answer is password and code and nothing else.
pub fn answer(bytes: &[u8]) -> bool {
    let digits_of = |bytes: &[u8]| bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let parsed = Answer::parse(bytes);
    if let Some(digits) = parsed.digits() {
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "an answer is ASCII digits");
        assert_eq!(digits.len(), digits_of(bytes), "no digit is dropped or made up");
        assert!(matches!(digits.len(), 6..=8 | 10 | 16), "codes, temporary codes and recovery codes");
    }
    for length in [6, 7, 8, 16] {
        let Some((password, code)) = answer::split_combined(bytes, length) else { continue };
        assert!(bytes.starts_with(password), "the password is what was typed");
        assert_eq!(code.len(), length);
        assert_eq!(digits_of(password) + length, digits_of(bytes), "each digit belongs to one of the two");
    }
    parsed.digits().is_some()
}
