//! What stands beside the registry in the place of SQLite's own files: no login waits for it, `doctor` names it, and the next
//! command that changes something sets it aside.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use twofactor_tests::fob::Fob;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, said};

use crate::{assert_accepted, assert_denied, host};

const REGISTRY: &str = "/var/lib/twofactor/registry.db";

/// No login waits for the registry; this is the process around it.
const SOON: Duration = Duration::from_millis(2_500);

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// SQLite can live with it.
    Harmless,
    /// It obstructs the registry until it is set aside.
    SetAside,
    /// Others could have written it: only the sysadmin can tell whether to trust it.
    Refused,
}

/// A way to make a file unusable.
struct Way {
    name: &'static str,
    make: fn(&str),
    /// For the log, the shared memory and the journal.
    fates: [Fate; 3],
}

const ENDINGS: [&str; 3] = ["-wal", "-shm", "-journal"];

const WAYS: [Way; 11] = {
    use Fate::{Harmless, Refused, SetAside};
    [
        Way {
            name: "a header's length of garbage",
            make: |path| put(path, &[0xa5; 32]),
            fates: [SetAside, Harmless, SetAside],
        },
        Way { name: "garbage", make: |path| put(path, &[0xa5; 40_000]), fates: [SetAside, Harmless, SetAside] },
        Way { name: "a few bytes", make: |path| put(path, b"garbage"), fates: [Harmless, Harmless, SetAside] },
        Way { name: "zeros", make: |path| put(path, &[0; 40_000]), fates: [SetAside, Harmless, Harmless] },
        Way { name: "empty", make: |path| put(path, &[]), fates: [Harmless; 3] },
        Way {
            name: "huge",
            make: |path| {
                put(path, &[0xa5; 4096]);
                OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 36).unwrap();
            },
            fates: [SetAside, Harmless, SetAside],
        },
        Way {
            name: "a FIFO",
            make: |path| mkfifo(path, Mode::from_bits_truncate(0o600)).unwrap(),
            fates: [SetAside; 3],
        },
        Way { name: "a folder", make: |path| fs::create_dir(path).unwrap(), fates: [SetAside; 3] },
        Way { name: "a link", make: |path| symlink("/etc/passwd", path).unwrap(), fates: [SetAside; 3] },
        Way {
            name: "readable",
            make: |path| {
                put(path, &[]);
                fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
            },
            fates: [Refused; 3],
        },
        Way {
            name: "somebody else's",
            make: |path| {
                put(path, &[]);
                chown(path, Some(1000), None).unwrap();
            },
            fates: [Refused; 3],
        },
    ]
};

