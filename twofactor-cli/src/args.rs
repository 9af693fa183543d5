//! The arguments as they are typed: names, ranges and help texts. What they mean is each command's business.
//!
//! Invariants: nothing secret is taken from here, because every user of the host can read a process's arguments.
//! The code of `verify` is the one exception: it is good for a minute and the sysadmin chose to type it there.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use twofactor_core::account::MOST_RECOVERY_CODES;
use twofactor_core::codes::otp::{Algorithm, Digits, Period};
use twofactor_core::codes::token::Label;
use twofactor_core::store::administration::Sharing;

pub(crate) use log::Log;
pub(crate) use services::Service;
pub(crate) use tokens::{Series, Token};

use crate::output::{ColorChoice, Format, Output, Verbosity};
use crate::qr::{ImageFormat, QrChoice, QrFile};

use values::{PAGE, digits, label, period};

pub(crate) mod backup;
pub(crate) mod fleet;
pub(crate) mod import;
pub(crate) mod leaving;
pub(crate) mod log;
pub(crate) mod own;
pub(crate) mod services;
pub(crate) mod ssh_keys;
pub(crate) mod state;
pub(crate) mod tokens;
mod values;

/// The command line as clap knows it.
pub(crate) fn command_line() -> clap::Command {
    Typed::command()
}

const EXAMPLES: &str = "\
Examples:
  twofactor enroll alice           show a QR code, ask for a code, enroll
  twofactor status                 who is enrolled
  twofactor verify alice 123456    would this code open a session now?
  twofactor reset alice            alice lost her phone
  twofactor service enable sshd    ask for codes at ssh logins
  twofactor explain alice --service sshd    what is she asked, and why
  twofactor doctor                 what is wrong with this host
  twofactor token import f.zip     physical tokens from a vendor's seed file

Exit codes:
  0 done    1 failed    2 usage    3 no such user, token or series
  4 not permitted    5 the code is wrong, replayed or not confirmed
  6 wrong password or key for a file, or it is damaged
  7 refused, the hint says what overrides    8 the input file is invalid
  9 the configuration is invalid";

/// Manages the second factor of this host's users
#[derive(Debug, Parser)]
#[command(
    name = "twofactor",
    version,
    max_term_width = 80,
    help_template = PAGE,
    before_help = "A user who is enrolled is asked for a one-time code at login, by the PAM module pam_twofactor.",
    after_help = EXAMPLES,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true
)]
pub(crate) struct Typed {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Read this configuration instead of /etc/twofactor/twofactor.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results only, without explanations
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Draw and write in colour: on a terminal, always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
}

impl Global {
    /// The form in which this run prints.
    pub(crate) fn output(&self) -> Output {
        Output {
            format: if self.json { Format::Json } else { Format::Text },
            verbosity: if self.quiet { Verbosity::Quiet } else { Verbosity::Normal },
            color: self.color,
        }
    }
}

/// One command. What it is for is said by its arguments' documentation, which is also its help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Enroll(Enroll),
    Status(Status),
    Verify(Verify),
    #[command(name = "qr")]
    ShowQr(ShowQr),
    Reset(Reset),
    Recovery(Recovery),
    Unlock(Unlock),
    Invite(Invite),
    Code(Code),
    #[command(subcommand, name = "self")]
    Own(own::Own),
    #[command(subcommand)]
    Token(Token),
    #[command(subcommand)]
    Series(Series),
    #[command(subcommand)]
    Import(import::Import),
    #[command(subcommand)]
    SshKey(ssh_keys::SshKey),
    #[command(subcommand)]
    Fleet(fleet::Fleet),
    #[command(subcommand, name = "host")]
    FleetHost(fleet::FleetHost),
    #[command(subcommand)]
    Service(Service),
    #[command(subcommand)]
    State(state::State),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Migrate(Migrate),
    Rename(state::Rename),
    Export(leaving::Export),
    Explain(Explain),
    Log(Log),
    Doctor(Doctor),
    #[command(subcommand)]
    Config(Config),
    Completions(Completions),
    #[command(hide = true)]
    Complete(Complete),
    Help(Help),
    /// Print the version
    Version,
}

