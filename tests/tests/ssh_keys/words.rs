//! The words about a key: of `log`, `explain` and `status`, beside what a login did.

use std::fs;

use serde_json::json;
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::security_key::{authorize, private_host_with_keys};

use crate::login::Login;

const AT: &str = "2026-11-05T10:00:00Z";

/// Writes what sshd and its PAM modules have logged so far to the file in which rsyslog would have it.
fn to_the_log_of_the_system(host: &Host) {
    let lines: Vec<String> = host.log().iter().map(|line| format!("{AT} testhost {}\n", line.text)).collect();
    fs::write("/var/log/auth.log", lines.concat()).unwrap();
}

/// The page of `explain` in words, wherever its lines end.
fn page(host: &Host, service: &str) -> String {
    let explained = host.run_twofactor(&["explain", "alice", "--service", service, "--rhost", "192.0.2.7"]);
    assert!(explained.status.success(), "{}", said(&explained));
    said(&explained).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn log_status_and_explain_name_the_key_that_opened_the_session() {
    private_host_with_keys(|host, provider| {
        let (login, key) = Login::of_alice_with_key(host, provider);
        let other = provider.key("ed25519-sk", "other");
        authorize(host, "alice", [key.line(), other.line()]);
        let sshd = login.sshd("");
        login.is_in(&sshd, [&key]);
        login.is_asked(&sshd, [&other]);
        to_the_log_of_the_system(host);

        let name = key.fingerprint(host);
        let table = host.succeed("twofactor", ["log", "--user", "alice", "--event", "accepted", "--event", "denied"]);
        let shown: Vec<&str> = table.lines().collect();
        assert_eq!(
            shown,
            [
                "TIME                  EVENT     USER          DETAIL".to_owned(),
                format!("{AT}  accepted  alice         ssh-key:{name}, sshd from 127.0.0.1"),
                format!("{AT}  denied    alice         wrong-code, sshd from 127.0.0.1"),
            ]
        );
        let accepted = &host.json(&["log", "--event", "accepted"])[0];
        assert_eq!(
            (&accepted["token"], &accepted["service"], &accepted["rhost"]),
            (&json!(format!("ssh-key:{name}")), &json!("sshd"), &json!("127.0.0.1")),
            "{accepted}"
        );
        let added = &host.json(&["log", "--event", "ssh-key-added"])[0];
        assert_eq!((&added["key"], &added["label"]), (&json!(name), &json!("hers")), "{added}");

        let status = said(&host.run_twofactor(&["status", "alice"]));
        assert!(status.contains(&format!("Ssh key:         hers, {name}\n")), "{status}");
        for words in [
            "Accepted factors: app, token, recovery, ssh-key",
            &format!("ssh key \"hers\" ({name})"),
            "Ssh key: asked nothing and accepted (PAM_SUCCESS), where sshd has verified an enrolled one",
        ] {
            let page = page(host, "sshd");
            assert!(page.contains(words), "{words}: {page}");
        }
    });
}

/// Under each policy, `explain` says of a login with the key what the login then does.
#[test]
fn explain_says_why_a_key_does_not_count_and_sshd_does_so() {
    private_host_with_keys(|host, provider| {
        let (login, key) = Login::of_alice_with_key(host, provider);
        let sshd = login.sshd("");
        let name = key.fingerprint(host);
        let no_keys = "the policy accepts no ssh keys for this login";
        let attested = "the policy accepts attested ssh keys alone";
        for (factors, accepted, because) in [
            ("\"ssh-key\"", "ssh-key", None),
            ("\"app\", \"ssh-key\", \"attested-ssh-key\"", "app, ssh-key", None),
            ("\"app\"", "app", Some(no_keys)),
            ("\"attested-ssh-key\"", "attested-ssh-key", Some(attested)),
            ("\"app\", \"attested-ssh-key\"", "app, attested-ssh-key", Some(attested)),
        ] {
            host.configure(&format!("[[rule]]\nsecond_factor = \"required\"\nfactors = [{factors}]\n"));
            let explained = host.json(&["explain", "alice", "--service", "sshd", "--rhost", "127.0.0.1"]);
            let told = json!({ "asked": because.is_some(), "because": because });
            assert_eq!(explained["ssh_key"], told, "{factors}: {explained:#}");
            assert_eq!(explained["factors"], json!(accepted.split(", ").collect::<Vec<_>>()), "{factors}");
            let refused = because.map(|_| "factor-not-allowed");
            let keys = explained["credentials"].as_array().unwrap().iter().filter(|one| one["type"] == "ssh-key");
            assert_eq!(
                keys.map(|one| (&one["name"], &one["refused"])).collect::<Vec<_>>(),
                [(&json!(format!("ssh key \"hers\" ({name})")), &json!(refused))],
                "{factors}"
            );
            let page = page(host, "sshd");
            let row =
                because.map_or("asked nothing and accepted".to_owned(), |why| format!("asked like all others: {why}"));
            assert!(page.contains(&format!("Accepted factors: {accepted} ")), "{factors}: {page}");
            assert!(page.contains(&format!("Ssh key: {row}")), "{factors}: {page}");
            match because {
                None => login.is_in(&sshd, [&key]),
                Some(_) => login.is_asked(&sshd, [&key]),
            }
        }
    });
}
