//! The promises about physical tokens, without libpam.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::account::enrollment::Proposal;
use crate::account::factors::Factors;
use crate::account::lifecycle::{Owned, Stage, TokenStatus};
use crate::account::throttle::{Limits, Source};
use crate::account::{App, Credentials, Judgement, State};
use crate::codes::answer::Answer;
use crate::codes::otp::{self, Algorithm, Digits, Kind, Parameters, Period, StatedParameters, Step};
use crate::codes::secret::Secret;
use crate::codes::token::{Label, Marks};
use crate::config::Config;
use crate::host::clock::HandSet;
use crate::host::trusted::{self, Owner};
use crate::host::user::Uid;
use crate::log::reason::Reason;
use crate::log::record::Event;
use crate::store::administration::{AccountAdministration as _, TokenViews as _};
use crate::store::administration::{
    Counts, Encoding, Existing, Finding, Identified, NewToken, Origin, Reset, Sharer, TokenView,
};
use crate::store::files::PATIENCE;
use crate::store::files::error::FilesError;
use crate::store::files::holdings::Locks;
use crate::store::registry::{RegistryError, RegistryReader};
use crate::store::{Attempt, Factor, Presence, Redemption, Store as _};
use crate::store::{Loss, VerificationRules};

mod another_person;
mod held;
mod helpdesk;
mod interrupted;
mod keys;
mod renaming;
mod sharing;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const FOB: &str = "1234567891234";
const SECOND_FOB: &str = "0234567891235";

/// A store with two fobs in the box; nobody has any.
struct Fixture {
    directory: tempfile::TempDir,
    store: Files,
    clock: HandSet,
}

fn by(at: UnixTime) -> Author<'static> {
    Author { who: "root", at }
}

fn serial(text: &str) -> Serial {
    Serial::new(text).unwrap()
}

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

/// Everybody has a uid of his own.
fn person(name: &str) -> Person {
    Person { name: user(name), uid: Uid(name.bytes().map(u32::from).sum()) }
}

fn code(text: &str) -> Code {
    Code::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn secret(byte: u8) -> Secret {
    Secret::from_bytes(Zeroizing::new(vec![byte; 20])).unwrap()
}

fn later(seconds: u64) -> UnixTime {
    NOW.after(Duration::from_secs(seconds))
}

fn here(now: UnixTime) -> u64 {
    otp::current_step(Period::THIRTY, now).0
}

fn totp() -> Parameters {
    Parameters::default()
}

fn hotp() -> Parameters {
    Parameters { kind: Kind::Hotp, ..Parameters::default() }
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self::empty();
        let added = fixture.import("box", &[(FOB, secret(1), totp()), (SECOND_FOB, secret(2), totp())]).unwrap();
        assert_eq!(added.added, 2);
        fixture
    }

    fn empty() -> Self {
        let directory = trusted::private_directory();
        let clock = HandSet::at(NOW);
        let store = Files::new(directory.path(), Owner(nix::unistd::geteuid().as_raw()), PATIENCE, clock.clone());
        let limits = Limits { free_attempts: 1000, ..Limits::default() };
        let store = store.judging_by(VerificationRules { limits, ..VerificationRules::of(&Config::default()) });
        let fixture = Self { directory, store, clock };
        fs::create_dir(fixture.directory.path().join("users")).unwrap();
        fs::set_permissions(fixture.directory.path().join("users"), fs::Permissions::from_mode(0o700)).unwrap();
        fixture
    }

    fn findings(&self, tokens: &[(&str, Secret, Parameters)]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut intake = self.store.import_rehearsal().unwrap();
        intake
            .plan::<StoreError>(|judge| {
                for (name, secret, parameters) in tokens {
                    findings.push(judge(&offered(&serial(name), secret, *parameters))?);
                }
                Ok(())
            })
            .unwrap();
        findings
    }

    fn import(&self, series: &str, tokens: &[(&str, Secret, Parameters)]) -> Result<Counts, StoreError> {
        let serials: Vec<Serial> = tokens.iter().map(|(name, ..)| serial(name)).collect();
        let rows =
            || serials.iter().zip(tokens).map(|(serial, (_, secret, parameters))| offered(serial, secret, *parameters));
        let mut intake = self.store.import()?;
        intake.plan::<StoreError>(|judge| rows().try_for_each(|token| judge(&token).map(drop)))?;
        let origin = Origin { series, file: "box.csv", sha256: [7; 32] };
        intake.write::<StoreError>(origin, 0, by(NOW), |take| rows().try_for_each(|token| take(&token)))
    }

    fn assign(&self, name: &str, owner: &str) {
        self.store.assign(&[(serial(name), person(owner))], Sharing::Refuse, by(NOW)).unwrap();
    }

    fn enroll(&self, owner: &str, secret: Secret) {
        let label = Label::new("phone").unwrap();
        let proposal = Proposal::with_secret(secret, label, totp(), "example.org", owner, NOW).unwrap();
        let app: App = proposal.vouch();
        self.store.enroll(&person(owner), app, None, Existing::Keep).unwrap();
    }

    fn resynchronize(&self, serial: &Serial, codes: [&Code; 2], by: Author<'_>) -> Result<Progress, TokenError> {
        self.clock.set(by.at);
        self.store.resynchronize(serial, codes, by)
    }

    fn login(&self, owner: &str, digits: &str, now: UnixTime) -> Result<Redemption, StoreError> {
        let readings = [Answer::parse(digits.as_bytes())];
        let source = Source::from_rhost(Some("192.0.2.7"));
        let attempt =
            Attempt { readings: &readings, source: &source, factors: Factors::ALL, previous: None, remember: None };
        self.clock.set(now);
        self.store.redeem(&person(owner), &attempt)
    }

    fn refusal(&self, owner: &str, digits: &str, now: UnixTime) -> Reason {
        match self.login(owner, digits, now).unwrap() {
            Redemption::Redeemed(redeemed) => panic!("accepted: {redeemed:?}"),
            Redemption::NearMiss { .. } => Reason::WrongCode,
            Redemption::Refused { reason, .. } => reason,
        }
    }

    /// What opened the session and the drift it taught.
    fn accepted(&self, owner: &str, digits: &str, now: UnixTime) -> (String, i32) {
        match self.login(owner, digits, now).unwrap() {
            Redemption::Redeemed(redeemed) => match redeemed.factor() {
                Factor::Token { label, drift } => (label.clone(), *drift),
                Factor::Recovery { .. } | Factor::Temporary => panic!("no token"),
            },
            refused => panic!("{refused:?}"),
        }
    }

    fn view(&self, name: &str) -> TokenView {
        self.store.token(&serial(name)).unwrap().unwrap()
    }

    /// The folder of a user, locked.
    fn account(&self, name: &str) -> LockedAccount {
        self.store.locked(&user(name)).unwrap().unwrap()
    }

    fn state(&self, name: &str) -> State {
        self.account(name).state().unwrap()
    }

    /// Changes a user's file as a killed process or an older version would have left it.
    fn rewrite(&self, name: &str, change: impl FnOnce(&mut Credentials)) {
        let account = self.account(name);
        let mut credentials = account.credentials().unwrap().map_or_else(Credentials::none, Ok).unwrap();
        change(&mut credentials);
        let state = account.state().unwrap();
        if credentials.has_tokens_alone() && credentials.held.is_empty() {
            account.overwrite_state(&State { has_credentials: false, ..state }).unwrap();
            account.folder().remove("secret.toml").unwrap();
        } else {
            account.write_credentials(&state, &credentials).unwrap();
        }
    }

    /// The same for the state.
    fn restate(&self, name: &str, change: impl FnOnce(State) -> State) {
        let account = self.account(name);
        account.overwrite_state(&change(account.state().unwrap())).unwrap();
    }

    fn sql(&self, change: &str) {
        rusqlite::Connection::open(self.registry()).unwrap().execute_batch(change).unwrap();
    }

    fn registry(&self) -> std::path::PathBuf {
        self.directory.path().join("registry.db")
    }
}

