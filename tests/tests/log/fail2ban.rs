//! The shipped fail2ban filter on lines that the real module has written: who is banned is who guessed.

use std::fs;

use twofactor_core::log::reason::Reason;
use twofactor_tests::log_daemon::Stamps;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements;

use crate::host_with_daemons;

const FILTER: &str = include_str!("../../../etc/fail2ban/filter.d/twofactor.conf");
const JAIL: &str = include_str!("../../../etc/fail2ban/jail.d/twofactor.conf");

/// Puts the shipped files where they belong.
fn install(host: &Host) {
    fs::write("/etc/fail2ban/filter.d/twofactor.conf", FILTER).unwrap();
    fs::write("/etc/fail2ban/jail.d/twofactor.conf", JAIL).unwrap();
    host.succeed("mkdir", ["-p", "/run/fail2ban"]);
}

/// The addresses that the filter takes out of a file, in their order.
fn banned(host: &Host, file: &str) -> Vec<String> {
    let found = host.succeed("fail2ban-regex", ["--out", "ip", file, "twofactor"]);
    found.lines().map(str::to_owned).collect()
}

fn banned_for(host: &Host, line: &str) -> Vec<String> {
    let file = host.place("line.log");
    fs::write(&file, format!("2026-11-05T10:00:00.000000+00:00 testhost {line}\n")).unwrap();
    banned(host, file.to_str().unwrap())
}

fn with_fail2ban(test: impl FnOnce(&Host) + Send) {
    if requirements::programs_met(&["fail2ban-regex"]) {
        host_with_daemons(|host| {
            install(host);
            test(host);
        });
    }
}

#[test]
fn an_address_is_taken_from_every_guess_and_from_nothing_else() {
    for stamps in [Stamps::Exact, Stamps::Traditional] {
        with_fail2ban(|host| {
            let rsyslogd = host.rsyslogd(stamps);
            host.add_user("bob");
            let alice = host.user_with_app("alice");
            let login = |user: &str, rhost: &str, code: &str| host.login(user).rhost(rhost).typing(code).code();
            login("alice", "192.0.2.1", &alice.wrong_code());
            login("alice", "2001:db8::2", &alice.wrong_code());
            login("nobody-here", "192.0.2.3", ANY_CODE);
            let code = alice.code();
            login("alice", "192.0.2.101", &code);
            // Replayed, not enrolled, from a name, from nowhere.
            login("alice", "192.0.2.102", &code);
            login("bob", "192.0.2.103", ANY_CODE);
            login("alice", "host.example", &alice.wrong_code());
            host.login("alice").typing(alice.wrong_code());
            // Pressed Enter.
            login("alice", "192.0.2.105", "");
            // Has the name of somebody who has left.
            let carol = host.user_with_app("carol");
            host.give_name_to_another("carol", 4444);
            login("carol", "192.0.2.106", &carol.code());
            // Did not know the password, which a module above has asked for.
            let told = "auth optional pam_twofactor.so first_factor=failed\nauth required pam_twofactor.so\n";
            host.service("told", told);
            host.login("alice").service("told").rhost("192.0.2.107").answering(&[]);
            // Hung up.
            host.login("alice").rhost("192.0.2.104").answering(&[twofactor_tests::pam::Answer::Fail]);
            for _ in 0..6 {
                login("alice", "192.0.2.4", &alice.wrong_code());
            }
            rsyslogd.settle();
            let log = fs::read_to_string("/var/log/auth.log").unwrap();
            for reason in [
                "wrong-code",
                "throttled",
                "unknown-user",
                "replayed",
                "not-enrolled",
                "conversation",
                "no-answer",
                "uid-changed",
                "first-factor-failed",
            ] {
                assert!(log.contains(&format!("reason={reason}")), "the test wants {reason}:\n{log}");
            }
            let mut expected = vec!["192.0.2.1", "2001:db8::2", "192.0.2.3"];
            expected.extend(["192.0.2.4"; 6]);
            assert_eq!(banned(host, "/var/log/auth.log"), expected, "{stamps:?}\n{log}");
        });
    }
}

