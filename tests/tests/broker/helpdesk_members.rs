//! The members of a helpdesk that is not root, and the users whom they help.

use std::fs;

use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, private_host, said};

use crate::helpdesk::{HELPDESK, PROTECTED, by, commands, opens, refused, with_helpdesk};
use crate::helpdesk_tokens::pair;
use crate::{ask, uid_of};

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
        // That a group does not exist proves nothing either where it may come from elsewhere.
        let lists = "group: files sss\ninitgroups: files";
        fs::write("/etc/nsswitch.conf", format!("{}\n{lists}\n", others.join("\n"))).unwrap();
        assert!(host.command("getent").args(["group", "wheel"]).output().unwrap().stdout.is_empty());
        refused(&by(host, "hanna", &["unlock", "alice"]), 1, "the broker cannot answer");
        host.assert_logged(&["error user=alice", "not certain whether alice is in a protected group"]);
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
        for arguments in commands("alice", "T0000001") {
            let refusal = by(host, "hanna", &arguments);
            let is_refused = [Some(3), Some(7)].contains(&refusal.status.code());
            assert!(is_refused, "{}", said(&refusal));
        }
        refused(&by(host, "hanna", &["reset", "alice", "--yes"]), 7, "belongs to another person");
        host.assert_logged(&["user=alice", "reason=uid-changed", "by=hanna"]);
        let seen = by(host, "hanna", &["status", "alice"]);
        refused(&seen, 7, "belongs to another person");
        assert!(!said(&seen).contains("Recovery"), "{}", said(&seen));
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

/// A second name for a user's uid.
fn second_name(host: &Host, name: &str, of: &str) {
    host.succeed("useradd", ["--non-unique", "--uid", &uid_of(of).to_string(), "--no-create-home", name]);
}

#[test]
fn a_user_whose_other_name_is_protected_is_helped_under_none() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fob = Fob::clock(1);
        for user in ["alice", "bobby", "carla"] {
            host.user_with_app(user);
        }
        host.assign_more(&fob, "alice");
        second_name(host, "alice-adm", "alice");
        second_name(host, "bobby-desk", "bobby");
        second_name(host, "carla-too", "carla");
        let _broker = host.broker();
        let helps = |user: &str| by(host, "hanna", &["unlock", user]).status.success();
        assert!(helps("alice") && helps("bobby") && helps("carla"), "their other names may do no more");
        refused(&by(host, "hanna", &["unlock", "carla-too"]), 4, PROTECTED);
        host.succeed("gpasswd", ["--add", "alice-adm", "sudo"]);
        host.succeed("gpasswd", ["--add", "bobby-desk", "helpdesk"]);
        host.succeed("usermod", ["--gid", "sudo", "carla-too"]);
        for user in ["alice", "alice-adm", "bobby", "bobby-desk", "carla", "carla-too"] {
            for arguments in commands(user, "T0000009") {
                refused(&by(host, "hanna", &arguments), 4, PROTECTED);
            }
        }
        refused(&by(host, "hanna", &["token", "resync", &fob.serial, ANY_CODE, ANY_CODE]), 4, PROTECTED);
        // A name that cannot be looked up may be protected.
        host.succeed("gpasswd", ["--delete", "alice-adm", "sudo"]);
        assert!(helps("alice"));
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = format!("../alice:x:{}:27::/:/bin/sh\n", uid_of("alice"));
        fs::write("/etc/passwd", format!("{passwd}{line}")).unwrap();
        refused(&by(host, "hanna", &["unlock", "alice"]), 1, "the broker cannot answer");
        host.assert_logged(&[
            "error user=alice",
            "it is not certain under which names alice can log in",
            "no user name",
        ]);
        fs::write("/etc/passwd", &passwd).unwrap();
        assert!(helps("alice"));
    });
}

/// A source of users that lists none, as SSSD is: it has two more names of alice, one with the group sudo as its primary group, and
/// knows her by her own in capitals.
const DIRECTORY: &str = r#"
#include <nss.h>
#include <pwd.h>
#include <errno.h>
#include <string.h>
enum nss_status _nss_directory_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, int *error) {
    char *names[] = { "alice", "alice-adm", "alice-ops" }, *canonical = NULL;
    for (int i = 0; i < 3; i++) if (strcmp(name, i ? names[i] : "ALICE") == 0) canonical = names[i];
    if (!canonical) { *error = ENOENT; return NSS_STATUS_NOTFOUND; }
    *entry = (struct passwd) { canonical, "x", UID, canonical == names[2] ? 27 : UID, "", "/", "/bin/sh" };
    return NSS_STATUS_SUCCESS;
}
"#;