fn offered<'a>(serial: &'a Serial, secret: &'a Secret, parameters: Parameters) -> NewToken<'a> {
    let marks = Marks::of(secret, parameters.algorithm);
    let stated = StatedParameters::all(parameters);
    let (counter, drift, vendor, model) = (None, None, Some("Acme"), None);
    NewToken { serial, secret, marks, parameters, stated, counter, drift, vendor, model }
}

/// The code of the fob `byte`, so many steps from `now`.
fn shown(byte: u8, offset: i64, now: UnixTime) -> String {
    otp::code_of(&secret(byte), totp(), Step(here(now).checked_add_signed(offset).unwrap()))
}

#[test]
fn a_fob_logs_in_once_it_is_assigned_and_not_after_it_was_taken_back() {
    let fixture = Fixture::new();
    assert_eq!(fixture.refusal("alice", &shown(1, 0, NOW), NOW), Reason::NotEnrolled);
    fixture.assign(FOB, "alice");
    assert_eq!(fixture.view(FOB).stage, Stage::Assigned);
    assert_eq!(fixture.accepted("alice", &shown(1, 0, NOW), NOW), (FOB.to_owned(), 0));
    assert_eq!(fixture.view(FOB).stage, Stage::Active);
    assert_eq!(fixture.view(FOB).last_accepted, Some(NOW));
    assert_eq!(fixture.refusal("alice", &shown(1, 0, NOW), NOW), Reason::Replayed);
    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(NOW)).unwrap();
    assert_eq!(fixture.refusal("alice", &shown(1, 1, NOW), NOW), Reason::NotEnrolled);
}

#[test]
fn what_was_used_stays_burned_when_the_token_is_deleted_and_imported_again() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    fixture.store.delete_tokens(&[serial(FOB)], LastCredential::Take, by(NOW)).unwrap();
    assert_eq!(fixture.import("again", &[("777", secret(1), totp())]).unwrap().added, 1);
    fixture.assign("777", "bob");
    assert_eq!(fixture.refusal("bob", &shown(1, 0, NOW), NOW), Reason::Replayed);
}

#[test]
fn several_tokens_and_an_app_open_sessions_beside_each_other() {
    let fixture = Fixture::new();
    fixture.enroll("alice", secret(3));
    fixture.assign(FOB, "alice");
    fixture.assign(SECOND_FOB, "alice");
    assert_eq!(fixture.accepted("alice", &shown(2, 0, NOW), NOW).0, SECOND_FOB);
    assert_eq!(fixture.accepted("alice", &shown(3, 0, NOW), NOW).0, "phone");
    assert_eq!(fixture.accepted("alice", &shown(1, 0, NOW), NOW).0, FOB);
    assert_eq!(fixture.refusal("bob", &shown(1, 1, NOW), NOW), Reason::NotEnrolled, "it is not bob's");
}

#[test]
fn the_first_login_may_be_twenty_steps_out_and_later_ones_may_not() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    assert_eq!(fixture.refusal("alice", &shown(1, 21, NOW), NOW), Reason::WrongCode);
    assert_eq!(fixture.accepted("alice", &shown(1, -20, NOW), NOW).1, -20);
    let now = later(600);
    assert_eq!(fixture.refusal("alice", &shown(1, 15, now), now), Reason::WrongCode);
    assert_eq!(fixture.refusal("alice", &shown(1, -23, now), now), Reason::WrongCode);
    assert_eq!(fixture.accepted("alice", &shown(1, -20, now), now).1, -20, "it goes on where it stands");
    assert_eq!(fixture.accepted("alice", &shown(1, 0, now), now).1, -19, "and the host's own time is good too");
}

#[test]
fn the_oldest_valid_code_of_every_login_never_leads_past_the_cap() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    let (mut now, mut drift) = (NOW, fixture.accepted("alice", &shown(1, 0, NOW), NOW).1);
    for _ in 0..200 {
        now = now.after(Duration::from_hours(1));
        drift = fixture.accepted("alice", &shown(1, i64::from(drift) - 2, now), now).1;
        assert!(drift >= -10, "{drift}");
    }
    assert_eq!(drift, -10);
    assert_eq!(fixture.refusal("alice", &shown(1, -13, later(10)), later(10)), Reason::WrongCode);
}

