//! Random histories of an account, once in files and once in PostgreSQL: each verdict is compared, and after it all that a sysadmin can
//! see, which is watermarks, drifts and throttles with their times.
//!
//! `make fleet-histories HISTORIES=100000` runs many, in release: more than a hundred a second on two cores. `make test` runs a few
//! hundred. A history is a function of the seed and its number, which
//! a failure names: `SEED=… FIRST=… HISTORIES=1` repeats it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use twofactor_core::account::App;
use twofactor_core::account::enrollment;
use twofactor_core::account::factors::Factors;
use twofactor_core::account::invitation::InvitationCode;
use twofactor_core::account::remembered::{LoginPlace, Recall};
use twofactor_core::account::throttle::{Count, Source};
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::{Code, Kind, Parameters, Period, Progress};
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::{Label, Serial, Token};
use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock, ClockError, UnixTime};
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::administration::{AccountStatus, AdministeredStore, Existing, Newcomer, Reset};
use twofactor_core::store::files::Files;
use twofactor_core::store::{Attempt, Pending, PendingFactor, Redemption, SecretOrigin};
use twofactor_server::{Central, init_keys, read_keys};
use twofactor_tests::oathtool::{Authenticator, Kind as Made};
use twofactor_tests::postgres::Postgres;
use zeroize::Zeroizing;

use super::{Fleet, owner};

/// The beginning of each history: the first second of a step.
const NOW: u64 = 1_800_000_000;
/// A history stays within so many steps of its beginning.
const STEPS: u64 = 2_000;
/// The number of histories that a run of all tests has time for.
const FEW: u64 = 200;
/// Most deeds of a history.
const LONGEST: u64 = 14;
const SECRETS: [&[u8; 20]; 4] =
    [b"the first secret of.", b"the second secret of", b"a third that counts.", b"one made at a login."];
/// The secrets that a sysadmin enrolls. No login makes one that is there already.
const OF_SYSADMIN: usize = 3;
/// The secret with a counter.
const COUNTING: usize = 2;
const LABELS: [&str; 2] = ["app", "work"];
/// The settings of a cluster that survives no crash: without flushes, and without the log of every statement, which other tests read.
const QUICK: [&str; 9] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=4GB",
    "track_activities=off",
    "log_statement=none",
    "log_min_duration_statement=-1",
];
const SOURCES: [&str; 3] = ["192.0.2.7", "192.0.2.8", "2001:db8::1"];

/// SplitMix64: a history must be the same wherever it is repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick(&mut self, of: usize) -> usize {
        usize::try_from(self.roll(of as u64)).unwrap()
    }

    fn between(&mut self, lowest: i64, highest: i64) -> i64 {
        lowest + i64::try_from(self.roll(u64::try_from(highest - lowest + 1).unwrap())).unwrap()
    }
}

/// A clock that a history sets, of both stores.
#[derive(Debug, Clone)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime::from_seconds(self.0.load(Ordering::SeqCst)))
    }
}

/// An event in the life of an account.
#[derive(Debug, Clone)]
enum Deed {
    Enroll {
        secret: usize,
        label: usize,
        existing: Existing,
        recovery: bool,
    },
    MoveIn {
        secret: usize,
        existing: Existing,
    },
    Reset(Reset),
    Recovery,
    GiveCode,
    RevokeCode,
    Unlock,
    Invite,
    RevokeInvitation,
    /// At a login, with the invitation or without.
    EnrollAtLogin {
        invited: bool,
    },
    Type {
        typed: Typed,
        source: usize,
        after_the_last: bool,
        remember: bool,
    },
    Strip {
        typed: Typed,
        source: usize,
    },
    Verify(Typed),
}

#[derive(Debug, Clone)]
enum Typed {
    /// The code of a secret, so many steps from now.
    Code(usize, i64),
    /// The last answer once more.
    Again,
    Recovery(usize),
    Temporary,
    Digits(u64),
    Letters,
}

impl Typed {
    fn any(dice: &mut Dice) -> Self {
        match dice.roll(16) {
            0..=5 => Self::Code(dice.pick(SECRETS.len()), dice.between(-2, 2)),
            6..=8 => Self::Code(dice.pick(SECRETS.len()), dice.between(-60, 60)),
            9 | 10 => Self::Again,
            11 => Self::Recovery(dice.pick(3)),
            12 => Self::Temporary,
            13 | 14 => Self::Digits(dice.roll(1_000_000)),
            _ => Self::Letters,
        }
    }
}

