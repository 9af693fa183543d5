//! The commands, one file each: what the arguments mean, what the core is asked to do, and what is said about it.

mod attestation;
mod backup;
mod bulk;
mod code;
mod complete;
mod completions;
mod config;
mod doctor;
mod enroll;
mod explain;
mod export;
mod fleet;
mod fleet_host;
mod fleet_report;
mod handing_out;
mod helpdesk;
mod import;
mod invite;
mod list_file;
mod log;
mod migrate;
mod missing;
mod offer;
mod own;
mod recovery;
mod rename;
mod reset;
mod restore;
mod series;
mod service;
mod show_qr;
mod ssh_key;
mod state;
mod status;
mod token;
mod undone;
mod unlock;
mod verify;

use nix::unistd::geteuid;

use crate::args::ssh_keys::SshKey;
use crate::args::{Command, Series, Token, Typed};
use crate::error::Failure;
use crate::host::Host;
use crate::output::Output;

/// Does what was typed.
pub(crate) fn run(typed: Typed, output: &Output) -> Result<(), Failure> {
    let file = typed.global.config.as_deref();
    // The broker reads its own configuration.
    let asks_broker = !geteuid().is_root() && file.is_none();
    match typed.command {
        Command::Enroll(arguments) if arguments.from.is_some() => {
            bulk::run(&arguments, &Host::to_change(file)?, output)
        }
        Command::Enroll(arguments) => enroll::run(&arguments, &Host::to_change(file)?, output),
        Command::Own(arguments) => own::run(&arguments, output),
        Command::Status(arguments) if !arguments.missing && !arguments.csv && !geteuid().is_root() => {
            own::status_of(arguments.user.as_deref(), output)
        }
        Command::Status(arguments) if arguments.missing => missing::run(&arguments, &Host::open(file)?, output),
        Command::Status(arguments) => status::run(&arguments, &Host::open(file)?, output),
        Command::Verify(arguments) if asks_broker => helpdesk::verify(arguments, output),
        Command::Verify(arguments) => verify::run(arguments, &Host::open(file)?, output),
        Command::ShowQr(arguments) => show_qr::run(&arguments, &Host::open(file)?, output),
        Command::Reset(arguments) if asks_broker => helpdesk::reset(&arguments, output),
        Command::Reset(arguments) => reset::run(&arguments, &Host::to_change(file)?, output),
        Command::Recovery(arguments) => recovery::run(&arguments, &Host::to_change(file)?, output),
        Command::Backup(arguments) => backup::run(&arguments, &Host::to_change(file)?, output),
        Command::Restore(arguments) => restore::run(&arguments, &Host::open(file)?, output),
        Command::Rename(arguments) => rename::run(&arguments, &Host::to_change(file)?, output),
        Command::Export(arguments) => export::run(&arguments, &Host::open(file)?, output),
        Command::Migrate(_) => migrate::run(&Host::to_change(file)?, output),
        Command::Unlock(arguments) if asks_broker => helpdesk::unlock(&arguments, output),
        Command::Unlock(arguments) => unlock::run(&arguments, &Host::to_change(file)?, output),
        Command::Invite(arguments) => invite::run(&arguments, &Host::to_change(file)?, output),
        Command::Code(arguments) if asks_broker => helpdesk::code(&arguments, output),
        Command::Code(arguments) => code::run(&arguments, &Host::to_change(file)?, output),
        Command::Fleet(arguments) => fleet::run(&arguments, file, output),
        Command::FleetHost(arguments) => fleet_host::run(&arguments, file, output),
        Command::Service(arguments) => service::run(&arguments, file, output),
        Command::State(arguments) => state::run(&arguments, &Host::open(file)?, output),
        Command::Explain(arguments) => explain::run(&arguments, file, output),
        Command::Log(arguments) => log::run(&arguments, file, output),
        Command::Token(Token::Assign(arguments)) if asks_broker => helpdesk::assign(&arguments, output),
        Command::Token(Token::Resync(arguments)) if asks_broker => helpdesk::resync(arguments, output),
        Command::Token(arguments) if arguments.changes_nothing() => token::run(arguments, &Host::open(file)?, output),
        Command::Token(arguments) => token::run(arguments, &Host::to_change(file)?, output),
        Command::Series(arguments @ Series::Delete(_)) => series::run(arguments, &Host::to_change(file)?, output),
        Command::Series(arguments) => series::run(arguments, &Host::open(file)?, output),
        Command::Import(arguments) => import::run(&arguments, &Host::to_change(file)?, output),
        Command::SshKey(arguments @ SshKey::List(_)) => ssh_key::run(&arguments, &Host::open(file)?, output),
        Command::SshKey(arguments) => ssh_key::run(&arguments, &Host::to_change(file)?, output),
        Command::Doctor(arguments) => doctor::run(&arguments, file, output),
        Command::Config(arguments) => config::run(&arguments, file, output),
        Command::Complete(arguments) => complete::run(&arguments, file),
        Command::Completions(arguments) => completions::run(&arguments),
        // Answered where the arguments are read.
        Command::Help(_) | Command::Version => Ok(()),
    }
}
