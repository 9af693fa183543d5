//! A helpdesk that is not root: the real command in processes of its members, through the real broker.

use std::fs;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::log_daemon::until;
use twofactor_tests::moment::Moment;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};

use crate::{ask, uid_of};

const HELPDESK: &str = "[[helpdesk]]\ngroup = \"helpdesk\"\n";
const STATE: &str = "/var/lib/twofactor/users/alice/state";
const PROTECTED: &str = "is root, of the helpdesk, or in a protected group";

/// A host with a helpdesk of two members.
fn with_helpdesk(host: &Host, more: &str) {
    host.succeed("groupadd", ["helpdesk"]);
    for member in ["hanna", "otto"] {
        host.add_user(member);
        host.succeed("gpasswd", ["--add", member, "helpdesk"]);
    }
    host.configure(&format!("{more}{HELPDESK}"));
}

fn by(host: &Host, member: &str, arguments: &[&str]) -> Output {
    host.run_twofactor_of(member, arguments, "")
}

#[track_caller]
fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

#[track_caller]
fn json_by(host: &Host, member: &str, arguments: &[&str]) -> Value {
    json(&by(host, member, &[&["--json"], arguments].concat()))
}

#[track_caller]
fn refused(output: &Output, status: i32, words: &str) {
    assert_eq!(output.status.code(), Some(status), "{}", said(output));
    assert!(said(output).contains(words), "{}", said(output));
}

fn opens(host: &Host, user: &str, code: &str) -> bool {
    host.login(user).typing(code).code() == ReturnCode::SUCCESS
}

/// Every command of a helpdesk about a user.
fn commands<'a>(user: &'a str, serial: &'a str) -> [Vec<&'a str>; 7] {
    [
        vec!["status", user],
        vec!["verify", user, ANY_CODE],
        vec!["unlock", user],
        vec!["code", user],
        vec!["code", user, "--revoke"],
        vec!["reset", user, "--yes"],
        vec!["token", "assign", serial, user],
    ]
}

/// The seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Two codes that a token shows one after the other, so many steps from now.
fn pair(fob: &Fob, steps: i64) -> [String; 2] {
    loop {
        let before = now() / 30;
        let pair = [fob.authenticator.code(steps), fob.authenticator.code(steps + 1)];
        if now() / 30 == before {
            return pair;
        }
    }
}

/// The events of a user that `twofactor log` shows, as `event by`.
fn events(host: &Host, user: &str) -> Vec<String> {
    let time = host.succeed("date", ["--utc", "+%Y-%m-%dT%H:%M:%SZ"]);
    let lines = host.log().into_iter().map(|line| format!("{} testhost {}\n", time.trim(), line.text));
    fs::create_dir_all("/var/log").unwrap();
    fs::write("/var/log/auth.log", lines.collect::<String>()).unwrap();
    let log = host.json(&["log", "--user", user]);
    let entries = log.as_array().unwrap().iter();
    entries.filter_map(|entry| Some(format!("{} {}", entry["event"].as_str()?, entry["by"].as_str()?))).collect()
}

