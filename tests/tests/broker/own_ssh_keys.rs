//! `twofactor self ssh-key` as the user whose keys they are, through the real broker.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::security_key::public_line;

use crate::oneself::{json, opens, refused, scripted, status};
use crate::uid_of;

const PLAIN: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFmLv9SlQgT5aNV/oeYExN3SfOxw1y/n6tLZgzfLM2ZW alice\n";

/// The credentials of alice.
const SECRET: &str = "/var/lib/twofactor/users/alice/secret.toml";

/// Most ssh keys of one user.
const MOST: u8 = 100;

/// Writes a public key into a file that every user can read.
fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from("/tmp").join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs `self ssh-key` with these arguments in a process of the user.
fn own(host: &Host, user: &str, arguments: &[&str], lines: &str) -> Output {
    scripted(host, user, &[&["--json", "self", "ssh-key"], arguments].concat(), lines)
}

/// The list of keys, as the user gets it.
fn list(host: &Host, user: &str) -> Value {
    plain(json(&own(host, user, &["list"], "")))
}

/// A report without its format, which stands in no report within another one.
fn plain(mut report: Value) -> Value {
    for part in report.as_array_mut().map_or(&mut [][..], Vec::as_mut_slice) {
        part.as_object_mut().unwrap().remove("format");
    }
    if let Some(whole) = report.as_object_mut() {
        whole.remove("format");
    }
    report
}

#[test]
fn a_key_is_added_with_a_code_listed_and_taken_away_with_another() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        assert_eq!(list(host, "alice"), json!([]));
        let laptop = file("laptop.pub", &public_line(1, "alice@laptop"));
        let code = alice.code();
        let added = plain(json(&own(host, "alice", &["add", &laptop], &format!("{code}\n"))));
        assert_eq!((&added["label"], &added["attested"]), (&json!("alice@laptop"), &json!(false)), "{added}");
        assert!(!opens(host, "alice", &code), "the code is used");
        // Root and the user see the same.
        assert_eq!(list(host, "alice"), json!([added]));
        assert_eq!(plain(host.json(&["ssh-key", "list", "alice"])), list(host, "alice"));
        assert_eq!(status(host, "alice")["ssh_keys"], list(host, "alice"));
        let fingerprint = added["fingerprint"].as_str().unwrap();
        for verb in [&["self", "status"][..], &["self", "ssh-key", "list"]] {
            let text = said(&scripted(host, "alice", verb, ""));
            assert!(text.contains("alice@laptop") && text.contains(fingerprint), "{text}");
        }
        let uid = format!("asked_by={}", uid_of("alice"));
        let token = format!("token=ssh-key:{fingerprint} label=alice@laptop by=alice");
        host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", "token=app", &uid]);
        host.assert_logged(&["pam_twofactor(broker:auth): ssh-key-added user=alice", &uid, &token]);

        // By its label, and with a recovery code. The state of root's commands and the user's is one.
        let recovery = &alice.recovery_codes[0];
        let removed = json(&own(host, "alice", &["remove", "alice@laptop"], &format!("{recovery}\n")));
        assert_eq!(plain(removed), added);
        assert!(!opens(host, "alice", recovery), "the recovery code is used");
        assert_eq!(host.json(&["ssh-key", "list", "alice"]), json!([]));
        host.assert_logged(&["pam_twofactor(broker:auth): ssh-key-removed user=alice", &uid, &token]);
    });
}

#[test]
fn both_changes_are_told_at_the_next_login() {
    private_host(|host| {
        let lines = "auth required pam_twofactor.so\nauth required pam_permit.so\n\
                     account required pam_twofactor.so\naccount required pam_permit.so\n";
        host.service("lenient", lines);
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let laptop = file("laptop.pub", &public_line(1, "laptop"));
        json(&own(host, "alice", &["add", &laptop], &format!("{}\n", alice.recovery_codes[0])));
        json(&own(host, "alice", &["remove", "laptop"], &format!("{}\n", alice.recovery_codes[1])));
        let told = |recovery: &str| {
            let outcome = host.login("alice").service("lenient").calls("authenticate,account").typing(recovery);
            assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS);
            outcome.texts().join("\n")
        };
        let by = format!("by yourself (uid {}): ssh key", uid_of("alice"));
        let text = told(&alice.recovery_codes[2]);
        assert!(text.contains(&format!("{by} added.")) && text.contains(&format!("{by} taken away.")), "{text}");
        assert_eq!(told(&alice.recovery_codes[3]), "", "once");
    });
}

