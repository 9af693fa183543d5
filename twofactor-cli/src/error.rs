//! How a command fails: every way to fail with its sentence, its exit code and its way out, in this one place.
//!
//! The core says what is wrong; here stands what that means to a sysadmin. The exit codes are those of the manual.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use twofactor_core::clock::ClockError;
use twofactor_core::config::ConfigError;
use twofactor_core::secret::SecretError;
use twofactor_core::store::StoreError;
use twofactor_core::store::files::EnrollError;
use twofactor_core::token::Label;
use twofactor_core::trusted::{FileError, describe};
use twofactor_core::user::{LookupError, UserName};

use crate::output::Unwritten;
use crate::terminal::Unanswered;

/// What the shell learns. `0` is not among them: a failure is never success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// I/O, the store, anything else.
    Failed = 1,
    /// There is no such user, or the user is not enrolled.
    NoSuchUser = 3,
    /// Not root, or an unsafe file.
    NotPermitted = 4,
    /// The code is wrong, replayed or not confirmed.
    CodeRefused = 5,
    /// A conflict; the hint names the option that overrides it, if any.
    Refused = 7,
    /// The input file is invalid; nothing was imported.
    BadInput = 8,
    /// The configuration is invalid.
    BadConfig = 9,
    /// Ctrl-C, as shells report it.
    Interrupted = 130,
}

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("only root can do this")]
    NotRoot,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("there is no user \"{0}\"")]
    UnknownUser(String),
    #[error("{0} is not enrolled")]
    NotEnrolled(UserName),
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{broken} of {all} accounts cannot be read")]
    BrokenAccounts { broken: usize, all: usize },
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    Clock(#[from] ClockError),
    #[error(transparent)]
    Entropy(SecretError),
    #[error("{}: {error}", path.display())]
    BadSecret { path: PathBuf, error: SecretError },
    #[error("cannot read {}: {}", path.display(), describe(error))]
    SecretFile { path: PathBuf, error: io::Error },
    #[error("the secret is too long for a QR code")]
    QrTooLong,
    #[error("{} exists already", .0.display())]
    QrFileExists(PathBuf),
    #[error("cannot write {}: {}", path.display(), describe(error))]
    QrFile { path: PathBuf, error: io::Error },
    #[error("none of the codes was right; nothing was changed")]
    Unconfirmed,
    #[error("not confirmed; nothing was changed")]
    NotAnswered,
    #[error("no code was given")]
    NoCode,
    #[error("would be refused: {refusal}")]
    CodeRefused { user: UserName, refusal: Refusal },
    #[error("standard input is no terminal, so nobody can be asked; nothing was changed")]
    CannotAsk,
    #[error("declined; nothing was changed")]
    Declined,
    #[error("interrupted; nothing was changed")]
    Interrupted,
    #[error("cannot read the answer: {}", describe(.0))]
    Input(io::Error),
    #[error(transparent)]
    Output(#[from] Unwritten),
    #[error("{user} is enrolled, but the result could not be shown: {}", describe(error))]
    EnrolledUnseen { user: UserName, label: Label, error: io::Error },
    #[error("{user} has new recovery codes, but they could not be shown: {}", describe(error))]
    CodesUnseen { user: UserName, error: io::Error },
}

/// Why a login with a code would be refused, with the log's word.
#[derive(Debug, Clone, Copy, Error)]
pub(crate) enum Refusal {
    #[error("it is no code of this user now (wrong-code)")]
    Wrong,
    #[error("it was used already (replayed)")]
    Replayed,
    #[error("it is right, but no code ever confirmed this secret (not-confirmed)")]
    NotConfirmed,
}

impl Failure {
    /// What the shell learns.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Config(ConfigError::File(error))
            | Self::Store(StoreError::File(error))
            | Self::Enroll(EnrollError::Store(StoreError::File(error))) => of_file(error),
            Self::Config(_) => Status::BadConfig,
            Self::NotRoot => Status::NotPermitted,
            Self::UnknownUser(_) | Self::NotEnrolled(_) => Status::NoSuchUser,
            Self::Unconfirmed | Self::NotAnswered | Self::NoCode | Self::CodeRefused { .. } => Status::CodeRefused,
            Self::Enroll(EnrollError::AlreadyEnrolled(..) | EnrollError::TooMany(_))
            | Self::QrFileExists(_)
            | Self::CannotAsk
            | Self::Declined => Status::Refused,
            Self::BadSecret { .. } => Status::BadInput,
            Self::Interrupted => Status::Interrupted,
            Self::Enroll(EnrollError::Entropy(_) | EnrollError::Store(_))
            | Self::Store(_)
            | Self::BrokenAccounts { .. }
            | Self::Lookup(_)
            | Self::Clock(_)
            | Self::Entropy(_)
            | Self::SecretFile { .. }
            | Self::QrTooLong
            | Self::QrFile { .. }
            | Self::Input(_)
            | Self::Output(_)
            | Self::EnrolledUnseen { .. }
            | Self::CodesUnseen { .. } => Status::Failed,
        }
    }

    /// The sentences to print. The configuration has one for every problem.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::Config(error) => error.lines(),
            other => vec![other.to_string()],
        }
    }

    /// The way out, where there is one.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotRoot => "run it with sudo".to_owned(),
            Self::Config(ConfigError::File(error)) if is_denied(error) => "run it with sudo".to_owned(),
            Self::Config(ConfigError::Missing(_)) => "without --config the defaults apply".to_owned(),
            Self::Config(error) => error.hint(),
            Self::UnknownUser(name) => format!("look the user up: getent passwd {}", quoted(name)),
            Self::NotEnrolled(user) => format!("run \"twofactor enroll {}\"", quoted(user.as_str())),
            Self::Enroll(EnrollError::AlreadyEnrolled(..)) => {
                "--replace puts a new secret in its place, --label NAME adds another token".to_owned()
            }
            Self::Enroll(EnrollError::TooMany(user)) => {
                let status = format!("twofactor status {}", quoted(user.as_str()));
                format!("--replace with the --label of a token nobody uses any more; see \"{status}\"")
            }
            Self::Enroll(EnrollError::Store(error)) | Self::Store(error) => error.hint(),
            Self::Lookup(_) => "try: getent passwd USER".to_owned(),
            Self::Clock(_) => "set the clock: timedatectl set-time".to_owned(),
            Self::BadSecret { .. } => "the file holds one secret in base32 and nothing else".to_owned(),
            Self::QrTooLong => "use a shorter --issuer, or --qr none".to_owned(),
            Self::QrFileExists(_) => "name another file, or remove this one".to_owned(),
            Self::Unconfirmed => "are the clocks right, the phone's and this host's? see: date -u".to_owned(),
            Self::CodeRefused { refusal: Refusal::Wrong, .. } => {
                "is the clock of the phone right? see: date -u".to_owned()
            }
            Self::CodeRefused { refusal: Refusal::Replayed, .. } => "wait for the next code".to_owned(),
            Self::CodeRefused { user, refusal: Refusal::NotConfirmed } => {
                format!("run \"twofactor enroll {}\", it shows the same secret again", quoted(user.as_str()))
            }
            Self::CannotAsk => "--yes does it without asking".to_owned(),
            Self::EnrolledUnseen { user, label, .. } => {
                let (user, label) = (quoted(user.as_str()), quoted(label.as_str()));
                format!("run \"twofactor enroll {user} --label {label} --replace\"")
            }
            Self::CodesUnseen { user, .. } => format!("run \"twofactor recovery {}\"", quoted(user.as_str())),
            Self::BrokenAccounts { .. }
            | Self::Enroll(EnrollError::Entropy(_))
            | Self::Entropy(_)
            | Self::SecretFile { .. }
            | Self::QrFile { .. }
            | Self::NotAnswered
            | Self::NoCode
            | Self::Declined
            | Self::Interrupted
            | Self::Input(_)
            | Self::Output(_) => return None,
        };
        Some(hint)
    }
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::EndOfInput => Self::NotAnswered,
            Unanswered::Interrupted => Self::Interrupted,
            Unanswered::Failed(error) => Self::Input(error),
        }
    }
}

