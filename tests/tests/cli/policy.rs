//! `explain`, `invite` and rules: what the tool says of a login is what the real module does.

use std::fs;

use serde_json::{Value, json};
use twofactor_tests::first_login::{CONFIRM, ONCE_MORE, WRITE_DOWN};
use twofactor_tests::oathtool::{ANY_CODE, Authenticator};
use twofactor_tests::pam::{Answer, Event, Login, Message, Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, private_host, said};

use crate::{stderr, stdout};

/// Writes a service for the tool, which reads `/etc/pam.d`, and for `pam-login`.
fn service(host: &Host, name: &str, lines: &str) {
    host.service(name, lines);
    host.system_service(name, lines);
}

fn plain_service(host: &Host, name: &str) {
    service(host, name, "auth required pam_twofactor.so\naccount required pam_twofactor.so\n");
}

/// What `explain --json` prints; the exit code is 3 for users the host does not know.
#[track_caller]
fn explained(host: &Host, user: &str, service: &str, rhost: Option<&str>) -> Value {
    let mut arguments = vec!["--json", "explain", user, "--service", service];
    arguments.extend(rhost.iter().flat_map(|rhost| ["--rhost", rhost]));
    let output = host.run_twofactor(&arguments);
    let expected = if user == "nobody-here" { 3 } else { 0 };
    assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
}

/// The prompts that a login saw.
fn prompts(outcome: &Outcome) -> Vec<&str> {
    let asked = outcome.messages.iter().filter(|message| message.style.starts_with("prompt"));
    asked.map(|message| message.text.as_str()).collect()
}

/// The secret of the QR code that a login showed last.
fn shown_app(messages: &[Message]) -> Authenticator {
    let uri = messages.iter().rev().find_map(|message| message.text.lines().find(|line| line.starts_with("otpauth:")));
    Authenticator::from_uri(uri.expect("a URI was shown"))
}

/// A login that answers every prompt right, as whoever is `code` would: the outcome of the real module.
#[track_caller]
fn real(host: &Host, user: &str, service: &str, rhost: Option<&str>, code: &str, invitation: &str) -> Outcome {
    let login = host.login(user).service(service);
    answered(rhost.map_or(login.clone(), |rhost| login.rhost(rhost)), code, invitation)
}

/// Goes through a login as whoever is `code` and `invitation`.
fn answered(login: Login<'_>, code: &str, invitation: &str) -> Outcome {
    let mut running = login.start();
    let mut messages = Vec::new();
    loop {
        let event = running.advance();
        let mut outcome = running.outcome();
        messages.append(&mut outcome.messages);
        let Event::Prompt(prompt) = event else {
            outcome.messages = messages;
            running.finish();
            return outcome;
        };
        let answer = match prompt.text.as_str() {
            "Invitation code: " => invitation.to_owned(),
            "Code from the app: " => shown_app(&messages).code(0),
            "Password and verification code: " => format!("password{code}"),
            _ => code.to_owned(),
        };
        running.answer(&Answer::from(&answer));
    }
}

/// What is said and what is done with a right code are the same.
#[track_caller]
fn assert_agreed(host: &Host, user: &str, service: &str, rhost: Option<&str>, code: &str) -> Value {
    assert_agreed_with(host, user, service, rhost, code, "")
}

#[track_caller]
fn assert_agreed_with(
    host: &Host,
    user: &str,
    service: &str,
    rhost: Option<&str>,
    code: &str,
    invitation: &str,
) -> Value {
    let said = explained(host, user, service, rhost);
    let done = real(host, user, service, rhost, code, invitation);
    assert_eq!(said["prompts"], json!(prompts(&done)), "{said:#}");
    match said["waived"].as_str() {
        // libpam's word for a stack in which every module is ignored.
        Some(why) => {
            assert_eq!((&said["right_code"]["result"], done.code()), (&json!("PAM_IGNORE"), ReturnCode::PERM_DENIED));
            host.assert_logged(&["skipped", &format!("user={user}"), &format!("policy={why}")]);
        }
        None => assert_eq!(said["right_code"]["result"], format!("{:?}", done.code()), "{said:#}"),
    }
    if let Some(reason) = said["right_code"]["reason"].as_str() {
        host.assert_logged(&[&format!("user={user}"), &format!("reason={reason}")]);
    }
    said
}

