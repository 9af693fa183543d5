//! A helpdesk that is not root, and physical tokens.

use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements::PYTHON;

use crate::helpdesk::{PROTECTED, by, events, json, now, opens, refused, with_helpdesk};

/// Two codes that a token shows one after the other, so many steps from now.
pub(crate) fn pair(fob: &Fob, steps: i64) -> [String; 2] {
    loop {
        let before = now() / 30;
        let pair = [fob.authenticator.code(steps), fob.authenticator.code(steps + 1)];
        if now() / 30 == before {
            return pair;
        }
    }
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

/// Has SQLite refuse each change of a token. The history can be written.
fn refuse_changes_of_tokens(host: &Host) {
    let text = "CREATE TRIGGER refusing BEFORE UPDATE ON tokens BEGIN SELECT RAISE(ABORT, 'refused'); END";
    change_registry(host, text);
}

/// Runs a statement in the registry, as no program of ours does.
pub(crate) fn change_registry(host: &Host, statement: &str) {
    let program = "import sqlite3, sys\nbase = sqlite3.connect('/var/lib/twofactor/registry.db')\n\
                   base.execute(sys.argv[1])\nbase.commit()";
    host.succeed(PYTHON, ["-c", program, statement]);
}

/// The member has heard them.
#[test]
fn two_right_codes_are_used_up_although_the_registry_fails_after_they_were_judged() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fob = Fob::clock(1);
        host.user_with("alice", &fob);
        let _broker = host.broker();
        let resync =
            |codes: &[String; 2]| by(host, "hanna", &["token", "resync", &fob.serial, codes[0].as_str(), &codes[1]]);
        refuse_changes_of_tokens(host);
        let heard = pair(&fob, 0);
        refused(&resync(&heard), 1, "the broker cannot answer");
        host.assert_logged(&["error serial=T0000001 user=alice", "reason=store-corrupt", "by=hanna"]);
        for code in &heard {
            assert!(!opens(host, "alice", code), "{code}");
        }
        // The owner goes on, and two new codes complete it.
        change_registry(host, "DROP TRIGGER refusing");
        refused(&resync(&heard), 5, "these are not two consecutive new codes");
        let next = pair(&fob, 2);
        assert!(resync(&next).status.success());
        assert!(opens(host, "alice", &fob.authenticator.code(4)));
    });
}
