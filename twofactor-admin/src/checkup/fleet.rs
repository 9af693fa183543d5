//! A host of a fleet: its link, its certificate, and the servers.

use std::time::Duration;

use twofactor_core::host::clock::UnixTime;
use twofactor_core::store::wire::CERTIFICATE_NOT_TAKEN;

use super::catalogue::Id;
use super::finding::Finding;

/// The state of a host in its fleet. An error is a sentence.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The link answers.
    pub link: Result<(), String>,
    /// The certificate that the link shows to servers where it is another than this host has by now: its number and its end.
    pub outdated: Option<(String, UnixTime)>,
    /// The times from which and until which the certificate is valid.
    pub certificate: Result<(UnixTime, UnixTime), String>,
    /// The servers by name, and whether each answers.
    pub servers: Vec<(String, Result<(), String>)>,
}

/// A certificate is renewed when a third of its time is left. With less than this part of it left, that has failed for weeks.
const PART_LEFT: u64 = 6;

/// The problems of a host in its fleet.
pub fn of_membership(membership: &Membership, now: UnixTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(why) = &membership.link {
        let what = format!("twofactor-link does not answer: {why}");
        findings.push(Finding::run(Id::LinkNotRunning, what, "systemctl enable --now twofactor-link.socket"));
    }
    if let Some((serial, until)) = &membership.outdated {
        let what =
            format!("the link runs with certificate {serial} until {until}, and this host has another one by now");
        findings.push(Finding::run(Id::LinkCertificateOutdated, what, "systemctl restart twofactor-link"));
    }
    match &membership.certificate {
        Err(why) => {
            let what = format!("this host has no certificate that can be used: {why}");
            findings.push(invalid(what));
        }
        Ok((_, until)) if *until <= now => {
            findings.push(invalid(format!("the certificate of this host has ended at {until}")));
        }
        Ok((from, _)) if *from > now => {
            findings.push(invalid(format!("the certificate of this host is valid from {from} on, and it is {now}")));
        }
        Ok((from, until)) => {
            findings.extend(ending(*from, *until, now));
            findings.extend(of_servers(&membership.servers));
        }
    }
    findings
}

/// A certificate that no server takes. Which servers answer says nothing then.
fn invalid(what: String) -> Finding {
    let advice = "twofactor host add NAME --again on the central machine, and with its code here: \
                  twofactor fleet join SERVER --again; where your site signs the certificates, renew it as your site does";
    Finding::by_hand(Id::HostCertificateInvalid, what, advice)
}

fn ending(from: UnixTime, until: UnixTime, now: UnixTime) -> Option<Finding> {
    let lasts = Duration::from_secs(until.seconds().saturating_sub(from.seconds()));
    let left = until.seconds().saturating_sub(now.seconds());
    let is_near = left < lasts.as_secs() / PART_LEFT;
    is_near.then(|| {
        let what = format!("the certificate of this host ends at {until}, and was not renewed");
        let advice =
            "look why it is not renewed: systemctl status twofactor-link-renew.timer twofactor-link-renew.service";
        Finding::consider(Id::HostCertificateEnding, what, advice, "systemctl start twofactor-link-renew")
    })
}

fn of_servers(servers: &[(String, Result<(), String>)]) -> Vec<Finding> {
    let away: Vec<(&str, &str)> = servers
        .iter()
        .filter_map(|(server, answers)| Some((server.as_str(), answers.as_ref().err()?.as_str())))
        .collect();
    if let Some((server, why)) = away.iter().find(|(_, why)| why.contains(CERTIFICATE_NOT_TAKEN)) {
        let advice = "if it is still yours: twofactor host add NAME --again on the central machine, and with its code here: \
                      twofactor fleet join SERVER --again";
        return vec![Finding::by_hand(Id::HostRevoked, format!("{server} says: {why}"), advice)];
    }
    let id = if away.len() == servers.len() { Id::FleetUnreachable } else { Id::FleetServerAway };
    let advice = "is the server there, and is its port open to this host? twofactor-server check says more there";
    away.iter().map(|(server, why)| Finding::by_hand(id, format!("{server} does not answer: {why}"), advice)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 86_400;

    fn well() -> Membership {
        let time = UnixTime::from_seconds;
        Membership {
            link: Ok(()),
            outdated: None,
            certificate: Ok((time(NOW - 30 * DAY), time(NOW + 60 * DAY))),
            servers: vec![("otp1:7443".to_owned(), Ok(())), ("otp2:7443".to_owned(), Ok(()))],
        }
    }

    fn found(membership: &Membership) -> Vec<(Id, String)> {
        let findings = of_membership(membership, UnixTime::from_seconds(NOW));
        findings.into_iter().map(|finding| (finding.id, finding.what)).collect()
    }

    fn ids(membership: &Membership) -> Vec<Id> {
        found(membership).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn a_member_that_is_well_has_no_finding_and_each_defect_has_its_own() {
        assert_eq!(ids(&well()), []);
        let without_link = Membership { link: Err("no such file".to_owned()), ..well() };
        assert_eq!(ids(&without_link), [Id::LinkNotRunning]);
        let outdated = Some(("0a".to_owned(), UnixTime::from_seconds(NOW + DAY)));
        assert_eq!(ids(&Membership { outdated, ..well() }), [Id::LinkCertificateOutdated]);
        let mut away = well();
        away.servers[1].1 = Err("connection refused".to_owned());
        assert_eq!(found(&away), [(Id::FleetServerAway, "otp2:7443 does not answer: connection refused".to_owned())]);
        away.servers[0].1 = Err("no route to host".to_owned());
        assert_eq!(ids(&away), [Id::FleetUnreachable; 2]);
        away.servers[0].1 = Err(CERTIFICATE_NOT_TAKEN.to_owned());
        assert_eq!(ids(&away), [Id::HostRevoked]);
    }

    #[test]
    fn a_certificate_is_found_that_was_not_renewed_for_half_of_the_time_it_could_be_and_one_that_is_over() {
        let with = |from: i64, until: i64| {
            let time = |days: i64| UnixTime::from_seconds(NOW.saturating_add_signed(days * 86_400));
            let mut membership = Membership { certificate: Ok((time(from), time(until))), ..well() };
            membership.servers[0].1 = Err("the certificate has expired".to_owned());
            membership.servers[1].1 = Ok(());
            ids(&membership)
        };
        assert_eq!(with(-74, 16), [Id::FleetServerAway]);
        assert_eq!(with(-76, 14), [Id::HostCertificateEnding, Id::FleetServerAway]);
        assert_eq!(with(-90, 0), [Id::HostCertificateInvalid], "that no server answers follows from it");
        assert_eq!(with(1, 91), [Id::HostCertificateInvalid]);
        let none = Membership { certificate: Err("no such file".to_owned()), ..well() };
        assert_eq!(ids(&none), [Id::HostCertificateInvalid]);
    }
}
