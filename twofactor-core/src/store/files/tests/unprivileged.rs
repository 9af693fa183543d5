//! Wrong codes of programs without root go on a count of their own, with a bound a day that no login raises.

use super::*;
use crate::account::throttle::{Count, Throttle};
use crate::store::Stripping;

impl Fixture {
    /// The same store, as the broker opens it for a program of the user.
    fn asked_without_root(self) -> Self {
        let Self { directory, store, clock, alice, secret, parameters } = self;
        Self { directory, store: store.counting_on(Count::Unprivileged), clock, alice, secret, parameters }
    }

    /// What a program of the user gets for a guess at `now`. It has no address.
    fn guess(&self, typed: &str, now: UnixTime) -> Redemption {
        self.clock.set(now);
        let (readings, source) = ([Answer::parse(typed.as_bytes())], Source::claimed());
        let (previous, remember, factors) = (None, None, Factors::ALL);
        let attempt = Attempt { readings: &readings, previous, source: &source, factors, remember };
        self.store.redeem(&self.alice, &attempt).unwrap()
    }

    fn strip(&self, typed: &str) -> Stripping {
        let (readings, source) = ([Answer::parse(typed.as_bytes())], Source::claimed());
        let (previous, remember, factors) = (None, None, Factors::ALL);
        let attempt = Attempt { readings: &readings, previous, source: &source, factors, remember };
        self.store.strip(&self.alice, &attempt).unwrap()
    }

    fn throttles(&self) -> [Throttle; 3] {
        let state = self.store.unlocked(&self.alice.name).unwrap().unwrap().state().unwrap();
        [state.throttle, state.stripping, state.unprivileged]
    }
}

#[test]
fn wrong_codes_of_programs_without_root_delay_them_and_no_login() {
    let fixture = Fixture::new().asked_without_root();
    let mut wrong = fixture.wrong_codes();
    for _ in 0..2 {
        assert!(matches!(
            fixture.guess(&wrong.next().unwrap(), NOW),
            Redemption::Refused { reason: Reason::WrongCode, .. }
        ));
        assert_eq!(fixture.strip(&wrong.next().unwrap()), Stripping::Nothing);
    }
    let [logins, stripping, unprivileged] = fixture.throttles();
    assert_eq!((logins, stripping), (Throttle::default(), Throttle::default()));
    assert_eq!(unprivileged.user.count, 4, "both verbs go on one count");
    let _ = fixture.guess(&wrong.next().unwrap(), NOW);
    let right = fixture.code(0, NOW);
    assert!(matches!(fixture.guess(&right, NOW), Redemption::Refused { reason: Reason::Throttled, .. }));
    assert_eq!(fixture.strip(&right), Stripping::Throttled);
    let as_root = Fixture { store: fixture.store.counting_on(Count::Logins), ..fixture };
    assert!(as_root.accepts(&right, NOW));
}

/// SECURITY.md has the figures. The user unlocks the screen between the guesses, which makes up for none of them.
#[test]
fn a_program_in_the_session_has_as_many_guesses_a_day_as_a_stranger() {
    let fixture = Fixture::new().asked_without_root();
    let mut wrong = fixture.wrong_codes();
    let mut looked_at = [0, 0];
    for minute in (0..2 * 24 * 60).step_by(3) {
        let now = later(60 * minute);
        if minute % 30 == 27 {
            let _ = fixture.guess(&fixture.code(0, now), now);
        }
        let guess = fixture.guess(&wrong.next().unwrap(), now);
        if matches!(guess, Redemption::Refused { reason: Reason::WrongCode, .. } | Redemption::NearMiss { .. }) {
            looked_at[usize::try_from(minute / (24 * 60)).unwrap()] += 1;
        }
    }
    let [first, second] = looked_at;
    assert!((90..=106).contains(&first) && (90..=97).contains(&second), "{looked_at:?}");
}

/// Such a program says itself what counts. Were a right code that opens nothing not counted, any code could be tried for
/// nothing, and one that was found taken to another prompt.
#[test]
fn a_right_code_of_which_a_program_says_that_it_does_not_count_is_a_guess_like_any() {
    let fixture = Fixture::new().asked_without_root();
    fixture.clock.set(NOW);
    let (readings, source) = ([Answer::parse(fixture.code(0, NOW).as_bytes())], Source::claimed());
    let (previous, remember, factors) = (None, None, Factors::NONE);
    let attempt = Attempt { readings: &readings, previous, source: &source, factors, remember };
    let refused = fixture.store.redeem(&fixture.alice, &attempt).unwrap();
    assert!(matches!(refused, Redemption::Refused { reason: Reason::FactorNotAllowed, .. }), "{refused:?}");
    let [_, _, unprivileged] = fixture.throttles();
    assert_eq!(unprivileged.user.count, 1);
}

/// The same code within a minute is a client that sends it again; with another code before it, it is another guess.
#[test]
fn each_pair_of_codes_is_a_guess() {
    let fixture = Fixture::new().asked_without_root();
    fixture.clock.set(NOW);
    let mut wrong = fixture.wrong_codes();
    let (readings, source) = ([Answer::parse(wrong.next().unwrap().as_bytes())], Source::claimed());
    let before: Vec<Answer> = wrong.take(3).map(|code| Answer::parse(code.as_bytes())).collect();
    for previous in &before {
        let Answer::Code(previous) = previous else { panic!("a code") };
        let (remember, factors) = (None, Factors::ALL);
        let attempt = Attempt { readings: &readings, previous: Some(previous), source: &source, factors, remember };
        let _ = fixture.store.redeem(&fixture.alice, &attempt).unwrap();
    }
    let [_, _, unprivileged] = fixture.throttles();
    assert_eq!(unprivileged.user.count, 3);
}