#[test]
fn two_consecutive_codes_resynchronize_and_one_never_does() {
    for off in [-40, 0, 900] {
        let fixture = Fixture::new();
        fixture.assign(FOB, "alice");
        fixture.accepted("alice", &shown(1, 0, later(0)), NOW);
        let now = later(3 * 3600);
        let (first, second) = (shown(1, off, now), shown(1, off + 1, now));
        let once = fixture.resynchronize(&serial(FOB), [&code(&first), &code(&first)], by(now));
        assert!(matches!(once, Err(TokenError::WrongCodes(_))), "one code twice: {once:?}");
        let gap = shown(1, off + 2, now);
        let gap = fixture.resynchronize(&serial(FOB), [&code(&first), &code(&gap)], by(now));
        assert!(matches!(gap, Err(TokenError::WrongCodes(_))), "two codes that are not neighbours: {gap:?}");
        let codes = [&code(&first), &code(&second)];
        let progress = fixture.resynchronize(&serial(FOB), codes, by(now)).unwrap();
        assert_eq!(i64::from(progress.drift), off + 1);
        assert_eq!(fixture.refusal("alice", &second, now), Reason::Replayed, "both codes are burned");
        assert_eq!(fixture.accepted("alice", &shown(1, off + 2, now), now).0, FOB);
        let again = fixture.resynchronize(&serial(FOB), codes, by(now));
        assert!(matches!(again, Err(TokenError::WrongCodes(_))), "used codes do not resynchronize");
    }
}

#[test]
fn codes_outside_the_window_are_counted_and_open_nothing_and_the_third_is_named() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    let now = later(3600);
    for count in 1..=3 {
        let Redemption::NearMiss { hint } = fixture.login("alice", &shown(1, 100 + count, now), now).unwrap() else {
            panic!("accepted")
        };
        assert_eq!(hint.is_some(), count == 3, "one guess in four thousand is a near miss too");
        assert!(hint.is_none_or(|hint| hint.contains("twofactor token resync 1234567891234") && !hint.contains("10")));
        assert_eq!(i64::from(fixture.view(FOB).near_misses), count);
    }
    fixture.accepted("alice", &shown(1, 0, now), now);
    assert_eq!(fixture.view(FOB).near_misses, 0);
}

#[test]
fn a_guess_that_will_be_right_one_day_is_not_right_when_that_day_comes() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    let guess = shown(1, 115, NOW);
    assert_eq!(fixture.refusal("alice", &guess, NOW), Reason::WrongCode);
    let day = later(115 * 30);
    assert_eq!(fixture.refusal("alice", &guess, day), Reason::WrongCode);
    fixture.accepted("alice", &shown(1, 1, day), day);
}

#[test]
fn a_token_is_found_at_login_as_far_off_as_the_configuration_says_from_now_and_from_its_known_drift() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    let now = later(86_400);
    let is_asked_for_the_next = |offset| match fixture.login("alice", &shown(1, offset, now), now).unwrap() {
        Redemption::NearMiss { .. } => true,
        Redemption::Refused { reason: Reason::WrongCode, .. } => false,
        other => panic!("{offset}: {other:?}"),
    };
    for (offset, is_near) in [(-121, false), (-120, true), (120, true), (121, false), (2000, false)] {
        assert_eq!(is_asked_for_the_next(offset), is_near, "{offset}");
    }
    // The sysadmin finds it a day off, and from then on a login finds it around there too.
    fixture.resynchronize(&serial(FOB), [&code(&shown(1, 1000, now)), &code(&shown(1, 1001, now))], by(now)).unwrap();
    for (offset, is_near) in [(1121, true), (1122, false), (2000, false)] {
        assert_eq!(is_asked_for_the_next(offset), is_near, "{offset}");
    }
}

#[test]
fn the_key_resync_says_how_far_off_a_token_is_found_at_login() {
    for (resync, steps) in [("10m", 20), ("2h", 240)] {
        let mut fixture = Fixture::new();
        let config = Config::parse(&format!("[window]\nresync = \"{resync}\"\n")).unwrap();
        fixture.store = fixture.store.judging_by(VerificationRules::of(&config));
        fixture.assign(FOB, "alice");
        fixture.accepted("alice", &shown(1, 0, NOW), NOW);
        let now = later(86_400);
        for (offset, is_found) in [(steps, true), (steps + 1, false)] {
            let outcome = fixture.login("alice", &shown(1, offset, now), now).unwrap();
            assert_eq!(matches!(outcome, Redemption::NearMiss { .. }), is_found, "{resync}, {offset}: {outcome:?}");
        }
    }
}

#[test]
fn revoking_keeps_what_was_used_and_revoked_tokens_are_not_deleted() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    fixture.store.change(&[serial(FOB)], Change::Revoke, LastCredential::Take, by(NOW)).unwrap();
    let deleted = fixture.store.delete_tokens(&[serial(FOB)], LastCredential::Take, by(NOW));
    assert!(matches!(deleted, Err(TokenError::Revoked(_))), "{deleted:?}");
    assert_eq!(fixture.findings(&[(FOB, secret(1), totp())]), [Finding::Revoked]);
}

#[test]
fn mending_keeps_what_was_used_under_other_parameters() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(NOW)).unwrap();
    let fit = |seconds| Fit {
        encoding: Encoding::AsImported,
        parameters: Parameters { kind: Kind::Totp(Period::new(seconds).unwrap()), ..totp() },
        steps: 0,
    };
    let another = serial(SECOND_FOB);
    fixture.store.mend_series("box", &another, &fit(60), by(NOW)).unwrap();
    fixture.store.mend_series("box", &another, &fit(30), by(NOW)).unwrap();
    fixture.assign(FOB, "bob");
    assert_eq!(fixture.refusal("bob", &shown(1, 0, NOW), NOW), Reason::Replayed);
    fixture.assign(SECOND_FOB, "carol");
    assert_eq!(fixture.refusal("carol", &shown(2, 1, NOW), NOW), Reason::Replayed, "the codes read to the helpdesk");
}

#[test]
fn mending_makes_no_twins() {
    let fixture = Fixture::empty();
    let text = "ABCDEF234567ABCDEF234567ABCDEF234567ABCD";
    let misread = Secret::from_base32(text).unwrap();
    let meant = Secret::from_bytes(Zeroizing::new(data_encoding::HEXUPPER.decode(text.as_bytes()).unwrap())).unwrap();
    fixture.import("odd", &[("0017", misread, totp())]).unwrap();
    fixture.import("even", &[("17", meant, totp())]).unwrap();
    let fit = Fit { encoding: Encoding::Hex, parameters: totp(), steps: 0 };
    let mended = fixture.store.mend_series("odd", &serial("0017"), &fit, by(NOW));
    assert!(matches!(mended, Err(TokenError::Twins(..))), "{mended:?}");
}

