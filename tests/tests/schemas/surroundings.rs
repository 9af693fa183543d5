//! The host: its configuration, PAM services, state and log, what `doctor` finds, and what `explain` says of logins.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use twofactor_tests::fob::Fob;
use twofactor_tests::pam::ReturnCode;

use crate::witness::{Witness, story};

pub(crate) const COMMANDS: &[&str] = &[
    "backup",
    "config check",
    "config show",
    "doctor",
    "explain",
    "log",
    "migrate",
    "restore",
    "service disable",
    "service enable",
    "service list",
    "state adopt",
    "state mark",
];

/// Every key, and rules with every condition, with some and with none.
const FULL: &str = r#"
[enrollment]
issuer = "Example"
algorithm = "SHA256"
[window]
drift = "1m 30s"
[[rule]]
users = ["bob"]
services = ["sshd"]
networks = ["192.0.2.0/24", "2001:db8::1"]
second_factor = "enroll"
factors = ["app", "token"]
until = 2099-01-31
remember = "12h"
[[rule]]
groups = ["no-such-group"]
local = true
second_factor = "off"
[default]
second_factor = "optional"
[[helpdesk]]
group = "sudo"
"#;

#[test]
fn the_host_and_what_is_said_and_done_about_it() {
    story(COMMANDS, |witness| {
        let host = witness.host;
        host.install_module();
        host.user_with_app("alice");
        host.succeed("usermod", ["--append", "--groups", "sudo", "alice"]);
        host.add_user("bob");
        configurations(witness);
        services(witness);
        logins(witness);
        states(witness);
        events(witness);
        findings(witness);
    });
}

fn configurations(witness: &Witness<'_>) {
    assert_eq!(witness.runs(&["config", "check"])["present"], false);
    witness.runs(&["config", "show"]);
    witness.host.configure(FULL);
    let checked = witness.runs(&["config", "check"]);
    assert!(!checked["findings"].as_array().unwrap().is_empty(), "{checked}");
    assert_eq!(witness.runs(&["config", "show"])["rule"][0]["until"], "2099-01-31");
    fs::remove_file("/etc/twofactor/twofactor.toml").unwrap();
}

fn services(witness: &Witness<'_>) {
    let none = witness.runs(&["service", "list"]);
    assert!(none.as_array().unwrap().iter().all(|service| service["enabled"] == false), "{none}");
    let planned = witness.runs(&["service", "enable", "sudo", "sshd", "--dry-run"]);
    assert!(planned["services"][0]["diff"].is_string() && planned["sshd"].is_object(), "{planned}");
    let refused = planned["services"].as_array().unwrap().iter().find(|service| service["service"] == "sshd");
    assert!(refused.unwrap()["refused"].as_array().unwrap().contains(&json!("bob")), "{planned}");
    witness.runs(&["service", "enable", "sudo", "sshd", "--yes"]);
    let again = witness.runs(&["service", "enable", "sudo", "--yes"]);
    assert_eq!(again["services"][0]["changed"], false);
    // One program asks once, which the configuration has to say; with the other the module has to be told of a wrong password.
    let sufficient = "auth sufficient pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n";
    for (service, beside) in [("dovecot", "configuration"), ("remote", "first_factor")] {
        fs::write(Path::new("/etc/pam.d").join(service), sufficient).unwrap();
        for verb in ["enable", "disable"] {
            let changed = witness.runs(&["service", verb, service, "--yes"]);
            assert!(changed[beside]["diff"].is_string(), "{changed:#}");
        }
    }
    fs::remove_file("/etc/twofactor/twofactor.toml").unwrap();
    // A module that other modules' results may jump over.
    fs::write("/etc/pam.d/odd", "auth sufficient pam_permit.so\nauth required pam_twofactor.so nulok\n").unwrap();
    fs::write("/etc/pam.d/broken", "@include missing-file\n").unwrap();
    fs::write("/root/.google_authenticator", "JBSWY3DPEHPK3PXPJBSWY3DPEH\n\" TOTP_AUTH\n").unwrap();
    fs::set_permissions("/root/.google_authenticator", fs::Permissions::from_mode(0o600)).unwrap();
    let text = "auth required pam_unix.so\nauth required pam_google_authenticator.so\naccount required pam_unix.so\n";
    fs::write("/etc/pam.d/vpn", text).unwrap();
    let planned = witness.runs(&["service", "enable", "vpn", "--replace", "--dry-run"]);
    assert_eq!(planned["services"][0]["replaced"][0]["line"], 2, "{planned}");
    assert_eq!(planned["users"][0]["outcome"], "would-be-taken-over", "{planned}");
    fs::remove_file("/etc/pam.d/vpn").unwrap();
    fs::remove_file("/root/.google_authenticator").unwrap();
    let listed = witness.runs(&["service", "list", "--all"]);
    assert!(listed.as_array().unwrap().iter().any(|service| service["file"].is_null()), "{listed}");
    witness.runs(&["service", "disable", "sudo", "--dry-run"]);
    assert_eq!(witness.runs(&["service", "disable", "sudo", "--yes"])["services"][0]["as_before"], true);
    assert_eq!(witness.runs(&["service", "disable", "sudo", "--yes"])["services"][0]["diff"], json!(null));
    assert!(witness.runs(&["service", "disable", "sshd", "--dry-run"])["sshd"].is_object());
}

