//! `twofactor-server administer`: the commands of `twofactor` on the central store. The tool starts it where its configuration has `[store]`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use twofactor_core::config::Config;
use twofactor_core::config::fleet::{Backing, CentralStore};
use twofactor_core::host::clock::SystemClock;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{AdministeredStore, Defect, HostAdministration};
use twofactor_server::{Central, Keys, ServerError, embedded_accounts, embedded_hosts};

use crate::seed_key::SeedKey;

/// Runs the command `words`, with this configuration unless it names one itself.
pub(crate) fn run(config: PathBuf, words: &[OsString]) -> ExitCode {
    let named = [OsString::from("--config"), config.into()];
    let named = if words.iter().any(|word| is_config(word)) { &[][..] } else { &named[..] };
    let words = [&[OsString::from("twofactor")][..], named, words].concat();
    twofactor_cli::run_on_central(&words, open_central, open_hosts)
}

/// A line about the records of the store: each is opened.
pub(crate) fn inspected(config: &Config) -> Vec<Result<String, (String, String)>> {
    let inspection = match open_central(config, String::new()) {
        Ok(central) => central.inspect(),
        Err(error) => return vec![Err((error.to_string(), error.hint()))],
    };
    let flaws: Vec<_> = inspection
        .flaws
        .iter()
        .filter_map(|flaw| match flaw {
            Defect::Unusable(error) => Some(Err((error.to_string(), error.hint()))),
            _ => None,
        })
        .collect();
    if !flaws.is_empty() {
        return flaws;
    }
    let (accounts, tokens) = (inspection.accounts, inspection.tokens.unwrap_or_default());
    vec![Ok(format!("every record opens: {accounts} accounts, {tokens} tokens"))]
}

/// True for the option that names a configuration.
fn is_config(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"--config")
}

/// The central store of a configuration, for a command of `who`.
fn open_central(config: &Config, who: String) -> Result<Box<dyn AdministeredStore>, StoreError> {
    let (store, keys) = configured(config)?;
    Ok(match &store.backing {
        Backing::Postgresql(connection) => Box::new(open(connection, keys, config, who)?),
        Backing::Files(folder) => embedded_accounts(folder, keys, config, SystemClock, who)?,
    })
}

/// The same, for its hosts.
fn open_hosts(config: &Config, who: String) -> Result<Box<dyn HostAdministration>, StoreError> {
    let (store, keys) = configured(config)?;
    Ok(match &store.backing {
        Backing::Postgresql(connection) => Box::new(open(connection, keys, config, who)?),
        Backing::Files(folder) => embedded_hosts(folder, keys, who)?,
    })
}

fn configured(config: &Config) -> Result<(&CentralStore, Keys), ServerError> {
    let store = config.central_store.as_ref().ok_or(ServerError::NoStore)?;
    Ok((store, SeedKey::of(store).read()?))
}

fn open(connection: &str, keys: Keys, config: &Config, who: String) -> Result<Central, ServerError> {
    Central::open(connection.parse()?, keys, config, SystemClock, who)
}
