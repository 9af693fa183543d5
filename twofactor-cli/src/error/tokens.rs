//! Refusals about physical tokens and their files: sentences, exit codes and ways out.

use std::path::Path;

use thiserror::Error;
use twofactor_admin::seed_files::{ErrorKind, Foreign, ImportError};
use twofactor_core::codes::token::Serial;
use twofactor_core::host::shell::quoted;
use twofactor_core::store::administration::TokenError;

use super::status::{ExitStatus, of_store};

/// So many lines of a list or a file are named.
pub(crate) const MOST_LINES: usize = 20;

/// The problem with a line of a list `SERIAL,USER`.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum LineProblem {
    #[error("it is not SERIAL,USER")]
    Columns,
    #[error("the serial is not 1 to 64 printable ASCII characters without spaces, quotes or backslashes")]
    Serial,
    #[error("there is no user \"{0}\"")]
    User(String),
}

/// The form of two codes.
pub(super) const TWO_CODES: &str =
    "type two codes that it shows one after the other; is this host's clock right? see: date -u";

/// The exit code of a refusal about a token.
pub(super) fn status(error: &TokenError) -> ExitStatus {
    match error {
        TokenError::NoToken(_) | TokenError::NoSeries(_) => ExitStatus::NotThere,
        TokenError::WrongCodes(_) => ExitStatus::CodeRefused,
        TokenError::Owned(..)
        | TokenError::NotOwned(_)
        | TokenError::Revoked(_)
        | TokenError::Unusable(..)
        | TokenError::Twice(_)
        | TokenError::LastCredential(..)
        | TokenError::TooMany(_)
        | TokenError::Shared(..)
        | TokenError::Unreadable(_)
        | TokenError::Twins(..) => ExitStatus::Refused,
        TokenError::Store(error) => of_store(error),
    }
}

/// The same for a line of a list: what stands twice is the list's mistake.
pub(super) fn status_in_list(error: &TokenError) -> ExitStatus {
    match error {
        TokenError::Twice(_) => ExitStatus::BadInput,
        error => status(error),
    }
}

/// The exit code of a list with bad lines. One in which only users are unknown is a good list.
pub(super) fn status_of_list(problems: &[(usize, LineProblem)]) -> ExitStatus {
    let only_users = problems.iter().all(|(_, problem)| matches!(problem, LineProblem::User(_)));
    if only_users { ExitStatus::NotThere } else { ExitStatus::BadInput }
}

/// The way out of a list with bad lines.
pub(super) fn hint_for_list(problems: &[(usize, LineProblem)]) -> String {
    match status_of_list(problems) {
        ExitStatus::NotThere => "look the users up: getent passwd USER".to_owned(),
        _ => "a line is SERIAL,USER".to_owned(),
    }
}

/// The exit code of a seed file that cannot be imported at all.
pub(super) fn status_of_seed_file(error: &ImportError) -> ExitStatus {
    match error.kind() {
        ErrorKind::WrongKey => ExitStatus::WrongKey,
        ErrorKind::Invalid | ErrorKind::TooLarge => ExitStatus::BadInput,
        ErrorKind::Io => ExitStatus::Failed,
    }
}

/// The way out of a refusal about a token.
pub(super) fn hint(error: &TokenError) -> Option<String> {
    let token = |verb: &str, serial: &Serial| format!("run \"twofactor token {verb} {}\"", quoted(serial.as_str()));
    let hint = match error {
        TokenError::NoToken(_) => "look for it: twofactor token list --serial 'GLOB'".to_owned(),
        TokenError::NoSeries(_) => "look for it: twofactor series list".to_owned(),
        TokenError::Owned(serial, _) => token("unassign", serial),
        TokenError::Revoked(_) => "its secret is wiped, nothing brings it back; use another token".to_owned(),
        TokenError::Unusable(serial, _) => token("enable", serial),
        TokenError::NotOwned(_) | TokenError::Twice(_) => return None,
        TokenError::LastCredential(lasts) => {
            let owner = lasts.first().map_or("USER", |(_, owner)| owner.as_str());
            let enroll = format!("twofactor enroll {}", quoted(owner));
            format!("--force takes it all the same; \"{enroll}\" gives another first")
        }
        TokenError::TooMany(user) => {
            let list = format!("twofactor token list --user {}", quoted(user.as_str()));
            format!("unassign one that is not used any more; see \"{list}\"")
        }
        TokenError::Shared(..) => "give the user another token; --force assigns this one all the same".to_owned(),
        TokenError::WrongCodes(_) => TWO_CODES.to_owned(),
        TokenError::Unreadable(_) => "the series holds tokens of another kind; import them apart".to_owned(),
        TokenError::Twins(_, twin) => {
            format!("delete one of them first; see \"twofactor token show {}\"", quoted(twin.as_str()))
        }
        TokenError::Store(error) => error.hint(),
    };
    Some(hint)
}

