//! The arguments of `export`, as they are typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::PAGE;

const EXAMPLES: &str = "\
Examples:
  twofactor export --user alice --plaintext
  twofactor export --user alice --plaintext --format json --output alice.json";

/// Show a user's secrets, to take them to another system
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The secrets of apps and physical tokens, in plain text: a reader of them can make codes. Asks a person at a terminal to type the user's name; no option answers that. Recovery codes are kept as digests and cannot be exported.", after_help = EXAMPLES)]
pub(crate) struct Export {
    /// The user whose secrets they are
    #[arg(long, value_name = "USER")]
    pub(crate) user: String,
    /// Say that plain text is wanted
    #[arg(long)]
    pub(crate) plaintext: bool,
    /// URIs, one a line, or JSON
    #[arg(long, value_name = "FORMAT", default_value = "otpauth")]
    pub(crate) format: ExportForm,
    /// Write them to this new file, for its owner only
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportForm {
    // What authenticator apps and `twofactor import otpauth` read.
    Otpauth,
    // All that is known.
    Json,
}

impl ExportForm {
    /// Its word in the log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Otpauth => "otpauth",
            Self::Json => "json",
        }
    }
}
