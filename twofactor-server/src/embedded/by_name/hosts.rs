//! Hosts added and revoked, for a sysadmin's command.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{AddedAgain, AddedHost, FleetHost, HostAdministration};

use crate::error::ServerError;
use crate::fleet_file::{FleetFile, Place};
use crate::hosts::fleet_hosts::FleetHosts;
use crate::hosts::store::HostStore;
use crate::sealing::keys::Keys;

/// The hosts of a folder.
struct EmbeddedHosts {
    runtime: Runtime,
    place: Place,
    store: HostStore,
    /// The sysadmin, for the audit.
    who: String,
}

/// Opens the hosts of the store in a folder.
pub(in crate::embedded) fn open(
    folder: &Path,
    keys: Keys,
    who: String,
) -> Result<Box<dyn HostAdministration>, ServerError> {
    let runtime = Builder::new_current_thread().build().map_err(|_| ServerError::BrokenOff)?;
    let place = Place::of(folder)?;
    let as_owner = place.as_owner()?;
    let store = HostStore::File(Arc::new(FleetFile::open(&place, keys)?));
    drop(as_owner);
    Ok(Box::new(EmbeddedHosts { runtime, place, store, who }))
}

impl EmbeddedHosts {
    /// Waits for the file, as the owner of the folder.
    fn wait<T>(&self, work: impl Future<Output = Result<T, ServerError>>) -> Result<T, StoreError> {
        let _as_owner = self.place.as_owner()?;
        Ok(self.runtime.block_on(work)?)
    }

    async fn fleet_hosts(&self) -> Result<FleetHosts, ServerError> {
        FleetHosts::of(self.store.clone()).await
    }
}

impl HostAdministration for EmbeddedHosts {
    fn add_host(&self, name: &str, groups: &[String], again: AddedAgain) -> Result<AddedHost, StoreError> {
        self.wait(async { self.fleet_hosts().await?.add(name, groups, again, &self.who).await })
    }

    fn hosts(&self) -> Result<Vec<FleetHost>, StoreError> {
        let hosts = self.wait(self.store.hosts())?;
        Ok(hosts.into_iter().map(FleetHost::from).collect())
    }

    fn revoke_host(&self, name: &str) -> Result<bool, StoreError> {
        self.wait(async { self.fleet_hosts().await?.revoke(name, &self.who).await })
    }
}
