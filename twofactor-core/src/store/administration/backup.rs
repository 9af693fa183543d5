//! The types of a backup: everything of a store as a stream of records.
//!
//! The order of a stream: all accounts, then the rows of the registry by table, in the order of [`TABLES`].

use std::path::PathBuf;

use thiserror::Error;
use zeroize::Zeroizing;

use super::last_backup::LastBackup;
use super::state::Marking;
use crate::account::{RecoveryCodes, Revival};
use crate::host::trusted::FileError;
use crate::host::user::UserName;
use crate::store::error::StoreError;

/// One record of a backup.
#[derive(Debug)]
pub enum BackupRecord {
    /// A user's account.
    Account(AccountRecord),
    /// A row of the registry of physical tokens.
    Row(RegistryRow),
}

/// A user's account: the text of both files, as twofactor-state(8) describes them.
pub struct AccountRecord {
    /// The user.
    pub user: UserName,
    /// The text of `secret.toml`; `None` when the user has none.
    pub credentials: Option<Zeroizing<String>>,
    /// The text of the newest state.
    pub state: Zeroizing<String>,
}

impl std::fmt::Debug for AccountRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AccountRecord({})", self.user)
    }
}

/// A row of the registry.
#[derive(Debug)]
pub struct RegistryRow {
    /// Its table.
    pub table: &'static Table,
    /// A value for each of the table's columns.
    pub values: Vec<Value>,
}

/// A kind of row.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The word for it in a backup.
    pub word: &'static str,
    /// Its columns, in their order.
    pub columns: &'static [Column],
}

/// A column of a [`Table`].
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, in the registry and in a backup.
    pub name: &'static str,
    /// The form of its values.
    pub form: Form,
    /// The values may be missing.
    pub optional: bool,
}

/// The form of a column's values in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number; a time is the number of seconds since 1970.
    Number,
    /// A number of up to 64 bits, as text: programs that read JSON take large numbers for others.
    LargeNumber,
    /// Text.
    Text,
    /// A secret, in base32.
    Secret,
    /// Bytes, in hexadecimal.
    Bytes,
}

/// A value of a row. Debug does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// None.
    Missing,
    /// A number.
    Number(i64),
    /// Text.
    Text(String),
    /// Bytes, perhaps secret.
    Bytes(Zeroizing<Vec<u8>>),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Value")
    }
}

const fn is(name: &'static str, form: Form) -> Column {
    Column { name, form, optional: false }
}

const fn may(name: &'static str, form: Form) -> Column {
    Column { name, form, optional: true }
}

use Form::{Bytes, LargeNumber, Number, Secret, Text};

/// The kinds of rows, in the order of a backup: a series stands before its tokens.
pub static TABLES: [Table; 6] = [
    Table { word: "series", columns: &[is("name", Text)] },
    Table {
        word: "import",
        columns: &[
            may("series", Text),
            is("name", Text),
            is("file", Text),
            is("sha256", Bytes),
            is("at", Number),
            is("who", Text),
            is("added", Number),
            is("unchanged", Number),
            is("conflicts", Number),
            is("rejected", Number),
        ],
    },
    Table {
        word: "token",
        columns: &[
            may("series", Text),
            is("serial", Text),
            may("secret", Secret),
            is("type", Text),
            is("algorithm", Text),
            is("digits", Number),
            may("period", Number),
            is("status", Text),
            may("owner", Text),
            may("assigned_at", Number),
            is("first_use", Number),
            may("watermark", Number),
            is("drift", Number),
            is("anchor", Number),
            may("vendor", Text),
            may("model", Text),
            is("issued", Number),
            is("seed", LargeNumber),
            may("hmac_key", LargeNumber),
        ],
    },
    Table { word: "burned", columns: &[is("seed", Text), is("watermark", Number)] },
    Table { word: "shared", columns: &[is("mark", LargeNumber)] },
    Table {
        word: "history",
        columns: &[
            is("at", Number),
            is("who", Text),
            is("event", Text),
            may("serial", Text),
            may("user", Text),
            may("detail", Text),
        ],
    },
];

/// The records of a backup that is restored, in their order; `None` once the backup has proved to be whole.
pub type NextRecord<'r> = dyn FnMut() -> Result<Option<BackupRecord>, BrokenOff> + 'r;

/// The backup cannot be read on. Its reader knows why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenOff;

/// The store that a backup goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// One without accounts and tokens: the backup takes its place.
    Empty,
    /// Any: accounts and tokens that are missing come back, the others stay.
    InUse,
}

/// The outcome of a restore.
#[derive(Debug)]
pub struct Restored {
    /// The users whose accounts stayed as they are, but for used codes.
    pub kept: Vec<UserName>,
    /// The users whose accounts came back, sorted as they stood in the backup.
    pub users: Vec<UserName>,
    /// The number of tokens in the registry.
    pub tokens: u64,
    /// The users some of whose recovery codes are void now.
    pub voided: Vec<UserName>,
    /// The users with a counter whose next code counts only together with the one after it.
    pub in_doubt: Vec<UserName>,
    /// Those of the users whose accounts came back of whom this host had the remains of an account, as a reset leaves them.
    pub reset_here: Vec<UserName>,
    /// The marker beside the configuration.
    pub marking: Marking,
    /// A folder that could not be removed.
    pub left_over: Option<PathBuf>,
}

impl Restored {
    /// Writes down the changes to an account.
    pub(in crate::store) fn note(&mut self, user: &UserName, revival: Revival) {
        if revival.voided > 0 {
            self.voided.push(user.clone());
        }
        if revival.in_doubt > 0 {
            self.in_doubt.push(user.clone());
        }
    }
}

/// The reason for which nothing was restored. Nothing was changed.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The host has accounts or tokens.
    #[error("this host has accounts or physical tokens already")]
    InUse,
    /// The state cannot be replaced as a whole.
    #[error("{} is a file system of its own, so the state cannot be replaced as a whole", .0.display())]
    Mounted(PathBuf),
    /// A record holds what no store of ours holds.
    #[error("record {number} of the backup, {}, is not valid", .word)]
    BadRecord {
        /// Its number, from 1.
        number: u64,
        /// The word for its kind.
        word: &'static str,
    },
    /// The backup could not be read to its end.
    #[error("the backup could not be read to its end")]
    BrokenOff,
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for RestoreError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

impl From<BrokenOff> for RestoreError {
    fn from(BrokenOff: BrokenOff) -> Self {
        Self::BrokenOff
    }
}

/// A store as a whole, out and in.
pub trait StateBackup {
    /// Hands out everything, each account under its lock. Gives the errors of accounts that cannot be read, which are left
    /// out. `false` when `take` has broken off.
    fn back_up(
        &self,
        take: &mut dyn FnMut(BackupRecord) -> std::ops::ControlFlow<()>,
    ) -> Result<(bool, Vec<StoreError>), StoreError>;

    /// Brings a backup back, once all of it was read and found valid.
    fn restore(
        &self,
        destination: Destination,
        next: &mut NextRecord<'_>,
        recovery: RecoveryCodes,
    ) -> Result<Restored, RestoreError>;

    /// Writes down that a backup was written.
    fn remember_backup(&self, backup: &LastBackup) -> Result<(), StoreError>;

    /// The last backup of this state; `None` when none was written down.
    fn last_backup(&self) -> Result<Option<LastBackup>, StoreError>;
}
