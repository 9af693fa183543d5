//! Every way in which a server fails, with what to do.

use std::io;

use thiserror::Error;
use tokio_postgres::error::SqlState;
use twofactor_core::host::clock::ClockError;
use twofactor_core::host::shell;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::{Loss, StoreError, Unusable};

/// The server cannot answer.
#[derive(Debug, Error)]
pub enum ServerError {
    /// PostgreSQL refuses, or its connection is gone.
    #[error("the database cannot be used: {}", in_words(.0))]
    Database(#[from] tokio_postgres::Error),
    /// The connection string is not one.
    #[error("the connection string of PostgreSQL cannot be used: {0}")]
    ConnectionString(String),
    /// No connection could be had.
    #[error("the database cannot be reached: {0}")]
    NoConnection(String),
    /// No answer came in time.
    #[error("the database has not answered within {0} seconds")]
    Late(u64),
    /// The schema is one that this server must not use.
    #[error(
        "the database has schema {schema}, which is for servers of schema {oldest} and newer; this one has schema {server}"
    )]
    TooNew {
        /// The schema of the database.
        schema: i32,
        /// The schema of the oldest server that may use it.
        oldest: i32,
        /// The schema of this server.
        server: i32,
    },
    /// The schema is older than this program, which leaves it as it is.
    #[error("the database has schema {schema}, and this program has schema {server}: a server of it has to run once")]
    OldSchema {
        /// The schema of the database.
        schema: i32,
        /// The schema of this program.
        server: i32,
    },
    /// There are no tables.
    #[error("there are no tables yet")]
    NoTables,
    /// The key that this server seals with is about to be taken away.
    #[error(
        "this server seals with key {sealing}, and the store takes nothing that is sealed with a key older than {oldest}"
    )]
    OldKey {
        /// Its key.
        sealing: i32,
        /// The oldest key that may seal.
        oldest: i32,
    },
    /// The database is too old.
    #[error("PostgreSQL {0} is too old: 15 is the first that is used")]
    TooOld(String),
    /// The database takes no writes.
    #[error("the database is a standby, which takes no writes")]
    ReadOnly,
    /// A certificate is near its end, or past it.
    #[error("{0}")]
    EndsSoon(String),
    /// What is said can be read on the way.
    #[error("the connection to the database at {0} is not encrypted")]
    Open(String),
    /// A table cannot be used.
    #[error("the database's role may not read and change {0}")]
    NoRightsOn(String),
    /// Records cannot be opened.
    #[error("{records} records are sealed with key {key}, which this server does not have")]
    MissingKey {
        /// The key.
        key: i32,
        /// The number of its records.
        records: i64,
    },
    /// A server that runs does not have this one's keys.
    #[error("the server on {host} has keys {theirs:?}, and this one {ours:?}")]
    OtherKeys {
        /// The machine.
        host: String,
        /// Its keys.
        theirs: Vec<i32>,
        /// This server's.
        ours: Vec<i32>,
    },
    /// A host of the connection string cannot be used.
    #[error("the database at {host} cannot be used: {problem}")]
    DatabaseHost {
        /// The host.
        host: String,
        /// The problem.
        problem: String,
    },
    /// The role may not make the tables.
    #[error("there are no tables, and the database's role may make none")]
    NoRights,
    /// The account was changed again and again between reading and writing.
    #[error("the account was changed by others each of {0} times that it was judged")]
    Contended(usize),
    /// Another change of tokens lasts too long.
    #[error("another change of physical tokens has not ended within {0} seconds")]
    TokensBusy(u64),
    /// A row of a token is none of ours.
    #[error("the row of token {} is not what a server writes", shown(.0))]
    DamagedToken(String),
    /// The clocks of server and database differ.
    #[error("the clock of this server is {0} seconds off that of the database")]
    ClockOff(u64),
    /// A record is sealed with a key that this server does not have.
    #[error("a record is sealed with key {0}, which this server does not have")]
    UnknownKey(i32),
    /// A record is not what a server has sealed for this place.
    #[error("the record of {} was changed or moved since a server has sealed it", shown(.0))]
    BrokenSeal(String),
    /// The credentials of a user are not what a server has sealed for them.
    #[error("the credentials of {0} were changed or moved since a server has sealed them")]
    BrokenCredentials(String),
    /// The file of keys cannot be used.
    #[error("{file}: {problem}")]
    KeyFile {
        /// The file.
        file: String,
        /// The problem with it.
        problem: String,
    },
    /// Another command has the file of keys.
    #[error("another command works with the keys in {0}")]
    KeysBusy(String),
    /// A statement that may seal with an old key goes on for too long.
    #[error("a statement that writes records has not ended within {0} seconds, and may seal with an older key")]
    StillWritten(u64),
    /// The text is no recipient of age.
    #[error("{0} is no recipient of age, such as age1…")]
    BadRecipient(String),
    /// The folder of a store in files is not there.
    #[error("the folder {0} of the central store is not there")]
    NoFolder(String),
    /// The folder cannot be used as its owner.
    #[error("this program cannot act as the owner of {folder}: {problem}")]
    NotOwner {
        /// The folder.
        folder: String,
        /// The problem.
        problem: String,
    },
    /// A server runs on the folder already.
    #[error("another server runs on {0}")]
    AnotherServer(String),
    /// The file beside the accounts cannot be used.
    #[error("{file} cannot be used: {problem}")]
    FleetFile {
        /// The file.
        file: String,
        /// The problem with it.
        problem: String,
    },
    /// The work on a question ended early.
    #[error("the work on the question was broken off")]
    BrokenOff,
    /// The configuration names no central store.
    #[error("the configuration has no [store]")]
    NoStore,
    /// A file of TLS cannot be used.
    #[error("{file}: {problem}")]
    TlsFile {
        /// The file.
        file: String,
        /// The problem with it.
        problem: String,
    },
    /// A host was added, renewed or revoked between the look at its certificate and the look at an account.
    #[error("the hosts of the fleet were changed this moment")]
    HostsChanged,
    /// A host has enrolled users without an invitation up to its quota.
    #[error("this host has enrolled as many users within an hour as it may")]
    EnrollmentsUsedUp,
    /// A user's account has forgotten wrong codes.
    #[error("more codes of {0} were wrong within an hour than the throttle lets through: the database was put back")]
    PutBack(String),
    /// Too many users of whom nothing was kept have typed codes of tokens at a host.
    #[error("too many newcomers have typed codes of tokens at this host within an hour")]
    TooManyNewcomers,
    /// No certificate could be made.
    #[error("a certificate cannot be made: {0}")]
    Signing(String),
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    NoRandomness,
    /// The clock cannot be used.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The account cannot be judged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServerError {
    /// True where the connection was lost or could not be made, or its host takes no writes: a moment later another one may be had. A
    /// statement may have been carried out all the same.
    pub(crate) fn is_passing(&self) -> bool {
        const CODES: [&SqlState; 4] = [
            &SqlState::ADMIN_SHUTDOWN,
            &SqlState::CRASH_SHUTDOWN,
            &SqlState::CANNOT_CONNECT_NOW,
            &SqlState::READ_ONLY_SQL_TRANSACTION,
        ];
        match self {
            Self::Database(error) => match error.code() {
                Some(code) => CODES.contains(&code) || code.code().starts_with("08"),
                None => {
                    error.is_closed()
                        || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<io::Error>)
                }
            },
            // As a change of tokens gives it.
            Self::Store(error) => error.kind().is_some_and(Self::is_passing),
            _ => false,
        }
    }

    /// The error of opening a user's credentials. The state beside them was opened.
    pub(crate) fn of_credentials(self) -> Self {
        match self {
            Self::BrokenSeal(user) => Self::BrokenCredentials(user),
            error => error,
        }
    }

    /// True where others have written the same meanwhile: the question was answered, two servers have begun one account, or the
    /// database wants the statement repeated. Nothing was written.
    pub(crate) fn is_conflict(&self) -> bool {
        const CODES: [&SqlState; 3] =
            [&SqlState::UNIQUE_VIOLATION, &SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED];
        matches!(self, Self::Database(error) if error.code().is_some_and(|code| CODES.contains(&code)))
    }
}

