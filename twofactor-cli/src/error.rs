//! Failures of commands, in this one place: every one with its sentence, its exit code and its way out.
//!
//! The core says what is wrong; here stands what that means to a sysadmin. The exit codes are those of the manual.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use twofactor_admin::checkup::some_of;
use twofactor_admin::seed_files::ImportError;
use twofactor_core::codes::secret::SecretError;
use twofactor_core::codes::token::{Label, Serial};
use twofactor_core::config::ConfigError;
use twofactor_core::host::clock::ClockError;
use twofactor_core::host::shell;
pub(crate) use twofactor_core::host::shell::quoted;
use twofactor_core::host::trusted::describe;
use twofactor_core::host::user::{LookupError, UserName};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{EnrollError, RenameError, SshKeyError, TokenError};
use twofactor_core::store::helpdesk::NotHelped;
use twofactor_core::store::self_service::NotChanged;

use crate::output::Unwritten;
use crate::terminal::Unanswered;

use status::{is_denied, of_file, of_store};

pub(crate) use backup::{BackupFailure, is_damage};
pub(crate) use fleet::FleetFailure;
pub(crate) use leaving::LeavingFailure;
pub(crate) use moving_in::MovingInFailure;
pub(crate) use refusal::{Refusal, TokenRefusal, in_steps};
pub(crate) use services::ServiceFailure;
use ssh_keys::KeyFileError;
pub(crate) use ssh_keys::KeyOwner;
pub(crate) use status::ExitStatus;
pub(crate) use tokens::{LineProblem, MOST_LINES};

