//! `remember`: the second login of the same user, service and address need not be asked. Opt-in, bounded, forgotten on
//! demand.

use twofactor_tests::moment::Moment;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements::stopped_clock_met;
use twofactor_tests::ssh::{Client, Sshd};

use crate::{CODE, STACK, client, clueless, configure};

const REMEMBER: &str = "[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n";

/// Who is asked from there.
fn asked(host: &Host, user: &str, service: &str, rhost: Option<&str>) -> bool {
    let login = host.login(user).service(service);
    let login = match rhost {
        Some(rhost) => login.rhost(rhost),
        None => login,
    };
    let outcome = clueless(login);
    assert!(outcome.prompts().iter().all(|prompt| *prompt == CODE), "{outcome:?}");
    !outcome.prompts().is_empty()
}

#[test]
fn whoever_has_fobs_alone_is_forgotten_too() {
    private_host(|host| {
        configure(host, REMEMBER);
        host.add_user("alice");
        let fob = crate::fobs::imported(host);
        host.assign(&fob, "alice");
        let is_asked = || asked(host, "alice", "test", Some("192.0.2.7"));
        let logs_in = |steps| host.login("alice").rhost("192.0.2.7").typing(fob.authenticator.code(steps)).code();
        assert_eq!(logs_in(-1), ReturnCode::SUCCESS);
        assert!(!is_asked());
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        assert!(is_asked(), "reset");
        assert_eq!(logs_in(0), ReturnCode::SUCCESS);
        assert!(!is_asked());
        host.succeed("twofactor", ["token", "unassign", "--force", &fob.serial]);
        host.assign(&fob, "alice");
        assert!(is_asked(), "taken away, and given again");
    });
}

#[test]
fn the_next_login_from_the_same_address_is_not_asked_until_it_is_unlocked() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        let bob = host.user_with_fob("bob");
        host.service("other-service", "auth required pam_twofactor.so\n");
        host.login("alice").rhost("192.0.2.7").typing(alice.next_code());
        host.login("bob").rhost("192.0.2.8").typing(bob.next_code());

        assert!(!asked(host, "alice", "test", Some("192.0.2.7")));
        assert!(!asked(host, "alice", "test", Some("::ffff:192.0.2.7")), "the same address");
        host.assert_logged(&["skipped user=alice service=test rhost=", "policy=remembered"]);
        assert!(asked(host, "alice", "test", Some("192.0.2.8")), "another address");
        assert!(asked(host, "bob", "test", Some("192.0.2.7")), "another user");
        assert!(asked(host, "alice", "other-service", Some("192.0.2.7")), "another service");
        assert!(asked(host, "alice", "test", None), "no address");

        host.succeed("twofactor", ["unlock", "alice"]);
        assert!(asked(host, "alice", "test", Some("192.0.2.7")));
        assert!(!asked(host, "bob", "test", Some("192.0.2.8")), "bob was not unlocked");
    });
}

#[test]
fn a_host_name_and_no_host_are_never_remembered() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        for rhost in ["localhost", "client.example.org", "192.0.2.7.example.org", ""] {
            host.login("alice").rhost(rhost).typing(alice.next_code());
            assert!(asked(host, "alice", "test", Some(rhost)), "{rhost:?}");
        }
        host.login("alice").typing(alice.next_code());
        assert!(asked(host, "alice", "test", None));
    });
}

#[test]
fn who_is_reset_or_for_whom_the_rule_is_gone_is_not_remembered() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        host.login("alice").rhost("192.0.2.7").typing(alice.next_code());
        assert!(!asked(host, "alice", "test", Some("192.0.2.7")));
        host.configure("[[rule]]\nsecond_factor = \"required\"\n");
        assert!(asked(host, "alice", "test", Some("192.0.2.7")), "without remember nobody is");
        host.configure(REMEMBER);
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        assert!(asked(host, "alice", "test", Some("192.0.2.7")));
        host.enroll("alice", &["--counter"]);
        assert!(asked(host, "alice", "test", Some("192.0.2.7")), "what she had before is no proof");
    });
}

#[test]
fn a_wrong_code_is_not_remembered() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        host.login("alice").rhost("192.0.2.7").typing(alice.wrong_code());
        assert!(asked(host, "alice", "test", Some("192.0.2.7")));
    });
}

