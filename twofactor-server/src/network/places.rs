//! Places of connections and turns of questions: of all, of one host, and of one address that has shown no certificate yet.
//!
//! Invariants: connections without a certificate take no place of those with one, and those of one address not all places of strangers.
//! The questions of one host are judged so many at a time; the others wait for their turn, within the time that a question has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most connections of hosts, and most of one host.
const CONNECTIONS: usize = 8192;
const OF_ONE_HOST: usize = 256;

/// Most questions of one host that are judged at once. A server has twice as many connections to its database, so that a host whose
/// questions all hang there leaves the others half of them.
const AT_ONCE: usize = 8;

/// Most connections that have not shown a certificate yet, and most of them from one address.
const STRANGERS: usize = 512;
const OF_ONE_ADDRESS: usize = 64;

/// The places of one server.
#[derive(Default)]
pub(crate) struct Places(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    connections: usize,
    hosts: HashMap<String, OfHost>,
    strangers: usize,
    addresses: HashMap<IpAddr, usize>,
}

struct OfHost {
    connections: usize,
    turns: Arc<Semaphore>,
}

/// A connection without a certificate, counted until it ends or has shown one.
pub(crate) struct Stranger {
    places: Arc<Places>,
    address: IpAddr,
}

/// A connection of a host, counted until it ends.
pub(crate) struct Guest {
    places: Arc<Places>,
    name: String,
    turns: Arc<Semaphore>,
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from this address; `None` where there is none left.
    pub(crate) fn stranger(self: &Arc<Self>, address: IpAddr) -> Option<Stranger> {
        let address = network(address);
        let mut taken = self.taken();
        let of_address = taken.addresses.get(&address).copied().unwrap_or_default();
        if taken.strangers >= STRANGERS || of_address >= OF_ONE_ADDRESS {
            return None;
        }
        taken.strangers += 1;
        taken.addresses.insert(address, of_address + 1);
        Some(Stranger { places: Arc::clone(self), address })
    }

    /// A place for a connection of the host of this name; `None` where there is none left.
    pub(crate) fn guest(self: &Arc<Self>, name: &str) -> Option<Guest> {
        let mut taken = self.taken();
        let all = taken.connections;
        let new = || OfHost { connections: 0, turns: Arc::new(Semaphore::new(AT_ONCE)) };
        let host = taken.hosts.entry(name.to_owned()).or_insert_with(new);
        if host.connections >= OF_ONE_HOST || all >= CONNECTIONS {
            return None;
        }
        host.connections += 1;
        let turns = Arc::clone(&host.turns);
        taken.connections += 1;
        Some(Guest { places: Arc::clone(self), name: name.to_owned(), turns })
    }
}

impl Guest {
    /// Waits for the turn of a question, which lasts as long as the value.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.strangers -= 1;
        if let Some(count) = taken.addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.addresses.remove(&self.address);
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.connections -= 1;
        if let Some(host) = taken.hosts.get_mut(&self.name) {
            host.connections -= 1;
            if host.connections == 0 {
                taken.hosts.remove(&self.name);
            }
        }
    }
}

/// The part of an address that one machine cannot choose: of IPv6 the first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_no_place_of_another_and_a_place_that_is_left_is_free() {
        let places = Arc::new(Places::default());
        let address = |text: &str| text.parse().unwrap();
        let mut taken: Vec<_> = (0..OF_ONE_ADDRESS).map(|_| places.stranger(address("192.0.2.1")).unwrap()).collect();
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert!(places.stranger(address(same)).is_none(), "{same}");
        }
        let of_another = |number: usize| address(&format!("2001:db8:0:1::{number:x}"));
        let others: Vec<_> = (1..=OF_ONE_ADDRESS).map(|number| places.stranger(of_another(number)).unwrap()).collect();
        assert!(places.stranger(address("2001:db8:0:1::ffff")).is_none(), "one machine has many of these");
        assert!(places.stranger(address("2001:db8:0:2::1")).is_some());
        taken.pop();
        assert!(places.stranger(address("192.0.2.1")).is_some());
        drop((taken, others));
        assert!(places.taken().addresses.is_empty() && places.taken().strangers == 0);
    }

    #[test]
    fn one_host_takes_no_place_of_another() {
        let places = Arc::new(Places::default());
        let web1: Vec<_> = (0..OF_ONE_HOST).map(|_| places.guest("web1").unwrap()).collect();
        assert!(places.guest("web1").is_none() && places.guest("web2").is_some());
        drop(web1);
        assert!(places.taken().hosts.is_empty() && places.taken().connections == 0);
    }
}
