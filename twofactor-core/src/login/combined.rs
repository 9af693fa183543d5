//! Password and code in one answer: the ways to split it, and what becomes of a code where none is needed.

use crate::codes::answer::{self, Answer};
use crate::codes::otp::{Code, Digits};
use crate::codes::recovery::{self, RecoveryCode};
use crate::codes::temporary::{self, TemporaryCode};
use crate::log::record::{Event, Record};
use crate::policy::Waived;
use crate::store::Stripping;

use super::course::COMBINED_PROMPT;
use super::outcome::Verdict;
use super::progress::Login;

/// The ways to split "password with the code appended": one for every length a code can have.
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
        if let Some((password, code)) = answer::split_combined(reply, temporary::LENGTH) {
            readings.push(password, TemporaryCode::new(code).map(Answer::Temporary));
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

impl Login<'_> {
    /// Runs a login without a required code where password and code come in one answer: the program has asked for a
    /// code, so one may be there. A right code is burned and the password handed on alone; any other answer is handed
    /// on unchanged, so that an error here refuses no user by itself.
    pub(super) fn waived_combined(&mut self, waived: Waived) -> Verdict {
        let reply = match self.conversation.ask_password(COMBINED_PROMPT) {
            Ok(reply) => reply,
            Err(error) => return Verdict::Denied(self.denied(&error.into())),
        };
        let Ok(person) = self.claimant.person() else { return self.waived(waived, None) };
        let readings = CombinedReadings::of(&reply, &self.code_lengths());
        let stripped = self.world.store.strip(person, &self.attempt(&readings.answers));
        match stripped {
            Ok(Stripping::Burned { reading, factor }) => {
                if let Err(error) = self.conversation.set_password(readings.password(&reply, Some(reading))) {
                    return Verdict::Denied(self.denied(&error.into()));
                }
                self.waived(waived, Some(factor))
            }
            Ok(Stripping::Nothing) => self.waived(waived, None),
            Ok(Stripping::Throttled) => {
                self.audit.debug("too many wrong codes where none is needed: the answer is handed on as it is");
                self.waived(waived, None)
            }
            Err(error) => {
                let record = self.about(Record::new(Event::Error)).with("reason", error.reason());
                self.audit.record(&record.with("problem", &error).with("hint", error.hint()));
                self.waived(waived, None)
            }
        }
    }
}
