//! Defects of sshd's settings that `Match` blocks make for some logins, as the real sshd reports them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::ByHand;
use crate::ssh::{as_the_mend_says, with_security_key};
use crate::{doctor, findings, finds, ids, make_well, service};

const OTHER: &str = "/etc/ssh/sshd_config.d/50-other.conf";
const INCLUDED: &str = "/etc/ssh/included/some.conf";

/// Bob, who is in the group deploy, and is enrolled.
fn with_bob(host: &Host) {
    make_well(host);
    host.user_with_app("bob");
    host.succeed("groupadd", ["deploy"]);
    host.succeed("groupadd", ["empty"]);
    host.succeed("usermod", ["--append", "--groups", "deploy", "bob"]);
}

/// doctor finds this and nothing else.
#[track_caller]
fn found<'r>(host: &Host, report: &'r mut Value, expected: &[&str]) -> &'r [Value] {
    let code;
    (*report, code) = doctor(host);
    assert_eq!(ids(report), expected.iter().copied().collect::<BTreeSet<_>>(), "{report:#}");
    let notes_only = findings(report).iter().all(|finding| finding["severity"] == "note");
    assert_eq!(code, i32::from(!notes_only), "{report:#}");
    assert_eq!(report["unchecked"], json!([]), "{report:#}");
    findings(report)
}

/// A block with these lines behind the criteria is found in every way in which logins can meet it, and mended at its line.
#[test]
fn what_a_block_lets_in_with_too_little_is_found_whatever_its_criteria_are() {
    private_host(|host| {
        with_bob(host);
        let mut report = Value::Null;
        for criteria in [
            "User bob",
            "User=b?b",
            "User *,!alice,!root",
            "Group deploy",
            "Group deploy,!sudo",
            "Group \"deploy\" User b*",
            "Address 198.51.100.0/24",
            "Address 10.0.0.0/8,!10.0.0.0/9,!10.192.0.0/10",
            "Address 2001:db8:7::/48 User bob",
            "Address 172.16.*",
            "Host 203.0.113.*",
            "LocalAddress 203.0.113.7",
            "LocalPort 2222 User bob",
            "RDomain vrf1",
            "User bob Address *,!192.0.2.1",
            "User *",
        ] {
            for (setting, expected) in [
                ("AuthenticationMethods publickey", "sshd-never-asks"),
                ("KbdInteractiveAuthentication no", "sshd-no-prompts"),
            ] {
                fs::write(OTHER, format!("# some\nMatch {criteria}\n  MaxAuthTries 3\n  {setting}\n")).unwrap();
                let [finding] = found(host, &mut report, &[expected]) else { panic!("{report:#}") };
                let named = format!("for the logins of {OTHER}:2 (Match {criteria}), sshd has {setting}");
                assert_eq!(finding["what"], named);
                as_the_mend_says(host);
                found(host, &mut report, &[]);
            }
        }
    });
}