#[test]
fn zeros_at_the_end_of_a_secret_make_no_other_token() {
    let fixture = Fixture::new();
    let padded = Secret::from_bytes(Zeroizing::new([vec![1; 20], vec![0; 12]].concat())).unwrap();
    assert_eq!(fixture.findings(&[("999", padded, totp())]), [Finding::OtherSerial(serial(FOB))]);
}

#[test]
fn used_recovery_codes_stay_used_while_the_secret_is_away() {
    let fixture = Fixture::new();
    fixture.enroll("alice", secret(3));
    fixture.assign(FOB, "alice");
    let recovery = crate::codes::recovery::RecoveryCode::generate().unwrap();
    fixture.store.replace_recovery(&user("alice"), std::slice::from_ref(&recovery)).unwrap();
    assert!(matches!(fixture.login("alice", recovery.expose(), NOW).unwrap(), Redemption::Redeemed(_)));
    let file = fixture.directory.path().join("users/alice/secret.toml");
    let old = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let mut wrong = fixture.store.wrong_codes(&user("alice"), NOW);
    let lost = fixture.login("alice", &wrong.next().unwrap(), NOW);
    assert!(matches!(&lost, Err(error) if error.loss() == Some(Loss::Credentials)), "{lost:?}");
    fs::write(&file, &old).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(fixture.refusal("alice", recovery.expose(), NOW), Reason::Replayed);
    let others = crate::account::enrollment::recovery_codes(10).unwrap();
    fixture.store.replace_recovery(&user("alice"), &others).unwrap();
    assert_eq!(fixture.refusal("alice", &wrong.next().unwrap(), NOW), Reason::WrongCode);
    fs::write(&file, &old).unwrap();
    assert_eq!(
        fixture.refusal("alice", recovery.expose(), NOW),
        Reason::Replayed,
        "nor does an older file revive them"
    );
}

#[test]
fn a_registry_that_is_gone_keeps_nobody_out_and_lets_nobody_in() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fs::remove_file(fixture.registry()).unwrap();
    for left_over in ["registry.db-wal", "registry.db-shm"] {
        let _ = fs::remove_file(fixture.directory.path().join(left_over));
    }
    assert!(matches!(fixture.store.presence(&user("alice")).unwrap(), Presence::Enrolled));
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    assert!(matches!(fixture.store.presence(&user("bob")).unwrap(), Presence::Absent(_)));
    assert_eq!(fixture.refusal("bob", &shown(2, 0, NOW), NOW), Reason::NotEnrolled);
    assert!(!fixture.store.reset(&user("alice"), Reset::Everything).unwrap(), "her token stays hers");
    fixture.accepted("alice", &shown(1, 1, NOW), NOW);
}

#[test]
fn a_counter_whose_record_was_lost_is_of_no_use_any_more() {
    let fixture = Fixture::empty();
    fixture.import("buttons", &[("H1", secret(1), hotp())]).unwrap();
    fixture.assign("H1", "alice");
    let press = |counter| otp::code_of(&secret(1), hotp(), Step(counter));
    fixture.accepted("alice", &press(4), NOW);
    fs::write(fixture.directory.path().join("users/alice/state"), "garbage").unwrap();
    assert!(fixture.store.reset(&user("alice"), Reset::Everything).unwrap());
    for counter in 0..8 {
        assert_eq!(fixture.refusal("alice", &press(counter), NOW), Reason::WrongCode);
    }
    let codes = [&code(&press(2)), &code(&press(3))];
    assert!(fixture.resynchronize(&serial("H1"), codes, by(NOW)).is_err());
}

#[test]
fn a_guesser_collects_no_codes_of_a_counter_that_will_be_right_one_day() {
    let fixture = Fixture::empty();
    fixture.import("buttons", &[("H1", secret(1), hotp())]).unwrap();
    fixture.assign("H1", "alice");
    let press = |counter| otp::code_of(&secret(1), hotp(), Step(counter));
    fixture.accepted("alice", &press(0), NOW);
    let is_told =
        |counter| matches!(fixture.login("alice", &press(counter), NOW).unwrap(), Redemption::NearMiss { .. });
    assert!((20..28).all(is_told));
    assert!(!is_told(28), "a ninth would push out the first");
    assert!(is_told(20), "what is known is no news");
    fixture.accepted("alice", &press(10), NOW);
    assert_eq!(fixture.refusal("alice", &press(20), NOW), Reason::WrongCode, "alone it never is right");
    fixture.accepted("alice", &press(19), NOW);
    fixture.accepted("alice", &press(29), NOW);
    assert!((50..58).all(is_told), "those that were passed are forgotten");
}

#[test]
fn resynchronizing_leaves_an_active_token_active_and_forgives_its_near_misses() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    let now = later(3600);
    assert_eq!(fixture.refusal("alice", &shown(1, 100, now), now), Reason::WrongCode);
    fixture.resynchronize(&serial(FOB), [&code(&shown(1, 101, now)), &code(&shown(1, 102, now))], by(now)).unwrap();
    let view = fixture.view(FOB);
    assert_eq!((view.stage, view.near_misses, view.drift), (Stage::Active, 0, 102));
}

#[test]
fn an_app_that_waits_for_its_confirmation_is_no_credential() {
    let fixture = Fixture::new();
    fixture.enroll("alice", secret(3));
    fixture.assign(FOB, "alice");
    fixture.store.reset(&user("alice"), Reset::Confirmations).unwrap();
    let refused = fixture.store.unassign(&serial(FOB), LastCredential::Keep, by(NOW));
    assert!(matches!(refused, Err(TokenError::LastCredential(_))), "{refused:?}");
}

