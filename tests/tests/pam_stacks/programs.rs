//! Services whose programs cannot ask for a code as sshd does: dovecot and its like, screen lockers, cron.

use std::fs;

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::layout::{files, on};

const CONFIGURATION: &str = "/etc/twofactor/twofactor.toml";
const PLAIN: &str = "@include common-auth\n@include common-account\n";

/// A login through a program that answers every prompt with what the user typed once.
fn log_in_at_once(host: &Host, service: &str, typed: &str) -> ReturnCode {
    let login = host.login("alice").of_the_system().service(service).calls("authenticate,account");
    let outcome = login.conversing(|_, _| typed.to_owned());
    match outcome.code() {
        ReturnCode::SUCCESS => outcome.code_of("account"),
        refused => refused,
    }
}

fn finding(host: &Host, id: &str) -> Option<String> {
    let output = host.run_twofactor(&["--json", "doctor"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = report["findings"].as_array().unwrap().iter().find(|one| one["id"] == id)?;
    Some(found["what"].as_str().unwrap().to_owned())
}

#[test]
fn where_a_program_answers_with_the_password_the_code_comes_behind_it() {
    for distribution in ["debian-12", "fedora-40-local", "arch"] {
        on(distribution, |host, _| {
            let alice = host.enroll("alice", &["--counter"]);
            let plain = if distribution == "debian-12" {
                PLAIN.to_owned()
            } else {
                "#%PAM-1.0\nauth include system-auth\naccount include system-auth\n".to_owned()
            };
            let words = "# the rules of this host\n";
            let config = words.to_owned() + &fs::read_to_string(CONFIGURATION).unwrap();
            host.configure(&config);
            for service in ["dovecot", "vsftpd", "cups", "smtp", "saslauthd", "xrdp-sesman"] {
                host.system_service(service, &plain);
                let dry = host.run_twofactor(&["service", "enable", service, "--dry-run"]);
                assert!(dry.status.success(), "{}", said(&dry));
                let enabled = host.run_twofactor(&["service", "enable", service, "--yes"]);
                assert!(enabled.status.success(), "{}", said(&enabled));
                assert!(said(&enabled).contains("type the code behind the password"), "{}", said(&enabled));
                let now = fs::read_to_string(CONFIGURATION).unwrap();
                assert!(now.starts_with(words) && now.contains(&format!("\"{service}\"")), "{now}");
                let both = format!("{PASSWORD}{}", alice.next_code());
                assert_eq!(log_in_at_once(host, service, &both), ReturnCode::SUCCESS, "{distribution} {service}");
                assert_ne!(log_in_at_once(host, service, &both), ReturnCode::SUCCESS, "the same code again");
                assert_ne!(log_in_at_once(host, service, PASSWORD), ReturnCode::SUCCESS, "the password alone");
                let wrong = format!("wrong{}", alice.next_code());
                assert_ne!(log_in_at_once(host, service, &wrong), ReturnCode::SUCCESS, "a wrong password");
                let again = host.run_twofactor(&["service", "enable", service, "--yes"]);
                assert_eq!(String::from_utf8_lossy(&again.stdout), "Nothing to do.\n", "{}", said(&again));
            }
            for id in ["program-repeats-password", "combined-line-late"] {
                assert_eq!(finding(host, id), None);
            }
            let one = host.run_twofactor(&["service", "disable", "dovecot", "--yes"]);
            assert!(said(&one).contains("no longer lists them under combined"), "{}", said(&one));
            let now = fs::read_to_string(CONFIGURATION).unwrap();
            assert!(!now.contains("dovecot") && now.contains("\"cups\"") && now.starts_with(words), "{now}");
            host.succeed("twofactor", ["service", "disable", "--all", "--yes"]);
            assert_eq!(fs::read_to_string("/etc/pam.d/cups").unwrap(), plain);
            let now = fs::read_to_string(CONFIGURATION).unwrap();
            let combined = now.lines().find(|line| line.starts_with("combined"));
            assert_eq!(combined, Some("combined = [\"xrdp-sesman\"]"), "the default, and nothing of ours: {now}");
        });
    }
}

#[test]
fn lines_written_by_hand_for_such_a_program_are_found_and_put_right() {
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &["--counter"]);
        let below = "@include common-auth\nauth required pam_twofactor.so\naccount required pam_twofactor.so\n\
                     @include common-account\n";
        host.system_service("dovecot", below);
        let what = finding(host, "program-repeats-password").unwrap();
        assert!(what.contains("dovecot answers every prompt with the password"), "{what}");
        let explained = host.run_twofactor(&["explain", "alice", "--service", "dovecot"]);
        assert!(said(&explained).contains("dovecot answers every prompt with the password"), "{}", said(&explained));
        assert_eq!(
            host.json(&["explain", "alice", "--service", "dovecot"])["right_code"]["reason"],
            "password-repeated"
        );
        let config = fs::read_to_string(CONFIGURATION).unwrap();
        host.configure(&format!("[prompt]\ncombined = [\"dovecot\"]\n{config}"));
        let what = finding(host, "combined-line-late").unwrap();
        assert!(what.contains("gets password and code in one"), "{what}");
        let listed = host.json(&["service", "list"]);
        assert!(listed.to_string().contains("gets password and code in one"), "{listed}");
        host.succeed("twofactor", ["service", "enable", "dovecot", "--yes"]);
        let both = format!("{PASSWORD}{}", alice.next_code());
        assert_eq!(log_in_at_once(host, "dovecot", &both), ReturnCode::SUCCESS);
        assert_eq!(finding(host, "combined-line-late"), None);
    });
}