/// As a login with a code does.
#[test]
fn a_login_by_the_key_tells_that_it_was_added() {
    private_host(|host| {
        let lines =
            "auth required pam_twofactor.so\naccount required pam_twofactor.so\naccount required pam_permit.so\n";
        host.system_service("sshd", lines);
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let key = public_line(1, "");
        json(&own(host, "alice", &["add", &file("laptop.pub", &key)], &format!("{}\n", alice.code())));
        let calls = format!("putenv:SSH_AUTH_INFO_0=publickey {}\n,authenticate,account", key.trim_end());
        let told = || {
            let login = host.login("alice").of_the_system().service("sshd").rhost("192.0.2.7");
            let outcome = login.calls(&calls).answering(&[]);
            assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS, "{outcome:?}");
            outcome.texts().join("\n")
        };
        assert!(told().contains(&format!("by yourself (uid {}): ssh key added.", uid_of("alice"))));
        assert_eq!(told(), "", "once");
    });
}

#[test]
fn wrong_and_used_codes_are_charged_and_store_nothing_and_too_many_delay() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let laptop = file("laptop.pub", &public_line(1, "laptop"));
        let add = |code: &str| own(host, "alice", &["add", &laptop], &format!("{code}\n"));
        refused(&own(host, "alice", &["add", &laptop], ""), 5, "not confirmed");
        let used = alice.code();
        assert!(opens(host, "alice", &used));
        refused(&add(&used), 5, "that code is used already");
        assert_eq!(status(host, "alice")["own_failures"], 0);
        for wrong in 1..=5 {
            refused(&add(&alice.wrong_code()), 5, "the code is not right");
            assert_eq!(status(host, "alice")["own_failures"], wrong);
        }
        refused(&add(&alice.authenticator.code(1)), 5, "too many wrong codes");
        let seen = status(host, "alice");
        assert_eq!((&seen["failures"], &seen["ssh_keys"]), (&json!(0), &json!([])), "{seen}");
        host.assert_logged(&["denied user=alice", "reason=throttled", "asked_by="]);
        assert!(opens(host, "alice", &alice.authenticator.code(1)), "logins are not delayed, and it was not burned");

        // The same of the other verb.
        host.succeed("twofactor", ["ssh-key", "add", "alice", &laptop]);
        let remove = |code: &str| own(host, "alice", &["remove", "laptop"], &format!("{code}\n"));
        refused(&remove(&alice.recovery_codes[0]), 5, "too many wrong codes");
        host.succeed("twofactor", ["unlock", "alice"]);
        refused(&remove(&alice.wrong_code()), 5, "the code is not right");
        assert_eq!(list(host, "alice").as_array().unwrap().len(), 1);
    });
}

#[test]
fn refusals_of_keys_have_the_words_of_roots_command_and_cost_no_code() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.user_with_app("bob");
        let _broker = host.broker();
        let key = file("key.pub", &public_line(1, "key"));
        let his = file("his.pub", &public_line(2, "his"));
        host.succeed("twofactor", ["ssh-key", "add", "alice", &key]);
        host.succeed("twofactor", ["ssh-key", "add", "bob", &his]);
        let recovery = format!("{}\n", alice.recovery_codes[0]);
        let (plain, private) = (file("plain", PLAIN), file("private", "-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        let two = file("two", &format!("{}{}", public_line(3, ""), public_line(4, "")));
        let line = |output: &Output| {
            let text = said(output);
            text.lines()
                .find(|line| line.starts_with("twofactor: error: "))
                .unwrap_or_else(|| panic!("{text}"))
                .to_owned()
        };
        for (file, code, words) in [
            (&plain, 8, "kept by no security key"),
            (&private, 8, "this is a private key"),
            (&two, 8, "several keys"),
            (&key, 7, "alice already has the ssh key SHA256:"),
        ] {
            let own = own(host, "alice", &["add", file], &recovery);
            refused(&own, code, words);
            assert_eq!(line(&own), line(&host.run_twofactor(&["ssh-key", "add", "alice", file])));
        }
        for name in ["office", "SHA256:/p0CbeE3dk2SyW1OXXsThGc12ezDVD8eGw2/vtztDfk"] {
            let own = own(host, "alice", &["remove", name], &recovery);
            refused(&own, 3, "alice has no ssh key");
            assert_eq!(line(&own), line(&host.run_twofactor(&["ssh-key", "remove", "alice", name])));
        }
        // One of another user is that user's matter, to root as well.
        assert_eq!(json(&own(host, "alice", &["add", &his], &recovery))["label"], "his");
        let more = file("more.pub", &public_line(5, ""));
        let recovery = format!("{}\n", alice.recovery_codes[1]);
        json(&own(host, "alice", &["add", &more, "--label", "his"], &recovery));
        let several = own(host, "alice", &["remove", "his"], "");
        refused(&several, 7, "alice has several ssh keys \"his\"");
        assert!(said(&several).contains("name the one by its fingerprint"), "{}", said(&several));
    });
}

