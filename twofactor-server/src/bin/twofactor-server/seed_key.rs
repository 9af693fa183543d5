//! The file of keys, where this process finds it: a credential of systemd, or the file that the configuration names.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

    /// Hands the keys in the file to the server whenever it has others, for ever. A file that cannot be read changes nothing, and it is said
    /// once.
    pub(crate) async fn watch(&self, server: &Server) {
        let mut complaint = None;
        loop {
            let renewed = self.read().and_then(|keys| {
                let said = format!("keys {:?}; key {} seals", keys.numbers(), keys.sealing());
                Ok(server.renew_keys(keys)?.then_some(said))
            });
            match renewed {
                Ok(said) => {
                    complaint = None;
                    if let Some(said) = said {
                        eprintln!("twofactor-server: {}: {said}", self.path.display());
                    }
                }
                Err(error) => {
                    let problem = error.to_string();
                    if complaint.as_ref() != Some(&problem) {
                        eprintln!("twofactor-server: {problem}\n  the keys stay as they were read before");
                        complaint = Some(problem);
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }
}
