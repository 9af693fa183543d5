//! Defects of sshd's settings, as the real sshd reports them.

use std::fs;

use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::{ByHand, ByItsCommands};
use crate::{DROP_IN, doctor, findings, finds, make_well};

const FILE: &str = "/etc/ssh/sshd_config.d/00-twofactor.conf";

fn right(_: &Host) {
    fs::write(FILE, DROP_IN).unwrap();
}

/// The shipped drop-in with one setting in the place of another.
fn instead(line: &'static str, other: &'static str) -> impl Fn(&Host) + Send {
    move |_| {
        assert!(DROP_IN.contains(line));
        fs::write(FILE, DROP_IN.replacen(line, other, 1)).unwrap();
    }
}

/// sshd as Debian has it, but without keys and its own passwords, and with no drop-in of ours.
fn without_drop_in(main: impl Fn(String) -> String) {
    fs::remove_file(FILE).unwrap();
    fs::write("/etc/ssh/sshd_config.d/90-local.conf", "PubkeyAuthentication no\nPasswordAuthentication no\n").unwrap();
    let text = fs::read_to_string("/etc/ssh/sshd_config").unwrap();
    fs::write("/etc/ssh/sshd_config", main(text)).unwrap();
}

#[test]
fn sshd_does_not_run_pam() {
    let make = |_: &Host| without_drop_in(|text| text.replace("\nUsePAM yes", "\nUsePAM no"));
    finds(&["sshd-without-pam"], make, ByItsCommands);
}

#[test]
fn sshd_cannot_ask() {
    // Debian's own setting.
    let make = |_: &Host| {
        without_drop_in(|text| {
            assert!(text.contains("\nKbdInteractiveAuthentication no"));
            text
        });
    };
    finds(&["sshd-no-prompts"], make, ByItsCommands);
}

#[test]
fn sshd_never_gets_to_ask() {
    let make = instead("AuthenticationMethods keyboard-interactive", "AuthenticationMethods publickey");
    finds(&["sshd-never-asks"], make, ByHand(&right));
}

#[test]
fn a_key_alone_opens_a_session() {
    finds(&["sshd-key-alone"], instead("AuthenticationMethods keyboard-interactive", ""), ByHand(&right));
}

#[test]
fn passwords_can_be_tried_without_a_prompt_for_the_code() {
    let make = |host: &Host| {
        instead("PasswordAuthentication no", "PasswordAuthentication yes")(host);
        let text = fs::read_to_string(FILE).unwrap();
        let methods = "AuthenticationMethods keyboard-interactive";
        fs::write(FILE, text.replacen(methods, "AuthenticationMethods keyboard-interactive password", 1)).unwrap();
    };
    finds(&["sshd-password-method"], make, ByHand(&right));
}

/// Does what the mend of the only finding says: writes the setting at the line that it names.
fn as_the_mend_says(host: &Host) {
    let (report, _) = doctor(host);
    let mend = findings(&report)[0]["mend"].as_str().unwrap().to_owned();
    let (_, rest) = mend.split_once("write \"").expect("a setting");
    let (setting, place) = rest.split_once("\" at ").expect("a place");
    let (file, line) = place.split_once(',').unwrap().0.rsplit_once(':').unwrap();
    let line: usize = line.parse().unwrap();
    let mut lines: Vec<String> = fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect();
    setting.clone_into(&mut lines[line - 1]);
    fs::write(file, lines.join("\n") + "\n").unwrap();
}

#[test]
fn the_mend_names_the_line_that_decides_wherever_it_stands() {
    // As images for a cloud have it: the first value counts, and sshd_config includes the folder at its top.
    let cloud = "/etc/ssh/sshd_config.d/50-cloud-init.conf";
    let make = |_: &Host| {
        let rest = DROP_IN.replace("PasswordAuthentication no", "");
        let rest = rest.replacen(
            "AuthenticationMethods keyboard-interactive",
            "AuthenticationMethods keyboard-interactive password",
            1,
        );
        fs::write(FILE, rest).unwrap();
        fs::write(cloud, "# by cloud-init\nPasswordAuthentication yes\n").unwrap();
    };
    finds(&["sshd-password-method"], make, ByHand(&as_the_mend_says));
    let make = |_: &Host| without_drop_in(|text| text);
    finds(&["sshd-no-prompts"], make, ByHand(&as_the_mend_says));
}

#[test]
fn empty_passwords_are_permitted() {
    finds(&["sshd-empty-passwords"], instead("UsePAM yes", "UsePAM yes\nPermitEmptyPasswords yes"), ByHand(&right));
}

