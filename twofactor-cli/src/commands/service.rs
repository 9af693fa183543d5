//! `twofactor service`: which PAM services run the module, and putting it in or taking it out.
//!
//! Where lines go and whether the result is right is the business of `twofactor_admin::pam_editing`; here files are read,
//! changes shown, and written with a record of what they were.

mod administrators;
mod change;
mod disable;
mod enable;
mod enable_plan;
mod first_administrator;
mod first_factor;
mod leftovers;
mod list;
mod plan;
mod programs;
mod records;
mod rehearsal;
mod remarks;
mod replacing;
mod siblings;
mod sshd;

pub(super) use change::Change;

use std::path::Path;

use crate::args;
use crate::error::Failure;
use crate::host::Host;
use crate::output::Output;

pub(crate) fn run(arguments: &args::Service, file: Option<&Path>, output: &Output) -> Result<(), Failure> {
    match arguments {
        args::Service::List(arguments) => list::run(arguments, &Host::open(file)?, output),
        args::Service::Enable(arguments) => enable::run(arguments, &Host::open(file)?, output),
        args::Service::Disable(arguments) => disable::run(arguments, file, output),
    }
}
