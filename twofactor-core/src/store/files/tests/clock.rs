//! The time at which an attempt is judged: read under the lock, and of no use to anybody who sets it back.

use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::account::invitation::InvitationCode;
use crate::account::remembered::LoginPlace;
use crate::codes::otp::Code;
use crate::codes::token::Seeds;
use crate::host::clock::{Clock, ClockError};
use crate::store::{EnrollmentStore as _, NotRegistered, Pending, PendingFactor, SecretOrigin, Stripping, Superseded};

/// A clock that makes sure that the lock is held whenever it is read, and counts how often that is.
#[derive(Debug, Clone)]
struct UnderLock {
    folder: PathBuf,
    readings: Arc<AtomicU32>,
}

impl Clock for UnderLock {
    fn now(&self) -> Result<UnixTime, ClockError> {
        let lock = File::open(&self.folder).unwrap().try_lock();
        assert!(matches!(lock, Err(TryLockError::WouldBlock)), "the clock was read without the lock: {lock:?}");
        self.readings.fetch_add(1, Ordering::SeqCst);
        Ok(NOW)
    }
}

fn source() -> Source {
    Source::from_rhost(Some("192.0.2.7"))
}

fn attempt<'a>(readings: &'a [Answer], source: &'a Source) -> Attempt<'a> {
    Attempt { factors: Factors::ALL, previous: None, remember: None, readings, source }
}

#[test]
fn whatever_is_judged_by_the_time_has_the_lock_when_the_clock_is_read() {
    let fixture = Fixture::new();
    let alice = &fixture.alice;
    let readings = Arc::new(AtomicU32::new(0));
    let clock = UnderLock { folder: fixture.directory.path().join("users/alice"), readings: readings.clone() };
    let owner = Owner(nix::unistd::geteuid().as_raw());
    let store = Files::new(fixture.directory.path(), owner, Duration::from_secs(10), clock).with_registry();
    let reads_the_clock = |what: &str, act: &dyn Fn()| {
        let before = readings.load(Ordering::SeqCst);
        act();
        assert!(readings.load(Ordering::SeqCst) > before, "{what} is judged without the time");
    };
    let (typed, source) = ([Answer::parse(fixture.code(0, NOW).as_bytes())], source());
    reads_the_clock("a code", &|| {
        assert!(matches!(store.redeem(alice, &attempt(&typed, &source)).unwrap(), Redemption::Redeemed(_)));
    });
    reads_the_clock("a code that is not needed", &|| {
        assert_eq!(store.strip(alice, &attempt(&typed, &source)).unwrap(), Stripping::Nothing, "it is used");
    });
    let [first, second] = [0, 1].map(|offset| Code::new(Zeroizing::new(fixture.code(offset, NOW))).unwrap());
    reads_the_clock("a registration", &|| {
        let serial = Serial::new("123").unwrap();
        let checked = store.check_registration(alice, &serial, [&first, &second], &attempt(&[], &source)).unwrap();
        assert!(matches!(checked, Err(NotRegistered::NoSuchToken)));
    });
    let invitation = InvitationCode::generate().unwrap();
    reads_the_clock("an invitation", &|| {
        let checked = store.check_invitation(alice, &invitation, &attempt(&[], &source)).unwrap();
        assert_eq!(checked.unwrap_err(), Reason::InvitationWrong);
    });
    reads_the_clock("what a login has confirmed", &|| {
        let pending = Pending { user: alice.clone(), factor: confirmed_again(&fixture, 1), invitation: None };
        assert!(matches!(store.store_pending(pending), Err(Superseded::Enrolled)));
    });
}

/// The secret that waits for its confirmation, confirmed by the code of `offset`.
fn confirmed_again(fixture: &Fixture, offset: i64) -> PendingFactor {
    let waiting = fixture.store.pending(&fixture.alice.name, &Label::new("app").unwrap()).unwrap();
    let token = waiting.unwrap_or_else(|| {
        let secret = Secret::from_bytes(Zeroizing::new(fixture.secret.expose().to_vec())).unwrap();
        let label = Label::new("app").unwrap();
        let (serial, parameters) = (Serial::generate().unwrap(), fixture.parameters);
        Token { serial, label, secret, parameters, issued: NOW, start: Progress::default() }
    });
    let code = Code::new(Zeroizing::new(fixture.code(offset, NOW))).unwrap();
    let app = App::confirmed_by(token, &code, Window::default(), NOW).unwrap();
    PendingFactor::App { app, recovery: Vec::new(), secret: SecretOrigin::Kept }
}

