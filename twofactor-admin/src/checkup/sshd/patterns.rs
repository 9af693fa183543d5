//! Patterns of sshd (ssh_config(5), PATTERNS): names with `*` and `?`, ranges of addresses, and lists of both with `!`.
//!
//! Invariants: a text is judged as sshd does it, so a pattern with `!` that fits refuses the whole list. The examples of a list are
//! texts that may fit it and texts beside it; each is judged before it is used.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A list of patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    sense: Sense,
}

/// The meaning of a pattern that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Accepts,
    /// Written with `!`.
    Refuses,
}

impl Patterns {
    /// Reads a list with commas.
    pub fn parse(list: &str) -> Self {
        let pattern = |word: &str| match word.strip_prefix('!') {
            Some(text) => Pattern { text: text.to_owned(), sense: Sense::Refuses },
            None => Pattern { text: word.to_owned(), sense: Sense::Accepts },
        };
        Self(list.split(',').map(pattern).collect())
    }

    /// True when the list accepts one of these texts and refuses none, as sshd judges the groups of a user.
    pub fn accept<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> bool {
        self.judge(texts, fits)
    }

    /// The same of a host name, in any case.
    pub fn accept_host(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.judge([name.as_str()], |pattern, name| fits(&pattern.to_ascii_lowercase(), name))
    }

    /// The same of an address: a pattern may be a range.
    pub fn accept_address(&self, address: IpAddr) -> bool {
        let text = address.to_string();
        self.judge([text.as_str()], |pattern, text| match network(pattern) {
            Some(network) => network.contains(&address),
            None => fits(pattern, text),
        })
    }

    fn judge<'t>(&self, texts: impl IntoIterator<Item = &'t str>, fits: impl Fn(&str, &str) -> bool) -> bool {
        let mut accepted = false;
        for text in texts {
            let senses = || self.0.iter().filter(|pattern| fits(&pattern.text, text)).map(|pattern| pattern.sense);
            if senses().any(|sense| sense == Sense::Refuses) {
                return false;
            }
            accepted |= senses().next().is_some();
        }
        accepted
    }

    /// Texts that patterns of the list fit.
    pub fn examples(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|pattern| pattern.text.replace(['*', '?'], "x"))
    }

    /// The patterns that stand for one text each.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pattern| pattern.text.as_str()).filter(|text| !text.contains(['*', '?']))
    }

    /// Addresses in the ranges of the list and just behind them. If any address is in some of these ranges and not in others,
    /// so is one of these.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.0.iter().flat_map(|pattern| match network(&pattern.text) {
            Some(network) => edges(network),
            None => wild_addresses(&pattern.text),
        })
    }
}

/// The first address of a network that a host can have, its first one, and the one behind its last.
pub fn edges(network: IpNet) -> Vec<IpAddr> {
    let addresses = [network.hosts().next(), Some(network.network()), next(network.broadcast())];
    let mut seen = BTreeSet::new();
    addresses.into_iter().flatten().filter(|address| seen.insert(*address)).collect()
}

/// A range, or one address.
fn network(pattern: &str) -> Option<IpNet> {
    pattern.parse().or_else(|_| pattern.parse::<IpAddr>().map(IpNet::from)).ok()
}

fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_add(1).map(|next| Ipv4Addr::from(next).into()),
        IpAddr::V6(address) => u128::from(address).checked_add(1).map(|next| Ipv6Addr::from(next).into()),
    }
}

/// Addresses of a pattern with `*` or `?`.
fn wild_addresses(pattern: &str) -> Vec<IpAddr> {
    let plain = pattern.replace('?', "1");
    let rests = ["1", "1.1", "1.1.1", ":1", "1::1"];
    rests.iter().filter_map(|rest| plain.replace('*', rest).parse().ok()).collect()
}

/// True when a text fits a pattern: `*` stands for any letters, `?` for one.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // After each letter of the pattern: which beginnings of the text it stands for.
    let mut reached = vec![false; text.len() + 1];
    if let Some(nothing) = reached.first_mut() {
        *nothing = true;
    }
    for letter in pattern {
        reached = match letter {
            '*' => {
                let first = reached.iter().position(|is| *is).unwrap_or(reached.len());
                (0..reached.len()).map(|at| at >= first).collect()
            }
            letter => {
                let steps = reached.iter().zip(&text).map(|(is, next)| *is && (letter == '?' || letter == *next));
                std::iter::once(false).chain(steps).collect()
            }
        };
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_sshd() {
        for (pattern, text) in [("alice", "alice"), ("a*", "alice"), ("*", ""), ("?l*e", "alice"), ("*a*i*", "alice")] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("alice", "alic"), ("alic", "alice"), ("b*", "alice"), ("?", ""), ("a?e", "alice")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_list_accepts_what_it_does_not_refuse() {
        let accepts = |list: &str, texts: &[&str]| Patterns::parse(list).accept(texts.iter().copied());
        assert!(accepts("alice,bob", &["bob"]) && accepts("*,!bob", &["alice"]));
        assert!(
            !accepts("!bob,*", &["bob"])
                && !accepts("*,!bob", &["bob"])
                && !accepts("!bob", &["alice"])
                && !accepts("alice", &[])
        );
        // Of groups, one that is refused refuses the user.
        assert!(accepts("deploy,!wheel", &["users", "deploy"]) && !accepts("deploy,!wheel", &["deploy", "wheel"]));
        assert!(Patterns::parse("*.Example.org").accept_host("client.EXAMPLE.org"));
    }

    #[test]
    fn addresses_are_judged_as_ranges_or_as_text() {
        let accepts = |list: &str, address: &str| Patterns::parse(list).accept_address(address.parse().unwrap());
        for (list, address) in [
            ("10.0.0.0/8", "10.1.2.3"),
            ("10.0.0.0/8,!10.1.0.0/16", "10.2.0.1"),
            ("192.0.2.*", "192.0.2.77"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8::/32", "2001:db8::1"),
            ("!10.0.0.0/8,*", "2001:db8::1"),
        ] {
            assert!(accepts(list, address), "{list} {address}");
        }
        for (list, address) in
            [("10.0.0.0/8,!10.1.0.0/16", "10.1.0.1"), ("192.0.2.7", "192.0.2.8"), ("10.0.0.0/8", "2001:db8::1")]
        {
            assert!(!accepts(list, address), "{list} {address}");
        }
    }

    #[test]
    fn each_part_of_overlapping_ranges_has_an_address() {
        let lists = [
            "10.0.0.0/8,!10.0.0.0/9,!10.192.0.0/10",
            "10.0.0.0/8,!10.0.0.0/24",
            "!0.0.0.0/1,0.0.0.0/0",
            "192.0.2.7/32",
        ];
        for list in lists.map(Patterns::parse) {
            assert!(list.addresses().any(|address| list.accept_address(address)), "{list:?}");
        }
        for pattern in ["10.*", "10.1.*", "10.1.2.*", "10.?.1.1", "2001:db8:*", "192.0.2.1?"] {
            let list = Patterns::parse(pattern);
            assert!(list.addresses().any(|address| list.accept_address(address)), "{pattern}");
        }
    }
}