#[test]
fn a_configuration_that_cannot_be_changed_safely_leaves_everything_as_it_was() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        host.system_service("dovecot", PLAIN);
        let dotted = "prompt.tries = 2\n";
        host.configure(dotted);
        let before = files();
        let refused = host.run_twofactor(&["service", "enable", "dovecot", "--yes"]);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        assert!(said(&refused).contains("add \"dovecot\" to the list combined of [prompt]"), "{}", said(&refused));
        assert_eq!((files(), fs::read_to_string(CONFIGURATION).unwrap()), (before, dotted.to_owned()));
    });
}

#[test]
fn a_program_of_a_service_account_is_set_up_where_a_caller_says_whom_it_may_ask_about() {
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &["--counter"]);
        host.add_user("dbserver");
        host.system_service("postgresql", PLAIN);
        let refused = host.run_twofactor(&["service", "enable", "postgresql", "--yes"]);
        let said_so = said(&refused);
        assert!(refused.status.code() == Some(7) && said_so.contains("[[caller]]"), "{said_so}");
        let config = fs::read_to_string(CONFIGURATION).unwrap_or_default();
        let caller = "[[caller]]\nuser = \"dbserver\"\nservice = \"postgresql\"\ngroups = [\"alice\"]\n";
        host.configure(&format!("{config}{caller}"));
        let enabled = host.run_twofactor(&["service", "enable", "postgresql", "--yes"]);
        let said_so = said(&enabled);
        assert!(enabled.status.success() && said_so.contains("the broker does not listen"), "{said_so}");
        assert!(fs::read_to_string(CONFIGURATION).unwrap().contains("\"postgresql\""));
        assert!(finding(host, "broker-absent").unwrap().contains("postgresql"));
        let _broker = host.broker();
        for id in ["program-not-root", "broker-absent", "caller-idle", "combined-line-late"] {
            assert_eq!(finding(host, id), None);
        }
        // Its account reads no shadow file, so the service needs another module for the password.
        let uid = nix::unistd::User::from_name("dbserver").unwrap().unwrap().uid.as_raw();
        let check = host.script("check-password", &format!("#!/bin/sh\n[ \"$(tr -d '\\0')\" = '{PASSWORD}' ]\n"));
        let exec = format!("auth required pam_exec.so expose_authtok {}", check.display());
        let service = fs::read_to_string("/etc/pam.d/postgresql").unwrap();
        fs::write("/etc/pam.d/postgresql", service.replace("@include common-auth", &exec)).unwrap();
        let log_in = |typed: &str| {
            let login = host.login("alice").uid(uid).of_the_system().service("postgresql");
            login.conversing(|_, _| typed.to_owned()).code()
        };
        let both = format!("{PASSWORD}{}", alice.next_code());
        assert_eq!(log_in(&both), ReturnCode::SUCCESS);
        assert_ne!(log_in(&both), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_program_that_is_not_root_or_asks_nobody_is_refused_and_a_line_of_it_is_found() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        for (service, words, id) in [
            ("radiusd", "FreeRADIUS does not run as root", "program-not-root"),
            ("postgresql", "PostgreSQL does not run as root", "program-not-root"),
            ("cron", "cron asks no user", "program-asks-nobody"),
            ("gdm-autologin", "automatic login asks no user", "program-asks-nobody"),
            ("passwd", "passwd runs no auth phase of PAM", "program-never-authenticates"),
            ("samba", "Samba runs no auth phase of PAM", "program-never-authenticates"),
        ] {
            host.system_service(service, PLAIN);
            let before = files();
            let refused = host.run_twofactor(&["service", "enable", service, "--yes"]);
            assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
            assert!(said(&refused).contains(words) && said(&refused).contains("--force"), "{}", said(&refused));
            assert_eq!(files(), before);
            let forced = host.run_twofactor(&["service", "enable", service, "--yes", "--force"]);
            assert!(forced.status.success() && said(&forced).contains(words), "{}", said(&forced));
            let what = finding(host, id).unwrap();
            assert!(what.contains(words), "{what}");
            let explained = host.run_twofactor(&["explain", "alice", "--service", service]);
            assert!(said(&explained).contains(words), "{}", said(&explained));
            if id == "program-not-root" {
                let explained = host.json(&["explain", "alice", "--service", service]);
                assert_eq!(explained["right_code"]["reason"], "not-root");
                assert_eq!(explained["prompts"], serde_json::json!([]));
            }
            host.succeed("twofactor", ["service", "disable", service, "--yes"]);
            assert_eq!(files(), before);
        }
    });
}

