//! The circuit of a server to its database: open while that hangs. Without it each login would wait, and links would give the server up
//! before they hear why.
//!
//! Invariants: a statement that was not answered in time proves nothing, for it may wait for something of its own. It begins looks at the
//! database (`looks.rs`), one after the other. While these are not answered, statements are refused at once. The first answer, to a look or
//! to a statement, ends that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The course of the statements of one server.
#[derive(Default)]
pub(crate) struct Circuit(Mutex<Course>);

#[derive(Default)]
struct Course {
    /// The time of the last answer.
    answered: Option<Instant>,
    is_looked_at: bool,
    is_open: bool,
}

impl Circuit {
    fn course(&self) -> MutexGuard<'_, Course> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True while the database is known to hang.
    pub(crate) fn is_open(&self) -> bool {
        self.course().is_open
    }

    /// Notes an answer at `now`.
    pub(crate) fn has_answered(&self, now: Instant) {
        let mut course = self.course();
        (course.answered, course.is_open) = (Some(now), false);
    }

    /// Notes that what was asked at `since` was not answered in time. True where looks have to begin.
    pub(crate) fn is_doubted(&self, since: Instant) -> bool {
        let mut course = self.course();
        let begins = !course.is_looked_at && course.answered.is_none_or(|answered| answered < since);
        course.is_looked_at |= begins;
        begins
    }

    /// Notes that a look which began at `since` was not answered in time. True where another one has to follow.
    pub(crate) fn hangs(&self, since: Instant) -> bool {
        let mut course = self.course();
        course.is_open = course.answered.is_none_or(|answered| answered < since);
        course.is_looked_at = course.is_open;
        course.is_open
    }

    /// Notes that the database does not hang, and that the looks end.
    pub(crate) fn is_back(&self) {
        let mut course = self.course();
        (course.is_looked_at, course.is_open) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_opens_where_a_look_hangs_and_closes_with_the_first_answer() {
        let (circuit, start) = (Circuit::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        circuit.has_answered(at(0));
        assert!(circuit.is_doubted(at(1)) && !circuit.is_open(), "one late statement proves nothing");
        assert!(!circuit.is_doubted(at(1)), "one look at a time");
        assert!(circuit.hangs(at(3)) && circuit.is_open());
        circuit.has_answered(at(5));
        assert!(!circuit.is_open());
        assert!(!circuit.hangs(at(4)) && !circuit.is_open(), "a statement was answered after the look began");
        assert!(circuit.is_doubted(at(6)) && circuit.hangs(at(8)));
        circuit.is_back();
        assert!(!circuit.is_open());
    }

    #[test]
    fn a_statement_that_is_late_while_others_are_answered_begins_no_look() {
        let (circuit, start) = (Circuit::default(), Instant::now());
        circuit.has_answered(start + Duration::from_secs(1));
        assert!(!circuit.is_doubted(start));
    }
}
