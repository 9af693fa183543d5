//! Password and code in one answer: the ways to split it.

use crate::answer::{self, Answer};
use crate::otp::{Code, Digits};
use crate::recovery::{self, RecoveryCode};

/// The ways to split "password with the code appended": one for every length a code can have, and a recovery code.
pub(super) struct CombinedReadings {
    pub(super) answers: Vec<Answer>,
    password_lengths: Vec<usize>,
}

impl CombinedReadings {
    pub(super) fn of(reply: &[u8], lengths: &[Digits]) -> Self {
        let mut readings = Self { answers: Vec::new(), password_lengths: Vec::new() };
        for digits in lengths {
            if let Some((password, code)) = answer::split_combined(reply, usize::from(digits.count())) {
                readings.push(password, Code::new(code).map(Answer::Code));
            }
        }
        if let Some((password, code)) = answer::split_combined(reply, recovery::LENGTH) {
            readings.push(password, RecoveryCode::new(code).map(Answer::Recovery));
        }
        readings
    }

    fn push(&mut self, password: &[u8], answer: Option<Answer>) {
        if let Some(answer) = answer {
            self.answers.push(answer);
            self.password_lengths.push(password.len());
        }
    }

    /// The password without the code: as the right reading splits it, else as the longest possible code leaves it.
    pub(super) fn password<'r>(&self, reply: &'r [u8], right: Option<usize>) -> &'r [u8] {
        let length = match right {
            Some(reading) => self.password_lengths.get(reading),
            None => self.password_lengths.iter().min(),
        };
        length.and_then(|length| reply.get(..*length)).unwrap_or(reply)
    }
}
