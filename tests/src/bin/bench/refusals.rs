//! Durations of refusals by reason. A measuring client must not learn which users exist, are enrolled or are throttled.

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::population::{Population, User};
use crate::progress;
use crate::statistics::Sample;
use crate::worker::Worker;

/// Measured refusals of each kind.
const ROUNDS: usize = 200;
/// Wrong codes of one user that are judged before the throttle refuses.
const FREE: usize = 4;
/// Users who type wrong codes, and one more who has typed too many.
pub(crate) const USERS: usize = ROUNDS / FREE + 2;

/// Reasons to refuse a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    WrongCode,
    NoCode,
    Throttled,
    NotEnrolled,
    UnknownUser,
}

impl Kind {
    const ALL: [Self; 5] = [Self::WrongCode, Self::NoCode, Self::Throttled, Self::NotEnrolled, Self::UnknownUser];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WrongCode => "wrong code",
            Self::NoCode => "no code (letters)",
            Self::Throttled => "throttled",
            Self::NotEnrolled => "not enrolled",
            Self::UnknownUser => "unknown user",
        }
    }
}

/// Durations of refusals.
#[derive(Debug)]
pub(crate) struct Refusals(pub(crate) Vec<(Kind, Sample)>);

impl Refusals {
    /// Measures with the users from `first` on, none of whom has logged in.
    pub(crate) fn measure(host: &Host, population: &Population, first: usize) -> Self {
        progress("refusals, by their reason");
        let name = |offset: usize| User(first + offset).name();
        let (throttled, unenrolled) = (name(USERS - 2), name(USERS - 1));
        let folder = population.state().join("users").join(&unenrolled);
        std::fs::remove_dir_all(&folder).expect("a user's folder can be removed");
        let mut worker = Worker::start(host, population, first, 1);
        let mut refused = |user: &str, answer: &str| {
            let reply = worker.refused(user, answer, Contestant::TwoFactor);
            assert_ne!(reply.login.code, 0, "{user} was let in with {answer}");
            reply.login.took
        };
        for number in 0..20 {
            refused(&throttled, &format!("{number:08}"));
        }
        let mut refusals = Kind::ALL.map(|kind| (kind, Sample::default()));
        for round in 0..ROUNDS {
            // Of eight digits, so that it is right for nobody.
            let code = format!("{round:08}");
            let user = name(round / FREE);
            for (kind, sample) in &mut refusals {
                sample.add(match kind {
                    Kind::WrongCode => refused(&user, &code),
                    Kind::NoCode => refused(&user, "letters"),
                    Kind::Throttled => refused(&throttled, &code),
                    Kind::NotEnrolled => refused(&unenrolled, &code),
                    Kind::UnknownUser => refused("nobody-there", &code),
                });
            }
        }
        Self(refusals.into())
    }

    /// By how much the medians differ.
    pub(crate) fn spread(&self) -> std::time::Duration {
        let medians = || self.0.iter().map(|(_, sample)| sample.median());
        medians().max().unwrap_or_default().saturating_sub(medians().min().unwrap_or_default())
    }
}
