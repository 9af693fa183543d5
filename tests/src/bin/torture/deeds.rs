//! Commands that change the state, and the state as an administrator sees it before and after.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::private_host::Host;

const STATE: &str = "/var/lib/twofactor";

/// A command that changes something.
pub(crate) struct Deed {
    /// Shell commands that prepare it.
    pub(crate) prepare: &'static str,
    pub(crate) arguments: Vec<String>,
    /// Whether exit code 0 proves that it is done. `doctor` exits by the state of the whole host.
    pub(crate) claims: bool,
}

/// All of them, each tried on the same state.
pub(crate) fn deeds() -> Vec<Deed> {
    let plain = |arguments: &&[&str]| Deed { prepare: ":", arguments: owned(arguments), claims: true };
    let mut deeds: Vec<Deed> = PLAIN.iter().map(plain).collect();
    let [first, second] = [AHEAD, AHEAD + 1].map(|counter| Fob::button(1).code_of(counter));
    deeds.push(plain(&&["token", "resync", "C0000001", &first, &second][..]));
    deeds.push(Deed {
        prepare: "echo 0123456789abcdef0123456789abcdef >/etc/twofactor/state.id",
        ..plain(&&["state", "adopt", "--yes"][..])
    });
    deeds.push(Deed {
        prepare: "rm /etc/twofactor/state.id",
        // A marker that cannot be written is a warning.
        claims: false,
        ..plain(&&["state", "mark"][..])
    });
    deeds.push(Deed {
        prepare: "printf 'T0000003,bob\\nT0000004,alice\\n' >/root/owners.csv",
        ..plain(&&["token", "assign", "--from", "/root/owners.csv"][..])
    });
    deeds.push(Deed {
        // As after a backup of hers was restored: the registry has taken the token back, and her file has it.
        prepare: "cd /var/lib/twofactor/users/carol && cp --archive state secret.toml /run/ && \
                  twofactor token unassign C0000002 --force && cat /run/state >state && cp --archive /run/secret.toml .",
        claims: false,
        ..plain(&&["doctor", "--fix"][..])
    });
    deeds
}

/// Counter of alice's token after presses that no login saw.
const AHEAD: u64 = 60;

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Deed {
    /// Makes the state to which it is done.
    pub(crate) fn prepare(&self, host: &Host, snapshot: &Snapshot) {
        snapshot.restore(host);
        if self.prepare != ":" {
            host.succeed("sh", ["-c", self.prepare]);
        }
    }

    pub(crate) fn words(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }
}

const PLAIN: [&[&str]; 23] = [
    &["enroll", "bob", "--no-confirm", "--qr", "none"],
    &["enroll", "alice", "--no-confirm", "--qr", "none", "--replace"],
    &["reset", "alice", "--yes"],
    &["reset", "alice", "--keep-secret", "--yes"],
    &["recovery", "alice", "--count", "4"],
    &["unlock", "alice"],
    &["invite", "bob"],
    &["invite", "erin", "--revoke"],
    &["token", "import", "/root/new.csv", "--series", "new"],
    &["token", "assign", "T0000003", "bob"],
    &["token", "assign", "T0000003", "alice"],
    &["token", "unassign", "C0000001"],
    &["token", "unassign", "C0000002", "--force"],
    &["token", "disable", "C0000001"],
    &["token", "enable", "T0000005"],
    &["token", "lost", "C0000001"],
    &["token", "revoke", "C0000001", "--yes"],
    &["token", "delete", "T0000003", "--yes"],
    &["series", "delete", "spare", "--yes"],
    &["state", "adopt-uids", "--yes"],
    &["service", "enable", "login", "--yes", "--force"],
    &["service", "enable", "sudo", "--yes", "--force"],
    &["service", "disable", "su", "--yes"],
];

/// A host with alice (app, recovery codes, a token), carol (a token), dave (an app, and another uid than at his
/// enrollment), bob (nothing), erin (an invitation) and tokens in the inventory, one of them disabled. su asks for a code.
pub(crate) struct Household {
    /// A code that neither alice's app nor her token shows.
    pub(crate) wrong_code: String,
    /// Alice's token.
    pub(crate) hers: Fob,
    /// Carol's.
    pub(crate) carols: Fob,
}

