//! Hosts added and revoked, for a sysadmin's command.

use std::sync::Arc;

use twofactor_core::host::clock::UnixTime;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{AddedAgain, AddedHost, FleetHost, HostAdministration, HostCertificate};

use super::store::Central;
use crate::fleet_hosts::{Added, Again, CODE_LASTS, FleetHosts};
use crate::host_table::ListedHost;

impl Central {
    async fn fleet_hosts(&self) -> Result<FleetHosts, crate::error::ServerError> {
        FleetHosts::of(Arc::clone(&self.database)).await
    }
}

impl HostAdministration for Central {
    fn add_host(&self, name: &str, groups: &[String], again: AddedAgain) -> Result<AddedHost, StoreError> {
        let again = match again {
            AddedAgain::Refused => Again::Refused,
            AddedAgain::Joins => Again::Joins,
        };
        let until = self.now()?.after(CODE_LASTS);
        let added = self.wait(async { self.fleet_hosts().await?.add(name, groups, again).await })?;
        Ok(match added {
            Added::Code(code) => AddedHost::Code(code, until),
            Added::IsThere => AddedHost::IsThere,
            Added::NoName => AddedHost::NoName,
        })
    }

    fn hosts(&self) -> Result<Vec<FleetHost>, StoreError> {
        let hosts = self.wait(async { self.database.hosts().await })?;
        Ok(hosts.into_iter().map(viewed).collect())
    }

    fn revoke_host(&self, name: &str) -> Result<bool, StoreError> {
        self.wait(async { self.fleet_hosts().await?.revoke(name).await })
    }
}

fn viewed(host: ListedHost) -> FleetHost {
    let ListedHost { name, groups, added, revoked, seen, certificate, until, code } = host;
    let certificate = certificate.zip(until).map(|((serial, issued), until)| HostCertificate {
        serial,
        issued: time(issued),
        until: time(until),
    });
    let (revoked, seen, code_until) = (revoked.map(time), seen.map(time), code.map(time));
    FleetHost { name, groups, added: time(added), revoked, seen, certificate, code_until }
}

fn time(seconds: f64) -> UnixTime {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast to an integer saturates")]
    UnixTime::from_seconds(seconds as u64)
}