/// The way out where a seed file cannot be imported at all.
pub(super) fn hint_for_seed_file(path: &Path, error: &ImportError) -> Option<String> {
    if let Some(hint) = hint_for_part(path, error) {
        return Some(hint);
    }
    match error {
        // A command, which names the file where it is one.
        ImportError::Foreign(_) | ImportError::Nested { .. } | ImportError::ZipMethod { .. }
            if path != Path::new("-") =>
        {
            error.hint().map(|hint| hint.replace(" FILE ", &format!(" {} ", quoted(&path.to_string_lossy()))))
        }
        ImportError::PasswordNeeded => Some("--password-file FILE, with the password in its first line".to_owned()),
        error => error.hint(),
    }
}

/// The command that puts the parts of an archive together, where a file has the name of one. What is in a part tells only
/// some of them from each other, so the name counts here, in the hint alone.
fn hint_for_part(path: &Path, error: &ImportError) -> Option<String> {
    let of_part = matches!(
        error,
        ImportError::NotText
            | ImportError::ZipDamaged
            | ImportError::Foreign(Foreign::SplitZip | Foreign::HalfZip | Foreign::LastPart | Foreign::SevenZip)
    );
    let name = path.to_str().filter(|_| of_part)?;
    let (whole, ending) = name.rsplit_once('.')?;
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_split = matches!(error, ImportError::Foreign(Foreign::SplitZip));
    match ending.to_ascii_lowercase().as_str() {
        ending if ending.strip_prefix('z').is_some_and(is_number) || (ending == "zip" && is_split) => {
            let last = quoted(&format!("{whole}.zip"));
            Some(format!("with all parts in one folder: 7z x -so {last} | twofactor token import -"))
        }
        ending if ending.len() == 3 && is_number(ending) => {
            let is_7z = whole.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("7z"));
            Some(if is_7z {
                format!("7z x -so {} | twofactor token import -", quoted(&format!("{whole}.001")))
            } else {
                format!("put its parts together: cat {}.[0-9]* > WHOLE.zip", quoted(whole))
            })
        }
        _ => None,
    }
}

/// The way out of rows that are not imported: what to do about the first, and what takes the others.
pub(super) fn hint_for_rows(good: u64, rejected: u64, advice: Option<&'static str>) -> Option<String> {
    let others = "--keep-going imports the other rows, --rejects FILE writes these to a file";
    match (good, advice) {
        (0, None) => None,
        (0, Some(advice)) if rejected == 0 => Some(advice.to_owned()),
        (0, Some(advice)) => Some(format!("{advice}; is this a seed file? --format says which kind")),
        (_, None) => Some(others.to_owned()),
        (_, Some(advice)) => Some(format!("{advice}; {others}")),
    }
}

/// Bad lines of a list, the first of them by name.
pub(super) fn lines(path: &Path, problems: &[(usize, LineProblem)]) -> Vec<String> {
    let path = path.display();
    let first = problems.iter().take(MOST_LINES);
    let mut lines: Vec<String> = first.map(|(line, problem)| format!("{path}:{line}: {problem}")).collect();
    if let Some(more) = problems.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
        lines.push(format!("{path}: and {more} more"));
    }
    lines
}

/// `1 conflict and 2 rejected rows`.
pub(super) fn bad_rows(conflicts: u64, rejected: u64) -> String {
    let conflict = if conflicts == 1 { "conflict" } else { "conflicts" };
    let row = if rejected == 1 { "row" } else { "rows" };
    match (conflicts, rejected) {
        (_, 0) => format!("{conflicts} {conflict}"),
        (0, _) => format!("{rejected} rejected {row}"),
        _ => format!("{conflicts} {conflict} and {rejected} rejected {row}"),
    }
}
