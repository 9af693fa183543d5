//! A helpdesk that is not root, interrupted: two members at once, a broker that is killed, a registry that is held or damaged.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use twofactor_tests::broker::SOCKET;
use twofactor_tests::fob::Fob;
use twofactor_tests::log_daemon::until;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::requirements::programs_met;

use crate::helpdesk::{STATE, by, json, lenient, opens, refused, told, with_helpdesk};
use crate::helpdesk_history::acts;
use crate::helpdesk_tokens::pair;

/// Begins a command of a member.
fn begun_by(host: &Host, member: &str, arguments: &[&str]) -> Child {
    let mut command = host.twofactor_of(member, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Begins a process that holds the lock on a folder.
fn held(host: &Host, folder: &str) -> Child {
    let mut holder = host.command("flock");
    holder.args([folder, "sh", "-c", "echo held; cat"]);
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    holder
}

/// Runs the same command of both members at once.
fn by_both(host: &Host, arguments: &[&str]) -> [Output; 2] {
    let running = ["hanna", "otto"].map(|member| begun_by(host, member, arguments));
    running.map(|process| process.wait_with_output().unwrap())
}

/// The fob of `user1`, `user2`, and so on.
fn fob_of<'f>(fobs: &'f [Fob], user: &str) -> &'f Fob {
    &fobs[user["user".len()..].parse::<usize>().unwrap() - 1]
}

#[test]
fn of_two_members_with_one_code_one_sees_it_right() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        for recovery in &alice.recovery_codes[..3] {
            let ended = by_both(host, &["verify", "alice", recovery]);
            let right = ended.iter().filter(|output| output.status.success()).count();
            assert_eq!(right, 1, "{} {}", said(&ended[0]), said(&ended[1]));
        }
        // Of two temporary codes the later one is good.
        let codes = by_both(host, &["--json", "code", "alice"])
            .map(|output| json(&output)["code"].as_str().unwrap().to_owned());
        assert_eq!(codes.iter().filter(|code| opens(host, "alice", code)).count(), 1);
    });
}

#[test]
fn a_broker_that_is_killed_leaves_no_act_without_its_notice() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fobs = Fob::box_of(1, 4);
        host.import(&fobs);
        let alice = host.user_with_app("alice");
        for fob in &fobs {
            let broker = host.broker();
            let before = fs::read(STATE).unwrap();
            let mut process = begun_by(host, "hanna", &["token", "assign", &fob.serial, "alice"]);
            until("the state changes", || fs::read(STATE).unwrap() != before);
            broker.signal(Signal::SIGKILL);
            let _ = process.wait().unwrap();
            drop(broker);
            let state = fs::read_to_string(STATE).unwrap();
            assert!(state.contains("change = \"token-assigned\""), "{state}");
            // Repeating it completes it, and a login is possible meanwhile.
            let _broker = host.broker();
            let _ = by(host, "hanna", &["token", "assign", &fob.serial, "alice"]);
            assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "alice");
            assert!(opens(host, "alice", &fob.authenticator.code(0)), "{}", fob.serial);
        }
        assert!(opens(host, "alice", &alice.code()));
    });
}

#[test]
fn of_two_members_with_one_pair_of_codes_one_sets_the_token_right() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fob = Fob::clock(1);
        host.user_with("alice", &fob);
        let _broker = host.broker();
        for step in [0, 2, 4] {
            let codes = pair(&fob, step);
            let ended = by_both(host, &["token", "resync", &fob.serial, &codes[0], &codes[1]]);
            let mut statuses = ended.each_ref().map(|output| output.status.code());
            statuses.sort_unstable();
            assert_eq!(statuses, [Some(0), Some(5)], "{} {}", said(&ended[0]), said(&ended[1]));
            assert!(!codes.iter().any(|code| opens(host, "alice", code)));
        }
        assert!(opens(host, "alice", &fob.authenticator.code(6)));
    });
}

