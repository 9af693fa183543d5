//! The module as a guest in somebody else's process: what it exports and needs, what it leaves behind, what it gives away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use twofactor_tests::artifacts;
use twofactor_tests::footprint::Footprint;
use twofactor_tests::pam::{Answer, ReturnCode};
use twofactor_tests::private_host::{PASSWORD, private_host};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::syslog::Line;

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).arg(&artifacts::release().module).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn only_the_six_entry_points_are_exported() {
    if !programs_met(&["nm"]) {
        return;
    }
    let symbols = output_of("nm", &["--dynamic", "--defined-only", "--format=posix"]);
    let mut names: Vec<&str> = symbols.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    let entry_points = ["acct_mgmt", "authenticate", "chauthtok", "close_session", "open_session", "setcred"];
    assert_eq!(names, entry_points.map(|name| format!("pam_sm_{name}")));
}

#[test]
fn the_module_needs_libpam_and_nothing_unusual() {
    if !programs_met(&["readelf"]) {
        return;
    }
    let dynamic = output_of("readelf", &["--dynamic", "--wide"]);
    let needed: Vec<&str> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split_once('[')?.1.split_once(']').map(|(name, _)| name))
        .collect();
    assert!(needed.contains(&"libpam.so.0"), "linked statically? {needed:?}");
    let usual = ["libpam.so.0", "libc.so.6", "libgcc_s.so.1", "ld-linux"];
    assert!(needed.iter().all(|name| usual.iter().any(|usual| name.starts_with(usual))), "{needed:?}");
    assert!(!dynamic.contains("(RPATH)") && !dynamic.contains("(RUNPATH)"), "{dynamic}");
}

/// Panic messages named the source files of crates below the builder's cargo home, 32 times.
#[test]
fn module_and_tool_name_no_folder_of_the_machine_that_built_them() {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let release = artifacts::release();
    for program in [&release.module, &release.tool] {
        let content = fs::read(program).unwrap();
        let holds = |words: &str| content.windows(words.len()).any(|window| window == words.as_bytes());
        for folder in [&cargo_home, artifacts::workspace(), Path::new("/.cargo/"), Path::new("/registry/src/")] {
            let folder = folder.to_str().unwrap();
            assert!(!holds(folder), "{} holds {folder}", program.display());
        }
        assert!(holds("crates/"), "{}: panic messages name their files", program.display());
    }
}

#[test]
fn ten_thousand_logins_in_one_process_leave_descriptors_and_memory_flat() {
    const LOGINS: usize = 10_000;
    const WARM: usize = 1_000;
    private_host(|host| {
        host.add_user("alice");
        let alice = host.enroll("alice", &["--counter", "--digits", "8"]);
        let codes = alice.authenticator.counter_codes(0, u64::try_from(LOGINS).unwrap());
        let mut logins = host.login("alice").repeat(LOGINS).start();
        let mut accepted = 0;
        let mut footprint = Footprint::default();
        for code in &codes {
            let outcome = logins.transaction(&[code.into()]);
            accepted += usize::from(outcome.code() == ReturnCode::SUCCESS);
            footprint.note(&outcome);
        }
        logins.finish();
        // Two counters within one window may share a code; those between them are then burned, as they must be.
        assert!(accepted >= LOGINS - 30, "{accepted} accepted");
        footprint.assert_flat_since(WARM);
    });
}

#[test]
fn failing_logins_leave_descriptors_flat_too() {
    const LOGINS: usize = 60;
    private_host(|host| {
        host.configure("[throttle]\nfree_attempts = 20\n");
        let alice = host.user_with_fob("alice");
        let mut logins = host.login("alice").repeat(LOGINS).start();
        let mut footprint = Footprint::default();
        for number in 0..LOGINS {
            let answer = match number % 3 {
                0 => (&alice.wrong_code()).into(),
                1 => Answer::Null,
                _ => "nonsense".into(),
            };
            let outcome = logins.transaction(&[answer]);
            assert_ne!(outcome.code(), ReturnCode::SUCCESS);
            footprint.note(&outcome);
        }
        logins.finish();
        footprint.assert_descriptors_flat();
    });
}

#[test]
fn no_secret_code_password_or_recovery_code_reaches_any_log() {
    private_host(|host| {
        host.configure("[prompt]\ncombined = [\"combined\"]\n[throttle]\nfree_attempts = 100\n");
        host.service("debug", "auth optional pam_unix.so nodelay\nauth required pam_twofactor.so debug\n");
        host.service(
            "combined",
            "auth required pam_twofactor.so debug\nauth required pam_unix.so use_first_pass nodelay\n",
        );
        let alice = host.user_with_fob("alice");
        let right: Vec<String> = (0..3).map(|_| alice.next_code()).collect();
        let wrong: Vec<String> = (0..3).map(|_| alice.wrong_code()).collect();
        let digits = |code: &str| code.chars().filter(char::is_ascii_digit).collect::<String>();
        let nonsense = "my other password";

        let log_in =
            |answer: &str| host.login("alice").service("debug").answering(&[PASSWORD.into(), answer.into()]).code();
        assert_eq!(log_in(&right[0]), ReturnCode::SUCCESS);
        assert_eq!(log_in(&right[0]), ReturnCode::AUTH_ERR);
        assert_eq!(log_in(&wrong[0]), ReturnCode::AUTH_ERR);
        assert_eq!(log_in(PASSWORD), ReturnCode::AUTH_ERR);
        assert_eq!(log_in(nonsense), ReturnCode::AUTH_ERR);
        assert_eq!(log_in(&alice.recovery_codes[0]), ReturnCode::SUCCESS);
        assert_eq!(log_in(&alice.recovery_codes[0]), ReturnCode::AUTH_ERR);
        let combined = |code: &str| host.login("alice").service("combined").typing(format!("{PASSWORD}{code}")).code();
        assert_eq!(combined(&right[1]), ReturnCode::SUCCESS);
        assert_eq!(combined(&wrong[1]), ReturnCode::AUTH_ERR);
        assert_eq!(combined(&digits(&alice.recovery_codes[1])), ReturnCode::SUCCESS);
        // A damaged secret file is a file that holds a secret.
        let path = "/var/lib/twofactor/users/alice/secret.toml";
        let content = fs::read_to_string(path).unwrap();
        fs::write(path, content.replace("secret = ", "secret == ")).unwrap();
        assert_eq!(log_in(&right[2]), ReturnCode::AUTHINFO_UNAVAIL);
        fs::write(path, content.replace("secret = \"", "secret = \"0")).unwrap();
        assert_eq!(log_in(&wrong[2]), ReturnCode::AUTHINFO_UNAVAIL);

        let log = host.log();
        assert!(
            log.iter().any(|line| line.text.contains("debug") || line.text.contains("policy")),
            "debug says something"
        );
        let mut secrets = vec![PASSWORD.to_owned(), nonsense.to_owned(), alice.authenticator.secret.clone()];
        secrets.extend([right, wrong].concat());
        for code in &alice.recovery_codes {
            secrets.extend([code.clone(), digits(code)]);
        }
        host.assert_untold(secrets);
    });
}

#[test]
fn lines_go_to_the_log_of_authentication() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        assert_eq!(host.login("alice").typing(alice.wrong_code()).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
        let ours: Vec<Line> = host.log().into_iter().filter(|line| line.text.contains("pam_twofactor(")).collect();
        assert_eq!(ours.len(), 2, "one line a login: {ours:?}");
        assert!(ours.iter().all(|line| line.facility() == Line::AUTHPRIV), "{ours:?}");
    });
}
