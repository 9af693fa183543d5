//! A login that is refused stores no second factor: accounts that `chage` has closed, and lines that refuse.

use std::path::Path;

use twofactor_admin::pam_editing::placing::{self, Answers, Target};
use twofactor_tests::pam::{Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, PASSWORD, private_host, said};
use twofactor_tests::ssh::Client;

use crate::{
    CONFIRM, ENROLL, INVITATION, INVITED, ONCE_MORE, Offer, assert_not_enrolled, client, clueless, configure,
    confirming, conversing, enrolled_over_ssh, invite, module_alone, offered,
};

/// As on Debian, where our account line stands above what ends the phase.
const ABOVE: &str = "\
auth required pam_unix.so nodelay
auth required pam_twofactor.so
account required pam_twofactor.so
account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so
account requisite pam_deny.so
account required pam_permit.so
session required pam_permit.so
";

const EXPIRED: &str = "This account has expired, so no second factor was set up.";

fn chage(host: &Host, arguments: &[&str]) {
    host.succeed("chage", arguments);
}

/// Sets an app up with a program that runs `stack`, and gives how its account phase ended.
fn enrolling(host: &Host, user: &str, stack: &str) -> Outcome {
    host.service("enrolling", stack);
    host.system_service("enrolling", stack);
    let login = host.login(user).service("enrolling").calls("authenticate,account");
    conversing(login, |prompt, shown| match prompt {
        "Password: " => PASSWORD.to_owned(),
        CONFIRM => Offer::read(shown).app.code(0),
        _ => String::new(),
    })
}

#[test]
fn an_account_that_chage_has_closed_stores_nothing_and_begins_anew_when_it_is_open() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(ABOVE, "");
        chage(host, &["-E", "1", "alice"]);
        let mut terminal = sshd.terminal(&client("alice"));
        let offer = offered(&mut terminal);
        terminal.type_line(&offer.app.code(0));
        terminal.expect(EXPIRED);
        let reason = "reason=account-expired problem=\"the account has expired\" hint=\"see: chage -l alice\"";
        host.assert_logged(&["pam_twofactor(sshd:account): denied user=alice service=sshd", reason]);
        assert_not_enrolled(host, "alice");
        drop(terminal);

        chage(host, &["-E", "-1", "alice"]);
        let app = enrolled_over_ssh(&sshd, "alice");
        assert_ne!(app.secret, offer.app.secret, "what was shown to the closed account is worth nothing");
        let again = sshd.client(&Client { code: &app.code(1), ..client("alice") });
        assert!(again.opened(), "{}", said(&again.output));
    });
}

/// pam_unix stands below our line or above it.
#[test]
fn closed_is_what_pam_unix_refuses_and_a_password_to_be_changed_is_not() {
    private_host(|host| {
        configure(host, ENROLL);
        let closed = [
            (&["-E", "2020-01-01"][..], ReturnCode::ACCT_EXPIRED),
            (&["-d", "2020-01-01", "-M", "90", "-I", "10"], ReturnCode::ACCT_EXPIRED),
            (&["-d", "2020-01-01", "-M", "90", "-I", "-1"], ReturnCode::SUCCESS),
            (&["-d", "0"], ReturnCode::SUCCESS),
            (&["-d", "2020-01-01", "-M", "-1", "-I", "10"], ReturnCode::SUCCESS),
            (&["-E", "2999-01-01"], ReturnCode::SUCCESS),
        ];
        let alone =
            "auth required pam_unix.so nodelay\nauth required pam_twofactor.so\naccount required pam_twofactor.so\n";
        for (number, (aging, code)) in closed.into_iter().enumerate() {
            let user = format!("alice{number}");
            host.add_user(&user);
            chage(host, &[aging, &[user.as_str()]].concat());
            let outcome = enrolling(host, &user, alone);
            assert_eq!(outcome.code_of("account"), code, "{aging:?}");
            let is_stored = host.run_twofactor(&["status", &user]).status.success();
            assert_eq!(is_stored, code == ReturnCode::SUCCESS, "{aging:?}");
            // What Linux-PAM says of the same account.
            host.service("unix", "account required pam_unix.so\n");
            let of_unix = host.login(&user).service("unix").calls("account").answering(&[]).code_of("account");
            let lets_in = matches!(of_unix, ReturnCode::SUCCESS | ReturnCode::NEW_AUTHTOK_REQD);
            assert_eq!(lets_in, is_stored, "{aging:?}: {of_unix:?}");
        }
    });
}