impl Household {
    pub(crate) fn move_in(host: &Host) -> Self {
        host.configure("[throttle]\nfree_attempts = 1000\n");
        let module = twofactor_core::pam_service::modules::folder().expect("libpam has modules");
        let security = host.place("security");
        host.succeed("cp", ["--archive", module.to_str().unwrap(), security.to_str().unwrap()]);
        fs::copy(host.place("bin/pam_twofactor.so"), security.join("pam_twofactor.so")).unwrap();
        host.succeed("mount", ["--bind", security.to_str().unwrap(), module.to_str().unwrap()]);
        let (hers, carols) = (Fob::button(1), Fob::button(2));
        let alice = host.user_with_app("alice");
        // An administrator who can log in: without one nothing is enabled.
        host.succeed("usermod", ["--append", "--groups", "sudo", "alice"]);
        host.assign_more(&hers, "alice");
        host.user_with("carol", &carols);
        host.user_with_app("dave");
        host.renumber("dave", 4444);
        host.add_user("bob");
        host.add_user("erin");
        host.sysadmin(&["invite", "erin"]);
        let spare = host.private_file("spare.csv", &seed_file(&Fob::box_of(3, 3)));
        host.sysadmin(&["token", "import", spare.to_str().unwrap(), "--series", "spare"]);
        host.sysadmin(&["token", "disable", "T0000005"]);
        host.sysadmin(&["service", "enable", "su", "--yes", "--force"]);
        host.private_file("new.csv", &seed_file(&Fob::box_of(20, 5)));
        let shown = hers.authenticator.counter_codes(0, 2000);
        let wrong_code =
            alice.authenticator.wrong_codes().find(|code| !shown.contains(code)).expect("wrong codes are many");
        Self { wrong_code, hers, carols }
    }
}

/// All of a state, kept to come back to.
pub(crate) struct Snapshot {
    state: PathBuf,
    etc: PathBuf,
}

impl Snapshot {
    pub(crate) fn take(host: &Host) -> Self {
        let snapshot = Self { state: host.place("state"), etc: host.place("etc-before") };
        for (from, to) in [(STATE, &snapshot.state), ("/etc", &snapshot.etc)] {
            host.succeed("cp", ["--archive", from, to.to_str().unwrap()]);
        }
        snapshot
    }

    pub(crate) fn restore(&self, host: &Host) {
        host.succeed("rm", ["-rf", STATE]);
        host.succeed("cp", ["--archive", self.state.to_str().unwrap(), STATE]);
        for folder in ["pam.d", "twofactor", "ssh"] {
            let kept = self.etc.join(folder);
            host.succeed("rm", ["-rf", &format!("/etc/{folder}")]);
            if kept.exists() {
                host.succeed("cp", ["--archive", kept.to_str().unwrap(), "/etc"]);
            }
        }
    }
}

/// Code of alice's token one press after that counter.
static AHEAD_CODE: OnceLock<String> = OnceLock::new();

/// What an administrator sees: users, tokens, and the PAM files. Without times, counts of wrong codes and identities, which
/// differ from run to run.
pub(crate) fn seen(host: &Host) -> String {
    let code = AHEAD_CODE.get_or_init(|| Fob::button(1).code_of(AHEAD + 1));
    let mut seen = reports(
        host,
        &[
            &["status", "alice"],
            &["status", "carol"],
            &["status", "bob"],
            &["status", "erin"],
            &["status", "dave"],
            &["token", "list"],
            &["verify", "alice", code],
            &["explain", "carol", "--service", "su"],
        ],
    );
    let [marker, copy] = ["/etc/twofactor/state.id", "/var/lib/twofactor/state.id"].map(|path| fs::read(path).ok());
    let _ = writeln!(seen, "the state is this host's: {}", marker == copy);
    for service in ["login", "sudo", "su"] {
        let text = fs::read_to_string(Path::new("/etc/pam.d").join(service)).unwrap_or_default();
        let _ = writeln!(seen, "{service}: {text}");
    }
    seen
}

/// What these commands say, without what differs from run to run.
pub(crate) fn reports(host: &Host, commands: &[&[&str]]) -> String {
    let mut seen = String::new();
    for arguments in commands {
        let output = host.run_twofactor(&[&["--json"], *arguments].concat());
        let mut value: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        forget_volatile(&mut value);
        let code = output.status.code().unwrap_or(-1);
        let _ = writeln!(seen, "{arguments:?}: {code} {value}");
    }
    seen
}

/// Members whose values differ from run to run.
const VOLATILE: [&str; 13] = [
    "issued",
    "assigned_at",
    "last_accepted",
    "imported_at",
    "failures",
    "last_failure",
    "until",
    "expires",
    "invitation",
    "invited_until",
    "created",
    "since",
    "at",
];

fn forget_volatile(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in VOLATILE {
                members.remove(name);
            }
            // An app has a random serial.
            if members.get("serial").and_then(Value::as_str).is_some_and(|serial| serial.starts_with("app-")) {
                members.remove("serial");
            }
            members.values_mut().for_each(forget_volatile);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_volatile),
        _ => {}
    }
}