impl Deed {
    fn any(dice: &mut Dice) -> Self {
        let existing = |dice: &mut Dice| if dice.roll(2) == 0 { Existing::Keep } else { Existing::Replace };
        match dice.roll(40) {
            0..=3 => Self::Enroll {
                secret: dice.pick(OF_SYSADMIN),
                label: dice.pick(LABELS.len()),
                existing: existing(dice),
                recovery: dice.roll(2) == 0,
            },
            4 => Self::MoveIn { secret: dice.pick(OF_SYSADMIN), existing: existing(dice) },
            5 => Self::Reset(Reset::Everything),
            6 => Self::Reset(Reset::Confirmations),
            7 => Self::Recovery,
            8 | 9 => Self::GiveCode,
            10 => Self::RevokeCode,
            11 | 12 => Self::Unlock,
            13 => Self::Invite,
            14 => Self::RevokeInvitation,
            15 | 16 => Self::EnrollAtLogin { invited: dice.roll(2) == 0 },
            17 | 18 => Self::Strip { typed: Typed::any(dice), source: dice.pick(SOURCES.len()) },
            19 => Self::Verify(Typed::any(dice)),
            _ => Self::Type {
                typed: Typed::any(dice),
                source: dice.pick(SOURCES.len()),
                after_the_last: dice.roll(4) == 0,
                remember: dice.roll(4) == 0,
            },
        }
    }
}

/// The codes of all secrets, from oathtool.
struct Shown(Vec<Vec<String>>);

impl Shown {
    fn all() -> Self {
        let codes = |(number, secret): (usize, &&[u8; 20])| {
            let secret = Secret::from_bytes(Zeroizing::new(secret.to_vec())).unwrap().expose_base32().to_string();
            let kind = if number == COUNTING { Made::Counter } else { Made::Time(30) };
            let app = Authenticator { secret, algorithm: "SHA1".to_owned(), digits: 6, kind };
            match kind {
                Made::Counter => app.counter_codes(0, 2 * STEPS),
                Made::Time(_) => app.codes_from(NOW - STEPS * 30, 2 * STEPS),
            }
        };
        Self(SECRETS.iter().enumerate().map(codes).collect())
    }

    fn code(&self, secret: usize, now: u64, steps: i64) -> &str {
        let here = if secret == COUNTING { 60 } else { STEPS + now / 30 - NOW / 30 };
        let step = usize::try_from(here.saturating_add_signed(steps)).unwrap();
        self.0[secret].get(step).map_or("no code", String::as_str)
    }
}

fn parameters(secret: usize) -> Parameters {
    let kind = if secret == COUNTING { Kind::Hotp } else { Kind::Totp(Period::THIRTY) };
    Parameters { kind, ..Parameters::default() }
}

fn secret(number: usize) -> Secret {
    Secret::from_bytes(Zeroizing::new(SECRETS[number].to_vec())).unwrap()
}

fn app(number: usize, label: usize) -> App {
    let (serial, label) =
        (Serial::new(&format!("{}-{number}", LABELS[label])).unwrap(), Label::new(LABELS[label]).unwrap());
    let (secret, parameters, issued) = (secret(number), parameters(number), UnixTime::from_seconds(NOW));
    App::vouched_for(Token { serial, label, secret, parameters, issued, start: Progress::default() })
}

/// One of the two stores, and the random codes that it has handed out.
struct Side<'s> {
    store: &'s dyn AdministeredStore,
    temporary: String,
    invitation: Option<InvitationCode>,
    /// The last answer: of temporary codes each side has its own.
    last: String,
}

/// The parts that both sides share.
struct Scene<'s> {
    shown: &'s Shown,
    alice: Person,
    now: u64,
    recovery: Vec<RecoveryCode>,
    new_recovery: Vec<RecoveryCode>,
}

