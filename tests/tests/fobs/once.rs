//! A token's code works once, of however many logins; and nobody waits for anybody else.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::{Event, ReturnCode, Running};
use twofactor_tests::private_host::{Host, said};

use crate::host;

const PROCESSES: usize = 24;

/// Waits until every login is at its prompt, then types to all of them, and gives what became of each.
fn at_once(logins: &mut [Running], codes: &[String]) -> Vec<ReturnCode> {
    for login in &mut *logins {
        assert!(matches!(login.advance(), Event::Prompt(_)));
    }
    for (login, code) in logins.iter_mut().zip(codes) {
        login.answer(&code.into());
    }
    let ended = logins.iter_mut().map(|login| {
        assert_eq!(login.advance(), Event::End);
        login.outcome().code()
    });
    ended.collect()
}

#[track_caller]
fn assert_one_won(round: usize, codes: &[ReturnCode]) {
    let winners = codes.iter().filter(|code| **code == ReturnCode::SUCCESS).count();
    let replays = codes.iter().filter(|code| **code == ReturnCode::AUTH_ERR).count();
    assert_eq!((winners, replays), (1, codes.len() - 1), "round {round}: {codes:?}");
}

#[test]
fn of_twenty_four_simultaneous_logins_with_one_code_of_a_button_exactly_one_wins() {
    const ROUNDS: usize = 50;
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        let mut logins: Vec<_> = (0..PROCESSES).map(|_| host.login("alice").repeat(ROUNDS).start()).collect();
        for (round, code) in fob.authenticator.counter_codes(0, 50).into_iter().enumerate() {
            assert_one_won(round, &at_once(&mut logins, &vec![code; PROCESSES]));
        }
        let lines = host.module_log();
        assert_eq!(lines.iter().filter(|line| line.contains(": accepted ")).count(), ROUNDS);
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn of_twenty_four_simultaneous_logins_with_one_code_of_a_clock_exactly_one_wins() {
    const STEPS: [i64; 5] = [-2, -1, 0, 1, 2];
    host(|host| {
        let fob = Fob::clock(1);
        host.user_with("alice", &fob);
        let login = || host.login_at(Moment::SOME, "alice").repeat(STEPS.len()).start();
        let mut logins: Vec<_> = (0..PROCESSES).map(|_| login()).collect();
        for (round, steps) in STEPS.into_iter().enumerate() {
            let code = Moment::SOME.code(&fob.authenticator, steps);
            assert_one_won(round, &at_once(&mut logins, &vec![code; PROCESSES]));
        }
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn of_two_users_who_hold_the_same_token_one_after_the_other_only_one_gets_in_with_its_code() {
    const ROUNDS: u64 = 10;
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        host.add_user("bob");
        for round in 0..ROUNDS {
            // Both wait at their prompts with the same code while the token changes hands.
            let mut logins = ["alice", "bob"].map(|user| host.login(user).start());
            for login in &mut logins {
                assert!(matches!(login.advance(), Event::Prompt(_)));
            }
            let (from, to) = if round % 2 == 0 { ("alice", "bob") } else { ("bob", "alice") };
            let hand_over =
                format!("twofactor -q token unassign {0} --force && twofactor -q token assign {0} {to}", fob.serial);
            let handing_over = host.command("sh").args(["-c", &hand_over]).spawn().unwrap();
            let code = fob.code_of(round);
            let won = logins.iter_mut().map(|login| {
                login.answer(&(&code).into());
                assert_eq!(login.advance(), Event::End);
                login.outcome().code() == ReturnCode::SUCCESS
            });
            let won = won.filter(|won| *won).count();
            assert!(handing_over.wait_with_output().unwrap().status.success(), "{from} to {to}");
            let afterwards = ["alice", "bob"].map(|user| host.login(user).typing(&code).code());
            let later = afterwards.iter().filter(|code| **code == ReturnCode::SUCCESS).count();
            assert!(won + later <= 1, "round {round}: {won} won, then {later}");
            assert_eq!(host.login(to).typing(fob.code_of(round + 1)).code(), ReturnCode::SUCCESS, "the next code");
            // The next round begins behind what is used.
            assert_eq!(host.login(to).typing(fob.code_of(round + 1)).code(), ReturnCode::AUTH_ERR);
        }
    });
}

/// So many users, each with a button.
fn crowd(host: &Host, size: u64) -> Vec<(String, Fob)> {
    let crowd: Vec<(String, Fob)> = (0..size).map(|number| (format!("user{number}"), Fob::button(number))).collect();
    let fobs: Vec<Fob> = crowd.iter().map(|(_, fob)| fob.clone()).collect();
    host.import(&fobs);
    let mut list = String::new();
    for (user, fob) in &crowd {
        host.add_user(user);
        let _ = writeln!(list, "{},{user}", fob.serial);
    }
    let list = host.private_file("owners.csv", &list);
    host.sysadmin(&["token", "assign", "--from", list.to_str().unwrap()]);
    crowd
}

/// Lets the whole crowd log in at once, each with the next code.
#[track_caller]
fn everybody_gets_in(host: &Host, logins: &mut [Running], crowd: &[(String, Fob)], counter: u64) {
    let codes: Vec<String> = crowd.iter().map(|(_, fob)| fob.code_of(counter)).collect();
    let results = at_once(logins, &codes);
    let refused = || host.module_log().into_iter().filter(|line| !line.contains(": accepted")).collect::<Vec<_>>();
    assert!(results.iter().all(|code| *code == ReturnCode::SUCCESS), "{results:?}\n{}", refused().join("\n"));
}

/// Whether somebody is changing the registry.
fn is_locked() -> bool {
    let folder = File::open("/var/lib/twofactor").unwrap();
    Flock::lock(folder, FlockArg::LockExclusiveNonblock).is_err()
}

/// Stops an import in the midst of its work. `None` when it was too fast.
fn stopped_within(import: &mut Child) -> Option<()> {
    let pid = Pid::from_raw(i32::try_from(import.id()).unwrap());
    let started = Instant::now();
    while !is_locked() {
        if import.try_wait().unwrap().is_some() {
            return None;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "the import does not begin");
        std::thread::yield_now();
    }
    kill(pid, Signal::SIGSTOP).unwrap();
    match waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap() {
        WaitStatus::Stopped(..) if is_locked() => Some(()),
        _ => None,
    }
}

#[test]
fn twenty_four_users_logging_in_at_once_are_all_let_in_also_while_twenty_thousand_tokens_are_imported() {
    const TOKENS: u64 = 20_000;
    const ROUNDS: usize = 200;
    host(|host| {
        let crowd = crowd(host, 24);
        let start = |(user, _): &(String, Fob)| host.login(user).repeat(ROUNDS).start();
        let mut logins: Vec<Running> = crowd.iter().map(start).collect();
        let mut counter = 0;
        let mut round = || {
            everybody_gets_in(host, &mut logins, &crowd, counter);
            counter += 1;
        };
        round();

        // Also while it stands still with the registry locked. A busy machine may let this test act too late.
        let stand_still = |attempt: u64| {
            let (name, fobs) = (format!("box-{attempt}.csv"), Fob::box_of(1 + attempt * TOKENS, TOKENS));
            let file = host.private_file(&name, &seed_file(&fobs));
            let mut import = host.twofactor(&["-q", "token", "import", file.to_str().unwrap()]).spawn().unwrap();
            if stopped_within(&mut import).is_some() {
                return Some((format!("box-{attempt}"), import));
            }
            let _ = import.kill();
            import.wait().unwrap();
            None
        };
        let (series, mut import) = (0..5).find_map(stand_still).expect("twenty thousand tokens take a while");
        round();
        kill(Pid::from_raw(i32::try_from(import.id()).unwrap()), Signal::SIGCONT).unwrap();
        let mut beside = 0;
        while import.try_wait().unwrap().is_none() && beside < ROUNDS - 3 {
            round();
            beside += 1;
        }
        println!("{beside} rounds beside the import");
        let output = import.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        round();
        assert_eq!(host.json(&["series", "show", &series])["tokens"], TOKENS);
    });
}

#[test]
fn logins_beside_a_sysadmin_who_changes_tokens_all_the_time_are_all_let_in() {
    const CHANGES: usize = 60;
    const ROUNDS: u16 = 400;
    host(|host| {
        let crowd = crowd(host, 4);
        let other = Fob::button(100);
        host.import(std::slice::from_ref(&other));
        let work = format!("twofactor -q token disable {0} && twofactor -q token enable {0}", other.serial);
        let work = format!("for change in $(seq {CHANGES}); do {{ {work}; }} || exit 1; done");
        let start = |(user, _): &(String, Fob)| host.login(user).repeat(ROUNDS.into()).start();
        let mut logins: Vec<Running> = crowd.iter().map(start).collect();
        let mut sysadmin = host.command("sh").args(["-c", &work]).spawn().unwrap();
        let mut rounds = 0;
        while sysadmin.try_wait().unwrap().is_none() && rounds < ROUNDS {
            everybody_gets_in(host, &mut logins, &crowd, rounds.into());
            rounds += 1;
        }
        println!("{rounds} rounds beside {CHANGES} changes");
        assert!(sysadmin.wait().unwrap().success());
    });
}

#[test]
fn of_imports_at_once_each_ends_well_and_nothing_is_lost_or_doubled() {
    const TOKENS: u64 = 1500;
    host(|host| {
        let all = Fob::box_of(1, TOKENS);
        let half = usize::try_from(TOKENS).unwrap() / 3;
        // Every third stands in two files.
        let files = [("one", &all[..2 * half]), ("two", &all[half..])];
        let imports: Vec<_> = files
            .iter()
            .cycle()
            .take(4)
            .map(|(name, fobs)| {
                let file = host.private_file(&format!("{name}.csv"), &seed_file(fobs));
                let mut command =
                    host.twofactor(&["--json", "token", "import", file.to_str().unwrap(), "--series", "box"]);
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut new = 0;
        for import in imports {
            let output = import.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            new += report["new"].as_u64().unwrap();
            let judged = ["new", "unchanged"].map(|name| report[name].as_u64().unwrap());
            assert_eq!(judged.iter().sum::<u64>(), 2 * TOKENS / 3, "{report}");
        }
        assert_eq!(new, TOKENS);
        assert_eq!(host.json(&["series", "show", "box"])["tokens"], TOKENS);
        assert_eq!(host.succeed("twofactor", ["token", "list", "--csv"]).lines().count() as u64, TOKENS + 1);
        assert!(!fs::exists("/var/lib/twofactor/registry.db.new").unwrap());
    });
}
