//! `twofactor self` as the user it is about: the real command in a process of that user, through the real broker.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::log_daemon::until;
use twofactor_tests::oneself::answering_for_the_secret;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::security_key::public_line;
use twofactor_tests::terminal::{Size, Terminal};

use crate::uid_of;

const LETS_ENROLL: &str = "[default]\nsecond_factor = \"enroll\"\n";
/// The state of alice.
const STATE: &str = "/var/lib/twofactor/users/alice/state";
const NEW_CODE: &str = "Code from the new app: ";

fn command(host: &Host, user: &str, arguments: &[&str]) -> Command {
    host.twofactor_of(user, arguments)
}

pub(crate) fn scripted(host: &Host, user: &str, arguments: &[&str], lines: &str) -> Output {
    host.run_twofactor_of(user, arguments, lines)
}

#[track_caller]
pub(crate) fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

#[track_caller]
pub(crate) fn refused(output: &Output, status: i32, words: &str) {
    assert_eq!(output.status.code(), Some(status), "{}", said(output));
    assert!(said(output).contains(words), "{}", said(output));
}

pub(crate) fn status(host: &Host, user: &str) -> Value {
    json(&scripted(host, user, &["--json", "self", "status"], ""))
}

pub(crate) fn opens(host: &Host, user: &str, code: &str) -> bool {
    host.login(user).typing(code).code() == ReturnCode::SUCCESS
}

/// The codes that a result shows.
fn recovery_codes(result: &Value) -> Vec<String> {
    result["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[test]
fn users_see_their_own_second_factor_and_no_other() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.add_user("bob");
        let _broker = host.broker();
        assert!(opens(host, "alice", &alice.code()));
        let seen = status(host, "alice");
        assert_eq!((&seen["user"], &seen["apps"][0]["label"]), (&"alice".into(), &"app".into()));
        assert_eq!((&seen["recovery_codes"], &seen["last_accepted_with"]), (&10.into(), &"app".into()));
        assert_eq!((&seen["may_change"], &seen["may_enroll"]), (&"yes".into(), &"invitation".into()));
        let text = said(&scripted(host, "alice", &["status"], ""));
        assert!(text.contains("User:            alice") && text.contains("twofactor self replace"), "{text}");
        refused(&scripted(host, "alice", &["status", "bob"], ""), 4, "only root can do this");
        refused(&scripted(host, "alice", &["status", "--missing"], ""), 4, "only root can do this");
        refused(&host.run_twofactor(&["self", "status"]), 4, "root changes users with the commands for each user");
        let nothing = said(&scripted(host, "bob", &["self", "status"], ""));
        assert!(nothing.contains("Second factor:   none") && nothing.contains("with an invitation code"), "{nothing}");
    });
}

#[test]
fn without_a_broker_the_command_says_how_to_start_it() {
    private_host(|host| {
        host.user_with_app("alice");
        let output = scripted(host, "alice", &["self", "status"], "");
        refused(&output, 1, "no broker listens at /run/twofactord/socket");
        assert!(said(&output).contains("systemctl enable --now twofactord.socket"), "{}", said(&output));
    });
}

#[test]
fn new_recovery_codes_take_a_code_which_is_burned() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let code = alice.code();
        let result = json(&scripted(host, "alice", &["--json", "self", "recovery"], &format!("{code}\n")));
        let codes = recovery_codes(&result);
        assert_eq!(codes.len(), 10);
        assert!(!opens(host, "alice", &code), "the code is used");
        assert!(!opens(host, "alice", &alice.recovery_codes[0]), "the old ones are void");
        assert!(opens(host, "alice", &codes[0]));
        let uid = format!("asked_by={}", uid_of("alice"));
        host.assert_logged(&["pam_twofactor(broker:auth): recovery-replaced user=alice", &uid, "by=alice"]);
        host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", "token=app", &uid]);
        // One of them is a proof as well, once.
        let by_recovery = scripted(host, "alice", &["--json", "self", "recovery"], &format!("{}\n", codes[1]));
        assert_eq!(recovery_codes(&json(&by_recovery)).len(), 10);
        refused(&scripted(host, "alice", &["self", "recovery"], &format!("{}\n", codes[2])), 5, "is not right");
    });
}

#[test]
fn wrong_codes_are_counted_apart_and_change_nothing() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        for _ in 0..5 {
            let wrong = format!("{}\n", alice.wrong_code());
            refused(&scripted(host, "alice", &["self", "recovery"], &wrong), 5, "the code is not right");
        }
        let right = format!("{}\n", alice.code());
        refused(&scripted(host, "alice", &["self", "recovery"], &right), 5, "too many wrong codes");
        let seen = status(host, "alice");
        assert_eq!((&seen["failures"], &seen["own_failures"]), (&0.into(), &5.into()), "{seen}");
        assert!(!seen["own_blocked_until"].is_null(), "{seen}");
        assert!(opens(host, "alice", &alice.recovery_codes[0]), "logins are not delayed, and nothing was changed");
    });
}

