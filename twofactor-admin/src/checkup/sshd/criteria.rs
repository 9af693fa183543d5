//! The criteria of `Match` (sshd_config(5)), and the logins that meet them.

use std::net::IpAddr;

use super::patterns::Patterns;

/// A criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criterion {
    /// Names of users.
    User(Patterns),
    /// Names of groups of the user.
    Group(Patterns),
    /// Names of the client's host.
    Host(Patterns),
    /// Addresses of the client.
    Address(Patterns),
    /// Addresses at which sshd is reached.
    LocalAddress(Patterns),
    /// The port at which it is reached.
    LocalPort(u16),
    /// Names of the routing domain in which it is reached.
    RoutingDomain(Patterns),
    /// `invalid-user`: users who do not exist, and so open no session.
    NoUser,
    /// A word of which nothing is known here.
    Unknown(String),
}

/// A user as sshd sees one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The name.
    pub name: String,
    /// The names of all groups.
    pub groups: Vec<String>,
}

/// The client's end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The name of its host; sshd takes the address where it looks up no names.
    pub host: String,
    /// Its address.
    pub address: IpAddr,
}

/// sshd's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The routing domain; empty without one.
    pub routing_domain: String,
}

impl Criterion {
    /// The criteria of a line that begins with `Match`.
    pub fn all_of(line: &str) -> Vec<Self> {
        let mut words = words(line).into_iter().skip(1);
        let mut criteria = Vec::new();
        while let Some(word) = words.next() {
            criteria.push(match word.to_ascii_lowercase().as_str() {
                "all" => continue,
                "invalid-user" => Self::NoUser,
                name => Self::of(name, &words.next().unwrap_or_default()),
            });
        }
        criteria
    }

    fn of(name: &str, value: &str) -> Self {
        let patterns = || Patterns::parse(value);
        match name {
            "user" => Self::User(patterns()),
            "group" => Self::Group(patterns()),
            "host" => Self::Host(patterns()),
            "address" => Self::Address(patterns()),
            "localaddress" => Self::LocalAddress(patterns()),
            "rdomain" => Self::RoutingDomain(patterns()),
            "localport" => value.parse().map_or_else(|_| Self::Unknown(name.to_owned()), Self::LocalPort),
            name => Self::Unknown(name.to_owned()),
        }
    }

    /// True unless the user does not meet it.
    pub fn allows_user(&self, user: &Candidate) -> bool {
        match self {
            Self::User(patterns) => patterns.accept([user.name.as_str()]),
            Self::Group(patterns) => patterns.accept(user.groups.iter().map(String::as_str)),
            Self::NoUser | Self::Unknown(_) => false,
            Self::Host(_) | Self::Address(_) | Self::LocalAddress(_) | Self::LocalPort(_) | Self::RoutingDomain(_) => {
                true
            }
        }
    }

    /// True unless the client's end does not meet it.
    pub fn allows_remote(&self, remote: &Remote) -> bool {
        match self {
            Self::Host(patterns) => patterns.accept_host(&remote.host),
            Self::Address(patterns) => patterns.accept_address(remote.address),
            _ => true,
        }
    }

    /// True unless sshd's end does not meet it.
    pub fn allows_local(&self, local: &Local) -> bool {
        match self {
            Self::LocalAddress(patterns) => patterns.accept_address(local.address),
            Self::LocalPort(port) => *port == local.port,
            Self::RoutingDomain(patterns) => patterns.accept([local.routing_domain.as_str()]),
            _ => true,
        }
    }
}

/// The words of a line, as sshd cuts them: at blanks and at `=`, with double quotes around a word that holds them. A word that
/// begins with `#` ends the line.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find([' ', '\t', '=']).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        let behind = behind.trim_start();
        rest = behind.strip_prefix('=').unwrap_or(behind).trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_into_words_as_sshd_does_it() {
        for (line, expected) in [
            ("Match User bob", vec!["Match", "User", "bob"]),
            (" Match=User bob", vec!["Match", "User", "bob"]),
            ("Match\tUser = bob Address=10.0.0.0/8 # all", vec!["Match", "User", "bob", "Address", "10.0.0.0/8"]),
            ("Match user \"bob,x\"", vec!["Match", "user", "bob,x"]),
            ("Match User bob#x", vec!["Match", "User", "bob#x"]),
            ("Match \"user\" \"a b\" host h", vec!["Match", "user", "a b", "host", "h"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn each_criterion_is_read_and_unknown_ones_are_named() {
        let list = || Patterns::parse("a,!b");
        for (line, expected) in [
            ("match all # everybody", vec![]),
            ("Match User a,!b Group a,!b", vec![Criterion::User(list()), Criterion::Group(list())]),
            ("Match Host=a,!b address a,!b", vec![Criterion::Host(list()), Criterion::Address(list())]),
            (
                "Match LocalAddress a,!b LocalPort 2222",
                vec![Criterion::LocalAddress(list()), Criterion::LocalPort(2222)],
            ),
            ("Match RDomain a,!b", vec![Criterion::RoutingDomain(list())]),
            ("Match invalid-user", vec![Criterion::NoUser]),
            ("Match Version OpenSSH_10.*", vec![Criterion::Unknown("version".to_owned())]),
        ] {
            assert_eq!(Criterion::all_of(line), expected, "{line}");
        }
    }
}