#[test]
fn rules_want_addresses_and_sshd_says_names() {
    let make = |host: &Host| {
        host.configure("[[rule]]\nnetworks = [\"10.0.0.0/8\"]\nsecond_factor = \"off\"\n");
        instead("UsePAM yes", "UsePAM yes\nUseDNS yes")(host);
    };
    finds(&["sshd-host-names"], make, ByHand(&right));
}

#[test]
fn another_file_comes_before_ours() {
    let other = "/etc/ssh/sshd_config.d/00-cloud.conf";
    let make = move |_: &Host| {
        fs::write(other, "PasswordAuthentication yes\nAuthenticationMethods keyboard-interactive\n").unwrap();
    };
    finds(&["sshd-drop-in-overridden"], make, ByHand(&|_| fs::remove_file(other).unwrap()));
}

#[test]
fn other_settings_in_our_file_are_left_alone() {
    private_host(|host| {
        make_well(host);
        for more in [
            "PermitRootLogin prohibit-password",
            "AllowUsers alice bob",
            "LoginGraceTime 1m",
            "ChallengeResponseAuthentication yes",
            "MaxAuthTries 3 # few",
        ] {
            fs::write(FILE, format!("{more}\n{DROP_IN}")).unwrap();
            let (report, code) = doctor(host);
            assert_eq!((findings(&report).len(), code), (0, 0), "{more}: {report:#}");
        }
    });
}

#[test]
fn a_list_of_methods_with_the_password_lets_nobody_in_and_the_mend_is_one_that_sshd_accepts() {
    // The password method answers the prompt for the code with the password.
    for (value, expected) in [
        ("password,keyboard-interactive", "keyboard-interactive"),
        ("publickey,password", "publickey,keyboard-interactive"),
    ] {
        let make = move |_: &Host| {
            let methods = format!("AuthenticationMethods {value}");
            let text = DROP_IN.replacen("AuthenticationMethods keyboard-interactive", &methods, 1);
            fs::write(FILE, text.replacen("PasswordAuthentication no", "PasswordAuthentication yes", 1)).unwrap();
        };
        let mend = move |host: &Host| {
            as_the_mend_says(host);
            assert!(fs::read_to_string(FILE).unwrap().contains(&format!("AuthenticationMethods {expected}\n")));
            host.succeed("/usr/sbin/sshd", ["-t"]);
            right(host);
        };
        finds(&["sshd-never-passes"], make, ByHand(&mend));
    }
}

#[test]
fn a_list_with_the_password_beside_one_that_asks_and_in_a_match_is_found() {
    let other = "/etc/ssh/sshd_config.d/10-other.conf";
    let beside = move |_: &Host| {
        let methods = "PasswordAuthentication yes\nAuthenticationMethods publickey,password keyboard-interactive\n";
        fs::write(FILE, format!("UsePAM yes\nKbdInteractiveAuthentication yes\n{methods}")).unwrap();
    };
    finds(&["sshd-list-never-passes"], beside, ByHand(&right));
    let within = move |_: &Host| {
        let text =
            "Match Address 198.51.100.0/24\n  PasswordAuthentication yes\n  AuthenticationMethods publickey,password\n";
        fs::write(other, text).unwrap();
    };
    finds(&["sshd-match-blocks", "sshd-never-passes"], within, ByHand(&|_| fs::remove_file(other).unwrap()));
}

#[test]
fn where_a_socket_starts_sshd_its_folder_is_not_there_yet() {
    private_host(|host| {
        make_well(host);
        let _ = fs::remove_dir_all("/run/sshd");
        let (report, code) = doctor(host);
        assert_eq!((findings(&report).len(), code), (0, 0), "{report:#}");
    });
}

#[test]
fn some_logins_have_settings_of_their_own() {
    let other = "/etc/ssh/sshd_config.d/50-bob.conf";
    let make = move |_: &Host| fs::write(other, "Match User bob\n  AuthenticationMethods publickey\n").unwrap();
    finds(&["sshd-match-blocks"], make, ByHand(&|_| fs::remove_file(other).unwrap()));
}

#[test]
fn somebody_cannot_be_asked_by_settings_of_his_own() {
    let other = "/etc/ssh/sshd_config.d/50-bob.conf";
    let make = move |host: &Host| {
        host.user_with_app("bob");
        fs::write(other, "Match User bob\n  KbdInteractiveAuthentication no\n").unwrap();
    };
    finds(&["sshd-match-blocks", "sshd-no-prompts"], make, ByHand(&|_| fs::remove_file(other).unwrap()));
}

#[test]
fn sshd_does_not_accept_its_configuration() {
    finds(&["sshd-config-broken"], instead("UsePAM yes", "UsePAM perhaps"), ByHand(&right));
}
