//! `[fleet]`, `[store]`, `[server]` and `[[host]]`: a host that asks a central store, and the machine that has it.
//!
//! Invariants: a host is known by the name in its certificate, and what it may ask stands on the server.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The port of a server, unless an address names another.
pub const PORT: u16 = 7443;

/// The files of a host that has joined, unless `[fleet]` names others.
pub const CA: &str = "/etc/twofactor/fleet/ca.pem";
/// The certificate.
pub const CERTIFICATE: &str = "/etc/twofactor/fleet/host.pem";
/// The key.
pub const KEY: &str = "/etc/twofactor/fleet/host.key";

/// `[fleet]`: this host asks a central store about users who have no account in its own files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The servers, in the order in which they are asked.
    pub servers: Vec<ServerAddress>,
    /// The authority of their certificates.
    pub ca: PathBuf,
    /// The certificate of this host.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// Its name, which its certificate bears.
    pub name: String,
    /// Its port.
    pub port: u16,
}

impl ServerAddress {
    /// Reads `NAME` or `NAME:PORT`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok().filter(|port| *port > 0)?),
            None => (text, PORT),
        };
        is_host_name(name).then(|| Self { name: name.to_ascii_lowercase(), port })
    }
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.name, self.port)
    }
}

/// The folder of a central store in files, unless `[store]` names another.
pub const FOLDER: &str = "/var/lib/twofactor-server";

/// `[store]`: the central store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CentralStore {
    /// The place of the accounts.
    pub backing: Backing,
    /// The file of the keys that seal what it keeps.
    pub seed_key: PathBuf,
    /// The days for which rows of its audit are kept.
    pub audit_days: u32,
}

/// The place of a central store's accounts.
#[derive(Clone, PartialEq, Eq)]
pub enum Backing {
    /// PostgreSQL, for several servers: its connection string.
    Postgresql(String),
    /// Files and SQLite, for one server: their folder.
    Files(PathBuf),
}

/// Without the connection string: it may have a password.
impl std::fmt::Debug for Backing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Postgresql(_) => formatter.write_str("Postgresql"),
            Self::Files(folder) => formatter.debug_tuple("Files").field(folder).finish(),
        }
    }
}

/// `[server]`: the port of a server, and its TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The addresses that it listens on.
    pub listen: Vec<SocketAddr>,
    /// The names by which hosts ask it; empty where it is the machine's.
    pub names: Vec<String>,
    /// The files of a site's own authority. `None` where the fleet has one of its own.
    pub site: Option<SiteFiles>,
}

/// The files of a server where a site signs the certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFiles {
    /// The chain of its certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority of the hosts' certificates.
    pub client_ca: PathBuf,
}

/// `[[host]]`: hosts that may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// The line it begins at.
    pub line: usize,
    /// The name, in which `*` stands for any letters.
    pub name: String,
    /// They may enroll users at their login prompts, and not only ask about logins.
    pub may_enroll: bool,
    /// Their users may look at their own second factor there, and change it.
    pub may_self: bool,
    /// The groups whose members they may ask about; `None`: about each user.
    pub groups: Option<Vec<String>>,
    /// Wrong codes within an hour, of one host; with more it is slowed.
    pub wrong_codes_per_hour: u32,
    /// Users whom one host enrolls without an invitation within an hour; more are refused.
    pub enrollments_per_hour: u32,
}

/// The quota of a host whose entry names none.
pub const WRONG_CODES_PER_HOUR: u32 = 200;

/// Its quota of enrollments without an invitation.
pub const ENROLLMENTS_PER_HOUR: u32 = 20;

/// The service that the rules of the central machine see when a host enrolls a user. The host's own word for it counts for nothing.
pub const ENROLLMENT_SERVICE: &str = "twofactor-fleet";