#[test]
fn where_users_come_from_a_directory_the_names_in_the_groups_are_looked_up() {
    private_host(|host| {
        with_helpdesk(host, "");
        host.user_with_app("alice");
        host.library("libnss_directory.so.2", &DIRECTORY.replace("UID", &uid_of("alice").to_string()));
        let nsswitch = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let others: Vec<&str> =
            nsswitch.lines().filter(|line| !line.starts_with("passwd") && !line.starts_with("group")).collect();
        let others = others.join("\n");
        let with_passwd = |sources: &str| {
            fs::write("/etc/nsswitch.conf", format!("{others}\npasswd: {sources}\ngroup: files\n")).unwrap();
        };
        let mut broker = host.command("twofactord");
        broker.env("LD_LIBRARY_PATH", host.place("."));
        let _broker = host.broker_by(broker);
        let groups = fs::read_to_string("/etc/group").unwrap();
        let in_sudo =
            |members: &str| fs::write("/etc/group", groups.replace("sudo:x:27:", &format!("sudo:x:27:{members}")));
        with_passwd("files directory");
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        in_sudo("alice-adm").unwrap();
        refused(&by(host, "hanna", &["unlock", "alice"]), 4, PROTECTED);
        // A primary group lists no members. The name is found by another group that lists it.
        in_sudo("").unwrap();
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        fs::write("/etc/group", format!("{groups}dialin:x:4711:alice-ops\n")).unwrap();
        refused(&by(host, "hanna", &["unlock", "alice"]), 4, PROTECTED);
        // The canonical name alone is helped: the account stands under it.
        in_sudo("").unwrap();
        let question = |user: &str| format!(" version=1 ask=help-unlock user={user} uid={}", uid_of("alice"));
        assert!(ask(host, uid_of("hanna"), &question("alice")).contains("answer=unlocked"));
        let answer = ask(host, uid_of("hanna"), &question("ALICE"));
        assert!(answer.contains("answer=not-helped why=no-user"), "{answer}");
        // What is too much to look up proves nothing.
        let members: Vec<String> = (0..1001).map(|number| format!("absent{number}")).collect();
        in_sudo(&members.join(",")).unwrap();
        refused(&by(host, "hanna", &["unlock", "alice"]), 1, "the broker cannot answer");
        host.assert_logged(&["error user=alice", "/etc/group lists 1001 names of a directory, too many to look up"]);
        with_passwd("files");
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success(), "the file has them all");
    });
}

#[test]
fn a_member_does_not_help_himself_under_another_name() {
    private_host(|host| {
        with_helpdesk(host, "");
        second_name(host, "hanna-too", "hanna");
        host.enroll("hanna", &[]);
        let hanna_too = host.enroll("hanna-too", &[]);
        let _broker = host.broker();
        for user in ["hanna", "hanna-too"] {
            for arguments in commands(user, "T0000009") {
                let own = arguments[0] == "status" && user == "hanna";
                if !own {
                    refused(&by(host, "hanna", &arguments), 4, "does not help himself");
                }
                refused(&by(host, "otto", &arguments), 4, PROTECTED);
            }
        }
        assert!(opens(host, "hanna-too", &hanna_too.code()), "nothing was done");
    });
}

#[test]
fn the_token_of_a_protected_user_is_not_set_right() {
    private_host(|host| {
        with_helpdesk(host, "");
        let (of_otto, of_alice) = (Fob::clock(1), Fob::clock(2));
        host.assign_more(&of_otto, "otto");
        host.user_with("alice", &of_alice);
        host.succeed("gpasswd", ["--add", "alice", "sudo"]);
        let _broker = host.broker();
        for (user, fob) in [("otto", &of_otto), ("alice", &of_alice)] {
            let codes = pair(fob, 0);
            let resync = ["token", "resync", &fob.serial, &codes[0], &codes[1]];
            refused(&by(host, "hanna", &resync), 4, PROTECTED);
            let question =
                format!(" version=1 ask=help-resync owner_of={} code={} code={}", fob.serial, codes[0], codes[1]);
            let answer = ask(host, uid_of("hanna"), &question);
            assert!(answer.contains("answer=not-helped why=protected"), "{answer}");
            assert!(opens(host, user, &codes[0]), "{user}: nothing was tried or used up");
        }
        refused(
            &by(host, "otto", &["token", "resync", &of_otto.serial, ANY_CODE, ANY_CODE]),
            4,
            "does not help himself",
        );
    });
}

#[test]
fn a_member_is_the_user_whom_the_kernel_names_and_no_namesake() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let ask_as =
            |uid: u32| ask(host, uid, &format!(" version=1 ask=help-unlock user=alice uid={}", uid_of("alice")));
        assert!(ask_as(uid_of("hanna")).contains("answer=unlocked"));
        // Root has the commands, and is no member.
        host.succeed("gpasswd", ["--add", "root", "helpdesk"]);
        // A second entry of a member's name, and a uid without an entry.
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        fs::write("/etc/passwd", format!("{passwd}hanna:x:4747:4747::/:/bin/sh\n")).unwrap();
        for uid in [0, 4747, 4848] {
            let answer = ask_as(uid);
            assert!(answer.contains("answer=failed error=not-root"), "{uid}: {answer}");
        }
        assert!(opens(host, "alice", &alice.code()));
    });
}
