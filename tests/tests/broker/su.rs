//! su asks the broker: its user can stop it, and must not hold what others need nor be judged by a time of the past.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use twofactor_tests::first_login::{self, CONFIRM, ENROLL, INVITATION, INVITED, ONCE_MORE, Offer, write_down};
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::random::Random;
use twofactor_tests::requirements::{programs_met, stopped_clock_met};
use twofactor_tests::terminal::{Size, Terminal};

use crate::asking::{Program, processes};
use crate::{ask, uid_of};

const STACK: &str = "auth required pam_unix.so nodelay\nauth required pam_twofactor.so\n\
                     account required pam_unix.so\nsession required pam_permit.so\n";

const PASSWORD_PROMPT: &str = "assword: ";
const CODE_PROMPT: &str = "Verification code: ";
const OPEN: &str = "session-42";
const REFUSED: &str = "su: ";

/// The command in a session of su.
const IN_THE_SESSION: &str = "echo session-$((40+2))";

/// A program that this user runs.
fn as_user(host: &Host, user: &str, program: &[&str]) -> Command {
    let mut command = host.command("setpriv");
    command.args(["--reuid", user, "--regid", user, "--init-groups"]).args(program);
    command
}

/// `su` to this user, started by that one.
fn su(host: &Host, by: &str, user: &str) -> Command {
    as_user(host, by, &["su", user, "-c", IN_THE_SESSION])
}

/// The same with its calls written to [`trace`].
fn traced_su(host: &Host, by: &str, user: &str) -> Command {
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-u", by, "-e", "trace=open,openat,socket,connect,flock,fcntl", "-o"]);
    command.arg(host.place("trace")).args(["su", user, "-c", IN_THE_SESSION]);
    command
}

/// The same with calls that fail.
fn failing_su(host: &Host, by: &str, user: &str, fault: &str) -> Command {
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-u", by, "-e", "trace=open,openat,socket,connect", "-e", &format!("inject={fault}")]);
    command.arg("-o").arg(host.place("trace")).args(["su", user, "-c", IN_THE_SESSION]);
    command
}

fn trace(host: &Host) -> String {
    String::from_utf8_lossy(&fs::read(host.place("trace")).unwrap()).into_owned()
}

/// Types password and code.
fn logged_in(command: &Command, code: &str) -> bool {
    let mut terminal = Terminal::start(command, Size::LARGE);
    terminal.expect(PASSWORD_PROMPT);
    terminal.type_line(PASSWORD);
    terminal.expect(CODE_PROMPT);
    terminal.type_line(code);
    terminal.expect_any(&[OPEN, REFUSED]).0 == 0
}

#[test]
fn su_opens_none_of_our_files_and_takes_no_lock_where_a_broker_listens() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        host.system_service("su", STACK);
        host.add_user("bobby");
        let alice = host.user_with_app("alice");
        let broker = host.broker();
        let code = alice.code();
        assert!(logged_in(&traced_su(host, "bobby", "alice"), &code));
        let calls = trace(host);
        assert!(calls.contains("/run/twofactord/socket"), "{calls}");
        assert!(!calls.contains("/var/lib/twofactor") && !calls.contains("F_OFD_SETLK"), "{calls}");
        assert!(!calls.contains("flock("), "{calls}");
        assert!(!logged_in(&su(host, "bobby", "alice"), &code), "it is burned");
        host.assert_logged(&["pam_twofactor(su:auth): denied user=alice service=su", "reason=replayed"]);
        drop(broker);
        // Then it judges by itself.
        assert!(logged_in(&traced_su(host, "bobby", "alice"), &alice.authenticator.code(1)));
        assert!(trace(host).contains("/var/lib/twofactor"));
    });
}

/// The line that su says once a user without a second factor has typed the password.
fn types_the_password(command: &Command, words: &str) -> (Terminal, String) {
    let mut terminal = Terminal::start(command, Size::LARGE);
    terminal.expect(PASSWORD_PROMPT);
    terminal.type_line(PASSWORD);
    let shown = terminal.expect(words);
    (terminal, shown)
}

