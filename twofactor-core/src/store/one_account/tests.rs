//! An account in memory is judged as one in files is: random histories on both, compared after each attempt.

mod administration;
mod own_notices;
mod own_tokens;

use super::*;
use crate::account::enrollment::{self, Proposal};
use crate::account::factors::Factors;
use crate::account::remembered::{LoginPlace, Recall};
use crate::account::throttle::Source;
use crate::account::{App, State};
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Kind, Parameters, Period, Step, code_of};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::Secret;
use crate::codes::token::Label;
use crate::config::Config;
use crate::host::clock::{HandSet, UnixTime};
use crate::host::trusted::{Owner, private_directory};
use crate::host::user::{Person, UserName, person};
use crate::log::reason::Reason;
use crate::store::administration::{
    AccountAdministration as _, BackupRecord, Existing, InvitationAdministration as _, StateBackup as _,
};
use crate::store::files::{Files, PATIENCE};
use crate::store::rules::VerificationRules;
use crate::store::state_text;
use crate::store::{
    Attempt, EnrollmentStatus, EnrollmentStore as _, Pending, PendingFactor, Presence, Redemption, SecretOrigin,
    Store as _, StoreError, Superseded,
};
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::time::Duration;
use zeroize::Zeroizing;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// The records of an account, as a database keeps them, and what reads and writes them.
struct Kept {
    read: Read,
    rules: VerificationRules,
    decoy: Decoy,
    /// The number of writes for attempts that change nothing.
    in_vain: usize,
}

impl Kept {
    fn nothing() -> Self {
        let rules = VerificationRules::of(&Config::default());
        Self { read: Read::default(), rules, decoy: Decoy::new(NOW).unwrap(), in_vain: 0 }
    }

    /// A copy of what the files keep of alice.
    fn copied(files: &Files) -> Self {
        let mut kept = Self::nothing();
        let taken = files.back_up(&mut |record| {
            if let BackupRecord::Account(record) = record {
                kept.read = Read { credentials: record.credentials, state: Some(record.state) };
            }
            ControlFlow::Continue(())
        });
        assert!(taken.unwrap().1.is_empty());
        kept
    }

    fn ask<T>(&mut self, now: UnixTime, ask: impl FnOnce(&OneAccount<'_>) -> T) -> Result<T, StoreError> {
        let account = OneAccount::of(alice().name, &self.read, self.rules, &self.decoy, now)?;
        let answer = ask(&account);
        match account.into_change() {
            Change::Nothing => {}
            Change::InVain => self.in_vain += 1,
            Change::State(state) => self.read.state = Some(state),
            Change::Forgotten { state } => self.read = Read { credentials: None, state: Some(state) },
            Change::Both { credentials, state } => {
                self.read = Read { credentials: Some(credentials), state: Some(state) };
            }
        }
        Ok(answer)
    }

    fn state(&self) -> State {
        state_text::read(self.read.state.as_ref().unwrap()).unwrap()
    }
}

fn alice() -> Person {
    person("alice", 1001)
}

fn secret() -> Secret {
    Secret::from_bytes(Zeroizing::new(b"12345678901234567890".to_vec())).unwrap()
}

fn app(kind: Kind) -> App {
    let parameters = Parameters { kind, ..Parameters::default() };
    Proposal::with_secret(secret(), Label::app(), parameters, "example.org", "alice", NOW).unwrap().vouch()
}

/// An attempt of a history.
#[derive(Debug, Clone)]
enum Typed {
    /// The code so many steps from where the clock, or the counter, stands.
    Code(i64),
    /// The same, with the code of the attempt before.
    Next(i64),
    /// One of the recovery codes.
    Recovery(usize),
    /// Digits, hardly ever a code.
    Digits(u32),
    /// No guess.
    Letters,
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        4 => (-3_i64..5).prop_map(Typed::Code),
        2 => (-3_i64..40).prop_map(Typed::Code),
        2 => (0_i64..40).prop_map(Typed::Next),
        1 => (0_usize..3).prop_map(Typed::Recovery),
        3 => (0_u32..1_000_000).prop_map(Typed::Digits),
        1 => Just(Typed::Letters),
    ]
}

/// The pauses between attempts, in seconds; the clock may be set back.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![5 => 0_i64..40, 2 => 30_i64..2000, 1 => -4000_i64..0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn of_each_history_the_files_and_the_copy_say_and_keep_the_same(
        is_counter in any::<bool>(),
        history in prop::collection::vec((typed(), pause(), 0_usize..3), 1..24),
    ) {
        let folder = private_directory();
        let clock = HandSet::at(NOW);
        let files = Files::new(folder.path(), Owner(nix::unistd::geteuid().as_raw()), PATIENCE, clock.clone());
        let kind = if is_counter { Kind::Hotp } else { Kind::Totp(Period::THIRTY) };
        let recovery = enrollment::recovery_codes(3).unwrap();
        files.enroll(&alice(), app(kind), Some(&recovery), Existing::Keep).unwrap();
        let mut kept = Kept::copied(&files);
        let sources = ["192.0.2.7", "192.0.2.8", "2001:db8::1"].map(|address| Source::from_rhost(Some(address)));
        let (mut now, mut before) = (NOW, None);
        for (typed, pause, source) in history {
            now = UnixTime::from_seconds(now.seconds().saturating_add_signed(pause));
            clock.set(now);
            let here = if is_counter { 3 } else { now.seconds() / 30 };
            let parameters = Parameters { kind, ..Parameters::default() };
            let code = |steps| code_of(&secret(), parameters, Step(here.saturating_add_signed(steps)));
            let (answer, is_next) = match typed {
                Typed::Code(steps) => (code(steps), false),
                Typed::Next(steps) => (code(steps), true),
                Typed::Recovery(number) => (recovery[number].expose_grouped().to_string(), false),
                Typed::Digits(digits) => (format!("{digits:06}"), false),
                Typed::Letters => ("letters".to_owned(), false),
            };
            let readings = [Answer::parse(answer.as_bytes())];
            let previous: Option<Code> = before.take().filter(|_| is_next);
            let (place, longest) = (LoginPlace { service: "sshd", address: "192.0.2.7".parse().unwrap() }, Duration::from_mins(5));
            let remember = Some((place, longest));
            let (previous, source) = (previous.as_ref(), &sources[source]);
            let attempt = Attempt { readings: &readings, previous, source, factors: Factors::ALL, remember };
            let by_files = files.redeem(&alice(), &attempt).unwrap();
            let by_copy = kept.ask(now, |account| account.redeem(&alice(), &attempt)).unwrap().unwrap();
            prop_assert_eq!(format!("{by_files:?}"), format!("{by_copy:?}"));
            let state = Kept::copied(&files).state();
            prop_assert_eq!(&kept.state(), &state);
            let like = Recall { place, longest };
            let is_remembered = files.remembers(&alice(), &like, Factors::ALL).unwrap().is_some();
            prop_assert_eq!(kept.ask(now, |account| account.remembers(&alice(), &like, Factors::ALL).unwrap().is_some()).unwrap(), is_remembered);
            before = Code::new(Zeroizing::new(answer));
        }
    }
}

