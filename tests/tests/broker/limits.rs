//! What hostile clients cost: nothing that others need.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use twofactor_tests::broker::SOCKET;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::private_host;
use twofactor_tests::requirements::{PYTHON, programs_met};

use crate::asking::{HELLO, Program, answer_to, held, processes};
use crate::{asked_by, typing, uid_of};

const DONE: &str = "version=1 answer=done";
const BUSY: &str = "version=1 answer=busy";

#[test]
fn a_user_has_four_places_and_waits_for_one_of_the_own() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let bobby = host.user_with_app("bobby");
        let _broker = host.broker();
        let uid = uid_of("alice");
        let (holder, answers) = held(host, &[uid; 6], HELLO);
        assert_eq!(answers, [DONE, DONE, DONE, DONE, BUSY, BUSY]);
        let began = Instant::now();
        assert_eq!(typing(asked_by(host, "bobby", "bobby"), &bobby.code()).code(), ReturnCode::SUCCESS);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        // A connection that asks nothing more ends after five seconds; a locker waits for it.
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
        holder.end();
    });
}

#[test]
fn a_program_of_root_takes_a_place_of_the_user_who_started_it() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let question = format!("{HELLO} started_by={}", uid_of("alice"));
        let (holder, answers) = held(host, &[0; 5], &question);
        assert_eq!(answers, [DONE, DONE, DONE, DONE, BUSY]);
        assert_eq!(answer_to(host, 0, HELLO), DONE, "root itself");
        assert_eq!(answer_to(host, uid_of("alice"), HELLO), BUSY);
        holder.end();
        // Whatever a program without root says there.
        let (holder, answers) = held(host, &[uid_of("alice"); 5], &format!("{HELLO} started_by=0"));
        assert_eq!(answers, [DONE, DONE, DONE, DONE, BUSY]);
        holder.end();
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn uids_outside_passwd_share_eight_places() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let spare: Vec<u32> = (200_000..200_012).collect();
        let (holder, answers) = held(host, &spare, HELLO);
        assert_eq!(answers.iter().filter(|answer| *answer == DONE).count(), 8, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| *answer == BUSY).count(), 4, "{answers:?}");
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
        holder.end();
    });
}

#[test]
fn programs_of_root_that_were_stopped_before_they_asked_keep_nobody_out() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let (holder, _) = held(host, &[0; 200], "-");
        let began = Instant::now();
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
        assert_eq!(answer_to(host, 0, HELLO), DONE);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        holder.end();
    });
}

/// The memory of the broker, in KiB.
fn resident() -> u64 {
    let pid = *processes("twofactord").first().expect("it runs");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_byte_a_second_and_four_gibibytes_cost_nothing() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let before = resident();
        let mut announcing = UnixStream::connect(SOCKET).unwrap();
        announcing.write_all(&[0xff, 0xff, 0xff, 0xff]).unwrap();
        let mut slow = UnixStream::connect(SOCKET).unwrap();
        let began = Instant::now();
        slow.write_all(&60_u32.to_be_bytes()).unwrap();
        let mut sent = 0;
        while slow.write_all(b" ").is_ok() && sent < 20 {
            sent += 1;
            std::thread::sleep(Duration::from_secs(1));
        }
        assert!(sent < 8, "the connection ended after {:?}", began.elapsed());
        announcing.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let _ = announcing.read(&mut [0]).map(|read| assert_eq!(read, 0));
        assert!(resident() < before + 4096, "{before} KiB, then {}", resident());
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
    });
}

/// Sends a question and is gone.
const GONE: &str = "\
import socket, struct, sys
asked = sys.argv[1].encode()
stream = socket.socket(socket.AF_UNIX)
stream.connect('/run/twofactord/socket')
stream.sendall(struct.pack('>I', len(asked)) + asked)
";

#[test]
fn a_right_code_is_not_burned_for_a_program_that_is_gone() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let uid = uid_of("alice");
        let broker = host.broker();
        let code = alice.code();
        broker.signal(Signal::SIGSTOP);
        let question =
            format!(" version=1 ask=redeem user=alice uid={uid} reading={code} source=\"\" factors=app,token,recovery");
        host.succeed("setpriv", [&format!("--reuid={uid}"), "--clear-groups", PYTHON, "-c", GONE, &question]);
        broker.signal(Signal::SIGCONT);
        assert_eq!(answer_to(host, uid, HELLO), DONE, "it has come to that question before this one");
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn of_programs_of_several_users_that_race_with_one_code_one_wins() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let uid = uid_of("alice");
        for step in -1..=1 {
            let code = alice.authenticator.code(step);
            // Two lockers, and three programs of root that other users have started: their questions are with the broker.
            let of_root = |starter: u32| {
                let question = format!(
                    " version=1 ask=redeem user=alice uid={uid} reading={code} source=\"\" factors=app started_by={starter}"
                );
                let mut command = host.command(PYTHON);
                command.args(["-c", crate::ASKER, &question]).stdout(Stdio::piped());
                command.spawn().unwrap()
            };
            let mut lockers = [asked_by(host, "alice", "alice").start(), asked_by(host, "alice", "alice").start()];
            for locker in &mut lockers {
                locker.expect_prompt();
            }
            let direct = host.login("alice").start();
            let mut running: Vec<_> = lockers.into_iter().chain([direct]).collect();
            running[2].expect_prompt();
            let others: Vec<_> = [1501, 1502, 0].into_iter().map(of_root).collect();
            for login in &mut running {
                login.answer(&(&code).into());
            }
            let mut winners = 0;
            for other in others {
                let output = other.wait_with_output().unwrap();
                winners += usize::from(String::from_utf8_lossy(&output.stdout).contains("answer=redeemed"));
            }
            for mut login in running {
                login.advance();
                winners += usize::from(login.outcome().code() == ReturnCode::SUCCESS);
                login.finish();
            }
            assert_eq!(winners, 1, "step {step}");
        }
    });
}

