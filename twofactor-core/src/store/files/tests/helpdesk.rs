//! The helpdesk's verbs: a code that was read out is used up, and no member forgets the codes that were tried.

use super::*;
use crate::account::throttle::Count;
use crate::store::administration::{InvitationAdministration as _, StateRepair as _};
use crate::store::helpdesk::{Act, Credential, Helpdesk as _, Helped, NotHelped, Verdict};
use crate::store::rules::VerificationRules;

impl Fixture {
    /// Has hanna act for alice at `now`, on a host that has a registry.
    fn help(&self, act: Act, now: UnixTime) -> Result<Helped, NotHelped> {
        self.clock.set(now);
        if !self.directory.path().join("registry.db").exists() {
            self.store.make_registry().unwrap();
        }
        self.store.help(&self.alice, act, &person("hanna", 1005)).unwrap()
    }

    fn try_code(&self, typed: &str, now: UnixTime) -> Result<Verdict, NotHelped> {
        self.help(Act::Verify(Answer::parse(typed.as_bytes())), now).map(|helped| match helped {
            Helped::Judged(verdict, _) => verdict,
            other => panic!("{other:?}"),
        })
    }

    fn told(&self) -> Vec<(u32, &'static str)> {
        self.state().notices.iter().map(|notice| (notice.by.0, notice.change.word())).collect()
    }
}

#[test]
fn a_right_code_is_used_up_and_counts_as_no_login() {
    let fixture = Fixture::new();
    let code = fixture.code(0, NOW);
    let right = fixture.try_code(&code, NOW).unwrap();
    assert!(matches!(right, Verdict::Right(Credential::Token { drift: 0, .. })), "{right:?}");
    assert_eq!(fixture.try_code(&code, NOW), Ok(Verdict::Replayed));
    assert_eq!(fixture.refusal(&code, NOW), Reason::Replayed);
    let state = fixture.state();
    assert_eq!((&state.last_accepted, state.usage[0].1.last_accepted), (&None, None));
    assert_eq!(state.throttle_of(Count::Helpdesk).user.count, 0, "no guess");
    assert_eq!(fixture.told(), [(1005, "code-checked")], "told once");
    assert!(fixture.accepts(&fixture.code(1, NOW), NOW));

    let recovery = RecoveryCode::generate().unwrap();
    let digits = recovery.expose().to_owned();
    fixture.enroll("app", &[recovery]);
    assert_eq!(fixture.try_code(&digits, NOW), Ok(Verdict::Right(Credential::Recovery)));
    assert_eq!(fixture.refusal(&digits, NOW), Reason::Replayed);
}

#[test]
fn a_code_of_another_time_never_counts_alone() {
    let fixture = Fixture::new();
    let early = fixture.code(5, NOW);
    let verdict = fixture.try_code(&early, NOW).unwrap();
    assert!(matches!(verdict, Verdict::AppOutOfStep { steps: 5, .. }), "{verdict:?}");
    assert_eq!(fixture.state().throttle_of(Count::Helpdesk).user.count, 1, "it is a guess");
    assert_eq!(fixture.refusal(&early, later(150)), Reason::WrongCode, "its time has come");
    assert!(fixture.accepts(&fixture.code(1, later(150)), later(150)), "the next one is not heard");
}

#[test]
fn guesses_at_the_helpdesk_go_on_a_count_that_no_member_forgets() {
    let fixture = Fixture::new();
    let mut wrong = fixture.wrong_codes();
    for _ in 0..5 {
        assert_eq!(fixture.try_code(&wrong.next().unwrap(), NOW), Ok(Verdict::Wrong));
    }
    let code = fixture.code(0, NOW);
    let is_throttled = |fixture: &Fixture| fixture.try_code(&code, NOW) == Err(NotHelped::Throttled);
    assert!(is_throttled(&fixture));
    let [logins, own] = [Count::Logins, Count::Unprivileged].map(|count| fixture.state().throttle_of(count).clone());
    assert_eq!((logins, own), (Throttle::default(), Throttle::default()));
    assert!(matches!(fixture.help(Act::Unlock, NOW), Ok(Helped::Unlocked(0))));
    assert!(is_throttled(&fixture), "no member forgets them");
    assert!(matches!(fixture.help(Act::Reset, NOW), Ok(Helped::Reset(_))));
    fixture.enroll("app", &[]);
    assert!(is_throttled(&fixture), "nor does a reset");
    fixture.store.unlock(&fixture.alice.name).unwrap();
    assert_eq!(fixture.try_code(&fixture.code(1, NOW), NOW).map(|verdict| verdict.word()), Ok("right"));
}