#[test]
fn a_script_gives_the_key_and_the_code_on_standard_input() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let lines = format!("# a key\n\n{}{}\n", public_line(1, "laptop"), alice.code());
        assert_eq!(json(&own(host, "alice", &["add", "-"], &lines))["label"], "laptop");
        refused(&own(host, "alice", &["add", "-"], ""), 8, "no public key");
        refused(&own(host, "alice", &["add", "-"], PLAIN), 8, "kept by no security key");
        refused(&own(host, "alice", &["add", "-"], &public_line(2, "")), 5, "not confirmed");
    });
}

#[test]
fn what_is_switched_off_is_refused_by_the_broker_and_what_is_there_is_still_listed() {
    private_host(|host| {
        host.configure("[self_service]\nssh_key = false\n");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let laptop = file("laptop.pub", &public_line(1, "laptop"));
        host.succeed("twofactor", ["ssh-key", "add", "alice", &laptop]);
        let work = file("work.pub", &public_line(2, "work"));
        refused(&own(host, "alice", &["add", &work], ""), 4, "does not let users do this");
        refused(&own(host, "alice", &["remove", "laptop"], ""), 4, "does not let users do this");
        // The command asks nothing then. The broker refuses a program that asks all the same.
        let line = public_line(2, "");
        let (uid, code) = (uid_of("alice"), alice.code());
        let mut words = line.split_whitespace();
        let (kind, key) = (words.next().unwrap(), words.next().unwrap());
        let fingerprint = list(host, "alice")[0]["fingerprint"].as_str().unwrap().to_owned();
        for question in [
            format!("ask=self-ssh-key-add user=alice uid={uid} ssh_key={kind} key=\"{key}\" label=work proof={code}"),
            format!("ask=self-ssh-key-remove user=alice uid={uid} fingerprint={fingerprint} proof={code}"),
        ] {
            let answer = crate::ask(host, uid, &format!(" version=1 {question}"));
            assert!(answer.contains("answer=not-changed why=switched-off"), "{answer}");
        }
        assert_eq!(list(host, "alice")[0]["label"], "laptop");
        assert_eq!(status(host, "alice")["may_change_ssh_keys"], "no");
        assert!(opens(host, "alice", &code), "the code was not looked at");
    });
}

/// The command always sends one. The broker refuses a program that does not.
#[test]
fn a_change_that_is_asked_for_without_a_code_is_refused_by_the_broker() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        host.succeed("twofactor", ["ssh-key", "add", "alice", &file("laptop.pub", &public_line(1, "laptop"))]);
        let fingerprint = list(host, "alice")[0]["fingerprint"].as_str().unwrap().to_owned();
        let line = public_line(2, "");
        let (kind, key) = line.trim_end().split_once(' ').unwrap();
        let (uid, before) = (uid_of("alice"), fs::read(SECRET).unwrap());
        for question in [
            format!("ask=self-ssh-key-add user=alice uid={uid} ssh_key={kind} key=\"{key}\" label=work"),
            format!("ask=self-ssh-key-remove user=alice uid={uid} fingerprint={fingerprint}"),
            format!("ask=self-recovery user=alice uid={uid}"),
            format!("ask=self-reset user=alice uid={uid}"),
        ] {
            let answer = crate::ask(host, uid, &format!(" version=1 {question}"));
            assert!(answer.contains("answer=not-changed why=needs-code"), "{question}: {answer}");
        }
        assert_eq!(fs::read(SECRET).unwrap(), before);
        assert!(opens(host, "alice", &alice.code()));
    });
}