#[test]
fn while_root_holds_the_registry_no_act_is_done_and_none_waits_for_long() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fob = Fob::clock(1);
        let alice = host.user_with_app("alice");
        host.assign_more(&fob, "alice");
        let _broker = host.broker();
        let state = fs::read(STATE).unwrap();
        let holder = held(host, "/var/lib/twofactor");
        let codes = pair(&fob, 0);
        let began = Instant::now();
        let resync = ["token", "resync", &fob.serial, &codes[0], &codes[1]];
        let acts: [(&str, &[&str]); 4] = [
            ("hanna", &["code", "alice"]),
            ("hanna", &["unlock", "alice"]),
            ("otto", &["reset", "alice", "--yes"]),
            ("otto", &resync),
        ];
        let running = acts.map(|(member, arguments)| begun_by(host, member, arguments));
        assert!(by(host, "hanna", &["status", "alice"]).status.success(), "a look waits for nothing");
        for process in running {
            refused(&process.wait_with_output().unwrap(), 1, "the broker cannot answer");
        }
        let waited = began.elapsed();
        assert!((Duration::from_secs(9)..Duration::from_secs(30)).contains(&waited), "{waited:?}");
        host.assert_logged(&["error user=alice", "reason=lock-timeout", "hint=", "by=hanna"]);
        host.assert_logged(&["error serial=T0000001 user=alice", "reason=lock-timeout", "by=otto"]);
        assert_eq!(fs::read(STATE).unwrap(), state, "nothing was done");
        host.kill(holder);
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        assert!(opens(host, "alice", &codes[0]) && opens(host, "alice", &alice.code()));
    });
}

#[test]
fn an_account_that_is_stuck_holds_up_no_act_about_others() {
    private_host(|host| {
        with_helpdesk(host, "");
        host.user_with_app("alice");
        let bobby = host.user_with_app("bobby");
        let broker = host.broker();
        let holder = held(host, "/var/lib/twofactor/users/alice");
        let began = Instant::now();
        let stuck: Vec<Child> = (0..3).map(|_| begun_by(host, "hanna", &["unlock", "alice"])).collect();
        broker.serves(3);
        for number in 1..=3 {
            assert!(by(host, "otto", &["unlock", "bobby"]).status.success());
            assert!(by(host, "hanna", &["unlock", "bobby"]).status.success());
            host.import(&[Fob::clock(number)]);
        }
        let waited = began.elapsed();
        assert!(waited < Duration::from_secs(9), "{waited:?}");
        for process in stuck {
            refused(&process.wait_with_output().unwrap(), 1, "the broker cannot answer");
        }
        host.kill(holder);
        assert!(opens(host, "bobby", &bobby.code()));
    });
}

