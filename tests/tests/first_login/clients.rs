//! Clients that cannot show a text: an application that drops it, and one that fails at it. Whoever cannot be shown a secret is
//! refused in the end, and nothing waits for ever.

use twofactor_tests::first_login::{FIRST, SECOND, SERIAL};
use twofactor_tests::pam::{Answer, ReturnCode, Texts};
use twofactor_tests::private_host::private_host;

use crate::fobs::{codes, imported};
use crate::{
    CODE, CONFIRM, ENROLL, INVITATION, INVITED, assert_not_enrolled, clueless, configure, conversing, module_alone,
};

const PHASES: &str = "authenticate,account";

const BLIND: [Texts; 2] = [Texts::Dropped, Texts::Refused];

#[test]
fn whoever_was_shown_no_secret_is_asked_three_times_and_refused() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        module_alone(host, "blind", "");
        for texts in BLIND {
            let outcome = clueless(host.login("alice").service("blind").calls(PHASES).texts(texts));
            assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{texts:?}");
            assert_eq!(outcome.prompts(), [CONFIRM; 3], "{texts:?}");
            assert_eq!(outcome.texts(), [] as [&str; 0], "{texts:?}");
            host.assert_logged(&["denied user=alice service=blind", "reason=not-confirmed"]);
            assert_not_enrolled(host, "alice");
        }
    });
}

#[test]
fn who_asks_for_another_picture_for_ever_is_refused_in_the_end() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        module_alone(host, "blind", "");
        for texts in BLIND {
            for word in ["ascii", "token"] {
                host.configure(&format!("{ENROLL}[enrollment]\nself_register = false\n"));
                let outcome = conversing(host.login("alice").service("blind").texts(texts), |_, _| word.to_owned());
                assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{texts:?}");
                assert_eq!(outcome.prompts(), [CONFIRM; 11], "{texts:?}: ten times again, as the manual says");
                assert_not_enrolled(host, "alice");
            }
        }
    });
}

#[test]
fn where_an_invitation_is_needed_it_is_asked_for_without_a_word_and_nothing_is_given_away() {
    private_host(|host| {
        configure(host, INVITED);
        host.add_user("alice");
        module_alone(host, "blind", "");
        for texts in BLIND {
            let outcome = clueless(host.login("alice").service("blind").calls(PHASES).texts(texts));
            assert_eq!((outcome.code(), outcome.prompts()), (ReturnCode::AUTH_ERR, vec![INVITATION]), "{texts:?}");
            assert_not_enrolled(host, "alice");
        }
    });
}

#[test]
fn a_fob_needs_no_picture() {
    for texts in BLIND {
        private_host(|host| {
            let _broker = host.broker();
            configure(host, ENROLL);
            host.add_user("alice");
            module_alone(host, "blind", "");
            let fob = imported(host);
            let [first, second] = codes(&fob);
            let answers = ["token", &fob.serial, &first, &second].map(Answer::from);
            let outcome = host.login("alice").service("blind").calls(PHASES).texts(texts).answering(&answers);
            assert_eq!(outcome.prompts(), [CONFIRM, SERIAL, FIRST, SECOND]);
            assert_eq!((outcome.code(), outcome.code_of("account")), (ReturnCode::SUCCESS, ReturnCode::SUCCESS));
            host.assert_logged(&["registered user=alice", &format!("token={}", fob.serial)]);
        });
    }
}

#[test]
fn a_login_that_is_asked_for_a_code_needs_no_texts() {
    private_host(|host| {
        configure(host, "");
        let alice = host.user_with_fob("alice");
        host.succeed("twofactor", ["recovery", "alice", "--count", "2"]);
        for texts in BLIND {
            let outcome = host.login("alice").calls(PHASES).texts(texts).typing(alice.next_code());
            assert_eq!((outcome.code(), outcome.prompts()), (ReturnCode::SUCCESS, vec![CODE]), "{texts:?}");
        }
    });
}
