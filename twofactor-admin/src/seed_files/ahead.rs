//! Work for a second thread: it reads rows ahead while the first one works with those it has.
//!
//! Invariants: no more than a few portions of rows are in memory, and their secrets are wiped by the thread that made
//! them. Without a second thread the rows are the same, one after the other.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::document::Row;
use super::seed_file::SeedFile;

/// Rows that are handed over at once.
const PORTION: usize = 512;
/// Portions that wait.
const WAITING: usize = 4;

/// Does both, `aside` in a second thread where there can be one.
pub(super) fn beside<A: Send, B>(mut aside: impl FnMut() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let (done, here) = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, &mut aside);
        let here = here();
        (thread.ok().map(thread::ScopedJoinHandle::join), here)
    });
    match done {
        Some(Ok(done)) => (done, here),
        Some(Err(panic)) => resume_unwind(panic),
        None => (aside(), here),
    }
}

impl SeedFile {
    /// Hands out all rows of all documents, in order, up to the first that `take` fails with.
    pub fn each_row<E>(&self, mut take: impl FnMut(&Row) -> Result<(), E>) -> Result<(), E> {
        if self.row_count() > PORTION {
            let begun = thread::scope(|scope| {
                let (full, ready) = sync_channel(WAITING);
                let (spent, empty) = channel();
                let reading = thread::Builder::new().name("seed-file".to_owned());
                reading.spawn_scoped(scope, move || self.read_ahead(&full, &empty)).ok()?;
                Some(take_all(&ready, &spent, &mut take))
            });
            if let Some(taken) = begun {
                return taken;
            }
        }
        self.rows().try_for_each(|row| take(&row))
    }

    /// Reads all rows into portions, until they are not taken any more.
    fn read_ahead(&self, full: &SyncSender<Vec<Row>>, empty: &Receiver<Vec<Row>>) {
        let mut rows = self.rows();
        loop {
            let mut portion = empty.try_recv().unwrap_or_default();
            portion.clear();
            portion.extend(rows.by_ref().take(PORTION));
            if portion.is_empty() || full.send(portion).is_err() {
                return;
            }
        }
    }
}

/// Takes the rows of all portions, and gives each portion back.
fn take_all<E>(
    ready: &Receiver<Vec<Row>>,
    spent: &Sender<Vec<Row>>,
    take: &mut impl FnMut(&Row) -> Result<(), E>,
) -> Result<(), E> {
    for portion in ready {
        portion.iter().try_for_each(&mut *take)?;
        let _ = spent.send(portion);
    }
    Ok(())
}