#[test]
fn a_member_sees_what_root_sees_and_unlocks() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        host.assign_more(&Fob::button(1), "alice");
        let _broker = host.broker();
        assert!(opens(host, "alice", &alice.code()));
        for _ in 0..6 {
            assert!(!opens(host, "alice", &alice.wrong_code()));
        }
        let (seen, root_sees) = (json_by(host, "hanna", &["status", "alice"]), host.json(&["status", "alice"]));
        assert_eq!(seen, root_sees);
        assert!(seen["failures"].as_u64() >= Some(5) && seen["tokens"].as_array().unwrap().len() == 2, "{seen}");
        // But for the seconds that are left of the delay.
        let text = |text: &str| text.lines().filter(|line| !line.contains("delayed")).collect::<Vec<_>>().join("\n");
        let shown = String::from_utf8(by(host, "hanna", &["status", "alice"]).stdout).unwrap();
        assert_eq!(text(&shown), text(&host.succeed("twofactor", ["status", "alice"])));
        let line = host.assert_logged(&["pam_twofactor(broker:auth): viewed user=alice", "by=hanna"]);
        assert!(line.contains(&format!("asked_by={}", uid_of("hanna"))), "{line}");

        let unlocked = json_by(host, "hanna", &["unlock", "alice"]);
        assert_eq!((&unlocked["user"], unlocked["failures"].as_u64() >= Some(5)), (&"alice".into(), true));
        assert_eq!(host.json(&["status", "alice"])["failures"], 0);
        assert!(opens(host, "alice", &alice.authenticator.code(1)), "she is not delayed");
        host.assert_logged(&["(broker:auth): unlocked user=alice asked_by=", "failures=", "by=hanna"]);

        host.add_user("bob");
        refused(&by(host, "hanna", &["status", "bob"]), 3, "bob is not enrolled");
        refused(&by(host, "hanna", &["unlock", "bob"]), 3, "bob is not enrolled");
        host.json(&["invite", "bob"]);
        let invited = by(host, "hanna", &["status", "bob"]);
        refused(&invited, 3, "Invitation:      open until");
        refused(&by(host, "hanna", &["status", "nonesuch"]), 3, "there is no user \"nonesuch\"");
        // What is not a helpdesk's stays root's.
        for arguments in [
            &["status", "--missing"][..],
            &["reset", "alice", "--keep-secret", "--yes"],
            &["token", "assign", "C0000001", "alice", "--force"],
            &["token", "unassign", "C0000001"],
            &["recovery", "alice"],
            &["invite", "alice"],
            &["enroll", "alice", "--replace"],
            &["--config", "/etc/twofactor/twofactor.toml", "unlock", "alice"],
        ] {
            refused(&by(host, "hanna", arguments), 4, "only root can do this");
        }
    });
}

#[test]
fn a_temporary_code_is_shown_to_the_member_alone_and_opens_once() {
    private_host(|host| {
        with_helpdesk(host, "");
        lenient(host);
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let given = json_by(host, "hanna", &["code", "alice", "--valid", "30m"]);
        let code = given["code"].as_str().unwrap().to_owned();
        assert_eq!(host.json(&["status", "alice"])["temporary_code_until"], given["until"]);
        host.assert_logged(&["(broker:auth): code-given user=alice asked_by=", "until=", "by=hanna"]);
        let digits = code.replace('-', "");
        let in_log = |line: String| line.contains(&digits) || line.contains(&code);
        assert!(!host.log().into_iter().any(|line| in_log(format!("{line:?}"))), "the code is in the log");
        assert!(opens(host, "alice", &code));
        assert!(!opens(host, "alice", &code), "once");
        assert!(opens(host, "alice", &alice.code()), "beside all else");

        // A code that the member cannot see is void.
        let unseen =
            host.twofactor_of("hanna", &["code", "alice"]).stdout(fs::File::create("/dev/full").unwrap()).output();
        refused(&unseen.unwrap(), 1, "the code is void again");
        assert!(host.json(&["status", "alice"])["temporary_code_until"].is_null());
        let text = said(&by(host, "hanna", &["code", "alice"]));
        assert!(text.contains("alice can log in, once, until "), "{text}");
        assert_eq!(json_by(host, "otto", &["code", "alice", "--revoke"])["revoked"], true);
        host.assert_logged(&["(broker:auth): code-revoked user=alice", "by=otto"]);
        assert_eq!(json_by(host, "otto", &["code", "alice", "--revoke"])["revoked"], false);
        refused(&by(host, "hanna", &["code", "alice", "--valid", "31days"]), 2, "");
        host.add_user("bob");
        refused(&by(host, "hanna", &["code", "bob"]), 3, "bob is not enrolled");
    });
}

