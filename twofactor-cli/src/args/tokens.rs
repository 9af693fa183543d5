//! The arguments of `token` and `series`, as they are typed.
//!
//! Invariants: passwords and keys come from files, descriptors or prompts. Codes may stand here: they are good for
//! a minute, and both of two are burned by `resync`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::codes::otp::{Algorithm, Digits, Period};
use twofactor_core::codes::token::Serial;
use twofactor_core::store::administration::LastCredential;
use twofactor_core::store::administration::Sharing;

use super::values::{PAGE, digits, period, serial};

const TOKEN_EXAMPLES: &str = "\
Examples:
  twofactor token import tokens.zip         ask for the password, import
  twofactor token assign 1234567891234 alice
  twofactor token list --user alice
  twofactor token resync 1234567891234      two codes set its clock right";

/// Physical tokens: import, list, assign, help with them
#[derive(Debug, Subcommand)]
#[command(help_template = PAGE, before_help = "Tokens bought with a seed file live in a registry that all users of this host share.", after_help = TOKEN_EXAMPLES)]
pub(crate) enum Token {
    Import(Box<Import>),
    List(List),
    Show(Show),
    Assign(Assign),
    Unassign(Unassign),
    /// Let tokens open logins again that were disabled or lost
    #[command(before_help = "They keep their owners.")]
    Enable(Change),
    /// Put tokens aside for a while
    #[command(before_help = "Their codes open nothing from the next login on. Their owners keep them.")]
    Disable(Change),
    /// Report tokens lost
    #[command(before_help = "Their codes open nothing from the next login on. \"enable\" when they are found.")]
    Lost(Change),
    /// End tokens for good
    #[command(
        before_help = "Their secrets are wiped and their owners lose them; their serials stay known and refused."
    )]
    Revoke(End),
    /// Forget tokens, as if they had never been imported
    #[command(before_help = "Which of their codes were used is kept, should they be imported again.")]
    Delete(End),
    Resync(TwoCodes),
    Verify(OneCode),
    Identify(Identify),
    Probe(Probe),
}

impl Token {
    /// True when the command only looks.
    pub(crate) fn changes_nothing(&self) -> bool {
        match self {
            Self::Import(import) => import.dry_run || import.explain,
            Self::List(_) | Self::Show(_) | Self::Verify(_) | Self::Identify(_) => true,
            Self::Probe(probe) => !probe.fix,
            Self::Assign(_)
            | Self::Unassign(_)
            | Self::Enable(_)
            | Self::Disable(_)
            | Self::Lost(_)
            | Self::Revoke(_)
            | Self::Delete(_)
            | Self::Resync(_) => false,
        }
    }
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  twofactor token import tokens.zip --explain
  twofactor token import tokens.zip --dry-run
  twofactor token import tokens.csv --series tokens-2026 --digits 8
  twofactor token import tokens.zip --password-file tokens.password
  gpg -d tokens.csv.gpg | twofactor token import -";

/// Take a vendor's seed file in
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "CSV, text, PSKC, or a zip file of them; told by the content. All of a file is imported or nothing. What is there already stays as it is.", after_help = IMPORT_EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "one a switch, as clap reads them")]
pub(crate) struct Import {
    /// The seed file; "-" is standard input
    pub(crate) file: PathBuf,
    /// The series the tokens join [default: a new one, named after the file]
    #[arg(long, value_name = "NAME", value_parser = series)]
    pub(crate) series: Option<String>,
    /// Read the password from the first line of a file; "-" is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The same from an open file descriptor
    #[arg(long, value_name = "N", conflicts_with = "password_file")]
    pub(crate) password_fd: Option<u32>,
    /// Read the pre-shared key of a PSKC file from a file: raw bytes or hex
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// The entry of a zip file to import [default: every entry that holds seeds]
    #[arg(long, value_name = "NAME")]
    pub(crate) entry: Option<String>,
    /// The file's format [auto: told by its content]
    #[arg(long, value_name = "FORMAT", default_value = "auto", hide_default_value = true)]
    pub(crate) format: FileFormat,
    /// The field of an authenticator app's entry that becomes the serial
    #[arg(long, value_name = "FIELD")]
    pub(crate) serial_from: Option<SerialFrom>,
    /// The encoding of secrets [auto: told by all of them together]
    #[arg(long, value_name = "ENCODING", default_value = "auto", hide_default_value = true)]
    pub(crate) encoding: SeedEncoding,
    /// Codes by time or by counter [default: as the file says, else totp]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<KindName>,
    /// SHA1, SHA256 or SHA512 [default: as the file says, else SHA1]
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm: Option<Algorithm>,
    /// Digits of a code: 6, 7 or 8 [default: as the file says, else 6]
    #[arg(long, value_name = "N", value_parser = digits)]
    pub(crate) digits: Option<Digits>,
    /// Seconds a code is shown, 10 to 300 [default: as the file says, else 30]
    #[arg(long, value_name = "SECONDS", value_parser = period)]
    pub(crate) period: Option<Period>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Say how the file is understood, with its first row and without secrets
    #[arg(long, conflicts_with_all = ["dry_run", "keep_going", "series"])]
    pub(crate) explain: bool,
    /// Refuse a file that leaves something unsaid or is not understood in full
    #[arg(long)]
    pub(crate) strict: bool,
    /// Import the good rows of a file that has bad ones
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Import tokens whose secrets users' apps have
    #[arg(long)]
    force: bool,
    /// Write the rows that were not imported to a new file
    #[arg(long, value_name = "FILE", requires = "keep_going")]
    pub(crate) rejects: Option<PathBuf>,
}

