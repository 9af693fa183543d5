//! The file store's promises, without libpam.

use super::user_folder::{LARGEST, LARGEST_SECRET, STATE, parse_state};
use crate::account::{Credentials, Judgement, LastAccepted, State};
use crate::host::clock::UnixTime;
use crate::host::trusted;
use crate::host::trusted::Owner;
use crate::store::Loss;
use crate::store::administration::{EnrollError, Existing, Reset};
use crate::store::redemption::Factor;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::account::enrollment::{self, Proposal};
use crate::account::factors::{Attestation, Factors};
use crate::account::invitation::Invitation;
use crate::account::lifecycle::TokenStatus;
use crate::account::notice::{MOST_NOTICES, Notice, NoticedChange};
use crate::account::remembered::{LoginPlace, Memories, Memory, Opener, Recall};
use crate::account::throttle::{Failures, Limits, Source, SourceRecord, Throttle};
use crate::account::{App, Confirmation, EnrolledKey, FirstUse, Held, MOST_RECOVERY_CODES, MOST_SSH_KEYS, Usage};
use crate::codes::answer::Answer;
use crate::codes::digest::Digest;
use crate::codes::otp::{self, Algorithm, Kind, Parameters, Period, Progress, Step, Window};
use crate::codes::recovery::{RecoveryCode, Salt};
use crate::codes::secret::Secret;
use crate::codes::temporary::Handout;
use crate::codes::token::{Label, Seed, Serial, Token};
use crate::host::clock::HandSet;
use crate::host::user::{Uid, person};
use crate::store::administration::AccountAdministration as _;
use crate::store::{credentials_text, state_text};

mod clock;
mod helpdesk;
mod largest;
mod lost;
mod own_ssh_keys;
mod own_tokens;
mod ownership;
mod unprivileged;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

impl Files {
    /// Codes that none of the user's apps and tokens shows, for the stories of all modules.
    pub(crate) fn wrong_codes(&self, user: &UserName, now: UnixTime) -> impl Iterator<Item = String> + use<> {
        let credentials = self.unlocked(user).ok().flatten().and_then(|account| account.credentials().ok().flatten());
        let wallet = Wallet { credentials: credentials.as_ref(), factors: Factors::ALL };
        let tokens = wallet.tokens();
        let tokens: Vec<(&Secret, Parameters)> = tokens.map(|token| (&token.secret, token.parameters)).collect();
        otp::wrong_codes::wrong_codes(&tokens, now)
    }
}

/// A store in a folder of its own, with alice enrolled.
struct Fixture {
    directory: tempfile::TempDir,
    store: Files,
    clock: HandSet,
    alice: Person,
    secret: Secret,
    parameters: Parameters,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Parameters::default())
    }

    fn with(parameters: Parameters) -> Self {
        let directory = trusted::private_directory();
        let owner = Owner(nix::unistd::geteuid().as_raw());
        let clock = HandSet::at(NOW);
        let store = Files::new(directory.path(), owner, Duration::from_secs(10), clock.clone());
        let alice = person("alice", 1001);
        // The same in every run: no two of the steps these stories tell of share a code.
        let secret = Secret::from_bytes(Zeroizing::new(b"a secret of 20 bytes".to_vec())).unwrap();
        let fixture = Self { directory, store, clock, alice, secret, parameters };
        fixture.enroll("app", &[]);
        fixture
    }

    fn enroll(&self, label: &str, recovery: &[RecoveryCode]) {
        let secret = Secret::from_bytes(Zeroizing::new(self.secret.expose().to_vec())).unwrap();
        let label = Label::new(label).unwrap();
        let proposal = Proposal::with_secret(secret, label, self.parameters, "example.org", "alice", NOW).unwrap();
        self.store.enroll(&self.alice, proposal.vouch(), Some(recovery), Existing::Replace).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("users/alice").join(name)
    }

    fn code(&self, offset: i64, now: UnixTime) -> String {
        let here = match self.parameters.kind {
            Kind::Totp(period) => otp::current_step(period, now).0,
            Kind::Hotp => 0,
        };
        otp::code_of(&self.secret, self.parameters, Step(here.checked_add_signed(offset).unwrap()))
    }

    /// A code that is none of alice's.
    fn wrong(&self) -> String {
        self.wrong_codes().next().unwrap()
    }

    fn wrong_codes(&self) -> impl Iterator<Item = String> + use<> {
        self.store.wrong_codes(&self.alice.name, NOW)
    }

    fn redeem(&self, typed: &str, now: UnixTime) -> Result<Redemption, StoreError> {
        self.redeem_from(typed, "192.0.2.7", now)
    }

    fn redeem_from(&self, typed: &str, rhost: &str, now: UnixTime) -> Result<Redemption, StoreError> {
        self.clock.set(now);
        self.store.redeem(
            &self.alice,
            &Attempt {
                factors: Factors::ALL,
                previous: None,
                remember: None,
                readings: &[Answer::parse(typed.as_bytes())],
                source: &Source::from_rhost(Some(rhost)),
            },
        )
    }

    fn accepts(&self, typed: &str, now: UnixTime) -> bool {
        matches!(self.redeem(typed, now).unwrap(), Redemption::Redeemed(_))
    }

    fn refusal(&self, typed: &str, now: UnixTime) -> Reason {
        match self.redeem(typed, now).unwrap() {
            Redemption::Refused { reason, .. } => reason,
            Redemption::NearMiss { .. } => Reason::WrongCode,
            Redemption::Redeemed(_) => panic!("the code was accepted"),
        }
    }

    fn failures(&self) -> u32 {
        self.store.status(&self.alice.name).unwrap().unwrap().failures
    }
}