const ENROLL_EXAMPLES: &str = "\
Examples:
  twofactor enroll alice
  twofactor enroll alice --label tablet         a second app beside the first
  twofactor enroll alice --replace              a new phone; the old secret is
                                                good until the new is confirmed
  twofactor enroll alice --qr-file alice.png    the QR code as a file
  twofactor enroll alice --no-confirm --json    from a script
  twofactor enroll --from users.txt --qr-dir codes    many at once";

const ENROLL_USAGE: &str = "\
twofactor enroll [OPTIONS] <USER>
       twofactor enroll [OPTIONS] --from <FILE> --qr-dir <FOLDER>";

/// Give a user an authenticator-app secret
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Shows the secret as a QR code, as text and as an otpauth URI, and asks for a code of the app. Nothing is stored until a code is right. Recovery codes are shown this one time only.", override_usage = ENROLL_USAGE, after_help = ENROLL_EXAMPLES)]
pub(crate) struct Enroll {
    /// The user who gets the secret
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub(crate) user: Option<String>,
    /// The user's name for the app
    #[arg(long, default_value = "app", value_name = "LABEL", value_parser = label)]
    pub(crate) label: Label,
    /// The issuer of the secret, as the app shows it [default: the configured issuer, else the host's name]
    #[arg(long, value_name = "ISSUER", value_parser = issuer)]
    pub(crate) issuer: Option<String>,
    /// SHA1, SHA256 or SHA512; many apps know SHA1 only [default: as configured]
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm: Option<Algorithm>,
    /// Digits of a code: 6, 7 or 8 [default: as configured]
    #[arg(long, value_name = "N", value_parser = digits)]
    pub(crate) digits: Option<Digits>,
    /// Seconds a code is shown, 10 to 300 [default: as configured]
    #[arg(long, value_name = "SECONDS", value_parser = period)]
    pub(crate) period: Option<Period>,
    /// A counter makes the codes (HOTP), not the time (TOTP)
    #[arg(long, conflicts_with = "period")]
    pub(crate) counter: bool,
    /// Take the secret (base32) from a file; "-" is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// The drawing of the QR code: as the terminal allows, in half blocks, in number signs, not at all
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) qr: QrChoice,
    /// Write the QR code to a new file, FILE.png or FILE.svg
    #[arg(long, value_name = "FILE")]
    pub(crate) qr_file: Option<QrFile>,
    /// Put the new secret in the place of an existing one of that label
    #[arg(long)]
    pub(crate) replace: bool,
    /// Store the secret without asking for a code
    #[arg(long)]
    pub(crate) no_confirm: bool,
    /// Enroll the users of a file, one a line, without asking for codes; "-" is standard input
    #[arg(long, value_name = "FILE", requires = "qr_dir", conflicts_with_all = ["secret_file", "qr", "qr_file", "replace"])]
    pub(crate) from: Option<PathBuf>,
    /// With --from: the folder for QR codes and recovery codes, two files a user
    #[arg(long, value_name = "FOLDER", requires = "from")]
    pub(crate) qr_dir: Option<PathBuf>,
    /// With --from: the form of the QR codes, png or svg [default: png]
    #[arg(long, value_name = "FORMAT", requires = "from", hide_possible_values = true)]
    pub(crate) qr_format: Option<ImageFormat>,
    #[command(flatten)]
    shared: Shared,
}

// `--force`, where a secret comes from elsewhere, and the store that gets it.
#[derive(Debug, Args)]
struct Shared {
    /// Take a secret that another user or a token has
    #[arg(long, requires = "secret_file")]
    force: bool,
    /// On a host of a fleet, or the machine of its central store: an account of this host alone
    #[arg(long)]
    local: bool,
}

impl Enroll {
    /// True for an account of this host alone.
    pub(crate) fn is_local(&self) -> bool {
        self.shared.local
    }

    pub(crate) fn sharing(&self) -> Sharing {
        if self.shared.force { Sharing::Allow } else { Sharing::Refuse }
    }

