//! PostgreSQL behind a pooler between transactions: what a fleet does takes one transaction at a time, and leaves nothing on a connection
//! that another one would find there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::postgres::Postgres;
use twofactor_tests::requirements;

use super::administration::enrolled;
use super::joining::{OTP1, WEB1};
use super::members::{Member, until};
use super::network::{HELLO, ask};
use super::program::{Machine, said};
use super::{Fleet, question, races};

/// A pooler between transactions, which ends with this value.
struct Pooler {
    folder: tempfile::TempDir,
    process: Child,
}

impl Pooler {
    /// Before `postgres`, with so few connections that they change hands. `None` where pgbouncer is not there, and may not be.
    fn before(postgres: &Postgres, connections: usize) -> Option<Self> {
        if !requirements::programs_met(&["pgbouncer"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap().success());
        let path = folder.path().display();
        let text = format!(
            "[databases]\npostgres = host={} port=5432 user=postgres dbname=postgres\n[pgbouncer]\npool_mode = transaction\n\
             default_pool_size = {connections}\nmax_client_conn = 200\nauth_type = any\nlisten_port = 6432\nunix_socket_dir = {path}\n\
             logfile = {path}/log\npidfile = {path}/pid\n",
            postgres.home().display()
        );
        let ini = folder.path().join("pgbouncer.ini");
        fs::write(&ini, text).unwrap();
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
            .arg(requirements::program("pgbouncer")?)
            .arg(&ini);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while !folder.path().join(".s.PGSQL.6432").exists() {
            let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "pgbouncer does not listen: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self { folder, process })
    }

    fn connection(&self) -> String {
        format!("host={} port=6432 user=postgres dbname=postgres", self.folder.path().display())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn behind_a_pooler_between_transactions_one_login_of_many_wins_and_every_wrong_code_counts() {
    let Some(mut fleet) = Fleet::with_servers(0) else { return };
    let Some(pooler) = Pooler::before(&fleet.postgres, 4) else { return };
    fleet.servers = (0..3).map(|_| fleet.server_through(&pooler.connection())).collect();
    races::race(|name| fleet.host(name), races::rounds());
    races::wrong_codes_at_once(&fleet);
    let log = fs::read_to_string(pooler.folder.path().join("log")).unwrap_or_default();
    assert!(log.contains("login attempt") || log.contains("process up"), "{log}");
    let backends = "select count(*) from pg_stat_activity where backend_type = 'client backend' and application_name = 'twofactor-server'";
    let count: usize = fleet.postgres.sql(backends).parse().unwrap();
    assert!(count <= 4, "{count} connections: they do not go through the pooler");
}

/// Runs a command of a sysadmin, which must succeed.
#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    said(output)
}

#[test]
fn behind_a_pooler_with_one_connection_the_fleet_is_administered_and_its_tokens_are_imported() {
    let Some(machine) = Machine::new() else { return };
    // All of it goes over one connection, so what one command leaves there the next one finds.
    let Some(pooler) = Pooler::before(&machine.postgres, 1) else { return };
    machine.make_keys();
    machine.configure_own(&[OTP1], &format!("[[host]]\nname = \"{WEB1}\"\n"));
    let text = fs::read_to_string(machine.config()).unwrap();
    fs::write(machine.config(), text.replace(&machine.postgres.connection(), &pooler.connection())).unwrap();
    let _serving = machine.serve();

    let web1 = Member::joined(&machine, WEB1);
    let mut connection = web1.connect(machine.address);
    let alice = enrolled(&machine, "alice");
    assert_eq!(ask(&mut connection, &question(&alice, &alice.code(0), 1)).unwrap().in_short(), "redeemed app");

    let fobs = Fob::box_of(1, 600);
    let import = |name: &str, fobs: &[Fob]| {
        let file = machine.site.place(name);
        fs::write(&file, seed_file(fobs)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        done(&machine.tool(&["token", "import", file.to_str().unwrap(), "--series", name, "--json"]))
    };
    for (name, part) in [("first.csv", &fobs[..300]), ("second.csv", &fobs[300..])] {
        let imported = import(name, part);
        assert!(imported.contains("\"new\": 300") || imported.contains("\"new\":300"), "{imported}");
    }
    let imported = import("first.csv", &fobs[..300]);
    assert!(imported.contains("\"unchanged\": 300") || imported.contains("\"unchanged\":300"), "{imported}");
    done(&machine.tool(&["token", "assign", &fobs[300].serial, "alice"]));
    let (code, token) = (fobs[300].authenticator.code(0), format!("redeemed {}", fobs[300].serial));
    assert_eq!(ask(&mut connection, &question(&alice, &code, 2)).unwrap().in_short(), token);

    // Another key, with which all of it is sealed anew.
    done(&machine.run(&["key", "rotate"]));
    until("the server has the new key", || {
        machine.postgres.sql("select count(*) from twofactor.server where keys = '{1,2}'") == "1"
    });
    done(&machine.run(&["key", "rotate", "--seal"]));
    until("the server seals with it", || {
        machine.postgres.sql("select count(*) from twofactor.server where sealing = 2") == "1"
    });
    assert!(done(&machine.run(&["key", "reseal"])).contains("Every record has key 2"));
    assert_eq!(machine.postgres.sql("select count(*), min(key), max(key) from twofactor.tokens"), "600|2|2");
    let next = fobs[300].authenticator.code(1);
    assert_eq!(ask(&mut connection, &question(&alice, &next, 3)).unwrap().in_short(), token);

    done(&machine.tool(&["host", "revoke", WEB1]));
    let refused = ask(&mut connection, &question(&alice, &alice.code(1), 4)).unwrap().in_short();
    assert_eq!(refused, "failed store-unavailable");
    assert!(ask(&mut web1.connect(machine.address), HELLO).unwrap().in_short().starts_with("failed"));
    let backends =
        "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
    assert_eq!(machine.postgres.sql(backends), "1", "all of it went through the pooler");
}
