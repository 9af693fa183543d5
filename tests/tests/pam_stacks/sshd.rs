//! `service enable sshd`: the settings that sshd needs, as sshd itself says, and a login over ssh.

use std::fs;
use std::path::Path;

use twofactor_tests::private_host::{Host, PASSWORD, PASSWORD_HASH, said};
use twofactor_tests::ssh::{Client, authorized_key};
use twofactor_tests::terminal::{Size, Terminal};

use crate::layout::{files, on};

const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-twofactor.conf";

/// sshd's configuration as Debian ships it, as far as it matters.
fn configure_sshd(text: &str) {
    fs::create_dir_all("/etc/ssh/sshd_config.d").unwrap();
    fs::write("/etc/ssh/sshd_config", text).unwrap();
}

const DEBIAN: &str =
    "Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\nPrintMotd no\n";

fn client(user: &str) -> Client<'_> {
    Client { user, password: PASSWORD, code: "", options: &["PreferredAuthentications=keyboard-interactive,password"] }
}

fn keys(host: &Host) {
    host.succeed("ssh-keygen", ["-A"]);
}

#[test]
fn from_a_bare_host_to_a_login_with_password_and_code_and_back() {
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &[]);
        configure_sshd(DEBIAN);
        keys(host);
        let shipped = files();
        {
            let sshd = host.sshd_of_the_system();
            assert!(sshd.client(&client("alice")).opened(), "the password alone, as shipped");
        }
        let enabled = host.run_twofactor(&["service", "enable", "sshd", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        assert!(said(&enabled).contains("systemctl reload ssh"), "{}", said(&enabled));
        assert!(said(&enabled).contains("logins with a key are not asked"), "{}", said(&enabled));
        {
            let sshd = host.sshd_of_the_system();
            let code = alice.code();
            let session = sshd.client(&Client { code: &code, ..client("alice") });
            assert!(session.opened(), "{}", said(&session.output));
            assert_eq!(session.prompts, ["Password: ", "Verification code: "]);
            assert!(!sshd.client(&Client { code: &alice.wrong_code(), ..client("alice") }).opened());
            assert!(!sshd.client(&Client { password: "wrong", ..client("alice") }).opened());
            let key = authorized_key(host, "alice");
            let with_key =
                sshd.client(&Client { options: &[&key, "PreferredAuthentications=publickey"], ..client("alice") });
            assert!(with_key.opened(), "whoever has only a key is not locked out, and was warned about");
        }
        host.succeed("twofactor", ["service", "disable", "sshd", "--yes"]);
        assert_eq!(files(), shipped);
        assert!(!Path::new(DROP_IN).exists());
        let sshd = host.sshd_of_the_system();
        assert!(sshd.client(&client("alice")).opened(), "the password alone again");
    });
}

#[test]
fn a_person_is_asked_whether_sshd_reads_its_settings_now_and_a_failure_leaves_the_command() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        configure_sshd(DEBIAN);
        fs::create_dir_all("/run/systemd/system").unwrap();
        for (script, answer, last) in [
            ("echo \"$@\" >/run/reloaded", "y", "Keep a root session open"),
            ("echo the unit is gone >&2; exit 1", "y", "Now let sshd read its settings"),
            ("exit 0", "", "Now let sshd read its settings"),
        ] {
            host.script("systemctl", &format!("#!/bin/sh\n{script}\n"));
            let mut terminal = Terminal::start(&host.twofactor(&["service", "enable", "sshd"]), Size::LARGE);
            terminal.expect("Change these files? [y/N] ");
            terminal.type_line("y");
            terminal.expect("Let sshd read its settings now (systemctl reload ssh");
            terminal.expect("? [y/N] ");
            terminal.type_line(answer);
            let shown = terminal.expect(last);
            assert_eq!(shown.contains("systemctl says: the unit is gone"), script.contains("gone"), "{shown}");
            assert_eq!(shown.contains("Now let sshd"), last.starts_with("Now"), "{shown}");
            assert!(terminal.wait().success(), "{shown}");
            host.succeed("twofactor", ["service", "disable", "sshd", "--yes"]);
        }
        assert!(fs::read_to_string("/run/reloaded").unwrap().starts_with("reload ssh"));
    });
}

