//! The queues of one server. A user's attempts wait in one of them for each other, and not in the store.
//!
//! Invariant: questions about no user, and about users who do not exist, have no queue in common. They would wait for each other, longer
//! than questions about known users do, and an attacker fills such a queue with names of his own.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard};
use twofactor_core::host::user::UserName;

/// The number of queues.
const QUEUES: usize = 1024;

/// The queues.
pub(crate) struct Queues {
    all: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
    /// The queue of the next question about no user.
    next: AtomicUsize,
}

/// The turn of a question. The next one about the user waits until it is dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Default for Queues {
    fn default() -> Self {
        Self {
            all: (0..QUEUES).map(|_| Arc::default()).collect(),
            hasher: RandomState::new(),
            next: AtomicUsize::new(0),
        }
    }
}

impl Queues {
    /// Waits for the questions about this user that came before.
    pub(crate) async fn turn_of(&self, user: &UserName) -> Turn {
        self.turn_in(usize::try_from(self.hasher.hash_one(user.as_str())).unwrap_or_default()).await
    }

    /// The turn of a question about no user: in each of the queues in turn.
    pub(crate) async fn turn_of_any(&self) -> Turn {
        self.turn_in(self.next.fetch_add(1, Ordering::Relaxed)).await
    }

    async fn turn_in(&self, place: usize) -> Turn {
        // There is always a first.
        let queue = self.all.get(place % QUEUES).unwrap_or(&self.all[0]);
        Arc::clone(queue).lock_owned().await
    }
}
