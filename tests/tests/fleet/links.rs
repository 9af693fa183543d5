//! Links that are killed, and servers that are away, while users log in.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twofactor_core::host::trusted::Owner;
use twofactor_core::store::Store as _;
use twofactor_core::store::broker::{Broker, LINK};
use twofactor_tests::artifacts::{link, server};
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, private_host};

use super::login::{WEB1, join};
use super::program::Machine;
use super::renewal::{Activated, central};
use super::{Enrolled, Fleet, is_accepted, redeem};

/// A question waits no longer, connecting included.
const DEADLINE: Duration = Duration::from_secs(30);

/// One of two servers on a store, each a process of its own, which ends with this value.
struct OneOfTwo {
    address: SocketAddr,
    config: PathBuf,
    serving: Option<Child>,
}

impl Drop for OneOfTwo {
    fn drop(&mut self) {
        self.end_by(Signal::SIGKILL);
    }
}

impl OneOfTwo {
    fn started(machine: &Machine, name: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = machine.site.place(name);
        fs::write(&config, machine.own_configuration(address, &["localhost"], "")).unwrap();
        let mut one = Self { address, config, serving: None };
        one.start();
        one
    }

    /// Returns once it listens.
    fn start(&mut self) {
        let mut command = Command::new(server());
        command.arg("--config").arg(&self.config).arg("serve").stdin(Stdio::null()).stderr(Stdio::null());
        self.serving = Some(command.spawn().unwrap());
        let until = Instant::now() + DEADLINE;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < until, "the server does not listen");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn end_by(&mut self, signal: Signal) {
        if let Some(mut serving) = self.serving.take() {
            let _ = kill(Pid::from_raw(i32::try_from(serving.id()).unwrap()), signal);
            let _ = serving.wait();
        }
    }
}

