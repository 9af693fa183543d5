//! `twofactor-server key …`: the keys are made, changed while logins run, and taken away.
//!
//! Invariants: a key seals only once every server that runs has it; one is taken away only once no record has it, and no server can write
//! one any more. So the servers may get the file in any order: each of them opens every record. One command at a time works
//! with the keys.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokio::runtime::Runtime;
use twofactor_core::config::fleet::{Backing, CentralStore};
use twofactor_core::host::trusted::Owner;
use twofactor_core::log::record::{Event, Record};
use twofactor_server::{
    Escrow, KeyChange, KeyLock, KeyTable, KeyUse, Keys, Resealed, ServerError, change_keys, init_keys,
    keys_in_use_embedded, note_keys_embedded, reseal, reseal_embedded,
};

use crate::failure::Failure;
use crate::seed_key::SeedKey;

/// The steps of a rotation, in their order.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make the file of keys. One that is there stays
    Init(Keepers),
    /// Say which keys there are, how many records each has, and which servers have it
    Status,
    /// Add a key, which opens and does not seal yet; with --seal, seal with it
    Rotate {
        /// Seal with the newest key, which every server must have by now
        #[arg(long, conflicts_with_all = ["recipient", "escrow"])]
        seal: bool,
        #[command(flatten)]
        keepers: Keepers,
    },
    /// Seal all records with the sealing key, while logins run
    Reseal,
    /// Take away the keys that no record has
    Retire,
}

/// Those who keep a copy of the keys for the day on which all servers are lost.
#[derive(Debug, Args)]
pub(crate) struct Keepers {
    /// Encrypt a copy of the keys for this recipient of age; may be given again
    #[arg(long, value_name = "AGE1", requires = "escrow")]
    recipient: Vec<String>,
    /// The file of the copy, which must not be there yet
    #[arg(long, value_name = "FILE", requires = "recipient")]
    escrow: Option<PathBuf>,
}

impl Keepers {
    fn escrow(&self) -> Result<Option<Escrow>, ServerError> {
        self.escrow.as_ref().map(|file| Escrow::new(&self.recipient, file)).transpose()
    }

    /// The advice about a copy.
    fn advice(&self) -> String {
        match &self.escrow {
            Some(file) => format!("The copy for its keepers is {}: take it to another place.", file.display()),
            None => "Keep a copy elsewhere: without the keys no code can be judged.".to_owned(),
        }
    }
}

/// Runs a command about the keys of `store`.
pub(crate) fn run(command: &KeyCommand, store: &CentralStore, runtime: &Runtime) -> Result<(), Failure> {
    let file = store.seed_key.display();
    // From before the file is read until all is done: of two commands at once, one would undo what the other has done.
    let _lock = match command {
        KeyCommand::Status => None,
        _ => Some(KeyLock::take(&store.seed_key)?),
    };
    match command {
        KeyCommand::Init(keepers) => {
            init_keys(&store.seed_key, keepers.escrow()?.as_ref())?;
            println!("{file} has a new key. Copy it to every server. {}", keepers.advice());
        }
        KeyCommand::Status => status(store, runtime)?,
        KeyCommand::Rotate { seal: false, keepers } => {
            let escrow = keepers.escrow()?;
            let before = SeedKey::of(store).read()?;
            let next = before.numbers().last().map_or(1, |newest| newest.saturating_add(1));
            note(store, "added", &[next], runtime)?;
            let keys = changed(store, &KeyChange::Add, escrow.as_ref())?;
            let new = keys.numbers().last().copied().unwrap_or_default();
            println!("{file} has key {new}, which opens and does not seal yet. {}", keepers.advice());
            println!(
                "1. Copy the file to every server. They read it within seconds; one that has it as a credential of"
            );
            println!("   systemd is restarted.\n2. Then: twofactor-server key rotate --seal");
        }
        KeyCommand::Rotate { seal: true, .. } => {
            let keys = SeedKey::of(store).read()?;
            let newest = keys.numbers().last().copied().unwrap_or_default();
            let found = in_use(store, keys, runtime)?;
            if let Some(server) = found.servers.iter().find(|server| !server.keys.contains(&newest)) {
                let problem = format!("the server on {} does not have key {newest}", server.host);
                return Err(Failure::new(problem, format!("copy {file} to it, and try again")));
            }
            note(store, "sealing", &[newest], runtime)?;
            changed(store, &KeyChange::SealWithTheNewest, None)?;
            println!("Key {newest} seals, on this machine. {} servers that run have it.", found.servers.len());
            println!("1. Copy {file} to every server once more.\n2. Then: twofactor-server key reseal");
        }
        KeyCommand::Reseal => resealed(store, runtime)?,
        KeyCommand::Retire => retire(store, runtime)?,
    }
    Ok(())
}

/// The file is this process's user's, or that of the server's user for root.
fn changed(store: &CentralStore, change: &KeyChange, escrow: Option<&Escrow>) -> Result<Keys, ServerError> {
    let own = nix::unistd::geteuid().as_raw();
    let owner = if own == 0 { fs::metadata(&store.seed_key).map_or(own, |found| found.uid()) } else { own };
    change_keys(&store.seed_key, Owner(owner), change, escrow)
}

fn in_use(store: &CentralStore, keys: Keys, runtime: &Runtime) -> Result<KeyUse, Failure> {
    Ok(match &store.backing {
        Backing::Postgresql(connection) => runtime.block_on(KeyTable::use_of(connection.parse()?, keys))?,
        Backing::Files(folder) => KeyUse { records: keys_in_use_embedded(folder, keys)?, servers: Vec::new() },
    })
}