/// Runs `enable sshd`, which must be refused and leave nothing behind.
#[track_caller]
fn refused(host: &Host, words: &str) {
    let before = files();
    let output = host.run_twofactor(&["service", "enable", "sshd", "--yes"]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains(words), "{words:?} in {}", said(&output));
    assert_eq!(files(), before);
    assert!(!Path::new(DROP_IN).exists());
}

#[test]
fn settings_that_cannot_be_had_are_said_and_everything_is_put_back() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        configure_sshd("UsePAM yes\nKbdInteractiveAuthentication no\n");
        refused(host, "put this line at the top of /etc/ssh/sshd_config: Include /etc/ssh/sshd_config.d/*.conf");
        configure_sshd("KbdInteractiveAuthentication no\nUsePAM yes\nInclude /etc/ssh/sshd_config.d/*.conf\n");
        refused(host, "an earlier line of sshd's configuration says otherwise: KbdInteractiveAuthentication no");
        configure_sshd("Nonsense yes\n");
        refused(host, "cannot ask sshd for its settings");
        assert!(!fs::exists("/var/lib/twofactor/services/sshd/after").unwrap());
    });
}

#[test]
fn who_cannot_answer_sshds_prompts_is_no_administrator_to_count_on() {
    on("debian-12", |host, _| {
        keys(host);
        let password = |hash: &str| host.succeed("usermod", ["--password", hash, "root"]);
        host.enroll("root", &[]);
        configure_sshd(&format!("{DEBIAN}PermitRootLogin yes\n"));
        password("*");
        refused(host, "alice is not enrolled; root is barred (the password is locked)");
        // Where all have keys alone, nobody is shut out.
        host.succeed("usermod", ["--password", "*", "alice"]);
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        host.succeed("twofactor", ["service", "disable", "sshd", "--yes"]);
        host.succeed("usermod", ["--password", PASSWORD_HASH, "alice"]);
        password(PASSWORD_HASH);
        configure_sshd(&format!("{DEBIAN}PermitRootLogin prohibit-password\n"));
        refused(host, "root is barred by PermitRootLogin prohibit-password");

        host.succeed("twofactor", ["reset", "root", "--yes"]);
        host.enroll("alice", &[]);
        let expires = |day: &str| host.succeed("usermod", ["--expiredate", day, "alice"]);
        expires("1970-01-02");
        refused(host, "alice is barred (expired)");
        expires("");
        for (setting, word) in [
            ("AllowUsers bobby", "alice is barred by AllowUsers"),
            ("Match User alice\n  AllowUsers bobby", "alice is barred by AllowUsers"),
            ("DenyUsers al*", "alice is barred by DenyUsers al*"),
            ("AllowGroups ssh-users", "alice is barred by AllowGroups"),
            ("DenyGroups alice", "alice is barred by DenyGroups alice"),
        ] {
            configure_sshd(&format!("{DEBIAN}{setting}\n"));
            refused(host, word);
        }
        configure_sshd(&format!("{DEBIAN}AllowUsers bobby al?ce@192.0.2.*\nAllowGroups alice\n"));
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
    });
}

#[test]
fn methods_with_the_password_let_nobody_in_and_are_refused() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        let asking = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication yes\n";
        for (settings, line) in [
            ("AuthenticationMethods password,keyboard-interactive\n", 4),
            ("AuthenticationMethods publickey,password\n", 4),
            ("AuthenticationMethods publickey password,keyboard-interactive\n", 4),
            ("Match Address 198.51.100.0/24\n  AuthenticationMethods publickey,password\n", 5),
        ] {
            configure_sshd(&format!("{asking}{settings}"));
            let lists = settings.trim_end().rsplit('\n').next().unwrap().trim();
            refused(
                host,
                &format!("{lists} (/etc/ssh/sshd_config:{line}) refuses every login that is asked for a code"),
            );
            refused(host, &format!("keyboard-interactive\" at /etc/ssh/sshd_config:{line}, and reload sshd"));
            let dry = host.run_twofactor(&["service", "enable", "sshd", "--dry-run"]);
            assert!(
                dry.status.success() && said(&dry).contains("warning: sshd's AuthenticationMethods"),
                "{}",
                said(&dry)
            );
        }
        // One list that asks is a way in; the other is worth a warning.
        configure_sshd(&format!("{asking}AuthenticationMethods publickey,password keyboard-interactive\n"));
        let enabled = host.run_twofactor(&["service", "enable", "sshd", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        assert!(said(&enabled).contains("publickey,password refuses every login"), "{}", said(&enabled));
    });
}

