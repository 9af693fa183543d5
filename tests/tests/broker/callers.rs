//! Service accounts, as PostgreSQL and nginx have them: `[[caller]]` says about whom they may ask.

use std::fs;
use std::time::{Duration, Instant};

use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::{Login, ReturnCode};
use twofactor_tests::private_host::{Host, PASSWORD, private_host};

use crate::{ask, uid_of};

const CALLER: &str = "[[caller]]\nuser = \"dbserver\"\nservice = \"postgresql\"\ngroups = [\"dba\"]\n";

/// A host with an account that may ask about the members of a group, alice, and not about bobby.
fn with_caller(host: &Host, more: &str) {
    host.add_user("dbserver");
    host.succeed("groupadd", ["dba"]);
    host.configure(&format!("{more}{CALLER}"));
}

fn asked<'h>(host: &'h Host, user: &str) -> Login<'h> {
    host.login(user).uid(uid_of("dbserver"))
}

#[test]
fn a_service_account_asks_about_the_members_of_its_groups_and_no_other_user() {
    private_host(|host| {
        with_caller(host, "");
        let (alice, bobby) = (host.user_with_app("alice"), host.user_with_app("bobby"));
        host.succeed("gpasswd", ["--add", "alice", "dba"]);
        let _broker = host.broker();
        let code = alice.code();
        assert_eq!(asked(host, "alice").typing(&code).code(), ReturnCode::SUCCESS);
        let line = host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice service=postgresql"]);
        assert!(line.contains(&format!("asked_by={}", uid_of("dbserver"))), "{line}");
        assert_eq!(asked(host, "alice").typing(&code).code(), ReturnCode::AUTH_ERR, "it is burned");
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR, "everywhere");

        assert_eq!(asked(host, "bobby").typing(bobby.code()).code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["(broker:auth): error user=bobby asked_by=", "reason=not-root", "no [[caller]]"]);
        assert_eq!(asked(host, "root").typing(ANY_CODE).code(), ReturnCode::AUTHINFO_UNAVAIL);
        assert_eq!(asked(host, "nonesuch").typing(ANY_CODE).code(), ReturnCode::USER_UNKNOWN);
        assert_eq!(host.login("bobby").typing(bobby.code()).code(), ReturnCode::SUCCESS, "nothing was burned");

        // Another account has no such leave, and takes none from a message.
        host.add_user("mallory");
        let question = format!(
            " version=1 ask=redeem user=alice uid={} reading={} source=\"\" factors=app",
            uid_of("alice"),
            alice.authenticator.code(1)
        );
        let refused = ask(host, uid_of("mallory"), &question);
        assert!(refused.contains("answer=failed error=not-root"), "{refused}");
    });
}