fn attempting<T>(typed: &str, ask: impl FnOnce(&Attempt<'_>) -> T) -> T {
    let (readings, source) = ([Answer::parse(typed.as_bytes())], Source::from_rhost(None));
    ask(&Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember: None })
}

#[test]
fn of_a_user_without_an_account_nothing_is_kept_and_as_much_is_written() {
    let mut kept = Kept::nothing();
    let presence = kept.ask(NOW, |account| account.presence(&alice().name)).unwrap().unwrap();
    assert!(matches!(presence, Presence::Absent(_)) && kept.in_vain == 0);
    let redemption = attempting("letters", |attempt| kept.ask(NOW, |account| account.redeem(&alice(), attempt)));
    assert!(matches!(redemption.unwrap().unwrap(), Redemption::Refused { reason: Reason::NotEnrolled, .. }));
    attempting("letters", |attempt| kept.ask(NOW, |account| account.pretend(attempt))).unwrap();
    assert_eq!((kept.in_vain, kept.read.state.is_none()), (2, true));
}

#[test]
fn a_user_enrolls_once_with_an_invitation_and_the_uid_of_a_host_counts_for_nothing() {
    let folder = private_directory();
    let files = Files::new(folder.path(), Owner(nix::unistd::geteuid().as_raw()), PATIENCE, NOW);
    let code = files.invite(&alice(), NOW.after(Duration::from_hours(1))).unwrap();
    let mut kept = Kept::copied(&files);
    let elsewhere = person("alice", 5005);
    let check = attempting("", |attempt| {
        kept.ask(NOW, |account| account.check_invitation(&elsewhere, &code, attempt)).unwrap().unwrap()
    });
    let invitation = check.unwrap();
    let pending = |invitation| {
        let factor = PendingFactor::App {
            app: app(Kind::Totp(Period::THIRTY)),
            recovery: Vec::new(),
            secret: SecretOrigin::New,
        };
        Pending { user: person("alice", 5005), factor, invitation }
    };
    kept.ask(NOW, |account| account.store_pending(pending(Some(invitation)))).unwrap().unwrap();
    let status = kept.ask(NOW, |account| account.enrollment_status(&alice())).unwrap().unwrap();
    assert!(matches!(status, EnrollmentStatus::Enrolled));
    let again = kept.ask(NOW, |account| account.store_pending(pending(Some(invitation)))).unwrap();
    assert!(matches!(again, Err(Superseded::Enrolled)), "{again:?}");
    let code = code_of(&secret(), Parameters::default(), Step(NOW.seconds() / 30));
    let redemption = attempting(&code, |attempt| kept.ask(NOW, |account| account.redeem(&elsewhere, attempt)));
    assert!(matches!(redemption.unwrap().unwrap(), Redemption::Redeemed(_)));
}

#[test]
fn half_an_account_and_a_damaged_one_open_nothing() {
    let folder = private_directory();
    let files = Files::new(folder.path(), Owner(nix::unistd::geteuid().as_raw()), PATIENCE, NOW);
    files.enroll(&alice(), app(Kind::Hotp), Some(&[RecoveryCode::generate().unwrap()]), Existing::Keep).unwrap();
    let whole = || Kept::copied(&files).read;
    let cut = |text: Option<Zeroizing<String>>| text.map(|text| Zeroizing::new(text[..text.len() - 9].to_owned()));
    let without_state = Read { state: None, ..whole() };
    let without_credentials = Read { credentials: None, ..whole() };
    let (cut_state, cut_credentials) =
        (Read { state: cut(whole().state), ..whole() }, Read { credentials: cut(whole().credentials), ..whole() });
    for read in [without_state, without_credentials, cut_state, cut_credentials] {
        let mut kept = Kept { read, ..Kept::copied(&files) };
        let error = kept.ask(NOW, |_| ()).unwrap_err();
        assert_eq!(error.reason(), Reason::StoreCorrupt, "{error}");
    }
}

#[test]
fn a_question_about_another_user_is_refused() {
    let mut kept = Kept::nothing();
    let error = kept.ask(NOW, |account| account.presence(&UserName::new("bob").unwrap())).unwrap().unwrap_err();
    assert_eq!(error.reason(), Reason::StoreUnavailable, "{error}");
}