#[test]
fn a_new_phone_takes_a_code_of_both_and_the_old_one_is_good_until_then() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let replace = || command(host, "alice", &["--json", "self", "replace", "--qr", "none"]);
        // Hanging up, a wrong code of the new app, and one of the old: nothing is changed, and no code is burned.
        let (_, hung_up) = answering_for_the_secret(replace(), "", |_| String::new());
        assert_eq!(hung_up.status.code(), Some(5), "{}", said(&hung_up));
        let old = alice.code();
        let (_, unconfirmed) =
            answering_for_the_secret(replace(), "", |_| format!("{ANY}\n{old}\n", ANY = alice.wrong_code()).repeat(3));
        assert_eq!(unconfirmed.status.code(), Some(5), "{}", said(&unconfirmed));
        assert!(opens(host, "alice", &old), "the old code was not burned");

        let recovery = alice.recovery_codes[0].clone();
        let mut typed = String::new();
        let (phone, output) = answering_for_the_secret(replace(), "", |phone| {
            typed = phone.code(0);
            format!("{typed}\n{recovery}\n")
        });
        let result = json(&output);
        assert_eq!(result["secret"], phone.secret);
        assert!(!opens(host, "alice", &alice.authenticator.code(1)), "the old phone is out");
        assert!(!opens(host, "alice", &alice.recovery_codes[1]), "and its recovery codes");
        assert!(!opens(host, "alice", &typed), "the code that has confirmed it is burned");
        assert!(opens(host, "alice", &phone.code(1)));
        assert_eq!(status(host, "alice")["apps"].as_array().unwrap().len(), 1);
        host.assert_logged(&["pam_twofactor(broker:auth): enrolled user=alice", "token=app", "by=alice"]);
    });
}

#[test]
fn a_reset_takes_a_code_and_leaves_nothing() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        refused(&scripted(host, "alice", &["self", "reset"], ""), 7, "no question can be asked");
        let code = format!("{}\n", alice.code());
        let output = scripted(host, "alice", &["self", "reset", "--yes"], &code);
        assert!(output.status.success(), "{}", said(&output));
        assert!(!opens(host, "alice", &alice.authenticator.code(1)));
        assert!(!opens(host, "alice", &alice.recovery_codes[0]));
        assert!(status(host, "alice")["apps"].as_array().unwrap().is_empty());
        refused(&scripted(host, "alice", &["self", "recovery"], &code), 3, "you have no second factor");
        host.assert_logged(&["pam_twofactor(broker:auth): reset user=alice", "by=alice"]);
    });
}

#[test]
fn a_first_app_is_set_up_where_a_rule_says_so_and_a_user_who_hangs_up_leaves_nothing() {
    private_host(|host| {
        host.configure(LETS_ENROLL);
        host.add_user("alice");
        let _broker = host.broker();
        let mut terminal = Terminal::start(&command(host, "alice", &["self", "enroll", "--qr", "none"]), Size::LARGE);
        terminal.expect(NEW_CODE);
        terminal.interrupt();
        assert!(status(host, "alice")["apps"].as_array().unwrap().is_empty());

        let enroll = || command(host, "alice", &["--json", "self", "enroll", "--qr", "none"]);
        let mut typed = String::new();
        let (phone, output) = answering_for_the_secret(enroll(), "", |phone| {
            typed = phone.code(0);
            format!("{typed}\n")
        });
        let codes = recovery_codes(&json(&output));
        assert!(!opens(host, "alice", &typed), "the code that has confirmed it is burned");
        assert!(opens(host, "alice", &phone.code(1)));
        assert!(opens(host, "alice", &codes[0]));
        let line = host.assert_logged(&["pam_twofactor(broker:auth): enrolled user=alice"]);
        assert!(line.contains(&format!("asked_by={}", uid_of("alice"))), "{line}");
        refused(&scripted(host, "alice", &["self", "enroll"], ""), 7, "you have a second factor already");
    });
}

#[test]
fn elsewhere_a_first_app_takes_an_invitation() {
    private_host(|host| {
        host.add_user("alice");
        let _broker = host.broker();
        let enroll = || command(host, "alice", &["--json", "self", "enroll", "--qr", "none"]);
        refused(&scripted(host, "alice", &["self", "enroll"], "\n"), 5, "takes an invitation code");
        let invitation = host.json(&["invite", "alice"])["invitation"].as_str().unwrap().to_owned();
        let guess = |typed: &str| {
            answering_for_the_secret(enroll(), &format!("{typed}\n"), |phone| format!("{}\n", phone.code(0)))
        };
        let (_, wrong) = guess("2222-2222");
        assert_eq!(wrong.status.code(), Some(5), "{}", said(&wrong));
        assert!(status(host, "alice")["apps"].as_array().unwrap().is_empty());
        let (phone, right) = guess(&invitation);
        assert!(right.status.success(), "{}", said(&right));
        assert!(opens(host, "alice", &phone.code(1)));
        // It is spent: after a reset another one is needed.
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        assert_eq!(guess(&invitation).1.status.code(), Some(5));
    });
}

