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
  twofactor import oath-users /etc/users.oath
  twofactor import migration export.png --user alice";

/// Take over users of another system, who enroll nothing anew
#[derive(Debug, Subcommand)]
#[command(name = "import", help_template = PAGE, before_help = "Secrets come along with the codes that were used, so that none is good once more. The other system's files stay as they are. Physical tokens come with \"twofactor token import\".", after_help = EXAMPLES)]
pub(crate) enum Import {
    GoogleAuthenticator(GoogleAuthenticator),
    OathUsers(OathUsers),
    /// Take over the apps of otpauth:// URIs, one a line
    Otpauth(AppExport),
    /// Take over an app from Google Authenticator's export
    Migration(AppExport),
    /// Take over an app from the plain export of Aegis
    Aegis(AppExport),
    /// Take over an app from the plain export of 2FAS
    Twofas(AppExport),
    #[command(name = "pam-u2f")]
    PamU2f(PamU2f),
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

/// Take over an app that a user has
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The file is text, or a picture (PNG) of its QR code; \"-\" is standard input. It does not say which codes were used, so those of now are not good.")]
pub(crate) struct AppExport {
    /// The file, unencrypted
    pub(crate) file: PathBuf,
    /// The user who has the app
    #[arg(long, value_name = "USER")]
    pub(crate) user: String,
    /// The entry that is taken, by its account or its number; may be repeated
    #[arg(long = "entry", value_name = "NAME")]
    pub(crate) entries: Vec<String>,
    #[command(flatten)]
    pub(crate) taking: Taking,
}

/// Say which keys the users of pam_u2f have; nothing is stored
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Keys in a USB port are not asked here yet. The line of pam_u2f can stay beside the module's.")]
pub(crate) struct PamU2f {
    /// The file, as authfile= in the line of PAM says; "-" is standard input
    pub(crate) file: PathBuf,
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
