//! Accounts: not there, invited, enrolled, waiting for a confirmation, delayed, another person's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::terminal::{Size, Terminal};

use crate::witness::{Witness, story};

pub(crate) const COMMANDS: &[&str] = &[
    "enroll",
    "status",
    "verify",
    "reset",
    "recovery",
    "unlock",
    "invite",
    "code",
    "qr",
    "state adopt-uids",
    "rename",
    "ssh-key add",
    "ssh-key list",
    "ssh-key remove",
    "import google-authenticator",
    "import oath-users",
    "import otpauth",
    "import migration",
    "import aegis",
    "import twofas",
    "import pam-u2f",
    "export",
];

#[test]
fn users_and_what_is_done_about_them() {
    story(COMMANDS, |witness| {
        nobody_is_enrolled(witness);
        alice_is_enrolled(witness);
        codes_are_judged(witness);
        alice_has_a_security_key(witness);
        bob_is_invited(witness);
        dora_is_renamed(witness);
        eve_leaves(witness);
        carol_is_another_person(witness);
        alice_is_reset(witness);
        others_come_from_elsewhere(witness);
    });
}

fn nobody_is_enrolled(witness: &Witness<'_>) {
    assert_eq!(witness.runs(&["status"]), json!([]));
    assert_eq!(witness.runs(&["state", "adopt-uids"]), json!([]));
}

fn alice_is_enrolled(witness: &Witness<'_>) {
    witness.host.add_user("alice");
    let enrolled = witness.runs(&["enroll", "alice", "--no-confirm"]);
    assert_eq!(enrolled.as_object().unwrap().keys().next().unwrap(), "format", "it comes first: {enrolled}");
    assert_eq!(
        witness.runs(&["status", "--missing"])[0]["has"],
        "nothing",
        "the default asks all users, and root has none"
    );
    let list = witness.host.place("users.txt");
    fs::write(&list, "alice\nmaria\nno-such-user\n").unwrap();
    witness.host.add_user("maria");
    let folder = witness.host.place("qr-codes");
    let many = ["enroll", "--from", list.to_str().unwrap(), "--qr-dir", folder.to_str().unwrap()];
    let outcomes: Vec<serde_json::Value> =
        witness.ends(1, &many).as_array().unwrap().iter().map(|result| result["outcome"].clone()).collect();
    assert_eq!(outcomes, ["enrolled-before", "enrolled", "failed"]);
    witness.runs(&["reset", "maria", "--yes"]);
    let second = witness.runs(&["enroll", "alice", "--no-confirm", "--counter", "--label", "counter"]);
    assert_eq!((&second["period"], &second["recovery_codes"]), (&json!(null), &json!([])));
    let never = witness.runs(&["status", "alice"]);
    assert_eq!(never["last_accepted"], json!(null));
}

fn codes_are_judged(witness: &Witness<'_>) {
    let host = witness.host;
    let alice = host.enroll("alice", &["--label", "phone"]);
    let login = |code: &str| host.login("alice").rhost("192.0.2.7").typing(code).code();
    let paper = witness.runs(&["recovery", "alice"])["recovery_codes"][0].as_str().unwrap().to_owned();
    witness.runs(&["verify", "alice", &alice.code()]);
    witness.runs(&["verify", "alice", &paper]);
    witness.ends(5, &["verify", "alice", &alice.wrong_code()]);
    let code = alice.code();
    assert_eq!(login(&code), ReturnCode::SUCCESS);
    assert_eq!(witness.ends(5, &["verify", "alice", &code])["reason"], "replayed");
    // Enough of them for a delay.
    for _ in 0..7 {
        assert_ne!(login(&alice.wrong_code()), ReturnCode::SUCCESS);
    }
    let delayed = witness.runs(&["status", "alice"]);
    assert!(delayed["blocked_until"].is_string() && delayed["last_accepted"].is_string(), "{delayed}");
    assert!(delayed["tokens"].as_array().unwrap().iter().any(|token| token["last_accepted"].is_string()), "{delayed}");
    witness.runs(&["status"]);
    assert_eq!(witness.runs(&["unlock", "alice"])["failures"], delayed["failures"]);
    // Her clock was a day ahead once, and the code that it showed is used up.
    let tomorrow = Moment(Moment::SOME.0);
    let early = host.login_at(tomorrow, "alice").typing(tomorrow.code(&alice.authenticator, 0));
    assert_eq!(early.code(), ReturnCode::SUCCESS);
    witness.runs(&["code", "alice"]);
    assert!(witness.runs(&["status", "alice"])["temporary_code_until"].is_string());
    for revoked in [true, false] {
        assert_eq!(witness.runs(&["code", "alice", "--revoke"])["revoked"], revoked);
    }
    let burned = witness.runs(&["status", "alice"]);
    let phone = burned["tokens"].as_array().unwrap().iter().find(|token| token["label"] == "phone").unwrap();
    assert!(phone["burned_until"].is_string(), "{burned}");
}

