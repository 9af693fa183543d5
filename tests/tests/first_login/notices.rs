//! What a login says besides: a second factor that will be required, recovery codes that run out. Nothing where the
//! application wants silence.

use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::qr;
use twofactor_tests::ssh::Client;

use crate::{Offer, STACK, client, configure, confirming, module_alone};

const GRACE: &str = "[[rule]]\nsecond_factor = \"optional\"\nuntil = 2099-01-31\n";
const REQUIRED_FROM: &str = "A second factor is required from 2099-01-31.";
const PHASES: &str = "authenticate,account";

/// A service that lets in whoever we do not keep out.
fn lenient(host: &Host) {
    let lines = "auth required pam_twofactor.so\nauth required pam_permit.so\n\
                 account required pam_twofactor.so\naccount required pam_permit.so\n";
    host.service("lenient", lines);
    host.system_service("lenient", lines);
}

#[test]
fn whoever_is_not_enrolled_is_told_over_ssh_from_when_it_is_required() {
    private_host(|host| {
        configure(host, GRACE);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let session = sshd.client(&client("alice"));
        assert!(session.opened(), "{}", said(&session.output));
        assert_eq!(session.prompts, ["Password: "]);
        assert!(said(&session.output).contains(REQUIRED_FROM), "{}", said(&session.output));

        host.enroll("alice", &[]);
        let enrolled = host.enroll("alice", &["--replace"]);
        let session = sshd.client(&Client { code: &enrolled.code(), ..client("alice") });
        assert!(session.opened(), "{}", said(&session.output));
        assert!(!said(&session.output).contains(REQUIRED_FROM), "{}", said(&session.output));
    });
}

#[test]
fn whoever_has_few_recovery_codes_left_is_told_how_many() {
    private_host(|host| {
        host.add_user("alice");
        lenient(host);
        let fob = host.enroll("alice", &["--counter"]);
        let told = |count: &str| {
            host.succeed("twofactor", ["recovery", "alice", "--count", count]);
            let outcome = host.login("alice").service("lenient").calls(PHASES).typing(fob.next_code());
            assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS);
            outcome.texts().join("\n")
        };
        assert_eq!(told("4"), "");
        assert_eq!(told("3"), "You have 3 recovery codes left. Make new ones: twofactor self recovery");
        assert_eq!(told("1"), "You have one recovery code left. Make new ones: twofactor self recovery");
        host.configure("[self_service]\nchange = false\n");
        assert_eq!(told("1"), "You have one recovery code left. Ask your administrator for new ones.");

        let sshd = host.sshd_with(STACK, "");
        let session = sshd.client(&Client { code: &fob.next_code(), ..client("alice") });
        assert!(said(&session.output).contains("You have one recovery code left."), "{}", said(&session.output));
    });
}

#[test]
fn the_last_recovery_code_says_that_it_was_the_last() {
    private_host(|host| {
        host.add_user("alice");
        lenient(host);
        host.configure("[enrollment]\nrecovery_codes = 1\n");
        let alice = host.enroll("alice", &[]);
        let last = &alice.recovery_codes[0];
        let outcome = host.login("alice").service("lenient").calls(PHASES).typing(last);
        assert_eq!(outcome.texts(), ["You have no recovery codes left. Make new ones: twofactor self recovery"]);
    });
}

#[test]
fn an_application_that_wants_silence_gets_no_notice() {
    private_host(|host| {
        configure(host, GRACE);
        host.add_user("alice");
        lenient(host);
        let login = || host.login("alice").service("lenient").calls(PHASES);
        let text = format!("{REQUIRED_FROM} Before that day, ask your administrator to run: twofactor enroll alice");
        assert_eq!(login().answering(&[]).texts(), [text]);
        assert_eq!(login().silent().answering(&[]).messages, []);

        let fob = host.enroll("alice", &["--counter"]);
        host.succeed("twofactor", ["recovery", "alice", "--count", "2"]);
        assert_eq!(login().typing(fob.next_code()).texts().len(), 1);
        assert_eq!(login().silent().typing(fob.next_code()).texts(), [] as [&str; 0]);
    });
}

#[test]
fn who_wants_silence_is_shown_what_belongs_to_a_question_and_no_more() {
    private_host(|host| {
        configure(host, crate::ENROLL);
        host.add_user("alice");
        module_alone(host, "silent", "");
        let outcome = confirming(host.login("alice").service("silent").calls(PHASES).silent());
        let [picture] = outcome.texts()[..] else {
            panic!("nothing but the questions and what belongs to them: {outcome:?}")
        };
        assert_eq!(qr::from_half_blocks(picture), Some(Offer::read(picture).uri));
        assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS);
        let [crate::CONFIRM, question] = outcome.prompts()[..] else { panic!("{outcome:?}") };
        let codes = crate::recovery_codes(question);
        assert_eq!(codes.len(), 10, "{question}");
        assert_eq!(host.login("alice").typing(&codes[0]).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_rule_that_has_lapsed_and_one_that_asks_already_say_nothing() {
    private_host(|host| {
        host.add_user("alice");
        lenient(host);
        configure(host, "[[rule]]\nsecond_factor = \"optional\"\nuntil = 2020-01-31\n");
        let outcome = host.login("alice").service("lenient").calls(PHASES).typing(ANY_CODE);
        assert_eq!((outcome.code(), outcome.texts().len()), (ReturnCode::AUTH_ERR, 0), "it is required by now");
        host.configure("[[rule]]\nsecond_factor = \"required\"\nuntil = 2099-01-31\n");
        let fob = host.enroll("alice", &["--counter"]);
        let outcome = host.login("alice").service("lenient").calls(PHASES).typing(fob.next_code());
        assert_eq!(outcome.texts(), [] as [&str; 0]);
        host.configure("[[rule]]\nsecond_factor = \"optional\"\nuntil = \"soon\"\n");
        assert_eq!(host.login("alice").service("lenient").answering(&[]).code(), ReturnCode::SERVICE_ERR);
        host.assert_logged(&["error user=alice", "reason=bad-config", "until"]);
    });
}
