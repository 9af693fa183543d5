//! The promises of every store, told as stories. A kind of store takes part with one implementation of [`StoreUnderTest`] and
//! one call of [`store_stories!`](crate::store_stories!).
//!
//! Each story begins with a new and empty store whose clock stands at [`NOW`]. Each attempt opens the store anew, as each
//! login's process does.

use std::time::{Duration, Instant};
use twofactor_core::store::administration::{AccountOwnership as _, InvitationAdministration as _};

use twofactor_core::account::App;
use twofactor_core::account::enrollment::{self, Proposal};
use twofactor_core::account::factors::Factors;
use twofactor_core::account::invitation::InvitationCode;
use twofactor_core::account::remembered::{LoginPlace, Recall};
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::{Code, Parameters, StatedParameters};
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::{Label, Marks, Serial};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::administration::{
    AccountAdministration as _, AdministeredStore, Adoption, Author, Existing, LastCredential, NewToken, Origin, Reset,
    Sharing, TokenAdministration as _,
};
use twofactor_core::store::{
    Attempt, EnrollmentStatus, EnrollmentStore, Factor, Loss, NotRegistered, Pending, PendingFactor, Presence,
    Redemption, SecretOrigin, Store, StoreError, Stripping, Superseded,
};
use zeroize::Zeroizing;

use crate::oathtool::{Authenticator, Kind};

/// When each story begins: the first second of a step.
pub const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// Steps before [`NOW`] whose codes the stories know, and all of them.
const STEPS_BEFORE: u64 = 100;
const STEPS: u64 = 1000;

/// A kind of store, with what a test needs beside it: a clock and an accident.
pub trait StoreUnderTest: Sized + Sync {
    /// The store that a login uses.
    type Opened: Store + EnrollmentStore;

    /// The store that the command uses.
    type Administered: AdministeredStore;

    /// A store in which nothing was ever kept. It judges by the rules of the default configuration.
    fn empty(now: UnixTime) -> Self;

    /// Sets the clock of the store.
    fn set_clock(&self, now: UnixTime);

    /// The store as another login opens it.
    fn open(&self) -> Self::Opened;

    /// The store as the command opens it.
    fn administer(&self) -> Self::Administered;

    /// An accident: what says which codes of the user are used is gone, and the credentials are not.
    fn lose_usage(&self, user: &UserName);

    /// Another one: the credentials are gone, or damaged, and the record of used codes is whole.
    fn lose_credentials(&self, user: &UserName, loss: LostAs);
}

/// The way in which credentials are lost.
#[derive(Debug, Clone, Copy)]
pub enum LostAs {
    /// They are not there.
    Gone,
    /// They cannot be read.
    Damaged,
}

/// A test for each story, of one kind of store.
#[macro_export]
macro_rules! store_stories {
    ($store:ty) => {
        $crate::store_stories! { $store:
            a_code_opens_one_session_and_no_second,
            a_newer_code_burns_the_older_ones,
            of_simultaneous_logins_with_one_code_exactly_one_wins,
            guessing_is_throttled_and_a_right_code_does_not_help_meanwhile,
            an_answer_that_is_no_guess_is_not_counted,
            unlocking_forgets_the_failures_and_keeps_used_codes_used,
            a_code_outside_the_window_opens_nothing_and_with_the_next_one_resynchronizes,
            a_near_miss_alone_is_never_right_not_even_when_its_time_comes,
            a_recovery_code_opens_one_session,
            a_factor_that_the_policy_excludes_opens_nothing_and_is_not_used_up,
            a_used_code_stays_used_through_reset_and_new_enrollments_of_the_secret,
            a_kept_secret_is_given_away_while_it_waits_and_stored_once,
            a_kept_secret_that_was_confirmed_too_long_ago_is_not_stored,
            of_two_pending_enrollments_one_is_stored,
            an_invitation_enrolls_once_and_in_time_and_wrong_ones_are_counted,
            an_invitation_is_refused_to_another_person,
            an_account_is_refused_to_another_person_until_it_is_adopted,
            a_token_opens_sessions_while_it_is_owned_and_its_used_codes_stay_used,
            a_token_is_registered_at_login_by_two_codes_and_once,
            an_account_without_its_usage_opens_nothing,
            an_enrollment_that_replaces_gets_out_of_lost_credentials,
            an_accepted_login_is_remembered_for_its_time_and_place,
            a_remembered_login_spares_no_other_person_the_code,
            a_clock_set_back_delays_once_and_prolongs_nothing,
            a_code_that_nobody_needs_is_burned_and_its_guesses_delay_no_login,
            an_attempt_in_vain_changes_nothing_and_takes_as_long,
        }
    };
    ($store:ty: $($story:ident),* $(,)?) => {
        $(
            #[test]
            fn $story() {
                $crate::store_stories::$story::<$store>();
            }
        )*
    };
}

