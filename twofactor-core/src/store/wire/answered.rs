//! The answers of a store, as messages. Only the client of a store reads them: what it reads are proofs.

use super::error::WireError;
use super::message::Message;
use crate::codes::otp::Digits;
use crate::codes::token::Serial;
use crate::log::reason::Reason;
use crate::store::enrollment::{EnrollmentStatus, NotRegistered, Registration, Superseded};
use crate::store::error::{Loss, StoreError, Unusable};
use crate::store::redemption::{Absent, Factor, Presence, Redeemed, Redemption, Remembered, Stripping};
use crate::store::self_service::{Changed, NotChanged};
use thiserror::Error;

/// An answer of the other end, to be read as one kind of answer.
#[derive(Debug)]
pub struct Answered(Message);

/// The other end's error, with its words.
#[derive(Debug, Error)]
#[error("{problem}")]
struct Said {
    reason: Reason,
    problem: String,
    hint: String,
    loss: Option<Loss>,
}

impl Unusable for Said {
    fn reason(&self) -> Reason {
        self.reason
    }

    fn hint(&self) -> String {
        self.hint.clone()
    }

    fn loss(&self) -> Option<Loss> {
        self.loss
    }
}

pub(super) const ANSWER: &str = "answer";
const FAILED: &str = "failed";
const REDEEMED: &str = "redeemed";
const BUSY: &str = "busy";

pub(super) fn of_presence(presence: &Presence) -> Message {
    Message::new(
        ANSWER,
        match presence {
            Presence::Enrolled => "enrolled",
            Presence::Absent(Absent(())) => "absent",
        },
    )
}

pub(super) fn of_lengths(lengths: &[Digits]) -> Message {
    lengths.iter().fold(Message::new(ANSWER, "lengths"), |message, digits| message.with_plain("digits", digits.count()))
}

pub(super) fn of_memory(remembered: Option<&Remembered>) -> Message {
    Message::new(ANSWER, if remembered.is_some() { "remembered" } else { "not-remembered" })
}

pub(super) fn of_recovery_left(left: Option<usize>) -> Message {
    Message::new(ANSWER, "recovery").with_some("left", left.map(|left| left.to_string()))
}

pub(super) fn of_redemption(redemption: &Redemption) -> Message {
    match redemption {
        Redemption::Redeemed(redeemed) => {
            let message = Message::new(ANSWER, REDEEMED).with_plain("reading", redeemed.reading);
            let message = with_factor(message, &redeemed.factor);
            match &redeemed.problem {
                Some(problem) => with_error(message, problem),
                None => message,
            }
        }
        Redemption::NearMiss { hint } => Message::new(ANSWER, "near-miss").with_some("hint", hint.as_ref()),
        Redemption::Refused { reason, hint } => {
            Message::new(ANSWER, "refused").with("reason", reason.word()).with_some("hint", hint.as_ref())
        }
    }
}

pub(super) fn of_stripping(stripping: &Stripping) -> Message {
    match stripping {
        Stripping::Burned { reading, factor } => {
            with_factor(Message::new(ANSWER, "burned").with_plain("reading", reading), factor)
        }
        Stripping::Nothing => Message::new(ANSWER, "nothing"),
        Stripping::Throttled => Message::new(ANSWER, "throttled"),
    }
}

pub(super) fn of_enrollment_status(status: &EnrollmentStatus) -> Message {
    Message::new(
        ANSWER,
        match status {
            EnrollmentStatus::New(Absent(())) => "new",
            EnrollmentStatus::Waiting => "waiting",
            EnrollmentStatus::Enrolled => "enrolled",
        },
    )
}

pub(super) fn of_registration(checked: &Result<Registration, NotRegistered>) -> Message {
    match checked {
        Ok(_) => Message::new(ANSWER, "registrable"),
        Err(not_registered) => Message::new(ANSWER, "not-registered").with(
            "why",
            match not_registered {
                NotRegistered::Throttled => "throttled",
                NotRegistered::NoSuchToken => "no-such-token",
                NotRegistered::NotFree(_) => "not-free",
                NotRegistered::WrongCodes(_) => "wrong-codes",
            },
        ),
    }
}