#[test]
fn servers_restarted_in_turn_under_load_refuse_no_correct_login() {
    const USERS: usize = 60;
    // Each of the two by each signal, four times. Between two there are logins, as where a sysadmin looks before the next server goes:
    // one that is slower than all of them might else meet each server in a restart, over and over.
    const RESTARTS: usize = 16;
    let Some(machine) = central() else { return };
    let mut servers = ["first.toml", "second.toml"].map(|name| OneOfTwo::started(&machine, name));
    let host = Activated::joined_through(&machine, servers[0].address, "web1");
    host.configure(&servers.each_ref().map(|server| server.address));
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let desk = fleet.host("desk");
    let users: Vec<Enrolled> = (0..USERS).map(|user| Enrolled::at(&desk, &format!("user{user}"))).collect();
    // The app's code of a user is made at the login, and so is good then however long the restarts take.
    let logins = users.iter().flat_map(|user| (0..=user.recovery.len()).map(move |way| (user, way.checked_sub(1))));
    let (count, logins) = (logins.clone().count(), Mutex::new(logins.enumerate()));
    let (accepted, restarts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let _link = host.link();
    thread::scope(|scope| {
        let working: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let Some((place, (user, recovery))) = logins.lock().unwrap().next() else { return };
                        // A fast machine is not done before the restarts are.
                        while restarts.load(Ordering::SeqCst) + 1 < place * RESTARTS / count {
                            thread::sleep(Duration::from_millis(2));
                        }
                        let typed =
                            recovery.map_or_else(|| user.code(0), |code| user.recovery[code].expose().to_owned());
                        let (began, name) = (Instant::now(), &user.person.name);
                        let redeemed = redeem(&host.store(), &user.person, &typed);
                        assert!(
                            is_accepted(redeemed),
                            "{name} {recovery:?} after {restarts:?} restarts and {:?}",
                            began.elapsed()
                        );
                        accepted.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        while working.iter().any(|worker| !worker.is_finished()) {
            let number = restarts.load(Ordering::SeqCst);
            if accepted.load(Ordering::SeqCst) < (number * count / RESTARTS).min(count - 1) {
                thread::sleep(Duration::from_millis(2));
                continue;
            }
            let signal = if number / 2 % 2 == 0 { Signal::SIGTERM } else { Signal::SIGKILL };
            servers[number % 2].end_by(signal);
            servers[number % 2].start();
            restarts.fetch_add(1, Ordering::SeqCst);
        }
        for worker in working {
            worker.join().unwrap();
        }
    });
    assert_eq!(accepted.into_inner(), count);
    assert!(restarts.into_inner() >= RESTARTS - 2);
    let sessions = "select count(*) from twofactor.audit where detail like 'redeemed%'";
    assert_eq!(machine.postgres.sql(sessions), count.to_string(), "and no code has opened two sessions");
}

#[test]
fn a_link_that_is_killed_in_the_middle_of_logins_loses_no_code_and_lets_no_user_in_twice() {
    const USERS: usize = 48;
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let host = Activated::joined(&machine, "web1");
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let enrolling = fleet.host("web9");
    let users: Vec<Enrolled> = (0..USERS).map(|user| Enrolled::at(&enrolling, &format!("user{user}"))).collect();
    let codes: Vec<String> = users.iter().map(|user| user.code(1)).collect();
    let (next, kills) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut link = host.link();
    thread::scope(|scope| {
        let working: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::SeqCst);
                        let Some(user) = users.get(place) else { return };
                        // A fast machine is not done before the kills have begun.
                        while kills.load(Ordering::SeqCst) < place / 6 {
                            thread::sleep(Duration::from_millis(2));
                        }
                        let began = Instant::now();
                        assert!(is_accepted(redeem(&host.store(), &user.person, &codes[place])), "{place}");
                        assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
                    }
                })
            })
            .collect();
        while working.iter().any(|worker| !worker.is_finished()) {
            // As soon as the new one answers, so that logins are under way.
            let _ = host.store().presence(&users[0].person.name);
            link.kill();
            kills.fetch_add(1, Ordering::SeqCst);
            link = host.link();
        }
        for worker in working {
            worker.join().unwrap();
        }
    });
    for (user, code) in users.iter().zip(&codes) {
        assert!(!is_accepted(redeem(&host.store(), &user.person, code)), "{}", user.person.name);
    }
    let accepted = "select min(count) || ' ' || max(count) from (select count(*) from twofactor.audit where detail = 'redeemed app' group by name) as each";
    assert_eq!(machine.postgres.sql(accepted), "1 1");
}

