//! The places for connections: few enough for the host's memory, and shared so that no user can take all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most connections at a time.
const MOST: usize = 64;
/// Most connections of one user.
const MOST_OF_A_USER: usize = 4;
/// Most connections of all uids together that belong to no user.
const MOST_OF_STRANGERS: usize = 8;

/// The places that are taken.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<Guest, usize>,
}

/// The owner of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Guest {
    /// Root's: a program that may ask about anybody.
    Root,
    /// Of the user with that uid.
    User(u32),
    /// Of a uid that no user has.
    Stranger,
}

impl Guest {
    fn most(self) -> usize {
        match self {
            Self::Root => MOST,
            Self::User(_) => MOST_OF_A_USER,
            Self::Stranger => MOST_OF_STRANGERS,
        }
    }
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

/// The place of a guest, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat<'p> {
    places: &'p Places,
    guest: Guest,
}

impl Places {
    /// Takes a place, when one is free.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.lock();
        if taken.all >= MOST {
            return None;
        }
        taken.all += 1;
        Some(Place(Arc::clone(self)))
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
    /// Gives the place to a guest, unless that guest has as many as one may have.
    pub(crate) fn seat(&self, guest: Guest) -> Option<Seat<'_>> {
        let mut taken = self.0.lock();
        let of_guest = taken.by.entry(guest).or_default();
        if *of_guest >= guest.most() {
            return None;
        }
        *of_guest += 1;
        Some(Seat { places: &self.0, guest })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().all -= 1;
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(left) = taken.by.get_mut(&self.guest) {
            *left -= 1;
            if *left == 0 {
                taken.by.remove(&self.guest);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn one_user_takes_few_places_and_leaves_the_others_to_others() {
        let places = Arc::new(Places::default());
        let all: Vec<Place> = (0..MOST).map(|_| places.take().unwrap()).collect();
        assert!(places.take().is_none(), "all are taken");
        let seats: Vec<Seat<'_>> = all.iter().map_while(|place| place.seat(Guest::User(1000))).collect();
        assert_eq!(seats.len(), MOST_OF_A_USER);
        assert!(all[9].seat(Guest::User(1001)).is_some());
        let strangers: Vec<Seat<'_>> = all.iter().map_while(|place| place.seat(Guest::Stranger)).collect();
        assert_eq!(strangers.len(), MOST_OF_STRANGERS);
        drop(seats);
        assert!(all[9].seat(Guest::User(1000)).is_some(), "a place is free again");
        drop(strangers);
        drop(all);
        assert!(places.are_free());
    }
}