#[test]
fn settings_that_are_right_stay_as_they_are() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        configure_sshd(
            "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods publickey publickey,keyboard-interactive\n",
        );
        let enabled = host.run_twofactor(&["service", "enable", "sshd", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        assert!(!Path::new(DROP_IN).exists());
        assert!(said(&enabled).contains("lets in without a code: publickey"), "{}", said(&enabled));
    });
}

#[test]
fn settings_alone_are_written_and_removed_too() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        configure_sshd(DEBIAN);
        let shipped = fs::read_to_string("/etc/pam.d/sshd").unwrap();
        let auth = "@include common-auth\nauth required pam_twofactor.so\n";
        let by_hand = shipped.replace("@include common-auth\n", auth);
        let by_hand = by_hand
            .replace("@include common-account\n", "account required pam_twofactor.so\n@include common-account\n");
        fs::write("/etc/pam.d/sshd", &by_hand).unwrap();
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        assert_eq!(fs::read_to_string("/etc/pam.d/sshd").unwrap(), by_hand);
        assert!(Path::new(DROP_IN).exists());
        host.succeed("twofactor", ["service", "disable", "--all", "--yes"]);
        assert!(!Path::new(DROP_IN).exists());
        assert_eq!(fs::read_to_string("/etc/pam.d/sshd").unwrap(), shipped);
    });
}

const STAYS: &str = "00-twofactor.conf was changed since and stays: remove it and reload sshd";

#[test]
fn a_drop_in_that_lacks_settings_is_written_anew_and_shown() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        configure_sshd(DEBIAN);
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        let written = fs::read_to_string(DROP_IN).unwrap();
        assert!(written.lines().all(|line| line.len() <= 80), "{written}");
        for (setting, other) in
            [("PasswordAuthentication no", "PasswordAuthentication yes"), ("KbdInteractiveAuthentication yes\n", "")]
        {
            fs::write(DROP_IN, written.replacen(setting, other, 1)).unwrap();
            let enabled = host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
            assert!(enabled.contains(&format!("+{}", setting.trim_end())), "{enabled}");
            assert_eq!(fs::read_to_string(DROP_IN).unwrap(), written);
        }
        // More than it needs is the sysadmin's.
        fs::write(DROP_IN, format!("{written}MaxAuthTries 3\n")).unwrap();
        assert_eq!(host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]), "Nothing to do.\n");
    });
}

#[test]
fn a_drop_in_of_somebody_else_stays() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        configure_sshd(DEBIAN);
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        fs::write(DROP_IN, "UsePAM yes\nKbdInteractiveAuthentication yes\nMaxAuthTries 3\n").unwrap();
        let disabled = host.run_twofactor(&["service", "disable", "sshd", "--yes"]);
        assert!(disabled.status.success() && said(&disabled).contains(STAYS), "{}", said(&disabled));
        assert!(Path::new(DROP_IN).exists());
        // Nothing is recorded any more; a removal of the package says so all the same.
        let removal = host.run_twofactor(&["--quiet", "service", "disable", "--all", "--yes"]);
        assert!(removal.status.success() && said(&removal).contains(STAYS), "{}", said(&removal));
    });
}

