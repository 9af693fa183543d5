//! This host as one of a fleet, by the link's report.

use std::path::Path;

use twofactor_admin::checkup::fleet::{Membership, of_membership};
use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock as _, SystemClock};

use super::report::Area;
use crate::commands::fleet::report;

/// Looks at link, certificate and servers. `None` on a host of no fleet.
pub(super) fn look(config: &Config, named: Option<&Path>) -> Option<Area> {
    let servers = &config.membership.as_ref()?.servers;
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let mut area = Area::new("fleet", servers.join(", "));
    match (report(named), SystemClock.now()) {
        (Ok(report), Ok(now)) => {
            let outdated = report.outdated().map(|shown| (shown.serial.clone(), shown.until));
            let certificate = report.certificate.map(|certificate| (certificate.from, certificate.until));
            let servers = report.servers.into_iter().map(|reached| (reached.server, reached.ahead.map(drop)));
            let membership =
                Membership { link: report.link.map(drop), outdated, certificate, servers: servers.collect() };
            area.add(of_membership(&membership, now));
        }
        (Err(error), _) => area.could_not_check("the link and the servers of the fleet", error),
        (_, Err(error)) => area.could_not_check("the certificate of this host", error),
    }
    Some(area)
}
