//! A process that logs users in, as root or as an ordinary user, told by lines on its standard input.

use std::ffi::CString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread::sleep;
use std::time::Duration;

use twofactor_tests::private_host::{Host, SERVICE};

use crate::broker::Owner;
use crate::{application, worker};

/// The process, seen from the parent.
#[derive(Debug)]
pub(crate) struct Asker {
    process: Child,
    orders: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

/// A login as it reports it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    /// The return code of libpam; 0 is success.
    pub(crate) code: u32,
    pub(crate) took: Duration,
    /// When it was over, in microseconds since 1970.
    pub(crate) ended: u64,
}

impl Asker {
    /// Starts one that runs as this user, or as root.
    pub(crate) fn start(host: &Host, uid: Option<u32>) -> Self {
        let mut command = host.command(worker::program(host));
        command.arg("asker").arg(host.confdir()).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(uid) = uid {
            command.uid(uid).gid(uid);
        }
        let mut process = command.spawn().expect("it starts");
        let orders = process.stdin.take();
        let replies = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, orders, replies }
    }

    /// Has it log `owner` in at `start` (microseconds since 1970), with the next code.
    pub(crate) fn ask(&mut self, owner: &mut Owner, start: u64) {
        let (orders, code) = (self.orders.as_mut().expect("only the end takes it"), owner.code());
        writeln!(orders, "{} {code} {start}", owner.name).expect("it takes orders");
    }

    /// The next login.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("it reports");
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().expect("a number"));
        let mut number = || numbers.next().unwrap_or_else(|| panic!("not a report: {line:?}"));
        let code = u32::try_from(number()).expect("a code of libpam");
        Reply { code, took: Duration::from_nanos(number()), ended: number() }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}

/// The process itself.
pub(crate) fn serve(confdir: &str) {
    let c_string = |text: &str| CString::new(text).expect("no NUL");
    let (confdir, service) = (c_string(confdir), c_string(SERVICE));
    for line in std::io::stdin().lines() {
        let line = line.expect("orders are text");
        let words: Vec<&str> = line.split_whitespace().collect();
        let [user, answer, start] = words.as_slice() else { panic!("not an order: {line}") };
        let start: u64 = start.parse().expect("a time");
        sleep(Duration::from_micros(start.saturating_sub(worker::microseconds())));
        let login = application::login(&confdir, &service, &c_string(user), &c_string(answer));
        println!("{} {} {}", login.code, login.took.as_nanos(), worker::microseconds());
    }
}
