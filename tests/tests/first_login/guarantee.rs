//! A stolen guess must not enroll: what is confirmed behind a wrong password, or in a login that ends before it is one, is
//! forgotten.

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, private_host, said};
use twofactor_tests::ssh::Client;
use twofactor_tests::terminal::{Size, Terminal};

use crate::ssh::READS_THE_SECRET;
use crate::{
    CODE, CONFIRM, ENROLL, Offer, STACK, assert_not_enrolled, client, configure, confirming, conversing,
    enrolled_over_ssh, module_alone, offered, write_down,
};

#[test]
fn behind_a_wrong_password_the_right_answers_enroll_nobody() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let session = sshd.client_answering(&Client { password: "wrong", ..client("alice") }, READS_THE_SECRET);
        assert!(!session.opened(), "{}", said(&session.output));
        let [_, offer] = &session.prompts[..] else { panic!("{:?}", session.prompts) };
        let stolen = Offer::read(offer).app;
        assert_not_enrolled(host, "alice");

        // Whoever has the password is a newcomer as before, and what the other one saw is worth nothing.
        let mut terminal = sshd.terminal(&client("alice"));
        let offer = offered(&mut terminal);
        assert_ne!(offer.app.secret, stolen.secret);
        terminal.type_line(&offer.app.code(0));
        write_down(&mut terminal);
        terminal.expect("$ ");
        assert!(!sshd.client(&Client { code: &stolen.code(1), ..client("alice") }).opened());
        sshd.opens(&Client { code: &offer.app.code(1), ..client("alice") });
    });
}

#[test]
fn a_login_that_the_account_phase_ends_before_us_enrolls_nobody() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let expired = STACK.replace("account required pam_unix.so", "account requisite pam_deny.so");
        let sshd = host.sshd_with(&expired, "");
        assert!(!sshd.client_answering(&client("alice"), READS_THE_SECRET).opened());
        assert_not_enrolled(host, "alice");
        host.system_service("sshd", STACK);
        enrolled_over_ssh(&sshd, "alice");
    });
}

/// The account phase of Debian, which ends when a password has expired, and our line behind it.
const BEHIND_DEBIANS: &str = "\
auth required pam_unix.so nodelay
auth required pam_twofactor.so
account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so
account requisite pam_deny.so
account required pam_permit.so
account required pam_twofactor.so
password required pam_unix.so
session required pam_permit.so
";

#[test]
fn an_account_line_that_an_expired_password_skips_enrolls_nobody() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        host.succeed("chage", ["-d", "0", "alice"]);
        let sshd = host.sshd_with(BEHIND_DEBIANS, "");
        let session = sshd.client_answering(&client("alice"), READS_THE_SECRET);
        assert!(!session.opened());
        assert_eq!(session.prompts, ["Password: ", CODE], "nobody is shown a secret that would not be stored");
        host.assert_logged(&["error user=alice", "reason=no-account-line", "twofactor service enable sshd"]);
    });
}

#[test]
fn a_kept_secret_is_not_shown_to_who_has_a_key_and_typed_a_wrong_password_before() {
    private_host(|host| {
        configure(host, ENROLL);
        let alice = host.user_with_app("alice");
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        let sshd = host.sshd_with(STACK, "PasswordAuthentication yes\nPubkeyAuthentication yes\n");
        let identity = format!("IdentityFile={}", key_of(host, "alice"));
        let options = [
            "PreferredAuthentications=password,publickey",
            "NumberOfPasswordPrompts=1",
            "PubkeyAuthentication=yes",
            "IdentitiesOnly=yes",
            "LogLevel=INFO",
            &identity,
        ];
        for password in ["wrong", PASSWORD] {
            let session = sshd.client(&Client { password, options: &options, ..client("alice") });
            let shown = said(&session.output).replace(' ', "");
            assert!(!shown.contains(&alice.authenticator.secret), "{password}: {shown}");
        }
        assert_eq!(host.json(&["status", "alice"])["tokens"][0]["state"], "pending");
    });
}

/// A key with which sshd lets the user in.
fn key_of(host: &Host, user: &str) -> String {
    let key = host.place("key").to_str().unwrap().to_owned();
    host.succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", &key]);
    let folder = format!("/home/{user}/.ssh");
    host.succeed("install", ["-d", "-m", "700", "-o", user, "-g", user, &folder]);
    let known = format!("{folder}/authorized_keys");
    host.succeed("install", ["-m", "600", "-o", user, "-g", user, &format!("{key}.pub"), &known]);
    key
}

#[test]
fn two_lines_that_want_different_things_let_nobody_in() {
    private_host(|host| {
        configure(host, ENROLL);
        let alice = host.user_with_app("alice");
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        host.add_user("bobby");
        let lines = "auth required pam_twofactor.so\nauth required pam_twofactor.so conf=/etc/twofactor/other.toml\n\
                     account required pam_twofactor.so\naccount required pam_permit.so\n";
        host.service("twice", lines);
        host.system_service("twice", lines);
        for level in ["off", "optional"] {
            std::fs::write("/etc/twofactor/other.toml", format!("[default]\nsecond_factor = \"{level}\"\n")).unwrap();
            for user in ["alice", "bobby"] {
                let outcome = conversing(host.login(user).service("twice"), |prompt, shown| match prompt {
                    CONFIRM => Offer::read(shown).app.code(0),
                    // "optional" asks alice, who has something.
                    _ => alice.wrong_code(),
                });
                assert_ne!(outcome.code(), ReturnCode::SUCCESS, "{level} {user}");
            }
        }
        host.assert_logged(&["denied user=alice", "reason=not-confirmed", "one auth line of pam_twofactor"]);
        assert_not_enrolled(host, "bobby");
    });
}

