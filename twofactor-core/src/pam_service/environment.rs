//! PAM's environment, as far as a user can write to it.
//!
//! pam_env reads `~/.pam_environment` with `user_readenv=1`: every variable there is the user's word. It does so in
//! `pam_setcred`, which runs the lines of the auth phase, and in the session phase. So a line of the auth phase counts
//! wherever it stands, because a second authentication of the same transaction would find the variables. One of the session
//! phase comes after every question.

use super::line::{Line, Phase};
use super::service::Service;

const PAM_ENV: &str = "pam_env.so";
const USER_READENV: &str = "user_readenv=";

/// The first line that lets users set variables before a later authentication of the same transaction.
pub fn user_variables(service: &Service) -> Option<&Line> {
    let reads = |argument: &String| argument.strip_prefix(USER_READENV).is_some_and(|value| value != "0");
    let lets = |line: &&Line| line.phase == Phase::Auth && line.runs(PAM_ENV) && line.arguments.iter().any(reads);
    service.lines.iter().find(lets)
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
}
