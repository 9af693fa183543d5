//! The denial of one try: its reason, and what the log says beside it.
//!
//! The user learns only that a right code is already used.

use super::claimant::{Claimant, Unidentified};
use super::request::ConversationError;
use crate::codes::answer;
use crate::host::clock::ClockError;
use crate::log::reason::Reason;
use crate::pam_service::programs;
use crate::store::StoreError;

/// The denial of one try, with the problem and the hint that the log shows beside the reason.
pub(super) struct Denial {
    pub(super) reason: Reason,
    pub(super) problem: Option<String>,
    pub(super) hint: Option<String>,
    /// True when the code is outside the window and the next code of the same token can confirm it.
    pub(super) near_miss: bool,
}

impl Denial {
    pub(super) fn of(reason: Reason) -> Self {
        Self { reason, problem: None, hint: None, near_miss: false }
    }

    pub(super) fn explained(reason: Reason, problem: &dyn ToString, hint: impl Into<String>) -> Self {
        Self { problem: Some(problem.to_string()), hint: Some(hint.into()), ..Self::of(reason) }
    }

    /// The same denial, as `no-answer` where a wrong code is an empty answer: it is no guess.
    pub(super) fn of_answer(self, reply: &[u8]) -> Self {
        let is_no_answer = self.reason == Reason::WrongCode && answer::is_blank(reply);
        if is_no_answer { Self { reason: Reason::NoAnswer, ..self } } else { self }
    }

    /// A denial for the password in place of a code. `service` determines the hint.
    pub(super) fn password_repeated(service: &str) -> Self {
        let problem = "the client answered the code prompt with the password";
        Self::explained(Reason::PasswordRepeated, &problem, hint_for(service))
    }

    /// A denial for sshd's dummy password, which sshd sends in place of the answer of a user it will not let in.
    pub(super) fn dummy_password(claimant: &Claimant<'_>) -> Self {
        match claimant.person() {
            Err(unidentified) => unidentified.into(),
            Ok(_) => {
                let problem = "sshd sent its stand-in for an answer: it does not let this user in, whatever is typed";
                let hint = "see AllowUsers, DenyUsers and PermitRootLogin in sshd_config";
                Self::explained(Reason::PasswordRepeated, &problem, hint)
            }
        }
    }
}

impl From<&Unidentified> for Denial {
    fn from(unidentified: &Unidentified) -> Self {
        let reason = unidentified.reason();
        match unidentified {
            Unidentified::Unknown => Self::of(reason),
            Unidentified::Failed(error) => Self::explained(reason, error, "try: getent passwd USER"),
        }
    }
}

impl From<StoreError> for Denial {
    fn from(error: StoreError) -> Self {
        Self::explained(error.reason(), &error, error.hint())
    }
}

impl From<ConversationError> for Denial {
    fn from(_: ConversationError) -> Self {
        Self::of(Reason::Conversation)
    }
}

impl From<ClockError> for Denial {
    fn from(error: ClockError) -> Self {
        Self::explained(Reason::StoreUnavailable, &error, "set the clock")
    }
}

/// The hint for a password in place of a code: it depends on the program.
fn hint_for(service: &str) -> String {
    let combined =
        format!("list \"{service}\" under prompt.combined, and have users type the code behind the password");
    if service == "sshd" {
        return "the client used password authentication: enable KbdInteractiveAuthentication. Programs that answer every \
                prompt with the password (ansible -k, curl, paramiko) need a key"
            .to_owned();
    }
    match programs::of(service) {
        Some(program) if program.repeats_password() => {
            format!("{} answers every prompt with the password: {combined}", program.name)
        }
        _ if AT_A_TERMINAL.contains(&service) => {
            "the user typed the password again; the second prompt asks for the code".to_owned()
        }
        _ => format!("did the user type the password again? If this program answers every prompt with it: {combined}"),
    }
}

/// Services whose programs put each question to the user.
const AT_A_TERMINAL: [&str; 7] = ["login", "su", "su-l", "sudo", "sudo-i", "runuser", "runuser-l"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_depends_on_the_program() {
        for (service, hint) in [
            ("sshd", "enable KbdInteractiveAuthentication"),
            ("dovecot", "dovecot answers every prompt with the password: list \"dovecot\" under prompt.combined"),
            ("openvpn", "list \"openvpn\" under prompt.combined"),
            ("postgresql", "PostgreSQL answers every prompt"),
            ("sudo", "typed the password again"),
            ("vpn-of-ours", "If this program answers every prompt with it: list \"vpn-of-ours\" under prompt.combined"),
        ] {
            let found = hint_for(service);
            assert!(found.contains(hint), "{service}: {found}");
            assert_eq!(found.contains("KbdInteractive"), service == "sshd");
        }
    }
}