fn later(seconds: u64) -> UnixTime {
    NOW.after(Duration::from_secs(seconds))
}

#[test]
fn a_wrong_code_is_counted_in_the_file_and_not_kept_there() {
    let fixture = Fixture::new();
    let wrong = fixture.wrong_codes().find(|code| !NOW.seconds().to_string().contains(code)).unwrap();
    assert_eq!(fixture.refusal(&wrong, NOW), Reason::WrongCode);
    let state = fs::read_to_string(fixture.path("state")).unwrap();
    assert!(state.contains("failures = 1"), "{state}");
    assert!(!state.contains(&wrong), "the answer itself is not kept");
}

#[test]
fn drift_is_learned_from_accepted_codes() {
    let fixture = Fixture::new();
    assert!(fixture.accepts(&fixture.code(2, NOW), NOW));
    let moved = later(600);
    assert!(fixture.accepts(&fixture.code(3, moved), moved), "three steps ahead, one of them learned");
    let status = fixture.store.status(&fixture.alice.name).unwrap().unwrap();
    assert_eq!(status.apps[0].drift, 2);
    assert_eq!(status.last_accepted.unwrap().at, moved);
}

#[test]
fn a_recovery_code_opens_one_session() {
    let fixture = Fixture::new();
    let codes = enrollment::recovery_codes(2).unwrap();
    assert!(fixture.store.replace_recovery(&fixture.alice.name, &codes).unwrap());
    let shown = codes[0].expose_grouped();
    match fixture.redeem(&shown, NOW).unwrap() {
        Redemption::Redeemed(redeemed) => assert_eq!(redeemed.factor(), &Factor::Recovery { left: 1 }),
        refused => panic!("{refused:?}"),
    }
    assert_eq!(fixture.refusal(&shown, NOW), Reason::Replayed);
    let secret = fs::read_to_string(fixture.path("secret.toml")).unwrap();
    assert!(!secret.contains(codes[1].expose()), "only digests are stored");
}

#[test]
fn a_temporary_code_opens_one_session_in_time_beside_all_else() {
    let fixture = Fixture::new();
    let give = || fixture.store.give_code(&fixture.alice, later(3600)).unwrap().unwrap();
    let until = || fixture.store.status(&fixture.alice.name).unwrap().unwrap().temporary_until;
    let replaced = give().expose_grouped();
    let shown = give().expose_grouped();
    assert_eq!(until(), Some(later(3600)));
    let secrets = ["secret.toml", "state"].map(|file| fs::read_to_string(fixture.path(file)).unwrap()).concat();
    assert!(!secrets.contains(&shown.replace('-', "")), "only a digest is stored");
    assert_eq!(fixture.refusal(&replaced, NOW), Reason::WrongCode, "another one took its place");
    match fixture.redeem(&shown, NOW).unwrap() {
        Redemption::Redeemed(redeemed) => assert_eq!(redeemed.factor(), &Factor::Temporary),
        refused => panic!("{refused:?}"),
    }
    assert_eq!((fixture.refusal(&shown, NOW), until()), (Reason::Replayed, None));
    let expiring = give().expose_grouped();
    assert_eq!(fixture.refusal(&expiring, later(3600)), Reason::WrongCode, "it is not in time");
    assert!(fixture.accepts(&fixture.code(0, later(3700)), later(3700)), "the app goes on working");
}

