//! The language of `[[rule]]`: which logins a rule is about, and what it demands of them.
//!
//! Invariants: a rule matches when every condition it states matches. An address is only matched as an address, a
//! host name never: the owner of a reverse zone would choose the rule (CVE-2024-10963). Nothing is looked up here:
//! the facts of a login and the user's groups are arguments.

use crate::account::factors::Factors;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use thiserror::Error;

use crate::host::clock::UnixTime;
use crate::host::user::UserName;

/// The strictness of the policy, from the strictest down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A second factor, of all users.
    Required,
    /// A second factor; users without one set one up at login.
    Enroll,
    /// A second factor of enrolled users.
    Optional,
    /// Nothing.
    Off,
}

impl Level {
    /// All levels, with their names in the file.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Required, "required"), (Self::Enroll, "enroll"), (Self::Optional, "optional"), (Self::Off, "off")];
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Required => "required",
            Self::Enroll => "enroll",
            Self::Optional => "optional",
            Self::Off => "off",
        })
    }
}

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// Not a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a network is an address with a prefix length, like 10.0.0.0/8 or 2001:db8::/32")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let network = match text.parse::<IpNet>() {
            Ok(network) => network,
            Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| NotANetwork)?.to_canonical()),
        };
        // Host bits that are set are a slip: the range would be another one than it looks.
        if network.trunc() == network { Ok(Self(canonical(network))) } else { Err(NotANetwork) }
    }
}

/// An IPv4 network written as an IPv6 one, `::ffff:10.0.0.0/104`, is the IPv4 one, as its addresses are IPv4 addresses. Else
/// no login would ever come from it.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let ipv4 = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    ipv4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

impl Network {
    /// True when `address`, in its canonical form, lies inside.
    fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The presence of a remote host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locality {
    /// It has none.
    Local,
    /// It has one.
    Remote,
}

/// The conditions of a rule. A list matches when any of it does; what is not stated matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Canonical user names.
    pub users: Option<Vec<String>>,
    /// Group names. They are compared by number.
    pub groups: Option<Vec<String>>,
    /// PAM services.
    pub services: Option<Vec<String>>,
    /// The networks of the remote address.
    pub networks: Option<Vec<Network>>,
    /// With or without a remote host.
    pub locality: Option<Locality>,
}

/// The demands on a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The level.
    pub level: Level,
    /// The kinds of credentials that are accepted.
    pub factors: Factors,
    /// From then on the level is `required`.
    pub until: Option<UnixTime>,
    /// The time for which an accepted login is remembered for the same user, service and address.
    pub remember: Duration,
}

impl Demand {
    /// Everything that counts, nothing that is remembered or lapses.
    pub fn at(level: Level) -> Self {
        Self { level, factors: Factors::ALL, until: None, remember: Duration::ZERO }
    }

    /// The level at `now`.
    pub fn level_at(&self, now: UnixTime) -> Level {
        match self.until {
            Some(until) if now >= until => Level::Required,
            _ => self.level,
        }
    }
}

/// A rule of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The line it begins at.
    pub line: usize,
    /// Its conditions.
    pub conditions: Conditions,
    /// Its demands.
    pub demand: Demand,
}

/// The facts of a login that rules need.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The canonical name; `None` for a user who does not exist.
    pub user: Option<&'a UserName>,
    /// PAM_SERVICE.
    pub service: &'a str,
    /// PAM_RHOST.
    pub rhost: Option<&'a str>,
}

impl Facts<'_> {
    /// The address the login comes from. A host name is none, nor is an address with a zone: `fe80::1%eth0` is one host and
    /// `fe80::1%eth1` another.
    pub fn address(&self) -> Option<IpAddr> {
        self.rhost?.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    }

    /// The address that networks are compared with: also of a host on a link of this one, without the zone that says on which.
    pub fn address_in_networks(&self) -> Option<IpAddr> {
        self.address().or_else(|| {
            let (address, zone) = self.rhost?.split_once('%')?;
            let address = address.parse::<Ipv6Addr>().ok()?;
            (address.is_unicast_link_local() && is_interface(zone)).then_some(address.into())
        })
    }

    /// The presence of a remote host.
    pub fn locality(&self) -> Locality {
        if self.rhost.is_none_or(str::is_empty) { Locality::Local } else { Locality::Remote }
    }
}