fn of_file(error: &FileError) -> Status {
    match error {
        FileError::Unsafe { .. } => Status::NotPermitted,
        error if is_denied(error) => Status::NotPermitted,
        FileError::TooLarge { .. } | FileError::Io { .. } | FileError::LockTimeout { .. } => Status::Failed,
    }
}

fn is_denied(error: &FileError) -> bool {
    matches!(error, FileError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'+');
    if !name.is_empty() && name.bytes().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_in_lower_case_and_have_no_final_period() {
        let user = UserName::new("alice").unwrap();
        let failures = [
            Failure::NotRoot,
            Failure::UnknownUser("bob".to_owned()),
            Failure::NotEnrolled(user.clone()),
            Failure::Unconfirmed,
            Failure::CannotAsk,
            Failure::CodeRefused { user: user.clone(), refusal: Refusal::Replayed },
            Failure::CodesUnseen { user, error: io::Error::from_raw_os_error(28) },
        ];
        for failure in failures {
            for line in failure.lines().into_iter().chain(failure.hint()) {
                assert!(!line.ends_with('.') && !line.starts_with(char::is_uppercase), "{line}");
            }
        }
    }

    #[test]
    fn an_unsafe_file_is_not_permitted_and_an_invalid_configuration_has_its_own_code() {
        let unsafe_file = || FileError::Unsafe { path: "/x".into(), problem: String::new(), remedy: String::new() };
        assert_eq!(Failure::from(StoreError::from(unsafe_file())).status(), Status::NotPermitted);
        assert_eq!(Failure::from(ConfigError::from(unsafe_file())).status(), Status::NotPermitted);
        assert_eq!(Failure::from(ConfigError::Missing("/x".into())).status(), Status::BadConfig);
    }

    #[test]
    fn a_name_in_a_hint_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("alice"), "alice");
        assert_eq!(quoted("DOMAIN\\alice"), "'DOMAIN\\alice'");
        assert_eq!(quoted("o'neill"), r"'o'\''neill'");
    }
}