#[test]
fn blocks_of_included_files_and_inside_of_each_other_are_judged_at_their_lines() {
    private_host(|host| {
        with_bob(host);
        fs::create_dir_all("/etc/ssh/included").unwrap();
        let mut report = Value::Null;
        for (other, included, place) in [
            ("Include included/*.conf\n", "Match User bob\nAuthenticationMethods publickey\n", format!("{INCLUDED}:1")),
            (
                "Include /etc/ssh/inc?uded/s*\n",
                "Match User bob\nAuthenticationMethods publickey\n",
                format!("{INCLUDED}:1"),
            ),
            ("Match User bob\nInclude included/some.conf\n", "AuthenticationMethods publickey\n", format!("{OTHER}:1")),
            (
                "Match User bob\nInclude included/some.conf\n",
                "Match Address 10.0.0.0/8\nAuthenticationMethods publickey\n",
                format!("{INCLUDED}:1"),
            ),
            // Behind the included file, the outer block goes on.
            (
                "Match User bob\nInclude included/some.conf\nAuthenticationMethods publickey\n",
                "Match Address 10.0.0.0/8\nPasswordAuthentication no\n",
                format!("{OTHER}:1"),
            ),
            // The first of several decides, here for all but alice.
            (
                "Match User alice\nAuthenticationMethods keyboard-interactive\nMatch User *\nAuthenticationMethods publickey\n",
                "",
                format!("{OTHER}:3"),
            ),
        ] {
            fs::write(OTHER, other).unwrap();
            fs::write(INCLUDED, included).unwrap();
            let [finding] = found(host, &mut report, &["sshd-never-asks"]) else { panic!("{report:#}") };
            assert!(finding["what"].as_str().unwrap().contains(&place), "{other}{included}: {finding:#}");
            as_the_mend_says(host);
            found(host, &mut report, &[]);
        }
        // What holds for all is no matter of some, and none of the lines before decides.
        fs::write(INCLUDED, "").unwrap();
        fs::write(OTHER, "Match all\nAuthenticationMethods publickey\n").unwrap();
        let expected = ["sshd-never-asks", "sshd-drop-in-overridden"];
        for finding in found(host, &mut report, &expected) {
            assert!(
                finding["mend"].as_str().unwrap().contains(&format!("{OTHER}:2, the line that decides")),
                "{finding:#}"
            );
        }
        // A line that a login never meets, because the first one decides, is no defect.
        let again = "Match User bob\nAuthenticationMethods keyboard-interactive\nMatch User bob\nAuthenticationMethods publickey\n";
        fs::write(OTHER, again).unwrap();
        found(host, &mut report, &[]);
    });
}

#[test]
fn logins_that_rules_ask_for_nothing_may_have_a_key_alone() {
    private_host(|host| {
        with_bob(host);
        let mut report = Value::Null;
        let rule = |conditions: &str| format!("[[rule]]\n{conditions}\nsecond_factor = \"off\"\n");
        for (criteria, conditions, expected) in [
            ("User bob", "users = [\"bob\"]\nservices = [\"sshd\"]", &[][..]),
            ("Group deploy", "groups = [\"deploy\"]\nservices = [\"sshd\"]", &[]),
            ("Address 10.0.0.0/8", "networks = [\"10.0.0.0/8\"]", &[]),
            // Others meet the block as well.
            ("Address 10.0.0.0/8", "networks = [\"10.1.0.0/16\"]", &["sshd-never-asks"]),
            ("Address 10.0.0.0/8", "users = [\"bob\"]", &["sshd-never-asks"]),
            ("User bob,alice", "users = [\"bob\"]", &["sshd-never-asks"]),
        ] {
            fs::write(OTHER, format!("Match {criteria}\nAuthenticationMethods publickey\n")).unwrap();
            host.configure(&rule(conditions));
            found(host, &mut report, expected);
        }
    });
}

#[test]
fn a_code_alone_is_too_little_for_some_and_for_all() {
    private_host(|host| {
        with_bob(host);
        let mut report = Value::Null;
        let stack = "auth required pam_twofactor.so\nauth required pam_permit.so\naccount required pam_twofactor.so\n\
                     account required pam_unix.so\n@include common-session\n";
        // Without a question for the password, a locked one keeps root from nothing.
        host.enroll("root", &[]);
        service("sshd", stack);
        let file = "/etc/ssh/sshd_config.d/00-twofactor.conf";
        let text = fs::read_to_string(file).unwrap();
        found(host, &mut report, &["sshd-code-alone"]);
        as_the_mend_says(host);
        found(host, &mut report, &[]);
        for methods in ["keyboard-interactive", "publickey,keyboard-interactive keyboard-interactive:pam"] {
            fs::write(OTHER, format!("Match Address 10.0.0.0/8\nAuthenticationMethods {methods}\n")).unwrap();
            let [finding] = found(host, &mut report, &["sshd-code-alone"]) else { panic!("{report:#}") };
            assert!(
                finding["what"].as_str().unwrap().contains(&format!("{OTHER}:1 (Match Address 10.0.0.0/8)")),
                "{finding:#}"
            );
            as_the_mend_says(host);
            found(host, &mut report, &[]);
        }
        fs::remove_file(OTHER).unwrap();
        fs::write(file, text).unwrap();
        // Also of a user who is asked for no code: then for nothing at all.
        host.configure("[[rule]]\nusers = [\"bob\"]\nsecond_factor = \"off\"\n");
        found(host, &mut report, &["sshd-code-alone"]);
    });
}