#[test]
fn a_token_put_aside_or_lost_opens_nothing_and_says_so() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    for change in [Change::Disable, Change::ReportLost] {
        fixture.store.change(&[serial(FOB)], change, LastCredential::Keep, by(NOW)).unwrap();
        assert_eq!(fixture.refusal("alice", &shown(1, 0, NOW), NOW), Reason::TokenDisabled);
        assert!(matches!(fixture.store.presence(&user("alice")).unwrap(), Presence::Enrolled), "no policy waives her");
    }
    fixture.store.change(&[serial(FOB)], Change::Enable, LastCredential::Keep, by(NOW)).unwrap();
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
}

#[test]
fn a_revoked_token_loses_its_secret_for_good() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    let last = fixture.store.change(&[serial(FOB)], Change::Revoke, LastCredential::Keep, by(NOW));
    assert!(matches!(last, Err(TokenError::LastCredential(..))), "{last:?}");
    fixture.store.change(&[serial(FOB)], Change::Revoke, LastCredential::Take, by(NOW)).unwrap();
    let view = fixture.view(FOB);
    assert!((view.stage, view.owner, view.stage == Stage::Revoked) == (Stage::Revoked, None, true));
    let enabled = fixture.store.change(&[serial(FOB)], Change::Enable, LastCredential::Take, by(NOW));
    assert!(matches!(enabled, Err(TokenError::Revoked(_))));
    let assigned = fixture.store.assign(&[(serial(FOB), person("bob"))], Sharing::Refuse, by(NOW));
    assert!(matches!(assigned, Err(TokenError::Revoked(_))));
    let findings = fixture.findings(&[(FOB, secret(1), totp()), ("999", secret(1), totp())]);
    assert_eq!(findings, [Finding::Revoked, Finding::SecretTwice]);
    assert_eq!(fixture.findings(&[("999", secret(1), totp())]), [Finding::OtherSerial(serial(FOB))]);
    let content = fs::read(fixture.registry()).unwrap();
    assert!(!content.windows(20).any(|window| window == [1; 20]), "the secret is overwritten");
}

#[test]
fn a_registry_that_is_not_whole_is_an_error_for_commands_and_no_matter_for_logins() {
    type Damage = fn(&Fixture);
    let damages: [(&str, Damage, Reason); 8] = [
        ("empty", |fixture| fs::write(fixture.registry(), "").unwrap(), Reason::StoreCorrupt),
        ("garbage", |fixture| fs::write(fixture.registry(), vec![b'x'; 9000]).unwrap(), Reason::StoreCorrupt),
        (
            "truncated",
            |fixture| {
                let content = fs::read(fixture.registry()).unwrap();
                fs::write(fixture.registry(), &content[..content.len() / 2]).unwrap();
            },
            Reason::StoreCorrupt,
        ),
        (
            "somebody else's database",
            |fixture| {
                fs::remove_file(fixture.registry()).unwrap();
                let other = rusqlite::Connection::open(fixture.registry()).unwrap();
                other.execute_batch("CREATE TABLE tokens (serial TEXT)").unwrap();
                fs::set_permissions(fixture.registry(), fs::Permissions::from_mode(0o600)).unwrap();
            },
            Reason::StoreCorrupt,
        ),
        (
            "of a newer version",
            |fixture| {
                let newer = rusqlite::Connection::open(fixture.registry()).unwrap();
                newer.pragma_update(None, "user_version", 99).unwrap();
            },
            Reason::StoreUnavailable,
        ),
        (
            "readable by others",
            |fixture| fs::set_permissions(fixture.registry(), fs::Permissions::from_mode(0o644)).unwrap(),
            Reason::UnsafeFile,
        ),
        (
            "a link",
            |fixture| {
                fs::rename(fixture.registry(), fixture.directory.path().join("elsewhere")).unwrap();
                symlink("elsewhere", fixture.registry()).unwrap();
            },
            Reason::UnsafeFile,
        ),
        (
            "gone, with its log left",
            |fixture| {
                fs::remove_file(fixture.registry()).unwrap();
                fs::write(fixture.directory.path().join("registry.db-wal"), "log").unwrap();
                let log = fixture.directory.path().join("registry.db-wal");
                fs::set_permissions(log, fs::Permissions::from_mode(0o600)).unwrap();
            },
            Reason::StoreCorrupt,
        ),
    ];
    for (name, damage, reason) in damages {
        let fixture = Fixture::new();
        fixture.assign(FOB, "alice");
        damage(&fixture);
        fixture.accepted("alice", &shown(1, 0, NOW), NOW);
        assert!(matches!(fixture.store.presence(&user("alice")).unwrap(), Presence::Enrolled), "{name}");
        let status = fixture.store.status(&user("alice")).unwrap().unwrap();
        assert_eq!((status.tokens.len(), status.tokens_problem.unwrap().reason()), (1, reason), "{name}");
        assert!(fixture.store.token(&serial(FOB)).is_err(), "{name}: the tool says so");
        assert!(fixture.store.import().is_err(), "{name}: and no import makes a new one over it");
    }
}

#[test]
fn a_damaged_page_is_noticed() {
    let fixture = Fixture::new();
    let many: Vec<(String, Secret, Parameters)> = (0..2000_u32)
        .map(|number| {
            let secret = Secret::from_bytes(Zeroizing::new(format!("secret {number:013}").into_bytes())).unwrap();
            (format!("F{number:08}"), secret, totp())
        })
        .collect();
    let rows: Vec<(&str, Secret, Parameters)> = many
        .iter()
        .map(|(name, secret, parameters)| {
            (name.as_str(), Secret::from_bytes(Zeroizing::new(secret.expose().to_vec())).unwrap(), *parameters)
        })
        .collect();
    fixture.import("many", &rows).unwrap();
    fixture.assign("F00001000", "alice");
    let whole = fs::read(fixture.registry()).unwrap();
    let mut noticed = 0;
    for page in 1..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0);
        fs::write(fixture.registry(), &damaged).unwrap();
        match fixture.store.registered(&user("alice")) {
            Ok(held) => assert_eq!(held.len(), 1, "page {page}: a command must not see fewer tokens"),
            Err(error) => {
                assert_eq!(error.reason(), Reason::StoreCorrupt, "page {page}: {error}");
                noticed += 1;
            }
        }
        let integrity = RegistryReader::open(&fixture.store.state_folder().unwrap().unwrap())
            .and_then(|reader| reader.unwrap().integrity());
        assert!(!matches!(integrity, Ok(found) if found.is_empty()), "page {page}");
    }
    assert!(noticed >= 3, "the way to alice's token leads over damaged pages: {noticed}");
}

