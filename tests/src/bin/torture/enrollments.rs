//! Enrollments at login in which a system call fails, or which are killed or stopped at a random moment: an app and a
//! physical token, with right answers and wrong ones. Nobody gets in whose second factor is not stored, wrong answers store
//! nothing, and what was broken off can be done anew.

use std::io::Write as _;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use twofactor_tests::first_login::{CONFIRM, ENROLL, FIRST, Offer, SECOND, SERIAL};
use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

use crate::attempt::{End, last_words, line};
use crate::deadline::{Hung, Mortal};
use crate::deeds::{Household, Snapshot, reports};
use crate::strace::{Fault, failing, faults, trace, traced};
use crate::tally::{Budget, Tally};

/// A service in which other modules succeed, so that a module which is ignored by mistake lets in.
const SERVICE: &str = "enroll";
const STACK: &str = "auth required pam_permit.so\nauth required pam_twofactor.so\nauth required pam_permit.so\n\
     account required pam_permit.so\naccount required pam_twofactor.so\naccount required pam_permit.so\n";

/// Longer than a login takes on a busy machine, and shorter than any wait for a lock.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What bob answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    App,
    WrongCodes,
    Token,
    WrongToken,
}

impl Way {
    const ALL: [Self; 4] = [Self::App, Self::WrongCodes, Self::Token, Self::WrongToken];

    fn is_right(self) -> bool {
        matches!(self, Self::App | Self::Token)
    }
}

/// Something that happens to an enrollment.
#[derive(Debug)]
enum Mishap {
    Fails(Fault),
    Killed,
    Stopped,
}

pub(crate) fn run(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let household = Household::move_in(host);
    host.configure(&format!("{ENROLL}[throttle]\nfree_attempts = 1000\n"));
    host.service(SERVICE, STACK);
    host.system_service(SERVICE, STACK);
    // It registers the token.
    let broker = host.broker();
    let fob = Fob::clock(3);
    let snapshot = Snapshot::take(host);
    let before = bobs(host);
    let mut known = Vec::new();
    let mut usual = Duration::from_millis(60);
    for way in Way::ALL {
        snapshot.restore(host);
        let began = Instant::now();
        let end = enroll(host, traced(host, "pam-login"), way, &fob);
        usual = usual.max(began.elapsed() / 4);
        assert_eq!(end == End::Accepted, way.is_right(), "{way:?} undisturbed: {}", last_words(host));
        known.push((way, bobs(host), faults(&trace(host), random)));
    }
    while budget.allows(&tally) {
        let turn = usize::try_from(random.below(4)).unwrap();
        let (way, after, faults) = &mut known[turn];
        let mishap = match random.below(4) {
            0 => Mishap::Killed,
            1 => Mishap::Stopped,
            _ => match faults.pop() {
                Some(fault) => Mishap::Fails(fault),
                None => continue,
            },
        };
        tally.case();
        snapshot.restore(host);
        let moment = usual * u32::try_from(random.below(1300)).unwrap() / 1000;
        let end = match &mishap {
            Mishap::Fails(fault) => enroll(host, failing(host, "pam-login", fault), *way, &fob),
            Mishap::Killed => converse(host, host.command("pam-login"), *way, &fob, |process, since| {
                sleep_until(since, moment);
                let _ = kill(process, Signal::SIGKILL);
            }),
            Mishap::Stopped => {
                let code = household.hers.code_of(0);
                converse(host, host.command("pam-login"), *way, &fob, |process, since| {
                    sleep_until(since, moment);
                    let _ = kill(process, Signal::SIGSTOP);
                    let began = Instant::now();
                    let other = host.login("alice").typing(&code).code();
                    let took = began.elapsed();
                    tally.check(other == ReturnCode::SUCCESS && took < AT_ONCE, || {
                        format!("alice waited for bob's stopped enrollment: {other:?} after {took:?}")
                    });
                    let _ = kill(process, Signal::SIGCONT);
                })
            }
        };
        tally.count(match (&mishap, end) {
            (_, End::Accepted) => "enrolled all the same",
            (Mishap::Fails(_), _) => "failed",
            (_, _) => "broken off",
        });
        // It ends what it was asked for before the mishap.
        broker.has_answered();
        let now = bobs(host);
        let story =
            |what: &str| format!("{what}: {way:?}, {mishap:?}\n{}\nbefore:\n{before}\nnow:\n{now}", last_words(host));
        tally.check(end != End::Hung, || story("the login hangs"));
        if !way.is_right() {
            tally.check(end != End::Accepted, || story("wrong answers opened a session"));
            tally.check(now == before, || story("wrong answers stored something"));
            continue;
        }
        tally.check(end != End::Accepted || now == *after, || story("a session was opened and nothing is stored"));
        tally.check(!matches!(mishap, Mishap::Stopped) || end == End::Accepted, || {
            story("an enrollment that was stopped did not go on")
        });
        if now == before {
            finish(host, *way, &fob, after, &mut tally, &story);
        } else if now != *after {
            tally.count("left half way");
            let _ = host.run_twofactor(&["doctor", "--fix"]);
            if bobs(host) != *after {
                finish(host, *way, &fob, after, &mut tally, &story);
            }
        }
    }
    tally
}

