//! The places for connections: few enough for the host's memory, and shared so that no user can take all.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most connections at a time.
const MOST: usize = 64;
/// Most connections of one uid.
const MOST_OF_A_UID: usize = 4;
/// Most connections of uids that are still to be looked up. A user with many uids to spare, as /etc/subuid gives, takes up
/// these and no more.
const MOST_UNKNOWN: usize = 16;
/// Most connections of all uids together that belong to no user.
const MOST_OF_STRANGERS: usize = 8;
/// Most uids that are remembered as those of users.
const MOST_KNOWN: usize = 4096;

/// The places that are taken.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_uid: HashMap<u32, usize>,
    by_unknown: usize,
    by_strangers: usize,
    /// Uids that belong to users.
    known: HashSet<u32>,
}

/// The owner of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    /// Root: a program that may ask about each user.
    Root,
    /// Another uid.
    Uid(u32),
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    guest: Guest,
    is_unknown: bool,
}

/// One of the few places for uids without a user, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct AmongStrangers<'p>(&'p Places);

impl Places {
    /// Takes a place, when one is free and the guest has fewer than one may have.
    pub(crate) fn take(self: &Arc<Self>, guest: Guest) -> Option<Place> {
        let mut taken = self.lock();
        let is_unknown = matches!(guest, Guest::Uid(uid) if !taken.known.contains(&uid));
        if taken.all >= MOST || (is_unknown && taken.by_unknown >= MOST_UNKNOWN) {
            return None;
        }
        if let Guest::Uid(uid) = guest {
            let of_uid = taken.by_uid.entry(uid).or_default();
            if *of_uid >= MOST_OF_A_UID {
                return None;
            }
            *of_uid += 1;
        }
        taken.all += 1;
        taken.by_unknown += usize::from(is_unknown);
        Some(Place { places: Arc::clone(self), guest, is_unknown })
    }

    /// True when no connection is served.
    pub(crate) fn are_free(&self) -> bool {
        self.lock().all == 0
    }

    /// Nothing is left half done under the lock.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Remembers that the guest is a user.
    pub(crate) fn is_of_a_user(&mut self) {
        let mut taken = self.places.lock();
        if std::mem::take(&mut self.is_unknown) {
            taken.by_unknown -= 1;
        }
        if let Guest::Uid(uid) = self.guest
            && taken.known.len() < MOST_KNOWN
        {
            taken.known.insert(uid);
        }
    }

    /// One of the places for uids without a user, when one is free.
    pub(crate) fn among_strangers(&self) -> Option<AmongStrangers<'_>> {
        let mut taken = self.places.lock();
        if taken.by_strangers >= MOST_OF_STRANGERS {
            return None;
        }
        taken.by_strangers += 1;
        Some(AmongStrangers(&self.places))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        taken.by_unknown -= usize::from(self.is_unknown);
        if let Guest::Uid(uid) = self.guest
            && let Some(left) = taken.by_uid.get_mut(&uid)
        {
            *left -= 1;
            if *left == 0 {
                taken.by_uid.remove(&uid);
            }
        }
    }
}

impl Drop for AmongStrangers<'_> {
    fn drop(&mut self) {
        self.0.lock().by_strangers -= 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn one_user_takes_few_places_and_leaves_the_others_to_others() {
        let places = Arc::new(Places::default());
        let mut of_one: Vec<Place> = std::iter::from_fn(|| places.take(Guest::Uid(1000))).collect();
        assert_eq!(of_one.len(), MOST_OF_A_UID);
        let other = places.take(Guest::Uid(1001)).unwrap();
        of_one.pop();
        of_one.push(places.take(Guest::Uid(1000)).expect("a place is free again"));
        let roots: Vec<Place> = std::iter::from_fn(|| places.take(Guest::Root)).collect();
        assert_eq!(roots.len(), MOST - MOST_OF_A_UID - 1);
        let strangers: Vec<AmongStrangers<'_>> = std::iter::from_fn(|| other.among_strangers()).collect();
        assert_eq!(strangers.len(), MOST_OF_STRANGERS);
        drop(strangers);
        assert!(other.among_strangers().is_some(), "and so is one of theirs");
        drop((of_one, other, roots));
        assert!(places.are_free());
    }

    #[test]
    fn uids_to_spare_take_few_places_and_a_user_who_was_seen_before_has_one() {
        let places = Arc::new(Places::default());
        places.take(Guest::Uid(1000)).unwrap().is_of_a_user();
        let spare: Vec<Place> = (100_000..101_000).map_while(|uid| places.take(Guest::Uid(uid))).collect();
        assert_eq!(spare.len(), MOST_UNKNOWN);
        assert!(places.take(Guest::Uid(1000)).is_some() && places.take(Guest::Root).is_some());
        drop(spare);
        assert!(places.are_free());
        assert!(places.take(Guest::Uid(100_000)).is_some());
    }
}
