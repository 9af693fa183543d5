//! Programs without root and the broker: the real module in the real libpam, in processes of ordinary users, and the real
//! `twofactord`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod asking;
mod callers;
mod guide;
mod helpdesk;
mod helpdesk_history;
mod helpdesk_interrupted;
mod helpdesk_members;
mod helpdesk_tokens;
mod limits;
mod oneself;
mod own_ssh_keys;
mod registration;
mod su;
mod units;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::User;
use twofactor_tests::broker::SOCKET;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::{Login, Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::requirements::PYTHON;

fn uid_of(name: &str) -> u32 {
    User::from_name(name).unwrap().unwrap().uid.as_raw()
}

/// A login of `user` in a process of the user `by`, as a screen locker's.
fn asked_by<'h>(host: &'h Host, by: &str, user: &str) -> Login<'h> {
    host.login(user).uid(uid_of(by))
}

fn typing(login: Login<'_>, code: &str) -> Outcome {
    login.typing(code)
}

/// A login that is refused before it asks.
fn unasked(login: Login<'_>) -> Outcome {
    login.answering(&[])
}

#[test]
fn a_program_of_the_user_opens_with_a_code_once() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let code = alice.code();
        assert_eq!(typing(asked_by(host, "alice", "alice"), &code).code(), ReturnCode::SUCCESS);
        let line = host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", "token=app"]);
        assert!(line.contains(&format!("asked_by={}", uid_of("alice"))), "{line}");
        assert_eq!(typing(asked_by(host, "alice", "alice"), &code).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["pam_twofactor(broker:auth): denied user=alice", "reason=replayed"]);
        // What it has burned is burned for root's programs too.
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR);
    });
}

#[test]
fn a_locker_that_asks_once_takes_password_and_code_together() {
    private_host(|host| {
        host.configure("[prompt]\ncombined = [\"swaylock\"]\n");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        host.service("swaylock", "auth requisite pam_twofactor.so\nauth required pam_unix.so use_first_pass\n");
        let both = format!("{PASSWORD}{}", alice.code());
        assert_eq!(typing(asked_by(host, "alice", "alice").service("swaylock"), &both).code(), ReturnCode::SUCCESS);
        assert_eq!(typing(asked_by(host, "alice", "alice").service("swaylock"), &both).code(), ReturnCode::AUTH_ERR);
    });
}

#[test]
fn a_user_asks_about_nobody_else() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.add_user("mallory");
        let _broker = host.broker();
        let code = alice.code();
        let refused = typing(asked_by(host, "mallory", "alice"), &code);
        assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
        // The same of a user who does not exist, and of one who has nothing.
        for other in ["mallory2", "root"] {
            let refused = typing(asked_by(host, "mallory", other), ANY_CODE).code();
            assert!(refused == ReturnCode::AUTHINFO_UNAVAIL || refused == ReturnCode::USER_UNKNOWN, "{other}");
        }
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS, "nothing was burned or counted");
    });
}

/// Sends a question in a frame of its own and prints the answer.
const ASKER: &str = "\
import socket, struct, sys
asked = sys.argv[1].encode()
stream = socket.socket(socket.AF_UNIX)
stream.connect('/run/twofactord/socket')
stream.sendall(struct.pack('>I', len(asked)) + asked)
answer = stream.recv(65536)
print(answer[4:].decode())
";

/// Asks the broker as this uid.
fn ask(host: &Host, uid: u32, question: &str) -> String {
    let uid = format!("--reuid={uid}");
    host.succeed("setpriv", [uid.as_str(), "--clear-groups", PYTHON, "-c", ASKER, question])
}

/// The account of a name that was given to another person names the uid of the one who had it. A program that claims that uid
/// would pass for that person.
#[test]
fn a_uid_that_a_program_claims_counts_for_nothing() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let old = uid_of("alice");
        host.renumber("alice", 4444);
        let _broker = host.broker();
        let asking = |uid: u32, code: &str| {
            let question = format!(
                " version=1 ask=redeem user=alice uid={uid} reading={code} source=\"\" factors=app,token,recovery"
            );
            ask(host, 4444, &question)
        };
        let lied = asking(old, &alice.code());
        assert!(lied.contains("answer=failed error=not-root"), "{lied}");
        let honest = asking(4444, &alice.code());
        assert!(honest.contains("error=uid-changed"), "{honest}");
        host.renumber("alice", old);
        assert_eq!(
            host.login("alice").typing(alice.code()).code(),
            ReturnCode::SUCCESS,
            "nothing was burned or changed"
        );
    });
}