impl HostRule {
    /// The entry that holds for the host of that name: the first that is about it.
    pub fn of<'r>(rules: &'r [Self], host: &str) -> Option<&'r Self> {
        rules.iter().find(|rule| rule.is_about(host))
    }

    /// True when this is about the host of that name.
    pub fn is_about(&self, host: &str) -> bool {
        match self.name.split_once('*') {
            None => self.name == host,
            Some((before, after)) => {
                host.len() >= before.len() + after.len() && host.starts_with(before) && host.ends_with(after)
            }
        }
    }
}

/// The groups about whose members a host may ask, by the entry about it and by the groups that were named when it was added, where none
/// stands for all: those in both. `None` is about each user.
pub fn groups_in_both(entry: Option<&[String]>, added: &[String]) -> Option<Vec<String>> {
    match entry {
        None => (!added.is_empty()).then(|| added.to_vec()),
        Some(entry) if added.is_empty() => Some(entry.to_vec()),
        Some(entry) => Some(entry.iter().filter(|group| added.contains(group)).cloned().collect()),
    }
}

/// True for a host name: letters, digits, hyphens and dots.
pub fn is_host_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=253).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with(['-', '.'])
}

/// True for a host name that no address can be taken for: its last part is no number (RFC 1123, section 2.1). A certificate bears such a
/// name.
pub fn names_a_host(name: &str) -> bool {
    let is_number = |part: &str| {
        let hexadecimal =
            part.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        hexadecimal || part.bytes().all(|digit| digit.is_ascii_digit())
    };
    is_host_name(name) && !is_number(name.rsplit('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_port_that_it_names_or_the_usual_one() {
        let parsed = |text| ServerAddress::parse(text).map(|address| address.to_string());
        assert_eq!(parsed("OTP1.example.org").as_deref(), Some("otp1.example.org:7443"));
        assert_eq!(parsed("192.0.2.1:99").as_deref(), Some("192.0.2.1:99"));
        for wrong in ["", ":7443", "otp1:0", "otp1:70000", "otp1:x", "https://otp1", "otp 1", "-otp1"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_and_its_like_name_no_host() {
        for name in ["web1", "web1.example.org", "10.example.org", "3com", "0x.org", "1a"] {
            assert!(names_a_host(name), "{name}");
        }
        for name in ["10.0.0.5", "10", "127.1", "web1.5", "0x7f.0x1", "2130706433", "web1.", "", "fe80::1", "web_1"] {
            assert!(!names_a_host(name), "{name}");
        }
    }

    #[test]
    fn of_the_groups_of_an_entry_and_of_a_join_those_in_both_count() {
        let groups = |listed: &[&str]| listed.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>();
        let of = |entry: Option<&[&str]>, added: &[&str]| groups_in_both(entry.map(groups).as_deref(), &groups(added));
        assert_eq!(of(None, &[]), None);
        assert_eq!(of(None, &["web"]), Some(groups(&["web"])));
        assert_eq!(of(Some(&["web", "dba"]), &[]), Some(groups(&["web", "dba"])));
        assert_eq!(of(Some(&["web", "dba"]), &["dba", "ops"]), Some(groups(&["dba"])));
        assert_eq!(of(Some(&["web"]), &["ops"]), Some(Vec::new()), "about no user");
    }

    #[test]
    fn a_star_stands_for_any_letters_and_a_name_for_itself() {
        let about = |name: &str, host| {
            let name = name.to_owned();
            let (wrong_codes_per_hour, enrollments_per_hour) = (WRONG_CODES_PER_HOUR, ENROLLMENTS_PER_HOUR);
            let (line, may_enroll, may_self, groups) = (1, false, false, None);
            let rule =
                HostRule { line, name, may_enroll, may_self, groups, wrong_codes_per_hour, enrollments_per_hour };
            rule.is_about(host)
        };
        assert!(about("web*.example.org", "web12.example.org") && about("web*.example.org", "web.example.org"));
        assert!(about("*", "db") && about("db", "db"));
        assert!(!about("web*.example.org", "web.example.com") && !about("db", "db2") && !about("aba*aba", "aba"));
    }
}