impl Import {
    pub(crate) fn sharing(&self) -> Sharing {
        if self.force { Sharing::Allow } else { Sharing::Refuse }
    }
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    Auto,
    Csv,
    Pskc,
}

/// `--serial-from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SerialFrom {
    Issuer,
    Label,
    Number,
}

/// `--encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeedEncoding {
    Auto,
    Base32,
    Hex,
}

/// `--type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindName {
    Totp,
    Hotp,
}

/// List tokens
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Sorted by serial. All conditions must hold.")]
pub(crate) struct List {
    /// Of this series
    #[arg(long, value_name = "SERIES")]
    pub(crate) series: Option<String>,
    /// inventory, assigned, active, disabled, lost or revoked
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<Stage>,
    /// Assigned to this user
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// With a serial like this, such as "12345*"
    #[arg(long, value_name = "GLOB")]
    pub(crate) serial: Option<String>,
    /// Print comma-separated values with a header
    #[arg(long, conflicts_with_all = ["json_lines", "json"])]
    pub(crate) csv: bool,
    /// Print one JSON object a line; --json prints one array
    #[arg(long)]
    pub(crate) json_lines: bool,
}

/// Show everything about a token but its secret
#[derive(Debug, Args)]
#[command(help_template = PAGE)]
pub(crate) struct Show {
    /// The token
    #[arg(value_parser = serial)]
    pub(crate) serial: Serial,
}

const ASSIGN_USAGE: &str = "\
twofactor token assign [OPTIONS] <SERIAL> <USER>
       twofactor token assign [OPTIONS] --from <FILE>";

const ASSIGN_EXAMPLES: &str = "\
Examples:
  twofactor token assign 1234567891234 alice
  twofactor token assign --from owners.csv      lines of SERIAL,USER";

/// Give a token to a user, or tokens to users
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Its codes open the user's next login. Of a file all lines are done or none.", override_usage = ASSIGN_USAGE, after_help = ASSIGN_EXAMPLES)]
pub(crate) struct Assign {
    /// The token
    #[arg(value_parser = serial, required_unless_present = "from", requires = "user", conflicts_with = "from")]
    pub(crate) serial: Option<Serial>,
    /// The user who gets it
    pub(crate) user: Option<String>,
    /// Read lines of SERIAL,USER from a file; "-" is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Do it even if another user has the same secret
    #[arg(long)]
    force: bool,
}

impl Assign {
    pub(crate) fn sharing(&self) -> Sharing {
        if self.force { Sharing::Allow } else { Sharing::Refuse }
    }
}

/// Take a token from its owner
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The next login with it is refused. The token is back in inventory.")]
pub(crate) struct Unassign {
    /// The token
    #[arg(value_parser = serial)]
    pub(crate) serial: Serial,
    #[command(flatten)]
    pub(crate) force: Force,
}