#[test]
fn su_sets_up_an_app_through_the_broker_and_holds_nothing_meanwhile() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        host.configure(INVITED);
        host.system_service("su", first_login::STACK);
        host.add_user("alice");
        host.add_user("bobby");
        let _broker = host.broker();
        let invitation = host.json(&["invite", "alice"])["invitation"].as_str().unwrap().to_owned();
        let (mut wrong, _) = types_the_password(&su(host, "bobby", "alice"), INVITATION);
        wrong.type_line("2222-2222");
        wrong.expect(REFUSED);
        host.assert_logged(&["pam_twofactor(su:auth): denied user=alice service=su", "reason=invitation-wrong"]);

        let (mut su, _) = types_the_password(&traced_su(host, "bobby", "alice"), INVITATION);
        su.type_line(&invitation);
        let offer = Offer::read(&su.expect(CONFIRM));
        su.type_line(&offer.app.wrong_codes().next().unwrap());
        su.expect("That code is not right. Two tries left.");
        su.expect(CONFIRM);
        // Others go on while it waits.
        let again = host.json(&["invite", "alice"])["invitation"].as_str().unwrap().to_owned();
        su.type_line(&offer.app.code(0));
        su.expect("could not be set up");
        su.expect(REFUSED);
        host.assert_logged(&["(su:account): denied user=alice", "reason=not-confirmed", "invitation was used or repl"]);

        let (mut su, _) = types_the_password(&traced_su(host, "bobby", "alice"), INVITATION);
        su.type_line(&again);
        let offer = Offer::read(&su.expect(CONFIRM));
        let typed = offer.app.code(0);
        su.type_line(&typed);
        let recovery = write_down(&mut su);
        assert_eq!(recovery.len(), 10);
        su.expect(OPEN);
        host.assert_logged(&["pam_twofactor(su:account): enrolled user=alice service=su", "token=app"]);
        let calls = trace(host);
        assert!(!calls.contains("/var/lib/twofactor") && !calls.contains("F_OFD_SETLK"), "{calls}");
        assert_ne!(host.login("alice").typing(&typed).code(), ReturnCode::SUCCESS, "it is burned");
        assert_eq!(host.login("alice").typing(offer.app.code(1)).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("alice").typing(&recovery[3]).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn su_shows_no_secret_that_was_kept_where_a_broker_listens() {
    private_host(|host| {
        host.configure(ENROLL);
        host.system_service("su", first_login::STACK);
        host.add_user("bobby");
        host.user_with_app("alice");
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        let _broker = host.broker();
        let (mut su, _) = types_the_password(&su(host, "bobby", "alice"), ONCE_MORE);
        su.type_line("");
        let shown = su.expect(REFUSED);
        assert!(shown.contains("Log in at the console or over ssh.") && !shown.contains("Secret"), "{shown}");
        host.assert_logged(&["(su:account)", "user=alice", "reason=store-unavailable", "kept for its owner"]);
    });
}

/// A container's root may hold the socket, and its word is not enough.
#[test]
fn no_program_sets_up_an_app_without_the_invitation_that_the_configuration_asks_for() {
    private_host(|host| {
        host.configure(INVITED);
        host.add_user("alice");
        let _broker = host.broker();
        let uid = uid_of("alice");
        let app = "serial=app-1 label=app secret=JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G algorithm=SHA1 digits=6 period=30 \
                   issued=2026-01-15T08:00:00Z drift=0 anchor=0";
        let storing = format!(" version=1 ask=store-app user=alice uid={uid} {app}");
        let answer = ask(host, 0, &storing);
        assert!(answer.contains("answer=failed error=not-confirmed"), "{answer}");
        let digest = "A".repeat(52);
        let invited = format!("{storing} salt=AAAQEAYEAUDAOCAJBIFQYDIOB4 digest={digest} until=2099-01-15T08:00:00Z");
        let answer = ask(host, 0, &invited);
        assert!(answer.contains("answer=superseded why=invitation-spent"), "{answer}");
        assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3), "nothing is stored");
        host.configure(ENROLL);
        // A program of the user sets up nothing, and checks nothing.
        for question in [
            storing.clone(),
            format!(" version=1 ask=check-invitation user=alice uid={uid} invitation=4QX79M2P source=\"\""),
            format!(" version=1 ask=confirm code=123456 {app}"),
        ] {
            let answer = ask(host, uid, &question);
            assert!(answer.contains("answer=failed error=not-root"), "{question}: {answer}");
        }
        assert!(ask(host, 0, &storing).contains("answer=done"));
    });
}

#[test]
fn su_is_judged_at_the_time_of_the_broker() {
    if !stopped_clock_met() {
        return;
    }
    private_host(|host| {
        host.configure("[window]\nresync_at_login = false\n");
        host.system_service("su", STACK);
        host.add_user("bobby");
        let alice = host.user_with_app("alice");
        let later = Moment::SOME.after(600);
        let _broker = host.broker_at(later);
        assert!(!logged_in(&su(host, "bobby", "alice"), &alice.code()), "a code of the time that su reads");
        assert!(logged_in(&su(host, "bobby", "alice"), &later.code(&alice.authenticator, 0)));
    });
}

