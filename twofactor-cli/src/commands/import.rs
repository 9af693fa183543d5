//! `twofactor import`: users of another system are taken over with their secrets.

mod foreign_file;
mod google_authenticator;
mod lines;
mod oath_users;
mod taking_over;

use crate::args::import::Import;
use crate::error::Failure;
use crate::host::Host;
use crate::output::Output;

pub(crate) use lines::take_over_users_of;
pub(crate) use taking_over::{UserResult, failure, summary};

pub(crate) fn run(arguments: &Import, host: &Host, output: &Output) -> Result<(), Failure> {
    match arguments {
        Import::GoogleAuthenticator(arguments) => google_authenticator::run(arguments, host, output),
        Import::OathUsers(arguments) => oath_users::run(arguments, host, output),
    }
}
