//! The arguments of `service`, as they are typed.

use clap::{Args, Subcommand, ValueEnum};

use super::values::PAGE;

const SERVICE_EXAMPLES: &str = "\
Examples:
  twofactor service list
  twofactor service enable sshd --dry-run    show the diff, write nothing
  twofactor service enable sshd sudo
  twofactor service enable sshd --security-keys
  twofactor service enable sshd --replace    in the place of google-authenticator
  twofactor service disable sshd             as it was before";

/// Put the module into PAM services, or take it out
#[derive(Debug, Subcommand)]
#[command(help_template = PAGE, before_help = "A service is a file in /etc/pam.d. Every change is shown and asked about; a copy is kept.", after_help = SERVICE_EXAMPLES)]
pub(crate) enum Service {
    List(ListServices),
    Enable(Enable),
    Disable(Disable),
}

/// Show which services run the module, where and how
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Files are read as libpam reads them, with all they include.")]
pub(crate) struct ListServices {
    /// Every service of this host, also those that do not run it
    #[arg(long)]
    pub(crate) all: bool,
}

/// Ask for a second factor in these services
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Puts an auth line behind the password and an account line in its place, whatever the layout, and follows every way the result can end before it is written. For sshd also the settings it needs. Keep a root session open until a login has worked.")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option as it is typed")]
pub(crate) struct Enable {
    /// Names of files in /etc/pam.d: sshd, login, sudo, su
    #[arg(required = true, value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// These alone, not those that are used like them: sudo without sudo-i
    #[arg(long)]
    pub(crate) only: bool,
    /// sshd demands a key, and of security keys a touch, or a PIN as well
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "touch")]
    pub(crate) security_keys: Option<KeyProof>,
    /// Take over the users of pam_google_authenticator or pam_oath, and take their lines out
    #[arg(long)]
    pub(crate) replace: bool,
    /// Show what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Even if no administrator, or no user at all, could log in then
    #[arg(long)]
    pub(crate) force: bool,
}

/// `--security-keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyProof {
    Touch,
    Verify,
}

/// Stop asking for a second factor in these services
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "A file without changes since then becomes what it was, to the byte; otherwise only what \"enable\" did is taken back.")]
pub(crate) struct Disable {
    /// Names of files in /etc/pam.d
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Every service that "enable" changed
    #[arg(long)]
    pub(crate) all: bool,
    /// Show what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}
