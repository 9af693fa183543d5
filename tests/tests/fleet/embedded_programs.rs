//! The programs of a fleet whose central store is in files: `twofactor-server`, `twofactor`, the link and the module.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use twofactor_net::join_code::JoinCode;
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::private_host;

use super::administration::{counts_at_the_next_login, enrolled};
use super::embedded::Files;
use super::joining::{WEB1, added, join, store, with_own_authority};
use super::login;
use super::network::ask;
use super::program::{Machine, said};
use super::token_commands::tokens_open_sessions;
use super::{Enrolled, question};

/// A machine with a central store in files.
fn machine() -> Machine<Files> {
    Machine::on(Files::new())
}

#[test]
fn check_says_what_is_wrong_with_a_folder_and_changes_nothing() {
    let machine = machine();
    let checked = |part: &str| {
        let text = said(&machine.run(&["check"]));
        assert!(text.contains(part), "{part}: {text}");
    };
    checked("there is no such file");
    machine.make_keys();
    checked("ok       no tables yet");
    assert!(fs::read_dir(machine.postgres.path()).unwrap().next().is_none(), "nothing was made");
    let _ = enrolled(&machine, "alice");
    assert!(machine.run(&["check"]).status.success());
    checked("ok       the file of hosts is whole");
    checked("ok       every record opens: 1 accounts");

    fs::set_permissions(machine.postgres.path(), fs::Permissions::from_mode(0o755)).unwrap();
    checked("problem  ");
    fs::set_permissions(machine.postgres.path(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(machine.postgres.path().join("accounts/users/alice/state"), "?").unwrap();
    checked("problem  ");
    fs::write(machine.postgres.path().join("fleet.db"), "?").unwrap();
    let refused = machine.run(&["serve"]);
    assert!(!refused.status.success() && said(&refused).contains("fleet.db cannot be used"), "{}", said(&refused));
}

#[test]
fn a_host_joins_a_fleet_on_files_and_its_users_log_in_until_either_is_taken_away() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let rule = format!("[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n");
        let machine = with_own_authority(machine(), &rule);
        let _serving = machine.serve();
        let code = added(&machine, &[WEB1]);
        let joined = join(host, machine.address, &code, &[]);
        assert!(joined.status.success(), "{}", said(&joined));
        let linked = login::link_of(host);
        let alice = Enrolled::through(&store(), "alice");
        host.add_user("alice");
        let code = alice.code(0);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&[": denied user=alice", "reason=replayed"]);
        assert_eq!(machine.postgres.sql("select group_concat(distinct host) from audit where name = 'alice'"), WEB1);
        let log = said(&machine.tool(&["log", "--user", "alice", "--json-lines"]));
        assert!(log.contains(WEB1) && log.contains("\"accepted\""), "{log}");

        let reset = machine.tool(&["reset", "alice", "--yes"]);
        assert!(reset.status.success(), "{}", said(&reset));
        assert_eq!(host.login("alice").typing(alice.code(1)).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["user=alice", "reason=not-enrolled"]);

        let listed = machine.tool(&["host", "list"]);
        assert!(listed.status.success() && said(&listed).contains(WEB1), "{}", said(&listed));
        let revoked = machine.tool(&["host", "revoke", WEB1]);
        assert!(revoked.status.success(), "{}", said(&revoked));
        assert_eq!(host.login("alice").typing(alice.code(1)).code(), ReturnCode::AUTHINFO_UNAVAIL);
        drop(linked);
    });
}

#[test]
fn what_a_sysadmin_does_to_accounts_in_files_counts_at_the_next_login_of_a_host() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let machine = machine();
        machine.make_keys();
        machine.configure(&format!("[[host]]\nname = \"{WEB1}\"\n"));
        let _serving = machine.serve();
        let _linked = login::join(host, &machine, &machine.site.host(WEB1));
        counts_at_the_next_login(host, &machine);
    });
}

