//! Logins that stand for all: for each combination of `Match` blocks that some login meets, logins that meet these and no others.
//!
//! Invariants: users, clients' ends and sshd's ends that meet the same criteria are one class, so that the number of combinations
//! looked at does not grow with the number of users. Every end of a range of addresses is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::criteria::{Candidate, Criterion, Local, Remote};
use super::patterns::Patterns;
use super::sources::Block;

/// A login as `Match` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The client's end.
    pub remote: Remote,
    /// sshd's end.
    pub local: Local,
}

/// Logins that meet the same blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// The numbers of the blocks.
    pub blocks: Vec<usize>,
    /// The users.
    pub users: BTreeSet<String>,
    /// Those of them whose usual logins these are: from an address for documentation, to sshd's first address.
    pub usual_users: BTreeSet<String>,
    /// Such logins, at least one: of each user, and from each kind of address.
    pub logins: Vec<Login>,
}

impl fmt::Display for Login {
    /// As `sshd -C` wants it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, remote, local } = self;
        let (host, address) = (&remote.host, remote.address);
        write!(formatter, "user={user},host={host},addr={address},laddr={},lport={}", local.address, local.port)?;
        // Older versions do not know it.
        if local.routing_domain.is_empty() { Ok(()) } else { write!(formatter, ",rdomain={}", local.routing_domain) }
    }
}

/// A host, as far as `Match` asks.
#[derive(Debug, Clone)]
pub struct Host {
    /// Users who may log in.
    pub users: Vec<Candidate>,
    /// Addresses from which logins may come, besides those that criteria name.
    pub remotes: Vec<IpAddr>,
    /// The names of clients, as sshd sees them (`UseDNS`).
    pub names: HostNames,
    /// The addresses and ports at which sshd is reached, the usual one first.
    pub locals: Vec<(IpAddr, u16)>,
}

/// The names of clients' hosts, for sshd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostNames {
    /// sshd looks them up.
    LookedUp,
    /// The address stands for the name.
    Addresses,
}

/// The reason for which no login was found that meets a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// A criterion of which nothing is known.
    Criterion(String),
    /// No user meets the criteria.
    Users,
    /// No client does by its name: sshd looks up none.
    HostNames,
    /// No client does.
    Remotes,
    /// No end of sshd's does, or no combination.
    Others,
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Criterion(word) => write!(formatter, "its criterion \"{word}\" is not known here"),
            Self::Users => formatter.write_str("no user of this host meets it"),
            Self::HostNames => formatter.write_str("with UseDNS no, sshd knows no names of clients"),
            Self::Remotes => formatter.write_str("no client was found that meets it"),
            Self::Others => formatter.write_str("no login was found that meets it"),
        }
    }
}

/// Things that meet the same criteria.
struct Class<T> {
    /// Of each block, whether all its criteria allow them.
    allowed: Vec<bool>,
    members: Vec<T>,
}

/// So many combinations of classes are looked at.
const MOST: usize = 100_000;
/// So many logins of a situation are kept.
const MOST_LOGINS: usize = 1_000;

/// The combinations of these blocks that logins meet. A combination of none is among them.
pub fn situations(blocks: &[(usize, &Block)], host: &Host) -> Vec<Situation> {
    let users = classes(blocks, host.users.iter().cloned(), Criterion::allows_user);
    let remotes = classes(blocks, remotes(blocks, host), Criterion::allows_remote);
    let locals = classes(blocks, locals(blocks, host), Criterion::allows_local);
    let mut found: BTreeMap<Vec<usize>, Situation> = BTreeMap::new();
    let ends = remotes.iter().enumerate().flat_map(|(at, remote)| {
        locals.iter().enumerate().map(move |(beside, local)| (remote, local, at == 0 && beside == 0))
    });
    let combinations =
        ends.flat_map(|(remote, local, usual)| users.iter().map(move |user| (user, remote, local, usual)));
    for (user, remote, local, usual) in combinations.take(MOST) {
        let met = blocks.iter().enumerate().filter(|(at, _)| {
            [&user.allowed, &remote.allowed, &local.allowed].iter().all(|allowed| allowed.get(*at) == Some(&true))
        });
        let numbers: Vec<usize> = met.map(|(_, (number, _))| *number).collect();
        let situation = found.entry(numbers.clone()).or_insert_with(|| Situation {
            blocks: numbers,
            users: BTreeSet::new(),
            usual_users: BTreeSet::new(),
            logins: Vec::new(),
        });
        situation.add(user, remote, local, usual);
    }
    found.into_values().collect()
}