fn logins(witness: &Witness<'_>) {
    let host = witness.host;
    let explain = |user: &str, service: &str, others: &[&str]| {
        let arguments = [&["explain", user, "--service", service][..], others].concat();
        witness.ends(if user == "nobody-here" { 3 } else { 0 }, &arguments)
    };
    explain("alice", "sshd", &["--rhost", "192.0.2.7"]);
    explain("alice", "sudo", &[]);
    explain("alice", "odd", &[]);
    explain("nobody-here", "sshd", &["--rhost", "client.example.org"]);
    host.configure(FULL);
    assert_eq!(explain("bob", "sshd", &["--rhost", "192.0.2.7"])["enrolls"], true);
    assert_eq!(explain("bob", "sshd", &[])["waived"], "optional-not-enrolled");
    host.import(&[Fob::clock(1)]);
    host.assign(&Fob::clock(1), "bob");
    host.sysadmin(&["token", "disable", &Fob::clock(1).serial]);
    let disabled = explain("bob", "sshd", &["--rhost", "192.0.2.7"]);
    assert_eq!(disabled["credentials"][0]["refused"], "token-disabled", "{disabled}");
    let sources = fs::read_to_string("/etc/nsswitch.conf").unwrap();
    fs::write("/etc/nsswitch.conf", sources.replace("group:", "group: missing ")).unwrap();
    let doubtful = "[[rule]]\ngroups = [\"ops\"]\nsecond_factor = \"off\"\n";
    host.configure(doubtful);
    assert_eq!(explain("alice", "sshd", &[])["decided_by"], "doubt");
    host.configure(&format!("{doubtful}[[rule]]\nusers = [\"alice\"]\nsecond_factor = \"required\"\n"));
    assert_eq!(explain("alice", "sshd", &[])["candidates"]["last"], 4);
    fs::write("/etc/nsswitch.conf", sources).unwrap();
    fs::remove_file("/etc/twofactor/twofactor.toml").unwrap();
    host.succeed("chage", ["-E", "1", "bob"]);
    assert!(explain("bob", "sshd", &[])["expired"].is_string());
    host.succeed("chage", ["-E", "-1", "bob"]);
}

fn states(witness: &Witness<'_>) {
    witness.runs(&["state", "mark"]);
    witness.runs(&["state", "adopt", "--yes"]);
    fs::write("/etc/twofactor/state.id", "00000000000000000000000000000000\n").unwrap();
    assert_eq!(witness.runs(&["state", "adopt", "--yes"])["has_accounts"], true);
    assert_eq!(witness.runs(&["migrate"]), json!([]));
    witness.host.user_with("frank", &Fob::button(17));
    witness.host.leave_tokens_to_the_registry("frank");
    assert_eq!(witness.runs(&["migrate"])[0]["user"], "frank");
    let key = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    let identity = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n";
    let identity = witness.host.private_file("key.txt", identity);
    assert_eq!(witness.runs(&["backup", "/root/codes.age", "--recipient", key])["file"], "/root/codes.age");
    fs::remove_dir_all("/var/lib/twofactor").unwrap();
    let restored = witness.runs(&["restore", "/root/codes.age", "--identity", identity.to_str().unwrap()]);
    assert_eq!((&restored["recovery_void"], &restored["two_codes"]), (&json!(["alice"]), &json!(["frank"])));
}