#[test]
fn tokens_of_a_vendors_file_open_sessions_of_a_fleet_in_files_until_they_are_lost() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let machine = machine();
        machine.make_keys();
        machine.configure(&format!("[[host]]\nname = \"{WEB1}\"\n"));
        let _serving = machine.serve();
        let _linked = login::join(host, &machine, &machine.site.host(WEB1));
        tokens_open_sessions(host, &machine);
    });
}

/// A user without an account of ours or of this machine.
const OWNER: u32 = 54_321;

/// All that is below a folder, with its owner and group.
fn owners(folder: &Path) -> Vec<(PathBuf, u32, u32)> {
    let (mut all, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let (path, found) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
            if found.is_dir() {
                folders.push(path.clone());
            }
            all.push((path, found.uid(), found.gid()));
        }
    }
    all
}

#[test]
fn what_root_does_to_a_folder_is_its_owners_and_the_server_is_started_by_no_other() {
    let _ = (server(), debug());
    private_host(|host| {
        let machine = machine();
        machine.make_keys();
        machine.configure_own(&["localhost"], "");
        let folder = machine.postgres.path();
        chown(folder, Some(OWNER), Some(OWNER)).unwrap();
        // What root reads and writes elsewhere is root's all the same.
        let [first, _] = Fob::samples();
        host.private_file("tokens.csv", &seed_file(std::slice::from_ref(&first)));
        host.add_user("alice");
        let done = |arguments: &[&str]| {
            let output = machine.tool(arguments);
            assert!(output.status.success(), "{arguments:?}: {}", said(&output));
            said(&output)
        };
        done(&["enroll", "alice", "--no-confirm", "--qr-file", "/root/alice.png"]);
        done(&["token", "import", "/root/tokens.csv", "--series", "acme"]);
        done(&["token", "assign", &first.serial, "alice"]);
        done(&["host", "add", WEB1]);
        done(&["invite", "bob"]);
        assert!(done(&["token", "list"]).contains(&first.serial));
        assert!(done(&["log"]).contains("assigned"));
        assert!(fs::metadata("/root/alice.png").unwrap().uid() == 0);
        let found = owners(folder);
        assert!(found.len() > 8, "{found:#?}");
        let others: Vec<_> = found.iter().filter(|(_, user, group)| (*user, *group) != (OWNER, OWNER)).collect();
        assert!(others.is_empty(), "{others:#?}");
        assert!(!Path::new("/var/lib/twofactor/users").exists(), "no file of this machine was touched");
        assert!(said(&machine.run(&["check"])).contains(&format!("private to uid {OWNER}")));

        // As root it could not be the owner in many threads.
        let refused = machine.run(&["serve"]);
        assert!(!refused.status.success() && said(&refused).contains("cannot act as the owner"), "{}", said(&refused));
        // A folder that others may write to, or that is a link, is none.
        let link = machine.site.place("link");
        std::os::unix::fs::symlink(folder, &link).unwrap();
        let text = fs::read_to_string(machine.config()).unwrap();
        let text = text.replace(&folder.display().to_string(), &link.display().to_string());
        fs::write(machine.config(), text).unwrap();
        assert!(!machine.tool(&["status", "alice"]).status.success());
    });
}