#[test]
fn a_user_who_is_no_member_is_told_nothing_of_others() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fob = Fob::clock(1);
        let alice = host.user_with_app("alice");
        host.user_with("bob", &fob);
        host.add_user("mallory");
        let _broker = host.broker();
        let serial = fob.serial.as_str();
        for user in ["alice", "hanna", "root", "nonesuch"] {
            for arguments in commands(user, serial) {
                let told = said(&by(host, "mallory", &arguments));
                refused(&by(host, "mallory", &arguments), 4, "only root can do this");
                assert_eq!(told, said(&by(host, "mallory", &arguments)), "{user}");
            }
        }
        for serial in [serial, "T0000009"] {
            refused(&by(host, "mallory", &["token", "resync", serial, ANY_CODE, ANY_CODE]), 4, "only root can do this");
        }
        let question = |verb: &str, user: &str| {
            let uid = if user == "nonesuch" { 4711 } else { uid_of(user) };
            ask(host, uid_of("mallory"), &format!(" version=1 ask={verb} user={user} uid={uid}"))
        };
        let answers = ["alice", "hanna", "root", "nonesuch", "mallory"].map(|user| question("help-reset", user));
        assert!(answers[0].contains("answer=failed error=not-root"), "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        // Root has the commands, and no verb of a helpdesk.
        let root = ask(host, 0, &format!(" version=1 ask=help-reset user=alice uid={}", uid_of("alice")));
        assert!(root.contains("answer=failed error=not-root"), "{root}");
        assert!(opens(host, "alice", &alice.code()), "nothing was done");

        // A member who has left is none from the next question on, in a session from before, too.
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        host.succeed("gpasswd", ["--delete", "hanna", "helpdesk"]);
        refused(&by(host, "hanna", &["unlock", "alice"]), 4, "only root can do this");
        let gid = host.succeed("sh", ["-c", "getent group helpdesk | cut -d: -f3"]);
        let (uid, gid) = (format!("--reuid={}", uid_of("hanna")), format!("--groups={}", gid.trim()));
        let old = host.command("setpriv").args([&uid, &gid]).args(["twofactor", "unlock", "alice"]).output().unwrap();
        refused(&old, 4, "only root can do this");
        // Without a helpdesk nothing changes.
        host.configure("");
        refused(&by(host, "otto", &["unlock", "alice"]), 4, "only root can do this");
    });
}

#[test]
fn root_members_and_protected_users_are_helped_by_no_member() {
    private_host(|host| {
        host.succeed("groupadd", ["personnel"]);
        with_helpdesk(host, "");
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        let alice = host.user_with_app("alice");
        let bobby = host.user_with_app("bobby");
        host.enroll("otto", &[]);
        host.enroll("hanna", &[]);
        host.enroll("root", &[]);
        host.succeed("gpasswd", ["--add", "alice", "sudo"]);
        host.succeed("gpasswd", ["--add", "bobby", "personnel"]);
        // A second name of an administrator, and one of root.
        let second = |name: &str, uid: u32| {
            host.succeed("useradd", ["--non-unique", "--uid", &uid.to_string(), "--no-create-home", name]);
        };
        second("alice2", uid_of("alice"));
        second("toor", 0);
        let broker = host.broker();
        let serial = fob.serial.as_str();
        for user in ["root", "toor", "otto", "alice", "alice2"] {
            for arguments in commands(user, serial) {
                refused(&by(host, "hanna", &arguments), 4, PROTECTED);
            }
        }
        for arguments in commands("hanna", serial).into_iter().filter(|arguments| arguments[0] != "status") {
            refused(&by(host, "hanna", &arguments), 4, "does not help himself");
        }
        host.assert_logged(&["(broker:auth): error user=alice asked_by=", "helpdesk, leave: protected", "by=hanna"]);
        assert!(opens(host, "alice", &alice.code()), "nothing was done");
        // bobby is protected by no rule, and then by one of two.
        assert!(by(host, "hanna", &["unlock", "bobby"]).status.success());
        host.configure("[[helpdesk]]\ngroup = \"helpdesk\"\nprotected = [\"personnel\"]\n");
        refused(&by(host, "hanna", &["unlock", "bobby"]), 4, PROTECTED);
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success(), "the list that is stated holds");
        host.succeed("groupadd", ["night"]);
        host.succeed("gpasswd", ["--add", "otto", "night"]);
        host.configure(&format!("[[helpdesk]]\ngroup = \"night\"\nprotected = []\n{HELPDESK}"));
        assert!(by(host, "otto", &["unlock", "alice"]).status.success(), "each rule gives leave on its own");
        refused(&by(host, "hanna", &["unlock", "alice"]), 4, PROTECTED);
        refused(&by(host, "hanna", &["unlock", "otto"]), 4, PROTECTED);
        // By their primary group, too.
        host.succeed("usermod", ["--gid", "sudo", "bobby"]);
        refused(&by(host, "hanna", &["unlock", "bobby"]), 4, PROTECTED);
        assert!(!bobby.recovery_codes.is_empty());
        drop(broker);
        refused(&by(host, "hanna", &["unlock", "bobby"]), 1, "no broker listens");
    });
}