/// An event of each kind that a host without systemd can have.
fn events(witness: &Witness<'_>) {
    let host = witness.host;
    let bob = &Fob::clock(1).serial;
    let dave = host.user_with_app("dave");
    let login = |code: &str| host.login("dave").rhost("192.0.2.7").typing(code).code();
    let paper = host.json(&["recovery", "dave"])["recovery_codes"][0].as_str().unwrap().to_owned();
    assert_eq!(login(&dave.code()), ReturnCode::SUCCESS);
    assert_eq!(login(&dave.wrong_code()), ReturnCode::AUTH_ERR);
    assert_eq!(login(&paper), ReturnCode::SUCCESS);
    for _ in 0..7 {
        assert_ne!(login(&dave.wrong_code()), ReturnCode::SUCCESS);
    }
    let delayed = witness.runs(&["explain", "dave", "--service", "sshd", "--rhost", "192.0.2.7"]);
    assert!(delayed["blocked_until"].is_string(), "{delayed}");
    host.configure("[default]\nsecond_factor = \"off\"\n");
    assert_ne!(host.login("dave").answering(&[]).code(), ReturnCode::SUCCESS);
    host.configure("[default]\nsecond_factor = 1\n");
    assert_ne!(host.login("dave").answering(&[]).code(), ReturnCode::SUCCESS);
    fs::remove_file("/etc/twofactor/twofactor.toml").unwrap();
    host.add_user("erin");
    for command in [
        &["unlock", "dave"][..],
        &["invite", "erin"],
        &["invite", "erin", "--revoke"],
        &["token", "enable", bob],
        &["token", "unassign", bob, "--force"],
        &["reset", "dave", "--keep-secret", "--yes"],
        &["series", "delete", bob, "--yes"],
    ] {
        host.sysadmin(command);
    }
    host.renumber("dave", 4444);
    host.sysadmin(&["state", "adopt-uids", "dave", "--yes"]);
    let ours = host.log().into_iter().map(|line| line.text).filter(|text| text.contains("twofactor"));
    let lines: Vec<String> = ours.map(|text| format!("2026-11-27T13:37:38.000001+00:00 testhost {text}\n")).collect();
    fs::write("/var/log/auth.log", lines.concat()).unwrap();
    let logged = witness.runs(&["log"]);
    assert_eq!(witness.lines(&["log"]), logged);
    let logged = logged.as_array().unwrap();
    let seen = |key: &str| logged.iter().any(|event| event.get(key).is_some());
    for key in [
        "phase",
        "reason",
        "policy",
        "problem",
        "hint",
        "drift",
        "recovery_codes_left",
        "until",
        "new",
        "serial",
        "by",
        "uid",
        "file",
    ] {
        assert!(seen(key), "no event has {key}: {:#}", Value::from(logged.clone()));
    }
}

fn findings(witness: &Witness<'_>) {
    let ill = witness.ends(1, &["doctor"]);
    assert!(ill["backup"].is_null(), "the state was lost since: {ill}");
    let key = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    witness.runs(&["backup", "/root/later.age", "--recipient", key]);
    assert_eq!(witness.ends(1, &["doctor"])["backup"]["file"], "/root/later.age");
    let empty = |part: &str| ill[part].as_array().unwrap().is_empty();
    assert!(!empty("findings") && !empty("unchecked") && !empty("areas"), "{ill}");
    witness.ends(1, &["doctor", "--fix"]);
    witness.host.configure("[default]\nsecond_factor = 1\n");
    witness.ends(1, &["doctor"]);
}