pub(super) fn of_stored(stored: &Result<(), Superseded>) -> Message {
    let why = match stored {
        Ok(()) => return Message::done(),
        Err(Superseded::Store(error)) => return of_error(error),
        Err(Superseded::Entropy(error)) => {
            return Message::refusing(Reason::StoreUnavailable, &error.to_string(), "is /dev/urandom there?");
        }
        Err(Superseded::Enrolled) => "enrolled",
        Err(Superseded::Reset) => "reset",
        Err(Superseded::Expired) => "expired",
        Err(Superseded::TokenTaken) => "token-taken",
        Err(Superseded::InvitationSpent) => "invitation-spent",
    };
    Message::new(ANSWER, "superseded").with("why", why)
}

pub(super) fn of_error(error: &StoreError) -> Message {
    with_error(Message::new(ANSWER, FAILED), error)
}

fn with_error(message: Message, error: &StoreError) -> Message {
    let loss = error.loss().map(|loss| match loss {
        Loss::State => "state",
        Loss::Credentials => "credentials",
    });
    message
        .with("error", error.reason().word())
        .with("problem", &error.to_string())
        .with("remedy", &error.hint())
        .with_some("loss", loss)
}

fn with_factor(message: Message, factor: &Factor) -> Message {
    match factor {
        Factor::Token { label, drift } => message.with("token", label).with_plain("drift", drift),
        Factor::Recovery { left } => message.with_plain("left", left),
        Factor::Temporary => message.with_plain("temporary", "yes"),
    }
}

impl Message {
    /// The answer to [`Store::redeem`](crate::store::Store::redeem).
    pub fn answering_redeem(outcome: &Result<Redemption, StoreError>) -> Self {
        outcome.as_ref().map_or_else(of_error, of_redemption)
    }

    /// The answer to [`Store::strip`](crate::store::Store::strip).
    pub fn answering_strip(outcome: &Result<Stripping, StoreError>) -> Self {
        outcome.as_ref().map_or_else(of_error, of_stripping)
    }

    /// The answer to [`EnrollmentStore::store_pending`](crate::store::EnrollmentStore::store_pending).
    pub fn answering_stored(stored: &Result<(), Superseded>) -> Self {
        of_stored(stored)
    }

    /// The same to a user who has registered a token by himself.
    pub fn answering_own_registration(stored: &Result<(), Superseded>) -> Self {
        match stored {
            Ok(()) => Self::answering_change(&Ok(Changed { recovery: Vec::new(), ssh_key: None })),
            Err(Superseded::Store(error)) => of_error(error),
            Err(Superseded::Enrolled) => Self::answering_change(&Err(NotChanged::Enrolled)),
            Err(Superseded::InvitationSpent) => {
                Self::answering_change(&Err(NotChanged::Proof(Reason::InvitationWrong)))
            }
            Err(_) => Self::answering_change(&Err(NotChanged::TokenRefused)),
        }
    }