    /// `twofactor enroll` without options.
    pub(crate) fn plainly() -> Self {
        Self {
            user: None,
            label: Label::app(),
            issuer: None,
            algorithm: None,
            digits: None,
            period: None,
            counter: false,
            secret_file: None,
            qr: QrChoice::Auto,
            qr_file: None,
            replace: false,
            no_confirm: false,
            from: None,
            qr_dir: None,
            qr_format: None,
            shared: Shared { force: false, local: false },
        }
    }
}

const STATUS_EXAMPLES: &str = "\
Examples:
  twofactor status alice
  twofactor status --missing            before you switch a service on
  twofactor status --csv > status.csv";

/// Show who is enrolled with what
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Tokens, recovery codes that are left, wrong codes that count, and the last accepted login.", after_help = STATUS_EXAMPLES)]
pub(crate) struct Status {
    /// One user in detail, instead of all
    pub(crate) user: Option<String>,
    /// Users with a login shell whom a rule asks for a second factor and who have none
    #[arg(long, conflicts_with = "user")]
    pub(crate) missing: bool,
    /// Print CSV, with a header
    #[arg(long, conflicts_with_all = ["user", "json"])]
    pub(crate) csv: bool,
}

/// Say whether a code would be accepted now
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Burns nothing and counts nothing. Without CODE it is asked for, or read from standard input.")]
pub(crate) struct Verify {
    /// The user whose code it is
    pub(crate) user: String,
    /// The code, or a recovery code; visible to other users of this host while the command runs
    pub(crate) code: Option<String>,
}

/// Show the QR code of an app that is still to be confirmed
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The secret that \"reset --keep-secret\" kept. The secret of an app that is in use is not shown again: \"enroll --replace\" gives the user a new one.")]
pub(crate) struct ShowQr {
    /// The user whose app it is
    pub(crate) user: String,
    /// The app, where several wait for a code
    #[arg(long, value_name = "LABEL", value_parser = label)]
    pub(crate) label: Option<Label>,
    /// The drawing of the QR code: as the terminal allows, in half blocks, in number signs, not at all
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) qr: QrChoice,
}

/// Forget a user's app and recovery codes
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Takes effect at the user's next login.")]
pub(crate) struct Reset {
    /// The user whose second factor it is
    pub(crate) user: String,
    /// Only take the confirmation back: the same QR code is shown again
    #[arg(long)]
    pub(crate) keep_secret: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Replace a user's recovery codes
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The old codes are void at once; the new ones are shown this one time only.")]
pub(crate) struct Recovery {
    /// The user who gets the recovery codes
    pub(crate) user: String,
    /// Their number, 0 to 20 [default: as configured]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=MOST_RECOVERY_CODES as i64))]
    pub(crate) count: Option<u8>,
}

/// Forget a user's counted wrong codes
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The user's next login is looked at without delay.")]
pub(crate) struct Unlock {
    /// The user whose wrong codes are forgotten
    pub(crate) user: String,
}

/// Move what an older version has kept elsewhere to where logins look for it
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Physical tokens that are assigned stand in their owners' own files; older versions had them in the registry alone, and until they are moved they open nothing. Packages do this when they are upgraded. It can be repeated and interrupted, and logins go on meanwhile.")]
pub(crate) struct Migrate {}

/// Let a user enroll at the login prompt
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Prints a code that enrolls once, in the place of an earlier one. It is asked for where the configuration says invitation = \"required\".")]
pub(crate) struct Invite {
    /// The user who may enroll
    pub(crate) user: String,
    /// The time for which the code is good, 1m to 30days
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = validity)]
    pub(crate) valid: Duration,
    /// Take the invitation back
    #[arg(long, conflicts_with = "valid")]
    pub(crate) revoke: bool,
}

/// Give a user a code that opens one session
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "For a user who has neither phone nor token at hand. Prints ten digits that are good once, in the place of an earlier code, beside everything else the user has.")]
pub(crate) struct Code {
    /// The user who gets the code
    pub(crate) user: String,
    /// The time for which the code is good, 1m to 30days
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = validity)]
    pub(crate) valid: Duration,
    /// Take the code back
    #[arg(long, conflicts_with = "valid")]
    pub(crate) revoke: bool,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  twofactor explain alice --service sshd --rhost 192.0.2.7
  twofactor explain alice --service sudo        a local login";

