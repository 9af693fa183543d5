//! The programs of a fleet whose central store is in files: `twofactor-server`, `twofactor`, the link and the module.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::private_host;

use super::administration::{counts_at_the_next_login, json, phone};
use super::embedded::Files;
use super::joining::{WEB1, added, join, store, with_own_authority};
use super::login;
use super::network::ask;
use super::program::{Machine, said};
use super::{Enrolled, question};

/// A machine with a central store in files.
fn machine() -> Machine<Files> {
    Machine::on(Files::new())
}

/// A user whom the sysadmin enrolls on this machine.
fn enrolled(machine: &Machine<Files>, name: &str) -> Enrolled {
    let app = phone(&json(&machine.tool(&["enroll", name, "--no-confirm", "--json"])));
    let person = Person { name: UserName::new(name).unwrap(), uid: Uid(1001) };
    Enrolled { person, app, recovery: Vec::new() }
}

#[test]
fn check_says_what_is_wrong_with_a_folder_and_changes_nothing() {
    let machine = machine();
    let checked = |part: &str| {
        let text = said(&machine.run(&["check"]));
        assert!(text.contains(part), "{part}: {text}");
    };
    checked("there is no such file");
    assert!(machine.run(&["key", "init"]).status.success());
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
        assert!(machine.run(&["key", "init"]).status.success());
        machine.configure(&format!("[[host]]\nname = \"{WEB1}\"\n"));
        let _serving = machine.serve();
        let _linked = login::join(host, &machine, &machine.site.host(WEB1));
        counts_at_the_next_login(host, &machine);
    });
}

#[test]
fn a_server_on_files_that_is_killed_in_the_middle_burns_no_code_twice() {
    let machine = machine();
    assert!(machine.run(&["key", "init"]).status.success());
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