/// A user of su could bring about the other failures, with `ulimit` for instance.
#[test]
fn su_goes_to_the_files_for_no_other_failure_than_that_no_broker_is_there() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        host.system_service("su", STACK);
        host.add_user("bobby");
        let alice = host.user_with_app("alice");
        let broker = host.broker();
        let refused_with = |fault: &str| {
            let mut terminal = Terminal::start(&failing_su(host, "bobby", "alice", fault), Size::LARGE);
            terminal.expect(PASSWORD_PROMPT);
            terminal.type_line(PASSWORD);
            terminal.expect_any(&[CODE_PROMPT, REFUSED]).0 == 1
        };
        for fault in ["socket:error=EMFILE", "socket:error=ENOMEM", "connect:error=EAGAIN", "connect:error=EACCES"] {
            assert!(refused_with(fault), "{fault}");
            assert!(!trace(host).contains("/var/lib/twofactor"), "{fault}: {}", trace(host));
        }
        for fault in ["connect:error=ECONNREFUSED", "connect:error=ENOENT"] {
            assert!(!refused_with(fault), "{fault}");
        }
        broker.signal(Signal::SIGSTOP);
        let (began, command) = (Instant::now(), traced_su(host, "bobby", "alice"));
        let mut terminal = Terminal::start(&command, Size::LARGE);
        terminal.expect(PASSWORD_PROMPT);
        terminal.type_line(PASSWORD);
        terminal.expect(CODE_PROMPT);
        terminal.type_line(&alice.code());
        terminal.expect(REFUSED);
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
        assert!(!trace(host).contains("/var/lib/twofactor"));
        host.assert_logged(&["pam_twofactor(su:auth): error user=alice", "reason=store-unavailable", "in time"]);
        broker.signal(Signal::SIGCONT);
    });
}

/// True once a process has stopped; false when it has ended before.
fn has_stopped(pid: u32) -> bool {
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        match stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()) {
            Some('T') => return true,
            None | Some('Z' | 'X') => return false,
            Some(_) => std::thread::yield_now(),
        }
    }
}

/// The point of su's life after which it is stopped.
#[derive(Debug, Clone, Copy)]
enum Typed {
    Nothing,
    Password,
    Code,
}

#[test]
fn stopping_ones_own_su_delays_nobody_and_changes_no_clock() {
    const ROUNDS: u64 = 18;
    const AT_ONCE: Duration = Duration::from_secs(5);
    if !programs_met(&["7z", "sqlite3", "zip"]) {
        return;
    }
    let seed = Random::seed();
    private_host(|host| {
        println!("TWOFACTOR_TESTS_SEED={seed}");
        host.configure("[window]\nresync_at_login = false\n");
        let mut random = Random::new(seed);
        host.system_service("su", STACK);
        host.add_user("mallory");
        let (alices, bobs) = (Fob::button(1), Fob::button(2));
        host.user_with("alice", &alices);
        host.user_with("bobby", &bobs);
        let _broker = host.broker();
        // A shell of the user's.
        let shell = "while read -r signal; do kill $signal 2>&-; echo $?; done";
        let mut signals = Program::start(as_user(host, "mallory", &["sh", "-c", shell]));
        let mut counter = 0..;
        let mut next = || alices.code_of(counter.next().unwrap());
        let mut of_bob = 0..;
        let mut held = Vec::new();
        let mut stopped = 0;
        for round in 0..ROUNDS {
            let before = processes("su");
            let mut terminal = Terminal::start(&su(host, "mallory", "alice"), Size::LARGE);
            terminal.expect(PASSWORD_PROMPT);
            let found: Vec<u32> = processes("su").difference(&before).copied().collect();
            let [pid] = found[..] else { panic!("{found:?}") };
            let (point, code) = (*random.choose(&[Typed::Nothing, Typed::Password, Typed::Code]), next());
            if matches!(point, Typed::Password | Typed::Code) {
                terminal.type_line(PASSWORD);
            }
            if matches!(point, Typed::Code) {
                terminal.expect(CODE_PROMPT);
                terminal.type_line(&code);
            }
            let (typed, moment) = (Instant::now(), Duration::from_micros(random.below(6000)));
            while typed.elapsed() < moment {
                std::hint::spin_loop();
            }
            signals.tell(&format!("-STOP {pid}"));
            let is_held = signals.line() == "0" && has_stopped(pid);
            stopped += u64::from(is_held);

            // Alice, whose code was asked for, and another user are in at once.
            let began = Instant::now();
            let alice = host.login("alice").typing(next());
            assert_eq!(alice.code(), ReturnCode::SUCCESS, "round {round}, after {point:?}: {alice:?}");
            let bob = host.login("bobby").typing(bobs.code_of(of_bob.next().unwrap()));
            assert_eq!(bob.code(), ReturnCode::SUCCESS, "round {round}, after {point:?}: {bob:?}");
            assert!(began.elapsed() < AT_ONCE, "round {round}, after {point:?}: {:?}", began.elapsed());

            if random.below(2) == 0 || !is_held {
                signals.tell(&format!("-CONT {pid}"));
                signals.line();
                drop(terminal);
            } else {
                held.push((pid, terminal));
            }
        }
        println!("{stopped} of {ROUNDS} were stopped before they ended; {} stay so", held.len());
        assert!(stopped >= ROUNDS / 2, "{stopped}");
        // Another user's su asks while all of these are stopped.
        assert!(logged_in(&su(host, "bobby", "alice"), &next()));
        for (pid, _) in &held {
            signals.tell(&format!("-CONT {pid}"));
            signals.line();
        }
    });
}