// `--force`, wherever a user's last credential may be taken.
#[derive(Debug, Args)]
pub(crate) struct Force {
    /// Do it even if an owner has nothing else to log in with
    #[arg(long)]
    force: bool,
}

impl Force {
    pub(crate) fn last_credential(&self) -> LastCredential {
        if self.force { LastCredential::Take } else { LastCredential::Keep }
    }
}

// `--yes`, wherever a question comes before what cannot be undone.
#[derive(Debug, Args)]
pub(crate) struct Yes {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

// Of `enable`, `disable` and `lost`, which say themselves what they are.
#[derive(Debug, Args)]
#[command(help_template = PAGE)]
pub(crate) struct Change {
    /// The tokens; all are changed or none
    #[arg(value_parser = serial, required = true)]
    pub(crate) serials: Vec<Serial>,
}

// Of `revoke` and `delete`.
#[derive(Debug, Args)]
#[command(help_template = PAGE)]
pub(crate) struct End {
    /// The tokens; all are changed or none
    #[arg(value_parser = serial, required = true)]
    pub(crate) serials: Vec<Serial>,
    #[command(flatten)]
    pub(crate) force: Force,
    #[command(flatten)]
    pub(crate) yes: Yes,
}

/// Set a token's clock or counter right with two consecutive codes
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Searches a day either way, or 1000 codes of a counter. Both codes are used up. Without them they are asked for, or read from standard input, a line each.")]
pub(crate) struct TwoCodes {
    /// The token
    #[arg(value_parser = serial)]
    pub(crate) serial: Serial,
    #[command(flatten)]
    pub(crate) codes: Codes,
}

// Two consecutive codes.
#[derive(Debug, Args)]
pub(crate) struct Codes {
    /// The code that the token shows
    #[arg(requires = "code2")]
    pub(crate) code1: Option<String>,
    /// The code that it shows next
    pub(crate) code2: Option<String>,
}

/// Say whether a token shows this code now
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Burns nothing and counts nothing. Without CODE it is asked for, or read from standard input.")]
pub(crate) struct OneCode {
    /// The token
    #[arg(value_parser = serial)]
    pub(crate) serial: Serial,
    /// The code
    pub(crate) code: Option<String>,
}

/// Find the token that shows two consecutive codes
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "For a token without a readable serial. Looks at every token; burns nothing.")]
pub(crate) struct Identify {
    #[command(flatten)]
    pub(crate) codes: Codes,
}

/// Find out which parameters fit what a token shows
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "For seed files that do not say. Tries encoding, type, hash and period. Burns nothing.")]
pub(crate) struct Probe {
    /// The token
    #[arg(value_parser = serial)]
    pub(crate) serial: Serial,
    #[command(flatten)]
    pub(crate) codes: Codes,
    /// Give what fits to all tokens of the series, without asking
    #[arg(long)]
    pub(crate) fix: bool,
}

/// Series: all tokens that came together
#[derive(Debug, Subcommand)]
#[command(help_template = PAGE, before_help = "A series is what one import brought, or several imports into one name.")]
pub(crate) enum Series {
    /// List all series
    #[command(help_template = PAGE)]
    List,
    /// Show a series and the files it came from
    #[command(help_template = PAGE)]
    Show {
        /// The series
        series: String,
    },
    Delete(DeleteSeries),
}

/// Forget a series and all its tokens
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Which of their codes were used is kept, should they be imported again.")]
pub(crate) struct DeleteSeries {
    /// The series
    pub(crate) series: String,
    #[command(flatten)]
    pub(crate) force: Force,
    #[command(flatten)]
    pub(crate) yes: Yes,
}

fn series(text: &str) -> Result<String, &'static str> {
    if is_series_name(text) {
        Ok(text.to_owned())
    } else {
        Err("a series is 1 to 64 characters without control characters, and without spaces at its ends")
    }
}

/// True when a series can have this name.
pub(crate) fn is_series_name(text: &str) -> bool {
    let plain = !text.chars().any(char::is_control) && text.trim() == text;
    plain && (1..=64).contains(&text.chars().count())
}
