//! The connections of a server to its database: several hosts, TLS, and hosts that say nothing.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use twofactor_core::config::Config;
use twofactor_server::{Server, ServerError, check, read_keys};
use twofactor_tests::authority::Authority;
use twofactor_tests::postgres::Postgres;

use super::relay::Asking;
use super::{Enrolled, Fleet, is_accepted, owner, redeem};

fn open(fleet: &Fleet, connection: &str) -> Result<Server, ServerError> {
    let keys = read_keys(&fleet.key_file, owner()).unwrap();
    fleet.runtime.block_on(async { Server::open(connection.parse()?, keys, &Config::default()).await })
}

#[test]
fn a_host_that_says_nothing_costs_its_time_once_and_the_last_good_one_is_first() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let alice = Enrolled::at(&fleet.host("web1"), "alice");
    // It accepts, and says nothing: as a postmaster that was stopped.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = fleet.postgres.home();
    let connection = format!(
        "host=127.0.0.1,127.0.0.1,{} port={},1,5432 user=postgres dbname=postgres target_session_attrs=read-write",
        home.display(),
        silent.local_addr().unwrap().port(),
    );
    let began = Instant::now();
    let server = open(&fleet, &connection).unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let web1 = Asking::new("web1", false, &[std::sync::Arc::new(server)], &fleet.runtime);
    for step in [-1, 0, 1] {
        let terminate = "select pg_terminate_backend(pid) from pg_stat_activity where datname is not null and pid <> pg_backend_pid()";
        fleet.postgres.sql(terminate);
        let began = Instant::now();
        assert!(is_accepted(redeem(&web1.store(), &alice.person, &alice.code(step))), "{step}");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    // Each of them is named.
    let findings = fleet.runtime.block_on(check(&connection, None));
    let said: Vec<String> =
        findings.iter().map(|finding| finding.as_ref().map_or_else(ToString::to_string, Clone::clone)).collect();
    let unusable = said.iter().filter(|line| line.starts_with("the database at 127.0.0.1 cannot be used")).count();
    let usable = said.iter().filter(|line| line.ends_with("can be used") && line.contains("/home")).count();
    assert_eq!((unusable, usable), (2, 1), "{said:?}");
    assert!(said.iter().any(|line| line.contains("at 127.0.0.1 is not encrypted")), "{said:?}");
}

#[test]
fn a_standby_is_passed_over_for_a_host_that_takes_writes() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let standby = Postgres::start(&[]);
    standby.sql("alter system set default_transaction_read_only = on");
    standby.sql("select pg_reload_conf()");
    let (first, second) = (standby.home(), fleet.postgres.home());
    let hosts = format!("host={},{} user=postgres dbname=postgres", first.display(), second.display());
    assert!(open(&fleet, &format!("{hosts} target_session_attrs=read-write")).is_ok());
    assert!(open(&fleet, &hosts).is_err());
    // The other way around: the one that was good takes no writes any more.
    let (demoted, promoted) = (&fleet.postgres, &standby);
    let alice = Enrolled::at(&fleet.host("web1"), "alice");
    let dump = demoted.dump();
    promoted.sql("alter system set default_transaction_read_only = off");
    promoted.sql("select pg_reload_conf()");
    fs::write(promoted.home().join("dump"), dump).unwrap();
    let restored = Command::new("setpriv")
        .args(["--reuid=postgres", "--regid=postgres", "--init-groups", "psql", "-q", "-h"])
        .arg(promoted.home())
        .arg("-f")
        .arg(promoted.home().join("dump"))
        .arg("postgres")
        .output()
        .unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let both = format!(
        "host={},{} user=postgres dbname=postgres target_session_attrs=read-write",
        second.display(),
        first.display()
    );
    let server = std::sync::Arc::new(open(&fleet, &both).unwrap());
    let web1 = Asking::new("web1", false, &[server], &fleet.runtime);
    assert!(is_accepted(redeem(&web1.store(), &alice.person, &alice.code(-1))));
    demoted.sql("alter system set default_transaction_read_only = on");
    demoted.sql("select pg_reload_conf()");
    assert!(is_accepted(redeem(&web1.store(), &alice.person, &alice.code(0))));
    assert_eq!(promoted.sql("select count(*) from twofactor.audit where event = 'redeem'"), "1");
}