#[test]
fn a_temporary_code_counts_as_a_recovery_code_and_no_login_by_it_is_remembered() {
    let fixture = Fixture::new();
    let code = fixture.store.give_code(&fixture.alice, later(3600)).unwrap().unwrap().expose_grouped();
    let readings = [Answer::parse(code.as_bytes())];
    let place = LoginPlace { service: "sshd", address: "192.0.2.7".parse().unwrap() };
    let remember = Some((place, Duration::from_hours(1)));
    let source = Source::from_rhost(Some("192.0.2.7"));
    let factors = Factors { recovery: false, ..Factors::ALL };
    let attempt = Attempt { factors, previous: None, remember, readings: &readings, source: &source };
    let refused = fixture.store.redeem(&fixture.alice, &attempt).unwrap();
    assert!(matches!(refused, Redemption::Refused { reason: Reason::FactorNotAllowed, .. }), "{refused:?}");
    let attempt = Attempt { factors: Factors::ALL, ..attempt };
    assert!(matches!(fixture.store.redeem(&fixture.alice, &attempt).unwrap(), Redemption::Redeemed(_)));
    let like = Recall { place, longest: Duration::from_hours(1) };
    assert!(fixture.store.remembers(&fixture.alice, &like, Factors::ALL).unwrap().is_none());
    assert!(!fs::read_to_string(fixture.path("state")).unwrap().contains("[[memory]]"));
}

#[test]
fn a_temporary_code_is_void_once_it_is_taken_back_or_the_account_is_reset() {
    let fixture = Fixture::new();
    let give = || fixture.store.give_code(&fixture.alice, later(3600)).unwrap().unwrap().expose_grouped();
    let taken = give();
    let revoke = || fixture.store.revoke_code(&fixture.alice.name).unwrap();
    assert_eq!((revoke(), revoke()), (true, false));
    assert_eq!(fixture.refusal(&taken, NOW), Reason::WrongCode);
    let kept = give();
    assert!(fixture.store.reset(&fixture.alice.name, Reset::Confirmations).unwrap());
    assert_eq!(fixture.refusal(&kept, NOW), Reason::WrongCode, "its owner shall confirm the app");
    give();
    assert!(fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap());
    assert!(!fs::read_to_string(fixture.path("state")).unwrap().contains("[temporary_code]"));
    assert!(fixture.store.give_code(&fixture.alice, later(3600)).unwrap().is_none(), "she is not enrolled");
}

#[test]
fn the_confirmation_code_of_an_enrollment_is_burned() {
    let fixture = Fixture::new();
    let secret = Secret::from_bytes(Zeroizing::new(fixture.secret.expose().to_vec())).unwrap();
    let label = Label::new("confirmed").unwrap();
    let proposal = Proposal::with_secret(secret, label, fixture.parameters, "example.org", "alice", NOW).unwrap();
    let code = fixture.code(0, NOW);
    let app = proposal.confirm(Window::default(), &NOW, |_| Ok::<_, ()>(Answer::parse(code.as_bytes()))).unwrap();
    fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
    fixture.store.enroll(&fixture.alice, app, None, Existing::Keep).unwrap();
    assert_eq!(fixture.refusal(&code, NOW), Reason::Replayed);
    assert!(fixture.accepts(&fixture.code(1, NOW), NOW));
}

#[test]
fn an_enrollment_gives_up_after_three_wrong_codes() {
    let label = Label::new("app").unwrap();
    let proposal = Proposal::new(label, Parameters::default(), "example.org", "alice", NOW).unwrap();
    let mut asked = Vec::new();
    let outcome = proposal.confirm(Window::default(), &NOW, |left| {
        asked.push(left);
        Ok::<_, ()>(Answer::Unintelligible)
    });
    assert!(matches!(outcome, Err(enrollment::Unconfirmed::Refused)));
    assert_eq!(asked, [3, 2, 1]);
}

#[test]
fn an_unconfirmed_app_opens_nothing_and_its_burned_codes_stay_burned() {
    let fixture = Fixture::new();
    assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
    assert!(fixture.store.reset(&fixture.alice.name, Reset::Confirmations).unwrap());
    assert_eq!(fixture.refusal(&fixture.code(1, NOW), NOW), Reason::NotConfirmed);
    let label = Label::new("app").unwrap();
    let token = fixture.store.pending(&fixture.alice.name, &label).unwrap().unwrap();
    assert_eq!(token.secret.expose(), fixture.secret.expose());
    let burned = fixture.code(0, NOW);
    let proposal = Proposal::again(token, "example.org", "alice");
    let outcome = proposal.confirm(Window::default(), &NOW, |_| Ok::<_, ()>(Answer::parse(burned.as_bytes())));
    assert!(outcome.is_err());
}

#[test]
fn a_second_app_and_the_first_both_work() {
    let fixture = Fixture::new();
    let other = Proposal::new(Label::new("tablet").unwrap(), Parameters::default(), "", "alice", NOW).unwrap();
    let code = otp::code_of(&other.token().secret, Parameters::default(), otp::current_step(Period::THIRTY, NOW));
    fixture.store.enroll(&fixture.alice, other.vouch(), None, Existing::Keep).unwrap();
    assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
    assert!(fixture.accepts(&code, NOW));
}

