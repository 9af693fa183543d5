//! `twofactor token …`: physical tokens. One file for each thing that is done with them.

pub(super) mod assign;
mod change;
pub(super) mod codes;
mod doubts;
mod helpdesk;
mod import;
mod list;
mod probe;
mod rejects;
pub(super) mod rendering;
pub(super) mod resync;
mod seed_file;
mod show;
mod understanding;

use twofactor_core::account::lifecycle::Change;

use crate::args::Token;
use crate::error::Failure;
use crate::host::Host;
use crate::output::Output;

/// Does what was typed behind `token`.
pub(super) fn run(arguments: Token, host: &Host, output: &Output) -> Result<(), Failure> {
    match arguments {
        Token::Import(arguments) => import::run(&arguments, host, output),
        Token::List(arguments) => list::run(&arguments, host, output),
        Token::Show(arguments) => show::run(&arguments, host, output),
        Token::Assign(arguments) => assign::assign(&arguments, host, output),
        Token::Unassign(arguments) => assign::unassign(&arguments, host, output),
        Token::Enable(arguments) => change::set(&arguments, Change::Enable, host, output),
        Token::Disable(arguments) => change::set(&arguments, Change::Disable, host, output),
        Token::Lost(arguments) => change::set(&arguments, Change::ReportLost, host, output),
        Token::Revoke(arguments) => change::end(&arguments, change::End::Revoke, host, output),
        Token::Delete(arguments) => change::end(&arguments, change::End::Delete, host, output),
        Token::Resync(arguments) => resync::run(arguments, host, output),
        Token::Verify(arguments) => helpdesk::verify(arguments, host, output),
        Token::Identify(arguments) => helpdesk::identify(arguments, host, output),
        Token::Probe(arguments) => probe::run(arguments, host, output),
    }
}