#[test]
fn no_user_changes_or_lists_keys_of_another_not_even_with_a_code() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.user_with_app("mallory");
        let _broker = host.broker();
        let laptop = file("laptop.pub", &public_line(1, "laptop"));
        host.succeed("twofactor", ["ssh-key", "add", "alice", &laptop]);
        let fingerprint = list(host, "alice")[0]["fingerprint"].as_str().unwrap().to_owned();
        let line = public_line(2, "");
        let mut words = line.split_whitespace();
        let (kind, key) = (words.next().unwrap(), words.next().unwrap());
        let before = fs::read(SECRET).unwrap();
        let (hers, mallorys) = (uid_of("alice"), uid_of("mallory"));
        // Root has commands for that, and no verb of users.
        for (uid, claimed) in [(mallorys, hers), (mallorys, mallorys), (0, hers)] {
            let code = alice.code();
            for question in [
                format!("ask=self-ssh-keys user=alice uid={claimed}"),
                format!(
                    "ask=self-ssh-key-add user=alice uid={claimed} ssh_key={kind} key=\"{key}\" label=work proof={code}"
                ),
                format!("ask=self-ssh-key-remove user=alice uid={claimed} fingerprint={fingerprint} proof={code}"),
            ] {
                let answer = crate::ask(host, uid, &format!(" version=1 {question}"));
                assert!(answer.contains("answer=failed error=not-root"), "{answer}");
            }
        }
        assert_eq!(fs::read(SECRET).unwrap(), before);
        assert!(opens(host, "alice", &alice.code()));
    });
}

#[test]
fn users_with_keys_alone_need_a_code_of_the_helpdesk_and_keep_the_last_one() {
    private_host(|host| {
        host.add_user("bob");
        host.add_user("carol");
        let _broker = host.broker();
        let [laptop, work] = [(1, "laptop"), (2, "work")].map(|(number, name)| file(name, &public_line(number, name)));
        refused(&own(host, "carol", &["add", &laptop], ""), 3, "you have no second factor");
        host.succeed("twofactor", ["ssh-key", "add", "bob", &laptop]);
        assert_eq!(status(host, "bob")["ssh_keys"][0]["label"], "laptop");
        let refusal = own(host, "bob", &["add", &work], "");
        refused(&refusal, 7, "you have nothing that gives one");
        assert!(said(&refusal).contains("ask your administrator or helpdesk for a code: twofactor code bob"));
        refused(&scripted(host, "bob", &["self", "enroll"], ""), 7, "you have a second factor already");
        let words = said(&scripted(host, "bob", &["self", "status"], ""));
        assert!(words.contains("nothing without your administrator") && words.contains("Ssh key:  "), "{words}");

        let temporary = || format!("{}\n", host.json(&["code", "bob"])["code"].as_str().unwrap());
        let code = temporary();
        assert!(status(host, "bob")["temporary_code_until"].is_string());
        let last = own(host, "bob", &["remove", "laptop"], &code);
        refused(&last, 7, "this is the last credential of bob");
        assert!(said(&last).contains("twofactor self replace"), "{}", said(&last));
        // It was not looked at.
        json(&own(host, "bob", &["add", &work], &code));
        refused(&own(host, "bob", &["remove", "laptop"], &code), 7, "you have nothing that gives one");
        json(&own(host, "bob", &["remove", "laptop"], &temporary()));
        assert_eq!(list(host, "bob")[0]["label"], "work");
    });
}