/// Kills the process that runs the stack, once everything was confirmed and before our account line.
fn kill_before_the_account_line(host: &Host) -> String {
    let killer = host.script("kill-login", "#!/bin/sh\necho killed >> /run/killed\nkill -9 $PPID\n");
    let line = format!("account required pam_exec.so quiet {}\naccount required pam_twofactor.so", killer.display());
    STACK.replace("account required pam_twofactor.so", &line)
}

#[test]
fn a_session_that_is_killed_between_confirming_and_storing_enrolls_nobody() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let killing = kill_before_the_account_line(host);
        let sshd = host.sshd_with(&killing, "");
        let mut terminal = sshd.terminal(&client("alice"));
        let first = offered(&mut terminal);
        terminal.type_line(&first.app.code(0));
        assert!(!terminal.wait().success());
        assert_eq!(std::fs::read_to_string("/run/killed").unwrap(), "killed\n");
        assert_not_enrolled(host, "alice");

        host.system_service("login", &killing);
        let mut terminal = Terminal::start(host.command("login").arg("alice"), Size::LARGE);
        let second = offered(&mut terminal);
        terminal.type_line(&second.app.code(0));
        assert!(!terminal.wait().success());
        assert_eq!(std::fs::read_to_string("/run/killed").unwrap(), "killed\nkilled\n");
        assert_not_enrolled(host, "alice");

        host.system_service("sshd", STACK);
        let app = enrolled_over_ssh(&sshd, "alice");
        assert!(app.secret != first.app.secret && app.secret != second.app.secret);
        for lost in [first, second] {
            assert!(!sshd.client(&Client { code: &lost.app.code(1), ..client("alice") }).opened());
        }
    });
}

/// An application may authenticate again in the same transaction, as login(1) and sudo(8) do after a wrong password.
#[test]
fn what_was_confirmed_in_an_earlier_attempt_of_the_same_transaction_is_forgotten() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        // A stack in which our refusal is not the last word.
        let lines = "auth optional pam_twofactor.so\nauth required pam_permit.so\n\
                     account required pam_twofactor.so\naccount required pam_permit.so\n";
        host.service("again", lines);
        host.system_service("again", lines);
        let calls = "authenticate,authenticate,account";
        let mut attempts = 0;
        let outcome = conversing(host.login("alice").service("again").calls(calls), |_, shown| {
            attempts += 1;
            if attempts == 1 { Offer::read(shown).app.code(0) } else { "letters".to_owned() }
        });
        assert_eq!(attempts, 4, "one right answer, then three wrong ones");
        assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS, "nothing to do but for the others: {outcome:?}");
        assert_not_enrolled(host, "alice");

        let once = host.login("alice").service("again").calls("authenticate,account,account");
        let outcome = conversing(once, |_, shown| Offer::read(shown).app.code(0));
        assert_eq!(outcome.results.len(), 3);
        let enrolled = host.module_log().iter().filter(|line| line.contains(": enrolled")).count();
        assert_eq!(enrolled, 1, "stored once");
    });
}

#[test]
fn an_account_phase_for_somebody_else_or_without_an_authentication_stores_nothing() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        host.add_user("bobby");
        module_alone(host, "phases", "");
        let outcome = host.login("alice").service("phases").calls("account").answering(&[]);
        assert_eq!(outcome.code_of("account"), ReturnCode::PERM_DENIED, "PAM_IGNORE of a module that stands alone");
        let outcome = confirming(host.login("alice").service("phases").calls("authenticate,become:bobby,account"));
        assert_eq!(outcome.code_of("authenticate"), ReturnCode::SUCCESS);
        assert_eq!(outcome.code_of("account"), ReturnCode::CONV_ERR);
        host.assert_logged(&["phases:account", "denied user=bobby", "the user is not the one of the authentication"]);
        assert_not_enrolled(host, "alice");
        assert_not_enrolled(host, "bobby");
    });
}

#[test]
fn a_configuration_that_breaks_while_somebody_confirms_enrolls_nobody() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        module_alone(host, "phases", "");
        let outcome = conversing(host.login("alice").service("phases").calls("authenticate,account"), |_, shown| {
            host.configure("[default]\nsecond_factor = \"enrol\"\n");
            Offer::read(shown).app.code(0)
        });
        assert_eq!(outcome.code_of("authenticate"), ReturnCode::SUCCESS);
        assert_eq!(outcome.code_of("account"), ReturnCode::SERVICE_ERR);
        host.assert_logged(&["phases:account", "error user=alice", "reason=bad-config"]);
        host.configure(ENROLL);
        assert_not_enrolled(host, "alice");
    });
}

/// A setuid program can be started so that whatever it writes kills it.
#[test]
fn a_login_that_dies_when_it_writes_enrolls_nobody() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        module_alone(host, "phases", "");
        let login = host.login("alice").service("phases").calls("authenticate,account").after("ulimit -f 0");
        let mut running = login.start();
        let _ = running.advance();
        let offer = Offer::read(&running.so_far().texts().join("\n"));
        running.answer(&(&offer.app.code(0)).into());
        let outcome = running.last_words();
        assert!(outcome.results.iter().all(|(call, _)| call != "account"), "it died there: {outcome:?}");
        assert_not_enrolled(host, "alice");
        let outcome = confirming(host.login("alice").service("phases").calls("authenticate,account"));
        assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS, "what it left is in nobody's way");
    });
}