    /// An answer in a few words, for a record: what it says, and the reason or the factor.
    pub fn in_short(&self) -> String {
        let words = [ANSWER, "reason", "why", "token", "error"].map(|key| self.find(key).ok().flatten());
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// True for the answer to a code that was accepted.
    pub fn is_redemption(&self) -> bool {
        self.find(ANSWER).ok().flatten() == Some(REDEEMED)
    }

    /// True for the answer of a store that cannot answer.
    pub fn is_failing(&self) -> bool {
        self.find(ANSWER).ok().flatten() == Some(FAILED)
    }

    /// The answer of a store that cannot answer.
    pub fn failing(error: &StoreError) -> Self {
        of_error(error)
    }

    /// The answer to a question that has none.
    pub fn done() -> Self {
        Self::new(ANSWER, "done")
    }

    /// The answer that too many others are served, in place of one to the question.
    pub fn busy() -> Self {
        Self::new(ANSWER, BUSY)
    }

    /// True for that answer.
    pub fn is_busy(&self) -> bool {
        self.find(ANSWER).is_ok_and(|word| word == Some(BUSY))
    }

    /// The answer that no earlier login counts for this one.
    pub fn not_remembered() -> Self {
        of_memory(None)
    }

    /// An answer that refuses a question without looking at it.
    pub fn refusing(reason: Reason, problem: &str, hint: &str) -> Self {
        Self::new(ANSWER, FAILED).with("error", reason.word()).with("problem", problem).with("remedy", hint)
    }

    /// The refusal of a host that may only ask about logins, when a user of it asks about himself.
    pub fn not_at_this_host() -> Self {
        Self::refusing(Reason::NotRoot, NOT_HERE.0, NOT_HERE.1)
    }

    /// True for the answer of a server that cannot judge at the moment: its database, its clock or its keys are not there. Another one
    /// may be able to.
    pub fn says_that_nothing_was_judged(&self) -> bool {
        self.error().ok().flatten().is_some_and(|said| said.reason == Reason::StoreUnavailable)
    }

    /// True for the answers to an attempt that has brought nothing.
    pub fn is_refusal(&self) -> bool {
        const REFUSALS: [&str; 8] =
            ["refused", "near-miss", "nothing", "throttled", "not-registered", "superseded", "not-changed", FAILED];
        self.find(ANSWER).is_ok_and(|word| word.is_some_and(|word| REFUSALS.contains(&word)))
    }

    /// The same answer for a process that is not root's: how the host keeps its accounts is root's matter.
    #[must_use]
    pub fn without_details(&self) -> Self {
        if self.find(ANSWER).is_ok_and(|word| word == Some(FAILED)) {
            let said = self.error().ok().flatten();
            if said.as_ref().is_some_and(|said| said.problem == NOT_HERE.0) {
                return Self::not_at_this_host();
            }
            let reason = said.map_or(Reason::StoreUnavailable, |said| said.reason);
            return Self::refusing(reason, UNTOLD.0, UNTOLD.1);
        }
        // Only these: a right code that opens nothing must not be told from a wrong one.
        let told = [Reason::WrongCode, Reason::Replayed, Reason::Throttled, Reason::NotEnrolled].map(Reason::word);
        if self.find("reason").is_ok_and(|word| word.is_some_and(|word| !told.contains(&word))) {
            return Self::new(ANSWER, "refused").with("reason", Reason::WrongCode.word());
        }
        self.keeping(|key| !matches!(key, "hint" | "error" | "problem" | "remedy" | "loss"))
    }

    fn error(&self) -> Result<Option<Said>, WireError> {
        let Some(word) = self.find("error")? else { return Ok(None) };
        let loss = match self.find("loss")? {
            None => None,
            Some("state") => Some(Loss::State),
            Some("credentials") => Some(Loss::Credentials),
            Some(_) => return Err(WireError::Value("loss")),
        };
        let (problem, hint) = (self.get("problem")?.to_owned(), self.get("remedy")?.to_owned());
        Ok(Some(Said { reason: reason(word).ok_or(WireError::Value("error"))?, problem, hint, loss }))
    }

    fn factor(&self) -> Result<Factor, WireError> {
        match self.find("token")? {
            Some(label) => Ok(Factor::Token { label: label.to_owned(), drift: self.parsed("drift")? }),
            None if self.find("temporary")?.is_some() => Ok(Factor::Temporary),
            None => Ok(Factor::Recovery { left: self.parsed("left")? }),
        }
    }
}

/// An error of the other end that a program without root is not told.
pub(super) fn untold() -> StoreError {
    let (problem, hint) = (UNTOLD.0.to_owned(), UNTOLD.1.to_owned());
    StoreError::Unusable(Box::new(Said { reason: Reason::StoreUnavailable, problem, hint, loss: None }))
}

/// The problem and the hint for users of a host that lets them change nothing. Each of them may read it.
const NOT_HERE: (&str, &str) = (
    "your second factor is that of a fleet, and cannot be seen or changed on this host",
    "use a host that may, or ask your administrator: see may in [[host]] of twofactor.toml(5)",
);

/// The problem and the hint in the place of those that such a program is not told.
const UNTOLD: (&str, &str) = ("the broker cannot answer", "its line in the log says why");

impl Answered {
    /// Takes an answer. The other end's own error is an error.
    pub(in crate::store) fn of(message: Message) -> Result<Result<Self, StoreError>, WireError> {
        match message.get(ANSWER)? {
            FAILED => {}
            BUSY => return Err(WireError::Busy),
            _ => return Ok(Ok(Self(message))),
        }
        let said = message.error()?.ok_or(WireError::Value("error"))?;
        Ok(Err(StoreError::Unusable(Box::new(said))))
    }

    pub(in crate::store) fn presence(&self) -> Result<Presence, WireError> {
        match self.0.get(ANSWER)? {
            "enrolled" => Ok(Presence::Enrolled),
            "absent" => Ok(Presence::Absent(Absent(()))),
            _ => Err(WireError::Value(ANSWER)),
        }
    }

    pub(in crate::store) fn lengths(&self) -> Result<Vec<Digits>, WireError> {
        self.must_be("lengths")?;
        let digits = |text: &str| text.parse().ok().and_then(|digits| Digits::new(digits).ok());
        self.0.all("digits").map(|text| digits(text).ok_or(WireError::Value("digits"))).collect()
    }

