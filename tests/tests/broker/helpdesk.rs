//! A helpdesk that is not root: the real command in processes of its members, through the real broker.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};

pub(crate) use crate::oneself::{json, opens, refused};
use crate::{ask, uid_of};

pub(crate) const HELPDESK: &str = "[[helpdesk]]\ngroup = \"helpdesk\"\n";
pub(crate) const STATE: &str = "/var/lib/twofactor/users/alice/state";
pub(crate) const PROTECTED: &str = "is root, of the helpdesk, or in a protected group";

/// A host with a helpdesk of two members.
pub(crate) fn with_helpdesk(host: &Host, more: &str) {
    host.succeed("groupadd", ["helpdesk"]);
    for member in ["hanna", "otto"] {
        host.add_user(member);
        host.succeed("gpasswd", ["--add", member, "helpdesk"]);
    }
    host.configure(&format!("{more}{HELPDESK}"));
    // The registry. What else may be wrong with the host is no matter here.
    host.run_twofactor(&["doctor", "--fix"]);
}

pub(crate) fn by(host: &Host, member: &str, arguments: &[&str]) -> Output {
    host.run_twofactor_of(member, arguments, "")
}

#[track_caller]
pub(crate) fn json_by(host: &Host, member: &str, arguments: &[&str]) -> Value {
    json(&by(host, member, &[&["--json"], arguments].concat()))
}

/// Every command of a helpdesk about a user.
pub(crate) fn commands<'a>(user: &'a str, serial: &'a str) -> [Vec<&'a str>; 7] {
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
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The events of a user that `twofactor log` shows, as `event by`.
pub(crate) fn events(host: &Host, user: &str) -> Vec<String> {
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

/// A public key of a security key, as ssh-keygen writes it.
fn ssh_key(number: u8) -> String {
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let kind = "sk-ssh-ed25519@openssh.com";
    let blob = [string(kind.as_bytes()), string(&[number; 32]), string(b"ssh:")].concat();
    format!("{kind} {} key number {number}\n", BASE64.encode(&blob))
}

#[test]
fn an_account_with_as_much_as_one_can_have_is_shown_and_helped() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let fobs = Fob::box_of(1, 16);
        host.import(&fobs);
        let serials: Vec<&str> = fobs.iter().map(|fob| fob.serial.as_str()).collect();
        for serial in &serials {
            host.sysadmin(&["token", "assign", serial, "alice"]);
        }
        for number in 0..100 {
            let file = host.private_file("key.pub", &ssh_key(number));
            host.sysadmin(&["ssh-key", "add", "alice", file.to_str().unwrap()]);
        }
        let _broker = host.broker();
        let (seen, root_sees) = (json_by(host, "hanna", &["status", "alice"]), host.json(&["status", "alice"]));
        assert_eq!(seen, root_sees);
        assert_eq!((seen["ssh_keys"].as_array().unwrap().len(), seen["tokens"].as_array().unwrap().len()), (100, 17));
        host.assert_logged(&["(broker:auth): viewed user=alice asked_by=", "by=hanna"]);
        // An act is told as done.
        assert_eq!(json_by(host, "hanna", &["unlock", "alice"])["user"], "alice");
        assert_eq!(json_by(host, "hanna", &["verify", "alice", &alice.code()])["accepted"], true);
        assert!(json_by(host, "hanna", &["code", "alice"])["code"].is_string());
        let done = json_by(host, "hanna", &["reset", "alice", "--yes"]);
        assert_eq!(done["tokens"].as_array().unwrap().len(), 16, "{done}");
    });
}

#[test]
fn where_logins_are_not_delayed_guesses_at_the_helpdesk_are() {
    private_host(|host| {
        with_helpdesk(host, "[throttle]\nfirst_delay = \"0s\"\n");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        for _ in 0..5 {
            refused(&by(host, "hanna", &["verify", "alice", &alice.wrong_code()]), 5, "not a valid code");
            assert!(!opens(host, "alice", &alice.wrong_code()));
        }
        refused(&by(host, "hanna", &["verify", "alice", &alice.code()]), 5, "too many wrong codes were tried here");
        assert!(opens(host, "alice", &alice.code()));
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

/// The service of [`told`].
pub(crate) fn lenient(host: &Host) {
    let lines = "auth required pam_twofactor.so\nauth required pam_permit.so\n\
                 account required pam_twofactor.so\naccount required pam_permit.so\n";
    host.service("lenient", lines);
}

/// The texts of a login that shows them.
pub(crate) fn told(host: &Host, user: &str, code: &str) -> String {
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
