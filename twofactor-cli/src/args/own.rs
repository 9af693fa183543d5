//! `twofactor self`: what users type about themselves.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use twofactor_core::codes::token::{Label, Serial};

use super::values::{PAGE, label, serial};
use crate::qr::QrChoice;

const EXAMPLES: &str = "\
Examples:
  twofactor self status      what I have, and what I may do
  twofactor self enroll      my first app
  twofactor self replace     a new phone; the old one is good until then
  twofactor self recovery    new recovery codes
  twofactor self ssh-key add ~/.ssh/id_ed25519_sk.pub

A script answers on standard input, a line for each question.";

/// Look at one's own second factor and change it, without root
#[derive(Debug, Subcommand)]
#[command(help_template = PAGE, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) enum Own {
    Status(OwnStatus),
    Enroll(OwnEnroll),
    Replace(OwnReplace),
    Recovery(OwnRecovery),
    Reset(OwnReset),
    Token(OwnToken),
    #[command(subcommand)]
    SshKey(OwnSshKey),
}

/// Show one's own second factor, and what one may do about it
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Apps, tokens, recovery codes that are left, wrong codes that count, the last accepted login, and what the configuration lets you do.")]
pub(crate) struct OwnStatus {}

/// Set up a first app
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Shows a new secret as a QR code, as text and as an otpauth URI, and asks for a code of the app. Nothing is stored until a code is right. Where no rule lets you enroll, an invitation code is asked for.")]
pub(crate) struct OwnEnroll {
    /// Your name for the app
    #[arg(long, default_value = "app", value_name = "LABEL", value_parser = label)]
    pub(crate) label: Label,
    /// The drawing of the QR code: as the terminal allows, in half blocks, in number signs, not at all
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) qr: QrChoice,
}

/// Put a new app in the place of the old one
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Shows a new secret, asks for a code of the new app, and for one of the old app or token, or a recovery code. The old app is good until both are right. The recovery codes are replaced as well.")]
pub(crate) struct OwnReplace {
    /// The app to replace; an app with a new label is added [default: the only app, else app]
    #[arg(long, value_name = "LABEL", value_parser = label)]
    pub(crate) label: Option<Label>,
    /// The drawing of the QR code: as the terminal allows, in half blocks, in number signs, not at all
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) qr: QrChoice,
}

/// Register a physical token
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Asks for two consecutive codes of the token, and where you have a second factor already for a code of that, or a recovery code.")]
pub(crate) struct OwnToken {
    /// The serial on the token
    #[arg(value_parser = serial)]
    pub(crate) serial: Serial,
}

/// Replace one's own recovery codes
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Takes a code, or one of the old recovery codes. The old ones are void at once; the new ones are shown this one time only.")]
pub(crate) struct OwnRecovery {}

/// Forget one's own apps, ssh keys and recovery codes
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Takes a code, or a recovery code. Where every login needs a code, you cannot log in afterwards.")]
pub(crate) struct OwnReset {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// One's own security keys of ssh
#[derive(Debug, Subcommand)]
#[command(name = "ssh-key", help_template = PAGE, before_help = "A login over ssh with an enrolled security key (ed25519-sk or ecdsa-sk) takes a touch of it and no code, where sshd demands the key first.", disable_help_subcommand = true)]
pub(crate) enum OwnSshKey {
    Add(AddOwnSshKey),
    List(ListOwnSshKeys),
    Remove(RemoveOwnSshKey),
}

/// Enroll a security key of one's own
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Takes a code, or a recovery code. sshd looks for the key in your authorized_keys, where it has to stand as well.")]
pub(crate) struct AddOwnSshKey {
    /// The public key, as ssh-keygen has written it; "-" is a line of standard input
    pub(crate) file: PathBuf,
    /// Your name for the key [default: the comment in the file, else key]
    #[arg(long, value_name = "LABEL", value_parser = label)]
    pub(crate) label: Option<Label>,
}

/// List one's own security keys
#[derive(Debug, Args)]
#[command(help_template = PAGE)]
pub(crate) struct ListOwnSshKeys {}

/// Take a security key of one's own away
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Takes a code, or a recovery code. The next login with the key is asked for a code. It stays in your authorized_keys.")]
pub(crate) struct RemoveOwnSshKey {
    /// The key: its fingerprint (SHA256:...) or its label
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}