#[test]
fn a_key_is_kept_where_nothing_else_counts_for_some_login_of_the_user() {
    private_host(|host| {
        host.configure(
            "[[rule]]\nusers = [\"alice\"]\nservices = [\"sshd\"]\nsecond_factor = \"required\"\nfactors = [\"ssh-key\"]\n",
        );
        let alice = host.user_with_app("alice");
        let bob = host.user_with_app("bob");
        let _broker = host.broker();
        let [laptop, work] = [(1, "laptop"), (2, "work")].map(|(number, name)| file(name, &public_line(number, name)));
        for user in ["alice", "bob"] {
            host.succeed("twofactor", ["ssh-key", "add", user, &laptop]);
        }
        let code = format!("{}\n", alice.code());
        let last = own(host, "alice", &["remove", "laptop"], &code);
        refused(&last, 7, "this is the last credential of alice");
        assert!(said(&last).split_whitespace().collect::<Vec<_>>().join(" ").contains("counts wherever this one does"));
        // The code was not used, and another key will do.
        json(&own(host, "alice", &["add", &work], &code));
        json(&own(host, "alice", &["remove", "laptop"], &format!("{}\n", alice.recovery_codes[0])));
        // The rule is not about bob, whose app counts.
        json(&own(host, "bob", &["remove", "laptop"], &format!("{}\n", bob.code())));
    });
}

#[test]
fn the_last_recovery_code_takes_no_last_key() {
    private_host(|host| {
        host.configure("[enrollment]\nrecovery_codes = 2\n[default]\nsecond_factor = \"optional\"\n");
        let alice = host.user_with_app("alice");
        let laptop = file("laptop.pub", &public_line(1, "laptop"));
        host.succeed("twofactor", ["ssh-key", "add", "alice", &laptop]);
        // A new phone that was never used: no app, in effect.
        let text = fs::read_to_string(SECRET).unwrap();
        let start = text.find("[[app]]").unwrap_or_else(|| panic!("{text}"));
        let end = text[start + 1..].find("[[").map_or(text.len(), |end| start + 1 + end);
        fs::write(SECRET, format!("{}{}", &text[..start], &text[end..])).unwrap();
        let _broker = host.broker();
        let remove =
            |index: usize| own(host, "alice", &["remove", "laptop"], &format!("{}\n", alice.recovery_codes[index]));
        assert!(opens(host, "alice", &alice.recovery_codes[0]));
        refused(&remove(1), 7, "this is the last credential of alice");
        assert_eq!(status(host, "alice")["recovery_codes"], 1, "it was not used up");
    });
}

/// A label of 64 characters and 256 bytes, in no script that the log's form has bare.
fn longest_label(number: u8) -> String {
    let end = format!("{number:03}");
    let label = "\u{1f511}".repeat(63 - end.len()) + &end;
    // As many bytes as there can be.
    let label = format!("{label}\u{1f5dd}");
    assert_eq!(label.chars().count(), 64);
    label
}

#[test]
fn a_hundred_keys_with_the_longest_labels_are_listed_and_one_more_is_refused() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        for number in 1..=MOST {
            let key = file("key.pub", &public_line(number, ""));
            host.succeed("twofactor", ["ssh-key", "add", "alice", &key, "--label", &longest_label(number)]);
        }
        let listed = list(host, "alice");
        assert_eq!(listed.as_array().unwrap().len(), usize::from(MOST));
        assert!(listed == plain(host.json(&["ssh-key", "list", "alice"])), "oldest first, and each once");
        assert!(status(host, "alice")["ssh_keys"] == listed);
        let another = file("key.pub", &public_line(MOST + 1, ""));
        let code = format!("{}\n", alice.code());
        let refusal = own(host, "alice", &["add", &another], &code);
        refused(&refusal, 7, "alice has 100 ssh keys already");
        assert!(said(&refusal).contains("see: twofactor self ssh-key list"), "{}", said(&refusal));
        // The last of them, by its label.
        json(&own(host, "alice", &["remove", &longest_label(MOST)], &code));
        assert_eq!(list(host, "alice").as_array().unwrap().len(), usize::from(MOST) - 1);
    });
}

#[test]
fn of_two_keys_that_race_with_one_code_one_is_enrolled() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        for round in 0..3_u8 {
            let code = alice.recovery_codes[usize::from(round)].clone();
            let processes = [2 * round + 1, 2 * round + 2].map(|number| {
                let key = file(&format!("key-{number}.pub"), &public_line(number, ""));
                let mut command = host.twofactor_of("alice", &["--json", "self", "ssh-key", "add", &key]);
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                let mut process = command.spawn().unwrap();
                process.stdin.take().unwrap().write_all(format!("{code}\n").as_bytes()).unwrap();
                process
            });
            let outputs = processes.map(|process| process.wait_with_output().unwrap());
            let (winners, others): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.status.success());
            assert_eq!(winners.len(), 1, "{}", outputs.iter().map(said).collect::<String>());
            refused(others[0], 5, "that code is used already");
            assert_eq!(list(host, "alice").as_array().unwrap().len(), usize::from(round) + 1);
        }
    });
}