/// The reason for which none of the situations has this block.
pub fn unmet(block: &Block, host: &Host) -> Unmet {
    let unknown = block.criteria.iter().find_map(|criterion| match criterion {
        Criterion::Unknown(word) => Some(word.clone()),
        _ => None,
    });
    let one = [(0, block)];
    let none = |allowed: bool| !allowed;
    if let Some(word) = unknown {
        Unmet::Criterion(word)
    } else if host.users.iter().all(|user| none(block.criteria.iter().all(|one| one.allows_user(user)))) {
        Unmet::Users
    } else if remotes(&one, host).all(|remote| none(block.criteria.iter().all(|one| one.allows_remote(&remote)))) {
        let by_name = block.criteria.iter().any(|criterion| matches!(criterion, Criterion::Host(_)));
        if by_name && host.names == HostNames::Addresses { Unmet::HostNames } else { Unmet::Remotes }
    } else {
        Unmet::Others
    }
}

impl Situation {
    fn add(&mut self, user: &Class<Candidate>, remote: &Class<Remote>, local: &Class<Local>, usual: bool) {
        let names = || user.members.iter().map(|user| &user.name);
        let add_to = |known: &mut BTreeSet<String>| known.extend(names().cloned());
        add_to(&mut self.users);
        if usual {
            add_to(&mut self.usual_users);
        }
        let (Some(local), Some(first)) = (local.members.first(), remote.members.first()) else { return };
        let login = |(user, remote): (&String, &Remote)| Login {
            user: user.clone(),
            remote: remote.clone(),
            local: local.clone(),
        };
        let from_others =
            names().take(1).flat_map(|user| remote.members.iter().skip(1).map(move |remote| (user, remote)));
        let logins = names().map(|user| (user, first)).chain(from_others);
        let room = MOST_LOGINS.saturating_sub(self.logins.len());
        self.logins.extend(logins.take(room).map(login));
    }
}

/// The classes of some things, in the order of their first members.
fn classes<T>(
    blocks: &[(usize, &Block)],
    things: impl Iterator<Item = T>,
    allows: impl Fn(&Criterion, &T) -> bool,
) -> Vec<Class<T>> {
    let mut classes: Vec<Class<T>> = Vec::new();
    for thing in things {
        let of_block = |(_, block): &(usize, &Block)| block.criteria.iter().all(|criterion| allows(criterion, &thing));
        let allowed: Vec<bool> = blocks.iter().map(of_block).collect();
        match classes.iter_mut().find(|class| class.allowed == allowed) {
            Some(class) => class.members.push(thing),
            None => classes.push(Class { allowed, members: vec![thing] }),
        }
    }
    classes
}

/// The clients' ends that the criteria tell apart, the usual one first.
fn remotes(blocks: &[(usize, &Block)], host: &Host) -> impl Iterator<Item = Remote> {
    let criteria = || blocks.iter().flat_map(|(_, block)| &block.criteria);
    let written = criteria().flat_map(|criterion| match criterion {
        // The name of a host may be its address.
        Criterion::Address(patterns) | Criterion::Host(patterns) => patterns.addresses().collect(),
        _ => Vec::new(),
    });
    let addresses = ELSEWHERE.into_iter().chain(host.remotes.iter().copied()).chain(written).collect::<Vec<_>>();
    let names = criteria().flat_map(|criterion| match criterion {
        Criterion::Host(patterns) => patterns.examples().collect(),
        _ => Vec::new(),
    });
    let names: Vec<String> = std::iter::once(NAME.to_owned()).chain(names).collect();
    let is_looked_up = host.names == HostNames::LookedUp;
    addresses.into_iter().flat_map(move |address| {
        let names = if is_looked_up { names.clone() } else { vec![address.to_string()] };
        names.into_iter().map(move |host| Remote { host, address })
    })
}