#[test]
fn a_token_whose_owner_has_lost_both_files_opens_nothing_until_it_is_given_anew() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    fs::remove_dir_all(fixture.directory.path().join("users/alice")).unwrap();
    assert_eq!(fixture.refusal("alice", &shown(1, 1, NOW), NOW), Reason::NotEnrolled);
    assert!(fixture.view(FOB).problem.is_some());
    let again = fixture.store.assign(&[(serial(SECOND_FOB), person("alice"))], Sharing::Refuse, by(NOW));
    assert!(matches!(&again, Err(TokenError::Store(error)) if error.loss() == Some(Loss::State)), "{again:?}");
    assert!(fixture.store.reset(&user("alice"), Reset::Everything).unwrap(), "there is a way out");
    for offset in -2..=2 {
        let reason = fixture.refusal("alice", &shown(1, offset, NOW), NOW);
        assert_eq!(reason, Reason::Replayed, "{offset}: what may have been used is burned");
    }
    let now = later(41 * 30);
    fixture.accepted("alice", &shown(1, 0, now), now);
}

#[test]
fn taking_away_or_deleting_somebodys_last_credential_takes_a_word() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    let refused = fixture.store.unassign(&serial(FOB), LastCredential::Keep, by(NOW));
    assert!(matches!(refused, Err(TokenError::LastCredential(..))), "{refused:?}");
    let refused = fixture.store.delete_tokens(&[serial(FOB)], LastCredential::Keep, by(NOW));
    assert!(matches!(refused, Err(TokenError::LastCredential(..))), "{refused:?}");
    let refused = fixture.store.delete_series("box", LastCredential::Keep, by(NOW));
    assert!(matches!(refused, Err(TokenError::LastCredential(..))), "{refused:?}");
    assert_eq!(fixture.view(FOB).owner, Some(user("alice")), "nothing was changed");
    fixture.assign(SECOND_FOB, "alice");
    fixture.store.unassign(&serial(SECOND_FOB), LastCredential::Keep, by(NOW)).unwrap();
    fixture.enroll("alice", secret(3));
    fixture.store.unassign(&serial(FOB), LastCredential::Keep, by(NOW)).unwrap();
}

#[test]
fn tokens_are_assigned_all_or_none() {
    let fixture = Fixture::new();
    let twice = [(serial(FOB), person("alice")), (serial(FOB), person("bob"))];
    assert!(matches!(fixture.store.assign(&twice, Sharing::Refuse, by(NOW)), Err(TokenError::Twice(_))));
    let unknown = [(serial(FOB), person("alice")), (serial("nowhere"), person("bob"))];
    assert!(matches!(fixture.store.assign(&unknown, Sharing::Refuse, by(NOW)), Err(TokenError::NoToken(_))));
    assert_eq!(fixture.view(FOB).owner, None);
    fixture.assign(FOB, "alice");
    let refused = fixture.store.assign(
        &[(serial(SECOND_FOB), person("bob")), (serial(FOB), person("bob"))],
        Sharing::Refuse,
        by(NOW),
    );
    assert!(matches!(refused, Err(TokenError::Owned(_, owner)) if owner == user("alice")));
    assert_eq!(fixture.view(SECOND_FOB).owner, None);
}

#[test]
fn a_file_meets_what_is_there() {
    let fixture = Fixture::new();
    let findings = fixture.findings(&[
        (FOB, secret(1), totp()),
        ("0234567891235", secret(9), totp()),
        ("new", secret(5), totp()),
        ("new", secret(5), totp()),
        ("new", secret(6), totp()),
        ("newer", secret(5), totp()),
        ("234567891235", secret(2), totp()),
    ]);
    let expected = [
        Finding::Unchanged,
        Finding::OtherSecret,
        Finding::New,
        Finding::Unchanged,
        Finding::SerialTwice,
        Finding::SecretTwice,
        Finding::OtherSerial(serial("0234567891235")),
    ];
    assert_eq!(findings, expected);
    assert_eq!(fixture.store.token_count().unwrap(), 2, "a rehearsal changes nothing");
}

#[test]
fn the_same_secret_with_other_parameters_is_another_token() {
    let fixture = Fixture::new();
    let minute = Kind::Totp(Period::new(60).unwrap());
    let others = [
        Parameters { digits: Digits::new(8).unwrap(), ..totp() },
        Parameters { algorithm: Algorithm::Sha256, ..totp() },
        Parameters { kind: minute, ..totp() },
        hotp(),
    ];
    for other in others {
        assert_eq!(fixture.findings(&[(FOB, secret(1), other)]), [Finding::OtherParameters(totp())], "{other:?}");
        let new = |parameters| ("new", secret(5), parameters);
        let twice = fixture.findings(&[new(totp()), new(other), new(other), new(totp())]);
        let (first, second) = (Finding::ParametersTwice(Some(totp())), Finding::ParametersTwice(Some(other)));
        assert_eq!(twice, [Finding::New, first, Finding::Unchanged, second], "{other:?}");
    }
    // However many there are: those that are not remembered may be anything.
    let many = |number: u16| Parameters { kind: Kind::Totp(Period::new(number * 10).unwrap()), ..totp() };
    let tokens: Vec<_> = (1..=12).map(|number| ("new", secret(5), many(number))).collect();
    let findings = fixture.findings(&tokens);
    let is_refused = |finding: &Finding| matches!(finding, Finding::ParametersTwice(_));
    assert!(findings.iter().skip(1).all(is_refused), "{findings:?}");
    assert_eq!(findings.last(), Some(&Finding::ParametersTwice(None)));
}

