//! Accepted logins that spare those like them the code for a while (`remember`).
//!
//! Invariants: only a login from an address is remembered, for one service; their number is bounded, as are the size and the duration
//! of each, also of those that a host of a fleet names as it likes; and the credential that opened the one must still open the other. So a
//! credential is taken from a user with all that it is remembered for.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::codes::digest::Digest;
use crate::codes::token::Seed;
use crate::host::clock::UnixTime;

/// Most accepted logins that are remembered for one user.
pub const MOST_MEMORIES: usize = 16;

/// The longest that an accepted login is remembered.
pub const LONGEST_REMEMBERED: Duration = Duration::from_hours(30 * 24);

/// The longest name of a service that is kept as it is, in bytes.
const LONGEST_SERVICE: usize = 64;

/// The place of a login that may be remembered: a service, from an address. A host name or no host at all is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginPlace<'a> {
    /// PAM_SERVICE.
    pub service: &'a str,
    /// PAM_RHOST, as an address.
    pub address: IpAddr,
}

impl LoginPlace<'_> {
    /// The service as it is kept: what is long or not printable under a digest. No two share one.
    fn kept_service(&self) -> Cow<'_, str> {
        let is_plain = self.service.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        if is_plain && self.service.len() <= LONGEST_SERVICE {
            return Cow::Borrowed(self.service);
        }
        Cow::Owned(Digest::of("service", &[self.service.as_bytes()]).to_string())
    }
}

/// A login that may be spared the code by an earlier one.
#[derive(Debug, Clone, Copy)]
pub struct Recall<'a> {
    /// The place of this login; the earlier one must have the same.
    pub place: LoginPlace<'a>,
    /// The longest time since then.
    pub longest: Duration,
}

/// An accepted login that spares those like it the code for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// To which service, as it is kept.
    pub service: String,
    /// From where.
    pub address: IpAddr,
    /// The time at which it was accepted.
    pub since: UnixTime,
    /// Until when it counts.
    pub until: UnixTime,
    /// With what.
    pub opener: Opener,
}

/// The credential that opened a session, in a form that is recognised later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// An app or a physical token.
    Seed(Seed),
    /// A recovery code.
    Recovery(Digest),
}

impl Memory {
    /// The memory of a login accepted at `now`, which counts so long.
    pub fn of(place: LoginPlace<'_>, now: UnixTime, duration: Duration, opener: Opener) -> Self {
        let (service, until) = (place.kept_service().into_owned(), now.after(duration.min(LONGEST_REMEMBERED)));
        Self { service, address: place.address, since: now, until, opener }
    }

    /// True when this login spares the one at hand, at `now`, the code. A rule may remember for a shorter time than it did.
    /// One that lies in the future is of a clock that was wrong, and counts for nothing.
    fn covers(&self, like: &Recall<'_>, now: UnixTime) -> bool {
        let until = self.until.min(self.since.after(like.longest));
        let in_time = self.since <= now && now < until;
        self.service == like.place.kept_service() && self.address == like.place.address && in_time
    }
}

/// The remembered logins of one user, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memories(Vec<Memory>);

impl Memories {
    /// As a store has kept them.
    pub fn stored(memories: Vec<Memory>) -> Self {
        Self(memories)
    }

    /// True when one of them spares this login, at `now`, the code. `opens` says whether the credential of that one would open this
    /// one.
    pub fn cover(&self, like: &Recall<'_>, now: UnixTime, opens: impl Fn(&Opener) -> bool) -> bool {
        self.0.iter().any(|memory| memory.covers(like, now) && opens(&memory.opener))
    }

    /// Forgets those that had run out at `latest`, and those made later than `now`, by a clock that was ahead.
    pub fn set_back(&mut self, now: UnixTime, latest: UnixTime) {
        self.0.retain(|memory| memory.since <= now && latest < memory.until);
    }

    /// Adds one, in the place of one like it; the oldest makes room.
    pub fn add(&mut self, memory: Memory) {
        self.0.retain(|other| (&other.service, other.address) != (&memory.service, memory.address));
        if self.0.len() >= MOST_MEMORIES {
            self.0.remove(0);
        }
        self.0.push(memory);
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// One after the other, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Memory> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    #[test]
    fn a_memory_is_small_and_short_whatever_a_host_says_and_covers_the_same_place_alone() {
        let opener = Opener::Recovery(Digest::of("test", &[b"code"]));
        let address = "192.0.2.7".parse().unwrap();
        let long = "web1/".to_owned() + &"s".repeat(16_000);
        let services =
            [&long, &(long.clone() + "s"), "web1/\n\u{7f}", "web1/\"", "web1/\u{fc}", "web1/sshd", "sshd", ""];
        for service in services {
            let place = LoginPlace { service, address };
            let mut memories = Memories::default();
            memories.add(Memory::of(place, NOW, Duration::MAX, opener));
            let kept = memories.iter().next().unwrap().clone();
            assert!(kept.service.len() <= 64 && kept.service.bytes().all(|byte| byte.is_ascii_graphic()), "{kept:?}");
            assert_eq!(kept.until.since(NOW), Some(LONGEST_REMEMBERED), "{kept:?}");
            for other in services {
                let like = Recall { place: LoginPlace { service: other, address }, longest: Duration::MAX };
                assert_eq!(memories.cover(&like, NOW, |_| true), service == other, "{kept:?} and {other}");
            }
        }
    }
}