#[test]
fn the_broker_judges_by_the_service_of_the_rule_and_remembers_nothing() {
    private_host(|host| {
        let rule = "[[rule]]\nservices = [\"postgresql\"]\nsecond_factor = \"required\"\nfactors = [\"recovery\"]\n\
                    [[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n";
        with_caller(host, rule);
        let alice = host.user_with_app("alice");
        host.succeed("gpasswd", ["--add", "alice", "dba"]);
        let _broker = host.broker();
        // The program says another service, an address to remember, and all factors.
        let refused = asked(host, "alice").rhost("192.0.2.7").typing(alice.code());
        assert_eq!(refused.code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice service=postgresql", "reason=factor-not-allowed"]);
        let [recovery, ..] = &alice.recovery_codes[..] else { panic!("she has recovery codes") };
        assert_eq!(asked(host, "alice").rhost("192.0.2.7").typing(recovery).code(), ReturnCode::SUCCESS);
        let again = asked(host, "alice").rhost("192.0.2.7").typing(ANY_CODE);
        assert_eq!(again.code(), ReturnCode::AUTH_ERR, "a code is asked again");
    });
}

#[test]
fn where_it_is_not_certain_who_is_in_a_group_nothing_is_answered() {
    private_host(|host| {
        with_caller(host, "");
        let (alice, bobby) = (host.user_with_app("alice"), host.user_with_app("bobby"));
        host.succeed("gpasswd", ["--add", "alice", "dba"]);
        let nsswitch = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let others: Vec<&str> = nsswitch.lines().filter(|line| !line.starts_with("group")).collect();
        fs::write("/etc/nsswitch.conf", format!("{}\ngroup: files sss\n", others.join("\n"))).unwrap();
        let _broker = host.broker();
        assert_eq!(asked(host, "bobby").typing(bobby.code()).code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["(broker:auth): error user=bobby asked_by=", "reason=store-unavailable", "not certain"]);
        // That alice is a member is certain.
        assert_eq!(asked(host, "alice").typing(alice.code()).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("bobby").typing(bobby.code()).code(), ReturnCode::SUCCESS);
    });
}

/// Each refusal takes as long, so that those who type at such a program do not learn about whom it may ask.
#[test]
fn a_refusal_takes_as_long_whoever_is_asked_about() {
    private_host(|host| {
        with_caller(host, "");
        for user in ["alice", "bobby"] {
            host.user_with_app(user);
        }
        host.succeed("gpasswd", ["--add", "alice", "dba"]);
        let _broker = host.broker();
        for user in ["alice", "bobby", "nonesuch"] {
            let began = Instant::now();
            assert_ne!(asked(host, user).typing("not a code").code(), ReturnCode::SUCCESS);
            assert!(began.elapsed() >= Duration::from_millis(250), "{user}: {:?}", began.elapsed());
        }
    });
}

/// The service of a server with one answer for all prompts, as PostgreSQL's.
#[test]
fn a_server_that_sends_one_answer_takes_password_and_code_together() {
    private_host(|host| {
        with_caller(host, "[prompt]\ncombined = [\"postgresql\"]\n");
        let alice = host.user_with_app("alice");
        host.succeed("gpasswd", ["--add", "alice", "dba"]);
        let _broker = host.broker();
        // Its account reads no shadow file, so another module checks the password.
        let check = host.script("check-password", &format!("#!/bin/sh\n[ \"$(tr -d '\\0')\" = '{PASSWORD}' ]\n"));
        host.service(
            "postgresql",
            &format!("auth requisite pam_twofactor.so\nauth required pam_exec.so expose_authtok {}\n", check.display()),
        );
        let both = format!("{PASSWORD}{}", alice.code());
        let login = |typed: &str| asked(host, "alice").service("postgresql").typing(typed).code();
        assert_ne!(login(&format!("wrong{}", alice.authenticator.code(-1))), ReturnCode::SUCCESS);
        assert_eq!(login(&both), ReturnCode::SUCCESS);
        assert_ne!(login(&both), ReturnCode::SUCCESS);
    });
}

/// A rule gives a service account leave to ask about logins, and none to look at members or to change them.
#[test]
fn a_service_account_looks_at_no_member_and_changes_none() {
    private_host(|host| {
        with_caller(host, "");
        let alice = host.user_with_app("alice");
        host.succeed("gpasswd", ["--add", "alice", "dba"]);
        let _broker = host.broker();
        let (uid, code) = (uid_of("alice"), alice.code());
        let of_alice = format!("user=alice uid={uid}");
        let new_app = "label=app secret=JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G code=123456";
        for question in [
            format!("ask=self-status {of_alice}"),
            format!("ask=self-reset {of_alice} proof={code}"),
            format!("ask=self-recovery {of_alice} proof={code}"),
            format!("ask=self-replace {of_alice} {new_app} proof={code}"),
            format!("ask=self-enroll {of_alice} {new_app}"),
            format!("ask=self-token {of_alice} serial=T0000001 code=123456 code=654321 proof={code}"),
            format!("ask=help-status {of_alice}"),
            format!("ask=help-reset {of_alice}"),
        ] {
            let answer = ask(host, uid_of("dbserver"), &format!(" version=1 {question}"));
            assert!(answer.contains("answer=failed error=not-root"), "{question}: {answer}");
        }
        assert_eq!(asked(host, "alice").typing(&code).code(), ReturnCode::SUCCESS, "no code was looked at");
    });
}

/// On the central machine accounts are elsewhere, and that refusal is written down after a pause. A stranger must not learn from it who
/// has an account here.
#[test]
fn a_stranger_learns_on_the_central_machine_of_no_account_that_is_there() {
    private_host(|host| {
        host.user_with_app("alice");
        for user in ["bobby", "mallory"] {
            host.add_user(user);
        }
        host.configure("[store]\nseed_key = \"/etc/seed.key\"\n");
        let _broker = host.broker();
        let about = |user: &str| {
            let question = format!(" version=1 ask=self-status user={user} uid={}", uid_of(user));
            ask(host, uid_of("mallory"), &question)
        };
        for user in ["alice", "bobby", "mallory"] {
            let answer = about(user);
            assert!(answer.contains("answer=failed error=not-root"), "{user}: {answer}");
        }
        host.assert_logged(&["user=mallory", "central store of a fleet"]);
        let log = format!("{:?}", host.log());
        assert!(!log.contains("user=bobby"), "as of alice, nothing: {log}");
    });
}