#[test]
fn guesses_at_the_helpdesk_are_bounded_where_logins_are_not_delayed() {
    let none = Limits { first_delay: Duration::ZERO, ..Limits::default() };
    let hardly = Limits { free_attempts: 1000, first_delay: Duration::from_secs(1), max_delay: Duration::from_secs(1) };
    let strict = Limits { free_attempts: 2, ..Limits::default() };
    for (limits, free) in [(none, 5), (hardly, 5), (strict, 2)] {
        let fixture = Fixture::new();
        let rules = VerificationRules { limits, ..fixture.store.rules };
        let fixture = Fixture { store: fixture.store.judging_by(rules), ..fixture };
        let mut wrong = fixture.wrong_codes();
        for _ in 0..free {
            assert_eq!(fixture.try_code(&wrong.next().unwrap(), NOW), Ok(Verdict::Wrong));
        }
        assert_eq!(fixture.try_code(&fixture.code(0, NOW), NOW), Err(NotHelped::Throttled), "{limits:?}");
        assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
    }
}

/// The figures of the documents: five free guesses, six with shorter delays, and one each quarter of an hour.
#[test]
fn a_helpdesk_has_as_many_guesses_a_day_as_a_stranger() {
    let fixture = Fixture::new();
    let (mut looked_at, mut wrong) = ([0, 0], fixture.wrong_codes());
    for (day, count) in looked_at.iter_mut().enumerate() {
        for minute in 0..24 * 60 {
            let now = later((day as u64 * 24 * 60 + minute) * 60);
            for _ in 0..6 {
                let guess = wrong.next().unwrap();
                match fixture.try_code(&guess, now) {
                    Err(NotHelped::Throttled) => break,
                    _ => *count += 1,
                }
            }
            // It helps no member to unlock the user between.
            if minute % 60 == 0 {
                let _ = fixture.help(Act::Unlock, now);
            }
        }
    }
    assert!((100..=106).contains(&looked_at[0]) && looked_at[1] <= 96, "{looked_at:?}");
}

#[test]
fn an_account_of_another_person_is_neither_shown_nor_touched() {
    let fixture = Fixture::new();
    let before = fixture.state();
    let fixture = Fixture { alice: person("alice", 4444), ..fixture };
    for act in [
        Act::Status,
        Act::Verify(Answer::parse(fixture.code(0, NOW).as_bytes())),
        Act::Unlock,
        Act::GiveCode(Duration::from_mins(1)),
        Act::RevokeCode,
        Act::Reset,
    ] {
        let name = act.name();
        assert_eq!(fixture.help(act, NOW).unwrap_err(), NotHelped::AnotherPerson, "{name}");
    }
    assert_eq!(fixture.state(), before);
    // Nor is an invitation that was made for another one.
    fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
    let former = person("alice", 1001);
    fixture.store.invite(&former, later(3600)).unwrap();
    assert_eq!(fixture.help(Act::Status, NOW).unwrap_err(), NotHelped::AnotherPerson);
    let fixture = Fixture { alice: former, ..fixture };
    assert!(matches!(fixture.help(Act::Status, NOW), Ok(Helped::Invited(_))));
}

#[test]
fn notices_of_one_member_push_no_other_out() {
    let fixture = Fixture::new();
    assert!(matches!(fixture.help(Act::GiveCode(Duration::from_mins(1)), NOW), Ok(Helped::CodeGiven { .. })));
    for seconds in 0..40 {
        let _ = fixture.help(Act::Unlock, later(seconds));
        let _ = fixture.try_code("not a code", later(seconds));
    }
    assert_eq!(fixture.told(), [(1005, "code-given"), (1005, "unlocked")]);
    assert_eq!(fixture.state().notices[1].at, later(39), "the last is told");
    assert!(matches!(fixture.help(Act::RevokeCode, NOW), Ok(Helped::CodeRevoked(true))));
    assert!(matches!(fixture.help(Act::RevokeCode, NOW), Ok(Helped::CodeRevoked(false))));
    assert!(matches!(fixture.help(Act::Reset, NOW), Ok(Helped::Reset(tokens)) if tokens.is_empty()));
    let told = [(1005, "code-given"), (1005, "unlocked"), (1005, "code-revoked"), (1005, "reset")];
    assert_eq!(fixture.told(), told, "and a reset keeps them");
    assert_eq!(fixture.help(Act::Reset, NOW).unwrap_err(), NotHelped::NotEnrolled);
    assert_eq!(fixture.told(), told, "nothing was done, and nothing is told");
}
