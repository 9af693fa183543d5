//! A registry that cannot be read or trusted keeps no user out and lets no user in. For commands it is an error and never "no
//! tokens".

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use twofactor_tests::fob::Fob;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, said};

use crate::{assert_accepted, host};

const REGISTRY: &str = "/var/lib/twofactor/registry.db";
/// The registry when it was whole.
const SPARE: &str = "/var/lib/twofactor/spare.db";

/// A way to break it.
struct Way {
    name: &'static str,
    /// Breaks what is whole.
    breaks: fn(&Host),
    /// What the problem or its remedy says beside the file's name.
    words: &'static str,
    /// The tool's exit code.
    exit: i32,
}

const WAYS: [Way; 12] = [
    Way {
        name: "garbage",
        breaks: |_| fs::write(REGISTRY, "garbage ".repeat(4096)).unwrap(),
        words: "restore",
        exit: 1,
    },
    Way { name: "cut in half", breaks: |_| cut(|length| length / 2), words: "restore", exit: 1 },
    Way { name: "cut to a page", breaks: |_| cut(|_| 4096), words: "restore", exit: 1 },
    Way { name: "empty", breaks: |_| fs::write(REGISTRY, "").unwrap(), words: "restore", exit: 1 },
    Way {
        name: "somebody else's database",
        breaks: |host| {
            fs::remove_file(REGISTRY).unwrap();
            sql(host, "CREATE TABLE tokens (serial TEXT, owner TEXT)");
        },
        words: "is not a token registry",
        exit: 1,
    },
    Way {
        name: "without its table of tokens",
        breaks: |host| sql(host, "DROP TABLE tokens"),
        words: "restore",
        exit: 1,
    },
    Way {
        name: "of a newer version",
        breaks: |host| sql(host, "PRAGMA user_version = 999"),
        words: "newer version of twofactor",
        exit: 1,
    },
    Way { name: "readable", breaks: |_| set_mode(0o644), words: "chmod", exit: 4 },
    Way { name: "writable", breaks: |_| set_mode(0o622), words: "chmod", exit: 4 },
    Way {
        name: "a symbolic link",
        breaks: |_| {
            fs::remove_file(REGISTRY).unwrap();
            symlink("spare.db", REGISTRY).unwrap();
        },
        words: "is a symbolic link",
        exit: 4,
    },
    Way {
        name: "a FIFO",
        breaks: |_| {
            fs::remove_file(REGISTRY).unwrap();
            mkfifo(REGISTRY, Mode::from_bits_truncate(0o600)).unwrap();
        },
        words: "is not a regular file",
        exit: 4,
    },
    Way {
        name: "a folder",
        breaks: |_| {
            fs::remove_file(REGISTRY).unwrap();
            fs::create_dir(REGISTRY).unwrap();
        },
        words: "is not a regular file",
        exit: 4,
    },
];

fn cut(length: fn(u64) -> u64) {
    let file = fs::OpenOptions::new().write(true).open(REGISTRY).unwrap();
    file.set_len(length(file.metadata().unwrap().len())).unwrap();
}

fn set_mode(mode: u32) {
    fs::set_permissions(REGISTRY, Permissions::from_mode(mode)).unwrap();
}

/// Lets the distribution's SQLite loose on the registry.
fn sql(host: &Host, statement: &str) {
    host.succeed("sqlite3", [REGISTRY, statement]);
    set_mode(0o600);
}

/// Puts the whole registry back.
fn mend() {
    for file in ["", "-wal", "-shm"] {
        let path = format!("{REGISTRY}{file}");
        let _ = fs::remove_dir(&path);
        let _ = fs::remove_file(&path);
    }
    fs::copy(SPARE, REGISTRY).unwrap();
    set_mode(0o600);
}

#[test]
fn a_broken_registry_keeps_nobody_out_and_is_never_no_tokens() {
    host(|host| {
        let app = host.user_with_fob("alice");
        let (alice, bob) = (Fob::button(1), Fob::button(2));
        host.assign_more(&alice, "alice");
        host.user_with("bob", &bob);
        host.import(&Fob::box_of(1, 300));
        assert!(!Path::new(&format!("{REGISTRY}-wal")).exists(), "all of it is in one file");
        fs::copy(REGISTRY, SPARE).unwrap();
        fs::set_permissions(SPARE, Permissions::from_mode(0o600)).unwrap();
        for (counter, way) in (0..).zip(&WAYS) {
            mend();
            (way.breaks)(host);
            let before = host.module_log().len();
            for (user, code) in
                [("alice", app.next_code()), ("alice", alice.code_of(counter)), ("bob", bob.code_of(counter))]
            {
                assert_eq!(host.login(user).typing(&code).code(), ReturnCode::SUCCESS, "{}: {user}", way.name);
                assert_eq!(host.login(user).typing(&code).code(), ReturnCode::AUTH_ERR, "{}: {user}", way.name);
            }
            let lines = host.module_log().split_off(before);
            assert!(lines.len() == 6 && lines.iter().all(|line| !line.contains("error ")), "{lines:?}");
            with_the_tool(host, way);
        }
    });
}

#[track_caller]
fn with_the_tool(host: &Host, way: &Way) {
    let file = host.private_file("more.csv", "0001,JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G\n");
    let commands: [&[&str]; 10] = [
        &["token", "list"],
        &["--json", "token", "list"],
        &["token", "show", "C0000001"],
        &["token", "assign", "C0000001", "bob"],
        &["token", "unassign", "C0000001", "--force"],
        &["token", "lost", "C0000001"],
        &["token", "import", file.to_str().unwrap()],
        &["token", "import", file.to_str().unwrap(), "--dry-run"],
        &["series", "list"],
        &["status", "bob"],
    ];
    for arguments in commands {
        let output = host.run_twofactor(arguments);
        let (name, text) = (way.name, said(&output));
        assert_eq!(output.status.code(), Some(way.exit), "{name}: {arguments:?}: {text}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(REGISTRY) && stderr.contains(way.words), "{name}: {arguments:?}: {text}");
        assert!(!stderr.contains("panicked") && !text.contains("no token"), "{name}: {arguments:?}: {text}");
    }
}

#[test]
fn a_registry_that_is_gone_while_its_log_is_there_is_an_error_for_commands() {
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        fs::rename(REGISTRY, format!("{REGISTRY}-wal")).unwrap();
        assert_accepted(&host.login("alice").typing(fob.code_of(0)));
        assert_eq!(host.run_twofactor(&["token", "list"]).status.code(), Some(1));
    });
}