#[test]
fn a_broker_that_is_killed_between_charge_and_answer_has_counted_and_burned() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let state = || fs::read_to_string("/var/lib/twofactor/users/alice/state").unwrap_or_default();
        // The first flush is of the state as it was found.
        let killed = |code: &str| {
            let mut strace = host.command("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"]);
            strace.args(["inject=fsync,fdatasync:signal=SIGKILL:when=2", "twofactord"]);
            let broker = host.broker_by(strace);
            let refused = typing(asked_by(host, "alice", "alice"), code);
            assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
            drop(broker);
        };
        killed(&alice.wrong_code());
        assert!(state().contains("[unprivileged]\nfailures = 1\n"), "{}", state());
        let code = alice.code();
        killed(&code);
        let _broker = host.broker();
        assert_ne!(typing(asked_by(host, "alice", "alice"), &code).code(), ReturnCode::SUCCESS);
        assert_ne!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS, "no code is good twice");
    });
}

#[test]
fn a_full_queue_of_a_stopped_broker_is_an_error_in_time() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let uid = uid_of("alice").to_string();
        // The queue is as long as this allows.
        fs::write("/proc/sys/net/core/somaxconn", "16").unwrap();
        let broker = host.broker();
        broker.signal(Signal::SIGSTOP);
        let filled: Vec<UnixStream> = (0..17).map(|_| UnixStream::connect(SOCKET).unwrap()).collect();
        let full = "import socket; s = socket.socket(socket.AF_UNIX); s.setblocking(False); s.connect('/run/twofactord/socket')";
        let mut command = host.command("setpriv");
        command.args([&format!("--reuid={uid}"), "--clear-groups", PYTHON, "-c", full]).stderr(Stdio::piped());
        let said = String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned();
        assert!(said.contains("BlockingIOError"), "the queue is full: {said}");
        let began = Instant::now();
        let refused = asked_by(host, "alice", "alice").answering(&[]);
        assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        host.assert_logged(&["error user=alice", "reason=store-unavailable", "no answer in time"]);
        drop(filled);
        broker.signal(Signal::SIGCONT);
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
    });
}

/// The first user of a user namespace is its root, and the user of outside to the broker.
#[test]
fn root_of_a_user_namespace_is_the_user_who_made_it() {
    if !programs_met(&["unshare"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let bobby = host.user_with_app("bobby");
        let _broker = host.broker();
        let inside = |arguments: &[&str]| {
            let mut command = host.command("setpriv");
            command.args([
                "--reuid",
                "alice",
                "--regid",
                "alice",
                "--init-groups",
                "unshare",
                "--user",
                "--map-root-user",
            ]);
            command.args(arguments).stdout(Stdio::piped());
            command
        };
        let asking = |user: &str, code: &str| {
            let question = format!(
                " version=1 ask=redeem user={user} uid={} reading={code} source=\"\" factors=app started_by=0",
                uid_of(user)
            );
            let mut program = Program::start(inside(&[PYTHON, "-c", crate::ASKER, &question]));
            program.line()
        };
        assert!(asking("bobby", &bobby.code()).contains("answer=failed error=not-root"));
        assert!(asking("root", ANY_CODE).contains("answer=failed error=not-root"));
        assert!(asking("alice", &alice.code()).contains("answer=redeemed"));
        assert_eq!(host.login("bobby").typing(bobby.code()).code(), ReturnCode::SUCCESS, "nothing was burned");
    });
}

/// A container with another map of uids sees a socket and a process that are not root's to it.
#[test]
fn in_a_container_where_root_is_another_user_the_module_asks_no_broker() {
    if !programs_met(&["unshare"]) {
        return;
    }
    private_host(|host| {
        host.user_with_app("alice");
        let _broker = host.broker();
        // Its own files are not root's there either.
        let as_root = asked_by(host, "alice", "alice").after("exec unshare --user --map-root-user \"$@\"");
        assert_eq!(as_root.typing(ANY_CODE).code(), ReturnCode::AUTHINFO_UNAVAIL);
        let as_itself = asked_by(host, "alice", "alice").after("exec unshare --user --map-current-user \"$@\"");
        assert_eq!(as_itself.answering(&[]).code(), ReturnCode::AUTHINFO_UNAVAIL);
    });
}