const YEAR: u64 = 365 * 24 * 3600;

/// The state as it is now.
fn state(fixture: &Fixture) -> State {
    let text = fs::read(fixture.path("state")).unwrap();
    parse_state(&text, &fixture.path("state")).unwrap().1
}

#[test]
fn failures_dated_later_than_now_delay_once_and_are_not_ignored() {
    for ahead in [5, 16 * 60, YEAR] {
        let fixture = Fixture::new();
        for (guess, wrong) in (0..9).zip(fixture.wrong_codes()) {
            let _ = fixture.redeem(&wrong, later(ahead + 1000 * guess)).unwrap();
        }
        let counted = fixture.failures();
        assert!(counted >= 5);
        let delayed = state(&fixture).throttle.blocked_until(&source(), Limits::default(), NOW).unwrap();
        for second in [0, 1, 2] {
            let right = fixture.code(0, later(second));
            assert_eq!(fixture.refusal(&right, later(second)), Reason::Throttled, "{ahead} s ahead");
            assert_eq!(state(&fixture).throttle.user.last, Some(NOW), "rewritten once, at the first attempt");
        }
        assert_eq!(fixture.failures(), counted);
        assert!(delayed.since(NOW).unwrap() <= Limits::default().max_delay);
        assert!(fixture.accepts(&fixture.code(0, delayed), delayed), "{ahead} s ahead");
    }
}

#[test]
fn what_had_run_out_stays_so_when_the_clock_is_set_back_and_what_is_dated_later_counts_for_nothing() {
    let memory = |since: u64, until: u64| Memory {
        service: "sshd".to_owned(),
        address: "192.0.2.7".parse().unwrap(),
        since: later(since),
        until: later(until),
        opener: Opener::Seed(Seeds::of(&Secret::generate(20).unwrap(), Parameters::default()).key()),
    };
    let invitation = |until: u64| Some(Invitation::of(&InvitationCode::generate().unwrap(), later(until)).unwrap());
    let at = |seconds: u64| LastAccepted { at: later(seconds), source: source(), factor: "app".to_owned() };
    let written = |until: u64| State {
        last_accepted: Some(at(5000)),
        memories: Memories::stored(vec![memory(0, 4000), memory(100, until), memory(3000, 9000)]),
        invitation: invitation(until),
        ..State::default()
    };
    let seen = written(4999).seen_at(later(200));
    assert_eq!((seen.memories.iter().count(), seen.invitation), (0, None), "run out, or of a clock that was ahead");
    assert_eq!(seen.last_accepted, Some(at(200)));
    let seen = written(5001).seen_at(later(200));
    assert_eq!(seen.memories.iter().count(), 1);
    assert!(seen.invitation.is_some());
    let before = written(4999);
    assert_eq!(before.clone().seen_at(later(5000)), before, "a clock that goes on changes nothing");
}

#[test]
fn an_accepted_login_is_not_remembered_for_longer_by_a_clock_that_is_set_back() {
    let fixture = Fixture::new();
    let place = LoginPlace { service: "sshd", address: "192.0.2.7".parse().unwrap() };
    let (readings, source) = ([Answer::parse(fixture.code(0, NOW).as_bytes())], source());
    let hour = Duration::from_hours(1);
    let accepted = Attempt { remember: Some((place, hour)), ..attempt(&readings, &source) };
    assert!(matches!(fixture.store.redeem(&fixture.alice, &accepted).unwrap(), Redemption::Redeemed(_)));
    let remembers = |seconds: u64| {
        fixture.clock.set(later(seconds));
        let like = Recall { place, longest: hour };
        fixture.store.remembers(&fixture.alice, &like, Factors::ALL).unwrap().is_some()
    };
    assert!(remembers(1800) && !remembers(3600));
    // A wrong code shows the state that the hour is over.
    assert_eq!(fixture.refusal(&fixture.wrong(), later(3601)), Reason::WrongCode);
    assert!(!remembers(1800));
}
