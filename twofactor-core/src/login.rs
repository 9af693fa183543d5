//! The story of a login, from the first prompt to the verdict.
//!
//! Read policy → ask → normalise → redeem. The prompt is shown without holding any lock, and it is the same for enrolled,
//! unenrolled, unknown and throttled users. Every edge that does not end in [`Verdict::Accepted`], [`Verdict::Recognized`] or
//! [`Verdict::Waived`] denies, and all of those carry a proof that only the store or the policy can make.

use subtle::ConstantTimeEq as _;

use crate::account::factors::Factors;
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Digits};
use crate::config::ResyncAtLogin;
use crate::host::user::{Doubt, UserName};
use crate::log::reason::Reason;
use crate::log::record::{Audit, Event, Record};
use crate::policy::{By, Candidates, Effect, Ruling, Waived};
use crate::store::{Attempt, Factor, Redeemed, Redemption};

use combined::CombinedReadings;
use course::COMBINED_PROMPT;
use denial::Denial;

/// The stand-in that sshd sends instead of the typed answer for a user it will not let in (openssh, auth-pam.c).
const SSHD_DUMMY_PASSWORD: &[u8] = b"\x08\n\r\x7fINCORRECT";

/// Shown to a user whose login gave up waiting for the lock on the account.
const IN_THE_WAY: &str =
    "Another login of this account has not ended. Try again, or ask your administrator to look at the log.";

/// Shown to a user who typed a right code that is already used.
const USED_CODE: &str = "Code already used. Wait for the next one.";

/// Asked after a code that was outside the window.
const NEXT_CODE_PROMPT: &str = "Next verification code: ";

/// Runs a login and writes its lines to the log.
pub fn login(
    request: &Request,
    world: &World<'_>,
    conversation: &mut dyn Conversation,
    audit: &mut dyn Audit,
) -> Verdict {
    let claimant = request.claimant(world.users);
    Login::new(&claimant, request, world, conversation, audit).run()
}

