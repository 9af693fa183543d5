//! The clock jumps forth and back by up to two days: no code is accepted twice, no wrong code ever, and nobody is shut out
//! for longer than the longest delay once the clock has passed all that it has ever shown.

use std::collections::BTreeSet;

use twofactor_tests::moment::Moment;
use twofactor_tests::pam::{Event, Outcome, ReturnCode};
use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

use crate::attempt::last_words;
use crate::tally::{Budget, Tally};

const TWO_DAYS: u64 = 2 * 24 * 60 * 60;
/// The default `max_delay`.
const LONGEST_DELAY: u64 = 15 * 60;

pub(crate) fn run(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let alice = host.user_with_app("alice");
    let wrong = far_from_every_code(&alice.authenticator);
    let mut accepted = BTreeSet::new();
    // The enrollment has burned codes of the present.
    let mut latest = twofactor_tests::oathtool::now() + TWO_DAYS;
    let mut now = latest;
    while budget.allows(&tally) {
        tally.case();
        let jump = random.below(TWO_DAYS);
        now = if random.below(2) == 0 { now + jump % 7200 } else { (now - jump % 7200).max(latest - TWO_DAYS) };
        latest = latest.max(now);
        let moment = Moment(now);
        match random.below(3) {
            0 => {
                let outcome = through(host, moment, &wrong);
                tally.check(outcome.code() != ReturnCode::SUCCESS, || format!("a wrong code was accepted at {now}"));
            }
            1 => {
                let step = now / 30;
                let outcome = through(host, moment, &moment.code(&alice.authenticator, 0));
                if outcome.code() == ReturnCode::SUCCESS {
                    tally.count("accepted");
                    tally.check(accepted.insert(step), || format!("the code of time step {step} was accepted twice"));
                }
            }
            _ => {
                now = latest + LONGEST_DELAY + 300;
                latest = now;
                let (step, moment) = (now / 30, Moment(now));
                let outcome = through(host, moment, &moment.code(&alice.authenticator, 0));
                tally.check(outcome.code() == ReturnCode::SUCCESS && accepted.insert(step), || {
                    format!("alice is shut out at {now}: {outcome:?}\n{}", last_words(host))
                });
            }
        }
    }
    tally
}

/// A login at that time; a second question gets no answer.
fn through(host: &Host, moment: Moment, code: &str) -> Outcome {
    let mut login = host.login_at(moment, "alice").start();
    assert!(matches!(login.advance(), Event::Prompt(_)), "the code is asked for");
    login.answer(&code.into());
    while let Event::Prompt(_) = login.advance() {
        login.answer(&"".into());
    }
    let outcome = login.outcome();
    login.finish();
    outcome
}

/// Seven digits are no code of an app with six.
fn far_from_every_code(authenticator: &twofactor_tests::oathtool::Authenticator) -> String {
    "1".repeat(usize::from(authenticator.digits) + 1)
}
