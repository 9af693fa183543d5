//! `kill -9` at random moments of an import, a hand-over and a login: two hundred in all. What was promised holds
//! afterwards, and everything works.

use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use twofactor_core::host::trusted::{Folder, Owner, Protection};
use twofactor_core::store::registry::RegistryReader;
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::pam::{Event, Outcome, ReturnCode};
use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;
use twofactor_tests::requirements::programs_met;

use crate::{assert_accepted, assert_denied, host};

/// Moments within what something usually takes.
struct Moments {
    random: Random,
    usual: Duration,
    /// Between these thousandths of it.
    between: Range<u64>,
}

impl Moments {
    fn new(seed: u64, between: Range<u64>) -> Self {
        Self { random: Random::new(seed), usual: Duration::ZERO, between }
    }

    /// Measures how long it takes undisturbed.
    fn learn<T>(&mut self, body: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = body();
        self.usual = self.usual.max(started.elapsed());
        result
    }

    /// Waits for a random moment after `since`.
    fn wait(&mut self, since: Instant) {
        let length = self.between.end - self.between.start;
        let thousandths = u32::try_from(self.between.start + self.random.below(length)).unwrap();
        while since.elapsed() < self.usual * thousandths / 1000 {
            std::hint::spin_loop();
        }
    }

    /// Starts a program and kills it at some moment, unless it has ended. Says whether it has ended well.
    fn kill(&mut self, command: &mut Command) -> bool {
        let started = Instant::now();
        let mut process: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.wait(started);
        let _ = process.kill();
        let ended_well = process.wait().unwrap().success();
        // However busy the machine is: towards the moments at which it makes a difference.
        self.usual = if ended_well { self.usual * 8 / 10 } else { self.usual * 11 / 10 };
        ended_well
    }
}

/// How many tokens there are. Looks at every page of the registry first.
#[track_caller]
fn tokens_of_a_sound_registry() -> u64 {
    let state = Folder::open(Path::new("/var/lib/twofactor"), Owner::ROOT, Protection::FromReading).unwrap().unwrap();
    let Some(reader) = RegistryReader::open(&state).unwrap() else { return 0 };
    assert_eq!(reader.integrity().unwrap(), Vec::<String>::new());
    reader.count().unwrap()
}

/// Who owns the token, as the tool says.
fn owner(host: &Host, fob: &Fob) -> Option<String> {
    host.json(&["token", "show", &fob.serial])["user"].as_str().map(str::to_owned)
}

#[test]
fn an_import_killed_at_any_moment_leaves_all_of_a_file_or_nothing() {
    const KILLS: u64 = 60;
    const TOKENS: u64 = 400;
    let seed = Random::seed();
    host(|host| {
        println!("TWOFACTOR_TESTS_SEED={seed}");
        let mut moments = Moments::new(seed, 500..1300);
        let fobs = |file: u64| Fob::box_of(file * TOKENS, TOKENS);
        let path = |file: u64| host.private_file(&format!("{file}.csv"), &seed_file(&fobs(file))).display().to_string();
        let first = path(0);
        moments.learn(|| host.sysadmin(&["token", "import", &first]));
        std::fs::remove_file("/var/lib/twofactor/registry.db").unwrap();
        let (mut whole, mut before) = (0, 0);
        for file in 0..KILLS {
            let file = path(file);
            let ended_well = moments.kill(&mut host.twofactor(&["token", "import", &file]));
            let after = tokens_of_a_sound_registry();
            assert!(after == before || after == before + TOKENS, "{before} tokens became {after}");
            assert!(!ended_well || after == before + TOKENS, "it said that it was done");
            whole += u64::from(after > before);
            before = after;
        }
        println!("of {KILLS} imports {whole} were over before they were killed");
        for file in 0..KILLS {
            host.sysadmin(&["token", "import", &format!("/root/{file}.csv"), "--series", "all"]);
        }
        assert_eq!(tokens_of_a_sound_registry(), KILLS * TOKENS);
    });
}

/// Refused, or in doubt whether the registry is whole: whoever was killed between taking a token away and writing down that
/// its owner holds none leaves that doubt, until the next assignment or `reset`.
#[track_caller]
fn assert_not_let_in(outcome: &Outcome) {
    assert!([ReturnCode::AUTH_ERR, ReturnCode::AUTHINFO_UNAVAIL].contains(&outcome.code()), "{outcome:?}");
}