#[test]
fn what_is_explained_is_what_the_module_does_at_every_level() {
    private_host(|host| {
        plain_service(host, "test");
        service(host, "no-account", "auth required pam_twofactor.so\naccount required pam_permit.so\n");
        service(host, "nullok", "auth required pam_twofactor.so nullok\naccount required pam_twofactor.so\n");
        service(host, "misspelt", "auth required pam_twofactor.so nulok\naccount required pam_twofactor.so\n");
        plain_service(host, "xrdp-sesman");
        let alice = host.user_with_fob("alice");
        host.add_user("bob");
        let carol = host.user_with_app("carol").authenticator;
        host.succeed("twofactor", ["reset", "carol", "--keep-secret", "--yes"]);
        for level in ["required", "enroll", "optional", "off"] {
            host.configure(&format!("[default]\nsecond_factor = \"{level}\"\n"));
            for service in ["test", "no-account", "nullok", "misspelt", "xrdp-sesman"] {
                let refused_unseen = level == "off" || service == "misspelt";
                let code = if refused_unseen { alice.wrong_code() } else { alice.next_code() };
                assert_agreed(host, "alice", service, None, &code);
                assert_agreed(host, "bob", service, None, ANY_CODE);
                assert_agreed(host, "nobody-here", service, None, ANY_CODE);
            }
            // Her secret waits for its confirmation; at the one level it is asked for once the password is known to be right.
            if level == "enroll" {
                let said = explained(host, "carol", "test", None);
                assert_eq!(said["prompts"], json!([ONCE_MORE, CONFIRM]));
                let done = answered(host.login("carol").service("test").calls("authenticate,account"), "", "");
                let [ONCE_MORE, CONFIRM, recovery] = prompts(&done)[..] else { panic!("{done:?}") };
                assert!(recovery.ends_with(WRITE_DOWN), "{recovery}");
                assert_eq!(done.code_of("account"), ReturnCode::SUCCESS);
                assert_eq!(said["right_code"]["result"], "PAM_SUCCESS");
                host.succeed("twofactor", ["reset", "carol", "--keep-secret", "--yes"]);
            } else {
                assert_agreed(host, "carol", "test", None, &carol.code(1));
            }
        }
    });
}

#[test]
fn what_is_explained_for_somebody_without_a_phone_is_what_the_module_does() {
    private_host(|host| {
        plain_service(host, "test");
        let alice = host.user_with_fob("alice");
        host.add_user("bob");
        let without = |user: &str| explained(host, user, "test", None)["no_phone"].clone();
        assert_eq!(without("alice"), json!({ "result": "PAM_SUCCESS", "reason": null }));
        assert_eq!(host.login("alice").typing(&alice.recovery_codes[0]).code(), ReturnCode::SUCCESS);

        host.configure("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\"]\n");
        assert_eq!(without("alice"), json!({ "result": "PAM_AUTH_ERR", "reason": "factor-not-allowed" }));
        assert_eq!(host.login("alice").typing(&alice.recovery_codes[1]).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["user=alice", "reason=factor-not-allowed"]);

        host.configure("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"recovery\"]\n");
        let said = assert_agreed(host, "alice", "test", None, &alice.next_code());
        assert_eq!(said["right_code"]["reason"], "factor-not-allowed");

        host.succeed("twofactor", ["recovery", "alice", "--count", "0"]);
        host.configure("[prompt]\ntries = 3\n");
        assert_eq!(without("alice"), json!({ "result": "PAM_MAXTRIES", "reason": "wrong-code" }));
        let wrong = [alice.wrong_code(), alice.wrong_code(), alice.wrong_code()];
        let wrong: Vec<Answer> = wrong.iter().map(Answer::from).collect();
        assert_eq!(host.login("alice").answering(&wrong).code(), ReturnCode::MAXTRIES);

        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        for user in ["bob", "nobody-here"] {
            assert_eq!(without(user), json!({ "result": "PAM_AUTH_ERR", "reason": "not-confirmed" }));
            let wrong = ["x", "x", "x"].map(Answer::from);
            assert_eq!(host.login(user).answering(&wrong).code(), ReturnCode::AUTH_ERR, "{user}");
        }
        assert_eq!(explained(host, "bob", "test", None)["right_code"]["result"], "PAM_SUCCESS");
    });
}

