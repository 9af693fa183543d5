//! A process that logs users in, told by lines on its standard input, and the parent's handle of it.
//!
//! The codes of a clock are used in the order of their steps, none twice, none further than one step from now, and at most
//! three within thirty seconds: what every module accepts. When a user has none left, the worker waits for the next one,
//! outside the measured time. Those of a counter are used one after the other.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use twofactor_core::codes::otp::Window;
use twofactor_tests::oathtool;
use twofactor_tests::private_host::Host;

use crate::application::{self, Login};
use crate::contestant::Contestant;
use crate::population::{INDEX, Population, SSH_KEY, User};

/// The service in which security keys of ssh count.
const SSHD: &CStr = c"sshd";

/// How many codes of a clock are computed ahead: forty minutes.
const CODES_OF_A_CLOCK: u64 = 80;

/// The same of a counter.
const CODES_OF_A_COUNTER: u64 = 2_000;

/// What the users of a worker log in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// [`User::app`], which any module and a fob may share: a code every thirty seconds.
    Clock,
    /// [`User::counter_fob`]: a code whenever one is wanted.
    Counter,
}

impl Device {
    fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Counter => "counter",
        }
    }

    /// The device of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Clock, Self::Counter].into_iter().find(|device| device.name() == name)
    }
}

/// The proof of a login through sshd's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A code.
    Code,
    /// The security key that all users of the population have enrolled.
    Key,
}

impl Proof {
    fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Key => "key",
        }
    }
}

/// A worker, seen from the parent.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Child,
    orders: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

/// A login as a worker reports it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) contestant: Contestant,
    pub(crate) login: Login,
    /// When it was over, in microseconds since 1970.
    pub(crate) ended: u64,
}

impl Worker {
    /// Starts a worker for `count` users from `first` on.
    pub(crate) fn start(host: &Host, population: &Population, first: usize, count: usize) -> Self {
        Self::run(host.command(program(host)), population, first, count, Device::Clock)
    }

    /// The same for users with a fob that counts.
    pub(crate) fn start_with_counters(host: &Host, population: &Population, first: usize, count: usize) -> Self {
        Self::run(host.command(program(host)), population, first, count, Device::Counter)
    }

    /// Starts a worker below another program, to which `command` gives all its arguments.
    pub(crate) fn run(
        mut command: Command,
        population: &Population,
        first: usize,
        count: usize,
        device: Device,
    ) -> Self {
        command.arg("worker").arg(&population.folder).args([first.to_string(), count.to_string()]);
        command.arg(device.name());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a worker starts");
        let orders = process.stdin.take();
        let mut replies = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut ready = String::new();
        replies.read_line(&mut ready).expect("a worker reports");
        assert_eq!(ready, "ready\n", "a worker is ready");
        Self { process, orders, replies }
    }

    /// Logs a user in with each of `contestants`, one after the other.
    pub(crate) fn round(&mut self, user: User, contestants: &[Contestant]) -> Vec<Reply> {
        let names: Vec<String> = contestants.iter().map(ToString::to_string).collect();
        self.order(&format!("round {} {}", user.0, names.join(" ")));
        contestants.iter().map(|_| self.reply()).collect()
    }

    /// The same, where everybody must be accepted.
    pub(crate) fn accepted_round(&mut self, host: &Host, user: User, contestants: &[Contestant]) -> Vec<Reply> {
        let replies = self.round(user, contestants);
        for reply in &replies {
            let (code, contestant) = (reply.login.code, reply.contestant);
            let said = || {
                let lines = host.log().into_iter().rev();
                lines.map(|line| line.text).find(|line| line.contains(&contestant.to_string())).unwrap_or_default()
            };
            assert_eq!(code, 0, "{contestant} refused a correct login of {}: {}", user.name(), said());
        }
        replies
    }

    /// Logs a user in through the service of sshd, with a code or by a key.
    pub(crate) fn accepted_by_sshd(&mut self, user: User, proof: Proof) -> Reply {
        self.order(&format!("sshd {} {}", user.0, proof.name()));
        let reply = self.reply();
        assert_eq!(reply.login.code, 0, "{} is let in by {}", user.name(), proof.name());
        reply
    }

    /// Has all users of this worker logged in, one after the other, from `start` on (microseconds since 1970).
    pub(crate) fn order_all(&mut self, contestant: Contestant, start: u64) {
        self.order(&format!("all {start} {contestant}"));
    }