/// Say what a login would be asked, and why
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Looks at what the module would look at: the service's PAM lines, the rules, the user. No user is asked, and nothing is changed.", after_help = EXPLAIN_EXAMPLES)]
pub(crate) struct Explain {
    /// The user who logs in
    pub(crate) user: String,
    /// The PAM service, a file in /etc/pam.d
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: String,
    /// The remote host, as the application says it [default: a local login]
    #[arg(long, value_name = "HOST")]
    pub(crate) rhost: Option<String>,
}

const DOCTOR_EXAMPLES: &str = "\
Examples:
  twofactor doctor
  twofactor doctor --json | jq -r '.findings[].id'";

/// Check this host and print the command that fixes each problem
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Looks at the configuration, the state, the PAM services, sshd, the clock and the users. Changes nothing without --fix. Exit code 1 when there is a problem or a warning; notes do not count.", after_help = DOCTOR_EXAMPLES)]
pub(crate) struct Doctor {
    /// First fix what is safe to fix in the state: files beside the registry that cannot be used, and wrong numbers of tokens; no file of PAM or sshd
    #[arg(long)]
    pub(crate) fix: bool,
}

/// Check or show the configuration
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say what is wrong with the configuration, by line and column
    Check,
    /// Print the configuration in force, with every default filled in
    Show,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Print the values that can stand at the end of a command line; for completion scripts
#[derive(Debug, Args)]
#[command(help_template = PAGE)]
pub(crate) struct Complete {
    /// The words so far; the last one may be incomplete or empty
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

/// Print the help of a command
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The same as COMMAND --help.")]
pub(crate) struct Help {
    /// The command, like: token list
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// The configuration's rule for `[enrollment] issuer`: a colon separates issuer and account in an otpauth URI.
fn issuer(text: &str) -> Result<String, &'static str> {
    let plain = !text.contains(':') && !text.chars().any(char::is_control);
    if plain && (1..=64).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err("an issuer is 1 to 64 characters without colons and control characters")
    }
}

/// An invitation that outlives its month is forgotten in a mailbox; one of seconds is a mistake.
fn validity(text: &str) -> Result<Duration, &'static str> {
    let valid = humantime::parse_duration(text).map_err(|_| "a duration is a number with a unit, like 24h")?;
    let bounds = Duration::from_mins(1)..=Duration::from_hours(30 * 24);
    if bounds.contains(&valid) { Ok(valid) } else { Err("an invitation is good for 1m to 30days") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> clap::error::ErrorKind {
        let typed = Typed::try_parse_from([&["twofactor"], arguments].concat());
        typed.unwrap_err().kind()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command_line().debug_assert();
    }

    #[test]
    fn a_counter_has_no_period() {
        let kind = refused(&["enroll", "alice", "--counter", "--period", "60"]);
        assert_eq!(kind, clap::error::ErrorKind::ArgumentConflict);
    }

    #[test]
    fn values_out_of_range_are_usage_errors() {
        for option in ["--digits=9", "--period=5", "--algorithm=MD5", "--label=a:b", "--issuer=", "--qr-file=code.gif"]
        {
            assert_eq!(refused(&["enroll", "alice", option]), clap::error::ErrorKind::ValueValidation, "{option}");
        }
        for valid in ["0", "59s", "31days", "24", "-1h"] {
            let kind = refused(&["invite", "alice", &format!("--valid={valid}")]);
            assert_eq!(kind, clap::error::ErrorKind::ValueValidation, "{valid}");
        }
        assert_eq!(refused(&["recovery", "alice", "--count", "21"]), clap::error::ErrorKind::ValueValidation);
    }

    #[test]
    fn every_help_text_fits_eighty_columns() {
        let mut command = command_line().term_width(80);
        command.build();
        let mut commands = vec![command];
        while let Some(mut command) = commands.pop() {
            let page = command.render_long_help().to_string();
            for line in page.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