#[test]
fn where_a_membership_is_not_certain_no_member_helps() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        host.add_user("mallory");
        let _broker = host.broker();
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        let nsswitch = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let others: Vec<&str> = nsswitch.lines().filter(|line| !line.starts_with("group")).collect();
        fs::write("/etc/nsswitch.conf", format!("{}\ngroup: files sss\n", others.join("\n"))).unwrap();
        // That hanna is a member is certain. That alice is in no protected group is not.
        for arguments in commands("alice", "T0000001") {
            refused(&by(host, "hanna", &arguments), 1, "the broker cannot answer");
        }
        host.assert_logged(&[
            "error user=alice",
            "reason=store-unavailable",
            "not certain whether alice is in the group",
        ]);
        // Nor is it certain that mallory is none.
        refused(&by(host, "mallory", &["unlock", "alice"]), 1, "the broker cannot answer");
        host.assert_logged(&["reason=store-unavailable", "not certain whether mallory is in the group"]);
        // A group file that cannot be read proves nothing.
        fs::write("/etc/nsswitch.conf", format!("{}\ngroup: files\n", others.join("\n"))).unwrap();
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        let groups = fs::read_to_string("/etc/group").unwrap();
        fs::write("/etc/group", groups.replace("sudo:x:27:", "sudo:x:nonsense:alice")).unwrap();
        refused(&by(host, "hanna", &["unlock", "alice"]), 1, "the broker cannot answer");
        fs::write("/etc/group", groups).unwrap();
        assert!(opens(host, "alice", &alice.code()), "nothing was done");
    });
}

#[test]
fn a_code_that_is_read_to_a_member_is_used_up() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let code = alice.code();
        let seen = json_by(host, "hanna", &["verify", "alice", &code]);
        assert_eq!((&seen["accepted"], &seen["label"]), (&true.into(), &"app".into()));
        host.assert_logged(&["(broker:auth): checked user=alice asked_by=", "outcome=right by=hanna"]);
        assert!(!opens(host, "alice", &code), "the member has heard it");
        refused(&by(host, "otto", &["verify", "alice", &code]), 5, "it was used already (replayed)");
        assert!(host.json(&["status", "alice"])["last_accepted"].is_null(), "it was no login");
        assert!(opens(host, "alice", &alice.authenticator.code(1)));
        // Recovery codes and temporary codes as well.
        let recovery = &alice.recovery_codes[0];
        let told = said(&by(host, "hanna", &["verify", "alice", recovery]));
        assert!(told.contains("would be accepted (recovery code)"), "{told}");
        assert!(!opens(host, "alice", recovery));
        let temporary = host.json(&["code", "alice"])["code"].as_str().unwrap().to_owned();
        let told = said(&host.run_twofactor_of("hanna", &["verify", "alice"], &format!("{temporary}\n")));
        assert!(told.contains("would be accepted (temporary code)"), "{told}");
        assert!(!opens(host, "alice", &temporary));
        // A code of another time is told, and opens nothing when its time has come.
        let (now, early) = (now(), alice.authenticator.code(8));
        let told = by(host, "hanna", &["verify", "alice", &early]);
        refused(&told, 5, "the app \"app\" seems to be ");
        assert!(said(&told).contains("steps ahead (wrong-code)"), "{}", said(&told));
        let later = Moment(now).after(8 * 30);
        let alone = host.login_at(later, "alice").conversing(|_, _| early.clone());
        assert_ne!(alone.code(), ReturnCode::SUCCESS, "the code after it is asked for, too");
        refused(&by(host, "hanna", &["verify", "alice", "letters"]), 5, "that is no code");
        host.add_user("bob");
        refused(&by(host, "hanna", &["verify", "bob", ANY_CODE]), 3, "bob is not enrolled");
    });
}