/// Writes down who changes keys, before it is done: `change` is done to these.
fn note(store: &CentralStore, change: &str, numbers: &[i32], runtime: &Runtime) -> Result<(), Failure> {
    let (keys, who) = (SeedKey::of(store).read()?, twofactor_cli::sysadmin());
    let numbers = numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let record = Record::new(Event::KeysChanged).with("change", change).with("keys", numbers);
    match &store.backing {
        Backing::Postgresql(connection) => {
            let postgresql = connection.parse()?;
            runtime.block_on(async { KeyTable::open(postgresql, keys).await?.note(&who, &record).await })?;
        }
        Backing::Files(folder) => note_keys_embedded(folder, keys, &who, &record)?,
    }
    Ok(())
}

fn status(store: &CentralStore, runtime: &Runtime) -> Result<(), Failure> {
    let keys = SeedKey::of(store).read()?;
    let (numbers, sealing) = (keys.numbers(), keys.sealing());
    let KeyUse { records, servers } = in_use(store, keys, runtime)?;
    for number in &numbers {
        let count = records.iter().find(|(key, _)| key == number).map_or(0, |(_, count)| *count);
        let seals = if *number == sealing { ", seals" } else { "" };
        println!("key {number}: {count} records{seals}");
    }
    for (number, count) in records.iter().filter(|(key, _)| !numbers.contains(key)) {
        println!("key {number}: {count} records, AND IT IS MISSING HERE");
    }
    for server in servers {
        println!("server {} ({}): keys {:?}, seals with {}", server.host, server.program, server.keys, server.sealing);
    }
    Ok(())
}

fn resealed(store: &CentralStore, runtime: &Runtime) -> Result<(), Failure> {
    let keys = SeedKey::of(store).read()?;
    let sealing = keys.sealing();
    let connection = match &store.backing {
        Backing::Postgresql(connection) => connection,
        Backing::Files(folder) => {
            let done = reseal_embedded(folder, keys)?;
            println!("{done} records sealed with key {sealing}. The older ones can go: twofactor-server key retire");
            return Ok(());
        }
    };
    let columns = runtime.block_on(reseal(connection.parse()?, keys))?;
    for found in &columns {
        println!("{}.{}: {} records sealed with key {sealing}", found.column.table, found.column.sealed, found.done);
    }
    are_complete(columns)?;
    println!("Every record has key {sealing}. In a minute, the older ones can go: twofactor-server key retire");
    Ok(())
}

/// Refuses to go on where records have another key than the sealing one still.
fn are_complete(columns: Vec<Resealed>) -> Result<(), Failure> {
    let (mut left, mut broken) = (0, Vec::new());
    for found in columns {
        left += found.left;
        broken.extend(found.broken);
    }
    if !broken.is_empty() {
        let problem = format!("records of {} were changed or moved, and open with no key", broken.join(", "));
        return Err(Failure::new(problem, "look at who may write to the database; restore them from a backup"));
    }
    if left > 0 {
        let problem = format!("{left} records have an older key still: a server seals with it");
        return Err(Failure::new(
            problem,
            "copy the file of keys to every server, and then: twofactor-server key reseal",
        ));
    }
    Ok(())
}

fn retire(store: &CentralStore, runtime: &Runtime) -> Result<(), Failure> {
    let keys = SeedKey::of(store).read()?;
    let (numbers, sealing) = (keys.numbers(), keys.sealing());
    let KeyUse { mut records, servers } = in_use(store, keys, runtime)?;
    if let Some(server) = servers.iter().find(|server| server.sealing != sealing) {
        let problem = format!("the server on {} seals with key {} still", server.host, server.sealing);
        return Err(Failure::new(problem, "copy the file of keys to it"));
    }
    if let Backing::Postgresql(connection) = &store.backing
        && numbers.len() > 1
    {
        let (keys, postgresql) = (SeedKey::of(store).read()?, connection.parse()?);
        println!("From now on the store takes nothing that is sealed with a key older than {sealing}.");
        // A server that is not known to run, or does not know of the new key, could seal with an old one until it is gone.
        runtime.block_on(async { KeyTable::open(postgresql, keys).await?.take_no_older_than(sealing).await })?;
        are_complete(runtime.block_on(reseal(connection.parse()?, SeedKey::of(store).read()?))?)?;
        records = in_use(store, SeedKey::of(store).read()?, runtime)?.records;
    }
    let is_free =
        |number: &&i32| **number < sealing && records.iter().all(|(key, count)| key != *number || *count == 0);
    let free: Vec<i32> = numbers.iter().filter(is_free).copied().collect();
    let used: Vec<&(i32, i64)> = records.iter().filter(|(key, _)| *key != sealing).collect();
    if free.is_empty() {
        return match used.first() {
            Some((key, count)) => {
                let problem = format!("{count} records have key {key}");
                Err(Failure::new(problem, "twofactor-server key reseal; answers have it for a minute more"))
            }
            None => Err(Failure::new("there is no other key than the one that seals", "twofactor-server key rotate")),
        };
    }
    note(store, "retired", &free, runtime)?;
    changed(store, &KeyChange::TakeAway(free.clone()), None)?;
    println!("Keys {free:?} are gone from {}. Copy it to every server.", store.seed_key.display());
    println!("Backups of the database from before need them: keep the escrow's copy for as long as those.");
    Ok(())
}