#[test]
fn what_sshd_needs_to_start_stays_when_the_module_goes() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        configure_sshd(DEBIAN);
        let shipped = files();
        for arguments in [&["sshd"][..], &["--all"]] {
            host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
            let mine = "/etc/ssh/sshd_config.d/mine.conf";
            fs::write(mine, "AuthenticationMethods publickey,keyboard-interactive\n").unwrap();
            let disabled = host.run_twofactor(&[&["service", "disable", "--yes"], arguments].concat());
            assert!(disabled.status.success(), "{}", said(&disabled));
            let words = "warning: /etc/ssh/sshd_config.d/00-twofactor.conf stays, without it sshd would not start";
            assert!(said(&disabled).contains(words), "{}", said(&disabled));
            assert!(!said(&disabled).contains("was changed since"), "{}", said(&disabled));
            assert!(!said(&disabled).contains("let sshd read"), "{}", said(&disabled));
            assert_eq!(files(), shipped, "the module is out all the same");
            host.succeed("/usr/sbin/sshd", ["-t"]);
            assert!(Path::new(DROP_IN).exists());
            // Once nothing needs it any more it goes.
            fs::remove_file(mine).unwrap();
            host.succeed("twofactor", ["service", "disable", "--all", "--yes"]);
            assert!(!Path::new(DROP_IN).exists());
        }
        // An sshd that does not start anyway is no reason.
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        configure_sshd("Nonsense yes\n");
        host.succeed("twofactor", ["service", "disable", "sshd", "--yes"]);
        assert!(!Path::new(DROP_IN).exists());
    });
}

#[test]
fn what_was_recorded_before_holds_when_sshd_refuses() {
    on("fedora-40-local", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        configure_sshd("UsePAM yes\nKbdInteractiveAuthentication yes\nInclude /etc/ssh/sshd_config.d/*.conf\n");
        let before = fs::read_to_string("/etc/pam.d/sshd").unwrap().replace("substack", "include");
        fs::write("/etc/pam.d/sshd", &before).unwrap();
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        let enabled = fs::read_to_string("/etc/pam.d/sshd").unwrap();
        assert!(enabled.contains("substack"), "{enabled}");
        // Somebody makes a mistake with our line, and sshd says otherwise.
        fs::write("/etc/pam.d/sshd", enabled.replacen("required     pam_twofactor", "optional     pam_twofactor", 1))
            .unwrap();
        configure_sshd("UsePAM yes\nKbdInteractiveAuthentication no\nInclude /etc/ssh/sshd_config.d/*.conf\n");
        refused(host, "an earlier line of sshd's configuration says otherwise");
        host.succeed("twofactor", ["service", "disable", "sshd", "--yes"]);
        assert_eq!(fs::read_to_string("/etc/pam.d/sshd").unwrap(), before);
    });
}

#[test]
fn logins_that_ask_pam_for_no_code_are_warned_about() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        let settings = "UsePAM yes\nKbdInteractiveAuthentication yes\nPubkeyAuthentication no\n";
        configure_sshd(&format!("{settings}GSSAPIAuthentication yes\nHostbasedAuthentication yes\n"));
        let enabled = host.run_twofactor(&["service", "enable", "sshd", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        for keyword in ["gssapiauthentication is on", "hostbasedauthentication is on"] {
            assert!(said(&enabled).contains(keyword), "{keyword}: {}", said(&enabled));
        }
    });
}

/// The settings that sshd has in force.
fn in_force(host: &Host, keyword: &str) -> String {
    let settings = host.succeed("/usr/sbin/sshd", ["-T"]);
    let line = settings.lines().find(|line| line.split(' ').next() == Some(keyword));
    line.unwrap_or_else(|| panic!("sshd says nothing of {keyword}")).to_owned()
}