#[test]
fn a_token_whose_hand_over_was_killed_at_any_moment_has_one_owner_or_none_and_no_used_code_is_good() {
    const ROUNDS: u64 = 35;
    let seed = Random::seed();
    host(|host| {
        println!("TWOFACTOR_TESTS_SEED={seed}");
        let mut moments = Moments::new(seed, 300..1300);
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        host.add_user("bob");
        host.user_with("carol", &Fob::button(2));
        host.sysadmin(&["token", "unassign", &fob.serial, "--force"]);
        moments.learn(|| host.assign(&fob, "alice"));
        let (mut next, mut from, mut to) = (0, "alice", "bob");
        let mut killed_in_time = 0;
        for _ in 0..ROUNDS {
            let used = fob.code_of(next);
            assert_accepted(&host.login(from).typing(&used));
            next += 1;

            let ended_well = moments.kill(&mut host.twofactor(&["token", "unassign", &fob.serial, "--force"]));
            tokens_of_a_sound_registry();
            let left = owner(host, &fob);
            assert!(left.is_none() || (left.as_deref() == Some(from) && !ended_well), "{left:?}");
            assert_not_let_in(&host.login(from).typing(&used));
            if left.is_some() {
                killed_in_time += 1;
                host.sysadmin(&["token", "unassign", &fob.serial, "--force"]);
            }

            let ended_well = moments.kill(&mut host.twofactor(&["token", "assign", &fob.serial, to]));
            tokens_of_a_sound_registry();
            let owned = owner(host, &fob);
            assert!(owned.as_deref() == Some(to) || (owned.is_none() && !ended_well), "{owned:?}");
            for user in [from, to] {
                assert_not_let_in(&host.login(user).typing(&used));
            }
            if !ended_well {
                killed_in_time += usize::from(owned.is_none());
                // It may have come as far as the owner's file.
                let _ = host.run_twofactor(&["token", "assign", &fob.serial, to]);
            }
            assert_denied(&host.login(to).typing(&used));
            std::mem::swap(&mut from, &mut to);
        }
        println!("{killed_in_time} of {} were killed in time", 2 * ROUNDS);
        assert_accepted(&host.login(from).typing(fob.code_of(next)));
    });
}

#[test]
fn what_a_killed_command_leaves_of_a_users_tokens_is_repaired_by_doctor() {
    if !programs_met(&["strace"]) {
        return;
    }
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        let give: &[&str] = &["token", "assign", &fob.serial, "alice"];
        let take: &[&str] = &["token", "unassign", &fob.serial, "--force"];
        let reset: &[&str] = &["reset", "alice", "--yes"];
        let (mut counter, mut repaired) = (0, 0);
        for arguments in [take, give, reset] {
            // Killed when it writes to a disk for the first time, the second, and so on, until it gets through.
            for number in 1.. {
                let owned = owner(host, &fob).is_some();
                if owned != (arguments != give) {
                    host.sysadmin(if owned { take } else { give });
                }
                if arguments == reset {
                    let _ = host.run_twofactor(&["enroll", "alice", "--no-confirm", "--qr", "none"]);
                }
                let got_through = killed_at_flush(host, number, arguments);
                let report = host.run_twofactor(&["--json", "doctor", "--fix"]);
                let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
                repaired += report["fixed"].as_array().unwrap().len();
                let left = owner(host, &fob);
                assert!(left.is_some() || arguments != reset, "a reset takes no token");
                let outcome = host.login("alice").typing(fob.code_of(counter));
                if left.is_some() {
                    assert_accepted(&outcome);
                    counter += 1;
                } else {
                    assert_denied(&outcome);
                }
                if got_through {
                    println!("{arguments:?} flushes {} times", number - 1);
                    assert!(number > 1, "it was never killed");
                    break;
                }
            }
        }
        println!("{repaired} were repaired");
        assert!(repaired >= 2, "taking and giving are in doubt at some moment, and {repaired} were repaired");
    });
}

/// Runs the tool, which is killed when it is about to put something on disk for the given time. Says whether it got through.
fn killed_at_flush(host: &Host, number: u32, arguments: &[&str]) -> bool {
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"]);
    command.arg(format!("inject=fsync,fdatasync:signal=SIGKILL:when={number}")).arg("twofactor").args(arguments);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(matches!(status.code(), None | Some(0)), "{arguments:?}: {status}");
    status.success()
}

#[test]
fn a_login_killed_at_any_moment_never_leaves_a_used_code_good_or_the_registry_damaged() {
    const KILLS: u64 = 70;
    let seed = Random::seed();
    host(|host| {
        println!("TWOFACTOR_TESTS_SEED={seed}");
        let mut moments = Moments::new(seed, 0..1000);
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        host.import(&Fob::box_of(1, 300));
        for counter in 0..10 {
            let code = fob.code_of(counter);
            let mut login = host.login("alice").start();
            assert!(matches!(login.advance(), Event::Prompt(_)));
            let event = moments.learn(|| {
                login.answer(&(&code).into());
                login.advance()
            });
            assert_eq!(event, Event::End);
        }
        let mut accepted_before_death = 0;
        for kill in 0..KILLS {
            let code = fob.code_of(10 + kill);
            let mut login = host.login("alice").start();
            assert!(matches!(login.advance(), Event::Prompt(_)));
            let answered = Instant::now();
            login.answer(&(&code).into());
            moments.wait(answered);
            let accepted = login.kill().results.iter().any(|(_, code)| *code == ReturnCode::SUCCESS);
            accepted_before_death += u64::from(accepted);
            let again = host.login("alice").typing(&code).code();
            // Killed before its success was recorded, the code is good once more; otherwise it is not.
            let expected =
                if accepted { &[ReturnCode::AUTH_ERR][..] } else { &[ReturnCode::AUTH_ERR, ReturnCode::SUCCESS] };
            assert!(expected.contains(&again), "kill {kill}: accepted {accepted}, then {again:?}");
            assert_denied(&host.login("alice").typing(&code));
            if kill % 10 == 0 {
                assert_eq!(tokens_of_a_sound_registry(), 301);
            }
        }
        println!("of {KILLS} logins {accepted_before_death} had opened a session");
        assert_eq!(tokens_of_a_sound_registry(), 301);
        assert_accepted(&host.login("alice").typing(fob.code_of(10 + KILLS)));
        host.assign_more(&Fob::button(2), "alice");
        assert_eq!(host.failures("alice"), 0);
    });
}