impl Scene<'_> {
    fn text(&self, typed: &Typed, side: &Side<'_>) -> String {
        match typed {
            Typed::Code(secret, steps) => self.shown.code(*secret, self.now, *steps).to_owned(),
            Typed::Again => side.last.clone(),
            Typed::Recovery(number) => {
                self.recovery.get(*number).map_or_else(String::new, |code| code.expose_grouped().to_string())
            }
            Typed::Temporary => side.temporary.clone(),
            Typed::Digits(digits) => format!("{digits:06}"),
            Typed::Letters => "letters".to_owned(),
        }
    }

    /// Does a deed, and gives what was said about it, without what is random.
    fn act(&self, deed: &Deed, side: &mut Side<'_>) -> String {
        let (store, alice, user) = (side.store, &self.alice, &self.alice.name);
        let until = UnixTime::from_seconds(self.now + 3600);
        match deed {
            Deed::Enroll { secret, label, existing, recovery } => {
                let recovery = recovery.then_some(self.new_recovery.as_slice());
                format!("{:?}", store.enroll(alice, app(*secret, *label), recovery, *existing))
            }
            Deed::MoveIn { secret, existing } => {
                format!("{:?}", store.move_in(alice, vec![app(*secret, 0)], &self.new_recovery, *existing))
            }
            Deed::Reset(reset) => format!("{:?}", store.reset(user, *reset)),
            Deed::Recovery => format!("{:?}", store.replace_recovery(user, &self.new_recovery)),
            Deed::GiveCode => match store.give_code(alice, until).unwrap() {
                Some(code) => {
                    side.temporary = code.expose_grouped().to_string();
                    "given".to_owned()
                }
                None => "not enrolled".to_owned(),
            },
            Deed::RevokeCode => format!("{:?}", store.revoke_code(user)),
            Deed::Unlock => format!("{:?}", store.unlock(user)),
            Deed::Invite => {
                side.invitation = Some(store.invite(alice, until).unwrap());
                "invited".to_owned()
            }
            Deed::RevokeInvitation => format!("{:?}", store.revoke_invitation(user)),
            Deed::EnrollAtLogin { invited } => self.enroll_at_login(side, *invited),
            Deed::Type { typed, source, after_the_last, remember } => {
                let text = self.text(typed, side);
                let previous = Code::new(Zeroizing::new(side.last.clone())).filter(|_| *after_the_last);
                let remember = remember.then_some((Self::place(), Duration::from_mins(5)));
                let attempt = |attempt: Attempt<'_>| {
                    let attempt = Attempt { previous: previous.as_ref(), remember, ..attempt };
                    match store.redeem(alice, &attempt) {
                        Ok(Redemption::Redeemed(redeemed)) => format!("{:?}", redeemed.factor()),
                        other => format!("{other:?}"),
                    }
                };
                attempting(&text, *source, attempt)
            }
            Deed::Strip { typed, source } => {
                attempting(&self.text(typed, side), *source, |attempt| format!("{:?}", store.strip(alice, &attempt)))
            }
            Deed::Verify(typed) => {
                without_digests(&format!("{:?}", store.verify(user, Answer::parse(self.text(typed, side).as_bytes()))))
            }
        }
    }

    fn enroll_at_login(&self, side: &Side<'_>, invited: bool) -> String {
        let typed = side.invitation.as_ref().filter(|_| invited);
        let check = |typed: &InvitationCode| {
            attempting("", 0, |attempt| side.store.check_invitation(&self.alice, typed, &attempt)).unwrap()
        };
        let invitation = match typed.map(check).transpose() {
            Ok(invitation) => invitation,
            Err(reason) => return format!("{reason:?}"),
        };
        let factor = PendingFactor::App {
            app: app(OF_SYSADMIN, 0),
            recovery: self.new_recovery.clone(),
            secret: SecretOrigin::New,
        };
        format!("{:?}", side.store.store_pending(Pending { user: self.alice.clone(), factor, invitation }))
    }

    fn place() -> LoginPlace<'static> {
        LoginPlace { service: "sshd", address: SOURCES[0].parse().unwrap() }
    }

    /// All that can be seen of the account, but for the uid. Of the throttles one, which the dice choose.
    fn seen(&self, store: &dyn AdministeredStore, (source, count): (usize, usize)) -> String {
        let user = &self.alice.name;
        let source = Source::from_rhost(Some(SOURCES[source]));
        let blocked = store.blocked_until(user, Count::ALL[count], &source).unwrap();
        let Some(status) = store.status(user).unwrap() else {
            let newcomer = store.newcomer(user).unwrap().map(|newcomer| Newcomer { uid: None, ..newcomer });
            return format!("{newcomer:?} {blocked:?}");
        };
        let status = AccountStatus { uid: None, ..status };
        let secrets = store.export(user).unwrap();
        if count > 0 {
            return format!("{status:?} {secrets:?} {blocked:?}");
        }
        let like = Recall { place: Self::place(), longest: Duration::from_mins(5) };
        let is_remembered = store.remembers(&self.alice, &like, Factors::ALL).unwrap().is_some();
        format!("{status:?} {secrets:?} {blocked:?} {is_remembered}")
    }
}

/// The text without the numbers of digests, whose salts differ.
fn without_digests(text: &str) -> String {
    let mut parts = text.split("Digest([");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("])").map_or(part, |(_, rest)| rest))
}

fn attempting<T>(text: &str, source: usize, ask: impl FnOnce(Attempt<'_>) -> T) -> T {
    let (readings, source) = ([Answer::parse(text.as_bytes())], Source::from_rhost(Some(SOURCES[source])));
    ask(Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember: None })
}

