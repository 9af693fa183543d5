//! Lines of other second factors whose place ours takes, out of the text of a service.
//!
//! Invariant: a line goes only where the lines beside it still do what they did. What the service is worth without it, and
//! where our line goes then, is for the proof to say.

use thiserror::Error;
use twofactor_core::pam_service::findings::Place;
use twofactor_core::pam_service::flow;
use twofactor_core::pam_service::modules::{self, Nature};
use twofactor_core::pam_service::{Line, Phase, Service};

use super::sheet::Sheet;

/// The modules whose users can be taken over.
const REPLACEABLE: [&str; 2] = [modules::GOOGLE_AUTHENTICATOR, modules::OATH];

/// Why a line of another second factor stays.
#[derive(Debug, Error)]
pub enum CannotReplace {
    /// A file that other services include has it.
    #[error("{line} ({text}) stands in a file that other services include", text = .line.text)]
    Shared {
        /// The line.
        line: Place,
    },
    /// A jump leads past it: some users are not asked there.
    #[error("{by} jumps past {line} ({text}), so some users are not asked there", text = .line.text)]
    JumpedOver {
        /// The line.
        line: Place,
        /// The line that jumps.
        by: Place,
    },
    /// Another line takes the password that it asks for.
    #[error("{by} ({text}) takes the password that {line} asks for (use_first_pass)", text = .by.text)]
    AsksForPassword {
        /// The line.
        line: Place,
        /// The line that takes the password.
        by: Place,
    },
}

/// The auth lines of a service that run such a module, in files that it includes too.
pub fn replaceable(service: &Service) -> Vec<&Line> {
    let runs_one = |line: &&Line| REPLACEABLE.iter().any(|name| line.runs(name));
    service.phase(Phase::Auth).into_iter().filter(runs_one).collect()
}

/// The text of a service without those lines.
pub fn without_replaced(service: &Service, text: &str) -> Result<String, CannotReplace> {
    let lines = service.phase(Phase::Auth);
    let others = replaceable(service);
    let mut sheet = Sheet::of(text);
    for other in others.iter().rev() {
        if other.file != service.file {
            return Err(CannotReplace::Shared { line: Place::of(other) });
        }
        let at = lines.iter().position(|line| line == other).unwrap_or_default();
        let jump = flow::jumps(&lines).into_iter().find(|(from, target)| *from < at && at < *target);
        if let Some(by) = jump.and_then(|(from, _)| lines.get(from)) {
            return Err(CannotReplace::JumpedOver { line: Place::of(other), by: Place::of(by) });
        }
        if let Some(entry) = sheet.entries().iter().find(|entry| entry.first == other.number) {
            sheet.remove(entry);
        }
    }
    let takes = |line: &&&Line| line.arguments.iter().any(|argument| argument == "use_first_pass");
    let first = lines.iter().find(|line| !others.contains(line) && Nature::of(line) == Nature::Primary);
    match (first.filter(takes), others.first()) {
        (Some(by), Some(line)) => Err(CannotReplace::AsksForPassword { line: Place::of(line), by: Place::of(by) }),
        _ => Ok(sheet.text()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn without(text: &str) -> Result<String, CannotReplace> {
        let service = Service::planned("sshd", Path::new("/etc/pam.d/sshd"), text, &[]).unwrap();
        without_replaced(&service, text)
    }

    #[test]
    fn its_line_goes_and_nothing_else() {
        let text = "auth required pam_unix.so\n# codes\nauth  required pam_google_authenticator.so \\\n  nullok\nauth optional pam_cap.so\n";
        assert_eq!(without(text).unwrap(), "auth required pam_unix.so\n# codes\nauth optional pam_cap.so\n");
        let twice = "auth required pam_oath.so usersfile=/etc/users.oath\nauth required pam_unix.so\nauth sufficient /lib/security/pam_google_authenticator.so\n";
        assert_eq!(without(twice).unwrap(), "auth required pam_unix.so\n");
        assert_eq!(without("auth required pam_unix.so\n").unwrap(), "auth required pam_unix.so\n");
    }

    #[test]
    fn a_line_that_others_depend_on_stays() {
        let jumped = without(
            "auth required pam_unix.so\nauth [success=1 default=ignore] pam_access.so\nauth required pam_oath.so\nauth required pam_permit.so\n",
        );
        assert!(matches!(jumped, Err(CannotReplace::JumpedOver { by, .. }) if by.number == 2));
        let taking = without(
            "auth required pam_google_authenticator.so forward_pass\nauth required pam_unix.so use_first_pass\n",
        );
        assert!(matches!(taking, Err(CannotReplace::AsksForPassword { by, .. }) if by.number == 2));
    }
}