#[test]
fn a_block_that_no_login_of_this_host_meets_is_named_in_a_note() {
    private_host(|host| {
        with_bob(host);
        let mut report = Value::Null;
        for (criteria, because) in [
            ("Group empty", "no user of this host meets it"),
            ("User alice,!alice", "no user of this host meets it"),
            ("Host *.example.org", "with UseDNS no, sshd knows no names of clients"),
            ("Address 10.0.0.0/8,!10.0.0.0/8", "no client was found that meets it"),
            ("LocalPort 22 LocalPort 23", "no login was found that meets it"),
        ] {
            fs::write(OTHER, format!("Match {criteria}\nAuthenticationMethods publickey\n")).unwrap();
            let [finding] = found(host, &mut report, &["sshd-match-unjudged"]) else { panic!("{report:#}") };
            assert_eq!(finding["what"], format!("{OTHER}:1 (Match {criteria}) could not be judged: {because}"));
        }
        // One about other things is none to judge.
        fs::write(OTHER, "Match Group empty\nChrootDirectory /srv\nForceCommand internal-sftp\n").unwrap();
        found(host, &mut report, &[]);
    });
}

/// sshd compares host names in small letters, those of patterns too.
#[test]
fn names_of_hosts_are_met_in_any_case() {
    private_host(|host| {
        with_bob(host);
        let mut report = Value::Null;
        let block = |criteria: &str| {
            fs::write(OTHER, format!("UseDNS yes\nMatch {criteria}\nAuthenticationMethods publickey\n")).unwrap();
        };
        for criteria in ["Host *.Example.ORG", "Host CLIENT.example.org", "Host *.example.org,!Bad.Example.org"] {
            block(criteria);
            let [finding] = found(host, &mut report, &["sshd-never-asks"]) else { panic!("{report:#}") };
            let named =
                format!("for the logins of {OTHER}:2 (Match {criteria}), sshd has AuthenticationMethods publickey");
            assert_eq!(finding["what"], named);
        }
        block("Host Client.example.org,!CLIENT.Example.ORG");
        let [finding] = found(host, &mut report, &["sshd-match-unjudged"]) else { panic!("{report:#}") };
        assert!(finding["what"].as_str().unwrap().ends_with("no client was found that meets it"), "{finding:#}");
    });
}

/// As in the real world: of many users and blocks, sshd is asked about as many logins as blocks tell apart.
#[test]
fn many_users_are_one_login_where_no_block_tells_them_apart() {
    private_host(|host| {
        make_well(host);
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = |number: u32| {
            format!("robot{number}:x:{number}:100::/:/usr/sbin/nologin\nuser{number}:x:{number}:100::/:/bin/sh\n")
        };
        fs::write("/etc/passwd", passwd + &(20_000..20_300).map(line).collect::<String>()).unwrap();
        host.configure("[default]\nsecond_factor = \"optional\"\n");
        fs::write(
            OTHER,
            "Match User user20299\nAuthenticationMethods publickey\nMatch User user*\nPermitEmptyPasswords yes\n",
        )
        .unwrap();
        let mut report = Value::Null;
        found(host, &mut report, &["sshd-never-asks", "sshd-empty-passwords"]);
    });
}

#[test]
fn a_block_may_take_the_touch_of_security_keys_back() {
    // Bob has none, so a block about him takes nothing back.
    for (criteria, expected) in
        [("User bob", &[][..]), ("Group sudo", &["ssh-key-untouched"]), ("Address 10.*", &["ssh-key-untouched"])]
    {
        let make = move |host: &Host| {
            with_security_key(host);
            host.user_with_app("bob");
            fs::write(OTHER, format!("Match {criteria}\nPubkeyAuthOptions none\n")).unwrap();
        };
        let mend = move |host: &Host| {
            if expected.is_empty() { fs::remove_file(OTHER).unwrap() } else { as_the_mend_says(host) }
        };
        finds(expected, make, ByHand(&mend));
    }
}