#[test]
fn an_app_of_the_same_label_is_only_replaced_on_request() {
    let fixture = Fixture::new();
    let again = || Proposal::new(Label::new("app").unwrap(), Parameters::default(), "", "alice", NOW).unwrap().vouch();
    let refused = fixture.store.enroll(&fixture.alice, again(), None, Existing::Keep);
    assert!(matches!(refused, Err(EnrollError::AlreadyEnrolled(..))));
    fixture.store.enroll(&fixture.alice, again(), None, Existing::Replace).unwrap();
    assert_eq!(fixture.refusal(&fixture.code(0, NOW), NOW), Reason::WrongCode);
}

#[test]
fn absence_is_proved_only_in_a_folder_that_was_opened() {
    let fixture = Fixture::new();
    let bob = UserName::new("bob").unwrap();
    assert!(matches!(fixture.store.presence(&fixture.alice.name).unwrap(), Presence::Enrolled));
    assert!(matches!(fixture.store.presence(&bob).unwrap(), Presence::Absent(_)));
    fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
    assert!(matches!(fixture.store.presence(&fixture.alice.name).unwrap(), Presence::Absent(_)));
    fs::remove_dir_all(fixture.directory.path().join("users")).unwrap();
    assert!(matches!(fixture.store.presence(&bob).unwrap(), Presence::Absent(_)), "nothing was ever kept here");
    fs::create_dir(fixture.directory.path().join("services")).unwrap();
    assert!(
        matches!(fixture.store.presence(&bob), Err(error) if matches!(FilesError::of(&error), Some(FilesError::NoFolder(_))))
    );
    std::os::unix::fs::symlink("/nowhere", fixture.directory.path().join("users")).unwrap();
    assert!(
        matches!(fixture.store.presence(&bob), Err(error) if matches!(FilesError::of(&error), Some(FilesError::File(_))))
    );
}

#[test]
fn a_damaged_file_denies_and_names_the_place_without_its_content() {
    for name in ["secret.toml", "state"] {
        for content in ["", "garbage", "version = 1\n# end\n", "version = 99\n# end\n", "secret = \"JBSWY3DP", "\u{0}"]
        {
            let fixture = Fixture::new();
            fs::write(fixture.path(name), content).unwrap();
            fs::set_permissions(fixture.path(name), fs::Permissions::from_mode(0o600)).unwrap();
            let error = fixture.redeem(&fixture.code(0, NOW), NOW).unwrap_err();
            assert_eq!(error.reason(), Reason::StoreCorrupt, "{name} {content:?}");
            let text = error.to_string();
            assert!(text.contains(name) && !text.contains("JBSWY3DP"), "{text}");
        }
    }
}

#[test]
fn every_truncation_of_a_file_is_refused() {
    for name in ["secret.toml", "state"] {
        let fixture = Fixture::new();
        assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
        let whole = fs::read(fixture.path(name)).unwrap();
        let moved = later(300);
        for length in 0..whole.len() - 1 {
            fs::write(fixture.path(name), &whole[..length]).unwrap();
            let outcome = fixture.redeem(&fixture.code(0, moved), moved);
            assert!(!matches!(outcome, Ok(Redemption::Redeemed(_))), "{name} cut to {length} bytes");
        }
    }
}

#[test]
fn secrets_without_their_state_open_nothing() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.path("state")).unwrap();
    let error = fixture.redeem(&fixture.code(0, NOW), NOW).unwrap_err();
    assert_eq!(error.reason(), Reason::StoreCorrupt, "what was burned is not known any more");
    assert!(error.to_string().contains("state is missing"), "{error}");
    assert!(fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap(), "there is a way out");
    fixture.enroll("app", &[]);
    assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
}

#[test]
fn a_counter_token_advances_past_skipped_codes() {
    let fixture = Fixture::with(Parameters { kind: Kind::Hotp, ..Parameters::default() });
    assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
    assert!(fixture.accepts(&fixture.code(5, NOW), NOW));
    assert_eq!(fixture.refusal(&fixture.code(3, NOW), NOW), Reason::Replayed);
    assert_eq!(fixture.refusal(&fixture.code(17, NOW), NOW), Reason::WrongCode);
    assert!(fixture.accepts(&fixture.code(16, NOW), NOW));
}

#[test]
fn looking_burns_nothing_and_counts_nothing() {
    let fixture = Fixture::new();
    let look = |typed: &str| {
        let answer = Answer::parse(typed.as_bytes());
        fixture.store.verify(&fixture.alice.name, answer).unwrap().unwrap()
    };
    let code = fixture.code(0, NOW);
    for _ in 0..20 {
        assert!(matches!(look(&code), Judgement::Right { .. }));
        assert_eq!(look(&fixture.wrong()), Judgement::Wrong);
    }
    assert_eq!(fixture.failures(), 0);
    assert!(fixture.accepts(&code, NOW));
}