/// sshd's ends, the usual one first.
fn locals(blocks: &[(usize, &Block)], host: &Host) -> impl Iterator<Item = Local> {
    let criteria = || blocks.iter().flat_map(|(_, block)| &block.criteria);
    let of_lists = |list: fn(&Criterion) -> Option<&Patterns>| criteria().filter_map(list).collect::<Vec<_>>();
    let addresses = of_lists(|criterion| match criterion {
        Criterion::LocalAddress(patterns) => Some(patterns),
        _ => None,
    });
    let domains = of_lists(|criterion| match criterion {
        Criterion::RoutingDomain(patterns) => Some(patterns),
        _ => None,
    });
    let (mut at, mut ports): (Vec<IpAddr>, Vec<u16>) = host.locals.iter().copied().unzip();
    at.extend(addresses.into_iter().flat_map(Patterns::addresses));
    ports.extend(criteria().filter_map(|criterion| match criterion {
        Criterion::LocalPort(port) => Some(*port),
        _ => None,
    }));
    let domains: Vec<String> =
        std::iter::once(String::new()).chain(domains.into_iter().flat_map(Patterns::examples)).collect();
    at.into_iter().flat_map(move |address| {
        let domains = domains.clone();
        ports.clone().into_iter().flat_map(move |port| {
            domains.clone().into_iter().map(move |routing_domain| Local { address, port, routing_domain })
        })
    })
}