/// A secret and its codes, from oathtool.
struct Shown {
    secret: Vec<u8>,
    codes: Vec<String>,
}

impl Shown {
    fn of(secret: &[u8; 20]) -> Self {
        let secret = secret.to_vec();
        let base32 = Secret::from_bytes(Zeroizing::new(secret.clone())).unwrap().expose_base32().to_string();
        let app = Authenticator { secret: base32, algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) };
        let codes = app.codes_from(NOW.seconds() - STEPS_BEFORE * 30, STEPS);
        Self { secret, codes }
    }

    fn secret(&self) -> Secret {
        Secret::from_bytes(Zeroizing::new(self.secret.clone())).unwrap()
    }

    /// The code that is shown `steps` after the one of `now`.
    fn code(&self, steps: i64, now: UnixTime) -> &str {
        let here = STEPS_BEFORE + now.seconds().checked_sub(NOW.seconds()).unwrap() / 30;
        &self.codes[usize::try_from(here.checked_add_signed(steps).unwrap()).unwrap()]
    }

    /// An app with this secret, without a code that confirmed it.
    fn app(&self) -> App {
        self.proposal().vouch()
    }

    fn proposal(&self) -> Proposal {
        let parameters = Parameters::default();
        Proposal::with_secret(self.secret(), Label::app(), parameters, "example.org", "alice", NOW).unwrap()
    }
}

/// A store under test and what a story has of it.
struct Stage<S> {
    store: S,
    alice: Person,
    phone: Shown,
    fob: Shown,
}

impl<S: StoreUnderTest> Stage<S> {
    /// Nothing is kept yet.
    fn empty() -> Self {
        let alice = person("alice", 1001);
        let (phone, fob) = (Shown::of(b"a secret of 20 bytes"), Shown::of(b"the secret of a fob."));
        Self { store: S::empty(NOW), alice, phone, fob }
    }

    /// Alice has an app.
    fn with_alice() -> Self {
        let stage = Self::empty();
        stage.enroll(&stage.alice, stage.phone.app(), &[], Existing::Keep);
        stage
    }

    /// Codes that neither phone nor fob shows.
    fn wrong(&self) -> impl Iterator<Item = String> + use<'_, S> {
        let shown = |code: &String| self.phone.codes.contains(code) || self.fob.codes.contains(code);
        (718_281..).map(|number: u32| format!("{number:06}")).filter(move |code| !shown(code))
    }

    fn try_as(&self, person: &Person, typed: &str, now: UnixTime) -> Result<Redemption, StoreError> {
        self.attempt(person, typed, now, |attempt| attempt)
    }

    fn attempt(
        &self,
        person: &Person,
        typed: &str,
        now: UnixTime,
        change: impl for<'a> FnOnce(Attempt<'a>) -> Attempt<'a>,
    ) -> Result<Redemption, StoreError> {
        self.store.set_clock(now);
        let (readings, source) = ([Answer::parse(typed.as_bytes())], address());
        self.store.open().redeem(person, &change(attempt_of(&readings, &source)))
    }

    fn accepts(&self, typed: &str, now: UnixTime) -> bool {
        matches!(self.try_as(&self.alice, typed, now).unwrap(), Redemption::Redeemed(_))
    }

    #[track_caller]
    fn refusal(&self, typed: &str, now: UnixTime) -> Reason {
        refusal(&self.try_as(&self.alice, typed, now).unwrap())
    }

    /// The status of alice, for a login.
    fn status(&self) -> EnrollmentStatus {
        self.store.open().enrollment_status(&self.alice).unwrap()
    }

    /// An app with the phone's secret, confirmed by the code `steps` from [`NOW`].
    fn confirmed(&self, proposal: Proposal, steps: i64) -> App {
        let code = code(self.phone.code(steps, NOW));
        self.store
            .open()
            .confirm(Some(&self.alice.name), proposal, &code)
            .unwrap()
            .unwrap_or_else(|_| panic!("a right code confirms"))
    }

    fn pending(&self, steps: i64) -> Pending {
        let app = self.confirmed(self.phone.proposal(), steps);
        let factor = PendingFactor::App { app, recovery: Vec::new(), secret: SecretOrigin::New };
        Pending { user: self.alice.clone(), factor, invitation: None }
    }

    /// The secret that was kept, confirmed by the code `steps` from [`NOW`].
    fn kept_and_confirmed(&self, steps: i64) -> Pending {
        let token = self.store.open().kept_secret(&self.alice).unwrap();
        let app = self.confirmed(Proposal::again(token, "example.org", "alice"), steps);
        let factor = PendingFactor::App { app, recovery: Vec::new(), secret: SecretOrigin::Kept };
        Pending { user: self.alice.clone(), factor, invitation: None }
    }
}