fn put(path: &str, content: &[u8]) {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).unwrap();
    file.write_all(content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Takes away what a way has made, and what it became.
fn clear() {
    for entry in fs::read_dir("/var/lib/twofactor").unwrap().flatten() {
        let name = entry.file_name();
        if name != "registry.db" && name.to_str().unwrap().starts_with("registry.db") {
            let _ = fs::remove_dir(entry.path());
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What `doctor` finds of the state.
fn found(host: &Host) -> Vec<String> {
    let output = host.run_twofactor(&["--json", "doctor"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let state = findings.filter(|finding| finding["area"] == "state");
    state.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn soon<T>(name: &str, what: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = what();
    assert!(started.elapsed() < SOON, "{name}: {:?}", started.elapsed());
    result
}

#[test]
fn whatever_stands_beside_the_registry_no_login_waits_for_it_and_the_next_change_sets_it_aside() {
    host(|host| {
        host.configure("[window]\nresync_at_login = false\n[throttle]\nfree_attempts = 1000\n");
        let (alice, bob, spare) = (host.user_with_fob("alice"), Fob::button(1), Fob::button(2));
        host.user_with("bob", &bob);
        host.import(std::slice::from_ref(&spare));
        let mut counter = 0..;
        for way in &WAYS {
            for (ending, fate) in ENDINGS.into_iter().zip(way.fates) {
                let (name, path) = (format!("{}, {ending}", way.name), format!("{REGISTRY}{ending}"));
                clear();
                (way.make)(&path);
                let obstructed = fate != Fate::Harmless;

                let wrong = soon(&name, || host.login("alice").typing(alice.wrong_code()));
                assert_eq!(wrong.code(), ReturnCode::AUTH_ERR, "{name}: {:?}", host.module_log().last());
                let code = bob.code_of(counter.next().unwrap());
                let with_token = soon(&name, || host.login("bob").typing(&code));
                assert_eq!(with_token.code(), ReturnCode::SUCCESS, "{name}: {:?}", host.module_log().last());
                if !obstructed {
                    continue;
                }
                let listed = soon(&name, || host.run_twofactor(&["token", "list"]));
                assert!(!listed.status.success() && said(&listed).contains(&path), "{name}: {}", said(&listed));

                let change = || soon(&name, || host.run_twofactor(&["token", "enable", &spare.serial]));
                if fate == Fate::Refused {
                    assert_eq!(found(host), ["unsafe-file"], "{name}");
                    let refused = change();
                    assert_eq!(refused.status.code(), Some(4), "{name}: {}", said(&refused));
                    continue;
                }
                assert_eq!(found(host), ["registry-obstructed"], "{name}");
                let changed = change();
                assert!(changed.status.success(), "{name}: {}", said(&changed));
                assert!(fs::symlink_metadata(format!("{path}.aside")).is_ok(), "{name}: nothing is deleted");
                assert_eq!(found(host), ["set-aside"], "{name}");
            }
        }
        clear();
        assert_denied(&host.login("alice").typing(alice.wrong_code()));
    });
}

#[test]
fn doctor_sets_aside_what_stands_there_when_it_is_told_to() {
    host(|host| {
        let bob = Fob::button(1);
        host.user_with("bob", &bob);
        for number in ["", ".2", ".3"] {
            put(&format!("{REGISTRY}-wal"), &[0xa5; 32]);
            let output = host.run_twofactor(&["doctor", "--fix"]);
            assert!(said(&output).contains(&format!("registry.db-wal.aside{number}")), "{}", said(&output));
            let repaired = |line: &str| line.contains("twofactor[") && line.contains("repaired set_aside=");
            assert!(host.log().iter().any(|line| repaired(&line.text)));
        }
        assert_accepted(&host.login("bob").typing(bob.code_of(0)));
    });
}

#[test]
fn a_log_that_holds_a_header_alone_hides_no_token() {
    host(|host| {
        let bob = Fob::button(1);
        host.user_with("bob", &bob);
        // A process that was killed between the header of the log and its first change.
        let copy = format!("{REGISTRY}.copy");
        let script = format!(
            "cp {REGISTRY} {copy}; sqlite3 {copy} '.dbconfig no_ckpt_on_close on' 'CREATE TABLE t (x)'; \
             head -c 32 {copy}-wal > {REGISTRY}-wal; chmod 600 {REGISTRY}-wal; rm -f {copy} {copy}-wal {copy}-shm"
        );
        host.succeed("sh", ["-c", &script]);
        assert_eq!(fs::metadata(format!("{REGISTRY}-wal")).unwrap().len(), 32);
        assert_accepted(&soon("a header alone", || host.login("bob").typing(bob.code_of(0))));
    });
}

#[test]
fn a_registry_that_is_locked_keeps_nobody_waiting() {
    host(|host| {
        let (alice, bob) = (host.user_with_fob("alice"), Fob::button(1));
        host.user_with("bob", &bob);
        let lock = crate::stopped::exclusively(REGISTRY);
        assert_accepted(&soon("locked", || host.login("bob").typing(bob.code_of(0))));
        assert_accepted(&soon("locked", || host.login("alice").typing(alice.next_code())));
        drop(lock);
    });
}
