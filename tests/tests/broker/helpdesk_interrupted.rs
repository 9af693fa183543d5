//! A helpdesk that is not root, interrupted: two members at once, a broker that is killed, a registry that is held or damaged.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::Signal;
use twofactor_tests::fob::Fob;
use twofactor_tests::log_daemon::until;
use twofactor_tests::private_host::{private_host, said};

use crate::helpdesk::{STATE, by, json, opens, with_helpdesk};

#[test]
fn of_two_members_with_one_code_one_sees_it_right() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        for recovery in &alice.recovery_codes[..3] {
            let running = ["hanna", "otto"].map(|member| {
                let mut command = host.twofactor_of(member, &["verify", "alice", recovery]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            });
            let ended = running.map(|process| process.wait_with_output().unwrap());
            let right = ended.iter().filter(|output| output.status.success()).count();
            assert_eq!(right, 1, "{} {}", said(&ended[0]), said(&ended[1]));
        }
        // Of two temporary codes the later one is good.
        let running = ["hanna", "otto"].map(|member| {
            let mut command = host.twofactor_of(member, &["--json", "code", "alice"]);
            command.stdout(Stdio::piped()).spawn().unwrap()
        });
        let codes =
            running.map(|process| json(&process.wait_with_output().unwrap())["code"].as_str().unwrap().to_owned());
        assert_eq!(codes.iter().filter(|code| opens(host, "alice", code)).count(), 1);
    });
}

#[test]
fn a_broker_that_is_killed_leaves_no_act_without_its_notice() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fobs = Fob::box_of(1, 4);
        host.import(&fobs);
        let alice = host.user_with_app("alice");
        for fob in &fobs {
            let broker = host.broker();
            let before = fs::read(STATE).unwrap();
            let mut command = host.twofactor_of("hanna", &["token", "assign", &fob.serial, "alice"]);
            let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            until("the state changes", || fs::read(STATE).unwrap() != before);
            broker.signal(Signal::SIGKILL);
            let _ = process.wait().unwrap();
            drop(broker);
            let state = fs::read_to_string(STATE).unwrap();
            assert!(state.contains("change = \"token-assigned\""), "{state}");
            // Repeating it completes it, and a login is possible meanwhile.
            let _broker = host.broker();
            let _ = by(host, "hanna", &["token", "assign", &fob.serial, "alice"]);
            assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "alice");
            assert!(opens(host, "alice", &fob.authenticator.code(0)), "{}", fob.serial);
        }
        assert!(opens(host, "alice", &alice.code()));
    });
}
