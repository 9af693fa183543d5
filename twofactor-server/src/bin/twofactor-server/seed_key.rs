//! The file of keys, where this process finds it: a credential of systemd, or the file that the configuration names.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use twofactor_core::config::fleet::CentralStore;
use twofactor_core::host::trusted::Owner;
use twofactor_server::{Keys, Server, ServerError, read_credential, read_keys};

/// The name of the credential: `LoadCredential=seed.key:…` in the unit.
const CREDENTIAL: &str = "seed.key";

/// The pause between two looks at the file.
const PAUSE: Duration = Duration::from_secs(2);

/// The place of the keys.
#[derive(Debug, Clone)]
pub(crate) struct SeedKey {
    pub(crate) path: PathBuf,
    is_credential: bool,
}

impl SeedKey {
    pub(crate) fn of(store: &CentralStore) -> Self {
        let credential = env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(CREDENTIAL));
        match credential.filter(|path| path.exists()) {
            Some(path) => Self { path, is_credential: true },
            None => Self { path: store.seed_key.clone(), is_credential: false },
        }
    }

    /// Reads the keys, of a file that is this process's or root's.
    pub(crate) fn read(&self) -> Result<Keys, ServerError> {
        let own = Owner(nix::unistd::geteuid().as_raw());
        let read = if self.is_credential { read_credential } else { read_keys };
        read(&self.path, Owner::ROOT)
            .or_else(|error| if own == Owner::ROOT { Err(error) } else { read(&self.path, own) })
    }

    /// Hands the keys to the server whenever the file has changed, for ever. A file that cannot be read changes nothing.
    pub(crate) async fn watch(&self, server: &Server) {
        let mut seen = self.mark();
        loop {
            sleep(PAUSE).await;
            let mark = self.mark();
            if mark == seen {
                continue;
            }
            seen = mark;
            let renewed = self.read().and_then(|keys| {
                let said = format!("keys {:?}; key {} seals", keys.numbers(), keys.sealing());
                server.renew_keys(keys).map(|()| said)
            });
            match renewed {
                Ok(said) => eprintln!("twofactor-server: {}: {said}", self.path.display()),
                Err(error) => eprintln!("twofactor-server: {error}\n  the keys stay as they were read before"),
            }
        }
    }

    fn mark(&self) -> Option<(u64, u64, Option<SystemTime>)> {
        let found = fs::metadata(&self.path).ok()?;
        Some((found.ino(), found.len(), found.modified().ok()))
    }
}
