//! `twofactor token` on the machine of the central store, and logins with the tokens on a host.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};

use super::administration::central_machine;
use super::login::{WEB1, join};
use super::program::{Backing, Machine, said};

#[track_caller]
pub(crate) fn done<S: Backing>(machine: &Machine<S>, arguments: &[&str]) -> String {
    let output = machine.tool(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub(crate) fn json<S: Backing>(machine: &Machine<S>, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(machine, &[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn tokens_of_a_vendors_encrypted_file_open_sessions_on_a_host_until_they_are_lost() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(machine) = central_machine() else { return };
        let _serving = machine.serve();
        let _linked = join(host, &machine, &machine.site.host(WEB1));
        tokens_open_sessions(host, &machine);
    });
}

/// Tokens of a vendor's encrypted file open sessions on the private host, which is [`WEB1`], until they are lost.
pub(crate) fn tokens_open_sessions<S: Backing>(host: &Host, machine: &Machine<S>) {
    let [first, second] = Fob::samples();
    host.private_file("tokens.csv", &seed_file(&[first.clone(), second.clone()]));
    host.private_file("password", "the vendor's password");
    let mut pack = host.command("7z");
    pack.args(["a", "-tzip", "-mem=AES256", "-pthe vendor's password", "tokens.zip", "tokens.csv"]);
    assert!(pack.current_dir("/root").stdin(Stdio::null()).output().unwrap().status.success());
    let import = ["token", "import", "/root/tokens.zip", "--password-file", "/root/password", "--series", "acme"];
    let rehearsed = json(machine, &[&import[..], &["--dry-run"]].concat());
    assert_eq!(rehearsed["new"], 2, "{rehearsed}");
    assert_eq!(json(machine, &import)["new"], 2);
    assert_eq!(json(machine, &import)["unchanged"], 2);

    for user in ["alice", "bob"] {
        host.add_user(user);
    }
    done(machine, &["token", "assign", &first.serial, "alice"]);
    let again = machine.tool(&["token", "assign", &first.serial, "bob"]);
    assert!(!again.status.success());
    assert!(said(&again).contains(&format!("token {} is assigned to alice", first.serial)), "{}", said(&again));
    let used = first.authenticator.code(0);
    assert_eq!(host.login("alice").typing(&used).code(), ReturnCode::SUCCESS);
    host.assert_logged(&["accepted user=alice", &format!("token={}", first.serial)]);
    assert_eq!(host.login("alice").typing(&used).code(), ReturnCode::AUTH_ERR);

    done(machine, &["token", "lost", &first.serial]);
    assert_eq!(host.login("alice").typing(first.authenticator.code(1)).code(), ReturnCode::AUTH_ERR);
    host.assert_logged(&["denied user=alice", "reason=token-disabled"]);
    done(machine, &["token", "enable", &first.serial]);
    done(machine, &["token", "unassign", &first.serial, "--force"]);
    done(machine, &["token", "assign", &first.serial, "bob"]);
    assert_eq!(host.login("bob").typing(&used).code(), ReturnCode::AUTH_ERR, "used by alice");
    assert_eq!(host.login("bob").typing(first.authenticator.code(1)).code(), ReturnCode::SUCCESS);

    let shown = json(machine, &["token", "show", &first.serial]);
    assert_eq!((shown["user"].as_str(), shown["state"].as_str()), (Some("bob"), Some("active")), "{shown}");
    let listed = done(machine, &["token", "list"]);
    assert!(listed.contains(&first.serial) && listed.contains(&second.serial), "{listed}");
    let two = second.authenticator.two_codes();
    let identified = done(machine, &["token", "identify", &two[0], &two[1]]);
    assert!(identified.contains(&second.serial), "{identified}");
    let series = json(machine, &["series", "show", "acme"]);
    assert_eq!(series["tokens"], 2, "{series}");
    // The log of this machine is empty: what is listed stands in the store.
    fs::write("/var/log/auth.log", "").unwrap();
    let log = done(machine, &["log"]);
    for word in ["assigned", "lost", "enabled", "unassigned"] {
        assert!(log.contains(word), "{word} stands in: {log}");
    }
    assert!(!Path::new("/var/lib/twofactor/registry.db").exists(), "no file of this machine was touched");
}

#[test]
fn an_import_that_is_killed_leaves_nothing_and_the_next_one_takes_all() {
    let Some(machine) = central_machine() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.csv");
    fs::write(&file, seed_file(&Fob::box_of(0, 60_000))).unwrap();
    let import = ["token", "import", file.to_str().unwrap(), "--series", "acme"];
    let begun = "select count(*) from pg_stat_activity where query like 'copy twofactor.tokens%'";
    let mut killed = false;
    for _ in 0..5 {
        let mut program = machine.tool_command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_mins(1);
        while machine.postgres.sql(begun) == "0" && program.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "no row was sent");
        }
        killed = program.try_wait().unwrap().is_none();
        program.kill().unwrap();
        program.wait().unwrap();
        if killed {
            break;
        }
        done(&machine, &["series", "delete", "acme", "--yes"]);
    }
    assert!(killed, "the program was always faster");
    let left = "select (select count(*) from twofactor.tokens) + (select count(*) from twofactor.series)";
    assert_eq!(machine.postgres.sql(left), "0");
    assert_eq!(json(&machine, &import)["new"], 60_000);
}