#[test]
fn an_invitation_is_not_used_up_and_a_kept_secret_is_not_shown() {
    private_host(|host| {
        configure(host, INVITED);
        host.add_user("alice");
        module_alone(host, "alone", "");
        let invitation = invite(host, "alice");
        let enroll = || {
            conversing(host.login("alice").service("alone").calls("authenticate,account"), |prompt, shown| match prompt
            {
                INVITATION => invitation.clone(),
                CONFIRM => Offer::read(shown).app.code(0),
                _ => String::new(),
            })
        };
        chage(host, &["-E", "1", "alice"]);
        assert_eq!(enroll().code_of("account"), ReturnCode::ACCT_EXPIRED);
        assert_not_enrolled(host, "alice");
        chage(host, &["-E", "-1", "alice"]);
        assert_eq!(enroll().code_of("account"), ReturnCode::SUCCESS);

        configure(host, ENROLL);
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        chage(host, &["-E", "1", "alice"]);
        let outcome = clueless(host.login("alice").service("alone").calls("authenticate,account"));
        assert_eq!(outcome.code_of("account"), ReturnCode::ACCT_EXPIRED);
        assert!(!outcome.prompts().contains(&ONCE_MORE), "{outcome:?}");
        assert!(!outcome.texts().concat().contains("otpauth"), "{outcome:?}");
    });
}

/// As under SSSD: the user is in the passwd database and nowhere else. `shadow: files systemd` has pam_unix's helper asked.
#[test]
fn a_user_without_a_shadow_entry_is_enrolled() {
    private_host(|host| {
        configure(host, ENROLL);
        module_alone(host, "alone", "");
        for (user, sources) in [("alice", "files systemd"), ("bobby", "files")] {
            host.add_user(user);
            host.succeed("sed", ["-i", &format!("/^{user}:/d"), "/etc/shadow"]);
            host.succeed("sed", ["-i", &format!("s/^shadow:.*/shadow: {sources}/"), "/etc/nsswitch.conf"]);
            let login = host.login(user).service("alone").calls("authenticate,account");
            let outcome = confirming(login);
            assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS, "{sources}");
            host.assert_logged(&[&format!("enrolled user={user}")]);
        }
    });
}