    pub(in crate::store) fn done(&self) -> Result<(), WireError> {
        self.must_be("done")
    }

    pub(in crate::store) fn memory(&self) -> Result<Option<Remembered>, WireError> {
        match self.0.get(ANSWER)? {
            "remembered" => Ok(Some(Remembered(()))),
            "not-remembered" => Ok(None),
            _ => Err(WireError::Value(ANSWER)),
        }
    }

    pub(in crate::store) fn recovery_left(&self) -> Result<Option<usize>, WireError> {
        self.must_be("recovery")?;
        self.0.parsed_if_there("left")
    }

    /// `readings` is the number of those that were sent.
    pub(in crate::store) fn redemption(&self, readings: usize) -> Result<Redemption, WireError> {
        let hint = self.0.find("hint")?.map(ToOwned::to_owned);
        match self.0.get(ANSWER)? {
            REDEEMED => {
                let problem = self.0.error()?.map(|said| StoreError::Unusable(Box::new(said)));
                Ok(Redemption::Redeemed(Redeemed {
                    factor: self.0.factor()?,
                    reading: self.reading(readings)?,
                    problem,
                }))
            }
            "near-miss" => Ok(Redemption::NearMiss { hint }),
            "refused" => {
                let reason = reason(self.0.get("reason")?).ok_or(WireError::Value("reason"))?;
                Ok(Redemption::Refused { reason, hint })
            }
            _ => Err(WireError::Value(ANSWER)),
        }
    }

    pub(in crate::store) fn stripping(&self, readings: usize) -> Result<Stripping, WireError> {
        match self.0.get(ANSWER)? {
            "burned" => Ok(Stripping::Burned { reading: self.reading(readings)?, factor: self.0.factor()? }),
            "nothing" => Ok(Stripping::Nothing),
            "throttled" => Ok(Stripping::Throttled),
            _ => Err(WireError::Value(ANSWER)),
        }
    }

    pub(in crate::store) fn enrollment_status(&self) -> Result<EnrollmentStatus, WireError> {
        match self.0.get(ANSWER)? {
            "new" => Ok(EnrollmentStatus::New(Absent(()))),
            "waiting" => Ok(EnrollmentStatus::Waiting),
            "enrolled" => Ok(EnrollmentStatus::Enrolled),
            _ => Err(WireError::Value(ANSWER)),
        }
    }

    /// `serial` is the one that was asked about.
    pub(in crate::store) fn registration(&self, serial: &Serial) -> Result<Result<(), NotRegistered>, WireError> {
        match self.0.get(ANSWER)? {
            "registrable" => Ok(Ok(())),
            "not-registered" => Ok(Err(match self.0.get("why")? {
                "throttled" => NotRegistered::Throttled,
                "no-such-token" => NotRegistered::NoSuchToken,
                "not-free" => NotRegistered::NotFree(serial.clone()),
                "wrong-codes" => NotRegistered::WrongCodes(serial.clone()),
                _ => return Err(WireError::Value("why")),
            })),
            _ => Err(WireError::Value(ANSWER)),
        }
    }

    pub(in crate::store) fn stored(&self) -> Result<Result<(), Superseded>, WireError> {
        match self.0.get(ANSWER)? {
            "done" => Ok(Ok(())),
            "superseded" => Ok(Err(match self.0.get("why")? {
                "enrolled" => Superseded::Enrolled,
                "reset" => Superseded::Reset,
                "expired" => Superseded::Expired,
                "token-taken" => Superseded::TokenTaken,
                "invitation-spent" => Superseded::InvitationSpent,
                _ => return Err(WireError::Value("why")),
            })),
            _ => Err(WireError::Value(ANSWER)),
        }
    }

    fn reading(&self, readings: usize) -> Result<usize, WireError> {
        self.0
            .parsed("reading")
            .and_then(|reading| if reading < readings { Ok(reading) } else { Err(WireError::Value("reading")) })
    }

    pub(super) fn message(&self) -> &Message {
        &self.0
    }

    pub(super) fn must_be(&self, word: &str) -> Result<(), WireError> {
        if self.0.get(ANSWER)? == word { Ok(()) } else { Err(WireError::Value(ANSWER)) }
    }
}

pub(super) fn reason(word: &str) -> Option<Reason> {
    Reason::ALL.into_iter().find(|reason| reason.word() == word)
}
