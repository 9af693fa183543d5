//! An embedded store opened for a sysadmin's command.

use std::path::Path;
use std::sync::Arc;

use twofactor_core::config::Config;
use twofactor_core::host::clock::Clock;
use twofactor_core::log::record::Record;
use twofactor_core::store::VerificationRules;
use twofactor_core::store::administration::{AdministeredStore, HostAdministration};

use super::by_name::{ByName, open_hosts};
use crate::error::ServerError;
use crate::fleet_file::{FleetFile, Place};
use crate::sealing::keys::Keys;

/// The accounts in a folder. `who` stands in the audit. Answers are judged by `clock`, and by the rules of `config`.
pub fn accounts(
    folder: &Path,
    keys: Keys,
    config: &Config,
    clock: impl Clock + 'static,
    who: String,
) -> Result<Box<dyn AdministeredStore>, ServerError> {
    let place = Place::of(folder)?;
    let file = Arc::new(opened(&place, keys)?);
    let files = place.accounts(VerificationRules::of(config), clock);
    Ok(Box::new(ByName::new(files, place, file, Some(who))))
}

/// The hosts of a store in a folder. `who` stands in the audit.
pub fn hosts(folder: &Path, keys: Keys, who: String) -> Result<Box<dyn HostAdministration>, ServerError> {
    open_hosts(folder, keys, who)
}

/// The keys of the sealed records, with the number of records of each. Without a file there are none.
pub fn keys_in_use(folder: &Path, keys: Keys) -> Result<Vec<(i32, i64)>, ServerError> {
    let place = Place::of(folder)?;
    let _as_owner = place.as_owner()?;
    if FleetFile::is_there(&place)? { FleetFile::open(&place, keys)?.keys_in_use() } else { Ok(Vec::new()) }
}

/// Notes in the audit that `who` is about to change the keys.
pub fn note_keys(folder: &Path, keys: Keys, who: &str, change: &Record) -> Result<(), ServerError> {
    let place = Place::of(folder)?;
    let _as_owner = place.as_owner()?;
    opened(&place, keys)?.note_keys(who, change)
}

/// Seals all records with the sealing key. Gives the number of those that had another.
pub fn reseal(folder: &Path, keys: Keys) -> Result<usize, ServerError> {
    let place = Place::of(folder)?;
    let _as_owner = place.as_owner()?;
    opened(&place, keys)?.reseal()
}

fn opened(place: &Place, keys: Keys) -> Result<FleetFile, ServerError> {
    let _as_owner = place.as_owner()?;
    FleetFile::open(place, keys)
}
