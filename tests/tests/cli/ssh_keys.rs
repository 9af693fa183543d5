//! `ssh-key`: keys enrolled, listed, taken away, and files that hold none.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::json;
use twofactor_tests::private_host::{Host, private_host, said};

use crate::stderr;

/// Made with ssh-keygen 9.2, which has told the fingerprints.
const LAPTOP: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkK\
                      CwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo= alice@laptop\n";
const LAPTOPS: &str = "SHA256:/p0CbeE3dk2SyW1OXXsThGc12ezDVD8eGw2/vtztDfk";
const WORK: &str = "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlz\
                    dHAyNTYAAABBBAV3FoBPiCH1GiKoJReXJBvb7+ebXbrWcBOCIVEreu1ILMqK5w5QzregJb\
                    xIYULc3Q4nM53HzISA/JQSfjs46ZkAAAAIc3NoOndvcms=\n";
const WORKS: &str = "SHA256:lNX9bF46FvpUQbTnpNKxvaS6jv4Y2Yuq5tSCNiYpq0A";

/// Writes a public key into a file.
fn file(host: &Host, name: &str, text: &str) -> String {
    let path = host.place(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Asserts that a line of the tool has these words.
#[track_caller]
fn assert_told(host: &Host, words: &str) {
    let log = host.log();
    assert!(
        log.iter().any(|line| line.text.starts_with("twofactor") && line.text.contains(words)),
        "{words}: {log:#?}"
    );
}

#[test]
fn a_key_is_enrolled_listed_and_taken_by_fingerprint_or_label() {
    private_host(|host| {
        host.user_with_app("alice");
        let (laptop, work) = (file(host, "laptop.pub", LAPTOP), file(host, "work.pub", WORK));
        let added = host.json(&["ssh-key", "add", "alice", &laptop]);
        assert_eq!((&added["fingerprint"], &added["label"]), (&json!(LAPTOPS), &json!("alice@laptop")), "{added}");
        host.succeed("twofactor", ["ssh-key", "add", "alice", &work, "--label", "work"]);
        assert_told(host, &format!("ssh-key-added user=alice key={WORKS} label=work"));
        let listed = said(&host.run_twofactor(&["ssh-key", "list", "alice"]));
        assert!(listed.contains(LAPTOPS) && listed.contains(WORKS), "{listed}");
        let status = said(&host.run_twofactor(&["status", "alice"]));
        assert!(status.contains(&format!("Ssh key:         work, {WORKS}")), "{status}");
        assert!(said(&host.run_twofactor(&["status"])).contains("work (ssh-key)"));

        host.succeed("twofactor", ["ssh-key", "remove", "alice", LAPTOPS]);
        assert_told(host, &format!("ssh-key-removed user=alice key={LAPTOPS}"));
        host.succeed("twofactor", ["ssh-key", "remove", "alice", "work"]);
        assert_eq!(host.json(&["ssh-key", "list", "alice"]), json!([]));
    });
}

#[test]
fn the_same_key_twice_an_unknown_one_and_the_last_credential_are_refused() {
    private_host(|host| {
        host.add_user("bob");
        let laptop = file(host, "laptop.pub", LAPTOP);
        let work = file(host, "work.pub", WORK);
        let first = host.run_twofactor(&["ssh-key", "add", "bob", &laptop, "--label", "key"]);
        assert!(first.status.success(), "{first:?}");
        assert!(stderr(&first).contains("has no app, token or recovery code"), "{}", stderr(&first));
        let ends = |arguments: &[&str], status: i32, words: &str| {
            let output = host.run_twofactor(arguments);
            assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
            assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
        };
        ends(&["ssh-key", "add", "bob", &laptop], 7, "already has the ssh key");
        ends(&["ssh-key", "add", "nobody-there", &laptop], 3, "there is no user");
        ends(&["ssh-key", "remove", "bob", "office"], 3, "has no ssh key");
        ends(&["ssh-key", "remove", "bob", "key"], 7, "--force");
        host.succeed("twofactor", ["ssh-key", "add", "bob", &work, "--label", "key"]);
        ends(&["ssh-key", "remove", "bob", "key"], 7, "several ssh keys");
        host.succeed("twofactor", ["ssh-key", "remove", "bob", WORKS]);
        host.succeed("twofactor", ["ssh-key", "remove", "bob", LAPTOPS, "--force"]);
        ends(&["status", "bob"], 3, "not enrolled");
    });
}

#[test]
fn an_open_invitation_that_a_key_makes_void_is_named() {
    private_host(|host| {
        for user in ["bob", "carol"] {
            host.add_user(user);
        }
        let laptop = file(host, "laptop.pub", LAPTOP);
        let until = host.json(&["invite", "bob"])["until"].as_str().unwrap().to_owned();
        let output = host.run_twofactor(&["ssh-key", "add", "bob", &laptop]);
        assert!(output.status.success(), "{output:?}");
        let words = stderr(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("the invitation of bob, open until {until}, is void now")), "{words}");
        assert_told(host, "invitation-revoked user=bob");
        let output = host.run_twofactor(&["ssh-key", "add", "carol", &laptop]);
        assert!(output.status.success() && !stderr(&output).contains("invitation"), "{}", stderr(&output));
    });
}

#[test]
fn files_without_a_security_key_are_invalid_input() {
    private_host(|host| {
        host.add_user("bob");
        for (name, text, words) in [
            (
                "plain",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFmLv9SlQgT5aNV/oeYExN3SfOxw1y/n6tLZgzfLM2ZW bob\n",
                "kept by no security key",
            ),
            ("private", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "this is a private key"),
            ("two", &format!("{LAPTOP}{WORK}"), "several keys"),
            ("empty", "", "no public key"),
        ] {
            let path = file(host, name, text);
            let output = host.run_twofactor(&["ssh-key", "add", "bob", &path]);
            assert_eq!(output.status.code(), Some(8), "{name}: {output:?}");
            assert!(stderr(&output).contains(words), "{name}: {}", stderr(&output));
        }
        assert_eq!(host.run_twofactor(&["status", "bob"]).status.code(), Some(3), "nothing was enrolled");
    });
}

/// `ssh-key add USER -`, with this text on standard input.
fn add_from_input(host: &Host, user: &str, text: &str) -> Output {
    let mut command = host.twofactor(&["ssh-key", "add", user, "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

#[test]
fn a_key_comes_from_standard_input_too() {
    private_host(|host| {
        host.user_with_app("alice");
        for (text, words) in [("", "no public key"), (&*format!("{LAPTOP}{WORK}"), "several keys")] {
            let refused = add_from_input(host, "alice", text);
            assert_eq!(refused.status.code(), Some(8), "{refused:?}");
            assert!(stderr(&refused).contains(words), "{}", stderr(&refused));
        }
        assert_eq!(host.json(&["ssh-key", "list", "alice"]), json!([]), "nothing was enrolled");
        let added = add_from_input(host, "alice", &format!("# from a ticket\n\n{LAPTOP}"));
        assert!(added.status.success() && said(&added).contains(LAPTOPS), "{}", said(&added));
        let keys = host.json(&["ssh-key", "list", "alice"]);
        assert_eq!((&keys[0]["fingerprint"], &keys[1]), (&json!(LAPTOPS), &json!(null)), "{keys}");
    });
}
