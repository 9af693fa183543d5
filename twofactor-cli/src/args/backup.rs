//! The arguments of `backup` and `restore`, as they are typed.

use std::path::PathBuf;

use clap::Args;

use super::values::PAGE;

const BACKUP_EXAMPLES: &str = "\
Examples:
  twofactor backup /root/codes.age --recipient age1...    from a timer, too
  twofactor backup /root/codes.age --passphrase";

/// Write everything of this store into one encrypted file
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Accounts, ssh keys, physical tokens and what was used of them, encrypted with age. It opens every account: keep it apart from its key. The configuration and PAM's files are not in it.", after_help = BACKUP_EXAMPLES)]
pub(crate) struct Backup {
    /// The new file
    pub(crate) file: PathBuf,
    /// A key of age whose owner can open it; may be given several times
    #[arg(long, value_name = "KEY", required_unless_present = "passphrase", conflicts_with = "passphrase")]
    pub(crate) recipient: Vec<String>,
    /// Ask for a passphrase that opens it, or read it from standard input
    #[arg(long)]
    pub(crate) passphrase: bool,
    /// Put it in the place of a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

const RESTORE_EXAMPLES: &str = "\
Examples:
  twofactor restore codes.age --identity key.txt
  twofactor restore codes.age --passphrase";

/// Bring back everything of a store from a backup
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "Into a host without accounts and physical tokens, or with --merge into any. Nothing is changed before the whole file was read and found valid. No code that was shown before the restore counts after it; a counter asks for two codes once. Recovery codes may have been used since the backup, and are void.", after_help = RESTORE_EXAMPLES)]
pub(crate) struct Restore {
    /// The file that "twofactor backup" has written
    pub(crate) file: PathBuf,
    /// A file with identities of age; may be given several times
    #[arg(long, value_name = "FILE", required_unless_present = "passphrase", conflicts_with = "passphrase")]
    pub(crate) identity: Vec<PathBuf>,
    /// Ask for the passphrase, or read it from standard input
    #[arg(long)]
    pub(crate) passphrase: bool,
    /// Into a host with accounts: bring back what is missing, and keep what is there
    #[arg(long)]
    pub(crate) merge: bool,
    /// Let recovery codes open sessions that may have been used since the backup
    #[arg(long)]
    pub(crate) keep_recovery: bool,
}