    /// Has one user logged in at `start` (microseconds since 1970).
    pub(crate) fn order_at(&mut self, user: User, contestant: Contestant, start: u64) {
        self.order(&format!("at {start} {} {contestant}", user.0));
    }

    /// Runs one attempt of any user with this answer.
    pub(crate) fn refused(&mut self, name: &str, answer: &str, contestant: Contestant) -> Reply {
        self.order(&format!("as {name} {answer} {contestant}"));
        self.reply()
    }

    /// Has all users of this worker logged in, one after the other and over again, until the file `end` is there.
    pub(crate) fn order_until(&mut self, contestant: Contestant, end: &Path) {
        self.order(&format!("until {} {contestant}", end.display()));
    }

    /// What became of that.
    pub(crate) fn replies(&mut self) -> Vec<Reply> {
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("a worker reports");
        let count: usize = line.trim_end().parse().unwrap_or_else(|_| panic!("not a number of logins: {line:?}"));
        (0..count).map(|_| self.reply()).collect()
    }

    /// The next login.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("a worker reports");
        let mut words = line.split_whitespace();
        let contestant = words.next().and_then(Contestant::named);
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        match (contestant, number(), number(), number()) {
            (Some(contestant), Some(nanoseconds), Some(code), Some(ended)) => Reply {
                contestant,
                login: Login {
                    code: i32::try_from(code).expect("a code of libpam"),
                    took: Duration::from_nanos(nanoseconds),
                },
                ended,
            },
            _ => panic!("not a worker's report: {line:?}"),
        }
    }

    fn order(&mut self, line: &str) {
        let orders = self.orders.as_mut().expect("only the end takes it");
        writeln!(orders, "{line}").expect("a worker takes orders");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its orders ends it. The private host cannot end before somebody has waited for all its processes.
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}

/// This program, where the private host sees it.
pub(crate) fn program(host: &Host) -> std::path::PathBuf {
    host.place("disk/bench")
}

/// The worker itself.
pub(crate) fn serve(folder: &Path, first: usize, count: usize, device: Device) {
    // Its own index of users, seen by nobody else.
    unshare(CloneFlags::CLONE_NEWNS).expect("mounts of its own");
    for name in INDEX {
        let over = Path::new("/etc").join(name);
        mount(Some(&folder.join(name)), &over, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .expect("an index of users");
    }
    let mut session = Session::new(folder, first, count, device);
    println!("ready");
    for line in std::io::stdin().lines() {
        let line = line.expect("orders are text");
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["round", user, contestants @ ..] => {
                let user = User(user.parse().expect("a user"));
                for contestant in contestants {
                    let contestant = Contestant::named(contestant).expect("a module");
                    let login = session.log_in(user, contestant);
                    session.sync();
                    report(contestant, login, microseconds());
                }
            }
            ["all", start, contestant] => {
                let contestant = Contestant::named(contestant).expect("a module");
                let start: u64 = start.parse().expect("a time");
                sleep(Duration::from_micros(start.saturating_sub(microseconds())));
                let replies: Vec<(Login, u64)> = (first..first + count)
                    .map(|user| (session.log_in(User(user), contestant), microseconds()))
                    .collect();
                for (login, ended) in replies {
                    report(contestant, login, ended);
                }
            }
            ["at", start, user, contestant] => {
                let contestant = Contestant::named(contestant).expect("a module");
                let user = User(user.parse().expect("a user"));
                let start: u64 = start.parse().expect("a time");
                sleep(Duration::from_micros(start.saturating_sub(microseconds())));
                let login = session.log_in(user, contestant);
                report(contestant, login, microseconds());
            }
            ["sshd", user, proof] => {
                let user = User(user.parse().expect("a user"));
                let login = if *proof == Proof::Key.name() { session.by_key(user) } else { session.by_code(user) };
                session.sync();
                report(Contestant::TwoFactor, login, microseconds());
            }
            ["as", name, answer, contestant] => {
                let contestant = Contestant::named(contestant).expect("a module");
                let c_string = |text: &str| CString::new(text).expect("no NUL");
                let (name, answer) = (c_string(name), c_string(answer));
                let login = application::login(&session.confdir, contestant.name(), &name, &answer);
                session.sync();
                report(contestant, login, microseconds());
            }
            ["until", end, contestant] => {
                let contestant = Contestant::named(contestant).expect("a module");
                let mut replies = Vec::new();
                for user in (first..first + count).cycle() {
                    if Path::new(end).exists() {
                        break;
                    }
                    replies.push((session.log_in(User(user), contestant), microseconds()));
                }
                println!("{}", replies.len());
                for (login, ended) in replies {
                    report(contestant, login, ended);
                }
            }
            _ => panic!("not an order: {line}"),
        }
    }
}

