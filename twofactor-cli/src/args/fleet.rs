//! The arguments of `fleet` and `host`, as they are typed.

use clap::{Args, Subcommand};
use twofactor_core::config::fleet::ServerAddress;

use super::values::PAGE;

const FLEET_EXAMPLES: &str = "\
Examples:
  twofactor fleet join otp1.example.org otp2.example.org
  twofactor fleet status";

/// This host as one of a fleet, with a central store of accounts
#[derive(Debug, Subcommand)]
#[command(help_template = PAGE, before_help = "A host of a fleet asks the central store about users who have no account of this host alone.", after_help = FLEET_EXAMPLES)]
pub(crate) enum Fleet {
    Join(JoinFleet),
    Status(FleetStatus),
}

/// Make this host one of a fleet
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Asks for the join code that \"twofactor host add NAME\" shows on the central machine. Nothing is sent to a server that is not the one that the code is from. Makes a key that stays here, gets a certificate for it, names the servers in the configuration and starts twofactor-link.")]
pub(crate) struct JoinFleet {
    /// The servers, as NAME or NAME:PORT
    #[arg(required = true, value_name = "SERVER", value_parser = server)]
    pub(crate) servers: Vec<ServerAddress>,
    /// This host has joined before, and joins anew
    #[arg(long)]
    pub(crate) again: bool,
}

/// Say which servers answer, and until when this host's certificate is good
#[derive(Debug, Args)]
#[command(help_template = PAGE)]
pub(crate) struct FleetStatus {}

const HOST_EXAMPLES: &str = "\
Examples:
  twofactor host add web1.example.org
  twofactor host add db1.example.org --group dba
  twofactor host list
  twofactor host revoke web1.example.org";

/// The hosts of a fleet, on its central machine
#[derive(Debug, Subcommand)]
#[command(help_template = PAGE, before_help = "A host that has joined may ask about logins. What else it may stands in [[host]] of twofactor.toml(5).", after_help = HOST_EXAMPLES)]
pub(crate) enum FleetHost {
    Add(AddHost),
    List(ListHosts),
    Revoke(RevokeHost),
}

/// Show a code with which a host may join
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The code is good once, for an hour and five tries. It is typed on the host: twofactor fleet join SERVER.")]
pub(crate) struct AddHost {
    /// The name that the certificate of the host will bear
    pub(crate) name: String,
    /// A group about whose members it may ask; repeatable. Without, about each user
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// The host is there already and joins anew: its certificate ends when it does
    #[arg(long)]
    pub(crate) again: bool,
}

/// List the hosts
#[derive(Debug, Args)]
#[command(help_template = PAGE)]
pub(crate) struct ListHosts {}

/// Let a host ask nothing more, from its next question on
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Ends its certificates and join codes. Added again, it joins anew.")]
pub(crate) struct RevokeHost {
    /// Its name
    pub(crate) name: String,
}

fn server(text: &str) -> Result<ServerAddress, &'static str> {
    ServerAddress::parse(text).ok_or("a name of a host, with a port behind a colon or without")
}
