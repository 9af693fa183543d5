//! Defects of sshd's settings, as the real sshd reports them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::{ByHand, ByItsCommands};
use crate::{DROP_IN, doctor, findings, finds, ids, make_well, set_mode};

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
pub(crate) fn as_the_mend_says(host: &Host) {
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
    finds(&["sshd-never-passes"], within, ByHand(&|_| fs::remove_file(other).unwrap()));
}

/// The settings of `service enable sshd --security-keys`, and an enrolled key of alice. No device has it: doctor looks at what is
/// stored.
pub(crate) fn with_security_key(host: &Host) {
    const KEY: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIBuaT09K7VQTIu6y\
                       76ITx55HYILRI8u/lXp1Z5LdIjgOAAAABHNzaDo= alice@laptop\n";
    let file = host.place("id.pub");
    fs::write(&file, KEY).unwrap();
    host.succeed("twofactor", ["ssh-key", "add", "alice", file.to_str().unwrap()]);
    with_settings(host);
}

#[test]
fn security_keys_with_the_settings_they_need_are_no_finding() {
    private_host(|host| {
        make_well(host);
        with_security_key(host);
        let (report, code) = doctor(host);
        assert_eq!((findings(&report).len(), code), (0, 0), "{report:#}");
    });
}

#[test]
fn a_security_key_may_sign_without_a_touch() {
    // Its absence, and a Match that takes it back.
    let missing = |host: &Host| {
        with_security_key(host);
        let text = fs::read_to_string(FILE).unwrap();
        fs::write(FILE, text.replacen("touch-required", "none", 1)).unwrap();
    };
    finds(&["ssh-key-untouched"], missing, ByHand(&as_the_mend_says));
    let other = "/etc/ssh/sshd_config.d/50-bob.conf";
    let taken_back = move |host: &Host| {
        with_security_key(host);
        fs::write(other, "Match Address 198.51.100.0/24\n  PubkeyAuthOptions none\n").unwrap();
    };
    finds(&["ssh-key-untouched"], taken_back, ByHand(&|_| fs::remove_file(other).unwrap()));
    // A Match that demands it of the owners is enough.
    let of_owners = move |host: &Host| {
        with_security_key(host);
        let text = fs::read_to_string(FILE).unwrap();
        fs::write(FILE, text.replacen("PubkeyAuthOptions touch-required\n", "", 1)).unwrap();
        fs::write(other, "Match User alice\n  PubkeyAuthOptions touch-required\n").unwrap();
    };
    let mended = move |host: &Host| {
        fs::remove_file(other).unwrap();
        with_settings(host);
    };
    finds(&[], of_owners, ByHand(&mended));
}

fn with_settings(_: &Host) {
    let methods = "AuthenticationMethods publickey,keyboard-interactive\nPubkeyAuthOptions touch-required\n";
    fs::write(FILE, DROP_IN.replacen("AuthenticationMethods keyboard-interactive\n", methods, 1)).unwrap();
}

#[test]
fn security_keys_are_enrolled_and_pam_never_hears_of_a_key() {
    let make = |host: &Host| {
        with_security_key(host);
        let text = fs::read_to_string(FILE).unwrap();
        fs::write(FILE, text.replacen("publickey,keyboard-interactive", "keyboard-interactive", 1)).unwrap();
        // As the tool has written it, so that it may write it anew.
        host.succeed("rm", [FILE]);
        fs::write("/etc/ssh/sshd_config.d/90-local.conf", "PubkeyAuthentication no\n").unwrap();
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        fs::remove_file("/etc/ssh/sshd_config.d/90-local.conf").unwrap();
        let text = fs::read_to_string(FILE).unwrap();
        fs::write(
            FILE,
            format!("{text}AuthenticationMethods keyboard-interactive\nPubkeyAuthOptions touch-required\n"),
        )
        .unwrap();
    };
    finds(&["ssh-key-idle"], make, ByItsCommands);
}

#[test]
fn users_may_set_the_variable_that_names_the_key() {
    let make = |host: &Host| {
        with_security_key(host);
        let stack = fs::read_to_string("/etc/pam.d/sshd").unwrap();
        fs::write("/etc/pam.d/sshd", format!("auth optional pam_env.so user_readenv=1\n{stack}")).unwrap();
    };
    let mend = |_: &Host| {
        let stack = fs::read_to_string("/etc/pam.d/sshd").unwrap();
        fs::write("/etc/pam.d/sshd", stack.replacen(" user_readenv=1", "", 1)).unwrap();
    };
    finds(&["ssh-key-distrusted"], make, ByHand(&mend));
}

#[test]
fn where_sshd_says_nothing_of_its_settings_the_lines_of_its_service_are_judged_all_the_same() {
    let broken = "/etc/ssh/sshd_config.d/90-broken.conf";
    let make = move |host: &Host| {
        with_security_key(host);
        let stack = fs::read_to_string("/etc/pam.d/sshd").unwrap();
        fs::write("/etc/pam.d/sshd", format!("auth optional pam_env.so user_readenv=1\n{stack}")).unwrap();
        fs::write(broken, "UsePAM perhaps\n").unwrap();
    };
    let mend = move |_: &Host| {
        let stack = fs::read_to_string("/etc/pam.d/sshd").unwrap();
        fs::write("/etc/pam.d/sshd", stack.replacen(" user_readenv=1", "", 1)).unwrap();
        fs::remove_file(broken).unwrap();
    };
    finds(&["sshd-config-broken", "ssh-key-distrusted"], make, ByHand(&mend));
}

