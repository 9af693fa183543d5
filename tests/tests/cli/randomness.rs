//! A kernel that gives no random numbers: an error, never a panic, and nothing is changed.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::requirements::programs_met;

const STATE: &str = "/var/lib/twofactor";

/// Errors of the call. After the last two, other sources of random numbers are tried.
const ERRORS: [&str; 4] = ["EIO", "ENOSPC", "ENOSYS", "EPERM"];

const COMMANDS: [&[&str]; 10] = [
    &["enroll", "bob", "--no-confirm", "--qr", "none"],
    &["--json", "enroll", "bob", "--no-confirm", "--qr", "none"],
    &["recovery", "alice", "--count", "4"],
    &["invite", "bob"],
    &["code", "alice"],
    &["token", "import", "/root/tokens.csv", "--series", "new"],
    &["token", "import", "/root/tokens.zip", "--password-file", "/root/password", "--series", "new"],
    &["token", "assign", "T0000003", "bob"],
    &["token", "assign", "--from", "/root/list.csv"],
    &["--json", "token", "list"],
];

#[test]
fn whichever_random_number_a_command_does_not_get_it_says_so_and_does_not_panic() {
    if !programs_met(&["strace", "7z"]) {
        return;
    }
    private_host(|host| {
        move_in(host);
        for arguments in COMMANDS {
            let mut failed = 0;
            for error in ERRORS {
                failed += with_each_call_failing(host, arguments, error);
            }
            assert!(failed >= ERRORS.len(), "{arguments:?} asks for random numbers");
        }
    });
}

#[test]
fn a_login_that_does_not_get_a_random_number_is_refused_or_needs_none_and_the_module_does_not_panic() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        host.configure("[[rule]]\nusers = [\"bob\"]\nsecond_factor = \"enroll\"\n");
        host.system_service("first", "auth required pam_twofactor.so\naccount required pam_twofactor.so\n");
        let alice = host.user_with_fob("alice");
        host.add_user("bob");
        for error in ERRORS {
            for number in 1_usize.. {
                for when in [format!("{number}"), format!("{number}+")] {
                    for (user, answer) in [("alice", alice.next_code()), ("bob", ANY_CODE.to_owned())] {
                        let mut login = failing(host, error, &when);
                        login.args(["pam-login", "--confdir", "/etc/pam.d", "--service", "first", "--user", user]);
                        login.args(["--calls", "authenticate,account"]);
                        let _ = output_of(login, &answer);
                    }
                }
                if !injected(host) {
                    break;
                }
            }
        }
        let log = host.module_log();
        assert!(!log.iter().any(|line| line.contains("reason=panic")), "{log:?}");
        assert!(log.iter().any(|line| line.contains("random")), "{log:?}");
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
    });
}

/// A user, tokens of a box, and everything that the commands read.
fn move_in(host: &Host) {
    host.user_with_app("alice");
    host.add_user("bob");
    let spare = host.private_file("spare.csv", &seed_file(&Fob::box_of(3, 3)));
    host.sysadmin(&["token", "import", spare.to_str().unwrap(), "--series", "spare"]);
    host.private_file("tokens.csv", &seed_file(&Fob::box_of(20, 5)));
    host.private_file("list.csv", "T0000003,bob\n");
    host.private_file("password", "secret\n");
    host.succeed("7z", ["a", "-tzip", "-mem=AES256", "-bd", "-psecret", "/root/tokens.zip", "/root/tokens.csv"]);
    host.succeed("cp", ["--archive", STATE, "/root/before"]);
}

/// Runs a command once for each call, and once with that call and all after it failing. How many calls there were.
fn with_each_call_failing(host: &Host, arguments: &[&str], error: &str) -> usize {
    restore(host);
    let before = seen(host);
    for number in 1_usize.. {
        for when in [format!("{number}"), format!("{number}+")] {
            let output = run(host, arguments, error, &when);
            let (status, told) = (output.status.code(), said(&output));
            let story = format!("{arguments:?}, {error} {when}: {told}");
            assert!(!told.contains("panicked"), "{story}");
            assert!(matches!(status, Some(0 | 1)), "{status:?} {story}");
            assert!(status == Some(0) || seen(host) == before, "changed by a command that failed: {story}");
        }
        if !injected(host) {
            return number - 1;
        }
    }
    0
}

fn run(host: &Host, arguments: &[&str], error: &str, when: &str) -> Output {
    restore(host);
    failing(host, error, when).arg("twofactor").args(arguments).output().unwrap()
}

/// A command that runs its arguments and fails these calls for random numbers.
fn failing(host: &Host, error: &str, when: &str) -> Command {
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-e", "signal=none", "-e", "trace=getrandom", "-o"]).arg(host.place("trace"));
    command.arg("-e").arg(format!("inject=getrandom:error={error}:when={when}"));
    command
}

/// Whether a call of the last program failed.
fn injected(host: &Host) -> bool {
    fs::read_to_string(host.place("trace")).unwrap().contains("(INJECTED)")
}

/// What the application says of a login with this answer. It may end before it reads it.
fn output_of(mut login: Command, answer: &str) -> Output {
    login.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut login = login.spawn().unwrap();
    let mut script = "answer ".to_owned();
    answer.bytes().for_each(|byte| write!(script, "{byte:02x}").unwrap());
    let _ = login.stdin.take().unwrap().write_all((script + "\n").as_bytes());
    login.wait_with_output().unwrap()
}

fn restore(host: &Host) {
    host.succeed("rm", ["-rf", STATE]);
    host.succeed("cp", ["--archive", "/root/before", STATE]);
}

/// The accounts and tokens as a sysadmin sees them.
fn seen(host: &Host) -> String {
    let looks = [&["--json", "status", "alice"][..], &["--json", "status", "bob"], &["--json", "token", "list"]];
    looks.map(|look| said(&host.run_twofactor(look))).concat()
}