fn report(contestant: Contestant, login: Login, ended: u64) {
    println!("{contestant} {} {} {ended}", login.took.as_nanos(), login.code);
}

/// Microseconds since 1970, which all workers count alike.
pub(crate) fn microseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_micros()).expect("microseconds fit")
}

struct Session {
    confdir: CString,
    folder: File,
    device: Device,
    first_step: u64,
    codes: HashMap<User, Vec<String>>,
    usage: HashMap<(User, Contestant), Usage>,
}

/// What was used of a user's codes with one module.
#[derive(Default)]
struct Usage {
    last_step: Option<u64>,
    /// The last three logins, in seconds since 1970.
    recent: [u64; 3],
}

impl Usage {
    fn next_of_a_clock(&mut self) -> u64 {
        loop {
            let now = oathtool::now();
            let here = now / 30;
            let step = self.last_step.map_or(here - 1, |last| (last + 1).max(here - 1));
            if step <= here + 1 && now > self.recent[0] + 30 {
                self.last_step = Some(step);
                self.recent = [self.recent[1], self.recent[2], now];
                return step;
            }
            sleep(Duration::from_millis(100));
        }
    }

    fn next_of_a_counter(&mut self, codes: &[String]) -> u64 {
        let next = self.last_step.map_or(0, |last| last + 1);
        let shown = |step: u64| usize::try_from(step).ok().and_then(|step| codes.get(step));
        // Digits that come again within the look-ahead are the later code: those between would be used up by the first. It happens
        // once in 100,000 logins.
        let look_ahead = u64::from(Window::default().look_ahead);
        let step = (next..=next + look_ahead).rev().find(|step| shown(*step) == shown(next)).unwrap_or(next);
        self.last_step = Some(step);
        step
    }
}

impl Session {
    fn new(folder: &Path, first: usize, count: usize, device: Device) -> Self {
        // A step of a clock is a counter (RFC 6238 §4.2), so one call gives the codes of many steps.
        let first_step = match device {
            Device::Clock => oathtool::now() / 30 - 1,
            Device::Counter => 0,
        };
        let codes = (first..first + count).map(User).map(|user| match device {
            Device::Clock => (user, user.app().counter_codes(first_step, CODES_OF_A_CLOCK)),
            Device::Counter => (user, user.counter_fob().counter_codes(first_step, CODES_OF_A_COUNTER)),
        });
        Self {
            confdir: CString::new(folder.join("pam.d").as_os_str().as_bytes()).expect("a path has no NUL"),
            folder: File::open(folder).expect("the population's folder"),
            device,
            first_step,
            codes: codes.collect(),
            usage: HashMap::new(),
        }
    }

    fn log_in(&mut self, user: User, contestant: Contestant) -> Login {
        let code = self.next_code(user, contestant);
        let name = CString::new(user.name()).expect("a name has no NUL");
        application::login(&self.confdir, contestant.name(), &name, &code)
    }

    /// A login through sshd's service with a code.
    fn by_code(&mut self, user: User) -> Login {
        let code = self.next_code(user, Contestant::TwoFactor);
        let name = CString::new(user.name()).expect("a name has no NUL");
        application::login(&self.confdir, SSHD, &name, &code)
    }

    /// The same after sshd has verified the key. Every prompt would be answered wrongly.
    fn by_key(&self, user: User) -> Login {
        let name = CString::new(user.name()).expect("a name has no NUL");
        let variable = CString::new(format!("SSH_AUTH_INFO_0=publickey {SSH_KEY}\n")).expect("no NUL");
        application::login_with(&self.confdir, SSHD, &name, c"none", Some(&variable))
    }

    /// The next code of a user for a module, waiting until there is one.
    fn next_code(&mut self, user: User, contestant: Contestant) -> CString {
        let (usage, codes) = (self.usage.entry((user, contestant)).or_default(), &self.codes[&user]);
        let step = match self.device {
            Device::Clock => usage.next_of_a_clock(),
            Device::Counter => usage.next_of_a_counter(codes),
        };
        let index = usize::try_from(step - self.first_step).expect("a small number");
        let code = codes.get(index).expect("the worker has codes enough");
        CString::new(code.as_str()).expect("a code has no NUL")
    }

    /// Writes what any module left unwritten, so that the next one does not pay for it.
    fn sync(&self) {
        nix::unistd::syncfs(&self.folder).expect("the file system can be synced");
    }
}