#[test]
fn others_may_write_a_file_from_which_pam_env_sets_the_variable_that_names_the_key() {
    let make = |host: &Host| {
        with_security_key(host);
        fs::write("/etc/shared-environment", "").unwrap();
        set_mode("/etc/shared-environment", 0o666);
        let stack = fs::read_to_string("/etc/pam.d/sshd").unwrap();
        let line = "auth required pam_env.so envfile=/etc/shared-environment";
        fs::write("/etc/pam.d/sshd", format!("{line}\n{stack}")).unwrap();
    };
    finds(&["ssh-key-distrusted"], make, ByItsCommands);
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
fn sshd_does_not_accept_its_configuration() {
    finds(&["sshd-config-broken"], instead("UsePAM yes", "UsePAM perhaps"), ByHand(&right));
}

const PID_FILE: &str = "/run/sshd.pid";

/// When the running sshd has read its configuration.
fn read_at() -> Option<(i64, i64)> {
    fs::metadata(PID_FILE).ok().map(|about| (about.mtime(), about.mtime_nsec()))
}

/// Waits until sshd has read its configuration once more, and until what is changed from now on has a later time.
fn wait_until_read(host: &Host, before: Option<(i64, i64)>) {
    let (started, scratch) = (Instant::now(), host.place("scratch"));
    loop {
        fs::write(&scratch, "").unwrap();
        let about = fs::metadata(&scratch).unwrap();
        if read_at().is_some_and(|now| Some(now) != before && (about.ctime(), about.ctime_nsec()) > now) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "sshd has not read its configuration");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_running_sshd_that_has_not_read_its_configuration_is_found_until_it_is_reloaded() {
    private_host(|host| {
        make_well(host);
        let _sshd = host.sshd_of_the_system();
        wait_until_read(host, None);
        let (report, code) = doctor(host);
        assert_eq!((findings(&report).len(), code), (0, 0), "{report:#}");
        assert_eq!(report["unchecked"], serde_json::json!([]), "{report:#}");
        let other = "/etc/ssh/sshd_config.d/50-other.conf";
        let changes: [(&str, &dyn Fn()); 4] = [
            ("/etc/ssh/sshd_config.d", &|| fs::write(other, "LoginGraceTime 1m\n").unwrap()),
            (other, &|| {
                fs::write(other, "LoginGraceTime 2m\n").unwrap();
                // As by a copy that keeps dates.
                host.succeed("touch", ["--date=2020-01-01", other]);
            }),
            ("/etc/ssh/sshd_config.d", &|| fs::remove_file(other).unwrap()),
            ("/etc/ssh/sshd_config", &|| {
                let text = fs::read_to_string("/etc/ssh/sshd_config").unwrap();
                fs::write("/etc/ssh/sshd_config", text + "# changed\n").unwrap();
            }),
        ];
        for (place, change) in changes {
            change();
            let (report, code) = doctor(host);
            assert_eq!((ids(&report), code), (["sshd-outdated"].into(), 1), "{report:#}");
            let what = findings(&report)[0]["what"].as_str().unwrap();
            assert!(what.contains(place), "{what}");
            let enabled = host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
            let command = findings(&report)[0]["command"].as_str().unwrap();
            assert!(enabled.contains("has not read /etc/ssh/sshd_config") && enabled.contains(command), "{enabled}");
            let before = read_at();
            host.succeed("sh", ["-c", command]);
            wait_until_read(host, before);
            let (report, code) = doctor(host);
            assert_eq!((findings(&report).len(), code), (0, 0), "{report:#}");
            assert_eq!(host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]), "Nothing to do.\n");
        }
    });
}

#[test]
fn whether_a_running_sshd_with_files_of_its_own_has_read_them_is_not_said() {
    private_host(|host| {
        make_well(host);
        let sshd = host.sshd(&format!("PidFile {PID_FILE}\n"));
        wait_until_read(host, None);
        fs::write("/etc/ssh/sshd_config.d/50-other.conf", "LoginGraceTime 1m\n").unwrap();
        let (report, _) = doctor(host);
        assert!(!ids(&report).contains("sshd-outdated"), "{report:#}");
        assert!(report["unchecked"][0]["because"].as_str().unwrap().contains("configuration of its own"), "{report:#}");
        // A number that is another process's by now, as after a crash, is no sshd.
        drop(sshd);
        fs::write(PID_FILE, "1\n").unwrap();
        fs::write("/etc/ssh/sshd_config.d/50-other.conf", "LoginGraceTime 2m\n").unwrap();
        let (report, _) = doctor(host);
        assert!(!ids(&report).contains("sshd-outdated"), "{report:#}");
        assert_eq!(report["unchecked"], serde_json::json!([]), "{report:#}");
    });
}