/// The deeds of a sysadmin before and between logins.
impl<S: StoreUnderTest> Stage<S> {
    fn enroll(&self, person: &Person, app: App, recovery: &[RecoveryCode], existing: Existing) {
        self.store.administer().enroll(person, app, Some(recovery), existing).unwrap();
    }

    fn reset(&self, user: &UserName, reset: Reset) {
        assert!(self.store.administer().reset(user, reset).unwrap());
    }

    fn unlock(&self, user: &UserName) {
        self.store.administer().unlock(user).unwrap().unwrap();
    }

    /// Wrong codes that count.
    fn failures(&self, user: &UserName) -> u32 {
        self.store.administer().status(user).unwrap().unwrap().failures
    }

    fn invite(&self, person: &Person, until: UnixTime) -> InvitationCode {
        self.store.administer().invite(person, until).unwrap()
    }

    /// Makes the account that of the person's uid.
    fn adopt(&self, person: &Person) {
        let seen = self.store.administer().belongs(&person.name).unwrap();
        assert_eq!(self.store.administer().adopt_uid(person, seen).unwrap(), Adoption::Done);
    }

    /// Imports one TOTP token with the default parameters.
    fn stock(&self, serial: &Serial, secret: &Secret) {
        let parameters = Parameters::default();
        let marks = Marks::of(secret, parameters.algorithm);
        let (counter, drift, vendor, model) = (None, None, None, None);
        let stated = StatedParameters::default();
        let token = NewToken { serial, secret, marks, parameters, stated, counter, drift, vendor, model };
        let mut import = self.store.administer().import().unwrap();
        import.plan::<StoreError>(|judge| judge(&token).map(drop)).unwrap();
        let origin = Origin { series: "box", file: "box.csv", sha256: [7; 32] };
        import.write::<StoreError>(origin, 0, root(), |take| take(&token)).unwrap();
    }

    fn assign(&self, serial: &Serial, person: &Person) {
        self.store.administer().assign(&[(serial.clone(), person.clone())], Sharing::Refuse, root()).unwrap();
    }

    /// Also of a user's last credential.
    fn unassign(&self, serial: &Serial) {
        self.store.administer().unassign(serial, LastCredential::Take, root()).unwrap();
    }
}

fn root() -> Author<'static> {
    Author { who: "root", at: NOW }
}

fn person(name: &str, uid: u32) -> Person {
    Person { name: UserName::new(name).unwrap(), uid: Uid(uid) }
}

fn code(digits: &str) -> Code {
    Code::new(Zeroizing::new(digits.to_owned())).unwrap()
}

fn address() -> Source {
    Source::from_rhost(Some("192.0.2.7"))
}

fn serial() -> Serial {
    Serial::new("1234567891234").unwrap()
}

fn later(seconds: u64) -> UnixTime {
    NOW.after(Duration::from_secs(seconds))
}

fn attempt_of<'a>(readings: &'a [Answer], source: &'a Source) -> Attempt<'a> {
    Attempt { readings, previous: None, source, factors: Factors::ALL, remember: None }
}

#[track_caller]
fn refusal(redemption: &Redemption) -> Reason {
    match redemption {
        Redemption::Refused { reason, .. } => *reason,
        Redemption::NearMiss { .. } => Reason::WrongCode,
        Redemption::Redeemed(_) => panic!("the code was accepted"),
    }
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_code_opens_one_session_and_no_second<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let code = stage.phone.code(0, NOW);
    assert!(stage.accepts(code, NOW));
    assert_eq!(stage.refusal(code, NOW), Reason::Replayed);
    assert_eq!(stage.failures(&stage.alice.name), 0, "a replay is no guess");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_newer_code_burns_the_older_ones<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    assert!(stage.accepts(stage.phone.code(0, NOW), NOW));
    assert_eq!(stage.refusal(stage.phone.code(-1, NOW), NOW), Reason::Replayed);
    assert!(stage.accepts(stage.phone.code(1, NOW), NOW));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn of_simultaneous_logins_with_one_code_exactly_one_wins<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    for round in 0..4 {
        let now = later(round * 300);
        let code = stage.phone.code(0, now);
        let winners = std::thread::scope(|scope| {
            let logins: Vec<_> = (0..8).map(|_| scope.spawn(|| stage.accepts(code, now))).collect();
            logins.into_iter().map(|login| usize::from(login.join().unwrap())).sum::<usize>()
        });
        assert_eq!(winners, 1, "round {round}");
    }
}

#[expect(missing_docs, reason = "the name says it")]
pub fn guessing_is_throttled_and_a_right_code_does_not_help_meanwhile<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    for guess in stage.wrong().take(5) {
        assert_eq!(stage.refusal(&guess, NOW), Reason::WrongCode);
    }
    assert_eq!(stage.failures(&stage.alice.name), 5);
    assert_eq!(stage.refusal(stage.phone.code(0, NOW), NOW), Reason::Throttled);
    assert!(stage.accepts(stage.phone.code(0, later(16)), later(16)), "the delay ends by itself");
    assert_eq!(stage.failures(&stage.alice.name), 0, "success clears the count");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn an_answer_that_is_no_guess_is_not_counted<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    for typed in ["", "password", "12345", "１２３４５６"] {
        assert_eq!(stage.refusal(typed, NOW), Reason::WrongCode);
    }
    assert_eq!(stage.failures(&stage.alice.name), 0);
}

