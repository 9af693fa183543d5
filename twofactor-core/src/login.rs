//! The story of a login, from the first prompt to the verdict.
//!
//! Read policy → ask → normalise → redeem. The prompt is shown without holding any lock, and it is the same for enrolled,
//! unenrolled, unknown and throttled users. Every edge that does not end in [`Verdict::Accepted`] or [`Verdict::Waived`]
//! denies, and both of those carry a proof that only the store or the policy can make.

use subtle::ConstantTimeEq as _;

use crate::account::factors::Factors;
use crate::account::throttle::Source;
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Digits};
use crate::config::ResyncAtLogin;
use crate::host::user::{Doubt, Person, UserName};
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
    let mut login = Login::new(request, world, conversation, audit);
    login.run()
}

impl Login<'_> {
    fn run(&mut self) -> Verdict {
        let identified = self.identify();
        let ruling = self.rule(&identified);
        self.factors = ruling.factors;
        self.remember = ruling.remember;
        let facts = self.request.facts();
        match Course::of(ruling.decision, ruling.factors, ruling.remember, &facts, &identified, self.world) {
            Ok(Course::Waived(waived)) if self.is_combined() => return self.waived_combined(waived, &identified),
            Ok(Course::Waived(waived)) => return self.waived(waived, None),
            Ok(Course::Enroll(leave, status, offering)) => {
                return match self.first_time(leave, status, offering, &identified) {
                    Ok(unfinished) => Verdict::Pending(Box::new(unfinished)),
                    Err(denial) => Verdict::Denied(self.denied(&denial)),
                };
            }
            Ok(Course::CannotEnroll(problem)) => {
                let denial = self.refuse_to_enroll(&problem);
                return Verdict::Denied(self.denied(&denial));
            }
            Ok(Course::Code | Course::Combined) => {}
            Err(error) => return Verdict::Denied(self.denied(&error.into())),
        }

        let tries = self.tries();
        let mut left = tries;
        loop {
            left = left.saturating_sub(1);
            let denial = match self.one_try(&identified) {
                Ok(redeemed) => return self.accepted(redeemed),
                Err(denial) => denial,
            };
            let reason = self.denied(&denial);
            if !may_try_again(reason) || (left == 0 && tries == 1) {
                return Verdict::Denied(reason);
            }
            if left == 0 {
                return Verdict::TriesUsedUp(reason);
            }
        }
    }

    /// Asks the policy, and logs a look-up that failed on the way.
    fn rule(&mut self, identified: &Result<Person, Unidentified>) -> Ruling {
        let (facts, typed) = (self.request.facts(), &self.request.user);
        let ruling = judge(self.world, self.request.null_ok, &facts, typed, identified);
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

    /// The number of prompts: one where password and code come together, because libpam keeps the first answer as
    /// PAM_AUTHTOK.
    fn tries(&self) -> u8 {
        if self.is_combined() { 1 } else { self.world.config.prompt.tries }
    }

    fn is_combined(&self) -> bool {
        self.world.config.prompt.combined.contains(&self.request.service)
    }

    /// Finds the canonical name and its uid. A failure is kept until after the prompt, which must not tell who exists.
    fn identify(&mut self) -> Result<Person, Unidentified> {
        let identified = identify(self.world.users, &self.request.user);
        self.user = identified.as_ref().ok().map(|person| person.name.clone());
        identified
    }

    /// Asks one prompt and redeems its answer.
    fn one_try(&mut self, identified: &Result<Person, Unidentified>) -> Result<Redeemed, Denial> {
        if self.is_combined() {
            return self.one_combined_try(identified);
        }
        let reply = self.conversation.ask(&self.world.config.prompt.code)?;
        self.refuse_passwords(&reply, identified)?;
        let answer = [Answer::parse(&reply)];
        let denial = match self.redeem(identified, &answer, None) {
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
                self.resynchronize(identified, first)
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
    fn resynchronize(&mut self, identified: &Result<Person, Unidentified>, first: &Code) -> Result<Redeemed, Denial> {
        let reply = self.conversation.ask(NEXT_CODE_PROMPT)?;
        self.refuse_passwords(&reply, identified)?;
        let redeemed = self.redeem(identified, &[Answer::parse(&reply)], Some(first));
        let redeemed = redeemed.map_err(|denial| denial.of_answer(&reply))?;
        if let Factor::Token { label, drift } = redeemed.factor() {
            let record = self.about(Record::new(Event::Resynced)).with("token", label).with("drift", drift);
            self.audit.record(&record);
        }
        Ok(redeemed)
    }

    /// Refuses an answer that a program gave: sshd's stand-in, or the password again. Neither counts as a guess.
    fn refuse_passwords(&mut self, reply: &Reply, identified: &Result<Person, Unidentified>) -> Result<(), Denial> {
        if is_dummy(reply) {
            return Err(Denial::dummy_password(identified));
        }
        if self.conversation.password().is_some_and(|password| same(&password, reply)) {
            return Err(Denial::password_repeated(&self.request.service));
        }
        Ok(())
    }

    /// Asks for password and code in one answer. The modules below get the password alone, whether the code was right
    /// or wrong.
    fn one_combined_try(&mut self, identified: &Result<Person, Unidentified>) -> Result<Redeemed, Denial> {
        let reply = self.conversation.ask_password(COMBINED_PROMPT)?;
        if is_dummy(&reply) {
            return Err(Denial::dummy_password(identified));
        }
        let readings = CombinedReadings::of(&reply, &self.code_lengths(identified));
        let redeemed = self.redeem(identified, &readings.answers, None);
        let right = redeemed.as_ref().ok().map(Redeemed::reading);
        self.conversation.set_password(readings.password(&reply, right))?;
        redeemed.map_err(|denial| denial.of_answer(&reply))
    }

    /// The lengths that a code of this user can have; six digits where the store cannot tell. The redemption that
    /// follows meets the same error and reports it.
    fn code_lengths(&self, identified: &Result<Person, Unidentified>) -> Vec<Digits> {
        // A user who does not exist costs the same look-up.
        let user =
            identified.as_ref().ok().map(|person| person.name.clone()).or_else(|| UserName::new("nobody-there").ok());
        let known = user.and_then(|user| self.world.store.code_lengths(&user).ok());
        known.filter(|lengths| !lengths.is_empty()).unwrap_or_else(|| vec![Digits::SIX])
    }

    fn redeem(
        &self,
        identified: &Result<Person, Unidentified>,
        readings: &[Answer],
        previous: Option<&Code>,
    ) -> Result<Redeemed, Denial> {
        let source = Source::from_rhost(self.request.rhost.as_deref());
        let attempt = Attempt { previous, ..self.attempt(readings, &source) };
        let person = match identified {
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
    fn attempt<'r>(&'r self, readings: &'r [Answer], source: &'r Source) -> Attempt<'r> {
        Attempt {
            readings,
            previous: None,
            source,
            factors: self.factors,
            remember: course::memory(self.remember, &self.request.facts()),
        }
    }

    fn waived(&mut self, waived: Waived, burned: Option<Factor>) -> Verdict {
        let record = self.about(Record::new(Event::Skipped)).with("policy", waived.why());
        let record = match burned {
            Some(Factor::Token { label, drift }) => record.with("token", label).with("drift", drift),
            Some(Factor::Recovery { left }) => record.with("token", "recovery").with("recovery_codes_left", left),
            None => record,
        };
        self.audit.record(&record);
        Verdict::Waived(waived)
    }

    fn accepted(&mut self, redeemed: Redeemed) -> Verdict {
        let record = self.about(Record::new(Event::Accepted));
        let record = match redeemed.factor() {
            Factor::Token { label, drift } => record.with("token", label).with("drift", drift),
            Factor::Recovery { left } => record.with("token", "recovery").with("recovery_codes_left", left),
        };
        self.audit.record(&record);
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
        let typed = self.request.user.as_str();
        let canonical = self.user.as_ref().map_or(typed, UserName::as_str);
        let rhost = self.request.rhost.as_deref().filter(|rhost| !rhost.is_empty());
        let tty = self.request.tty.as_deref().filter(|_| rhost.is_none());
        record
            .with("user", canonical)
            .with_some("typed", (typed != canonical).then_some(typed))
            .with("service", &self.request.service)
            .with_some("rhost", rhost)
            .with_some("tty", tty)
    }
}

/// Whether the login asks again after this refusal. Users who are not enrolled, do not exist or are not the person of
/// the account are asked as often as all others.
pub fn may_try_again(reason: Reason) -> bool {
    let about_the_code = matches!(
        reason,
        Reason::WrongCode | Reason::Replayed | Reason::NotConfirmed | Reason::TokenDisabled | Reason::FactorNotAllowed
    );
    about_the_code
        || matches!(
            reason,
            Reason::NotEnrolled
                | Reason::UnknownUser
                | Reason::UidChanged
                | Reason::PasswordRepeated
                | Reason::NoAnswer
        )
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
mod combined;
mod course;
mod denial;
mod first_time;
mod outcome;
mod progress;
mod request;
#[cfg(test)]
mod tests;

pub use crate::pam_service::account_line::{Services, SystemServices};
pub use account_phase::{AccountVerdict, Accounts, FEW_RECOVERY_CODES, finish};
pub use course::{Course, Obstacle, Offering, REGISTRATION_PROMPTS, judge};
pub use outcome::{Unfinished, Verdict};
use progress::Login;
pub use request::{Conversation, ConversationError, Reply, Request, World};
pub use request::{Process, Unidentified, identify};
