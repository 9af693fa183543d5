//! Security keys of ssh: a login whose key sshd has verified, and which root or its owner has enrolled, is asked nothing.
//!
//! sshd names the key in PAM's environment (SSH_AUTH_INFO_0), where the client cannot write. Invariants: the variable counts
//! in a process of root that runs PAM's service of sshd, and nowhere else; and only where no line of that service lets others
//! set it. In doubt the code is asked, as of every other user.

use std::fmt;

use super::claimant::Claimant;
use super::progress::Login;
use super::request::{Process, World};
use crate::account::factors::{Attestation, Factors};
use crate::codes::ssh_key::auth_info;
use crate::log::reason::Reason;
use crate::log::record::{Event, Record};
use crate::pam_service::environment::EnvironmentProblem;
use crate::pam_service::programs;
use crate::store::Recognized;

/// The reason for which an enrolled key does not spare the code of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyObstacle {
    /// The policy does not accept security keys.
    NotAllowed,
    /// The policy accepts attested ones, and the user has none.
    NotAttested,
    /// The PAM service is not sshd's.
    NotSshd,
    /// The process is not root's alone.
    NotRoots,
    /// The service takes password and code in one answer.
    Combined,
    /// Others than root may set the variable.
    Environment(EnvironmentProblem),
}

impl fmt::Display for KeyObstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed => formatter.write_str("the policy accepts no ssh keys for this login"),
            Self::NotAttested => formatter.write_str("the policy accepts attested ssh keys alone"),
            Self::NotSshd => formatter.write_str("ssh keys count in the PAM service sshd alone"),
            Self::NotRoots => formatter.write_str("the program is not root's alone"),
            Self::Combined => formatter.write_str("the service is listed under prompt.combined"),
            Self::Environment(problem) => problem.fmt(formatter),
        }
    }
}

/// Finds the reason for which no key spares the code of this login, as far as policy and program go.
fn obstacle(factors: Factors, service: &str, world: &World<'_>) -> Option<KeyObstacle> {
    if !factors.include_ssh_keys() {
        return Some(KeyObstacle::NotAllowed);
    }
    if !programs::is_sshd(service) {
        return Some(KeyObstacle::NotSshd);
    }
    if world.process != Process::Roots {
        return Some(KeyObstacle::NotRoots);
    }
    world.config.prompt.combined.contains(service).then_some(KeyObstacle::Combined)
}

/// The same of a user with keys of these attestations, with the files of the service read.
pub fn key_obstacle(keys: &[Attestation], factors: Factors, service: &str, world: &World<'_>) -> Option<KeyObstacle> {
    let is_accepted = |key: &Attestation| factors.accept_ssh_key(*key);
    obstacle(factors, service, world)
        .or_else(|| (!keys.iter().any(is_accepted)).then_some(KeyObstacle::NotAttested))
        .or_else(|| world.services.environment(service).err().map(KeyObstacle::Environment))
}

/// The enrolled key that sshd has verified for this login. An error counts as none: the redemption that follows meets it
/// again and reports it.
pub(super) fn recognized(factors: Factors, claimant: &Claimant<'_>, world: &World<'_>) -> Option<Recognized> {
    let (text, person) = (claimant.auth_info?, claimant.person().ok()?);
    if obstacle(factors, claimant.service, world).is_some() {
        return None;
    }
    let keys = auth_info::verified_keys(text);
    if keys.is_empty() {
        return None;
    }
    world.store.recognize(person, &keys, factors).ok().flatten()
}

impl Login<'_> {
    /// Accepts a recognized key, provided that root alone can have set the variable. The files of the service are read for such
    /// logins alone.
    pub(super) fn with_key(&mut self, recognized: &Recognized) -> bool {
        match self.world.services.environment(self.claimant.service) {
            Ok(()) => {
                self.audit.record(&recognized.noted_in(self.about(Record::new(Event::Accepted))));
                true
            }
            Err(problem) => {
                let record = self.about(Record::refused(Reason::BadConfig)).with("reason", Reason::BadConfig);
                let hint = format!("the ssh key does not count, and a code is asked for: {}", problem.hint());
                self.audit.record(&record.with("problem", problem).with("hint", hint));
                false
            }
        }
    }
}