#[test]
fn with_security_keys_every_login_needs_a_key_and_a_touch_until_it_is_disabled() {
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &[]);
        keys(host);
        configure_sshd(DEBIAN);
        let shipped = files();
        let (password_alone, key) = (client("alice"), authorized_key(host, "alice"));
        let dry = host.run_twofactor(&["service", "enable", "sshd", "--security-keys", "--dry-run"]);
        assert!(said(&dry).contains("+PubkeyAuthOptions touch-required"), "{}", said(&dry));
        assert!(!Path::new(DROP_IN).exists());
        let enabled = host.run_twofactor(&["service", "enable", "sshd", "--security-keys", "--yes"]);
        let shown = said(&enabled);
        assert!(enabled.status.success(), "{shown}");
        for words in [
            "+AuthenticationMethods publickey,keyboard-interactive\n",
            "warning: every login over ssh needs a key from now on",
            "behind the key, PAM asks for the password",
            "Now let sshd read its settings:\n",
        ] {
            assert!(shown.contains(words), "{words} in {shown}");
        }
        assert!(!shown.contains("logins with a key are not asked"), "{shown}");
        assert_eq!(in_force(host, "authenticationmethods"), "authenticationmethods publickey,keyboard-interactive");
        assert_eq!(in_force(host, "pubkeyauthoptions"), "pubkeyauthoptions touch-required");
        {
            let sshd = host.sshd_of_the_system();
            let code = alice.code();
            assert!(!sshd.client(&Client { code: &code, ..password_alone.clone() }).opened(), "no key");
            let options = [key.as_str(), "PreferredAuthentications=publickey,keyboard-interactive"];
            let session = sshd.client(&Client { code: &code, options: &options, ..password_alone.clone() });
            assert!(session.opened(), "{}", said(&session.output));
            assert_eq!(session.prompts, ["Password: ", "Verification code: "], "the key is no security key");
        }
        let written = fs::read_to_string(DROP_IN).unwrap();
        assert!(written.lines().all(|line| line.len() <= 80), "{written}");
        // It stays what it is, and is written anew where a line is taken out.
        assert_eq!(host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]), "Nothing to do.\n");
        fs::write(DROP_IN, written.replacen("PubkeyAuthOptions touch-required\n", "", 1)).unwrap();
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        assert_eq!(fs::read_to_string(DROP_IN).unwrap(), written);
        for (option, expected) in [
            ("--security-keys=verify", "pubkeyauthoptions touch-required verify-required"),
            ("--security-keys=touch", "pubkeyauthoptions touch-required"),
        ] {
            host.succeed("twofactor", ["service", "enable", "sshd", option, "--yes"]);
            assert_eq!(in_force(host, "pubkeyauthoptions"), expected);
        }
        host.succeed("twofactor", ["service", "disable", "sshd", "--yes"]);
        assert_eq!(files(), shipped);
        assert!(!Path::new(DROP_IN).exists());
        // Without a record, too.
        host.succeed("twofactor", ["service", "enable", "sshd", "--security-keys=verify", "--yes"]);
        fs::remove_dir_all("/var/lib/twofactor/services/sshd").unwrap();
        host.succeed("twofactor", ["service", "disable", "--all", "--yes"]);
        assert!(!Path::new(DROP_IN).exists());
    });
}

#[test]
fn settings_for_security_keys_that_cannot_be_had_are_said_and_put_back() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        keys(host);
        let refused = |words: &str| {
            let before = files();
            let output = host.run_twofactor(&["service", "enable", "sshd", "--security-keys", "--yes"]);
            assert_eq!(output.status.code(), Some(7), "{}", said(&output));
            assert!(said(&output).contains(words), "{words:?} in {}", said(&output));
            assert_eq!(files(), before);
            assert!(!Path::new(DROP_IN).exists());
        };
        configure_sshd(&format!("PubkeyAuthOptions none\n{DEBIAN}"));
        refused("says otherwise: PubkeyAuthOptions none");
        configure_sshd(&format!("AuthenticationMethods publickey\n{DEBIAN}"));
        refused("says otherwise: AuthenticationMethods publickey");
        // Their own settings for it are enough.
        configure_sshd(
            "UsePAM yes\nKbdInteractiveAuthentication yes\nPubkeyAuthOptions verify-required touch-required\n\
             AuthenticationMethods publickey,keyboard-interactive publickey,publickey,keyboard-interactive:pam\n",
        );
        host.succeed("twofactor", ["service", "enable", "sshd", "--security-keys=verify", "--yes"]);
        assert!(!Path::new(DROP_IN).exists());
        let elsewhere = host.run_twofactor(&["service", "enable", "su", "--security-keys", "--yes"]);
        assert_eq!(elsewhere.status.code(), Some(2), "{}", said(&elsewhere));
        assert!(said(&elsewhere).contains("is about sshd"), "{}", said(&elsewhere));
    });
}
