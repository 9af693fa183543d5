//! The arguments of `import`, as they are typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use twofactor_core::store::administration::{Existing, Sharing};

use super::values::PAGE;

const EXAMPLES: &str = "\
Examples:
  twofactor import google-authenticator --all --dry-run
  twofactor import google-authenticator --all --from-pam
  twofactor import google-authenticator --user alice
  twofactor import oath-users /etc/users.oath";

/// Take over users of another system, who enroll nothing anew
#[derive(Debug, Subcommand)]
#[command(name = "import", help_template = PAGE, before_help = "Secrets come along with the codes that were used, so that none is good once more. The other system's files stay as they are. Physical tokens come with \"twofactor token import\".", after_help = EXAMPLES)]
pub(crate) enum Import {
    GoogleAuthenticator(GoogleAuthenticator),
    OathUsers(OathUsers),
}

/// Take over users of pam_google_authenticator
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Reads the file of a user, .google_authenticator in the home folder unless PAM or FILE say another, with the rights of its owner and no more. Scratch codes become recovery codes. A user who is enrolled already is left alone.")]
pub(crate) struct GoogleAuthenticator {
    /// The user's file, where it is neither in the home folder nor named by PAM
    #[arg(conflicts_with_all = ["all", "from_pam"])]
    pub(crate) file: Option<PathBuf>,
    /// The user who is taken over
    #[arg(long, value_name = "USER", required_unless_present = "all")]
    pub(crate) user: Option<String>,
    /// Every user who has a file
    #[arg(long, conflicts_with = "user")]
    pub(crate) all: bool,
    /// Look for the files where the lines of pam_google_authenticator in PAM look: secret=, user=
    #[arg(long)]
    pub(crate) from_pam: bool,
    #[command(flatten)]
    pub(crate) taking: Taking,
}

/// Take over users of pam_oath
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Every line is a token; several lines of a user are several apps. A PIN that stood before the code is no longer asked for.")]
pub(crate) struct OathUsers {
    /// The file, as usersfile= in the line of PAM says; "-" is standard input
    pub(crate) file: PathBuf,
    /// Only the tokens of this user
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) taking: Taking,
}

/// Options of every import.
#[derive(Debug, Args)]
pub(crate) struct Taking {
    /// Put these secrets and recovery codes in the place of those of users who are enrolled
    #[arg(long)]
    replace: bool,
    /// Take a secret that another user or a token has
    #[arg(long)]
    force: bool,
    /// Say what would be taken over, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Taking {
    /// For users who have nothing here yet.
    pub(crate) fn of_new_users(dry_run: bool) -> Self {
        Self { replace: false, force: false, dry_run }
    }

    pub(crate) fn existing(&self) -> Existing {
        if self.replace { Existing::Replace } else { Existing::Keep }
    }

    pub(crate) fn sharing(&self) -> Sharing {
        if self.force { Sharing::Allow } else { Sharing::Refuse }
    }
}
