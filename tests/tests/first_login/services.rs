//! Whether a service can store what it lets somebody set up: its account line, wherever it stands.

use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{PASSWORD, private_host, said};
use twofactor_tests::ssh::Client;

use crate::{CODE, ENROLL, STACK, assert_not_enrolled, client, configure, enrolled_over_ssh};

#[test]
fn without_an_account_line_nobody_is_shown_a_secret_and_the_log_says_what_to_add() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(&STACK.replace("account required pam_twofactor.so\n", ""), "");
        let session = sshd.client(&Client { code: ANY_CODE, ..client("alice") });
        assert!(!session.opened());
        assert_eq!(session.prompts, ["Password: ", CODE], "as everybody is asked");
        let hint = "hint=\"twofactor service enable sshd\"";
        host.assert_logged(&["error user=alice service=sshd", "reason=no-account-line", hint]);
        assert_not_enrolled(host, "alice");
        assert!(!said(&session.output).contains("otpauth"));

        // Who is enrolled needs no such line.
        let bobby = host.user_with_app("bobby");
        sshd.opens(&Client { code: &bobby.code(), ..client("bobby") });
    });
}

#[test]
fn an_account_line_counts_wherever_it_is_included_from() {
    private_host(|host| {
        configure(host, ENROLL);
        let sshd = host.sshd_with(STACK, "");
        host.system_service("second-factor", "account required pam_twofactor.so\n");
        host.system_service("deeper", "account include second-factor\n");
        let ways = [
            ("alice", "@include second-factor"),
            ("bobby", "account include second-factor"),
            ("carol", "account substack second-factor"),
            ("david", "account include deeper"),
            ("ellen", "-account [success=ok ignore=ignore default=bad] \\\n  pam_twofactor.so"),
        ];
        for (user, line) in ways {
            host.add_user(user);
            host.system_service("sshd", &STACK.replace("account required pam_twofactor.so", line));
            let app = enrolled_over_ssh(&sshd, user);
            host.assert_logged(&[&format!("enrolled user={user} service=sshd")]);
            assert!(sshd.client(&Client { code: &app.code(1), ..client(user) }).opened(), "{line}");
        }
    });
}

#[test]
fn an_account_line_that_is_left_out_or_cannot_refuse_enrolls_nobody() {
    private_host(|host| {
        configure(host, ENROLL);
        let sshd = host.sshd_with(STACK, "");
        let ways = [
            ("alice", "account optional pam_twofactor.so\naccount required pam_permit.so", "cannot refuse"),
            (
                "bobby",
                "account sufficient pam_permit.so\naccount required pam_twofactor.so",
                "can end the account phase",
            ),
            (
                "carol",
                "account [default=1] pam_nologin.so\naccount required pam_twofactor.so",
                "can end the account phase",
            ),
        ];
        for (user, lines, problem) in ways {
            host.add_user(user);
            host.system_service("sshd", &STACK.replace("account required pam_twofactor.so", lines));
            let session = sshd.client(&Client { code: ANY_CODE, ..client(user) });
            assert!(!session.opened(), "{lines}");
            assert!(!said(&session.output).contains("otpauth"), "{lines}");
            host.assert_logged(&[&format!("error user={user} service=sshd"), "reason=no-account-line"]);
            let explained = host.json(&["explain", user, "--service", "sshd"]);
            assert_eq!(explained["account_line"], false);
            let why = explained["account_problem"].as_str().unwrap();
            assert!(why.contains(problem), "{why}");
            assert_not_enrolled(host, user);
        }
    });
}

#[test]
fn a_service_that_cannot_be_understood_enrolls_nobody() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        host.service("lonely", "auth required pam_twofactor.so\naccount required pam_twofactor.so\n");
        // It stands only where pam-login looks; for the system it is "other", which is Debian's and has no such line.
        let outcome = host.login("alice").service("lonely").typing(PASSWORD);
        assert_eq!(outcome.prompts(), [CODE]);
        host.assert_logged(&["error user=alice service=lonely", "reason=no-account-line"]);
        host.system_service("lonely", "@include nowhere\n");
        assert_eq!(host.login("alice").service("lonely").typing(ANY_CODE).prompts(), [CODE]);
        host.assert_logged(&["error user=alice service=lonely", "reason=no-account-line", "nowhere"]);
        assert_not_enrolled(host, "alice");
    });
}
