//! Logins that go on while something else happens, and waiting for that.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::network::{Connection, ask};
use super::relay::Asking;
use super::{Enrolled, is_accepted, question, redeem};

/// Waits until it holds.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(40);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The logins that go on.
#[derive(Default)]
pub(super) struct Logins {
    /// They end.
    pub(super) stop: AtomicBool,
    /// Pairs of users who have logged in.
    pub(super) count: AtomicUsize,
    /// Pairs that wait, while this is not 0: they log in behind what happens meanwhile, however long that takes.
    pub(super) kept_back: AtomicUsize,
}

impl Logins {
    /// Logs pairs of users in, the one over a connection to one server and the other at a host of another, until they end. Each is
    /// accepted.
    pub(super) fn go_on(&self, users: &[Enrolled], web1: &mut Connection, desk: &Asking, pause: Duration) {
        for (number, pair) in (1..).zip(users.chunks_exact(2)) {
            let left = users.len() / 2 - self.so_far();
            while left <= self.kept_back.load(Ordering::SeqCst) && !self.stop.load(Ordering::SeqCst) {
                thread::sleep(pause);
            }
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let answer = ask(web1, &question(&pair[0], &pair[0].code(0), number)).unwrap();
            assert_eq!(answer.in_short(), "redeemed app", "{number}");
            assert!(is_accepted(redeem(&desk.store(), &pair[1].person, &pair[1].code(0))), "{number}");
            self.count.fetch_add(1, Ordering::SeqCst);
            thread::sleep(pause);
        }
    }

    /// The number of pairs so far.
    pub(super) fn so_far(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}