/// True when this may be the name of a network interface.
fn is_interface(zone: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=15).contains(&zone.len()) && zone.bytes().all(plain)
}

/// The condition of a rule that a login does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// Another user.
    User,
    /// In none of the groups.
    Group,
    /// Another service.
    Service,
    /// From elsewhere, or from nowhere that has an address.
    Network,
    /// It has a remote host.
    LocalOnly,
    /// It has no remote host.
    RemoteOnly,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::User => "another user",
            Self::Group => "in none of its groups",
            Self::Service => "another service",
            Self::Network => "from none of its networks",
            Self::LocalOnly => "for local logins only",
            Self::RemoteOnly => "for remote logins only",
        })
    }
}

impl Conditions {
    /// True when they are about this login. `who` says which users and groups it is about, and is asked only when all else
    /// matches: it may have to ask a server.
    pub fn meet<E>(&self, facts: &Facts<'_>, who: &dyn Who<E>) -> Result<Result<(), Mismatch>, E> {
        if self.services.as_ref().is_some_and(|list| !list.iter().any(|one| one == facts.service)) {
            return Ok(Err(Mismatch::Service));
        }
        match self.locality {
            Some(Locality::Local) if facts.locality() == Locality::Remote => return Ok(Err(Mismatch::LocalOnly)),
            Some(Locality::Remote) if facts.locality() == Locality::Local => return Ok(Err(Mismatch::RemoteOnly)),
            Some(_) | None => {}
        }
        if let Some(networks) = &self.networks {
            let address = facts.address_in_networks();
            if !address.is_some_and(|address| networks.iter().any(|network| network.contains(address))) {
                return Ok(Err(Mismatch::Network));
            }
        }
        if let Some(users) = &self.users
            && !who.is_one_of(users)?
        {
            return Ok(Err(Mismatch::User));
        }
        if let Some(groups) = &self.groups
            && !who.is_in_one_of(groups)?
        {
            return Ok(Err(Mismatch::Group));
        }
        Ok(Ok(()))
    }

    /// True when they are about some users only.
    pub fn are_about_people(&self) -> bool {
        self.users.is_some() || self.groups.is_some()
    }
}

/// Knows whom a login is about. An answer that is not certain is an error.
pub trait Who<E> {
    /// True when it is one of these users.
    fn is_one_of(&self, users: &[String]) -> Result<bool, E>;