#[test]
fn the_code_that_confirms_a_secret_again_is_burned() {
    let fixture = Fixture::new();
    assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
    fixture.store.reset(&fixture.alice.name, Reset::Confirmations).unwrap();
    let token = fixture.store.pending(&fixture.alice.name, &Label::new("app").unwrap()).unwrap().unwrap();
    let code = fixture.code(1, NOW);
    let proposal = Proposal::again(token, "example.org", "alice");
    let app = proposal.confirm(Window::default(), &NOW, |_| Ok::<_, ()>(Answer::parse(code.as_bytes()))).unwrap();
    fixture.store.enroll(&fixture.alice, app, None, Existing::Keep).unwrap();
    assert_eq!(fixture.refusal(&code, NOW), Reason::Replayed);
    assert!(fixture.accepts(&fixture.code(2, NOW), NOW));
}

#[test]
fn what_is_burned_stays_burned_over_the_life_of_a_seed() {
    for kind in [Kind::Totp(Period::THIRTY), Kind::Hotp] {
        let fixture = Fixture::with(Parameters { kind, ..Parameters::default() });
        let code = fixture.code(0, NOW);
        assert!(fixture.accepts(&code, NOW));
        fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
        assert!(matches!(fixture.store.presence(&fixture.alice.name).unwrap(), Presence::Absent(_)));
        fixture.enroll("app", &[]);
        assert_eq!(fixture.refusal(&code, NOW), Reason::Replayed, "after a reset");
        let other = Proposal::new(Label::new("app").unwrap(), fixture.parameters, "", "alice", NOW).unwrap();
        fixture.store.enroll(&fixture.alice, other.vouch(), None, Existing::Replace).unwrap();
        fixture.enroll("app", &[]);
        assert_eq!(fixture.refusal(&code, NOW), Reason::Replayed, "after another secret took its place for a while");
        fixture.enroll("copy", &[]);
        assert_eq!(fixture.refusal(&code, NOW), Reason::Replayed, "under another label");
    }
}

#[test]
fn a_confirmation_code_stays_burned_when_its_secret_is_enrolled_again() {
    let fixture = Fixture::new();
    fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
    let secret = Secret::from_bytes(Zeroizing::new(fixture.secret.expose().to_vec())).unwrap();
    let label = Label::new("app").unwrap();
    let proposal = Proposal::with_secret(secret, label, fixture.parameters, "example.org", "alice", NOW).unwrap();
    let code = fixture.code(0, NOW);
    let app = proposal.confirm(Window::default(), &NOW, |_| Ok::<_, ()>(Answer::parse(code.as_bytes()))).unwrap();
    fixture.store.enroll(&fixture.alice, app, None, Existing::Keep).unwrap();
    fixture.enroll("copy", &[]);
    assert_eq!(fixture.refusal(&code, NOW), Reason::Replayed);
}

#[test]
fn a_damaged_state_is_not_enrolled_over_and_reset_is_the_way_out() {
    let fixture = Fixture::new();
    fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
    fs::write(fixture.path("state"), "garbage").unwrap();
    fs::set_permissions(fixture.path("state"), fs::Permissions::from_mode(0o600)).unwrap();
    let app = || Proposal::new(Label::new("app").unwrap(), Parameters::default(), "", "alice", NOW).unwrap().vouch();
    let refused = fixture.store.enroll(&fixture.alice, app(), None, Existing::Keep).unwrap_err();
    assert!(
        matches!(&refused, EnrollError::Store(error) if matches!(FilesError::of(error), Some(FilesError::Corrupt { .. }))),
        "{refused}"
    );
    fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
    fixture.store.enroll(&fixture.alice, app(), None, Existing::Keep).unwrap();
}

#[test]
fn digits_that_two_apps_share_open_one_session() {
    let fixture = Fixture::new();
    fixture.enroll("twin", &[]);
    let shorter = Parameters { digits: Digits::new(6).unwrap(), ..fixture.parameters };
    // The same secret with another period of the same step: another seed that shows the same digits.
    let kind = Kind::Totp(Period::new(60).unwrap());
    let secret = Secret::from_bytes(Zeroizing::new(fixture.secret.expose().to_vec())).unwrap();
    let token = Parameters { kind, ..shorter };
    let moment = UnixTime::from_seconds(0);
    let proposal = Proposal::with_secret(secret, Label::new("slow").unwrap(), token, "", "alice", moment).unwrap();
    fixture.store.enroll(&fixture.alice, proposal.vouch(), None, Existing::Keep).unwrap();
    // At the beginning of 1970 step 0 is the current one of both.
    let code = otp::code_of(&fixture.secret, fixture.parameters, Step(0));
    assert!(fixture.accepts(&code, moment));
    assert_eq!(fixture.refusal(&code, moment), Reason::Replayed);
}

