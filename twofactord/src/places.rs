//! The places for connections: few enough for the host's memory, and shared so that no user can take all.
//!
//! Root's programs have no bound of their own but this: a place that has asked nothing yet is given to the next of them
//! when there are [`MOST_SILENT`]. A user can stop a program of root that he has started, `su`, before it has said who
//! started it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
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
/// Most connections of root's programs that have asked nothing yet.
const MOST_SILENT: usize = 16;
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
    /// Root's connections that have asked nothing yet, the oldest first, each with a number.
    silent: VecDeque<(u64, UnixStream)>,
    numbers: u64,
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
    /// The uid that it is counted under.
    uid: Option<u32>,
    is_unknown: bool,
    silent: Option<u64>,
}

/// One of the few places for uids without a user, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct AmongStrangers(Arc<Places>);

/// There is no place left for this one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Places {
    /// Takes a place, when one is free and the guest has fewer than one may have.
    pub(crate) fn take(self: &Arc<Self>, guest: Guest, stream: &UnixStream) -> Result<Place, Full> {
        let mut taken = self.lock();
        let is_unknown = matches!(guest, Guest::Uid(uid) if !taken.known.contains(&uid));
        if taken.all >= MOST || (is_unknown && taken.by_unknown >= MOST_UNKNOWN) {
            return Err(Full);
        }
        let (uid, silent) = match guest {
            Guest::Uid(uid) => {
                taken.count(uid)?;
                (Some(uid), None)
            }
            Guest::Root => (None, Some(taken.wait_for_question(stream)?)),
        };
        taken.all += 1;
        taken.by_unknown += usize::from(is_unknown);
        Ok(Place { places: Arc::clone(self), uid, is_unknown, silent })
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

impl Taken {
    fn count(&mut self, uid: u32) -> Result<(), Full> {
        let of_uid = self.by_uid.entry(uid).or_default();
        if *of_uid >= MOST_OF_A_UID {
            return Err(Full);
        }
        *of_uid += 1;
        Ok(())
    }

    fn discount(&mut self, uid: u32) {
        if let Some(left) = self.by_uid.get_mut(&uid) {
            *left -= 1;
            if *left == 0 {
                self.by_uid.remove(&uid);
            }
        }
    }

    /// A number for a connection of root that has asked nothing yet. The oldest of too many is ended.
    fn wait_for_question(&mut self, stream: &UnixStream) -> Result<u64, Full> {
        let stream = stream.try_clone().map_err(|_| Full)?;
        if self.silent.len() >= MOST_SILENT
            && let Some((_, oldest)) = self.silent.pop_front()
        {
            let _ = oldest.shutdown(Shutdown::Both);
        }
        self.numbers += 1;
        self.silent.push_back((self.numbers, stream));
        Ok(self.numbers)
    }
}

impl Place {
    /// True when the guest is root, or was seen to be a user before: a look-up can take longer than all else.
    pub(crate) fn is_of_a_known_user(&self) -> bool {
        !self.is_unknown
    }

    /// Remembers that the guest is a user.
    pub(crate) fn is_of_a_user(&mut self) {
        let mut taken = self.places.lock();
        if std::mem::take(&mut self.is_unknown) {
            taken.by_unknown -= 1;
        }
        if let Some(uid) = self.uid
            && taken.known.len() < MOST_KNOWN
        {
            taken.known.insert(uid);
        }
    }

    /// Notes that the guest, a program of root, has asked, and that this user has started it: the place is one of the user's
    /// from now on.
    pub(crate) fn is_asked_for(&mut self, uid: u32) -> Result<(), Full> {
        let mut taken = self.places.lock();
        if let Some(number) = self.silent.take() {
            taken.silent.retain(|(other, _)| *other != number);
        }
        let uid = (uid != 0).then_some(uid);
        if uid == self.uid {
            return Ok(());
        }
        if let Some(uid) = uid {
            taken.count(uid)?;
        }
        if let Some(before) = std::mem::replace(&mut self.uid, uid) {
            taken.discount(before);
        }
        Ok(())
    }

    /// One of the places for uids without a user, when one is free.
    pub(crate) fn among_strangers(&self) -> Result<AmongStrangers, Full> {
        let mut taken = self.places.lock();
        if taken.by_strangers >= MOST_OF_STRANGERS {
            return Err(Full);
        }
        taken.by_strangers += 1;
        Ok(AmongStrangers(Arc::clone(&self.places)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        taken.by_unknown -= usize::from(self.is_unknown);
        if let Some(uid) = self.uid {
            taken.discount(uid);
        }
        if let Some(number) = self.silent {
            taken.silent.retain(|(other, _)| *other != number);
        }
    }
}

impl Drop for AmongStrangers {
    fn drop(&mut self) {
        self.0.lock().by_strangers -= 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail loudly")]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn taken(places: &Arc<Places>, guest: Guest) -> Result<Place, Full> {
        places.take(guest, &UnixStream::pair().unwrap().0)
    }

    #[test]
    fn one_user_takes_few_places_and_leaves_the_others_to_others() {
        let places = Arc::new(Places::default());
        let mut of_one: Vec<Place> = std::iter::from_fn(|| taken(&places, Guest::Uid(1000)).ok()).collect();
        assert_eq!(of_one.len(), MOST_OF_A_UID);
        let other = taken(&places, Guest::Uid(1001)).unwrap();
        of_one.pop();
        of_one.push(taken(&places, Guest::Uid(1000)).expect("a place is free again"));
        let roots: Vec<Place> = std::iter::from_fn(|| taken(&places, Guest::Root).ok()).collect();
        assert_eq!(roots.len(), MOST - MOST_OF_A_UID - 1);
        let strangers: Vec<AmongStrangers> = std::iter::from_fn(|| other.among_strangers().ok()).collect();
        assert_eq!(strangers.len(), MOST_OF_STRANGERS);
        drop(strangers);
        assert!(other.among_strangers().is_ok(), "and so is one of theirs");
        drop((of_one, other, roots));
        assert!(places.are_free());
    }

    #[test]
    fn uids_to_spare_take_few_places_and_a_user_who_was_seen_before_has_one() {
        let places = Arc::new(Places::default());
        let mut first = taken(&places, Guest::Uid(1000)).unwrap();
        assert!(!first.is_of_a_known_user());
        first.is_of_a_user();
        drop(first);
        assert!(taken(&places, Guest::Uid(1000)).unwrap().is_of_a_known_user());
        let spare: Vec<Place> = (100_000..101_000).map_while(|uid| taken(&places, Guest::Uid(uid)).ok()).collect();
        assert_eq!(spare.len(), MOST_UNKNOWN);
        assert!(taken(&places, Guest::Uid(1000)).is_ok() && taken(&places, Guest::Root).is_ok());
        drop(spare);
        assert!(places.are_free());
        assert!(taken(&places, Guest::Uid(100_000)).is_ok());
    }

    #[test]
    fn a_program_of_root_takes_a_place_of_the_user_who_started_it() {
        let places = Arc::new(Places::default());
        let started_by = |uid: u32| {
            let mut place = taken(&places, Guest::Root)?;
            place.is_asked_for(uid)?;
            Ok::<Place, Full>(place)
        };
        let of_one: Vec<Place> = std::iter::from_fn(|| started_by(1000).ok()).collect();
        assert_eq!(of_one.len(), MOST_OF_A_UID);
        assert_eq!(taken(&places, Guest::Uid(1000)).unwrap_err(), Full, "they are all of the user's");
        let mut other = started_by(1001).unwrap();
        assert_eq!(other.is_asked_for(1000), Err(Full));
        assert!(other.is_asked_for(1001).is_ok());
        drop((of_one, other));
        let roots: Vec<Place> = std::iter::from_fn(|| started_by(0).ok()).collect();
        assert_eq!(roots.len(), MOST);
        drop(roots);
        assert!(places.are_free() && places.lock().by_uid.is_empty() && places.lock().silent.is_empty());
    }

    #[test]
    fn programs_of_root_that_ask_nothing_make_room_for_the_next() {
        let places = Arc::new(Places::default());
        let mut waiting = Vec::new();
        for _ in 0..=MOST_SILENT {
            let (stream, other_end) = UnixStream::pair().unwrap();
            waiting.push((places.take(Guest::Root, &stream).unwrap(), stream, other_end));
        }
        let has_ended = |(_, _, other_end): &(Place, UnixStream, UnixStream)| {
            other_end.set_nonblocking(true).unwrap();
            (&*other_end).read(&mut [0]).is_ok()
        };
        let ended: Vec<bool> = waiting.iter().map(has_ended).collect();
        assert_eq!(ended.iter().position(|ended| *ended), Some(0), "the oldest");
        assert_eq!(ended.iter().filter(|ended| **ended).count(), 1, "and no other");
    }
}