    /// True when the user is in one of these groups.
    fn is_in_one_of(&self, groups: &[String]) -> Result<bool, E>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn facts(rhost: Option<&str>) -> Facts<'_> {
        Facts { user: None, service: "sshd", rhost }
    }

    /// Is alice, and in a group or not.
    struct Alice<E>(Result<bool, E>);

    impl<E: Clone> Who<E> for Alice<E> {
        fn is_one_of(&self, users: &[String]) -> Result<bool, E> {
            Ok(users.iter().any(|user| user == "alice"))
        }

        fn is_in_one_of(&self, _groups: &[String]) -> Result<bool, E> {
            self.0.clone()
        }
    }

    fn comes_from(networks: &[&str], rhost: Option<&str>) -> bool {
        let networks = Some(networks.iter().map(|text| network(text)).collect());
        let conditions = Conditions { networks, ..Conditions::default() };
        conditions.meet::<()>(&facts(rhost), &Alice(Ok(true))).unwrap().is_ok()
    }

    #[test]
    fn addresses_are_matched_as_addresses_and_names_never() {
        assert!(comes_from(&["10.0.0.0/8"], Some("10.1.2.3")));
        assert!(comes_from(&["10.0.0.0/8"], Some("::ffff:10.1.2.3")), "IPv4-mapped");
        assert!(comes_from(&["::ffff:10.0.0.0/104", "::ffff:192.0.2.7"], Some("10.1.2.3")), "and a network");
        assert!(!comes_from(&["::ffff:10.0.0.0/104"], Some("11.1.2.3")));
        assert!(comes_from(&["2001:db8::/32"], Some("2001:DB8:0::1")));
        assert!(comes_from(&["192.0.2.7"], Some("192.0.2.7")));
        assert!(!comes_from(&["0.0.0.0/0"], Some("2001:db8::1")));
        let long = "h".repeat(5000);
        for name in ["10.1.2.3%x.example.org", "localhost", "10.example.org", "10.1.2.3.example.org", "", &long] {
            assert!(!comes_from(&["0.0.0.0/0", "::/0"], Some(name)), "{name}");
        }
        assert!(!comes_from(&["0.0.0.0/0", "::/0"], None));
    }

    #[test]
    fn a_host_on_a_link_is_in_the_networks_of_its_address_whatever_the_zone() {
        for rhost in ["fe80::1", "fe80::1%eth0", "FE80::1%wlan-0.7", "fe80::1%2", "febf::1%a23456789012345"] {
            assert!(comes_from(&["fe80::/10"], Some(rhost)), "{rhost}");
            assert!(!comes_from(&["2001:db8::/32", "0.0.0.0/0"], Some(rhost)), "{rhost}");
        }
        assert!(!comes_from(&["fe80::2"], Some("fe80::1%eth0")));
        for rhost in [
            "2001:db8::1%eth0",
            "::1%lo",
            "::ffff:10.1.2.3%eth0",
            "fec0::1%eth0",
            "10.1.2.3%eth0",
            "fe80::1%",
            "fe80::1%eth0%eth0",
            "fe80::1%eth0 x",
            "fe80::1%a234567890123456",
            "fe80::1%\u{e9}th0",
            "fe80::x%eth0",
            "%eth0",
        ] {
            assert!(!comes_from(&["::/0", "0.0.0.0/0"], Some(rhost)), "{rhost}");
        }
        let address = facts(Some("fe80::1%eth0")).address();
        assert_eq!(address, None, "nothing is remembered: another zone is another host");
    }

    #[test]
    fn a_network_says_what_it_looks_like() {
        for text in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0", "example.org", "", "::/129"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!(network("192.0.2.7").to_string(), "192.0.2.7/32");
    }

    #[test]
    fn every_condition_must_match_and_groups_are_asked_last() {
        let alice = UserName::new("alice").unwrap();
        let login = Facts { user: Some(&alice), service: "sshd", rhost: None };
        let conditions = Conditions {
            users: Some(vec!["alice".to_owned()]),
            groups: Some(vec!["ops".to_owned()]),
            services: Some(vec!["sshd".to_owned()]),
            networks: None,
            locality: Some(Locality::Local),
        };
        assert_eq!(conditions.meet::<()>(&login, &Alice(Ok(true))), Ok(Ok(())));
        assert_eq!(conditions.meet::<()>(&login, &Alice(Ok(false))), Ok(Err(Mismatch::Group)));
        let elsewhere = Facts { service: "sudo", ..login };
        assert_eq!(conditions.meet(&elsewhere, &Alice(Err("unasked"))), Ok(Err(Mismatch::Service)));
        assert_eq!(conditions.meet(&login, &Alice(Err("server down"))), Err("server down"));
        let of_bob = Conditions { users: Some(vec!["bob".to_owned()]), ..conditions };
        assert_eq!(of_bob.meet(&login, &Alice(Err("unasked"))), Ok(Err(Mismatch::User)));
    }

    #[test]
    fn a_rule_lapses_when_its_day_begins() {
        let midnight = UnixTime::from_rfc3339("2027-01-31T00:00:00Z").unwrap();
        let demand = Demand { until: Some(midnight), ..Demand::at(Level::Off) };
        assert_eq!(demand.level_at(UnixTime::from_rfc3339("2027-01-30T23:59:59Z").unwrap()), Level::Off);
        assert_eq!(demand.level_at(midnight), Level::Required);
    }
}
