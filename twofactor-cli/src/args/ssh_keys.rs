//! The arguments of `ssh-key`, as they are typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use twofactor_core::codes::token::Label;

use super::tokens::Force;
use super::values::{PAGE, label};

const EXAMPLES: &str = "\
Examples:
  twofactor ssh-key add alice id_ed25519_sk.pub
  twofactor ssh-key list alice
  twofactor ssh-key remove alice work";

/// Security keys that users log in to ssh with
#[derive(Debug, Subcommand)]
#[command(name = "ssh-key", help_template = PAGE, before_help = "A user who logs in to ssh with an enrolled security key (ed25519-sk or ecdsa-sk) touches it and is asked for no code. sshd must demand the key first; see \"twofactor service enable sshd\".", after_help = EXAMPLES)]
pub(crate) enum SshKey {
    Add(AddSshKey),
    List(ListSshKeys),
    Remove(RemoveSshKey),
}

/// Enroll a security key
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "From the next login on the key spares its owner the code. It proves nothing that it stands in the user's authorized_keys, where sshd looks for it.")]
pub(crate) struct AddSshKey {
    /// The user whose key it is
    pub(crate) user: String,
    /// The public key, as ssh-keygen has written it; "-" is standard input
    pub(crate) file: PathBuf,
    /// The user's name for the key [default: the comment in the file, else key]
    #[arg(long, value_name = "LABEL", value_parser = label)]
    pub(crate) label: Option<Label>,
    /// The attestation that ssh-keygen has written: -O write-attestation=FILE
    #[arg(long, value_name = "FILE", requires = "challenge")]
    pub(crate) attestation: Option<PathBuf>,
    /// The challenge that it was made for: -O challenge=FILE; you choose it
    #[arg(long, value_name = "FILE", requires = "attestation")]
    pub(crate) challenge: Option<PathBuf>,
    /// The certificates of makers that you trust, in PEM or DER
    #[arg(long, value_name = "FOLDER", default_value = MAKERS, requires = "attestation")]
    pub(crate) makers: PathBuf,
}

/// The folder with the certificates of makers of security keys.
const MAKERS: &str = "/etc/twofactor/security-key-makers";

/// List a user's security keys
#[derive(Debug, Args)]
#[command(help_template = PAGE)]
pub(crate) struct ListSshKeys {
    /// The user whose keys they are
    pub(crate) user: String,
}

/// Take a security key away
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "The next login with it is asked for a code. It stays in the user's authorized_keys.")]
pub(crate) struct RemoveSshKey {
    /// The user whose key it is
    pub(crate) user: String,
    /// The key: its fingerprint (SHA256:...) or its label
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) force: Force,
}
