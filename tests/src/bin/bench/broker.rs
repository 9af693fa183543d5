//! The third part: what a login costs through the broker, and what the module and an idle broker weigh.
//!
//! Users log in with codes that count, so no user waits for one. The comparison is the same login in a
//! process of root, which opens the files itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{User, syncfs};
use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::Host;

use crate::asker::Asker;
use crate::machine::Meter;
use crate::progress;
use crate::statistics::Sample;
use crate::weight::{Memory, Weight};
use crate::{population, weight, worker};

/// Users whose lockers ask at the same moment.
pub(crate) const LOCKERS: usize = 32;

/// The extent of the measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Measured logins of each kind.
    pub(crate) logins: usize,
    /// The number of times that a library is loaded.
    pub(crate) loads: usize,
    /// The number of rounds in which all lockers ask at once, each a broker that has just started.
    pub(crate) rounds: usize,
}

impl Plan {
    /// For the report.
    pub(crate) const FULL: Self = Self { logins: 500, loads: 500, rounds: 20 };
    /// For work on the benchmark itself.
    pub(crate) const QUICK: Self = Self { logins: 60, loads: 100, rounds: 3 };
}

/// The token of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Factor {
    App,
    Token,
}

/// The process of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// Root's: it opens the files.
    Direct,
    /// The user's own: it asks the broker.
    Broker,
}

impl Factor {
    pub(crate) const ALL: [Self; 2] = [Self::App, Self::Token];
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Direct, Self::Broker];
}

/// The measurement.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) plan: Plan,
    pub(crate) module: Weight,
    pub(crate) pam_unix: Weight,
    pub(crate) logins: BTreeMap<(Factor, Way), Sample>,
    pub(crate) lockers: Lockers,
    pub(crate) idle: Memory,
    pub(crate) after_lockers: Memory,
    /// The part of the processors that programs of others used meanwhile.
    pub(crate) others: f64,
}

/// The outcome of lockers that ask at once.
#[derive(Debug, Default)]
pub(crate) struct Lockers {
    pub(crate) refused: usize,
    pub(crate) times: Sample,
    /// From the moment at which all begin until the last one is answered.
    pub(crate) all_answered: Sample,
    /// Memory of the broker after a round.
    after: Memory,
}

/// A user with a token, and the next of its codes.
pub(crate) struct Owner {
    pub(crate) name: String,
    uid: u32,
    codes: std::vec::IntoIter<String>,
}

impl Broker {
    /// Measures, with the state in a folder below `disk`.
    pub(crate) fn measure(host: &Host, disk: &Path, plan: Plan) -> Self {
        let meter = Meter::start();
        progress("loading modules");
        let (module, pam_unix) = weight::compared(host, plan.loads);
        let state = disk.join("broker");
        population::make_folder(&state);
        host.configure(&format!("[paths]\nstate = \"{}\"\n", state.display()));
        let logins = logins(host, &state, plan.logins);
        progress(&format!("{LOCKERS} lockers at once"));
        let idle = idle(host);
        let lockers = Lockers::measure(host, plan.rounds);
        let after_lockers = lockers.after;
        Self { plan, module, pam_unix, logins, lockers, idle, after_lockers, others: meter.others() }
    }

    pub(crate) fn median(&self, factor: Factor, way: Way) -> Duration {
        self.logins[&(factor, way)].median()
    }
}

impl Owner {
    /// A user whose app counts.
    pub(crate) fn of_an_app(host: &Host, name: &str, codes: usize) -> Self {
        host.add_user(name);
        let shown = host.succeed("twofactor", ["--json", "enroll", name, "--counter", "--no-confirm"]);
        let start = shown.find("otpauth://").expect("a URI");
        let uri = shown[start..].split('"').next().expect("a first part");
        Self::new(name, &Authenticator::from_uri(uri), codes)
    }

    /// A user with a token from a seed file.
    fn of_a_token(host: &Host, name: &str, codes: usize) -> Self {
        let fob = Fob::button(1);
        host.user_with(name, &fob);
        Self::new(name, &fob.authenticator, codes)
    }