#[test]
fn wrong_codes_at_the_helpdesk_are_bounded_and_delay_nothing_of_the_users() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let verify = |member: &str, code: &str| by(host, member, &["verify", "alice", code]);
        for _ in 0..5 {
            refused(&verify("hanna", &alice.wrong_code()), 5, "not a valid code for alice right now");
        }
        let code = alice.code();
        refused(&verify("hanna", &code), 5, "too many wrong codes were tried here");
        refused(&verify("otto", &code), 5, "too many wrong codes were tried here");
        host.assert_logged(&["denied user=alice", "reason=throttled", "helpdesk, verify: throttled", "by=otto"]);
        // No member forgets them, and no reset or code does.
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        refused(&verify("hanna", &code), 5, "too many wrong codes were tried here");
        let status = host.json(&["status", "alice"]);
        assert_eq!((&status["failures"], &status["own_failures"]), (&0.into(), &0.into()), "{status}");
        assert!(opens(host, "alice", &code), "no login is delayed");
        assert_eq!(
            host.login("alice").uid(uid_of("alice")).typing(alice.authenticator.code(1)).code(),
            ReturnCode::SUCCESS
        );
        host.succeed("twofactor", ["unlock", "alice"]);
        refused(&verify("hanna", &code), 5, "it was used already");
        let question =
            format!(" version=1 ask=help-verify user=alice uid={} code={}", uid_of("alice"), alice.wrong_code());
        let began = Instant::now();
        assert!(ask(host, uid_of("hanna"), &question).contains("verdict=wrong"));
        assert!(began.elapsed() >= Duration::from_millis(250), "a refusal takes its time");
    });
}

#[test]
fn a_reset_forgets_apps_and_leaves_tokens() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fob = Fob::clock(1);
        let alice = host.user_with_app("alice");
        host.assign_more(&fob, "alice");
        let _broker = host.broker();
        refused(&by(host, "hanna", &["reset", "alice"]), 7, "no question can be asked");
        let done = json_by(host, "hanna", &["reset", "alice", "--yes"]);
        assert_eq!((&done["secret_kept"], &done["tokens"][0]), (&false.into(), &fob.serial.as_str().into()), "{done}");
        assert!(!opens(host, "alice", &alice.code()));
        assert!(opens(host, "alice", &fob.authenticator.code(0)));
        host.assert_logged(&["(broker:auth): reset user=alice asked_by=", "by=hanna"]);
        refused(&by(host, "hanna", &["reset", "alice", "--yes"]), 3, "physical tokens only");
        host.add_user("bob");
        refused(&by(host, "hanna", &["reset", "bob", "--yes"]), 3, "bob is not enrolled");
    });
}

#[test]
fn a_token_is_assigned_from_the_inventory_and_no_other_way() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fobs = Fob::box_of(1, 3);
        host.import(&fobs);
        host.add_user("alice");
        let bobby = host.user_with_app("bobby");
        host.sysadmin(&["token", "disable", &fobs[2].serial]);
        let _broker = host.broker();
        let assign = |fob: &Fob, user: &str| by(host, "hanna", &["--json", "token", "assign", &fob.serial, user]);
        let given = json(&assign(&fobs[0], "alice"));
        assert_eq!((&given["serial"], &given["user"]), (&fobs[0].serial.as_str().into(), &"alice".into()));
        assert!(opens(host, "alice", &fobs[0].authenticator.code(0)));
        // It stays where it is.
        refused(&assign(&fobs[0], "bobby"), 7, "is assigned already");
        refused(&assign(&fobs[0], "alice"), 7, "is assigned already");
        assert_eq!(host.json(&["token", "show", &fobs[0].serial])["user"], "alice");
        refused(&assign(&fobs[2], "bobby"), 7, "is disabled or lost");
        refused(&by(host, "hanna", &["token", "assign", "T0000009", "bobby"]), 3, "there is no token T0000009");
        host.sysadmin(&["token", "revoke", &fobs[1].serial, "--yes"]);
        refused(&assign(&fobs[1], "bobby"), 7, "is revoked");
        host.assert_logged(&["(broker:auth): assigned serial=T0000001 user=alice asked_by=", "by=hanna"]);
        let shown = events(host, "alice");
        assert_eq!(shown.iter().filter(|event| *event == "assigned hanna").count(), 1, "{shown:?}");
        assert!(opens(host, "bobby", &bobby.code()));
    });
}

