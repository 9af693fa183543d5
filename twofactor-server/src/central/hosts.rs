//! Hosts added and revoked, for a sysadmin's command.

use std::sync::Arc;

use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{AddedAgain, AddedHost, FleetHost, HostAdministration};

use super::store::Central;
use crate::hosts::fleet_hosts::FleetHosts;
use crate::hosts::store::HostStore;

impl Central {
    async fn fleet_hosts(&self) -> Result<FleetHosts, crate::error::ServerError> {
        FleetHosts::of(HostStore::Database(Arc::clone(&self.database))).await
    }
}

impl HostAdministration for Central {
    fn add_host(&self, name: &str, groups: &[String], again: AddedAgain) -> Result<AddedHost, StoreError> {
        self.wait(async { self.fleet_hosts().await?.add(name, groups, again, &self.who).await })
    }

    fn hosts(&self) -> Result<Vec<FleetHost>, StoreError> {
        let hosts = self.wait(async { self.database.hosts().await })?;
        Ok(hosts.into_iter().map(FleetHost::from).collect())
    }

    fn revoke_host(&self, name: &str) -> Result<bool, StoreError> {
        self.wait(async { self.fleet_hosts().await?.revoke(name, &self.who).await })
    }
}