    fn new(name: &str, authenticator: &Authenticator, codes: usize) -> Self {
        Self::with_codes(name, authenticator.counter_codes(0, u64::try_from(codes).expect("a number fits")))
    }

    /// A user of the host who is enrolled, with the codes to come.
    pub(crate) fn with_codes(name: &str, codes: Vec<String>) -> Self {
        let user = User::from_name(name).expect("a user database").expect("the user was added");
        Self { name: name.to_owned(), uid: user.uid.as_raw(), codes: codes.into_iter() }
    }

    pub(crate) fn code(&mut self) -> String {
        self.codes.next().expect("codes enough")
    }
}

/// One login at a time, with an app and with a token, in a process of root and in one of the user: all take turns.
fn logins(host: &Host, state: &Path, count: usize) -> BTreeMap<(Factor, Way), Sample> {
    const NOT_MEASURED: usize = 5;
    progress("logging in directly and through the broker");
    let codes = 2 * (count + NOT_MEASURED);
    let mut app = Owner::of_an_app(host, "app-owner", codes);
    let mut token = Owner::of_a_token(host, "token-owner", codes);
    let _broker = host.broker();
    let disk = fs::File::open(state).expect("the state");
    let mut root = Asker::start(host, None);
    let mut own = [&app, &token].map(|owner| Asker::start(host, Some(owner.uid)));
    let mut times: BTreeMap<(Factor, Way), Sample> = BTreeMap::new();
    for turn in 0..count + NOT_MEASURED {
        let mut kinds: Vec<(Factor, Way)> =
            Factor::ALL.into_iter().flat_map(|factor| Way::ALL.map(|way| (factor, way))).collect();
        let all = kinds.len();
        kinds.rotate_left(turn % all);
        for (factor, way) in kinds {
            let owner = if factor == Factor::App { &mut app } else { &mut token };
            let asker = match (way, factor) {
                (Way::Direct, _) => &mut root,
                (Way::Broker, Factor::App) => &mut own[0],
                (Way::Broker, Factor::Token) => &mut own[1],
            };
            asker.ask(owner, 0);
            let reply = asker.reply();
            assert_eq!(reply.code, 0, "{factor:?}, {way:?}: {:?}", host.module_log().last());
            if turn >= NOT_MEASURED {
                times.entry((factor, way)).or_default().add(reply.took);
            }
            syncfs(disk.as_fd()).expect("the file system can be synced");
        }
    }
    times
}

/// The memory of a broker that has answered one program.
fn idle(host: &Host) -> Memory {
    let mut owner = Owner::of_an_app(host, "one-owner", 1);
    let _broker = host.broker();
    let mut asker = Asker::start(host, Some(owner.uid));
    asker.ask(&mut owner, 0);
    assert_eq!(asker.reply().code, 0);
    Memory::of(host, "twofactord")
}

impl Lockers {
    fn measure(host: &Host, rounds: usize) -> Self {
        let mut owners: Vec<Owner> =
            (0..LOCKERS).map(|number| Owner::of_an_app(host, &format!("locker-{number}"), rounds)).collect();
        let mut askers: Vec<Asker> = owners.iter().map(|owner| Asker::start(host, Some(owner.uid))).collect();
        let mut lockers = Self::default();
        for _ in 0..rounds {
            // One that knows nobody yet.
            let _broker = host.broker();
            nix::unistd::sync();
            let start = worker::microseconds() + 200_000;
            for (owner, asker) in owners.iter_mut().zip(&mut askers) {
                asker.ask(owner, start);
            }
            let mut last = start;
            for asker in &mut askers {
                let reply = asker.reply();
                lockers.refused += usize::from(reply.code != 0);
                lockers.times.add(reply.took);
                last = last.max(reply.ended);
            }
            lockers.all_answered.add(Duration::from_micros(last - start));
            lockers.after = Memory::of(host, "twofactord");
        }
        if lockers.refused > 0 {
            let lines = host.module_log();
            let error = lines.iter().rev().find(|line| line.contains("): error "));
            progress(&format!("a locker was refused: {}", error.map_or("", String::as_str)));
        }
        lockers
    }
}