/// What an administrator sees of bob and of the token that he registers, but for the drift: it depends on the moment at which
/// a step ends.
fn bobs(host: &Host) -> String {
    let seen =
        reports(host, &[&["status", "bob"], &["token", "show", "T0000003"], &["explain", "bob", "--service", SERVICE]]);
    let mut pieces = seen.split("\"drift\":");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        text + piece.trim_start_matches(|letter: char| letter == '-' || letter.is_ascii_digit())
    })
}

/// Enrolls anew, which must come to its end, perhaps after `doctor --fix`.
fn finish(host: &Host, way: Way, fob: &Fob, after: &str, tally: &mut Tally, story: &dyn Fn(&str) -> String) {
    let mut end = enroll(host, host.command("pam-login"), way, fob);
    if end != End::Accepted {
        tally.count("needed doctor --fix");
        let _ = host.run_twofactor(&["doctor", "--fix"]);
        end = enroll(host, host.command("pam-login"), way, fob);
    }
    let now = bobs(host);
    tally.check(end == End::Accepted && now == after, || {
        format!("{}\nand then, {end:?}:\n{now}", story("it cannot be done anew"))
    });
}

/// Bob's enrollment by an application that `command` begins with: `pam-login` itself, or in strace.
fn enroll(host: &Host, command: Command, way: Way, fob: &Fob) -> End {
    converse(host, command, way, fob, |_, _| ())
}

/// The same, disturbed once something could be stored. Whatever the application does, this comes to an end.
fn converse(host: &Host, mut command: Command, way: Way, fob: &Fob, disturb: impl FnOnce(Pid, Instant)) -> End {
    let mut disturb = Some(disturb);
    // Read off together: between two prompts the next step may begin.
    let codes = fob.authenticator.two_codes();
    command.args(["--confdir", &host.confdir(), "--service", SERVICE, "--user", "bob", "--rhost", "192.0.2.7"]);
    command.args(["--calls", "authenticate,account"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut login = Mortal::start(&mut command);
    let mut input = login.process.stdin.take().expect("a pipe");
    let mut output = login.process.stdout.take().expect("a pipe");
    let id = Pid::from_raw(i32::try_from(login.process.id()).expect("a process"));
    let (mut shown, mut results, mut wrong, mut unread) = (String::new(), Vec::new(), Vec::new(), Vec::new());
    loop {
        match login.read(&mut output) {
            Ok(piece) if piece.is_empty() => break,
            Ok(piece) => unread.extend(piece),
            Err(Hung) => return End::Hung,
        }
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let report: Vec<u8> = unread.drain(..=end).collect();
            let Ok(event) = serde_json::from_slice::<Value>(&report) else { continue };
            let text = event["text"].as_str().unwrap_or_default();
            shown.push_str(text);
            shown.push('\n');
            if event["event"] == "result" {
                results.extend(event["code"].as_i64());
            }
            if event["style"].as_str().is_some_and(|style| style.starts_with("prompt")) {
                let (answer, is_last) = answer(way, text, &shown, (fob, &codes), &mut wrong);
                give(&mut input, &answer);
                if let Some(disturb) = disturb.take_if(|_| is_last) {
                    disturb(id, Instant::now());
                }
            }
        }
    }
    // What it is traced by ends with its input.
    drop(input);
    if login.wait().is_err() {
        return End::Hung;
    }
    match results.as_slice() {
        [0, 0] => End::Accepted,
        [] => End::Silent,
        _ => End::Refused,
    }
}

/// What bob types, and whether that may store something.
fn answer(
    way: Way,
    prompt: &str,
    shown: &str,
    (fob, codes): (&Fob, &[String; 2]),
    wrong: &mut Vec<String>,
) -> (String, bool) {
    let is_token = matches!(way, Way::Token | Way::WrongToken);
    let mut another = |authenticator: &Authenticator| {
        let code = authenticator.wrong_codes().find(|code| !wrong.contains(code)).expect("wrong codes are many");
        wrong.push(code.clone());
        code
    };
    match prompt {
        CONFIRM if is_token => ("token".to_owned(), false),
        CONFIRM => {
            let app = Offer::read(shown).app;
            (if way == Way::App { app.code(0) } else { another(&app) }, true)
        }
        SERIAL => (fob.serial.clone(), false),
        FIRST if way == Way::Token => (codes[0].clone(), false),
        SECOND if way == Way::Token => (codes[1].clone(), true),
        FIRST | SECOND => (another(&fob.authenticator), prompt == SECOND),
        // The recovery codes are written down.
        _ => (String::new(), false),
    }
}

fn give(input: &mut ChildStdin, answer: &str) {
    let _ = input.write_all(line(answer).as_bytes());
}

fn sleep_until(since: Instant, moment: Duration) {
    while since.elapsed() < moment {
        std::hint::spin_loop();
    }
}
