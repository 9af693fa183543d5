//! A user leaves, and the name is given to another person: the account stays the former one's.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::pam::{Answer, Outcome, ReturnCode, Running};
use twofactor_tests::private_host::{Host, PASSWORD, private_host};

const ANOTHER: u32 = 4444;

/// What the log says beside the reason.
const CHANGED: &str = "and bob is uid 4444 now\" hint=\"the same person: twofactor state adopt-uids bob; another person: \
                       twofactor reset bob\"";

fn level(host: &Host, level: &str) {
    host.configure(&format!("[default]\nsecond_factor = \"{level}\"\n"));
}

/// What the user saw.
fn seen(outcome: &Outcome) -> Vec<(&str, &str)> {
    outcome.messages.iter().map(|message| (message.style.as_str(), message.text.as_str())).collect()
}

#[test]
fn the_former_persons_app_is_refused_at_every_level_and_looks_like_any_refusal() {
    private_host(|host| {
        let bob = host.user_with_app("bob");
        let wrong = host.login("bob").typing(bob.wrong_code());
        host.give_name_to_another("bob", ANOTHER);
        for name in ["required", "enroll", "optional"] {
            level(host, name);
            let outcome = host.login("bob").typing(bob.code());
            assert_eq!((outcome.code(), seen(&outcome)), (wrong.code(), seen(&wrong)), "{name}");
            host.assert_logged(&["denied user=bob", "reason=uid-changed", CHANGED]);
        }
        host.service("lenient", "auth required pam_twofactor.so nullok\naccount required pam_permit.so\n");
        level(host, "required");
        let outcome = host.login("bob").service("lenient").typing(bob.code());
        assert_eq!((outcome.code(), seen(&outcome)), (ReturnCode::AUTH_ERR, seen(&wrong)), "nullok");
        assert_eq!(host.login("bob").typing(&bob.recovery_codes[0]).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.failures("bob"), 1, "only the wrong code before");
    });
}