#[test]
fn nobody_bans_another_address_with_a_name_that_looks_like_one() {
    with_fail2ban(|host| {
        let rsyslogd = host.rsyslogd(Stamps::Exact);
        let victim = "198.51.100.9";
        let names = [
            format!("x rhost={victim} reason=wrong-code"),
            format!("x\" rhost={victim} reason=wrong-code"),
            format!("x\\\" rhost={victim} reason=wrong-code"),
            format!("x\\\\\" rhost={victim} reason=wrong-code"),
            format!("x service=sshd rhost={victim} reason=wrong-code "),
            format!("x\npam_twofactor(sshd:auth): denied user=x service=sshd rhost={victim} reason=wrong-code"),
        ];
        for name in &names {
            host.login(name).rhost("192.0.2.7").typing(ANY_CODE);
        }
        // The host of a login can be a name that its owner chose, too.
        let hosts = [
            format!("{victim} reason=wrong-code"),
            format!("x rhost={victim} reason=wrong-code "),
            format!("\" rhost={victim}"),
            format!("{victim}.example"),
        ];
        for rhost in &hosts {
            host.login("nobody-here").rhost(rhost).typing(ANY_CODE);
        }
        rsyslogd.settle();
        let log = fs::read_to_string("/var/log/auth.log").unwrap();
        assert_eq!(log.matches("reason=unknown-user").count(), names.len() + hosts.len(), "{log}");
        let banned = banned(host, "/var/log/auth.log");
        assert!(!banned.iter().any(|address| address == victim), "{banned:?}\n{log}");
        assert_eq!(banned, vec!["192.0.2.7"; names.len()], "{log}");
    });
}

#[test]
fn lines_of_other_programs_and_other_reasons_ban_nobody() {
    with_fail2ban(|host| {
        let denied = |reason: &str| {
            format!("pam_twofactor(sshd:auth): denied user=alice service=sshd rhost=192.0.2.7 reason={reason}")
        };
        assert_eq!(banned_for(host, &format!("sshd[7]: {}", denied("wrong-code"))), ["192.0.2.7"], "the test can fail");
        let typed = "pam_twofactor(sshd:auth): denied user=alice typed=\"A B\" service=sshd rhost=192.0.2.7 \
                     reason=wrong-code problem=\"none\"";
        assert_eq!(banned_for(host, &format!("sshd[7]: {typed}")), ["192.0.2.7"]);
        for reason in Reason::ALL.map(Reason::word) {
            let guess = matches!(reason, "wrong-code" | "throttled" | "unknown-user" | "invitation-wrong");
            let banned = banned_for(host, &format!("sshd[7]: {}", denied(reason)));
            assert_eq!(!banned.is_empty(), guess, "{reason}");
        }
        for line in [
            format!("sshd[7]: Invalid user {} from 192.0.2.9", denied("wrong-code")),
            format!("sshd[7]: {}", denied("wrong-code").replace("denied", "accepted")),
            format!("sshd[7]: {}", denied("wrong-code").replace("rhost=", "tty=")),
            format!("sshd[7]: {}", denied("wrong-codes")),
            format!("twofactor[7]: {}", denied("wrong-code").replace("pam_twofactor(sshd:auth): ", "")),
        ] {
            assert_eq!(banned_for(host, &line), Vec::<String>::new(), "{line}");
        }
    });
}

#[test]
fn the_example_of_a_jail_is_understood_and_switched_off() {
    if !requirements::programs_met(&["fail2ban-client"]) {
        return;
    }
    private_host(|host| {
        install(host);
        fs::write("/var/log/auth.log", "").unwrap();
        let off = host.succeed("fail2ban-client", ["-d"]);
        assert!(!off.contains("'add', 'twofactor'"), "switched off: {off}");
        fs::write("/etc/fail2ban/jail.d/twofactor.conf", JAIL.replace("= false", "= true")).unwrap();
        let on = host.succeed("fail2ban-client", ["-d"]);
        assert!(on.contains("'add', 'twofactor'") && on.contains("'usedns', 'no'"), "{on}");
    });
}
