//! Logins are stopped at random moments, as their own user can stop his su: nobody else waits for them, and whatever they
//! do when they go on, no code is good twice.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twofactor_tests::pam::{Event, ReturnCode};
use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

use crate::attempt::last_words;
use crate::deeds::Household;
use crate::tally::{Budget, Tally};

/// Longer than a login takes on a busy machine, and shorter than any wait for a lock.
const AT_ONCE: Duration = Duration::from_secs(5);

pub(crate) fn run(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let household = Household::move_in(host);
    let (mut carols, mut hers) = (0, 0);
    while budget.allows(&tally) {
        tally.case();
        let code = household.carols.code_of(carols);
        carols += 1;
        let mut stopped = host.login("carol").start();
        assert!(matches!(stopped.advance(), Event::Prompt(_)), "the code is asked for");
        stopped.answer(&(&code).into());
        let (answered, moment) = (Instant::now(), Duration::from_micros(random.below(6000)));
        while answered.elapsed() < moment {
            std::hint::spin_loop();
        }
        let process = Pid::from_raw(i32::try_from(stopped.id()).unwrap());
        let _ = kill(process, Signal::SIGSTOP);
        let began = Instant::now();
        let other = host.login("alice").typing(household.hers.code_of(hers)).code();
        hers += 1;
        let took = began.elapsed();
        tally.check(other == ReturnCode::SUCCESS && took < AT_ONCE, || {
            format!("alice waited for carol's stopped login: {other:?} after {took:?}\n{}", last_words(host))
        });
        let _ = kill(process, Signal::SIGCONT);
        while let Event::Prompt(_) = stopped.advance() {
            stopped.answer(&"".into());
        }
        let first = stopped.outcome().code();
        stopped.finish();
        let again = host.login("carol").typing(&code).code();
        tally.count(if first == ReturnCode::SUCCESS { "accepted when they went on" } else { "refused" });
        tally.check(first == ReturnCode::SUCCESS, || {
            format!("carol's own login was refused when it went on: {first:?}")
        });
        tally.check(again != ReturnCode::SUCCESS, || "carol's code was accepted twice".to_owned());
    }
    tally
}