/// SELinux keeps sshd and login from /etc/shadow; here it is a missing capability that does.
#[test]
fn a_program_that_may_not_read_shadow_has_the_helper_of_pam_unix_look() {
    private_host(|host| {
        configure(host, ENROLL);
        module_alone(host, "alone", "");
        host.succeed("chown", ["nobody:shadow", "/etc/shadow"]);
        let enrolls_by = |user: &str, before: &str, real: &str| {
            let confined = format!(
                "exec {before} setpriv --ruid={real} --bounding-set=-dac_override,-dac_read_search,-fowner \"$@\""
            );
            let login = host.login(user).service("alone").calls("authenticate,account").after(&confined);
            confirming(login).code_of("account")
        };
        let enrolls = |user: &str| enrolls_by(user, "", "root");
        host.add_user("alice");
        host.add_user("bobby");
        host.add_user("carol");
        chage(host, &["-E", "1", "bobby"]);
        host.succeed("chown", ["nobody:shadow", "/etc/shadow"]);
        host.succeed("chmod", ["640", "/etc/shadow"]);
        assert_eq!(enrolls("alice"), ReturnCode::SUCCESS);
        assert_eq!(enrolls("bobby"), ReturnCode::ACCT_EXPIRED);
        host.assert_logged(&["denied user=bobby", "reason=account-expired"]);
        assert!(!host.run_twofactor(&["status", "bobby"]).status.success());
        // As su has it, whose real user is whoever started it: the helper tells such a user of nobody else.
        assert_eq!(enrolls_by("carol", "", "alice"), ReturnCode::SUCCESS);
        assert_eq!(enrolls_by("bobby", "", "alice"), ReturnCode::ACCT_EXPIRED);
        // Of a program that ignores its children's ends nobody learns what the helper said.
        assert_eq!(enrolls_by("bobby", "env --ignore-signal=CHLD", "root"), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=bobby", "reason=store-unavailable", "unix_chkpwd", "must not ignore SIGCHLD"]);
        assert!(!host.run_twofactor(&["status", "bobby"]).status.success());
    });
}

/// Files that the application has not marked for closing: a network connection, a file with secrets.
#[test]
fn the_helper_of_pam_unix_gets_no_file_of_the_application() {
    private_host(|host| {
        configure(host, ENROLL);
        module_alone(host, "alone", "");
        host.add_user("alice");
        host.succeed("chown", ["nobody:shadow", "/etc/shadow"]);
        host.succeed("chmod", ["640", "/etc/shadow"]);
        // In the helper's place: says what it was given, and then what the helper says.
        let helper = ["/usr/sbin/unix_chkpwd", "/sbin/unix_chkpwd"].into_iter().find(|path| Path::new(path).exists());
        let helper = Path::new(helper.expect("Debian has it")).canonicalize().unwrap();
        let real = host.place("unix_chkpwd");
        host.succeed("cp", ["--archive", helper.to_str().unwrap(), real.to_str().unwrap()]);
        let given = host.place("given");
        let text = format!("#!/bin/sh\nls -l /proc/$$/fd >{}\nexec {} \"$@\"\n", given.display(), real.display());
        let script = host.script("helper", &text);
        host.succeed("mount", ["--bind", script.to_str().unwrap(), helper.to_str().unwrap()]);
        let before = "exec 7</etc/passwd 9</etc/hostname; \
                      exec setpriv --bounding-set=-dac_override,-dac_read_search,-fowner \"$@\"";
        let login = host.login("alice").service("alone").calls("authenticate,account").after(before);
        assert_eq!(confirming(login).code_of("account"), ReturnCode::SUCCESS);
        let given = std::fs::read_to_string(&given).unwrap();
        assert!(given.contains(" 0 -> /dev/null"), "the helper was run: {given}");
        assert!(!given.contains("/etc/passwd") && !given.contains("/etc/hostname"), "{given}");
    });
}

/// The helper has no rights of its own: it says of everybody that there is no entry.
#[test]
fn a_helper_that_may_not_read_shadow_either_knows_of_no_open_account() {
    private_host(|host| {
        configure(host, ENROLL);
        module_alone(host, "alone", "");
        let confined = "exec setpriv --bounding-set=-dac_override,-dac_read_search,-fowner \"$@\"";
        let enrolls = |user: &str, group: &str| {
            host.succeed("chown", [&format!("nobody:{group}"), "/etc/shadow"]);
            host.succeed("chmod", ["640", "/etc/shadow"]);
            let login = host.login(user).service("alone").calls("authenticate,account").after(confined);
            confirming(login).code_of("account")
        };
        host.add_user("alice");
        host.add_user("bobby");
        chage(host, &["-E", "1", "alice"]);
        host.succeed("sed", ["-i", "/^bobby:/d", "/etc/shadow"]);
        assert_eq!(enrolls("alice", "nogroup"), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=store-unavailable", "not even of"]);
        assert_not_enrolled(host, "alice");
        assert_eq!(enrolls("bobby", "shadow"), ReturnCode::SUCCESS, "it could read, and he has none");
    });
}

#[test]
fn where_nobody_can_tell_whether_the_account_is_closed_nothing_is_stored() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        module_alone(host, "alone", "");
        std::fs::remove_file("/etc/shadow").unwrap();
        std::fs::create_dir("/etc/shadow").unwrap();
        let login = host.login("alice").service("alone").calls("authenticate,account");
        let outcome = confirming(login);
        assert_eq!(outcome.code_of("account"), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=store-unavailable", "/etc/shadow: it is not a plain file"]);
        assert_not_enrolled(host, "alice");
    });
}

/// Our line stands last, and a refusal above it ends the phase: `service enable` sees to both.
#[test]
fn whom_pam_access_refuses_stores_nothing_wherever_its_line_stood() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        std::fs::write("/etc/security/access.conf", "-:alice:ALL\n").unwrap();
        for account in [
            "account required pam_access.so\naccount required pam_unix.so\n",
            "account required pam_unix.so\naccount required pam_access.so\n",
            "account [success=ok default=bad] pam_access.so\naccount required pam_unix.so\n",
            "account [success=ok new_authtok_reqd=ok ignore=ignore default=bad] pam_access.so\n\
             account required pam_unix.so\n",
            "account [default=bad success=ok user_unknown=ignore] pam_access.so\naccount required pam_unix.so\n",
        ] {
            let text = format!("auth required pam_unix.so nodelay\n{account}");
            let (file, folders) = (Path::new("/etc/pam.d/enrolling"), [Path::new("/etc/pam.d")]);
            let answers = Answers::Apart;
            let target = Target { name: "enrolling", file, folders: &folders, answers, is_missing: |_| false };
            let stack = placing::enabled(&target, &text).unwrap().unwrap().text;
            assert!(stack.ends_with("account required pam_twofactor.so\n"), "{stack}");
            let outcome = enrolling(host, "alice", &stack);
            assert_eq!(outcome.code_of("account"), ReturnCode::PERM_DENIED, "{stack}");
            assert_not_enrolled(host, "alice");
        }
        std::fs::write("/etc/security/access.conf", "").unwrap();
    });
}