/// Two codes of a token, a line each.
fn both(fob: &Fob) -> String {
    fob.authenticator.two_codes().map(|code| code + "\n").concat()
}

#[test]
fn a_token_is_registered_by_its_serial_two_codes_and_a_code_of_what_the_user_has() {
    private_host(|host| {
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let register = |serial: &str, lines: &str| scripted(host, "alice", &["--json", "self", "token", serial], lines);
        let code = format!("{}\n", alice.code());
        let shown = both(&fob);
        // A slip in the serial costs no code.
        refused(&register("T999", &format!("{shown}{code}")), 5, "the token is not registered");
        refused(&register(&fob.serial, &format!("{shown}{}\n", alice.wrong_code())), 5, "is not right");
        assert!(host.json(&["token", "show", &fob.serial])["user"].is_null());
        let result = json(&register(&fob.serial, &format!("{shown}{code}")));
        assert_eq!(result["serial"], fob.serial.as_str());
        assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "alice");
        assert!(!opens(host, "alice", code.trim()), "the code of the app is used");
        assert!(!opens(host, "alice", shown.lines().nth(1).unwrap()), "and so are both of the token");
        assert!(opens(host, "alice", &fob.authenticator.code(2)));
        assert!(opens(host, "alice", &alice.recovery_codes[0]), "the app and its recovery codes stay");
        assert_eq!(status(host, "alice")["tokens"][0]["serial"], fob.serial.as_str());
        let uid = format!("asked_by={}", uid_of("alice"));
        host.assert_logged(&["pam_twofactor(broker:auth): registered user=alice", &uid, &fob.serial, "by=alice"]);
    });
}

#[test]
fn a_token_as_the_first_factor_takes_a_rule_or_an_invitation() {
    private_host(|host| {
        let fobs = Fob::box_of(1, 2);
        host.import(&fobs);
        host.add_user("alice");
        host.add_user("bob");
        let _broker = host.broker();
        let register = |user: &str, fob: &Fob, before: &str| {
            scripted(host, user, &["self", "token", &fob.serial], &format!("{before}{}", both(fob)))
        };
        refused(&register("alice", &fobs[0], "\n"), 5, "takes an invitation code");
        let invitation = host.json(&["invite", "alice"])["invitation"].as_str().unwrap().to_owned();
        refused(&register("alice", &fobs[0], "2222-2222\n"), 5, "is not right");
        let invited = register("alice", &fobs[0], &format!("{invitation}\n"));
        assert!(invited.status.success(), "{}", said(&invited));
        host.configure(LETS_ENROLL);
        refused(&register("bob", &fobs[0], ""), 5, "the token is not registered");
        let open = register("bob", &fobs[1], "");
        assert!(open.status.success(), "{}", said(&open));
        assert!(opens(host, "alice", &fobs[0].authenticator.code(2)));
        assert!(opens(host, "bob", &fobs[1].authenticator.code(2)));
        host.configure(&format!("{LETS_ENROLL}[self_service]\ntokens = false\n"));
        refused(&register("alice", &fobs[1], ""), 4, "does not let you register a token");
    });
}

#[test]
fn what_is_switched_off_is_refused_by_the_broker() {
    private_host(|host| {
        host.configure("[self_service]\nenroll = false\nchange = false\n[default]\nsecond_factor = \"enroll\"\n");
        let alice = host.user_with_app("alice");
        host.add_user("bob");
        let _broker = host.broker();
        for verb in ["recovery", "replace", "reset"] {
            refused(&scripted(host, "alice", &["self", verb], ""), 4, "does not let users do this");
        }
        refused(&scripted(host, "bob", &["self", "enroll"], ""), 4, "does not let users do this");
        // The command asks nothing then. The broker refuses a program that asks all the same.
        let question =
            format!(" version=1 ask=self-recovery user=alice uid={} proof={}", uid_of("alice"), alice.code());
        let answer = crate::ask(host, uid_of("alice"), &question);
        assert!(answer.contains("answer=not-changed why=switched-off"), "{answer}");
        assert!(opens(host, "alice", &alice.code()), "the code was not looked at");
        let seen = status(host, "alice");
        assert_eq!((&seen["may_change"], &seen["may_enroll"]), (&"no".into(), &"no".into()));
    });
}