#[test]
fn a_token_is_set_right_by_two_codes_that_are_counted_and_used_up() {
    private_host(|host| {
        with_helpdesk(host, "");
        let (fob, boxed) = (Fob::clock(1), Fob::clock(2));
        host.user_with("alice", &fob);
        host.import(std::slice::from_ref(&boxed));
        let _broker = host.broker();
        let resync = |member: &str, serial: &str, codes: [&str; 2]| {
            by(host, member, &["--json", "token", "resync", serial, codes[0], codes[1]])
        };
        let far = pair(&fob, 200);
        let set = json(&resync("hanna", &fob.serial, [&far[0], &far[1]]));
        let drift = set["drift"].as_i64().unwrap();
        assert!(set["user"] == "alice" && (195..=201).contains(&drift), "{set}");
        refused(&resync("otto", &fob.serial, [&far[0], &far[1]]), 5, "these are not two consecutive new codes");
        host.assert_logged(&["(broker:auth): resynced serial=T0000001 user=alice asked_by=", "drift=", "by=hanna"]);
        host.assert_logged(&["denied serial=T0000001 user=alice", "reason=wrong-code", "by=otto"]);
        assert!(!opens(host, "alice", &far[1]), "both are used up");
        assert!(opens(host, "alice", &fob.authenticator.code(202)));
        let shown = events(host, "alice");
        assert!(shown.contains(&"resynced hanna".to_owned()), "{shown:?}");
        // Guesses are bounded, and delay no login.
        let mut wrong = fob.authenticator.wrong_codes();
        for _ in 0..4 {
            let (first, second) = (wrong.next().unwrap(), wrong.next().unwrap());
            refused(&resync("hanna", &fob.serial, [&first, &second]), 5, "these are not two consecutive new codes");
        }
        let next = pair(&fob, 203);
        refused(&resync("hanna", &fob.serial, [&next[0], &next[1]]), 5, "too many wrong codes were tried here");
        assert!(opens(host, "alice", &next[0]));
        // The owner decides, and a token without one is root's matter.
        refused(&resync("hanna", &boxed.serial, [ANY_CODE; 2]), 7, "is not assigned to a user");
        refused(&resync("hanna", "T0000009", [ANY_CODE; 2]), 3, "there is no token T0000009");
        host.succeed("gpasswd", ["--add", "alice", "sudo"]);
        refused(&resync("hanna", &fob.serial, [ANY_CODE; 2]), 4, PROTECTED);
    });
}

/// The service of [`told`].
fn lenient(host: &Host) {
    let lines = "auth required pam_twofactor.so\nauth required pam_permit.so\n\
                 account required pam_twofactor.so\naccount required pam_permit.so\n";
    host.service("lenient", lines);
}

/// The texts of a login that shows them.
fn told(host: &Host, user: &str, code: &str) -> String {
    let outcome = host.login(user).service("lenient").calls("authenticate,account").typing(code);
    assert_eq!(outcome.code_of("account"), ReturnCode::SUCCESS);
    outcome.texts().join("\n")
}

#[test]
fn the_user_is_told_of_each_act_at_the_next_login_however_often_one_is_repeated() {
    private_host(|host| {
        with_helpdesk(host, "");
        lenient(host);
        let fobs = Fob::box_of(1, 1);
        host.import(&fobs);
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let serial = fobs[0].serial.as_str();
        for arguments in [
            &["code", "alice"][..],
            &["code", "alice", "--revoke"],
            &["token", "assign", serial, "alice"],
            &["token", "resync", serial, ANY_CODE, ANY_CODE],
            &["status", "alice"],
        ] {
            by(host, "hanna", arguments);
        }
        // A member who wants a notice to be forgotten repeats another act.
        for _ in 0..20 {
            by(host, "hanna", &["unlock", "alice"]);
        }
        by(host, "hanna", &["verify", "alice", &alice.wrong_code()]);
        let text = told(host, "alice", &alice.code());
        for change in [
            "temporary code given out",
            "temporary code taken back",
            "physical token assigned",
            "two codes of a token tried",
            "a code tried",
            "wrong codes forgotten",
        ] {
            let by = format!("by the helpdesk (uid {}): {change}.", uid_of("hanna"));
            assert_eq!(text.matches(&by).count(), 1, "{by}: {text}");
        }
        assert_eq!(text.lines().count(), 6, "a look changes nothing: {text}");
        let recovery = &alice.recovery_codes;
        assert_eq!(told(host, "alice", &recovery[0]), "", "once");
        by(host, "hanna", &["reset", "alice", "--yes"]);
        let text = told(host, "alice", &fobs[0].authenticator.code(1));
        assert!(
            text.contains("by the helpdesk (uid") && text.contains("apps, ssh keys and recovery codes forgotten"),
            "{text}"
        );

        let shown = events(host, "alice");
        for event in ["code-given", "code-revoked", "assigned", "viewed", "unlocked", "checked", "reset"] {
            assert!(shown.contains(&format!("{event} hanna")), "{event}: {shown:?}");
        }
    });
}