/// The pause before a deed, in seconds. The clock may be set back.
fn pause(dice: &mut Dice) -> i64 {
    match dice.roll(8) {
        0 => dice.between(-2000, -1),
        1 | 2 => dice.between(30, 2000),
        _ => dice.between(0, 40),
    }
}

/// Lives through a history on both stores. The error says what differs.
fn live(seed: u64, number: u64, shown: &Shown, central: &Central, clock: &Hand) -> Result<(), String> {
    let mut dice = Dice(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
    let folder = in_memory();
    let files = Files::new(folder.path(), owner(), Duration::from_secs(10), clock.clone());
    let alice = Person { name: UserName::new(&format!("u{number}")).unwrap(), uid: Uid(1001) };
    let mut scene = Scene { shown, alice, now: NOW, recovery: Vec::new(), new_recovery: Vec::new() };
    let side = |store| Side { store, temporary: String::new(), invitation: None, last: String::new() };
    let (mut here, mut there): (Side<'_>, Side<'_>) = (side(&files), side(central));
    let mut story = Vec::new();
    for _ in 0..=dice.roll(LONGEST) {
        let within = NOW - (STEPS - 100) * 30..=NOW + (STEPS - 100) * 30;
        scene.now = scene.now.saturating_add_signed(pause(&mut dice)).clamp(*within.start(), *within.end());
        clock.0.store(scene.now, Ordering::SeqCst);
        let deed = Deed::any(&mut dice);
        story.push(format!("{} s: {deed:?}", i64::try_from(scene.now).unwrap() - i64::try_from(NOW).unwrap()));
        scene.new_recovery = enrollment::recovery_codes(3).unwrap();
        let said = [&mut here, &mut there].map(|side| scene.act(&deed, side));
        let throttle = (dice.pick(SOURCES.len()), dice.pick(Count::ALL.len()));
        let looks = [&here, &there].map(|side| scene.seen(side.store, throttle));
        for [files, postgresql] in [&said, &looks] {
            if files != postgresql {
                return Err(format!(
                    "history {number} of seed {seed}:\n  {}\nfiles:      {files}\nPostgreSQL: {postgresql}",
                    story.join("\n  ")
                ));
            }
        }
        match &deed {
            Deed::Type { typed, .. } | Deed::Strip { typed, .. } => {
                for side in [&mut here, &mut there] {
                    side.last = scene.text(typed, side);
                }
            }
            Deed::Enroll { recovery: true, .. } | Deed::Recovery | Deed::MoveIn { .. } | Deed::EnrollAtLogin { .. }
                if said[0].starts_with("Ok") && said[0] != "Ok(false)" =>
            {
                scene.recovery = scene.new_recovery.clone();
            }
            _ => {}
        }
    }
    Ok(())
}

/// A folder whose flushes cost nothing.
fn in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn of_each_random_history_files_and_postgresql_give_the_same_verdicts_watermarks_drifts_and_throttles() {
    if !Fleet::<Postgres>::postgres_is_there() {
        return;
    }
    let (seed, first) = (asked("SEED").unwrap_or(16), asked("FIRST").unwrap_or(0));
    let end = first + asked("HISTORIES").unwrap_or(FEW);
    let postgres = Postgres::start(&QUICK);
    let keys = tempfile::tempdir().unwrap();
    let key_file = keys.path().join("seed.key");
    init_keys(&key_file, None).unwrap();
    let (shown, next, began) = (Shown::all(), AtomicU64::new(first), Instant::now());
    let live_some = || {
        let clock = Hand(Arc::new(NOW.into()));
        let (keys, config) = (read_keys(&key_file, owner()).unwrap(), Config::default());
        let postgresql = postgres.connection().parse().unwrap();
        let central = Central::open(postgresql, keys, &config, clock.clone(), "root".to_owned()).unwrap();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= end {
                return;
            }
            if let Err(differs) = live(seed, number, &shown, &central, &clock) {
                panic!("{differs}");
            }
            if number > first && (number - first) % 10_000 == 0 {
                println!("{}", rate(number - first, began));
            }
        }
    };
    // While one waits for the database, another judges.
    let workers = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(live_some);
        }
    });
    println!("seed {seed}: no difference in {}", rate(end - first, began));
}

/// The number of histories, and how many that is in a second.
fn rate(histories: u64, began: Instant) -> String {
    let seconds = began.elapsed().as_secs().max(1);
    format!("{histories} histories in {seconds} s: {} a second", histories / seconds)
}
