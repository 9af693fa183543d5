//! `twofactor self`: users about themselves, without root, through the broker.
//!
//! Invariants: this process has no rights but its user's; who may do what, and whether a code is right, is the broker's word.
//! Nothing is stored before the last answer was sent, so a user who hangs up leaves nothing.

mod changing;
mod oneself;
mod ssh_key;
mod status;

use crate::args::own::Own;
use crate::commands::helpdesk;
use crate::error::Failure;
use crate::output::Output;
use oneself::Oneself;

pub(crate) fn run(arguments: &Own, output: &Output) -> Result<(), Failure> {
    let oneself = Oneself::of_this_process()?;
    match arguments {
        Own::Status(_) => status::run(&oneself, output),
        Own::Enroll(arguments) => changing::enroll(arguments, &oneself, output),
        Own::Replace(arguments) => changing::replace(arguments, &oneself, output),
        Own::Recovery(_) => changing::recovery(&oneself, output),
        Own::Reset(arguments) => changing::reset(arguments, &oneself, output),
        Own::Token(arguments) => changing::token(arguments, &oneself, output),
        Own::SshKey(arguments) => ssh_key::run(arguments, &oneself, output),
    }
}

/// `twofactor status` of a user without root: `typed` may be that user's name. Of another user the helpdesk asks.
pub(crate) fn status_of(typed: Option<&str>, output: &Output) -> Result<(), Failure> {
    let oneself = Oneself::of_this_process()?;
    match typed.filter(|typed| *typed != oneself.name().as_str()) {
        Some(other) => helpdesk::status(other, output),
        None => status::run(&oneself, output),
    }
}