#[test]
fn rules_are_explained_as_the_module_applies_them() {
    private_host(|host| {
        plain_service(host, "test");
        let alice = host.user_with_fob("alice");
        for number in 0..70 {
            host.succeed("groupadd", [format!("group{number}")]);
            host.succeed("usermod", ["-a", "-G", &format!("group{number}"), "alice"]);
        }
        let long = format!("{}.example.org", "h".repeat(5000));
        let rule = |conditions: &str| format!("[[rule]]\n{conditions}\nsecond_factor = \"off\"\n");
        for (conditions, rhost, matches, because) in [
            ("groups = [\"no-such-group\", \"group69\"]", None, true, ""),
            ("groups = [\"no-such-group\", \"daemon\"]", None, false, "in none of its groups"),
            ("users = [\"bob\"]", None, false, "another user"),
            ("services = [\"sshd\"]", None, false, "another service"),
            ("networks = [\"10.0.0.0/8\"]", Some("10.1.2.3"), true, ""),
            ("networks = [\"10.0.0.0/8\"]", Some("::ffff:10.1.2.3"), true, ""),
            ("networks = [\"2001:db8::/32\"]", Some("2001:DB8::7"), true, ""),
            ("networks = [\"0.0.0.0/0\", \"::/0\"]", Some("10.example.org"), false, "from none of its networks"),
            ("networks = [\"0.0.0.0/0\", \"::/0\"]", Some(long.as_str()), false, "from none of its networks"),
            ("networks = [\"0.0.0.0/0\", \"::/0\"]", None, false, "from none of its networks"),
            ("local = true", Some(long.as_str()), false, "for local logins only"),
            ("local = true", None, true, ""),
            ("local = false", None, false, "for remote logins only"),
            ("until = 2999-12-31", None, true, ""),
        ] {
            host.configure(&rule(conditions));
            let code = if matches { alice.wrong_code() } else { alice.next_code() };
            let said = assert_agreed(host, "alice", "test", rhost, &code);
            assert_eq!(said["rule"], if matches { json!(1) } else { json!(null) }, "{conditions} {said:#}");
            let passed = if matches { json!([]) } else { json!([{ "rule": 1, "because": because }]) };
            assert_eq!(said["passed_rules"], passed, "{conditions}");
        }
        host.configure(&rule("until = 2020-01-01"));
        let lapsed = assert_agreed(host, "alice", "test", None, &alice.next_code());
        assert_eq!((&lapsed["rule"], &lapsed["second_factor"]), (&json!(1), &json!("required")));
        host.configure(&rule("until = \"tomorrow\""));
        let invalid = host.run_twofactor(&["explain", "alice", "--service", "test"]);
        assert_eq!(invalid.status.code(), Some(9), "{}", said(&invalid));
    });
}

#[test]
fn a_remembered_login_is_explained_and_ends_with_unlock() {
    private_host(|host| {
        plain_service(host, "test");
        let alice = host.user_with_fob("alice");
        host.configure("[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n");
        let (near, far) = (Some("192.0.2.7"), Some("192.0.2.8"));
        assert_agreed(host, "alice", "test", near, &alice.next_code());
        let said = assert_agreed(host, "alice", "test", near, &alice.wrong_code());
        assert_eq!((&said["waived"], &said["right_code"]["result"]), (&json!("remembered"), &json!("PAM_IGNORE")));
        assert_eq!(assert_agreed(host, "alice", "test", far, &alice.next_code())["waived"], json!(null));
        assert_agreed(host, "alice", "test", Some("host.example.org"), &alice.next_code());
        let said = assert_agreed(host, "alice", "test", Some("host.example.org"), &alice.next_code());
        assert_eq!(said["waived"], json!(null), "a name is never remembered");
        host.succeed("twofactor", ["unlock", "alice"]);
        assert_agreed(host, "alice", "test", near, &alice.next_code());
    });
}

