//! `twofactor import`: users of another system are taken over with their secrets.

mod app_export;
mod foreign_file;
mod google_authenticator;
mod lines;
mod oath_users;
mod pam_u2f;
mod picture;
mod taking_over;

use twofactor_admin::seed_files::App;

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
        Import::PamU2f(arguments) => pam_u2f::run(arguments, output),
        Import::Otpauth(arguments) => app_export::run(App::Uris, arguments, host, output),
        Import::Migration(arguments) => app_export::run(App::Migration, arguments, host, output),
        Import::Aegis(arguments) => app_export::run(App::Aegis, arguments, host, output),
        Import::Twofas(arguments) => app_export::run(App::TwoFas, arguments, host, output),
    }
}