#[test]
fn a_broker_that_is_killed_at_any_flush_leaves_the_old_keys_or_the_new() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let key = file("key.pub", &public_line(1, "key"));
        let (mut used_and_old, mut flush) = (0, 1);
        loop {
            let (before, recovery) = (fs::read(SECRET).unwrap(), alice.recovery_codes[flush - 1].clone());
            let mut strace = host.command("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"]);
            strace.arg(format!("inject=fsync,fdatasync:signal=SIGKILL:when={flush}")).arg("twofactord");
            let broker = host.broker_by(strace);
            let output = own(host, "alice", &["add", &key], &format!("{recovery}\n"));
            drop(broker);
            let keys = host.json(&["ssh-key", "list", "alice"]);
            if output.status.success() {
                assert_eq!(keys[0]["label"], "key");
                break;
            }
            refused(&output, 1, "the connection ended early");
            let told = said(&output).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains("it is not known whether it was done"), "{told}");
            assert!(told.contains("see what was done: twofactor self ssh-key list"), "{told}");
            if keys == json!([]) {
                assert_eq!(fs::read(SECRET).unwrap(), before, "flush {flush}: as it was, to the byte");
                used_and_old += usize::from(!opens(host, "alice", &recovery));
            } else {
                // It was done, and the answer was lost.
                assert!(!opens(host, "alice", &recovery));
                host.succeed("twofactor", ["ssh-key", "remove", "alice", "key"]);
            }
            host.succeed("twofactor", ["unlock", "alice"]);
            flush += 1;
        }
        assert!(used_and_old > 0, "one of {flush} came between the code and the key");
    });
}

#[test]
fn a_code_that_was_used_up_for_a_change_that_the_disk_did_not_take_is_logged() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let [laptop, work] = [(1, "laptop"), (2, "work")].map(|(number, name)| file(name, &public_line(number, name)));
        host.succeed("twofactor", ["ssh-key", "add", "alice", &laptop]);
        // What is overwritten in place is, and no file takes the place of another.
        let mut strace = host.command("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=/^rename", "-e"]);
        strace.arg("inject=/^rename:error=ENOSPC").arg("twofactord");
        let _broker = host.broker_by(strace);
        let uid = format!("asked_by={}", uid_of("alice"));
        let (code, recovery) = (alice.code(), &alice.recovery_codes[0]);
        for (arguments, typed, token) in
            [(["add", work.as_str()], &code, "token=app"), (["remove", "laptop"], recovery, "token=recovery")]
        {
            refused(&own(host, "alice", &arguments, &format!("{typed}\n")), 1, "the broker cannot answer");
            host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", token, &uid]);
            host.assert_logged(&["pam_twofactor(broker:auth): error user=alice", "no space left", &uid]);
            assert!(!opens(host, "alice", typed), "it is used up");
        }
        let keys = host.json(&["ssh-key", "list", "alice"]);
        assert_eq!((keys.as_array().unwrap().len(), &keys[0]["label"]), (1, &json!("laptop")), "nothing was changed");
    });
}

#[test]
fn a_closed_account_adds_no_key_and_without_a_broker_the_command_says_how_to_start_it() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let laptop = file("laptop.pub", &public_line(1, "laptop"));
        for arguments in [&["add", laptop.as_str()][..], &["list"], &["remove", "laptop"]] {
            let output = own(host, "alice", arguments, "");
            refused(&output, 1, "no broker listens at /run/twofactord/socket");
            assert!(said(&output).contains("systemctl enable --now twofactord.socket"), "{}", said(&output));
        }
        let _broker = host.broker();
        host.succeed("chage", ["-E", "2020-01-01", "alice"]);
        let code = format!("{}\n", alice.code());
        refused(&own(host, "alice", &["add", &laptop], &code), 4, "your account has expired");
        host.succeed("chage", ["-E", "-1", "alice"]);
        json(&own(host, "alice", &["add", &laptop], &code));
        refused(&host.run_twofactor(&["self", "ssh-key", "list"]), 4, "root changes users with the commands");
    });
}