#[test]
fn each_switch_of_the_configuration_switches_off_its_own_verbs_alone() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let of_alice = format!("user=alice uid={}", uid_of("alice"));
        let app = "label=app secret=JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G code=123456";
        let public = public_line(1, "");
        let mut words = public.split_whitespace();
        let (kind, key) = (words.next().unwrap(), words.next().unwrap());
        // No proof: a verb that is not switched off is refused for that, and nothing is charged.
        let questions = [
            ("enroll", format!("ask=self-enroll {of_alice} {app}")),
            ("change", format!("ask=self-replace {of_alice} {app}")),
            ("change", format!("ask=self-reset {of_alice}")),
            ("change", format!("ask=self-recovery {of_alice}")),
            ("tokens", format!("ask=self-token {of_alice} serial=T0000001 code=123456 code=654321")),
            ("ssh_key", format!("ask=self-ssh-key-add {of_alice} ssh_key={kind} key=\"{key}\" label=work")),
            ("ssh_key", format!("ask=self-ssh-key-remove {of_alice} fingerprint=SHA256:{}", "A".repeat(43))),
        ];
        for switch in ["enroll", "change", "tokens", "ssh_key"] {
            host.configure(&format!("{LETS_ENROLL}[self_service]\n{switch} = false\n"));
            for (of, question) in &questions {
                let answer = crate::ask(host, uid_of("alice"), &format!(" version=1 {question}"));
                let is_off = answer.contains("answer=not-changed why=switched-off");
                assert_eq!(is_off, *of == switch, "{switch} = false, {question}: {answer}");
            }
        }
        assert!(opens(host, "alice", &alice.code()), "no verb used a code up");
    });
}

#[test]
fn nobody_changes_another_user_not_even_with_a_code() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.add_user("mallory");
        let _broker = host.broker();
        for (uid, claimed) in [(uid_of("mallory"), uid_of("alice")), (uid_of("mallory"), uid_of("mallory"))] {
            for question in [
                format!(" version=1 ask=self-reset user=alice uid={claimed} proof={}", alice.code()),
                format!(" version=1 ask=self-status user=alice uid={claimed}"),
            ] {
                let answer = crate::ask(host, uid, &question);
                assert!(answer.contains("answer=failed error=not-root"), "{answer}");
            }
        }
        // Root has commands for that, and no verb of users.
        let question = format!(" version=1 ask=self-reset user=alice uid={} proof={}", uid_of("alice"), alice.code());
        let answer = crate::ask(host, 0, &question);
        assert!(answer.contains("answer=failed error=not-root"), "{answer}");
        assert!(opens(host, "alice", &alice.code()));
    });
}

#[test]
fn a_change_is_told_once_at_the_next_login_that_can_show_it() {
    private_host(|host| {
        let lines = "auth required pam_twofactor.so\nauth required pam_permit.so\n\
                     account required pam_twofactor.so\naccount required pam_permit.so\n";
        host.service("lenient", lines);
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let told = |recovery: &str, silent: bool| {
            let login = host.login("alice").service("lenient").calls("authenticate,account");
            let login = if silent { login.silent() } else { login };
            let outcome = login.typing(recovery);
            assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS);
            outcome.texts().join("\n")
        };
        let code = format!("{}\n", alice.code());
        let codes = recovery_codes(&json(&scripted(host, "alice", &["--json", "self", "recovery"], &code)));
        assert_eq!(told(&codes[0], true), "", "an application that wants no texts shows none");
        let text = told(&codes[1], false);
        let by = format!("by yourself (uid {}): new recovery codes.", uid_of("alice"));
        assert!(text.starts_with("Your second factor was changed on 20") && text.ends_with(&by), "{text}");
        assert_eq!(told(&codes[2], false), "", "once");
    });
}

#[test]
fn a_broker_that_is_killed_in_a_change_leaves_the_account_as_it_was_or_changed() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        for round in 0..4_u64 {
            let broker = host.broker();
            let before = fs::read(STATE).unwrap();
            let code = format!("{}\n", alice.recovery_codes[usize::try_from(round).unwrap()]);
            let mut command = command(host, "alice", &["--json", "self", "recovery"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut process = command.spawn().unwrap();
            process.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
            // The charge, or what follows it: the answer is not yet sent.
            until("the attempt is counted", || fs::read(STATE).unwrap() != before);
            broker.signal(Signal::SIGKILL);
            let output = process.wait_with_output().unwrap();
            drop(broker);
            let left = host.json(&["status", "alice"]);
            if output.status.success() {
                let codes = recovery_codes(&json(&output));
                assert!(opens(host, "alice", &codes[0]));
                return;
            }
            assert_eq!(left["tokens"][0]["state"], "active", "{left}");
            assert!(left["recovery_codes"].as_u64().unwrap() >= 9 - round, "{left}");
        }
        assert!(opens(host, "alice", &alice.code()), "the app was never touched");
    });
}