#[test]
fn guesses_in_a_session_of_the_user_are_bounded_and_delay_no_login() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let mut reasons = Vec::new();
        for _ in 0..8 {
            let guess = alice.wrong_code();
            typing(asked_by(host, "alice", "alice"), &guess);
            reasons.push(host.assert_logged(&["pam_twofactor(broker:auth): denied user=alice"]));
        }
        assert!(reasons.first().unwrap().contains("reason=wrong-code"), "{reasons:?}");
        assert!(reasons.last().unwrap().contains("reason=throttled"), "{reasons:?}");
        let code = alice.code();
        assert_ne!(typing(asked_by(host, "alice", "alice"), &code).code(), ReturnCode::SUCCESS, "it waits");
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS, "root's programs do not");
        let status = host.json(&["status", "alice"]);
        assert_eq!((&status["failures"], status["own_failures"].as_u64() >= Some(5)), (&0.into(), true), "{status}");
        assert!(status["own_blocked_until"].is_string() && status["blocked_until"].is_null(), "{status}");
        let shown = host.succeed("twofactor", ["status", "alice"]);
        assert!(shown.contains("in programs without root"), "{shown}");
        let delayed =
            |service: &str| host.json(&["explain", "alice", "--service", service])["blocked_until"].is_string();
        host.system_service("i3lock", "auth required pam_twofactor.so\n");
        host.system_service("login", "auth required pam_twofactor.so\n");
        assert!(delayed("i3lock") && !delayed("login"));
        host.succeed("twofactor", ["unlock", "alice"]);
        assert!(host.json(&["status", "alice"])["own_blocked_until"].is_null());
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.authenticator.code(1)).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn without_a_broker_the_log_says_how_to_start_it() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let refused = unasked(asked_by(host, "alice", "alice"));
        assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=not-root", "systemctl enable --now twofactord.socket"]);
        // One that has ended leaves its socket.
        drop(host.broker());
        let refused = unasked(asked_by(host, "alice", "alice"));
        assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
        // And one that is started again replaces it.
        let _broker = host.broker();
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn nothing_is_set_up_in_a_program_without_root() {
    private_host(|host| {
        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        host.add_user("bob");
        host.user_with_app("alice");
        let _broker = host.broker();
        let refused = typing(asked_by(host, "bob", "bob"), ANY_CODE);
        assert_eq!(refused.code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=bob", "reason=not-enrolled", "twofactor enroll bob"]);
    });
}

#[test]
fn a_broker_of_another_user_is_asked_nothing() {
    private_host(|host| {
        host.user_with_app("alice");
        fs::create_dir("/run/twofactord").unwrap();
        let listener = UnixListener::bind(SOCKET).unwrap();
        // It says yes to whatever it is asked.
        std::os::unix::fs::chown("/run/twofactord", Some(uid_of("alice")), None).unwrap();
        let refused = unasked(asked_by(host, "alice", "alice"));
        assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=unsafe-file"]);
        drop(listener);
        // A folder of root, and in it a process of another user.
        std::os::unix::fs::chown("/run/twofactord", Some(0), None).unwrap();
        fs::remove_file(SOCKET).unwrap();
        let impostor = asking::listening_as(host, uid_of("alice"));
        let refused = unasked(asked_by(host, "alice", "alice"));
        assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=unsafe-file", "a process of uid"]);
        drop(impostor);
    });
}

#[test]
fn a_stopped_broker_is_an_error_in_time_and_never_a_yes() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let broker = host.broker();
        broker.signal(Signal::SIGSTOP);
        let began = Instant::now();
        let refused = typing(asked_by(host, "alice", "alice"), &alice.code());
        assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
        host.assert_logged(&["error user=alice", "reason=store-unavailable", "no answer in time"]);
        broker.signal(Signal::SIGCONT);
        // It finds the question of before, and burns no code for a program that is gone.
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn what_is_no_question_ends_the_connection_and_costs_the_others_nothing() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let line = |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
        for garbage in [
            vec![0xff; 4],
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            line(" version=2 ask=presence user=alice"),
            line(" version=1 ask=open user=alice"),
            line(" version=1 ask=presence user=alice user=root"),
            line(" version=1 ask=redeem user=alice uid=0 reading=12345678901 source=\"\" factors=app"),
            line(" version=1 ask=presence user=\"alice"),
        ] {
            let mut stream = UnixStream::connect(SOCKET).unwrap();
            stream.write_all(&garbage).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
        }
        // Connections that say nothing hold no place that others need.
        let silent: Vec<UnixStream> = (0..200).filter_map(|_| UnixStream::connect(SOCKET).ok()).collect();
        drop(silent);
        assert_eq!(typing(asked_by(host, "alice", "alice"), &alice.code()).code(), ReturnCode::SUCCESS);
    });
}