#[test]
fn a_server_on_files_that_is_killed_in_the_middle_burns_no_code_twice() {
    let machine = machine();
    machine.make_keys();
    machine.configure("[[host]]\nname = \"*\"\n");
    let alice = enrolled(&machine, "alice");
    let (code, mut wins) = (alice.code(0), 0);
    for number in 0..8 {
        let mut serving = machine.serve();
        let mut web1 = machine.site.connect(machine.address, Some(machine.site.host("web1.example.org")));
        let attempt = question(&alice, &code, number);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| ask(&mut web1, &attempt).map(|answer| answer.in_short()));
            // At another moment each time.
            std::thread::sleep(std::time::Duration::from_micros(400 * u64::try_from(number).unwrap()));
            let _ = serving.0.kill();
            wins += usize::from(asking.join().unwrap().is_ok_and(|answer| answer == "redeemed app"));
        });
        let _ = serving.0.wait();
    }
    let mut serving = machine.serve();
    let connect = || machine.site.connect(machine.address, Some(machine.site.host("web2.example.org")));
    let mut again = connect();
    let last = ask(&mut again, &question(&alice, &code, 99)).unwrap().in_short();
    wins += usize::from(last == "redeemed app");
    assert!(wins <= 1, "one code was good {wins} times");
    assert_eq!(ask(&mut again, &question(&alice, &code, 100)).unwrap().in_short(), "refused replayed");
    let unheard = question(&alice, &alice.code(1), 101);
    assert_eq!(ask(&mut again, &unheard).unwrap().in_short(), "redeemed app");
    // An answer that was lost with the server is given again by the next one.
    drop(serving.0.kill());
    let _ = serving.0.wait();
    let _serving = machine.serve();
    assert_eq!(ask(&mut connect(), &unheard).unwrap().in_short(), "redeemed app");
}

/// A recipient of backups, and its identity.
const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

#[test]
fn a_backup_of_a_fleet_in_files_brings_accounts_back_and_what_was_used_stays_used() {
    let _ = (server(), debug());
    private_host(|host| {
        host.private_file("key.txt", &format!("{IDENTITY}\n"));
        let machine = machine();
        machine.make_keys();
        machine.configure("[[host]]\nname = \"*\"\n");
        chown(machine.postgres.path(), Some(OWNER), Some(OWNER)).unwrap();
        let tool = |arguments: &[&str]| {
            let output = machine.tool(arguments);
            assert!(output.status.success(), "{arguments:?}: {}", said(&output));
            said(&output)
        };
        let alice = enrolled(&machine, "alice");
        tool(&["backup", "/root/fleet.age", "--recipient", RECIPIENT]);
        // What a server judges in between is burned, whatever the backup says.
        chown(machine.postgres.path(), Some(0), Some(0)).unwrap();
        for (path, ..) in owners(machine.postgres.path()) {
            chown(path, Some(0), Some(0)).unwrap();
        }
        let _serving = machine.serve();
        let connect = || machine.site.connect(machine.address, Some(machine.site.host(WEB1)));
        let judged = |code: &str, number| ask(&mut connect(), &question(&alice, code, number)).unwrap().in_short();
        let used = alice.code(0);
        assert_eq!(judged(&used, 1), "redeemed app");
        tool(&["reset", "alice", "--yes"]);
        assert_eq!(judged(&alice.code(1), 2), "refused not-enrolled");
        tool(&["restore", "/root/fleet.age", "--identity", "/root/key.txt", "--merge"]);
        assert_eq!(judged(&used, 3), "refused replayed");
        assert_eq!(judged(&alice.code(1), 4), "redeemed app");
        let refused = machine.run(&["administer", "--", "state", "adopt", "--yes"]);
        let text = said(&refused);
        assert!(!refused.status.success() && text.contains("the central store of a fleet does not"), "{text}");
    });
}

#[test]
fn the_key_of_a_fleet_in_files_is_changed_and_hosts_are_heard_on() {
    let machine = machine();
    machine.configure_own(&["localhost"], "");
    let done = |arguments: &[&str]| {
        let output = machine.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    done(&["key", "init"]);
    let authority = |name| JoinCode::read(&added(&machine, &[name])).unwrap().authority;
    let before = authority("web1");
    done(&["key", "rotate"]);
    done(&["key", "rotate", "--seal"]);
    assert!(done(&["key", "reseal"]).contains("2 records sealed with key 2"));
    done(&["key", "retire"]);
    assert!(done(&["key", "status"]).contains("key 2: 2 records, seals"));
    assert_eq!(before, authority("web2"), "it is the same");
    // Without the key that seals there is no server.
    fs::remove_file(machine.site.place("seed.key")).unwrap();
    done(&["key", "init"]);
    let refused = machine.run(&["serve"]);
    assert!(!refused.status.success() && said(&refused).contains("key 2"), "{}", said(&refused));
}