/// Runs a member's command, whose broker is killed when it is about to put something on disk for the given time. Gives the
/// member's output.
fn killed_at_flush(host: &Host, number: u32, arguments: &[&str]) -> Output {
    let mut strace = host.command("strace");
    // It may be ended, too.
    strace.args(["-I", "2", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"]);
    strace.arg(format!("inject=fsync,fdatasync:signal=SIGKILL:when={number}")).arg("twofactord");
    let broker = host.broker_by(strace);
    let output = by(host, "hanna", arguments);
    // One that lives on ends with strace.
    broker.signal(Signal::SIGTERM);
    until("the broker has ended", || UnixStream::connect(SOCKET).is_err());
    output
}

/// Kills the broker at each of its flushes during an act about a user of its own, and looks at what is left. `prepare` makes the
/// user and gives the act; `check` repeats it.
fn killed_at_each_flush<T>(
    host: &Host,
    prepare: impl Fn(&str) -> (T, Vec<String>),
    check: impl Fn(&str, &T, bool) -> bool,
) {
    let mut interrupted = 0;
    for number in 1.. {
        assert!(number < 60, "it never gets through");
        let user = format!("user{number}");
        let (made, arguments) = prepare(&user);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = killed_at_flush(host, number, &arguments);
        let got_through = output.status.success();
        if !got_through {
            refused(
                &output,
                1,
                "the broker at /run/twofactord/socket: the connection ended early: it is not known whether",
            );
        }
        let _broker = host.broker();
        interrupted += u32::from(check(&user, &made, got_through));
        assert!(!acts(host, &user).is_empty(), "flush {number}: {} is not in the history", arguments.join(" "));
        if got_through {
            assert!(interrupted > 0, "flushed {} times, and never killed before the act", number - 1);
            return;
        }
    }
}

#[test]
fn a_newcomer_has_no_token_without_its_notice_whenever_the_broker_is_killed() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        with_helpdesk(host, "");
        lenient(host);
        let fobs = Fob::box_of(1, 60);
        host.import(&fobs);
        let fob_of = |user: &str| fob_of(&fobs, user);
        let prepare = |user: &str| {
            host.add_user(user);
            ((), ["token", "assign", &fob_of(user).serial, user].map(str::to_owned).to_vec())
        };
        killed_at_each_flush(host, prepare, |user, (), got_through| {
            let fob = fob_of(user);
            let [first, second] = fob.authenticator.two_codes();
            let login = host.login(user).service("lenient").calls("authenticate,account").typing(&first);
            let is_told = || login.texts().join("\n").contains("physical token assigned");
            let was_given = opens(host, user, &second);
            assert!(!was_given || is_told(), "{user}: {:?}", login.texts());
            let again = by(host, "hanna", &["token", "assign", &fob.serial, user]);
            assert!(again.status.success() || said(&again).contains("is assigned already"), "{}", said(&again));
            assert!(!got_through || was_given);
            if !was_given {
                assert!(again.status.success(), "{}", said(&again));
                let text = told(host, user, &fob.authenticator.code(2));
                assert!(text.contains("physical token assigned"), "{user}: {text}");
            }
            !was_given
        });
    });
}

#[test]
fn a_reset_is_whole_or_can_be_repeated_whenever_the_broker_is_killed() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        with_helpdesk(host, "");
        lenient(host);
        let prepare = |user: &str| (host.user_with_app(user), ["reset", user, "--yes"].map(str::to_owned).to_vec());
        killed_at_each_flush(host, prepare, |user, app, got_through| {
            let is_there = opens(host, user, &app.code());
            assert!(!got_through || !is_there);
            let again = by(host, "hanna", &["reset", user, "--yes"]);
            if is_there {
                assert!(again.status.success(), "{}", said(&again));
            } else if !again.status.success() {
                refused(&again, 3, "is not enrolled");
            }
            assert!(!opens(host, user, &app.authenticator.code(1)) && !opens(host, user, &app.recovery_codes[0]));
            let new = host.enroll(user, &[]);
            let text = told(host, user, &new.code());
            assert!(text.contains("apps, ssh keys and recovery codes forgotten"), "{user}: {text}");
            is_there
        });
    });
}

#[test]
fn a_token_can_be_set_right_again_whenever_the_broker_is_killed() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        with_helpdesk(host, "");
        let fobs = Fob::box_of(1, 60);
        host.import(&fobs);
        let fob_of = |user: &str| fob_of(&fobs, user);
        let resync = |fob: &Fob, codes: &[String; 2]| {
            ["token", "resync", &fob.serial, &codes[0], &codes[1]].map(str::to_owned).to_vec()
        };
        let prepare = |user: &str| {
            host.add_user(user);
            host.assign(fob_of(user), user);
            let codes = pair(fob_of(user), 0);
            let arguments = resync(fob_of(user), &codes);
            (codes, arguments)
        };
        killed_at_each_flush(host, prepare, |user, codes, got_through| {
            let fob = fob_of(user);
            let again = |codes: &[String; 2]| {
                let arguments = resync(fob, codes);
                by(host, "hanna", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
            };
            // Judged or not: in the end they are used.
            let repeated = again(codes);
            if !repeated.status.success() {
                refused(&repeated, 5, "these are not two consecutive new codes");
            }
            assert!(!got_through || !repeated.status.success());
            assert!(!codes.iter().any(|code| opens(host, user, code)), "{user}");
            let next = again(&pair(fob, 2));
            assert!(next.status.success(), "{}", said(&next));
            assert!(opens(host, user, &fob.authenticator.code(4)));
            repeated.status.success()
        });
    });
}