#[test]
fn once_the_account_is_cleared_the_new_person_enrolls_and_the_former_app_stays_out() {
    private_host(|host| {
        let former = host.user_with_app("bob");
        let code = former.code();
        assert_eq!(host.login("bob").typing(&code).code(), ReturnCode::SUCCESS);
        host.give_name_to_another("bob", ANOTHER);
        host.succeed("twofactor", ["reset", "bob", "--yes"]);
        let new = host.enroll("bob", &[]);
        assert_eq!(host.login("bob").typing(former.authenticator.code(1)).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=bob", "reason=wrong-code"]);
        assert_eq!(host.login("bob").typing(new.code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_renumbered_user_goes_on_once_the_uid_is_adopted_and_used_codes_stay_used() {
    private_host(|host| {
        let bob = host.user_with_app("bob");
        let used = bob.code();
        assert_eq!(host.login("bob").typing(&used).code(), ReturnCode::SUCCESS);
        host.renumber("bob", ANOTHER);
        let next = bob.authenticator.code(1);
        assert_eq!(host.login("bob").typing(&next).code(), ReturnCode::AUTH_ERR);
        host.succeed("twofactor", ["state", "adopt-uids", "bob", "--yes"]);
        assert_eq!(host.login("bob").typing(&used).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=bob", "reason=replayed"]);
        assert_eq!(host.login("bob").typing(&next).code(), ReturnCode::SUCCESS, "the refused one was not burned");
    });
}

#[test]
fn a_login_under_way_is_judged_by_who_it_was_when_it_began() {
    private_host(|host| {
        let bob = host.user_with_app("bob");
        let adopt = || host.succeed("twofactor", ["state", "adopt-uids", "bob", "--yes"]);
        let mut before = host.login("bob").start();
        before.expect_prompt();
        host.renumber("bob", ANOTHER);
        let mut after = host.login("bob").start();
        after.expect_prompt();
        adopt();
        let code = bob.code();
        assert_eq!(before.ending_with(&code).code(), ReturnCode::AUTH_ERR, "it began as another uid");
        host.assert_logged(&["denied user=bob", "reason=uid-changed", "belongs to uid 4444"]);
        assert_eq!(after.ending_with(&code).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn of_logins_beside_an_adoption_one_wins() {
    private_host(|host| {
        let bob = host.user_with_app("bob");
        host.renumber("bob", ANOTHER);
        let mut logins: Vec<_> = (0..8).map(|_| host.login("bob").start()).collect();
        for login in &mut logins {
            login.expect_prompt();
        }
        let code = bob.code();
        let mut adopting =
            host.twofactor(&["state", "adopt-uids", "bob", "--yes"]).stdout(Stdio::null()).spawn().unwrap();
        let answer = Answer::from(code.as_str());
        for login in &mut logins {
            login.answer(&answer);
        }
        let ended = |login: &mut Running| {
            login.advance();
            login.outcome().code()
        };
        let accepted =
            logins.iter_mut().filter_map(|login| (ended(login) == ReturnCode::SUCCESS).then_some(())).count();
        logins.into_iter().for_each(Running::finish);
        assert!(adopting.wait().unwrap().success());
        assert!(accepted <= 1, "{accepted} sessions with one code");
        let again = host.login("bob").typing(&code).code();
        assert_eq!(again == ReturnCode::SUCCESS, accepted == 0, "good once, before or after");
        assert_eq!(host.json(&["status", "bob"])["uid"], ANOTHER, "no login has undone it");
    });
}

#[test]
fn an_account_of_an_older_version_learns_the_uid_at_its_first_accepted_login() {
    private_host(|host| {
        host.user_with_app("bob");
        let bob = put_account_of_an_older_version(host, "bob");
        assert_eq!(host.json(&["status", "bob"])["uid"], serde_json::Value::Null);
        assert_eq!(host.login("bob").typing(bob.wrong_codes().next().unwrap()).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.json(&["status", "bob"])["uid"], serde_json::Value::Null);
        assert_eq!(host.login("bob").typing(bob.code(0)).code(), ReturnCode::SUCCESS);
        let uid: u32 = host.succeed("id", ["-u", "bob"]).trim().parse().unwrap();
        assert_eq!(host.json(&["status", "bob"])["uid"], uid);
        host.give_name_to_another("bob", ANOTHER);
        assert_eq!(host.login("bob").typing(bob.code(1)).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=bob", "reason=uid-changed"]);
    });
}

#[test]
fn a_token_opens_no_login_of_the_next_person_with_its_owners_name() {
    private_host(|host| {
        host.add_user("bob");
        let fob = Fob::clock(1);
        host.assign_more(&fob, "bob");
        host.give_name_to_another("bob", ANOTHER);
        assert_eq!(host.login("bob").typing(fob.authenticator.code(0)).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=bob", "reason=uid-changed"]);
        level(host, "optional");
        assert_eq!(host.login("bob").typing(fob.authenticator.code(0)).code(), ReturnCode::AUTH_ERR, "never absent");
        host.succeed("twofactor", ["token", "unassign", "--force", &fob.serial]);
        host.assign(&fob, "bob");
        assert_eq!(host.login("bob").typing(fob.authenticator.code(0)).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn where_password_and_code_come_together_the_former_persons_code_is_refused_and_never_stripped() {
    private_host(|host| {
        let combined = "[prompt]\ncombined = [\"combined\"]\n";
        let bob = host.user_with_app("bob");
        host.give_name_to_another("bob", ANOTHER);
        host.service("combined", "auth required pam_twofactor.so\nauth required pam_unix.so use_first_pass nodelay\n");
        host.configure(combined);
        let answer = format!("{PASSWORD}{}", bob.code());
        assert_eq!(host.login("bob").service("combined").typing(&answer).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=bob service=combined", "reason=uid-changed"]);
        host.configure(&format!("{combined}[default]\nsecond_factor = \"off\"\n"));
        assert_eq!(host.login("bob").service("combined").typing(&answer).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["error user=bob service=combined", "reason=uid-changed"]);
        assert_eq!(host.login("bob").service("combined").typing(PASSWORD).code(), ReturnCode::SUCCESS);
    });
}

/// Puts an account in the place of the user's that was written before accounts had a uid. Gives its app.
fn put_account_of_an_older_version(host: &Host, user: &str) -> Authenticator {
    let files = include_bytes!("../../fuzz/corpus/account/app");
    let end = files.iter().position(|byte| *byte == 0).expect("two files");
    let folder = Path::new("/var/lib/twofactor/users").join(user);
    for (name, content) in [("secret.toml", &files[..end]), ("state", &files[end + 1..])] {
        // In the place of one that has the right mode.
        fs::write(folder.join(name), content).unwrap();
    }
    let text = String::from_utf8_lossy(&files[..end]);
    let secret = text.lines().find_map(|line| line.strip_prefix("secret = \"")?.strip_suffix('"')).expect("a secret");
    assert_eq!(host.json(&["status", user])["tokens"][0]["state"], "active");
    Authenticator { secret: secret.to_owned(), algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) }
}