/// As a screen locker that a distribution packs: its own process, one field, the user's own password.
#[test]
fn a_locker_is_set_up_for_the_broker_and_unlocks_once_it_listens() {
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &[]);
        let before = {
            host.system_service("swaylock", PLAIN);
            files()
        };
        let enabled = host.run_twofactor(&["service", "enable", "swaylock", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        assert!(said(&enabled).contains("twofactord.socket"), "{}", said(&enabled));
        assert!(fs::read_to_string(CONFIGURATION).unwrap().contains("\"swaylock\""));
        let text = fs::read_to_string("/etc/pam.d/swaylock").unwrap();
        let (ours, password) = (text.find("pam_twofactor.so").unwrap(), text.find("common-auth").unwrap());
        assert!(ours < password, "{text}");
        assert!(finding(host, "broker-absent").unwrap().contains("swaylock"));
        let explained = host.json(&["explain", "alice", "--service", "swaylock"]);
        assert_eq!(explained["right_code"]["reason"], "not-root");

        let _broker = host.broker();
        assert_eq!(finding(host, "broker-absent"), None);
        let explained = host.json(&["explain", "alice", "--service", "swaylock"]);
        assert_eq!(explained["right_code"]["result"], "PAM_SUCCESS", "{explained}");
        let uid = nix::unistd::User::from_name("alice").unwrap().unwrap().uid.as_raw();
        let locker = || host.login("alice").service("swaylock").of_the_system().uid(uid);
        let wrong = format!("{PASSWORD}{}", alice.wrong_code());
        assert_ne!(locker().typing(&wrong).code(), ReturnCode::SUCCESS);
        let right = format!("{PASSWORD}{}", alice.code());
        assert_eq!(locker().typing(&right).code(), ReturnCode::SUCCESS);

        host.succeed("twofactor", ["service", "disable", "swaylock", "--yes"]);
        assert_eq!(files(), before);
    });
}

#[test]
fn other_stands_for_programs_that_nobody_looked_at_and_is_refused() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let before = files();
        let refused = host.run_twofactor(&["service", "enable", "other", "sshd", "--yes"]);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        let words = "other: it stands for every program without a file of its own: those that cannot ask";
        assert!(said(&refused).contains(words) && said(&refused).contains("service list --all"), "{}", said(&refused));
        let forced = host.run_twofactor(&["service", "enable", "other", "--yes", "--force"]);
        assert_eq!(forced.status.code(), Some(7), "{}", said(&forced));
        assert_eq!(files(), before);
    });
}

/// The reason for which their services are refused, measured on the real programs.
#[test]
fn programs_that_change_passwords_never_reach_an_auth_line() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        for service in ["passwd", "chpasswd"] {
            let password = if service == "passwd" { "pam_unix.so" } else { "pam_permit.so" };
            host.system_service(
                service,
                &format!(
                    "auth required pam_twofactor.so\naccount required pam_twofactor.so\npassword required {password}\n"
                ),
            );
        }
        let mut alice = host.command("setpriv");
        alice.args(["--reuid", "alice", "--regid", "alice", "--init-groups", "passwd"]);
        let mut terminal = Terminal::start(&alice, Size::LARGE);
        terminal.expect("urrent password: ");
        terminal.type_line(PASSWORD);
        for _ in 0..2 {
            terminal.expect("ew password: ");
            terminal.type_line("Tr0ub4dor-and-3");
        }
        assert!(terminal.wait().success(), "{}", terminal.shown());
        let changed = host.command("sh").args(["-c", "echo alice:another | chpasswd"]).output().unwrap();
        assert!(changed.status.success(), "{}", said(&changed));
        assert_eq!(host.module_log(), Vec::<String>::new(), "the module was never called");
    });
}