#[test]
fn sixteen_places_are_remembered_and_the_seventeenth_takes_that_of_the_oldest() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        let place = |number: usize| format!("192.0.2.{number}");
        for number in 1..=17 {
            host.login("alice").rhost(&place(number)).typing(alice.next_code());
        }
        let asked: Vec<usize> = (1..=17).filter(|number| asked(host, "alice", "test", Some(&place(*number)))).collect();
        assert_eq!(asked, [1]);
    });
}

#[test]
fn what_is_remembered_ends_after_thirty_days_and_no_rule_can_say_longer() {
    if !stopped_clock_met() {
        return;
    }
    private_host(|host| {
        const DAY: u64 = 24 * 60 * 60;
        let start = Moment::SOME;
        host.configure("[[rule]]\nsecond_factor = \"required\"\nremember = \"720h\"\n");
        let alice = host.user_with_fob("alice");
        let login = |moment: Moment| host.login_at(moment, "alice").rhost("192.0.2.7");
        assert_eq!(login(start).typing(alice.next_code()).code(), ReturnCode::SUCCESS);
        let asked = |moment: Moment| !clueless(login(moment)).prompts().is_empty();
        assert!(!asked(start.after(30 * DAY - 1)), "and that prolongs nothing");
        assert!(asked(start.after(30 * DAY)));
        assert!(asked(Moment(start.0 - 1)), "a clock that was set back remembers nothing");

        host.configure("[[rule]]\nsecond_factor = \"required\"\nremember = \"721h\"\n");
        assert_eq!(login(start).answering(&[]).code(), ReturnCode::SERVICE_ERR);
        host.assert_logged(&["reason=bad-config", "remember"]);
    });
}

/// The prompts of a login over ssh from the loopback address `from`.
fn prompts(sshd: &Sshd<'_>, from: &str, code: &str) -> Vec<String> {
    let address = format!("HostName={from}");
    let options = [&address as &str, "PreferredAuthentications=keyboard-interactive"];
    let session = sshd.client(&Client { options: &options, code, ..client("alice") });
    assert_eq!(session.opened(), !code.is_empty() || session.prompts.len() == 1, "{session:?}");
    session.prompts
}

const ASKED: [&str; 2] = ["Password: ", CODE];
const NOT_ASKED: [&str; 1] = ["Password: "];

#[test]
fn over_ssh_the_second_login_from_one_address_is_not_asked_and_from_another_one_is() {
    private_host(|host| {
        configure(host, REMEMBER);
        let alice = host.user_with_fob("alice");
        let sshd = host.sshd_with(STACK, "ListenAddress ::1\n");
        assert_eq!(prompts(&sshd, "127.0.0.1", &alice.next_code()), ASKED);
        assert_eq!(prompts(&sshd, "127.0.0.1", ""), NOT_ASKED);
        host.assert_logged(&["skipped user=alice service=sshd rhost=127.0.0.1", "policy=remembered"]);
        assert_eq!(prompts(&sshd, "::ffff:127.0.0.1", ""), NOT_ASKED, "the same address");
        assert_eq!(prompts(&sshd, "::1", ""), ASKED);
        assert_eq!(prompts(&sshd, "::1", &alice.next_code()), ASKED);
        assert_eq!(prompts(&sshd, "::1", ""), NOT_ASKED);
        assert!(asked(host, "alice", "test", Some("127.0.0.1")), "another service");
        host.succeed("twofactor", ["unlock", "alice"]);
        assert_eq!(prompts(&sshd, "127.0.0.1", ""), ASKED);
        assert_eq!(prompts(&sshd, "::1", ""), ASKED);
    });
}

#[test]
fn over_ssh_nobody_is_remembered_by_the_name_of_a_host() {
    private_host(|host| {
        configure(host, REMEMBER);
        let alice = host.user_with_fob("alice");
        let sshd = host.sshd_with(STACK, "UseDNS yes\n");
        for _ in 0..2 {
            assert_eq!(prompts(&sshd, "127.0.0.1", &alice.next_code()), ASKED);
            host.assert_logged(&["accepted user=alice service=sshd rhost=localhost"]);
        }
    });
}