#[test]
fn whoever_has_to_wait_and_whatever_is_broken_is_explained() {
    private_host(|host| {
        plain_service(host, "test");
        let alice = host.user_with_fob("alice");
        for _ in 0..5 {
            assert_eq!(host.login("alice").rhost("192.0.2.7").typing(alice.wrong_code()).code(), ReturnCode::AUTH_ERR);
        }
        let said = assert_agreed(host, "alice", "test", Some("192.0.2.7"), &alice.wrong_code());
        assert_eq!(said["right_code"]["reason"], "throttled");
        assert!(said["blocked_until"].is_string());
        host.succeed("twofactor", ["unlock", "alice"]);

        let secret = "/var/lib/twofactor/users/alice/secret.toml";
        fs::write(secret, "garbage").unwrap();
        let output = host.run_twofactor(&["--json", "explain", "alice", "--service", "test"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["right_code"], json!({ "result": "PAM_AUTHINFO_UNAVAIL", "reason": "store-corrupt" }));
        assert_eq!(host.login("alice").typing(alice.wrong_code()).code(), ReturnCode::AUTHINFO_UNAVAIL);
    });
}

#[test]
fn the_page_for_people_fits_eighty_columns_and_warns_of_a_service_without_the_module() {
    private_host(|host| {
        host.user_with_fob("alice");
        host.add_user("bob");
        let custom = host.place("other.toml");
        fs::write(&custom, "[default]\nsecond_factor = \"off\"\n").unwrap();
        let line = format!("auth required pam_twofactor.so nullok conf={}\n", custom.display());
        host.system_service("elsewhere", &line);
        host.system_service("plain", "auth required pam_permit.so\n");
        plain_service(host, "test");
        host.configure(
            "[[rule]]\nservices = [\"cron\"]\nsecond_factor = \"off\"\n\
             [[rule]]\nsecond_factor = \"enroll\"\nuntil = 2999-12-31\nremember = \"12h\"\n",
        );
        let long = format!("{}.example.org\u{1b}[2J", "h".repeat(5000));
        for user in ["alice", "bob", "nobody-here"] {
            for rhost in ["", "192.0.2.7", &long] {
                let output = host.run_twofactor(&["explain", user, "--service", "test", "--rhost", rhost]);
                let page = stdout(&output);
                assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
                assert!(!page.contains('\u{1b}') && page.contains("line 4 matches"), "{page}");
                assert!(page.contains("line 1 does not match: another service"), "{page}");
                assert!(page.contains("enroll until 2999-12-31 (00:00 UTC), then required"), "{page}");
            }
        }
        let unknown = host.run_twofactor(&["explain", "nobody-here", "--service", "test"]);
        assert_eq!(unknown.status.code(), Some(3));
        assert!(stderr(&unknown).contains("there is no user \"nobody-here\""), "{}", said(&unknown));
        let page = host.succeed("twofactor", ["explain", "bob", "--service", "test"]);
        assert!(page.contains("QR code") && page.contains("Code from the app:"), "{page}");

        let without = host.run_twofactor(&["explain", "alice", "--service", "plain"]);
        assert!(without.status.success());
        assert!(stderr(&without).contains("do not run pam_twofactor"), "{}", said(&without));
        assert!(stdout(&without).contains("nothing: the service does not run pam_twofactor"), "{}", said(&without));
        assert!(!stdout(&without).contains("Verification code"), "nobody is asked: {}", said(&without));

        let nowhere = host.run_twofactor(&["explain", "alice", "--service", "ssh"]);
        let warning = "warning: there is no PAM service \"ssh\": PAM would use \"other\"";
        assert!(stderr(&nowhere).contains(warning), "{}", said(&nowhere));

        let elsewhere = host.run_twofactor(&["explain", "alice", "--service", "elsewhere"]);
        assert!(stdout(&elsewhere).contains("other.toml") && stdout(&elsewhere).contains("PAM_IGNORE"));
        let mut other = vec!["--config", "/etc/twofactor/twofactor.toml"];
        other.extend(["explain", "alice", "--service", "elsewhere"]);
        assert!(stderr(&host.run_twofactor(&other)).contains("elsewhere reads "));
    });
}

#[test]
fn an_invitation_enrolls_once_until_it_expires_or_is_revoked() {
    private_host(|host| {
        plain_service(host, "test");
        host.user_with_fob("alice");
        host.add_user("bob");
        host.configure("[enrollment]\ninvitation = \"required\"\n[default]\nsecond_factor = \"enroll\"\n");
        let invite = |arguments: &[&str]| host.json(&[&["invite", "bob"], arguments].concat());
        let code = |invited: &Value| invited["invitation"].as_str().expect("a code").to_owned();

        let (revoked, replaced) = (code(&invite(&[])), code(&invite(&["--valid", "1h"])));
        let old = real(host, "bob", "test", None, "", &revoked);
        assert_eq!(old.code(), ReturnCode::AUTH_ERR, "a second invitation is in the place of the first");
        host.assert_logged(&["user=bob", "reason=invitation-wrong"]);
        assert_eq!(host.json(&["invite", "bob", "--revoke"])["revoked"], true);
        assert_eq!(host.json(&["invite", "bob", "--revoke"])["revoked"], false);
        assert_eq!(real(host, "bob", "test", None, "", &replaced).code(), ReturnCode::AUTH_ERR);

        let shown = host.run_twofactor(&["invite", "bob", "--quiet"]);
        assert!(shown.status.success() && stderr(&shown).is_empty(), "{}", said(&shown));
        let good = stdout(&shown).trim().to_owned();
        assert_eq!((good.len(), good.as_bytes()[4]), (9, b'-'), "{good}");
        let said = assert_agreed_with(host, "bob", "test", None, "", &good);
        assert_eq!(said["prompts"], json!(["Invitation code: ", "Code from the app: "]));

        let log: Vec<String> = host.log().into_iter().map(|line| line.text).collect();
        for words in ["invited user=bob until=", "invitation-revoked user=bob"] {
            assert!(log.iter().any(|line| line.contains(words)), "{words}: {log:#?}");
        }
        for code in [&revoked, &replaced, &good] {
            assert!(log.iter().all(|line| !line.contains(code.as_str())), "{log:#?}");
        }
    });
}

#[test]
fn a_temporary_code_opens_one_login_and_the_log_says_so() {
    private_host(|host| {
        plain_service(host, "test");
        let alice = host.user_with_app("alice");
        let give = |arguments: &[&str]| {
            let shown = host.run_twofactor(&[&["code", "alice", "--quiet"], arguments].concat());
            assert!(shown.status.success() && stderr(&shown).is_empty(), "{}", said(&shown));
            let code = stdout(&shown).trim().to_owned();
            assert_eq!((code.len(), code.as_bytes()[5]), (11, b'-'), "{code}");
            code
        };
        let (revoked, good) = (give(&[]), give(&["--valid", "2h"]));
        assert!(host.succeed("twofactor", ["status", "alice"]).contains("Temporary code:  good once until "));
        assert!(host.succeed("twofactor", ["verify", "alice", &good]).contains("temporary code"));
        let explained = host.succeed("twofactor", ["explain", "alice", "--service", "test"]);
        assert!(explained.contains("a temporary code until "), "{explained}");
        let login = |code: &str| real(host, "alice", "test", None, code, "").code();
        assert_eq!(login(&revoked), ReturnCode::AUTH_ERR);
        assert_eq!(login(&good), ReturnCode::SUCCESS, "{:#?}", host.log());
        assert_eq!(login(&good), ReturnCode::AUTH_ERR);
        host.assert_logged(&["accepted", "user=alice", "token=temporary"]);
        host.assert_logged(&["user=alice", "reason=replayed"]);
        assert_eq!(login(&alice.code()), ReturnCode::SUCCESS, "her app works as before");
        assert_eq!(host.json(&["code", "alice", "--revoke"])["revoked"], false, "it was used");
        give(&[]);
        assert_eq!(host.json(&["code", "alice", "--revoke"])["revoked"], true);
        let log: Vec<String> = host.log().into_iter().map(|line| line.text).collect();
        for words in ["code-given user=alice until=", "code-revoked user=alice"] {
            assert!(log.iter().any(|line| line.contains(words)), "{words}: {log:#?}");
        }
        for code in [&revoked, &good] {
            let digits = code.replace('-', "");
            assert!(log.iter().all(|line| !line.contains(code.as_str()) && !line.contains(&digits)), "{log:#?}");
        }
    });
}

#[test]
fn a_temporary_code_is_no_enrollment_and_one_that_nobody_saw_is_void() {
    private_host(|host| {
        plain_service(host, "test");
        host.user_with_app("alice");
        host.add_user("bob");
        for (arguments, status, words) in [
            (&["code", "bob"][..], 3, "not enrolled"),
            (&["code", "nobody-here"], 3, "there is no user"),
            (&["code", "nobody-here", "--revoke"], 3, "there is no user"),
            (&["code", "alice", "--valid", "31days"], 2, "1m to 30days"),
        ] {
            let output = host.run_twofactor(arguments);
            assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
            assert!(stderr(&output).contains(words), "{arguments:?}: {}", said(&output));
        }
        let unseen = host.command("sh").args(["-c", "twofactor code alice > /dev/full"]).output().unwrap();
        assert_eq!(unseen.status.code(), Some(1), "{}", said(&unseen));
        assert_eq!(host.json(&["code", "alice", "--revoke"])["revoked"], false, "no person saw it");

        host.configure("[[rule]]\nusers = [\"alice\"]\nsecond_factor = \"required\"\nfactors = [\"app\"]\n");
        let useless = host.run_twofactor(&["code", "alice", "--quiet"]);
        assert!(stderr(&useless).contains("no recovery codes"), "{}", said(&useless));
        let refused = real(host, "alice", "test", None, stdout(&useless).trim(), "");
        assert_eq!(refused.code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["user=alice", "reason=factor-not-allowed"]);
    });
}

#[test]
fn nobody_is_invited_who_is_enrolled_or_unknown_and_a_useless_invitation_is_called_so() {
    private_host(|host| {
        host.user_with_fob("alice");
        host.add_user("bob");
        host.configure("[enrollment]\ninvitation = \"required\"\n[default]\nsecond_factor = \"enroll\"\n");
        for (arguments, status, words) in [
            (&["invite", "alice"][..], 7, "alice is enrolled already"),
            (&["invite", "nobody-here"], 3, "there is no user"),
            (&["invite", "nobody-here", "--revoke"], 3, "there is no user"),
            (&["invite", "bob", "--valid", "0"], 2, "1m to 30days"),
            (&["invite", "bob", "--valid", "2h", "--revoke"], 2, "--revoke"),
        ] {
            let output = host.run_twofactor(arguments);
            assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
            assert!(stderr(&output).contains(words), "{arguments:?}: {}", said(&output));
        }
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        assert!(host.run_twofactor(&["invite", "alice"]).status.success(), "she would be shown her secret again");

        for (text, warning) in [
            ("[enrollment]\ninvitation = \"required\"\n", "no rule lets bob enroll"),
            ("[default]\nsecond_factor = \"enroll\"\n", "invitation = \"none\""),
        ] {
            host.configure(text);
            let output = host.run_twofactor(&["invite", "bob"]);
            assert!(output.status.success() && stderr(&output).contains(warning), "{}", said(&output));
        }
        let unseen = host.command("sh").args(["-c", "twofactor invite bob > /dev/full"]).output().unwrap();
        assert_eq!(unseen.status.code(), Some(1), "{}", said(&unseen));
        assert_eq!(host.json(&["invite", "bob", "--revoke"])["revoked"], false, "nobody saw it");
    });
}

#[test]
fn config_show_prints_rules_that_read_back() {
    private_host(|host| {
        host.configure(
            "[[rule]]\ngroups = [\"ops\"]\nnetworks = [\"10.0.0.0/8\"]\nsecond_factor = \"enroll\"\n\
             factors = [\"app\"]\nuntil = 2999-12-31\nremember = \"12h\"\n",
        );
        let shown = host.succeed("twofactor", ["config", "show"]);
        let before = host.json(&["config", "show"]);
        assert_eq!(before["rule"][0]["until"], "2999-12-31");
        host.configure(&shown);
        let mut after = host.json(&["config", "show"]);
        after["rule"][0]["line"] = before["rule"][0]["line"].clone();
        assert_eq!(after, before);
    });
}

/// Everything that can be wrong with rules that hold.
const WRONG_RULES: &str = "\
[[rule]]
groups = [\"root\"]
second_factor = \"required\"
[[rule]]
users = [\"root\", \"alcie\"]
services = [\"ssh\"]
second_factor = \"off\"
[[rule]]
groups = [\"no-such-group\"]
services = [\"cron\"]
second_factor = \"optional\"
until = 2020-01-31
";

#[test]
fn config_check_finds_what_doctor_finds_about_rules_for_any_user() {
    private_host(|host| {
        host.add_user("alice");
        plain_service(host, "sshd");
        host.configure(WRONG_RULES);
        let doctor = host.run_twofactor(&["--json", "doctor"]);
        let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let about_rules = |found: &&Value| found["area"] == "configuration";
        let found: Vec<&Value> = doctor["findings"].as_array().unwrap().iter().filter(about_rules).collect();
        let ids: Vec<&str> = found.iter().map(|found| found["id"].as_str().unwrap()).collect();
        for id in ["rule-order", "rule-names-nobody", "rule-without-service", "grace-over"] {
            assert!(ids.contains(&id), "{id}: {doctor:#}");
        }
        let checked = host.json(&["config", "check"]);
        assert_eq!(checked["findings"], json!(found), "{checked:#}");
        assert_eq!((&checked["valid"], &checked["unchecked"]), (&json!(true), &json!([])));
        let by_alice = |arguments: &str| {
            let command = format!("setpriv --reuid alice --regid alice --init-groups twofactor {arguments}");
            host.succeed("sh", ["-c", &command])
        };
        let text = by_alice("config check");
        assert!(text.starts_with("/etc/twofactor/twofactor.toml: valid\n"), "{text}");
        for id in ids {
            assert!(text.contains(&format!("[{id}]")), "{id}: {text}");
        }
        host.configure("[[rule]]\nusers = [\"root\"]\nsecond_factor = \"off\"\n");
        assert_eq!(by_alice("config check"), "/etc/twofactor/twofactor.toml: ok\n");
        assert_eq!(host.json(&["config", "check"])["findings"], json!([]));
    });
}

#[test]
fn an_account_that_has_expired_and_a_password_that_is_asked_for_all_the_same_are_explained() {
    private_host(|host| {
        plain_service(host, "test");
        for user in ["alice", "bob"] {
            host.add_user(user);
        }
        host.succeed("chage", ["-E", "1", "alice"]);
        host.configure("[default]\nsecond_factor = \"off\"\n[prompt]\ncombined = [\"test\"]\n");
        for (user, is_closed) in [("alice", true), ("bob", false)] {
            let said = explained(host, user, "test", None);
            let expected = if is_closed { json!("the account has expired") } else { Value::Null };
            assert_eq!(said["expired"], expected, "{said}");
            let page = host.succeed("twofactor", ["explain", user, "--service", "test"]);
            assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
            assert_eq!(page.contains("the account has expired: the login is refused"), is_closed, "{page}");
            let prompt = said["prompts"][0].as_str().unwrap().trim_end();
            let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(&format!("but for the password: {prompt} A right code")), "{page}");
        }
        // As the module does it.
        let outcome = host.login("bob").typing("a password");
        assert_eq!(
            outcome.messages[0].text.trim_end(),
            explained(host, "bob", "test", None)["prompts"][0].as_str().unwrap().trim_end()
        );
    });
}
