//! The times of a question at a server, in one place: they have to fit those of a link.
//!
//! A link (`server.rs` and `asking.rs` there) waits 2.5 seconds for an answer over a connection that it has kept, asks once more over a new
//! one, and gives a server 5 seconds in all. So a question that the user database holds up is refused before the 2.5 seconds are over, and
//! every other one before the 5 are: the link hears it, and asks the next server. All times count from the moment at which the question was
//! there. A question that has waited for its turn has less time for its look-ups, so those of one host that hang have given up their
//! turns when the next one must have its own. A database that hangs is given less than the 2.5 seconds, too, and then nothing for a while
//! (`database/circuit.rs`).

use std::time::{Duration, Instant};

/// The time for all that the user database is asked about a question.
const LOOK_UPS: Duration = Duration::from_millis(1500);

/// The time for a statement of the database, with the wait for a connection.
pub(crate) const STATEMENT: Duration = Duration::from_secs(2);

/// The longest that a question waits for its turn among those of its host.
const TURN: Duration = Duration::from_secs(2);

/// The time for an answer, with all of that.
const ANSWER: Duration = Duration::from_millis(4500);

/// The times of one question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    asked: Instant,
}

impl Times {
    /// Those of a question that is there now.
    pub(crate) fn from_now() -> Self {
        Self { asked: Instant::now() }
    }

    /// Until then the user database may be asked.
    pub(crate) fn look_ups(self) -> Instant {
        self.asked + LOOK_UPS
    }

    /// Until then the question must have its turn.
    pub(crate) fn turn(self) -> Instant {
        self.asked + TURN
    }

    /// Until then it must be answered.
    pub(crate) fn answer(self) -> Instant {
        self.asked + ANSWER
    }

    /// The time for an answer, in seconds.
    pub(crate) fn longest() -> u64 {
        ANSWER.as_secs()
    }
}
