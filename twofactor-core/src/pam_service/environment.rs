//! PAM's environment, as far as a user can write to it.
//!
//! pam_env reads `~/.pam_environment` with `user_readenv=1`: every variable there is the user's word. It does so in
//! `pam_setcred`, which runs the lines of the auth phase, and in the session phase. So a line of the auth phase counts
//! wherever it stands, because a second authentication of the same transaction would find the variables. One of the session
//! phase comes after every question.

use std::path::PathBuf;

use thiserror::Error;

use super::line::{Line, Phase};
use super::service::{Service, ServiceError};

const PAM_ENV: &str = "pam_env.so";
const USER_READENV: &str = "user_readenv=";

/// The first line that lets users set variables before a later authentication of the same transaction.
pub fn user_variables(service: &Service) -> Option<&Line> {
    let reads = |argument: &String| argument.strip_prefix(USER_READENV).is_some_and(|value| value != "0");
    let lets = |line: &&Line| line.phase == Phase::Auth && line.runs(PAM_ENV) && line.arguments.iter().any(reads);
    service.lines.iter().find(lets)
}

/// The reason for which a variable of PAM's environment may be the word of a user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvironmentProblem {
    /// A line reads variables from a file of each user.
    #[error("{}:{number}: pam_env.so with user_readenv lets users set the variable", file.display())]
    OfUsers {
        /// The line's file.
        file: PathBuf,
        /// The line's number, from 1.
        number: usize,
    },
    /// A file of the service cannot be read, for the reason given in words.
    #[error("{0}")]
    Unreadable(String),
    /// libpam does not take the service as it is written, or not in every version, for the reason given in words.
    #[error("{0}")]
    Unclear(String),
}

impl EnvironmentProblem {
    /// The way out, for a log.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OfUsers { .. } => "take user_readenv out; see twofactor doctor",
            Self::Unreadable(_) => "let sshd read that file: look at its owner, its mode and SELinux",
            Self::Unclear(_) => "correct that file; see twofactor doctor",
        }
    }
}

impl From<ServiceError> for EnvironmentProblem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Unreadable { .. } => Self::Unreadable(error.to_string()),
            error => Self::Unclear(error.to_string()),
        }
    }
}

/// Makes sure that no user sets variables before a later authentication of the same transaction.
pub fn of_root(service: &Service) -> Result<(), EnvironmentProblem> {
    match user_variables(service) {
        None => Ok(()),
        Some(line) => Err(EnvironmentProblem::OfUsers { file: line.file.clone(), number: line.number }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<usize> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("included"), "auth required pam_env.so readenv=1 user_readenv=1\n").unwrap();
        let service = Service::from_text("sshd", &folder.path().join("sshd"), text, &[folder.path()]).unwrap();
        user_variables(&service).map(|line| line.number)
    }

    #[test]
    fn a_line_of_pam_env_in_the_auth_phase_that_reads_the_users_file_is_found() {
        let unix = "auth required pam_unix.so\n";
        let ours = "auth required pam_twofactor.so\n";
        for (text, line) in [
            (format!("auth required pam_env.so user_readenv=1\n{unix}{ours}"), Some(1)),
            (format!("auth required /lib/security/pam_env.so conffile=/etc/x user_readenv=1\n{unix}{ours}"), Some(1)),
            (format!("auth required pam_env.so user_readenv=0 user_readenv=2\n{unix}{ours}"), Some(1)),
            (format!("{unix}-auth optional pam_env.so user_readenv=yes\n{ours}"), Some(2)),
            (format!("{unix}{ours}auth optional pam_env.so user_readenv=1\n"), Some(3)),
            (format!("auth include included\n{unix}{ours}"), Some(1)),
            (format!("auth substack included\n{unix}{ours}"), Some(1)),
            (format!("@include included\n{unix}{ours}"), Some(1)),
            (format!("{unix}{ours}"), None),
            (format!("auth required pam_env.so\n{unix}{ours}"), None),
            (format!("auth required pam_env.so user_readenv=0\n{unix}{ours}"), None),
            // As Debian's sshd has it.
            (format!("{unix}{ours}session required pam_env.so user_readenv=1 envfile=/etc/default/locale\n"), None),
            (format!("auth required pam_other.so user_readenv=1\n{unix}{ours}"), None),
            (format!("# auth required pam_env.so user_readenv=1\n{unix}{ours}"), None),
        ] {
            assert_eq!(found(&text), line, "{text}");
        }
    }

    #[test]
    fn a_service_that_cannot_be_read_and_one_that_is_not_clear_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            std::fs::write(folder.path().join("sshd"), text).unwrap();
            match Service::read("sshd", &[folder.path()]) {
                Ok(service) => of_root(&service),
                Err(error) => Err(error.into()),
            }
        };
        assert_eq!(read("auth required pam_unix.so\n"), Ok(()));
        std::fs::create_dir(folder.path().join("included")).unwrap();
        let unreadable = read("@include included\n");
        assert!(matches!(unreadable, Err(EnvironmentProblem::Unreadable(_))), "{unreadable:?}");
        let unclear = read("auth required pam_unix.so \\\n# why\nauth required pam_deny.so\n");
        assert!(matches!(unclear, Err(EnvironmentProblem::Unclear(_))), "{unclear:?}");
        let of_users = read("auth required pam_env.so user_readenv=1\n");
        assert!(matches!(of_users, Err(EnvironmentProblem::OfUsers { number: 1, .. })), "{of_users:?}");
    }
}
