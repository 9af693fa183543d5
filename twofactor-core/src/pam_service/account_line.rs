//! Tells if a service's account phase would store a second factor that a login has set up, and if its environment is root's.

use std::path::Path;

use super::environment::{self, EnvironmentProblem};
use super::findings::{self, AccountLine, Finding};
use super::naming::FOLDERS;
use super::service::Service;
use crate::host::trusted::Owner;

/// Knows how PAM services are set up.
pub trait Services {
    /// Makes sure that the account phase of `service` would store what was confirmed: it runs this module whenever it
    /// succeeds, and the module's refusal counts. Otherwise why it would not, in words.
    fn account_line(&self, service: &str) -> Result<(), String>;

    /// Makes sure that root alone can set a variable of PAM's environment before an authentication through `service`.
    fn environment(&self, service: &str) -> Result<(), EnvironmentProblem>;
}

/// The host's PAM services.
#[derive(Debug, Clone, Copy)]
pub struct SystemServices;

impl Services for SystemServices {
    fn account_line(&self, service: &str) -> Result<(), String> {
        let folders = FOLDERS.map(Path::new);
        let read = Service::read(service, &folders).map_err(|error| error.to_string())?;
        match findings::account_line(&read) {
            AccountLine::Reached => Ok(()),
            AccountLine::Not(Finding::NoLine(_)) => {
                Err(format!("the service {service} has no account line of pam_twofactor"))
            }
            AccountLine::Not(finding) => {
                Err(format!("the account line of pam_twofactor in the service {service} does not count: {finding}"))
            }
        }
    }

    fn environment(&self, service: &str) -> Result<(), EnvironmentProblem> {
        environment::of_root(&Service::read(service, &FOLDERS.map(Path::new))?, Owner::ROOT)
    }
}