#[test]
fn tls_to_the_database_verifies_what_was_asked_for_and_never_goes_on_without() {
    let Some(fleet) = Fleet::with_servers(0) else { return };
    let (site, foreign, folder) = (Authority::new("site"), Authority::new("foreign"), tempfile::tempdir().unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let postgres = Postgres::start(&["listen_addresses=127.0.0.1", &format!("port={port}")]);
    let home = postgres.home();
    let ca = site.write_into(folder.path()).display().to_string();
    let other_folder = tempfile::tempdir().unwrap();
    let other = foreign.write_into(other_folder.path()).display().to_string();
    let [certificate, key] =
        site.host("server1").write_into(folder.path(), "client").map(|path| path.display().to_string());
    site.server("db1.example.org").write_into(&home, "server");
    fs::set_permissions(home.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    site.write_into(&home);
    let mut owned = Command::new("chown");
    owned.arg("postgres:postgres").args(["server.pem", "server.key", "ca.pem"].map(|name| home.join(name)));
    assert!(owned.status().unwrap().success());
    let in_home = |name: &str| home.join(name).display().to_string();
    let hba = |lines: &str| {
        fs::write(home.join("data/pg_hba.conf"), format!("local all all trust\n{lines}\n")).unwrap();
        postgres.sql("select pg_reload_conf()");
    };
    for (setting, value) in [
        ("ssl_cert_file", in_home("server.pem")),
        ("ssl_key_file", in_home("server.key")),
        ("ssl_ca_file", in_home("ca.pem")),
        ("ssl", "on".to_owned()),
    ] {
        postgres.sql(&format!("alter system set {setting} = '{value}'"));
    }
    hba("hostssl all all 127.0.0.1/32 trust clientcert=verify-ca");
    let string = |host: &str, tls: &str| {
        format!("host={host} hostaddr=127.0.0.1 port={port} user=postgres dbname=postgres {tls}")
    };
    let shown = format!("sslcert={certificate} sslkey={key}");
    let good = string("db1.example.org", &format!("sslmode=verify-full sslrootcert={ca} {shown}"));
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(error) = open(&fleet, &good) {
        assert!(
            Instant::now() < until,
            "{error}: {}",
            postgres.log().lines().rev().take(20).collect::<Vec<_>>().join("\n")
        );
    }
    let _kept = open(&fleet, &good).unwrap();
    let encrypted = "select bool_and(ssl and version = 'TLSv1.3' and client_serial is not null)
        from pg_stat_activity join pg_stat_ssl using (pid) where client_addr is not null";
    assert_eq!(postgres.sql(encrypted), "t");
    for (host, tls, opens) in [
        ("db2.example.org", format!("sslmode=verify-full sslrootcert={ca} {shown}"), false),
        ("db2.example.org", format!("sslmode=verify-ca sslrootcert={ca} {shown}"), true),
        ("db2.example.org", format!("sslmode=require {shown}"), true),
        ("db1.example.org", format!("sslmode=require sslrootcert={other} {shown}"), false),
        ("db1.example.org", format!("sslmode=verify-full sslrootcert={other} {shown}"), false),
        ("db1.example.org", format!("sslmode=verify-full sslrootcert={ca}"), false),
        ("db1.example.org", String::new(), false),
    ] {
        let opened = open(&fleet, &string(host, &tls)).map(drop);
        assert_eq!(opened.is_ok(), opens, "{host} {tls}: {opened:?}");
    }
    // The database, or one in the middle, says that it has no TLS.
    hba("host all all 127.0.0.1/32 trust");
    postgres.sql("alter system set ssl = off");
    postgres.sql("select pg_reload_conf()");
    let plain = string("db1.example.org", "");
    while open(&fleet, &plain).is_err() {
        assert!(Instant::now() < until + Duration::from_secs(20));
    }
    for tls in ["sslmode=require".to_owned(), format!("sslmode=verify-full sslrootcert={ca} {shown}")] {
        let refused = open(&fleet, &string("db1.example.org", &tls)).map(drop).unwrap_err().to_string();
        assert!(refused.contains("does not support TLS"), "{refused}");
    }
}