mod backup;
mod fleet;
mod helpdesk;
mod leaving;
mod moving_in;
mod own;
mod refusal;
mod services;
mod ssh_keys;
mod status;
mod tokens;

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("only root can do this")]
    NotRoot,
    #[error("root changes users with the commands for each user")]
    NotForRoot,
    #[error("{}", own::sentence(*why))]
    NotChanged { user: UserName, why: NotChanged },
    #[error("{}", helpdesk::sentence(user.as_ref(), serial.as_ref(), *why))]
    NotHelped { user: Option<UserName>, serial: Option<Serial>, why: NotHelped },
    #[error("it is done, but the recovery codes could not be shown: {}", describe(.0))]
    OwnCodesUnseen(io::Error),
    #[error(transparent)]
    Fleet(#[from] FleetFailure),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("there is no user \"{0}\"")]
    UnknownUser(String),
    #[error("{0} is not enrolled")]
    NotEnrolled(UserName),
    #[error("{0} is enrolled already and needs no invitation")]
    NeedsNoInvitation(UserName),
    #[error("the invitation is void again, because it could not be shown: {}", describe(&.0.0))]
    InvitationUnseen(Unwritten),
    #[error("the code is void again, because it could not be shown: {}", describe(&.0.0))]
    TemporaryCodeUnseen(Unwritten),
    #[error("{0} has physical tokens only, and nothing that a reset forgets")]
    OnlyTokens(UserName),
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("changed meanwhile, and left as they are: {}", names(.0))]
    Overtaken(Vec<UserName>),
    #[error("{broken} of {all} accounts cannot be read")]
    BrokenAccounts { broken: usize, all: usize },
    #[error("of {unknown} of {all} users with a login shell it is not known if they have what they are asked for")]
    PeopleUnknown { unknown: usize, all: usize },
    #[error("{user}'s app \"{label}\" is in use, and its secret is not shown again")]
    InUse { user: UserName, label: Label },
    #[error("{user} has no app \"{label}\"")]
    NoSuchApp { user: UserName, label: Label },
    #[error("{user} has several apps that wait for a code: {}", labels.join(", "))]
    SeveralWaiting { user: UserName, labels: Vec<String> },
    #[error("doctor has found something")]
    Unwell,
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    Clock(#[from] ClockError),
    #[error(transparent)]
    Entropy(SecretError),
    #[error("{}: {error}", path.display())]
    BadSecret { path: PathBuf, error: SecretError },
    #[error("the secret is too long for a QR code")]
    QrTooLong,
    #[error("{} exists already", .0.display())]
    FileExists(PathBuf),
    #[error("cannot write {}: {}", path.display(), describe(error))]
    OutputFile { path: PathBuf, error: io::Error },
    #[error("none of the codes was right; nothing was changed")]
    Unconfirmed,
    #[error("not confirmed; nothing was changed")]
    NotAnswered,
    #[error("no code was given")]
    NoCode,
    #[error("would be refused: {refusal}")]
    CodeRefused { user: UserName, refusal: Refusal },
    #[error("standard input is no terminal, so no question can be asked; nothing was changed")]
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
    #[error(transparent)]
    Service(#[from] Box<ServiceFailure>),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("that is no code: a code has 6 to 8 digits")]
    NotACode,
    #[error("{refusal}")]
    TokenCodeRefused { serial: Serial, refusal: TokenRefusal },
    #[error("no token shows these two codes")]
    NotIdentified,
    #[error("nothing fits: no way of reading the secret of token {0} gives these two codes")]
    NothingFits(Serial),
    #[error("more than one way of reading the secret of token {0} fits; nothing was changed")]
    SeveralFit(Serial),
    #[error("token {0} belongs to no series; nothing was changed")]
    NoSeriesToFix(Serial),
    #[error("{error}")]
    SshKey { error: SshKeyError, owner: KeyOwner },
    #[error("{}: {error}", path.display())]
    KeyFile { path: PathBuf, error: KeyFileError },
    #[error("cannot read {}: {}", path.display(), describe(error))]
    InputFile { path: PathBuf, error: io::Error },
    #[error("{} is not text in UTF-8", .0.display())]
    NotText(PathBuf),
    #[error("{}: {error}", path.display())]
    SeedFile { path: PathBuf, error: ImportError },
    #[error("{}; nothing was imported", tokens::bad_rows(*conflicts, *rejected))]
    RowsRefused { conflicts: u64, rejected: u64, good: u64, shared: u64, advice: Option<&'static str> },
    #[error("{}; --strict imports nothing then", .0.join("; "))]
    InDoubt(Vec<String>),
    #[error("standard input cannot be the seed file and its password")]
    StdinTwice,
    #[error("{} has lines that are wrong; nothing was changed", path.display())]
    BadList { path: PathBuf, problems: Vec<(usize, LineProblem)> },
    #[error("{} names no user; nothing was changed", .0.display())]
    NoUsers(PathBuf),
    #[error(transparent)]
    MovingIn(#[from] MovingInFailure),
    #[error(transparent)]
    Backup(#[from] BackupFailure),
    #[error(transparent)]
    Leaving(#[from] LeavingFailure),
    #[error("{failed} of {all} users are not enrolled")]
    SomeNotEnrolled { failed: usize, all: usize },
    #[error("{} belongs to another user or can be read by others, and secrets would stand in it", .0.display())]
    FolderOfOthers(PathBuf),
    #[error("{} has no line SERIAL,USER; nothing was changed", .0.display())]
    EmptyList(PathBuf),
    #[error("{}:{line}: {error}", path.display())]
    AtLine { path: PathBuf, line: usize, error: TokenError },
    #[error("{user} has new recovery codes, but they could not be shown: {}", describe(error))]
    CodesUnseen { user: UserName, error: io::Error },
    #[error("no log can be read: {}", looked.join("; "))]
    NoLog { looked: Vec<String>, denied: bool },
}

impl Failure {
    /// The exit code.
    pub(crate) fn status(&self) -> ExitStatus {
        match self {
            Self::Config(ConfigError::File(error)) => of_file(error),
            Self::Store(error) | Self::Enroll(EnrollError::Store(error)) => of_store(error),
            Self::Config(_) => ExitStatus::BadConfig,
            Self::NotRoot | Self::NotForRoot | Self::FolderOfOthers(_) => ExitStatus::NotPermitted,
            Self::NotChanged { why, .. } => own::status(*why),
            Self::NotHelped { why, .. } => helpdesk::status(*why),
            Self::Service(failure) => failure.status(),
            Self::MovingIn(failure) => failure.status(),
            Self::Backup(failure) => failure.status(),
            Self::Leaving(failure) => failure.status(),
            Self::Fleet(failure) => failure.status(),
            Self::Token(error) => tokens::status(error),
            Self::SshKey { error, .. } => ssh_keys::status(error),
            Self::AtLine { error, .. } => tokens::status_in_list(error),
            Self::BadList { problems, .. } => tokens::status_of_list(problems),
            Self::SeedFile { error, .. } => tokens::status_of_seed_file(error),
            Self::NoSuchApp { .. }
            | Self::UnknownUser(_)
            | Self::NotEnrolled(_)
            | Self::OnlyTokens(_)
            | Self::NotIdentified => ExitStatus::NotThere,
            Self::Unconfirmed
            | Self::NotAnswered
            | Self::NoCode
            | Self::NotACode
            | Self::CodeRefused { .. }
            | Self::TokenCodeRefused { .. }
            | Self::NothingFits(_) => ExitStatus::CodeRefused,
            Self::StdinTwice => ExitStatus::Usage,
            Self::Enroll(EnrollError::AlreadyEnrolled(..) | EnrollError::TooMany(_) | EnrollError::Shared(_))
            | Self::FileExists(_)
            | Self::InUse { .. }
            | Self::SeveralWaiting { .. }
            | Self::NeedsNoInvitation(_)
            | Self::Overtaken(_)
            | Self::CannotAsk
            | Self::Declined
            | Self::SeveralFit(_)
            | Self::NoSeriesToFix(_)
            | Self::InDoubt(_)
            | Self::RowsRefused { rejected: 0, .. } => ExitStatus::Refused,
            Self::BadSecret { .. }
            | Self::KeyFile { .. }
            | Self::RowsRefused { .. }
            | Self::NotText(_)
            | Self::EmptyList(_)
            | Self::NoUsers(_) => ExitStatus::BadInput,
            Self::Interrupted => ExitStatus::Interrupted,
            Self::Enroll(EnrollError::Entropy(_))
            | Self::InputFile { .. }
            | Self::BrokenAccounts { .. }
            | Self::OwnCodesUnseen(_)
            | Self::PeopleUnknown { .. }
            | Self::SomeNotEnrolled { .. }
            | Self::Unwell
            | Self::Lookup(_)
            | Self::Clock(_)
            | Self::Entropy(_)
            | Self::QrTooLong
            | Self::OutputFile { .. }
            | Self::Input(_)
            | Self::Output(_)
            | Self::EnrolledUnseen { .. }
            | Self::InvitationUnseen(_)
            | Self::TemporaryCodeUnseen(_)
            | Self::CodesUnseen { .. }
            | Self::NoLog { .. } => ExitStatus::Failed,
        }
    }

    /// The sentences to print. The configuration has one for every problem.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::Config(error) => error.lines(),
            // The report ends with it.
            Self::Unwell => Vec::new(),
            Self::BadList { path, problems } => {
                let mut lines = tokens::lines(path, problems);
                lines.push(self.to_string());
                lines
            }
            other => vec![other.to_string()],
        }
    }

    /// The way out, where there is one.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotRoot | Self::NoLog { denied: true, .. } => "run it with sudo".to_owned(),
            Self::NoLog { denied: false, .. } => LOGGING.to_owned(),
            Self::Config(ConfigError::File(error)) if is_denied(error) => "run it with sudo".to_owned(),
            Self::Config(ConfigError::Missing(_)) => "without --config the defaults apply".to_owned(),
            Self::Config(error) => error.hint(),
            Self::NotChanged { user, why } => return own::hint(*why, user),
            Self::NotHelped { user, why, .. } => return helpdesk::hint(*why, user.as_ref()),
            Self::OwnCodesUnseen(_) => "get others: twofactor self recovery".to_owned(),
            Self::UnknownUser(name) if name == "help" => HELP.to_owned(),
            Self::UnknownUser(name) => format!("look the user up: getent passwd {}", quoted(name)),
            Self::NotEnrolled(user) => format!("run \"twofactor enroll {}\"", quoted(user.as_str())),
            Self::NeedsNoInvitation(user) => {
                format!("\"twofactor reset {}\" lets the user enroll again", quoted(user.as_str()))
            }
            Self::OnlyTokens(user) => {
                let list = format!("twofactor token list --user {}", quoted(user.as_str()));
                format!("\"{list}\" shows them, \"twofactor token unassign SERIAL\" takes one away")
            }
            Self::Enroll(EnrollError::AlreadyEnrolled(..)) => {
                "--replace puts a new secret in its place, --label NAME adds another token".to_owned()
            }
            Self::Enroll(EnrollError::TooMany(user)) => {
                let status = format!("twofactor status {}", quoted(user.as_str()));
                format!("--replace with the --label of a token that is not used any more; see \"{status}\"")
            }
            Self::Enroll(EnrollError::Shared(_)) => SHARED.to_owned(),
            Self::Enroll(EnrollError::Store(error)) | Self::Store(error) => error.hint(),
            Self::Lookup(_) => "try: getent passwd USER".to_owned(),
            Self::Clock(_) => "set the clock: timedatectl set-time".to_owned(),
            Self::BadSecret { .. } => "the file holds one secret in base32 and nothing else".to_owned(),
            Self::QrTooLong => "use a shorter --issuer, or --qr none".to_owned(),
            Self::FileExists(_) => "name another file, or remove this one".to_owned(),
            Self::OutputFile { path, error } if error.kind() == io::ErrorKind::NotFound => missing_folder(path)?,
            Self::Fleet(failure) => failure.hint(),
            Self::Unconfirmed => "are the clocks right, the phone's and this host's? see: date -u".to_owned(),
            Self::CodeRefused { user, refusal } => refusal.hint(user),
            Self::TokenCodeRefused { serial, refusal } => refusal.hint(serial),
            Self::Overtaken(_) => "run the command again".to_owned(),
            Self::CannotAsk => "--yes does it without asking".to_owned(),
            Self::EnrolledUnseen { user, label, .. } => {
                let (user, label) = (quoted(user.as_str()), shell::value(label.as_str()));
                format!("run \"twofactor enroll --label={label} --replace {user}\"")
            }
            Self::Service(failure) => return failure.hint(),
            Self::SshKey { error, owner } => return ssh_keys::hint(error, *owner),
            Self::MovingIn(failure) => return failure.hint(),
            Self::Backup(failure) => return failure.hint(),
            Self::Leaving(failure) => return failure.hint(),
            Self::KeyFile { error, .. } => return ssh_keys::hint_for_file(error),
            Self::Token(error) | Self::AtLine { error, .. } => return tokens::hint(error),
            Self::NotIdentified | Self::NothingFits(_) => tokens::TWO_CODES.to_owned(),
            Self::SeveralFit(_) => "probe again with the next two codes".to_owned(),
            Self::NoSeriesToFix(serial) => {
                format!("delete it and import it anew: twofactor token delete {}", quoted(serial.as_str()))
            }
            Self::SeedFile { path, error } => return tokens::hint_for_seed_file(path, error),
            Self::RowsRefused { shared: 1.., .. } => {
                "\"twofactor reset USER\" takes the app; --force imports the tokens all the same".to_owned()
            }
            Self::RowsRefused { good, rejected, advice, .. } => tokens::hint_for_rows(*good, *rejected, *advice)?,
            Self::InDoubt(_) => SAY_IT.to_owned(),
            Self::StdinTwice => "--password-fd N reads the password from another descriptor".to_owned(),
            Self::BadList { problems, .. } => tokens::hint_for_list(problems),
            Self::CodesUnseen { user, .. } => format!("run \"twofactor recovery {}\"", quoted(user.as_str())),
            Self::InUse { user, label } => {
                let (user, label) = (quoted(user.as_str()), shell::value(label.as_str()));
                format!("a new phone gets a new secret: twofactor enroll --label={label} --replace {user}")
            }
            Self::NoSuchApp { user, .. } => format!("see: twofactor status {}", quoted(user.as_str())),
            Self::SomeNotEnrolled { .. } => REPEAT.to_owned(),
            Self::FolderOfOthers(path) => format!("name a new folder, or: chmod 700 {}", shell::path(path)),
            Self::SeveralWaiting { .. } => "--label LABEL says which".to_owned(),
            Self::BrokenAccounts { .. }
            | Self::NotForRoot
            | Self::PeopleUnknown { .. }
            | Self::Unwell
            | Self::Enroll(EnrollError::Entropy(_))
            | Self::Entropy(_)
            | Self::OutputFile { .. }
            | Self::InputFile { .. }
            | Self::NotText(_)
            | Self::EmptyList(_)
            | Self::NoUsers(_)
            | Self::NotAnswered
            | Self::NoCode
            | Self::NotACode
            | Self::Declined
            | Self::Interrupted
            | Self::Input(_)
            | Self::InvitationUnseen(_)
            | Self::TemporaryCodeUnseen(_)
            | Self::Output(_) => return None,
        };
        Some(hint)
    }
}

/// The way out where the folder of a file to write is not there.
fn missing_folder(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    Some(format!("there is no folder {0}; make it: mkdir -p {1}", folder.display(), shell::path(folder)))
}

impl From<ServiceFailure> for Failure {
    fn from(failure: ServiceFailure) -> Self {
        Self::Service(Box::new(failure))
    }
}

impl From<RenameError> for Failure {
    fn from(error: RenameError) -> Self {
        Self::Leaving(error.into())
    }
}

impl From<SshKeyError> for Failure {
    fn from(error: SshKeyError) -> Self {
        Self::SshKey { error, owner: KeyOwner::Named }
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

/// The hint for a secret that another user has.
const SHARED: &str = "without --secret-file the user gets a secret of their own; --force takes this one all the same";

/// The hint where nothing writes a log.
const LOGGING: &str = "journald, or a syslog daemon that writes one of these files, has to run";

/// The hint for a command that is given `help` as the name of a user.
const HELP: &str = "\"twofactor help COMMAND\" prints the help of a command";

/// The hint for a seed file that leaves something open.
const SAY_IT: &str = "say what the file does not: --type, --algorithm, --digits, --period, --encoding; see --explain";

/// The hint after some of many users were not enrolled.
const REPEAT: &str = "correct what is named above and run the command again: it leaves enrolled users as they are";

/// Some names, for a sentence.
fn names(users: &[UserName]) -> String {
    some_of(users.iter().map(UserName::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofactor_core::host::trusted::FileError;
    use twofactor_core::host::user::Uid;

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
            Failure::NotACode,
            Failure::NotIdentified,
            Failure::StdinTwice,
            Failure::OnlyTokens(user.clone()),
            Failure::NeedsNoInvitation(user.clone()),
            Failure::Overtaken(vec![user.clone()]),
            StoreError::UidChanged { user: user.clone(), recorded: Uid(1001), now: Uid(4444) }.into(),
            Failure::InvitationUnseen(Unwritten(io::Error::from_raw_os_error(28))),
            Failure::TemporaryCodeUnseen(Unwritten(io::Error::from_raw_os_error(28))),
            Failure::RowsRefused { conflicts: 1, rejected: 2, good: 3, shared: 0, advice: Some("compare them") },
            Failure::SeedFile { path: "tokens.zip".into(), error: ImportError::PasswordNeeded },
            TokenError::NoSeries("fobs".to_owned()).into(),
            TokenError::TooMany(user.clone()).into(),
            Failure::CodesUnseen { user, error: io::Error::from_raw_os_error(28) },
            Failure::NoLog { looked: vec!["no journal".to_owned()], denied: false },
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
        assert_eq!(Failure::from(StoreError::from(unsafe_file())).status(), ExitStatus::NotPermitted);
        assert_eq!(Failure::from(ConfigError::from(unsafe_file())).status(), ExitStatus::NotPermitted);
        assert_eq!(Failure::from(ConfigError::Missing("/x".into())).status(), ExitStatus::BadConfig);
    }
}
