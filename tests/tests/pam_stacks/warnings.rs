//! What `service enable` says before it asks: whom it will refuse, and everything else that matters, below the diff.

use twofactor_tests::private_host::{PASSWORD_HASH, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::layout::on;

#[test]
fn those_whom_services_will_refuse_stand_between_the_diff_and_the_question() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        host.succeed("usermod", ["--password", PASSWORD_HASH, "root"]);
        for number in 0..30 {
            host.add_user(&format!("staff{number:02}"));
        }
        let mut terminal = Terminal::start(&host.twofactor(&["service", "enable", "login", "su"]), Size::LARGE);
        let shown = terminal.expect("Change these files? [y/N] ").replace("\r\n", " ");
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let (diff, words) = shown.rsplit_once("pam_twofactor.so").unwrap();
        assert!(diff.contains("+++ /etc/pam.d/login") && diff.contains("+++ /etc/pam.d/su"), "{diff}");
        // Bobby, Carol, David, the staff and root: Erin sets one up when she logs in.
        let count = 3 + 30 + 1;
        let sentence =
            format!("login, su will refuse {count} users with a login shell who are not enrolled, root among them: ");
        assert!(words.contains(&sentence), "{sentence:?} in {words}");
        assert!(words.contains("twofactor enroll bobby") && words.contains("second_factor = \"optional\""), "{words}");
        terminal.type_line("n");
        terminal.expect("declined");

        let json = host.json(&["service", "enable", "su", "--dry-run"]);
        let refused = json["services"][0]["refused"].as_array().unwrap();
        assert_eq!(refused.len(), count, "{refused:?}");
        assert!(
            refused.iter().any(|name| name == "root") && !refused.iter().any(|name| name == "alice"),
            "{refused:?}"
        );
    });
}

#[test]
fn where_a_rule_lets_everybody_in_until_a_day_nobody_is_said_to_be_refused() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        host.succeed("usermod", ["--password", PASSWORD_HASH, "root"]);
        host.configure("[[rule]]\nservices = [\"login\"]\nsecond_factor = \"optional\"\nuntil = 2199-01-31\n");
        let enabled = host.run_twofactor(&["service", "enable", "login", "--yes"]);
        assert!(enabled.status.success() && !said(&enabled).contains("refuse"), "{}", said(&enabled));
        let enabled = host.run_twofactor(&["service", "enable", "su", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        assert!(
            said(&enabled).contains("su will refuse ") && said(&enabled).contains("root among them"),
            "{}",
            said(&enabled)
        );
    });
}

#[test]
fn a_folder_or_an_included_file_that_others_can_change_is_named_above_the_question() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let shown = || {
            let enabled = host.run_twofactor(&["service", "enable", "login", "--dry-run"]);
            assert!(enabled.status.success(), "{}", said(&enabled));
            said(&enabled).split_whitespace().collect::<Vec<_>>().join(" ")
        };
        host.succeed("chmod", ["0777", "/etc/pam.d"]);
        let folder = shown();
        assert!(folder.matches("warning: /etc/pam.d ").count() == 1, "{folder}");
        host.succeed("chmod", ["0755", "/etc/pam.d"]);
        host.succeed("chmod", ["0666", "/etc/pam.d/common-auth"]);
        let file = shown();
        assert!(file.contains("warning: /etc/pam.d/common-auth "), "{file}");
        assert!(file.contains("chmod go-w /etc/pam.d/common-auth"), "{file}");
        host.succeed("chmod", ["0644", "/etc/pam.d/common-auth"]);
        assert!(!shown().contains("warning: /etc/pam.d"), "{}", shown());
    });
}

/// A line of the service's own file is changed so that its refusal ends the phase; one that others share is not.
#[test]
fn a_line_that_refuses_too_late_to_keep_a_factor_from_being_stored_stands_above_the_question() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let files = [
            ("refusing", "account required pam_access.so\n"),
            ("bracket", "account [success=ok default=bad] pam_access.so\n"),
            ("ending", "account requisite pam_access.so\n"),
            ("nested", "account required pam_permit.so\n@include refusing\n"),
        ];
        for (name, text) in files {
            std::fs::write(format!("/etc/pam.d/{name}"), text).unwrap();
        }
        let unix = "account required pam_unix.so\n";
        let shown = |account: &str| {
            std::fs::write("/etc/pam.d/odd", format!("auth required pam_unix.so\n{account}")).unwrap();
            let enabled = host.run_twofactor(&["service", "enable", "odd", "--dry-run"]);
            assert!(enabled.status.success(), "{}", said(&enabled));
            said(&enabled).split_whitespace().collect::<Vec<_>>().join(" ")
        };
        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        for (account, line, control) in [
            (format!("@include refusing\n{unix}"), "refusing:1", "requisite"),
            (format!("account include bracket\n{unix}"), "bracket:1", "[success=ok default=die]"),
            (format!("account substack ending\n{unix}"), "ending:1", "requisite"),
            (format!("@include nested\n{unix}"), "refusing:1", "requisite"),
        ] {
            let shown = shown(&account);
            let warning = format!("warning: a user whom /etc/pam.d/{line} (account ");
            assert!(shown.contains(&warning), "{warning:?} in {shown}");
            let hint = format!("/etc/pam.d/{line} into /etc/pam.d/odd, above its include and with \"{control}\"");
            assert!(shown.contains(&hint), "{hint:?} in {shown}");
        }
        let below = "account sufficient pam_unix.so\naccount required pam_access.so\n";
        assert!(shown(below).contains("warning: a user whom /etc/pam.d/odd:5 (account "), "{}", shown(below));
        let own = format!("account [success=ok default=bad] pam_access.so\n{unix}");
        assert!(!shown(&own).contains("a user whom"), "{}", shown(&own));
        host.configure("");
        let nobody_enrolls = shown(&format!("@include refusing\n{unix}"));
        assert!(!nobody_enrolls.contains("a user whom"), "{nobody_enrolls}");
    });
}