/// A name of a row as a terminal shows it. A writer of the database chooses it.
pub(crate) fn shown(name: &str) -> String {
    let plain = |letter: &char| matches!(letter, '"' | '\'' | '\\');
    let mut shown = String::with_capacity(name.len());
    for letter in name.chars() {
        if plain(&letter) { shown.push(letter) } else { shown.extend(letter.escape_debug()) }
    }
    shown
}

/// Without the statement: its text is ours and tells a sysadmin nothing.
pub(crate) fn in_words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        }
    }
}

impl Unusable for ServerError {
    fn reason(&self) -> Reason {
        match self {
            Self::BrokenSeal(_) | Self::BrokenCredentials(_) | Self::DamagedToken(_) => Reason::StoreCorrupt,
            Self::EnrollmentsUsedUp => Reason::NotRoot,
            Self::TokensBusy(_) => Reason::LockTimeout,
            Self::Store(error) => error.reason(),
            _ => Reason::StoreUnavailable,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::ConnectionString(_) => "see postgresql in [store] of twofactor.toml(5)".to_owned(),
            Self::Database(_) | Self::NoConnection(_) | Self::Late(_) => "twofactor-server check".to_owned(),
            Self::TooNew { .. } => "upgrade twofactor-server on this machine".to_owned(),
            Self::OldSchema { .. } => "restart twofactor-server on this machine: it upgrades the tables".to_owned(),
            Self::NoTables => "start twofactor-server: it makes them".to_owned(),
            Self::TooOld(_) => "upgrade PostgreSQL".to_owned(),
            Self::ReadOnly => "name the primary, or add target_session_attrs=read-write".to_owned(),
            Self::EndsSoon(_) => "put a newer certificate in its place, and restart the server".to_owned(),
            Self::Open(_) => "add sslmode=verify-full and sslrootcert to the connection string".to_owned(),
            Self::NoRightsOn(_) => "as the owner of the tables: GRANT SELECT, INSERT, UPDATE, DELETE ON …".to_owned(),
            Self::MissingKey { .. } | Self::OtherKeys { .. } => {
                "copy the file of seed_key from another server; see twofactor-server key status".to_owned()
            }
            Self::DatabaseHost { .. } => "is it down, or not reachable from here?".to_owned(),
            Self::NoRights => "as the database's owner: GRANT CREATE ON DATABASE … TO …".to_owned(),
            Self::Contended(_) | Self::HostsChanged | Self::BrokenOff => "log in again".to_owned(),
            Self::ClockOff(_) => "set the clock of this machine, and of the database's".to_owned(),
            Self::OldKey { .. } | Self::UnknownKey(_) => {
                "copy the file of seed_key from another server, and restart this one".to_owned()
            }
            Self::TokensBusy(_) | Self::StillWritten(_) => {
                "wait until it has ended; in PostgreSQL: SELECT * FROM pg_stat_activity".to_owned()
            }
            Self::BrokenSeal(_) | Self::DamagedToken(_) => {
                "look at who may write to the database; restore the record from a backup".to_owned()
            }
            Self::BrokenCredentials(user) => {
                let user = shell::quoted(user);
                format!("look at who may write to the database; then: twofactor enroll {user} --replace")
            }
            Self::KeysBusy(_) => "wait until it has ended, and do this again".to_owned(),
            Self::BadRecipient(_) => "age-keygen makes a key, and prints its recipient".to_owned(),
            Self::KeyFile { .. } => "see seed_key in twofactor.toml(5)".to_owned(),
            Self::NoFolder(folder) => {
                format!(
                    "systemctl start twofactor-server makes it; or: install -d -m 0700 -o twofactor-server {folder}"
                )
            }
            Self::NotOwner { .. } => "do this as root, or as the owner of the folder".to_owned(),
            Self::AnotherServer(_) => "systemctl status twofactor-server; several servers share PostgreSQL".to_owned(),
            Self::FleetFile { .. } => "twofactor-server check; restore it from a backup of the folder".to_owned(),
            Self::NoStore => "see [store] in twofactor.toml(5)".to_owned(),
            Self::TlsFile { .. } => "see [server] in twofactor.toml(5)".to_owned(),
            Self::EnrollmentsUsedUp => {
                "on the server: twofactor invite USER, or enrollments_per_hour in [[host]] of twofactor.toml(5)"
                    .to_owned()
            }
            Self::Signing(_) => "see names in [server] of twofactor.toml(5)".to_owned(),
            Self::PutBack(_) => {
                "who writes to the database? A server that is started anew judges again; see the logs of the hosts"
                    .to_owned()
            }
            Self::TooManyNewcomers => "is that host still yours? See the log of the server".to_owned(),
            Self::NoRandomness => "is /dev/urandom there?".to_owned(),
            Self::Clock(_) => "set the clock".to_owned(),
            Self::Store(error) => error.hint(),
        }
    }

    fn loss(&self) -> Option<Loss> {
        match self {
            Self::BrokenCredentials(_) => Some(Loss::Credentials),
            Self::Store(error) => error.loss(),
            _ => None,
        }
    }
}

impl From<twofactor_net::pem::PemError> for ServerError {
    fn from(error: twofactor_net::pem::PemError) -> Self {
        Self::TlsFile { file: error.file, problem: error.problem }
    }
}

impl From<deadpool_postgres::PoolError> for ServerError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => Self::Database(error),
            error => Self::NoConnection(error.to_string()),
        }
    }
}

impl From<ServerError> for StoreError {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Store(error) => error,
            error => Self::Unusable(Box::new(error)),
        }
    }
}