#[test]
fn enrolling_does_not_hide_a_lost_state() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.path("state")).unwrap();
    let app = Proposal::new(Label::new("tablet").unwrap(), Parameters::default(), "", "alice", NOW).unwrap().vouch();
    let refused = fixture.store.enroll(&fixture.alice, app, None, Existing::Keep).unwrap_err();
    assert!(matches!(&refused, EnrollError::Store(error) if error.loss() == Some(Loss::State)), "{refused}");
}

#[test]
fn the_state_stays_small_however_long_an_account_lives() {
    let fixture = Fixture::new();
    let mut now = NOW;
    for _ in 0..100 {
        now = now.after(Duration::from_mins(5));
        let proposal = Proposal::new(Label::new("app").unwrap(), Parameters::default(), "", "alice", now).unwrap();
        let here = otp::current_step(Period::THIRTY, now);
        let code = otp::code_of(&proposal.token().secret, Parameters::default(), here);
        let codes = enrollment::recovery_codes(20).unwrap();
        fixture.store.enroll(&fixture.alice, proposal.vouch(), Some(&codes), Existing::Replace).unwrap();
        assert!(fixture.accepts(&code, now));
        for code in codes {
            assert!(fixture.accepts(&code.expose_grouped(), now));
        }
    }
    assert!(fs::metadata(fixture.path("state")).unwrap().len() <= LARGEST as u64 / 2);
}