/// Addresses for documentation (RFC 5737, RFC 3849): logins from elsewhere.
const ELSEWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// A name that no host has (RFC 2606).
const NAME: &str = "client.invalid";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkup::sshd::sources::Sources;

    fn host() -> Host {
        let user = |name: &str, groups: &[&str]| Candidate {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        Host {
            users: vec![
                user("alice", &["alice", "wheel"]),
                user("bob", &["bob", "deploy"]),
                user("carol", &["carol", "deploy", "wheel"]),
            ],
            remotes: Vec::new(),
            names: HostNames::LookedUp,
            locals: vec![("192.0.2.2".parse().unwrap(), 22)],
        }
    }

    /// The blocks with these lines, each of which says something about what is asked.
    fn of(lines: &[&str]) -> Sources {
        let mut sources = Sources::default();
        for (index, line) in lines.iter().enumerate() {
            let block = sources.add_block(None, format!("main:{index}"), line);
            sources.add_conditional(block, "AuthenticationMethods publickey", "");
        }
        sources
    }

    fn found(lines: &[&str], host: &Host) -> Vec<Situation> {
        let sources = of(lines);
        situations(&sources.judged_blocks().collect::<Vec<_>>(), host)
    }

    /// The users of the situation with these blocks, and its first login.
    fn with(lines: &[&str], blocks: &[usize]) -> Option<(Vec<String>, String)> {
        let found = found(lines, &host());
        let situation = found.into_iter().find(|situation| situation.blocks == blocks)?;
        Some((situation.users.into_iter().collect(), situation.logins.first().unwrap().to_string()))
    }

    #[test]
    fn each_criterion_has_a_login_that_meets_it_and_one_that_does_not() {
        let elsewhere = "host=client.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22";
        for (line, users, login) in [
            ("Match User bob", vec!["bob"], format!("user=bob,{elsewhere}")),
            ("Match User *,!bob,!carol", vec!["alice"], format!("user=alice,{elsewhere}")),
            ("Match Group deploy,!wheel", vec!["bob"], format!("user=bob,{elsewhere}")),
            ("Match Group deploy User c*", vec!["carol"], format!("user=carol,{elsewhere}")),
            (
                "Match Address 10.0.0.0/8,!10.0.0.0/9",
                vec!["alice", "bob", "carol"],
                "user=alice,host=client.invalid,addr=10.128.0.0,laddr=192.0.2.2,lport=22".to_owned(),
            ),
            (
                "Match Host *.example.org,!x.example.org,bad.example.org User bob",
                vec!["bob"],
                "user=bob,host=bad.example.org,addr=192.0.2.1,laddr=192.0.2.2,lport=22".to_owned(),
            ),
            (
                "Match LocalPort 2222 LocalAddress 203.0.113.0/24 User bob",
                vec!["bob"],
                "user=bob,host=client.invalid,addr=192.0.2.1,laddr=203.0.113.1,lport=2222".to_owned(),
            ),
            (
                "Match RDomain vrf* User bob",
                vec!["bob"],
                "user=bob,host=client.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22,rdomain=vrfx".to_owned(),
            ),
        ] {
            let users = users.into_iter().map(str::to_owned).collect();
            assert_eq!(with(&[line], &[0]), Some((users, login)), "{line}");
            assert!(with(&[line], &[]).is_some(), "{line}");
        }
        assert!(with(&["Match User *"], &[0]).is_some() && with(&["Match User *"], &[]).is_none());
    }

    #[test]
    fn blocks_that_some_logins_meet_together_are_one_situation_and_others_are_none() {
        let lines =
            ["Match User bob", "Match Group deploy", "Match Address 10.0.0.0/8", "Match User alice Address 10.0.0.0/8"];
        let found = found(&lines, &host());
        let met: Vec<&[usize]> = found.iter().map(|situation| situation.blocks.as_slice()).collect();
        assert_eq!(met, [&[][..], &[0, 1], &[0, 1, 2], &[1], &[1, 2], &[2, 3]]);
        let usual: Vec<bool> = found.iter().map(|situation| !situation.usual_users.is_empty()).collect();
        assert_eq!(usual, [true, true, false, true, false, false]);
    }

    #[test]
    fn without_names_of_clients_their_addresses_stand_for_them() {
        let host = Host { names: HostNames::Addresses, ..host() };
        let sources = of(&["Match Host *.example.org", "Match Host 10.1.*"]);
        let blocks: Vec<(usize, &Block)> = sources.judged_blocks().collect();
        let found = situations(&blocks, &host);
        assert_eq!(found.iter().map(|situation| situation.blocks.clone()).collect::<Vec<_>>(), [vec![], vec![1]]);
        assert_eq!(unmet(blocks[0].1, &host), Unmet::HostNames);
    }

    #[test]
    fn a_block_that_no_login_meets_has_a_reason() {
        let host = host();
        for (line, reason) in [
            ("Match User dave", Unmet::Users),
            ("Match User bob,!bob", Unmet::Users),
            ("Match Group sftp", Unmet::Users),
            ("Match invalid-user", Unmet::Users),
            ("Match Version OpenSSH_10.*", Unmet::Criterion("version".to_owned())),
            ("Match Address 10.0.0.0/8,!10.0.0.0/8", Unmet::Remotes),
            ("Match LocalPort 22 LocalPort 23", Unmet::Others),
        ] {
            let sources = of(&[line]);
            let blocks: Vec<(usize, &Block)> = sources.judged_blocks().collect();
            assert!(situations(&blocks, &host).iter().all(|situation| situation.blocks.is_empty()), "{line}");
            assert_eq!(unmet(blocks[0].1, &host), reason, "{line}");
        }
    }

    #[test]
    fn every_user_and_every_range_of_the_rules_has_a_login() {
        let host = Host { remotes: vec!["10.1.0.1".parse().unwrap()], ..host() };
        let found = found(&["Match Address 10.0.0.0/8"], &host);
        let inside = found.iter().find(|situation| situation.blocks == [0]).unwrap();
        let logins: Vec<String> =
            inside.logins.iter().map(|login| format!("{} {}", login.user, login.remote.address)).collect();
        for expected in ["alice 10.1.0.1", "bob 10.1.0.1", "carol 10.1.0.1", "alice 10.0.0.1", "alice 10.0.0.0"] {
            assert!(logins.iter().any(|login| login == expected), "{expected}: {logins:?}");
        }
    }
}
