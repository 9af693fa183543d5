//! A process in which many users log in at once, through the links of several hosts, and one in which they enroll.
//!
//! A login is the question that the module asks when a user types a code. Codes count, and each is used once.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use twofactor_core::account::enrollment::Proposal;
use twofactor_core::account::factors::Factors;
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::{Algorithm, Digits, Kind, Parameters, Window};
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::Label;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::broker::{Broker, PATIENCE};
use twofactor_core::store::{
    Attempt, EnrollmentStore as _, Pending, PendingFactor, Redemption, SecretOrigin, Store as _,
};
use twofactor_tests::oathtool::{self, Authenticator};

/// A load, as the parent orders it.
pub(crate) struct Load<'s> {
    pub(crate) program: PathBuf,
    pub(crate) sockets: &'s [PathBuf],
    /// The file of users and codes.
    pub(crate) users: PathBuf,
    pub(crate) at_once: usize,
    pub(crate) seconds: u64,
    /// Logins in a second; `None` for as many as it takes.
    pub(crate) rate: Option<f64>,
}

/// The outcome of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
    pub(crate) took: Duration,
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
}

impl Outcome {
    #[allow(clippy::cast_precision_loss, reason = "a number of logins is far below 2^52")]
    pub(crate) fn accepted_per_second(&self) -> f64 {
        self.accepted as f64 / self.took.as_secs_f64()
    }
}

impl Load<'_> {
    /// Runs it in a process of its own: a private host's first process starts no threads.
    pub(crate) fn run(&self) -> Outcome {
        let mut command = Command::new(&self.program);
        command.arg("fleet-load").arg(&self.users);
        command.args([self.at_once.to_string(), self.seconds.to_string()]);
        command.arg(self.rate.unwrap_or_default().to_string()).args(self.sockets);
        let output = command.stderr(Stdio::inherit()).output().expect("it starts");
        assert!(output.status.success(), "a load runs to its end");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        let [accepted, refused, took, median, p99] = numbers.as_slice() else { panic!("not a report: {text}") };
        let count = |number: &u64| usize::try_from(*number).expect("a number fits");
        let [took, median, p99] = [took, median, p99].map(|time| super::microseconds(*time));
        Outcome { accepted: count(accepted), refused: count(refused), took, median, p99 }
    }
}

/// A user, and codes that are good in their order.
struct User {
    person: Person,
    codes: Vec<String>,
}

fn read_users(file: &Path) -> Vec<User> {
    let text = fs::read_to_string(file).expect("the file of users");
    let user = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        User { person: person(name), codes: words.map(str::to_owned).collect() }
    };
    text.lines().map(user).collect()
}

fn person(name: &str) -> Person {
    Person { name: UserName::new(name).expect("a name"), uid: Uid(1001) }
}

fn link(socket: &Path) -> Broker {
    Broker::link(socket, Owner::ROOT, PATIENCE)
}

/// The process of a load.
pub(crate) fn serve(users: &Path, at_once: usize, seconds: u64, rate: f64, sockets: &[&str]) {
    let users = read_users(users);
    let pace = (rate > 0.0).then(|| Duration::from_secs_f64(1.0 / rate));
    let turn = AtomicUsize::new(0);
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let share = users.len() / at_once;
    let done: Vec<(usize, Vec<Duration>)> = thread::scope(|scope| {
        let working: Vec<_> = users
            .chunks(share)
            .zip(sockets.iter().cycle())
            .map(|(users, socket)| {
                let turn = &turn;
                scope.spawn(move || log_in(users, Path::new(socket), began, end, pace.map(|pace| (pace, turn))))
            })
            .collect();
        working.into_iter().map(|work| work.join().expect("it ends")).collect()
    });
    let took = began.elapsed();
    let refused: usize = done.iter().map(|(refused, _)| refused).sum();
    let mut times: Vec<Duration> = done.into_iter().flat_map(|(_, times)| times).collect();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_micros();
    println!("{} {refused} {} {} {}", times.len(), took.as_micros(), at(50), at(99));
}

/// Logs users in, in turn, until `end`. Where there is a pace, a login begins at its time, and what it waits for counts.
fn log_in(
    users: &[User],
    socket: &Path,
    began: Instant,
    end: Instant,
    pace: Option<(Duration, &AtomicUsize)>,
) -> (usize, Vec<Duration>) {
    let (mut refused, mut times) = (0, Vec::new());
    let most = users.first().map_or(0, |user| user.codes.len());
    for round in 0..most {
        for user in users {
            let mut from = Instant::now();
            if let Some((pace, turn)) = pace {
                let number = u32::try_from(turn.fetch_add(1, Ordering::Relaxed)).expect("not so many");
                from = began + pace * number;
                sleep(from.saturating_duration_since(Instant::now()));
            }
            if from >= end {
                return (refused, times);
            }
            let Some(code) = user.codes.get(round) else { continue };
            if redeem(&link(socket), &user.person, code) {
                times.push(from.elapsed());
            } else {
                refused += 1;
            }
        }
    }
    (refused, times)
}

fn redeem(store: &Broker, person: &Person, typed: &str) -> bool {
    let (readings, source) = ([Answer::parse(typed.as_bytes())], Source::from_rhost(Some("192.0.2.7")));
    let attempt =
        Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember: None };
    match store.redeem(person, &attempt) {
        Ok(redeemed) => matches!(redeemed, Redemption::Redeemed(_)),
        Err(error) => {
            eprintln!("bench: {error}");
            false
        }
    }
}

/// The process of an enrollment: users with an app that counts, and their codes into a file.
pub(crate) fn enroll(socket: &Path, file: &Path, prefix: &str, count: usize, codes: usize) {
    let mut text = String::new();
    for number in 0..count {
        let name = format!("{prefix}-{number}");
        let secret = Secret::generate(20).expect("random bytes");
        let app = Authenticator {
            secret: secret.expose_base32().to_string(),
            algorithm: "SHA1".to_owned(),
            digits: 6,
            kind: oathtool::Kind::Counter,
        };
        let digits = Digits::new(6).expect("six digits");
        let parameters = Parameters { algorithm: Algorithm::Sha1, digits, kind: Kind::Hotp };
        let now = UnixTime::from_seconds(oathtool::now());
        let proposal = Proposal::with_secret(secret, Label::app(), parameters, "example.org", &name, now);
        let app_of_user = proposal.expect("a serial").vouch();
        let factor = PendingFactor::App { app: app_of_user, recovery: Vec::new(), secret: SecretOrigin::New };
        let pending = Pending { user: person(&name), factor, invitation: None };
        link(socket).store_pending(pending).unwrap_or_else(|error| panic!("{name} is not enrolled: {error}"));
        let shown = app.counter_codes(0, u64::try_from(codes).expect("a number fits"));
        let _ = writeln!(text, "{name} {}", in_their_order(&shown).join(" "));
    }
    fs::write(file, text).expect("the file of users");
}

/// Digits that come again within the look-ahead are the later code: those between would be used up by the first.
fn in_their_order(codes: &[String]) -> Vec<&str> {
    let look_ahead = usize::from(Window::default().look_ahead);
    let (mut next, mut good) = (0, Vec::new());
    while let Some(code) = codes.get(next) {
        let last = (codes.len() - 1).min(next + look_ahead);
        let again = (next..=last).rev().find(|later| codes[*later] == *code);
        good.push(code.as_str());
        next = again.unwrap_or(next) + 1;
    }
    good
}