fn alice_has_a_security_key(witness: &Witness<'_>) {
    let path = witness.host.place("key.pub");
    fs::write(&path, "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo= laptop\n").unwrap();
    assert_eq!(witness.runs(&["ssh-key", "list", "alice"]), json!([]));
    let added = witness.runs(&["ssh-key", "add", "alice", path.to_str().unwrap()]);
    assert_eq!(witness.runs(&["ssh-key", "list", "alice"])[0]["fingerprint"], added["fingerprint"]);
    assert_eq!(witness.runs(&["status", "alice"])["ssh_keys"][0]["label"], "laptop");
    witness.runs(&["ssh-key", "remove", "alice", "laptop"]);
}

fn others_come_from_elsewhere(witness: &Witness<'_>) {
    let host = witness.host;
    let google = "/root/.google_authenticator";
    fs::write(google, "JBSWY3DPEHPK3PXP\n\" TOTP_AUTH\n12345678\n").unwrap();
    fs::set_permissions(google, fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["import", "google-authenticator", "--user", "root"];
    assert_eq!(witness.runs(&[&arguments[..], &["--dry-run"]].concat())[0]["outcome"], "would-be-taken-over");
    assert_eq!(witness.runs(&arguments)[0]["remarks"].as_array().unwrap().len(), 2);
    assert_eq!(witness.runs(&arguments)[0]["outcome"], "enrolled-before");
    let file = host.place("users.oath");
    fs::write(&file, "HOTP no-such-user - 00\n").unwrap();
    assert_eq!(witness.ends(8, &["import", "oath-users", file.to_str().unwrap()])[0]["outcome"], "failed");
    fs::write(&file, "alice:*,AQID,es256,+presence+pin\nbob:x\n").unwrap();
    let lines = witness.ends(8, &["import", "pam-u2f", file.to_str().unwrap()]);
    assert_eq!((&lines[0]["keys"][0]["type"], &lines[1]["counts"]), (&json!("es256"), &json!(false)), "{lines}");
    let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEH";
    for (system, text) in [
        ("otpauth", format!("otpauth://totp/root?secret={secret}\n")),
        (
            "migration",
            "otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZTAC"
                .to_owned(),
        ),
        ("aegis", format!(r#"{{"db":{{"entries":[{{"type":"totp","name":"a","info":{{"secret":"{secret}"}}}}]}}}}"#)),
        (
            "twofas",
            format!(
                r#"{{"services":[{{"name":"a","secret":"{secret}","otp":{{"account":"a","tokenType":"TOTP"}}}}]}}"#
            ),
        ),
    ] {
        fs::write(&file, text).unwrap();
        let arguments = ["import", system, file.to_str().unwrap(), "--user", "root", "--replace", "--dry-run"];
        assert_eq!(witness.runs(&arguments)[0]["outcome"], "would-be-taken-over", "{system}");
    }
}

fn bob_is_invited(witness: &Witness<'_>) {
    witness.host.add_user("bob");
    witness.runs(&["invite", "bob"]);
    let invited = witness.ends(3, &["status", "bob"]);
    assert!(invited["invited_until"].is_string() && invited["uid"].is_number(), "{invited}");
    assert_eq!(witness.runs(&["status"]).as_array().unwrap().len(), 2);
    for revoked in [true, false] {
        assert_eq!(witness.runs(&["invite", "bob", "--revoke"])["revoked"], revoked);
    }
}

fn dora_is_renamed(witness: &Witness<'_>) {
    let host = witness.host;
    host.user_with_app("dora");
    host.assign_more(&Fob::clock(77), "dora");
    host.succeed("usermod", ["--login", "dorothea", "dora"]);
    let renamed = witness.runs(&["rename", "dora", "dorothea"]);
    assert_eq!((&renamed["uid"], &renamed["tokens"][0]), (&renamed["uid_before"], &json!(Fob::clock(77).serial)));
    host.succeed("usermod", ["--login", "dora", "dorothea"]);
    witness.runs(&["rename", "dorothea", "dora", "--yes"]);
    host.sysadmin(&["token", "unassign", &Fob::clock(77).serial, "--force"]);
    host.sysadmin(&["reset", "dora", "--yes"]);
}

fn eve_leaves(witness: &Witness<'_>) {
    let host = witness.host;
    host.user_with_app("eve");
    host.enroll("eve", &["--label", "counter", "--counter"]);
    host.assign_more(&Fob::clock(78), "eve");
    host.sysadmin(&["token", "disable", &Fob::clock(78).serial]);
    let file = host.place("eve.json");
    for target in ["", &format!("--output {} --format json", file.display())] {
        let report = host.place("report");
        let mut shell = host.command("sh");
        let words = format!("exec twofactor --json export --user eve --plaintext {target} >{}", report.display());
        let mut terminal = Terminal::start(shell.args(["-c", &words]), Size::LARGE);
        terminal.expect("to go on: ");
        terminal.type_line("eve");
        assert_eq!(terminal.wait().code(), Some(0), "{}", terminal.shown());
        let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        let report = witness.compare(&["export"], report);
        assert_eq!((report["secrets"].as_array().unwrap().len(), report["file"].is_null()), (3, target.is_empty()));
    }
    witness.compare(&["export"], serde_json::from_slice(&fs::read(file).unwrap()).unwrap());
    host.sysadmin(&["token", "unassign", &Fob::clock(78).serial, "--force"]);
    host.sysadmin(&["reset", "eve", "--yes"]);
}

fn carol_is_another_person(witness: &Witness<'_>) {
    let host = witness.host;
    let carol = host.user_with_app("carol");
    host.give_name_to_another("carol", 4444);
    assert_eq!(witness.runs(&["status", "carol"])["uid_now"], 4444);
    assert_eq!(witness.ends(5, &["verify", "carol", &carol.code()])["reason"], "uid-changed");
    assert_eq!(witness.runs(&["state", "adopt-uids", "--dry-run"])[0]["adopted"], false);
    assert_eq!(witness.runs(&["state", "adopt-uids", "carol", "--yes"])[0]["adopted"], true);
    host.succeed("userdel", ["--force", "carol"]);
    assert_eq!(witness.runs(&["status", "carol"])["uid_now"], json!(null));
    fs::write("/var/lib/twofactor/users/carol/secret.toml", "damaged").unwrap();
    witness.ends(1, &["status"]);
}

fn alice_is_reset(witness: &Witness<'_>) {
    let alice = witness.host.enroll("alice", &["--label", "tablet"]);
    assert_eq!(witness.runs(&["reset", "alice", "--keep-secret", "--yes"])["secret_kept"], true);
    assert_eq!(witness.runs(&["status", "alice"])["tokens"][0]["state"], "pending");
    assert_eq!(witness.ends(5, &["verify", "alice", &alice.code()])["reason"], "not-confirmed");
    let shown = witness.runs(&["qr", "alice", "--label", "tablet"]);
    assert_eq!(shown["secret"], alice.authenticator.secret);
    witness
        .host
        .configure("[[rule]]\nusers = [\"alice\"]\nsecond_factor = \"required\"\n[default]\nsecond_factor = \"off\"\n");
    let missing = witness.runs(&["status", "--missing"]);
    assert_eq!((&missing[0]["user"], &missing[0]["has"]), (&json!("alice"), &json!("not-confirmed")), "{missing}");
    witness.host.configure("");
    witness.runs(&["reset", "alice", "--yes"]);
}