#[expect(missing_docs, reason = "the name says it")]
pub fn unlocking_forgets_the_failures_and_keeps_used_codes_used<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let code = stage.phone.code(0, NOW);
    assert!(stage.accepts(code, NOW));
    for guess in stage.wrong().take(5) {
        assert_eq!(stage.refusal(&guess, NOW), Reason::WrongCode);
    }
    assert_eq!(stage.refusal(stage.phone.code(1, NOW), NOW), Reason::Throttled);
    stage.unlock(&stage.alice.name);
    assert_eq!(stage.failures(&stage.alice.name), 0);
    assert_eq!(stage.refusal(code, NOW), Reason::Replayed);
    assert!(stage.accepts(stage.phone.code(1, NOW), NOW));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_code_outside_the_window_opens_nothing_and_with_the_next_one_resynchronizes<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let first = code(stage.phone.code(15, NOW));
    let near_miss = stage.try_as(&stage.alice, first.expose(), NOW).unwrap();
    assert!(matches!(near_miss, Redemption::NearMiss { .. }), "{near_miss:?}");
    assert_eq!(stage.failures(&stage.alice.name), 1, "it is counted as a guess");
    let pair = |next: &str| {
        let (readings, source) = ([Answer::parse(next.as_bytes())], address());
        let attempt = Attempt { previous: Some(&first), ..attempt_of(&readings, &source) };
        stage.store.open().redeem(&stage.alice, &attempt).unwrap()
    };
    assert_eq!(refusal(&pair(stage.phone.code(17, NOW))), Reason::WrongCode, "it is not the next one");
    let resynchronized = pair(stage.phone.code(16, NOW));
    assert!(matches!(resynchronized, Redemption::Redeemed(_)), "{resynchronized:?}");
    for used in [15, 16] {
        assert_eq!(stage.refusal(stage.phone.code(used, NOW), NOW), Reason::Replayed);
    }
    assert!(stage.accepts(stage.phone.code(17, NOW), NOW), "the drift is known now");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_near_miss_alone_is_never_right_not_even_when_its_time_comes<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    assert_eq!(stage.refusal(stage.phone.code(15, NOW), NOW), Reason::WrongCode);
    let then = later(15 * 30);
    assert_eq!(stage.refusal(stage.phone.code(0, then), then), Reason::WrongCode);
    assert!(stage.accepts(stage.phone.code(1, then), then));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_recovery_code_opens_one_session<S: StoreUnderTest>() {
    let stage = Stage::<S>::empty();
    let codes = enrollment::recovery_codes(2).unwrap();
    stage.enroll(&stage.alice, stage.phone.app(), &codes, Existing::Keep);
    let shown = codes[0].expose_grouped();
    let Redemption::Redeemed(redeemed) = stage.try_as(&stage.alice, &shown, NOW).unwrap() else { panic!("refused") };
    assert_eq!(redeemed.factor(), &Factor::Recovery { left: 1 });
    assert_eq!(stage.refusal(&shown, NOW), Reason::Replayed);
    assert_eq!(stage.store.open().recovery_left(&stage.alice).unwrap(), Some(1));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_factor_that_the_policy_excludes_opens_nothing_and_is_not_used_up<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let code = stage.phone.code(0, NOW);
    let factors = Factors { app: false, ..Factors::ALL };
    let excluded = stage.attempt(&stage.alice, code, NOW, |attempt| Attempt { factors, ..attempt });
    assert_eq!(refusal(&excluded.unwrap()), Reason::FactorNotAllowed);
    assert!(stage.accepts(code, NOW));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_used_code_stays_used_through_reset_and_new_enrollments_of_the_secret<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let used = stage.phone.code(0, NOW);
    assert!(stage.accepts(used, NOW));
    stage.reset(&stage.alice.name, Reset::Everything);
    assert!(matches!(stage.store.open().presence(&stage.alice.name).unwrap(), Presence::Absent(_)));
    assert_eq!(stage.refusal(stage.phone.code(1, NOW), NOW), Reason::NotEnrolled);
    stage.enroll(&stage.alice, stage.phone.app(), &[], Existing::Keep);
    assert_eq!(stage.refusal(used, NOW), Reason::Replayed, "after a reset");
    stage.enroll(&stage.alice, stage.fob.app(), &[], Existing::Replace);
    stage.enroll(&stage.alice, stage.phone.app(), &[], Existing::Replace);
    assert_eq!(stage.refusal(used, NOW), Reason::Replayed, "after another secret took its place for a while");
    assert!(stage.accepts(stage.phone.code(1, NOW), NOW));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_kept_secret_is_given_away_while_it_waits_and_stored_once<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    assert!(matches!(stage.status(), EnrollmentStatus::Enrolled));
    assert!(matches!(stage.store.open().kept_secret(&stage.alice), Err(Superseded::Enrolled)), "it does not wait");
    let used = stage.phone.code(0, NOW);
    assert!(stage.accepts(used, NOW));
    stage.reset(&stage.alice.name, Reset::Confirmations);
    assert!(matches!(stage.status(), EnrollmentStatus::Waiting));
    assert_eq!(stage.refusal(stage.phone.code(1, NOW), NOW), Reason::NotConfirmed, "it opens nothing");
    let token = stage.store.open().kept_secret(&stage.alice).unwrap();
    assert_eq!(token.secret.expose(), stage.phone.secret);
    let again = Proposal::again(token, "example.org", "alice");
    let again = *stage
        .store
        .open()
        .confirm(Some(&stage.alice.name), again, &code(used))
        .unwrap()
        .expect_err("a used code confirms nothing");
    drop(again);
    let (first, second) = (stage.kept_and_confirmed(1), stage.kept_and_confirmed(2));
    stage.store.open().store_pending(first).unwrap();
    assert!(matches!(stage.store.open().store_pending(second), Err(Superseded::Enrolled)));
    assert_eq!(stage.refusal(stage.phone.code(1, NOW), NOW), Reason::Replayed, "its code is used");
    assert!(stage.accepts(stage.phone.code(2, NOW), NOW));
    stage.reset(&stage.alice.name, Reset::Confirmations);
    let late = stage.kept_and_confirmed(3);
    stage.reset(&stage.alice.name, Reset::Everything);
    assert!(matches!(stage.store.open().store_pending(late), Err(Superseded::Reset)));
    assert!(matches!(stage.store.open().kept_secret(&stage.alice), Err(Superseded::Reset)));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_kept_secret_that_was_confirmed_too_long_ago_is_not_stored<S: StoreUnderTest>() {
    for (seconds, is_stored) in [(59, true), (90, false)] {
        let stage = Stage::<S>::with_alice();
        stage.reset(&stage.alice.name, Reset::Confirmations);
        let pending = stage.kept_and_confirmed(0);
        stage.store.set_clock(later(seconds));
        match stage.store.open().store_pending(pending) {
            Ok(()) => assert!(is_stored, "after {seconds} s"),
            Err(Superseded::Expired) => assert!(!is_stored, "after {seconds} s"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[expect(missing_docs, reason = "the name says it")]
pub fn of_two_pending_enrollments_one_is_stored<S: StoreUnderTest>() {
    let stage = Stage::<S>::empty();
    assert!(matches!(stage.status(), EnrollmentStatus::New(_)));
    let (first, second) = (stage.pending(0), stage.pending(0));
    assert!(matches!(stage.status(), EnrollmentStatus::New(_)), "what is pending is not stored");
    let stored: Vec<bool> = std::thread::scope(|scope| {
        let storing = [first, second].map(|pending| scope.spawn(|| stage.store.open().store_pending(pending)));
        storing.map(|one| one.join().unwrap().is_ok()).into()
    });
    assert_eq!(stored.iter().filter(|stored| **stored).count(), 1, "{stored:?}");
    assert_eq!(stage.refusal(stage.phone.code(0, NOW), NOW), Reason::Replayed, "the code that confirmed it is used");
    assert!(stage.accepts(stage.phone.code(1, NOW), NOW));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn an_invitation_enrolls_once_and_in_time_and_wrong_ones_are_counted<S: StoreUnderTest>() {
    let stage = Stage::<S>::empty();
    let typed = stage.invite(&stage.alice, later(3600));
    let source = address();
    let check = |person: &Person, typed: &InvitationCode, now: UnixTime| {
        stage.store.set_clock(now);
        stage.store.open().check_invitation(person, typed, &attempt_of(&[], &source))
    };
    let invitation = check(&stage.alice, &typed, NOW).unwrap().expect("it admits its code");
    let with = |steps| Pending { invitation: Some(invitation), ..stage.pending(steps) };
    let (first, second) = (with(0), with(0));
    stage.store.open().store_pending(first).unwrap();
    assert!(stage.store.open().store_pending(second).is_err());
    stage.reset(&stage.alice.name, Reset::Everything);
    assert!(matches!(stage.store.open().store_pending(with(1)), Err(Superseded::InvitationSpent)));

    // The same again within a minute would be counted once.
    let refusals: Vec<Reason> = ('2'..='8')
        .map(|last| {
            let wrong = InvitationCode::parse(format!("2222-222{last}").as_bytes()).unwrap();
            check(&stage.alice, &wrong, NOW).unwrap().expect_err("it is wrong")
        })
        .collect();
    assert_eq!(refusals[0], Reason::InvitationWrong);
    assert_eq!(refusals.last(), Some(&Reason::Throttled), "{refusals:?}");

    let void = stage.invite(&stage.alice, later(7200));
    assert!(matches!(check(&stage.alice, &void, later(7200)), Ok(Err(Reason::InvitationWrong))), "its time is over");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn an_invitation_is_refused_to_another_person<S: StoreUnderTest>() {
    let stage = Stage::<S>::empty();
    let typed = stage.invite(&stage.alice, later(3600));
    let (another, source) = (person("alice", 4444), address());
    let checked = stage.store.open().check_invitation(&another, &typed, &attempt_of(&[], &source));
    assert_eq!(checked.unwrap_err().reason(), Reason::UidChanged);
}

#[expect(missing_docs, reason = "the name says it")]
pub fn an_account_is_refused_to_another_person_until_it_is_adopted<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    assert!(stage.accepts(stage.phone.code(0, NOW), NOW));
    let another = person("alice", 4444);
    for typed in [stage.phone.code(1, NOW).to_owned(), stage.wrong().next().unwrap(), "letters".to_owned()] {
        let refused = stage.try_as(&another, &typed, NOW);
        assert!(matches!(refused, Err(StoreError::UidChanged { .. })), "{refused:?}");
    }
    assert_eq!(stage.failures(&stage.alice.name), 0, "nothing was judged");
    assert!(matches!(stage.store.open().enrollment_status(&another).unwrap(), EnrollmentStatus::Enrolled));
    assert_eq!(stage.store.open().recovery_left(&another).unwrap(), None);
    stage.reset(&stage.alice.name, Reset::Confirmations);
    let kept = stage.store.open().kept_secret(&another);
    assert!(matches!(kept, Err(Superseded::Store(StoreError::UidChanged { .. }))), "no secret for another person");
    let pending = Pending { user: another.clone(), ..stage.kept_and_confirmed(1) };
    let refused = stage.store.open().store_pending(pending);
    assert!(matches!(refused, Err(Superseded::Store(StoreError::UidChanged { .. }))), "{refused:?}");

    let stage = Stage::<S>::with_alice();
    let used = stage.phone.code(0, NOW);
    assert!(stage.accepts(used, NOW));
    stage.adopt(&another);
    assert!(matches!(stage.try_as(&stage.alice, used, NOW), Err(StoreError::UidChanged { .. })));
    assert_eq!(refusal(&stage.try_as(&another, used, NOW).unwrap()), Reason::Replayed, "used codes stay used");
    let next = stage.try_as(&another, stage.phone.code(1, NOW), NOW).unwrap();
    assert!(matches!(next, Redemption::Redeemed(_)), "{next:?}");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_token_opens_sessions_while_it_is_owned_and_its_used_codes_stay_used<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    stage.stock(&serial(), &stage.fob.secret());
    assert_eq!(stage.refusal(stage.fob.code(0, NOW), NOW), Reason::WrongCode, "it is nobody's");
    stage.assign(&serial(), &stage.alice);
    assert!(stage.accepts(stage.fob.code(0, NOW), NOW));
    assert_eq!(stage.refusal(stage.fob.code(0, NOW), NOW), Reason::Replayed);
    assert!(stage.accepts(stage.phone.code(0, NOW), NOW), "the app works beside it");
    stage.unassign(&serial());
    assert_eq!(stage.refusal(stage.fob.code(1, NOW), NOW), Reason::WrongCode, "the next login misses it");

    let bob = person("bob", 1002);
    stage.assign(&serial(), &bob);
    assert_eq!(refusal(&stage.try_as(&bob, stage.fob.code(0, NOW), NOW).unwrap()), Reason::Replayed);
    let fresh = stage.try_as(&bob, stage.fob.code(1, NOW), NOW).unwrap();
    assert!(matches!(fresh, Redemption::Redeemed(_)), "{fresh:?}");
    stage.unassign(&serial());
    assert!(matches!(stage.store.open().presence(&bob.name).unwrap(), Presence::Absent(_)), "he has nothing left");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_token_is_registered_at_login_by_two_codes_and_once<S: StoreUnderTest>() {
    let stage = Stage::<S>::empty();
    stage.stock(&serial(), &stage.fob.secret());
    let source = address();
    let check = |person: &Person, serial: &Serial, steps: [i64; 2]| {
        let codes = steps.map(|steps| code(stage.fob.code(steps, NOW)));
        stage
            .store
            .open()
            .check_registration(person, serial, [&codes[0], &codes[1]], &attempt_of(&[], &source))
            .unwrap()
    };
    let unknown = Serial::new("999").unwrap();
    assert!(matches!(check(&stage.alice, &unknown, [0, 1]), Err(NotRegistered::NoSuchToken)));
    assert!(matches!(check(&stage.alice, &serial(), [0, 2]), Err(NotRegistered::WrongCodes(_))));
    let bob = person("bob", 1002);
    let pending = |person: &Person, steps| Pending {
        user: person.clone(),
        factor: PendingFactor::Token(check(person, &serial(), steps).expect("two codes of a free token")),
        invitation: None,
    };
    let (hers, his) = (pending(&stage.alice, [0, 1]), pending(&bob, [0, 1]));
    stage.store.open().store_pending(hers).unwrap();
    assert!(matches!(stage.store.open().store_pending(his), Err(Superseded::TokenTaken)));
    assert!(matches!(check(&bob, &serial(), [2, 3]), Err(NotRegistered::NotFree(_))));
    for used in [0, 1] {
        assert_eq!(stage.refusal(stage.fob.code(used, NOW), NOW), Reason::Replayed);
    }
    assert!(stage.accepts(stage.fob.code(2, NOW), NOW));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn an_account_without_its_usage_opens_nothing<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let used = stage.phone.code(0, NOW);
    assert!(stage.accepts(used, NOW));
    stage.store.lose_usage(&stage.alice.name);
    for typed in [used, stage.phone.code(1, NOW)] {
        let error = stage.try_as(&stage.alice, typed, NOW).expect_err("nobody knows which codes are used");
        assert_eq!(error.reason(), Reason::StoreCorrupt, "{error}");
    }
    assert!(stage.store.open().enrollment_status(&stage.alice).is_err(), "it is not as if there were nothing");
    stage.reset(&stage.alice.name, Reset::Everything);
    stage.enroll(&stage.alice, stage.fob.app(), &[], Existing::Keep);
    assert!(stage.accepts(stage.fob.code(0, NOW), NOW), "there is a way out");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn an_enrollment_that_replaces_gets_out_of_lost_credentials<S: StoreUnderTest>() {
    for loss in [LostAs::Gone, LostAs::Damaged] {
        let stage = Stage::<S>::with_alice();
        let (alice, app_code, token_code) = (&stage.alice.name, stage.phone.code(0, NOW), stage.fob.code(0, NOW));
        stage.stock(&serial(), &stage.fob.secret());
        stage.assign(&serial(), &stage.alice);
        assert!(stage.accepts(app_code, NOW) && stage.accepts(token_code, NOW));
        assert_eq!(stage.refusal(&stage.wrong().next().unwrap(), NOW), Reason::WrongCode);
        stage.store.lose_credentials(alice, loss);
        let administered = stage.store.administer();
        let lost = administered.status(alice).expect_err("an account without credentials is none to look at");
        assert_eq!((lost.reason(), lost.loss()), (Reason::StoreCorrupt, Some(Loss::Credentials)), "{loss:?}: {lost}");
        assert!(stage.try_as(&stage.alice, stage.phone.code(1, NOW), NOW).is_err(), "{loss:?}");
        assert!(administered.check_owner(&stage.alice).is_ok(), "{loss:?}");
        let kept = administered.enroll(&stage.alice, stage.phone.app(), Some(&[]), Existing::Keep);
        assert!(kept.is_err(), "{loss:?}: lost credentials were replaced unasked");
        stage.enroll(&stage.alice, stage.phone.app(), &[], Existing::Replace);
        assert_eq!(stage.failures(alice), 1, "{loss:?}: wrong codes are counted on");
        assert_eq!(stage.refusal(app_code, NOW), Reason::Replayed, "{loss:?}");
        assert_eq!(stage.refusal(token_code, NOW), Reason::Replayed, "{loss:?}");
        assert!(stage.accepts(stage.fob.code(1, NOW), NOW), "{loss:?}: the physical token came back");
        assert!(stage.accepts(stage.phone.code(1, NOW), NOW), "{loss:?}");
    }
    // Where the state is lost, too, it takes a reset: nothing says which codes are used.
    let stage = Stage::<S>::with_alice();
    stage.store.lose_credentials(&stage.alice.name, LostAs::Damaged);
    stage.store.lose_usage(&stage.alice.name);
    let both = stage.store.administer().enroll(&stage.alice, stage.phone.app(), Some(&[]), Existing::Replace);
    assert!(both.is_err(), "used codes are good again");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn an_accepted_login_is_remembered_for_its_time_and_place<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let hour = Duration::from_hours(1);
    let place = LoginPlace { service: "sshd", address: "192.0.2.7".parse().unwrap() };
    let remember = Some((place, hour));
    let accepted =
        stage.attempt(&stage.alice, stage.phone.code(0, NOW), NOW, |attempt| Attempt { remember, ..attempt });
    assert!(matches!(accepted.unwrap(), Redemption::Redeemed(_)));
    let remembers = |place: LoginPlace<'_>, factors: Factors, seconds: u64| {
        stage.store.set_clock(later(seconds));
        let like = Recall { place, longest: hour };
        stage.store.open().remembers(&stage.alice, &like, factors).unwrap().is_some()
    };
    let elsewhere = LoginPlace { address: "192.0.2.8".parse().unwrap(), ..place };
    assert!(remembers(place, Factors::ALL, 0) && remembers(place, Factors::ALL, 3599));
    assert!(!remembers(place, Factors::ALL, 3600), "its time is over");
    assert!(!remembers(elsewhere, Factors::ALL, 0));
    assert!(!remembers(place, Factors { app: false, ..Factors::ALL }, 0), "an app does not count here");
    stage.unlock(&stage.alice.name);
    assert!(!remembers(place, Factors::ALL, 0), "unlock forgets it");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_remembered_login_spares_no_other_person_the_code<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let place = LoginPlace { service: "sshd", address: "192.0.2.7".parse().unwrap() };
    let longest = Duration::from_hours(1);
    let remember = Some((place, longest));
    let code = stage.phone.code(0, NOW);
    assert!(stage.attempt(&stage.alice, code, NOW, |attempt| Attempt { remember, ..attempt }).is_ok());
    let like = Recall { place, longest };
    let remembers = |person: &Person| stage.store.open().remembers(person, &like, Factors::ALL).unwrap().is_some();
    assert!(remembers(&stage.alice) && !remembers(&person("alice", 4444)));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_clock_set_back_delays_once_and_prolongs_nothing<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let ahead = later(20_000);
    for guess in stage.wrong().take(6) {
        let _ = stage.try_as(&stage.alice, &guess, ahead).unwrap();
    }
    assert_eq!(stage.refusal(stage.phone.code(0, NOW), NOW), Reason::Throttled, "the failures are not ignored");
    let after = later(15 * 60);
    assert!(stage.accepts(stage.phone.code(0, after), after), "nor do they delay for longer than they would");

    let stage = Stage::<S>::with_alice();
    assert!(stage.accepts(stage.phone.code(0, later(600)), later(600)));
    assert_eq!(stage.refusal(stage.phone.code(0, NOW), NOW), Reason::Replayed, "older codes stay used");
}

#[expect(missing_docs, reason = "the name says it")]
pub fn a_code_that_nobody_needs_is_burned_and_its_guesses_delay_no_login<S: StoreUnderTest>() {
    let stage = Stage::<S>::with_alice();
    let strip = |typed: &str| {
        let (readings, source) = ([Answer::parse(typed.as_bytes())], address());
        stage.store.open().strip(&stage.alice, &attempt_of(&readings, &source)).unwrap()
    };
    assert!(matches!(strip(stage.phone.code(0, NOW)), Stripping::Burned { reading: 0, .. }));
    assert_eq!(strip(stage.phone.code(0, NOW)), Stripping::Nothing);
    assert_eq!(stage.refusal(stage.phone.code(0, NOW), NOW), Reason::Replayed);
    for guess in stage.wrong().take(5) {
        assert_eq!(strip(&guess), Stripping::Nothing);
    }
    assert_eq!(strip(stage.phone.code(1, NOW)), Stripping::Throttled);
    assert_eq!(stage.failures(&stage.alice.name), 0);
    assert!(stage.accepts(stage.phone.code(1, NOW), NOW));
}

#[expect(missing_docs, reason = "the name says it")]
pub fn an_attempt_in_vain_changes_nothing_and_takes_as_long<S: StoreUnderTest>() {
    const ROUNDS: usize = 31;
    let stage = Stage::<S>::with_alice();
    let (source, nobody) = (address(), person("nobody-there", 1003));
    let mut times = [const { Vec::new() }; 3];
    for guess in stage.wrong().take(ROUNDS) {
        let readings = [Answer::parse(guess.as_bytes())];
        let attempt = attempt_of(&readings, &source);
        let store = stage.store.open();
        let mut measure = |kind: usize, act: &dyn Fn()| {
            let start = Instant::now();
            act();
            times[kind].push(start.elapsed());
        };
        measure(0, &|| drop(store.redeem(&stage.alice, &attempt)));
        measure(1, &|| store.pretend(&attempt));
        measure(2, &|| assert_eq!(refusal(&store.redeem(&nobody, &attempt).unwrap()), Reason::NotEnrolled));
    }
    assert!(matches!(stage.store.open().presence(&nobody.name).unwrap(), Presence::Absent(_)));
    assert_eq!(stage.failures(&stage.alice.name), 5, "the rest was refused unseen");
    // The fastest of each: other suites run beside this one, and take their time from some rounds.
    let fastest = times.map(|times| times.into_iter().min().expect("rounds"));
    // Work that is left out is a flush or two, of which each takes most of the time.
    let [enrolled, unknown, not_enrolled] = fastest;
    for other in [unknown, not_enrolled] {
        assert!(other < enrolled * 4 && enrolled < other * 4, "{fastest:?}");
    }
}
