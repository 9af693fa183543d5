//! `twofactor-server host`: which hosts may ask.

use clap::Subcommand;
use twofactor_server::{Added, Again, FleetHosts, Keys, Postgresql};

use crate::failure::Failure;

/// A host of the fleet
#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Show a code with which a host may join
    Add {
        /// The name that its certificate will bear
        name: String,
        /// About whose users it may ask; about all without
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// The host is there already, and joins anew
        #[arg(long)]
        again: bool,
    },
    /// Let a host ask no more, from its next question on
    Revoke {
        /// Its name
        name: String,
    },
}

pub(crate) async fn run(command: &HostCommand, postgresql: Postgresql, keys: Keys) -> Result<(), Failure> {
    let hosts = FleetHosts::open(postgresql, keys).await?;
    match command {
        HostCommand::Add { name, groups, again } => {
            let again = if *again { Again::Joins } else { Again::Refused };
            match hosts.add(name, groups, again).await? {
                Added::Code(code) => println!("{}", *code),
                Added::IsThere => return Err(Failure::new(format!("{name} is there already"), "--again")),
                Added::NoName => {
                    return Err(Failure::new(format!("{name:?} is no name of a host"), "web1.example.org"));
                }
            }
            Ok(())
        }
        HostCommand::Revoke { name } if hosts.revoke(name).await? => Ok(()),
        HostCommand::Revoke { name } => Err(Failure::new(format!("there is no host {name}"), "twofactor host list")),
    }
}