/// The member who gave it out may log in with it.
#[test]
fn a_login_with_a_temporary_code_makes_no_notice_untold() {
    private_host(|host| {
        with_helpdesk(host, "");
        lenient(host);
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let given = json_by(host, "hanna", &["code", "alice"])["code"].as_str().unwrap().to_owned();
        for code in [given.as_str(), &alice.recovery_codes[0]] {
            assert!(told(host, "alice", code).contains("temporary code given out"), "{code}");
        }
        assert_eq!(told(host, "alice", &alice.recovery_codes[1]), "", "once");
    });
}

/// The command asks for leave first. A program that does not is refused as well.
#[test]
fn no_act_is_done_for_a_protected_user_where_leave_was_not_asked_for() {
    private_host(|host| {
        with_helpdesk(host, "");
        for group in ["sudo", "wheel", "admin"] {
            let _ = host.command("groupadd").arg(group).output();
            host.add_user(&format!("of-{group}"));
            host.succeed("gpasswd", ["--add", &format!("of-{group}"), group]);
        }
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        host.enroll("otto", &[]);
        host.succeed("twofactor", ["token", "assign", &fob.serial, "otto"]);
        let _broker = host.broker();
        let before = host.json(&["status", "otto"]);
        for user in ["root", "hanna", "otto", "of-sudo", "of-wheel", "of-admin"] {
            let about = format!("user={user} uid={}", uid_of(user));
            for act in [
                format!("help-status {about}"),
                format!("help-verify {about} code=123456"),
                format!("help-unlock {about}"),
                format!("help-code {about} seconds=3600"),
                format!("help-revoke-code {about}"),
                format!("help-reset {about}"),
                format!("help-assign {about} serial={}", fob.serial),
                format!("help-resync owner_of={} code=123456 code=654321", fob.serial),
            ] {
                let answer = ask(host, uid_of("hanna"), &format!(" version=1 ask={act}"));
                assert!(answer.contains("answer=not-helped"), "{act}: {answer}");
            }
        }
        assert_eq!(host.json(&["status", "otto"]), before);
    });
}

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

#[test]
fn a_name_that_has_passed_to_another_person_is_not_helped() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let old = uid_of("alice");
        let _broker = host.broker();
        host.renumber("alice", 4444);
        // The member's program has looked the name up before.
        let question = format!(" version=1 ask=help-code user=alice uid={old} seconds=60");
        let answer = ask(host, uid_of("hanna"), &question);
        assert!(answer.contains("answer=not-helped why=no-user"), "{answer}");
        for arguments in commands("alice", "T0000001").into_iter().filter(|arguments| arguments[0] != "status") {
            let refusal = by(host, "hanna", &arguments);
            let is_refused = [Some(3), Some(7)].contains(&refusal.status.code());
            assert!(is_refused, "{}", said(&refusal));
        }
        refused(&by(host, "hanna", &["reset", "alice", "--yes"]), 7, "belongs to another person");
        host.assert_logged(&["user=alice", "reason=uid-changed", "by=hanna"]);
        let seen = json_by(host, "hanna", &["status", "alice"]);
        assert_eq!((&seen["uid"], &seen["uid_now"]), (&old.into(), &4444.into()));
        // The uid of a member who is gone makes no member of its next user.
        host.give_name_to_another("otto", 4545);
        host.succeed("userdel", ["hanna"]);
        host.renumber("alice", old);
        host.succeed("useradd", ["--uid", "4646", "mallory"]);
        host.renumber("mallory", 4747);
        refused(&by(host, "mallory", &["unlock", "alice"]), 4, "only root can do this");
        assert!(opens(host, "alice", &alice.code()), "nothing was done");
    });
}