#[test]
fn parameters_that_a_file_only_assumes_contradict_no_token() {
    let fixture = Fixture::empty();
    let corrected =
        Parameters { digits: Digits::new(8).unwrap(), kind: Kind::Totp(Period::new(60).unwrap()), ..totp() };
    fixture.import("box", &[(FOB, secret(1), corrected)]).unwrap();
    let (number, secret) = (serial(FOB), secret(1));
    let finding = |stated| {
        let token = NewToken { stated, ..offered(&number, &secret, totp()) };
        let mut intake = fixture.store.import_rehearsal().unwrap();
        let mut findings = Vec::new();
        let judged = intake.plan::<StoreError>(|judge| {
            findings.push(judge(&token)?);
            Ok(())
        });
        (findings.remove(0), judged.unwrap())
    };
    let unchanged = Counts { unchanged: 1, ..Counts::default() };
    let nothing = StatedParameters::default();
    assert_eq!(finding(nothing), (Finding::OtherThanAssumed(corrected), unchanged));
    // The type that stands there is that of the registry, with another period.
    let kind = StatedParameters { kind: Some(totp().kind), ..nothing };
    assert_eq!(finding(kind), (Finding::OtherThanAssumed(corrected), unchanged));
    let conflict = Counts { conflicts: 1, ..Counts::default() };
    let all = StatedParameters::all(totp());
    for stated in [
        StatedParameters { digits: all.digits, ..nothing },
        StatedParameters { period: all.period, ..nothing },
        StatedParameters { kind: Some(Kind::Hotp), ..nothing },
        StatedParameters { algorithm: Some(Algorithm::Sha256), ..nothing },
    ] {
        assert_eq!(finding(stated), (Finding::OtherParameters(corrected), conflict), "{stated:?}");
    }
}

#[test]
fn a_counter_that_has_moved_on_is_no_other_parameter() {
    let fixture = Fixture::empty();
    fixture.import("box", &[(FOB, secret(1), hotp())]).unwrap();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &otp::code_of(&secret(1), hotp(), Step(3)), NOW);
    assert_eq!(fixture.findings(&[(FOB, secret(1), hotp())]), [Finding::Unchanged]);
}

#[test]
fn a_serial_that_stands_twice_is_found_in_sorted_and_in_mixed_files() {
    let fixture = Fixture::empty();
    let of = |names: &[&'static str]| -> Vec<Finding> {
        let tokens: Vec<_> = (1..).zip(names).map(|(byte, name)| (*name, secret(byte), totp())).collect();
        fixture.findings(&tokens)
    };
    let (new, twice) = (Finding::New, Finding::SerialTwice);
    assert_eq!(of(&["1", "2", "2", "3"]), [new.clone(), new.clone(), twice.clone(), new.clone()]);
    assert_eq!(of(&["1", "2", "3", "1"]), [new.clone(), new.clone(), new.clone(), twice.clone()]);
    let expected = [&new, &new, &new, &twice, &new, &twice, &twice].map(Clone::clone);
    assert_eq!(of(&["2", "3", "1", "3", "4", "1", "4"]), expected);
}

#[test]
fn a_first_import_that_fails_leaves_no_registry_and_no_file() {
    let fixture = Fixture::empty();
    let (serials, secret) = (["1", "2"].map(serial), secret(1));
    let mut intake = fixture.store.import().unwrap();
    let first = || offered(&serials[0], &secret, totp());
    intake.plan::<StoreError>(|judge| judge(&first()).map(drop)).unwrap();
    let origin = Origin { series: "box", file: "box.csv", sha256: [7; 32] };
    let written = intake.write::<StoreError>(origin, 0, by(NOW), |take| {
        take(&first())?;
        Err(RegistryError::Full("the disk".into()).into())
    });
    let full = |error: &StoreError| matches!(FilesError::of(error), Some(FilesError::Registry(RegistryError::Full(_))));
    assert!(matches!(&written, Err(error) if full(error)));
    let names = fs::read_dir(fixture.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("registry")).collect();
    assert!(left.is_empty(), "{left:?}");
    // And the next one finds nothing in its way.
    assert_eq!(fixture.import("box", &[("1", secret, totp())]).unwrap().added, 1);
}

#[test]
fn a_series_is_deleted_with_its_tokens_and_its_name_is_free_again() {
    let fixture = Fixture::new();
    assert_eq!(fixture.store.import().unwrap().free_name("box").unwrap(), "box-2");
    let series = fixture.store.series("box").unwrap().unwrap();
    assert_eq!((series.tokens, series.assigned, series.imports[0].added), (2, 0, 2));
    assert_eq!(fixture.store.delete_series("box", LastCredential::Keep, by(NOW)).unwrap(), 2);
    assert!(fixture.store.series("box").unwrap().is_none());
    assert_eq!(fixture.store.token_count().unwrap(), 0);
    assert_eq!(fixture.store.import().unwrap().free_name("box").unwrap(), "box");
}

#[test]
fn a_revoked_token_outlives_its_series() {
    let fixture = Fixture::new();
    fixture.store.change(&[serial(FOB)], Change::Revoke, LastCredential::Keep, by(NOW)).unwrap();
    assert_eq!(fixture.store.delete_series("box", LastCredential::Keep, by(NOW)).unwrap(), 1);
    assert_eq!(fixture.findings(&[(FOB, secret(1), totp())]), [Finding::Revoked]);
}

#[test]
fn counters_look_ahead_and_resynchronize() {
    let fixture = Fixture::empty();
    fixture.import("buttons", &[("H1", secret(1), hotp())]).unwrap();
    fixture.assign("H1", "alice");
    let press = |counter| otp::code_of(&secret(1), hotp(), Step(counter));
    fixture.accepted("alice", &press(0), NOW);
    assert_eq!(fixture.refusal("alice", &press(0), NOW), Reason::Replayed);
    fixture.accepted("alice", &press(11), NOW);
    assert_eq!(fixture.refusal("alice", &press(5), NOW), Reason::Replayed, "a newer code burns older ones");
    assert_eq!(fixture.refusal("alice", &press(300), NOW), Reason::WrongCode);
    let codes = [&code(&press(300)), &code(&press(301))];
    fixture.resynchronize(&serial("H1"), codes, by(NOW)).unwrap();
    assert_eq!(fixture.refusal("alice", &press(301), NOW), Reason::Replayed);
    fixture.accepted("alice", &press(302), NOW);
}

