//! A real journald or rsyslogd in a private host, in the place of the harness's own listener.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::private_host::{Host, LOG};
use crate::requirements;

/// The programs this needs; `tests/install-packages` installs them.
pub const PROGRAMS: [&str; 5] = ["bzip2", "gzip", "journalctl", "rsyslogd", "xz"];

const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// Where journald passes lines on to a syslog daemon.
const PASSED_ON: &str = "/run/systemd/journal/syslog";

/// How rsyslog writes times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamps {
    /// RFC 3339, as on Debian 12 and later.
    Exact,
    /// RFC 3164: no year and no zone.
    Traditional,
}

/// A daemon that takes what is written to syslog.
#[derive(Debug)]
pub struct LogDaemon<'h> {
    host: &'h Host,
    process: Option<Child>,
    written: Written,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    ToJournal,
    ToFile,
}

static MARKS: AtomicU64 = AtomicU64::new(1);

/// Far longer than anything takes; it only turns a hang into a failure.
const DEADLINE: Duration = Duration::from_secs(30);

impl Host {
    /// Starts journald, as the daemon behind `/dev/log`.
    pub fn journald(&self) -> LogDaemon<'_> {
        fs::create_dir_all("/run/systemd/journal").unwrap();
        fs::write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n").unwrap();
        fs::create_dir_all("/etc/systemd").unwrap();
        let configuration = "[Journal]\nStorage=volatile\nForwardToSyslog=yes\nForwardToWall=no\nRateLimitBurst=0\n";
        fs::write("/etc/systemd/journald.conf", configuration).unwrap();
        let daemon = self.log_daemon(&[JOURNALD], Written::ToJournal, Path::new("/run/systemd/journal/dev-log"));
        let _ = fs::remove_file("/dev/log");
        symlink("/run/systemd/journal/dev-log", "/dev/log").unwrap();
        daemon
    }

    /// Starts rsyslogd, as the daemon behind `/dev/log`.
    pub fn rsyslogd(&self, stamps: Stamps) -> LogDaemon<'_> {
        let _ = fs::remove_file("/dev/log");
        self.rsyslogd_at(stamps, "/dev/log")
    }

    /// Starts rsyslogd behind journald, as on a Debian host.
    pub fn rsyslogd_behind_journald(&self, stamps: Stamps) -> LogDaemon<'_> {
        self.rsyslogd_at(stamps, PASSED_ON)
    }

    fn rsyslogd_at(&self, stamps: Stamps, socket: &str) -> LogDaemon<'_> {
        let template = match stamps {
            Stamps::Exact => "RSYSLOG_FileFormat",
            Stamps::Traditional => "RSYSLOG_TraditionalFileFormat",
        };
        fs::create_dir_all(Path::new(socket).parent().unwrap()).unwrap();
        let file = self.place("rsyslog.conf");
        let rules = format!(
            "module(load=\"imuxsock\" SysSock.Name=\"{socket}\" SysSock.RateLimit.Interval=\"0\")\n\
             module(load=\"builtin:omfile\" Template=\"{template}\")\n\
             $FileOwner root\n$FileGroup adm\n$FileCreateMode 0640\n\
             auth,authpriv.* /var/log/auth.log\n"
        );
        fs::write(&file, rules).unwrap();
        let program = requirements::program("rsyslogd").expect("rsyslogd was found before");
        let program = [program.to_str().unwrap(), "-n", "-iNONE", "-f", file.to_str().unwrap()];
        self.log_daemon(&program, Written::ToFile, Path::new(socket))
    }

    fn log_daemon(&self, program: &[&str], written: Written, socket: &Path) -> LogDaemon<'_> {
        let (program, arguments) = program.split_first().unwrap();
        let mut command = self.command(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
        let daemon = LogDaemon { host: self, process: Some(process), written };
        until(&format!("{program} listens"), || UnixDatagram::unbound().unwrap().connect(socket).is_ok());
        daemon
    }
}

impl LogDaemon<'_> {
    /// Waits until everything that was sent before is where it can be read.
    pub fn settle(&self) {
        match self.written {
            Written::ToJournal => {
                self.host.succeed("journalctl", ["--sync"]);
            }
            Written::ToFile => {
                let mark = format!("mark {}.", MARKS.fetch_add(1, Ordering::Relaxed));
                let line = format!("<85>twofactor-tests: {mark}");
                UnixDatagram::unbound().unwrap().send_to(line.as_bytes(), "/dev/log").expect("the daemon listens");
                until("the mark stands in the file", || {
                    fs::read_to_string("/var/log/auth.log").is_ok_and(|text| text.contains(&mark))
                });
            }
        }
    }
}

/// Waits until something happens; fails when it does not in good time.
pub fn until(what: &str, mut happens: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happens() {
        assert!(started.elapsed() < DEADLINE, "waited for too long until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for LogDaemon<'_> {
    /// What is written from now on goes to the harness again.
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.host.kill(process);
        }
        let _ = fs::remove_file("/dev/log");
        let _ = symlink(LOG, "/dev/log");
    }
}
