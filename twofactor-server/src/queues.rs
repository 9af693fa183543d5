//! The queues of one server. A user's attempts wait in one of them for each other, and not in the store.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use twofactor_core::host::user::UserName;

/// The number of queues.
const QUEUES: usize = 1024;

/// The queues.
pub(crate) struct Queues {
    all: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
}

/// The turn of a question. The next one about the user waits until it is dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Default for Queues {
    fn default() -> Self {
        Self { all: (0..QUEUES).map(|_| Arc::default()).collect(), hasher: RandomState::new() }
    }
}

impl Queues {
    /// Waits for the questions about this user that came before.
    pub(crate) async fn turn_of(&self, user: &UserName) -> Turn {
        let place = usize::try_from(self.hasher.hash_one(user.as_str())).unwrap_or_default() % QUEUES;
        // There is always a first.
        let queue = self.all.get(place).unwrap_or(&self.all[0]);
        Arc::clone(queue).lock_owned().await
    }
}