/// Runs `sudo true` so many times as this user, with password and code.
fn calling_sudo(host: &Host, user: &str, code: &str, times: usize) -> Child {
    let script = format!(
        "for call in $(seq {times}); do printf '%s\\n' '{PASSWORD}' '{code}' | sudo -S -k true 2>/dev/null && echo let-in; done; true"
    );
    let mut command: Command = host.command("setpriv");
    command.args(["--reuid", user, "--regid", user, "--init-groups", "sh", "-c", &script]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// The number of calls that were let in.
fn let_in(calls: Child) -> usize {
    let output = calls.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).matches("let-in").count()
}

#[test]
fn while_the_server_is_away_two_hundred_calls_of_sudo_do_not_wait_each_and_an_administrator_is_let_in() {
    // One after the other they would take as long as the delay after each refusal, which is not of this story.
    const SHELLS: usize = 20;
    const OF_EACH: usize = 10;
    // The pause of a server that has failed.
    const PAUSE: u64 = 15;
    let _ = (server(), link());
    private_host(|host| {
        let Some(machine) = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n"))
        else {
            return;
        };
        let stack = "auth required pam_unix.so nodelay\nauth required pam_twofactor.so\n\
                     account required pam_unix.so\nsession required pam_permit.so\n";
        host.system_service("sudo", stack);
        let mut sudoers = fs::OpenOptions::new().append(true).open("/etc/sudoers").unwrap();
        writeln!(sudoers, "Defaults passwd_tries=1\nalice, admin ALL=(ALL) ALL").unwrap();
        // Before the host is one of the fleet: after it, root makes such an account by --local alone.
        let admin = host.user_with_fob("admin");
        host.add_user("alice");
        let mut serving = machine.serve();
        let _linked = join(host, &machine, &machine.site.host(WEB1));
        let alice = Enrolled::through(&Broker::link(Path::new(LINK), Owner::ROOT, Duration::from_secs(12)), "alice");
        let once = |user: &str, code: &str| let_in(calling_sudo(host, user, code, 1)) == 1;
        assert!(once("alice", &alice.code(0)) && once("admin", &admin.next_code()));

        // In its place a program that takes connections, and says nothing. The kernel keeps them until they are counted.
        let _ = serving.0.kill();
        let _ = serving.0.wait();
        let silent = TcpListener::bind(machine.address).unwrap();
        silent.set_nonblocking(true).unwrap();
        let began = Instant::now();
        let calls: Vec<Child> = (0..SHELLS).map(|_| calling_sudo(host, "alice", &alice.code(1), OF_EACH)).collect();
        assert!(once("admin", &admin.next_code()), "meanwhile");
        assert_eq!(calls.into_iter().map(let_in).sum::<usize>(), 0);
        let all = began.elapsed();
        let connections = std::iter::from_fn(|| silent.accept().ok()).count();
        println!("{} calls of sudo without a server: {all:?}, {connections} of them have tried it", SHELLS * OF_EACH);
        // After each pause those try the server that call at once, and no others.
        let rounds = 1 + usize::try_from(all.as_secs() / PAUSE).unwrap();
        assert!((1..=SHELLS * rounds).contains(&connections), "{connections} have tried it in {all:?}");
        let refusal = ["user=alice service=sudo", "reason=store-unavailable"];
        let refused = host.log().into_iter().filter(|line| refusal.iter().all(|part| line.text.contains(part)));
        assert_eq!(refused.count(), SHELLS * OF_EACH);
        assert!(once("admin", &admin.next_code()), "afterwards");
    });
}

#[test]
fn while_the_server_is_away_two_hundred_calls_do_not_wait_each() {
    const CALLS: u32 = 200;
    // The pause of a server that has failed, and the longest that it may take.
    let (pause, patience) = (Duration::from_secs(15), Duration::from_secs(5));
    let _ = (server(), link());
    private_host(|host| {
        let Some(machine) = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\n")) else { return };
        let admin = host.user_with_fob("admin");
        let serving = machine.serve();
        let _linked = join(host, &machine, &machine.site.host(WEB1));
        host.add_user("alice");
        assert_eq!(host.login("alice").typing(ANY_CODE).code(), ReturnCode::AUTH_ERR, "she is not enrolled");
        let began = Instant::now();
        assert_eq!(host.login("admin").typing(admin.next_code()).code(), ReturnCode::SUCCESS);
        let of_one = began.elapsed();
        // It takes connections, and says nothing.
        let server = Pid::from_raw(i32::try_from(serving.0.id()).unwrap());
        kill(server, Signal::SIGSTOP).unwrap();
        let (began, mut slow) = (Instant::now(), 0);
        for call in 0..CALLS {
            let at = Instant::now();
            assert_eq!(host.login("alice").typing(ANY_CODE).code(), ReturnCode::AUTHINFO_UNAVAIL, "{call}");
            slow += u32::from(at.elapsed() >= patience);
        }
        let all = began.elapsed();
        kill(server, Signal::SIGCONT).unwrap();
        let waits = 1 + u32::try_from(all.as_secs() / pause.as_secs()).unwrap();
        println!(
            "{CALLS} calls without a server: {all:?}, {slow} of them have waited for it; a local one takes {of_one:?}"
        );
        assert!(slow <= waits, "{slow} calls have waited in {all:?}");
        let most = (patience + Duration::from_secs(1)) * waits + of_one.max(Duration::from_millis(100)) * 3 * CALLS;
        assert!(all < most, "{all:?}, and not {most:?}");
        assert_eq!(host.login("admin").typing(admin.next_code()).code(), ReturnCode::SUCCESS, "by this host's files");
    });
}
