//! The arguments of `state`, as they are typed.

use clap::{Args, Subcommand};

use super::values::PAGE;

/// Say which state belongs to this host, and its accounts to whom
#[derive(Debug, Subcommand)]
#[command(help_template = PAGE, before_help = "The state has a random identity, which state.id beside the configuration names. Logins use no other state: one that is not mounted is never taken for an empty one.")]
pub(crate) enum State {
    Adopt(Adopt),
    AdoptUids(AdoptUids),
    Mark(Mark),
}

/// Make the state that is there now the one of this host
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "For the state of a clone, an image or a moved disk, and after /etc was restored. Says what is there before it asks.")]
pub(crate) struct Adopt {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Make accounts belong to the uids that their users have now
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "An account remembers its user's uid, and opens nothing for another person who gets the name. This is for users who are the same and have other uids, as after a renumbering. Shows every change before it asks. For another person: twofactor reset USER.")]
pub(crate) struct AdoptUids {
    /// These users (default: all whom the host knows)
    #[arg(value_name = "USER")]
    pub(crate) users: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Name the state that is there, if nothing names one yet
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Every command that changes something does this on the way; packages do it when they are upgraded. Does nothing where no account is.")]
pub(crate) struct Mark {}

const RENAME_EXAMPLES: &str = "\
Examples:
  usermod -l alice2 alice
  twofactor rename alice alice2";

/// Give a user's account to the user's new login name
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "For a user whom \"usermod -l\" has renamed, and who is the same person: apps, physical tokens, recovery codes, ssh keys and the invitation go along, with all codes that were used and all that was counted. Where the uid has changed, too, it asks. Can be repeated after an interruption.", after_help = RENAME_EXAMPLES)]
pub(crate) struct Rename {
    /// The name that the account has
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// The name that the user has now
    #[arg(value_name = "NEW")]
    pub(crate) new: String,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}