impl Login<'_> {
    fn run(&mut self) -> Verdict {
        let ruling = self.rule();
        self.factors = ruling.factors;
        self.remember = ruling.remember;
        let tries = match Course::of(ruling.decision, ruling.factors, ruling.remember, self.claimant, self.world) {
            Ok(Course::Waived(waived)) if self.is_combined() => return self.waived_combined(waived),
            Ok(Course::Waived(waived)) => return self.waived(waived, None),
            Ok(Course::Enroll(leave, status, offering)) => {
                return match self.first_time(leave, status, offering) {
                    Ok(unfinished) => Verdict::Pending(Box::new(unfinished)),
                    Err(denial) => Verdict::Denied(self.denied(&denial)),
                };
            }
            Ok(Course::CannotEnroll(problem)) => {
                let denial = self.refuse_to_enroll(&problem);
                return Verdict::Denied(self.denied(&denial));
            }
            Ok(Course::Key(recognized)) if self.with_key(&recognized) => return Verdict::Recognized(recognized),
            Ok(course @ (Course::Code | Course::Combined | Course::Key(_))) => course.tries(self.world.config),
            Err(error) => return Verdict::Denied(self.denied(&error.into())),
        };

        let mut left = tries;
        loop {
            left = left.saturating_sub(1);
            let denial = match self.one_try() {
                Ok(redeemed) => return self.accepted(redeemed),
                Err(denial) => denial,
            };
            let reason = self.denied(&denial);
            if left == 0 || !may_try_again(reason) {
                return Verdict::refused(reason, tries);
            }
        }
    }

    /// Asks the policy, and logs a look-up that failed on the way.
    fn rule(&mut self) -> Ruling {
        let ruling = judge(self.world, self.request.null_ok, self.claimant);
        let by = match &ruling.by {
            By::Rule(line) => format!("the rule of line {line}"),
            By::Default => "[default]".to_owned(),
            By::Doubt(candidates) => {
                self.doubt(candidates, ruling.factors);
                "the strictest of those that may match".to_owned()
            }
        };
        self.audit.debug(&format!("policy: {} ({by})", ruling.decision.in_words()));
        ruling
    }

    /// A line for a look-up that failed, and for one that proves nothing where it changes the outcome.
    fn doubt(&mut self, candidates: &Candidates, factors: Factors) {
        let hint = match (&candidates.why, candidates.effect) {
            (Doubt::Failed(_), _) => "the strictest rule that may match holds until it answers; try: id USER",
            (Doubt::Unproven { .. }, Effect::Stricter) => {
                "the strictest rule that may match holds; see [[rule]] in twofactor.toml(5)"
            }
            (Doubt::Unproven { .. }, Effect::None) => return,
        };
        let nothing = if factors == Factors::NONE { "; no factor counts for all rules that may match" } else { "" };
        let record = self.about(Record::new(Event::Error)).with("reason", Reason::StoreUnavailable);
        self.audit.record(&record.with("problem", format!("{}{nothing}", candidates.why)).with("hint", hint));
    }

    fn is_combined(&self) -> bool {
        self.world.config.prompt.combined.contains(self.claimant.service)
    }

    /// Asks one prompt and redeems its answer.
    fn one_try(&mut self) -> Result<Redeemed, Denial> {
        if self.is_combined() {
            return self.one_combined_try();
        }
        let reply = self.conversation.ask(&self.world.config.prompt.code)?;
        self.refuse_passwords(&reply)?;
        let answer = [Answer::parse(&reply)];
        let denial = match self.redeem(&answer, None) {
            Err(denial) if denial.near_miss => denial,
            Err(denial) => {
                self.tell_of_used_code(&denial, &answer);
                return Err(denial.of_answer(&reply));
            }
            redeemed => return redeemed,
        };
        match &answer {
            [Answer::Code(first)] if self.world.config.resync_at_login == ResyncAtLogin::Yes => {
                let _ = self.denied(&denial);
                self.resynchronize(first)
            }
            _ => Err(denial),
        }
    }

    /// Tells the user that a right code is already used and that the next one will do. All other refusals use the same
    /// words.
    ///
    /// This helps no guesser: meeting a used code by chance takes as many guesses as meeting a right one, each miss is
    /// counted, and a used code opens nothing and reveals no other. The used code itself is not counted as a guess,
    /// because two windows with one code are an honest mistake. While guesses are delayed no code is compared, so
    /// nothing is revealed.
    fn tell_of_used_code(&mut self, denial: &Denial, answer: &[Answer; 1]) {
        // A hint says that the clock was ahead, and that the next code is not good either.
        if denial.reason == Reason::Replayed && denial.hint.is_none() && matches!(answer, [Answer::Code(_)]) {
            self.tell_unless_silent(USED_CODE);
        }
    }

    /// Asks for the code after one that was outside the window: two consecutive codes show where the token stands.
    fn resynchronize(&mut self, first: &Code) -> Result<Redeemed, Denial> {
        let reply = self.conversation.ask(NEXT_CODE_PROMPT)?;
        self.refuse_passwords(&reply)?;
        let redeemed = self.redeem(&[Answer::parse(&reply)], Some(first));
        let redeemed = redeemed.map_err(|denial| denial.of_answer(&reply))?;
        if let Factor::Token { label, drift } = redeemed.factor() {
            let record = self.about(Record::new(Event::Resynced)).with("token", label).with("drift", drift);
            self.audit.record(&record);
        }
        Ok(redeemed)
    }

    /// Refuses an answer that a program gave: sshd's stand-in, or the password again. Neither counts as a guess.
    fn refuse_passwords(&mut self, reply: &Reply) -> Result<(), Denial> {
        if is_dummy(reply) {
            return Err(Denial::dummy_password(self.claimant));
        }
        if self.conversation.password().is_some_and(|password| same(&password, reply)) {
            return Err(Denial::password_repeated(self.claimant.service));
        }
        Ok(())
    }

    /// Asks for password and code in one answer. The modules below get the password alone, whether the code was right
    /// or wrong.
    fn one_combined_try(&mut self) -> Result<Redeemed, Denial> {
        let reply = self.conversation.ask_password(COMBINED_PROMPT)?;
        if is_dummy(&reply) {
            return Err(Denial::dummy_password(self.claimant));
        }
        let readings = CombinedReadings::of(&reply, &self.code_lengths());
        let redeemed = self.redeem(&readings.answers, None);
        let right = redeemed.as_ref().ok().map(Redeemed::reading);
        self.conversation.set_password(readings.password(&reply, right))?;
        redeemed.map_err(|denial| denial.of_answer(&reply))
    }

    /// The lengths that a code of this user can have; six digits where the store cannot tell. The redemption that
    /// follows meets the same error and reports it.
    fn code_lengths(&self) -> Vec<Digits> {
        // A user who does not exist costs the same look-up.
        let user = self.claimant.name().cloned().or_else(|| UserName::new("nobody-there").ok());
        let known = user.and_then(|user| self.world.store.code_lengths(&user).ok());
        known.filter(|lengths| !lengths.is_empty()).unwrap_or_else(|| vec![Digits::SIX])
    }

    fn redeem(&self, readings: &[Answer], previous: Option<&Code>) -> Result<Redeemed, Denial> {
        let attempt = Attempt { previous, ..self.attempt(readings) };
        let person = match self.claimant.person() {
            Ok(person) => person,
            Err(unidentified) => {
                self.world.store.pretend(&attempt);
                return Err(unidentified.into());
            }
        };
        match self.world.store.redeem(person, &attempt)? {
            Redemption::Redeemed(redeemed) => Ok(redeemed),
            Redemption::NearMiss { hint } => Err(Denial { hint, near_miss: true, ..Denial::of(Reason::WrongCode) }),
            Redemption::Refused { reason, hint } => Err(Denial { hint, ..Denial::of(reason) }),
        }
    }

    /// An attempt by the policy of this login.
    fn attempt<'r>(&'r self, readings: &'r [Answer]) -> Attempt<'r> {
        Attempt {
            readings,
            previous: None,
            source: &self.claimant.source,
            factors: self.factors,
            remember: course::memory(self.remember, self.claimant),
        }
    }

    fn waived(&mut self, waived: Waived, burned: Option<Factor>) -> Verdict {
        let record = self.about(Record::new(Event::Skipped)).with("policy", waived.why());
        self.audit.record(&match burned {
            Some(factor) => factor.noted_in(record),
            None => record,
        });
        Verdict::Waived(waived)
    }

    fn accepted(&mut self, redeemed: Redeemed) -> Verdict {
        self.audit.record(&redeemed.factor().noted_in(self.about(Record::new(Event::Accepted))));
        if let Some(problem) = redeemed.problem() {
            let record = self.about(Record::refused(problem.reason())).with("reason", problem.reason());
            self.audit.record(&record.with("problem", problem).with("hint", problem.hint()));
        }
        Verdict::Accepted(redeemed)
    }

    fn denied(&mut self, denial: &Denial) -> Reason {
        if denial.reason == Reason::LockTimeout {
            self.tell_unless_silent(IN_THE_WAY);
        }
        let record = self.about(Record::refused(denial.reason)).with("reason", denial.reason);
        let record = record.with_some("problem", denial.problem.as_ref()).with_some("hint", denial.hint.as_ref());
        self.audit.record(&record);
        denial.reason
    }

    fn about(&self, record: Record) -> Record {
        let (typed, canonical) = (self.claimant.typed, self.claimant.name_or_typed());
        let rhost = self.claimant.rhost.filter(|rhost| !rhost.is_empty());
        let tty = self.request.tty.as_deref().filter(|_| rhost.is_none());
        record
            .with("user", canonical)
            .with_some("typed", (typed != canonical).then_some(typed))
            .with("service", self.claimant.service)
            .with_some("rhost", rhost)
            .with_some("tty", tty)
    }
}

/// sshd repeats the junk to the length of what was typed (openssh, auth-pam.c, `fake_password`).
fn is_dummy(reply: &[u8]) -> bool {
    let junk = SSHD_DUMMY_PASSWORD.iter().cycle();
    !reply.is_empty() && reply.iter().zip(junk).all(|(typed, junk)| typed == junk)
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

mod account_phase;
mod claimant;
mod combined;
mod course;
mod denial;
mod first_time;
mod forecast;
mod outcome;
mod progress;
mod request;
mod ssh_key;
#[cfg(test)]
mod tests;

pub use crate::pam_service::account_line::{Services, SystemServices};
pub use account_phase::{AccountVerdict, Accounts, FEW_RECOVERY_CODES, finish};
pub use claimant::{Claimant, Unidentified};
pub use course::{Course, EnrollmentObstacle, Offering, REGISTRATION_PROMPTS, judge};
pub use forecast::{Credential, Forecast, LoginEnd, forecast};
use outcome::may_try_again;
pub use outcome::{Unfinished, Verdict};
use progress::Login;
pub use request::{Conversation, ConversationError, Process, Reply, Request, World};
pub use ssh_key::{KeyObstacle, key_obstacle};
