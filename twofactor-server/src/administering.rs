//! `twofactor-server administer`: the commands of `twofactor` on the central store. The tool starts it where its configuration has `[store]`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use twofactor_core::config::Config;
use twofactor_core::host::clock::SystemClock;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::AdministeredStore;
use twofactor_server::{Central, ServerError};

use crate::seed_key::SeedKey;

/// Runs the command `words`, with this configuration unless it names one itself.
pub(crate) fn run(config: PathBuf, words: &[OsString]) -> ExitCode {
    let named = [OsString::from("--config"), config.into()];
    let named = if words.iter().any(|word| is_config(word)) { &[][..] } else { &named[..] };
    let words = [&[OsString::from("twofactor")][..], named, words].concat();
    twofactor_cli::run_on_central(&words, open_central)
}

/// True for the option that names a configuration.
fn is_config(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"--config")
}

/// The central store of a configuration, for a command of `who`.
fn open_central(config: &Config, who: String) -> Result<Box<dyn AdministeredStore>, StoreError> {
    let store = config.central_store.as_ref().ok_or(ServerError::NoStore)?;
    let postgresql = store.postgresql.parse()?;
    Ok(Box::new(Central::open(postgresql, SeedKey::of(store).read()?, config, SystemClock, who)?))
}