#[test]
fn a_clock_that_was_ahead_is_explained() {
    let fixture = Fixture::new();
    let tomorrow = later(24 * 3600);
    assert!(fixture.accepts(&fixture.code(0, tomorrow), tomorrow));
    match fixture.redeem(&fixture.code(0, NOW), NOW).unwrap() {
        Redemption::Refused { reason: Reason::Replayed, hint } => assert!(hint.unwrap().contains("--replace")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn guesses_that_differ_only_before_the_last_digits_all_count() {
    let fixture = Fixture::new();
    for guess in 0..5 {
        let long = format!("{guess}1234567");
        let readings = [Answer::parse(&long.as_bytes()[2..]), Answer::parse(long.as_bytes())];
        let attempt = Attempt {
            factors: Factors::ALL,
            previous: None,
            remember: None,
            readings: &readings,
            source: &Source::from_rhost(None),
        };
        let _ = fixture.store.redeem(&fixture.alice, &attempt).unwrap();
    }
    assert_eq!(fixture.failures(), 5);
}

fn times() -> impl Strategy<Value = UnixTime> {
    (0_u64..253_402_300_799).prop_map(UnixTime::from_seconds)
}

fn digests() -> impl Strategy<Value = Digest> {
    "[0-9]{6}".prop_map(|text| Salt::parse("AAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap().fingerprint(&text))
}

fn sources() -> impl Strategy<Value = Source> {
    ".{0,80}".prop_map(|text| Source::from_rhost(Some(&text)))
}

fn failures() -> impl Strategy<Value = Failures> {
    (any::<u32>(), proptest::option::of(times())).prop_map(|(count, last)| Failures { count, last })
}

fn usage() -> impl Strategy<Value = Usage> {
    (proptest::option::of(0..=i64::MAX as u64), -10..=10, -3000..=3000, proptest::option::of(times()), any::<u32>())
        .prop_map(|(watermark, learned, anchor, last_accepted, near_misses)| {
            let progress = Progress { watermark: watermark.map(Step), drift: anchor + learned, anchor };
            let suspects = if near_misses % 2 == 0 { Vec::new() } else { vec![Step(7), Step(u64::from(near_misses))] };
            Usage { progress, last_accepted, near_misses, suspects }
        })
}

fn openers() -> impl Strategy<Value = Opener> {
    prop_oneof![
        "[0-9]{9}".prop_map(|seed| Opener::Seed(Seed::parse(&Digest::of(&seed, &[]).to_string()).unwrap())),
        digests().prop_map(Opener::Recovery),
    ]
}

prop_compose! {
    fn states()(
        usage in proptest::collection::vec(("[0-9]{9}", usage()), 0..8),
        used_recovery in proptest::collection::vec(digests(), 0..20),
        user in failures(),
        budgets in proptest::array::uniform2(proptest::option::of((1_u32.., times()))),
        records in proptest::collection::vec((sources(), failures()), 0..16),
        trusted in proptest::option::of(sources()),
        last_wrong in proptest::option::of((digests(), times())),
        last_accepted in proptest::option::of((times(), sources(), ".{0,64}")),
        invitation in proptest::option::of((digests(), times())),
        handout in proptest::option::of((digests(), times(), any::<bool>())),
        memories in proptest::collection::vec((".{0,20}", any::<IpAddr>(), times(), times(), openers()), 0..4),
        (uid, notices) in (
            proptest::option::of(any::<u32>()),
            proptest::collection::vec((times(), any::<u32>(), proptest::sample::select(&NoticedChange::ALL)), 0..MOST_NOTICES),
        ),
    ) -> State {
        let mut usage: Vec<(Seed, Usage)> = usage
            .into_iter()
            .map(|(seed, usage)| (Seed::parse(&Digest::of(&seed, &[]).to_string()).unwrap(), usage))
            .collect();
        usage.dedup_by_key(|(seed, _)| seed.to_string());
        let budgets = budgets.map(|budget| budget.map(|(count, last)| Failures { count, last: Some(last) }).unwrap_or_default());
        let [budget, home] = budgets;
        let sources = records.into_iter().map(|(source, failures)| SourceRecord { source, failures }).collect();
        State {
            stripping: Throttle { user, ..Throttle::default() },
            unprivileged: Throttle { user, budget, ..Throttle::default() },
            helpdesk: Throttle { user, budget, ..Throttle::default() },
            usage,
            used_recovery,
            has_credentials: user.count % 2 == 1,
            tokens_held: usize::from(user.count > 9),
            tokens_before_gift: (user.count > 99).then_some(0),
            throttle: Throttle { user, sources, budget, home, last_source: trusted, last_wrong },
            last_accepted: last_accepted.map(|(at, source, factor)| LastAccepted { at, source, factor }),
            invitation: invitation.map(|(digest, until)| Invitation { salt: Salt::NONE, digest, until }),
            handout: handout.map(|(digest, until, is_used)| Handout { salt: Salt::NONE, digest, until, is_used }),
            memories: Memories::stored(
                memories
                    .into_iter()
                    .map(|(service, address, since, until, opener)| Memory { service, address, since, until, opener })
                    .collect(),
            ),
            uid: uid.map(Uid),
            notices: notices.into_iter().map(|(at, by, change)| Notice { at, by: Uid(by), change }).collect(),
        }
    }
}

prop_compose! {
    fn apps()(
        label in "[^\\p{C}:\\s]{1,64}",
        key in proptest::collection::vec(any::<u8>(), 10..=128),
        algorithm in proptest::sample::select(Algorithm::ALL.map(|(algorithm, _)| algorithm).to_vec()),
        digits in 6_u8..=8,
        period in proptest::option::of(10_u16..=300),
        issued in times(),
        confirmed in any::<bool>(),
    ) -> App {
        let kind = period.map_or(Kind::Hotp, |period| Kind::Totp(Period::new(period).unwrap()));
        let token = Token {
            serial: Serial::generate().unwrap(),
            label: Label::new(&label).unwrap(),
            secret: Secret::from_bytes(Zeroizing::new(key)).unwrap(),
            parameters: Parameters { algorithm, digits: Digits::new(digits).unwrap(), kind },
            issued,
            start: Progress::default(),
        };
        App::stored(token, if confirmed { Confirmation::Confirmed } else { Confirmation::Pending })
    }
}

prop_compose! {
    fn held()(
        app in apps(),
        status in proptest::sample::select(vec![TokenStatus::Good, TokenStatus::Disabled, TokenStatus::Lost]),
        watermark in proptest::option::of(0..=u64::try_from(i64::MAX).unwrap()),
        drift in -10_i32..=10,
        is_open in any::<bool>(),
    ) -> Held {
        let Token { serial, secret, parameters, issued, .. } = app.into_token();
        let start = Progress { watermark: watermark.map(Step), drift, anchor: drift };
        let token = Token { label: Label::of(&serial), serial, secret, parameters, issued, start };
        Held { token, status, first_use: if is_open { FirstUse::Open } else { FirstUse::Over } }
    }
}

#[test]
fn the_version_rises_with_what_an_older_program_would_drop() {
    let key = EnrolledKey {
        key: crate::codes::ssh_key::tests::key(7),
        label: Label::new("laptop").unwrap(),
        issued: UnixTime::from_seconds(1_800_000_000),
        attestation: Attestation::None,
    };
    let none = Credentials::none().unwrap();
    assert!(credentials_text::write(&none).contains("\nversion = 1\n"));
    let with_key = Credentials { ssh_keys: vec![key], ..none };
    let text = credentials_text::write(&with_key);
    assert!(text.contains("\nversion = 3\n") && credentials_text::read(&text).is_ok());
    for (wrong, right) in [
        ("version = 2", "version = 3"),
        ("version = 4", "version = 3"),
        ("type = \"ssh-ed25519\"", "type = \"sk-ssh-ed25519@openssh.com\""),
        ("type = \"sk-ecdsa-sha2-nistp256@openssh.com\"", "type = \"sk-ssh-ed25519@openssh.com\""),
        ("key = \"AAAA\"", &format!("key = \"{}\"", with_key.ssh_keys[0].key.base64())),
        ("label = \"recovery\"", "label = \"laptop\""),
        ("issued = \"never\"", "issued = \"2027-01-15T08:00:00Z\""),
        ("", "label = \"laptop\"\n"),
        ("attested = true\nlabel", "label"),
    ] {
        assert!(text.contains(right), "{right}: {}", *text);
        assert!(credentials_text::read(&text.replacen(right, wrong, 1)).is_err(), "{wrong}");
    }
    let twice = text.replace(credentials_text::END, &text[text.find("[[ssh_key]]").unwrap()..]);
    assert!(credentials_text::read(&twice).is_err(), "the same key twice");
}

/// As many keys as one user can have.
fn ssh_keys() -> impl Strategy<Value = Vec<EnrolledKey>> {
    let label = r#"[a-zA-Z0-9 ü@"]{1,20}"#.prop_filter_map("a label", |text| Label::new(&text));
    let one = (label, 0_u64..4_000_000_000, any::<bool>());
    proptest::collection::vec(one, 0..=MOST_SSH_KEYS).prop_map(|rows| {
        let key = crate::codes::ssh_key::tests::key;
        let enrolled = |(byte, (label, time, is_attested))| EnrolledKey {
            key: key(byte),
            label,
            issued: UnixTime::from_seconds(time),
            attestation: if is_attested { Attestation::Checked } else { Attestation::None },
        };
        (0..).zip(rows).map(enrolled).collect()
    })
}

proptest! {
    #[test]
    fn the_state_we_write_is_the_state_we_read(state in states()) {
        prop_assert_eq!(state_text::read(&state_text::write(&state)).unwrap(), state);
    }

    #[test]
    fn the_credentials_we_write_are_the_credentials_we_read(
        apps in proptest::collection::vec(apps(), 0..4),
        recovery in proptest::collection::vec(digests(), 0..=MOST_RECOVERY_CODES),
        held in proptest::collection::vec(held(), 0..4),
        ssh_keys in ssh_keys(),
    ) {
        let mut labels: Vec<_> = apps.iter().map(|app| app.token().label.clone()).collect();
        labels.sort();
        labels.dedup();
        prop_assume!(labels.len() == apps.len());
        let credentials = Credentials { apps, salt: Salt::generate().unwrap(), recovery, held, ssh_keys };
        let written = credentials_text::write(&credentials);
        prop_assert!(2 * written.len() < LARGEST_SECRET);
        let read = credentials_text::read(&written).unwrap();
        prop_assert!(*credentials_text::write(&read) == *written);
        prop_assert_eq!(&read.recovery, &credentials.recovery);
        for (one, other) in read.apps.iter().zip(&credentials.apps) {
            prop_assert_eq!(one.token().secret.expose(), other.token().secret.expose());
            prop_assert_eq!(one.token().parameters, other.token().parameters);
            prop_assert_eq!(one.confirmation(), other.confirmation());
        }
        prop_assert_eq!(&read.ssh_keys, &credentials.ssh_keys);
        prop_assert_eq!(read.held.len(), credentials.held.len());
        for (one, other) in read.held.iter().zip(&credentials.held) {
            prop_assert_eq!(&one.token.serial, &other.token.serial);
            prop_assert_eq!(one.token.secret.expose(), other.token.secret.expose());
            prop_assert_eq!(one.token.parameters, other.token.parameters);
            prop_assert_eq!(one.token.start, other.token.start);
            prop_assert_eq!((one.status, one.first_use), (other.status, other.first_use));
        }
    }

    #[test]
    fn no_file_content_makes_the_readers_panic(text in ".{0,400}") {
        let _ = state_text::read(&text);
        let _ = credentials_text::read(&text);
        let _ = crate::config::Config::parse(&text);
    }

    #[test]
    fn whatever_is_typed_whenever_no_code_is_accepted_twice(
        logins in proptest::collection::vec((0_u64..90, -3_i64..=3), 1..12),
    ) {
        let fixture = Fixture::new();
        let mut now = NOW;
        let mut accepted = Vec::new();
        for (wait, offset) in logins {
            now = now.after(Duration::from_secs(wait));
            let code = fixture.code(offset, now);
            if fixture.accepts(&code, now) {
                let step = otp::current_step(Period::THIRTY, now).0.checked_add_signed(offset).unwrap();
                prop_assert!(!accepted.contains(&step));
                accepted.push(step);
            }
        }
    }
}