#[test]
fn a_token_is_identified_by_two_codes_also_after_they_were_used() {
    let fixture = Fixture::new();
    fixture.assign(SECOND_FOB, "alice");
    fixture.accepted("alice", &shown(2, 4, NOW), NOW);
    let codes = [&code(&shown(2, 3, NOW)), &code(&shown(2, 4, NOW))];
    let found = fixture.store.identify(codes, &mut |_| {}).unwrap();
    assert_eq!(found, [Identified { serial: serial(SECOND_FOB), owner: Some(user("alice")), steps: 3 }]);
    let nobody = [&code(&shown(9, 3, NOW)), &code(&shown(9, 4, NOW))];
    assert!(fixture.store.identify(nobody, &mut |_| {}).unwrap().is_empty());
}

#[test]
fn a_probe_tells_how_the_file_should_have_been_read_and_mends_the_series() {
    let fixture = Fixture::empty();
    // What a base32 reader makes of hexadecimal text without 0, 1, 8 and 9.
    let text = "ABCDEF234567ABCDEF234567ABCDEF234567ABCD";
    let misread = Secret::from_base32(text).unwrap();
    let meant = Secret::from_bytes(Zeroizing::new(data_encoding::HEXUPPER.decode(text.as_bytes()).unwrap())).unwrap();
    fixture.import("odd", &[("1", misread, totp())]).unwrap();
    let really = Parameters {
        algorithm: Algorithm::Sha256,
        digits: Digits::new(8).unwrap(),
        kind: Kind::Totp(Period::new(60).unwrap()),
    };
    let step = otp::current_step(Period::new(60).unwrap(), NOW).0 - 3;
    let codes = [otp::code_of(&meant, really, Step(step)), otp::code_of(&meant, really, Step(step + 1))];
    let codes = [&code(&codes[0]), &code(&codes[1])];
    let fits = fixture.store.probe(&serial("1"), codes).unwrap();
    assert_eq!(fits.len(), 1);
    assert_eq!((fits[0].parameters, fits[0].encoding.to_string(), fits[0].steps), (really, "hex".to_owned(), -3));
    assert_eq!(fixture.store.mend_series("odd", &serial("1"), &fits[0], by(NOW)).unwrap(), 1);
    fixture.assign("1", "alice");
    fixture.accepted("alice", &otp::code_of(&meant, really, Step(step + 2)), NOW);
}

#[test]
fn everybody_with_a_token_has_a_status_and_recovery_codes() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    let status = fixture.store.status(&user("alice")).unwrap().unwrap();
    assert_eq!((status.apps.len(), status.tokens.len()), (0, 1));
    assert_eq!(fixture.store.users().unwrap(), [user("alice")]);
    let recovery = crate::codes::recovery::RecoveryCode::generate().unwrap();
    assert!(fixture.store.replace_recovery(&user("alice"), std::slice::from_ref(&recovery)).unwrap());
    let login = fixture.login("alice", recovery.expose(), NOW).unwrap();
    assert!(matches!(login, Redemption::Redeemed(_)));
    let judgement = fixture.store.verify(&user("alice"), Answer::parse(shown(1, 0, NOW).as_bytes()));
    assert!(matches!(judgement, Ok(Some(Judgement::Right { .. }))));
}

#[test]
fn enrolling_an_app_does_not_make_a_lost_state_anew_while_a_token_needs_it() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fs::remove_file(fixture.directory.path().join("users/alice/state")).unwrap();
    let label = Label::new("phone").unwrap();
    let proposal = Proposal::with_secret(secret(3), label, totp(), "example.org", "alice", NOW).unwrap();
    assert!(fixture.store.enroll(&person("alice"), proposal.vouch(), None, Existing::Keep).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_code_of_a_token_is_ever_accepted_twice_through_whatever_hands_it_goes(
        events in proptest::collection::vec((0_u8..11, -2_i64..=2, 0_u64..120), 1..40),
    ) {
        let fixture = Fixture::new();
        let mut now = NOW;
        let mut owner: Option<&str> = None;
        let mut accepted: Vec<u64> = Vec::new();
        for (event, offset, wait) in events {
            now = now.after(Duration::from_secs(wait));
            match (event, owner) {
                (0, Some(_)) => {
                    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(now)).unwrap();
                    owner = None;
                }
                (1, Some(name)) => {
                    fixture.store.delete_tokens(&[serial(FOB)], LastCredential::Take, by(now)).unwrap();
                    fixture.import("again", &[(FOB, secret(1), totp())]).unwrap();
                    let _ = name;
                    owner = None;
                }
                (2, Some(name)) => {
                    fixture.store.reset(&user(name), Reset::Everything).unwrap();
                }
                (3, Some(_)) => {
                    for change in [Change::Disable, Change::Enable] {
                        fixture.store.change(&[serial(FOB)], change, LastCredential::Keep, by(now)).unwrap();
                    }
                }
                (4, Some(_)) => {
                    let codes = [&code(&shown(1, offset, now)), &code(&shown(1, offset + 1, now))];
                    let at = here(now).checked_add_signed(offset + 1).unwrap();
                    if fixture.resynchronize(&serial(FOB), codes, by(now)).is_ok() {
                        accepted.push(at);
                    }
                }
                (5, Some(_)) => {
                    // Taken for something else and back.
                    for seconds in [60, 30] {
                        let parameters = Parameters { kind: Kind::Totp(Period::new(seconds).unwrap()), ..totp() };
                        let encoding = Encoding::AsImported;
                        let fit = Fit { encoding, parameters, steps: 0 };
                        let series = fixture.view(FOB).series.unwrap();
                        fixture.store.mend_series(&series, &serial("nobody"), &fit, by(now)).unwrap();
                    }
                }
                (6, Some(name)) => {
                    fs::remove_file(fixture.directory.path().join("users").join(name).join("state")).unwrap();
                    fixture.store.reset(&user(name), Reset::Everything).unwrap();
                }
                (_, None) => {
                    let name = if event % 2 == 0 { "alice" } else { "bob" };
                    fixture.assign(FOB, name);
                    owner = Some(name);
                }
                (_, Some(name)) => {
                    let step = here(now).checked_add_signed(offset).unwrap();
                    for _ in 0..2 {
                        if matches!(fixture.login(name, &shown(1, offset, now), now).unwrap(), Redemption::Redeemed(_)) {
                            prop_assert!(accepted.iter().all(|earlier| *earlier < step), "{accepted:?} and {step}");
                            accepted.push(step);
                        }
                    }
                }
            }
        }
    }
}
