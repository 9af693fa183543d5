//! Enrolling an administrator on the way: so two commands protect a bare host, installing and this.

use crate::args;
use crate::commands::enroll::{self, ShownOnce};
use crate::error::{Failure, ServiceFailure};
use crate::host::Host;
use crate::journal;
use crate::output::{self, Format, Output};
use crate::terminal::{self, Yes};

/// Goes on where the only obstacle was that no administrator is enrolled, and the person at the terminal has one
/// enrolled now.
pub(super) fn enrolled_now(failure: Failure, host: &Host, output: &Output) -> Result<(), Failure> {
    let Some(name) = whom_to_enroll(&failure).filter(|_| terminal::is_interactive() && output.format() == Format::Text)
    else {
        return Err(failure);
    };
    output::progress(&format!("{failure}."));
    match terminal::ask_yes(&format!("Enroll {name} now? [y/N] "))? {
        Yes::Yes => {
            if enroll::enroll(&name, &args::Enroll::plainly(), host, output)? == ShownOnce::RecoveryCodes {
                // What follows is long and would push them off the screen.
                terminal::ask_to_go_on("Write the recovery codes down, then press Enter: ")?;
            }
            Ok(())
        }
        Yes::No => Err(failure),
    }
}

/// The typing user, when he is one of them and not just root; else the first, which is rather not root either.
fn whom_to_enroll(failure: &Failure) -> Option<String> {
    let Failure::Service(failure) = failure else { return None };
    let ServiceFailure::NobodyLeft { administrators, .. } = failure.as_ref() else { return None };
    let whoever_types = journal::actor_or_root();
    let himself = administrators.iter().find(|name| **name == whoever_types && whoever_types != "root");
    himself.or(administrators.first()).cloned()
}
