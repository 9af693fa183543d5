//! Servers of two versions on one schema: a stand-in for the next version adds to every table, or takes something away, while two
//! servers of this version run.

use std::fs::{self, File};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use twofactor_core::config::Config;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::administration::{LastCredential, Sharing, TokenAdministration as _, TokenViews as _};
use twofactor_server::{Server, ServerError, read_keys};

use super::meanwhile::{Logins, until};
use super::members::{self, Member};
use super::network::ask;
use super::program::{Machine, Serving, said};
use super::relay::Asking;
use super::tokens::{Fob, by, central, stock};
use super::waiting::TOKENS_LOCK;
use super::{Enrolled, Fleet, is_accepted, owner, question, redeem};

const WEB1: &str = "web1.example.org";

/// The next version: it adds a column to every table, and takes nothing away.
const ADDING: &str = "do $$ declare t regclass; begin
        for t in select oid from pg_class where relnamespace = 'twofactor'::regnamespace and relkind = 'r' loop
            execute format('alter table %s add column of_the_next_version text not null default ''new''', t);
        end loop;
        update twofactor.store set version = 2;
    end $$";

/// The one after that, which older servers must not use.
const TAKING_AWAY: &str = "update twofactor.store set version = 3, oldest_server = 3";
const PUTTING_BACK: &str = "update twofactor.store set version = 2, oldest_server = 1";

fn open(fleet: &Fleet) -> Result<Server, ServerError> {
    let keys = read_keys(&fleet.key_file, owner()).unwrap();
    let postgresql = fleet.postgres.connection().parse().unwrap();
    fleet.runtime.block_on(Server::open(postgresql, keys, &Config::default()))
}

#[test]
fn of_servers_that_open_a_new_database_at_once_one_makes_the_tables_and_all_use_them() {
    let Some(fleet) = Fleet::with_servers(8) else { return };
    assert_eq!(fleet.postgres.sql("select count(*), min(version) from twofactor.store"), "1|1");
    let alice = Enrolled::at(&fleet.host("web1"), "alice");
    // Each knows the secret of digests of the first: it has the answer to what the first was asked.
    let asked = question(&alice, &alice.code(0), 1);
    for server in &fleet.servers {
        let host = twofactor_server::Host::named("web1");
        let answer = fleet.runtime.block_on(server.answer(&host, &asked)).unwrap();
        assert_eq!(answer.in_short(), "redeemed app");
    }
}

#[test]
fn a_store_that_needs_no_migration_is_opened_by_one_statement() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let statements = || {
        let log = fleet.postgres.log();
        log.lines().filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: ")).count()
    };
    let before = statements();
    let _server = open(&fleet).unwrap();
    assert_eq!(statements() - before, 1, "{}", fleet.postgres.log());
}

#[test]
fn while_a_newer_schema_only_adds_no_login_is_refused_and_servers_of_this_version_start_on_it() {
    let Some(machine) = members::central() else { return };
    let serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    let mut fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let desk = fleet.host("desk");
    let users: Vec<Enrolled> = (0..160).map(|user| Enrolled::at(&desk, &format!("user{user}"))).collect();
    let logins = Logins::default();
    thread::scope(|scope| {
        let logging_in = scope.spawn(|| {
            logins.go_on(&users, &mut web1.connect(machine.address), &desk, Duration::from_millis(30));
        });
        let some_more = || {
            let before = logins.so_far();
            until("logins go on", || logging_in.is_finished() || logins.so_far() > before + 4);
            logins.so_far() - before
        };
        logins.kept_back.store(8, Ordering::SeqCst);
        some_more();
        machine.postgres.sql(ADDING);
        logins.kept_back.store(0, Ordering::SeqCst);
        assert!(some_more() > 4 || logging_in.is_finished(), "no login came after the upgrade");
        logins.stop.store(true, Ordering::SeqCst);
        logging_in.join().unwrap();
    });

    // Servers of this version start, and leave the schema as it is.
    drop(serving);
    fleet.servers = vec![fleet.another_server()];
    let _serving = machine.serve();
    assert_eq!(machine.postgres.sql("select version, oldest_server from twofactor.store"), "2|1");
    let checked = machine.run(&["check"]);
    let may_use = "ok       schema 2, of a newer server; this one has schema 1, and may use it";
    assert!(checked.status.success() && said(&checked).contains(may_use), "{}", said(&checked));
    every_kind_of_change(&machine, &fleet.host("desk"), &web1);
}

/// Changes of accounts, tokens, hosts and keys, each of which must succeed.
fn every_kind_of_change(machine: &Machine, desk: &Asking, web1: &Member) {
    let alice = Enrolled::at(desk, "alice");
    assert_eq!(
        ask(&mut web1.connect(machine.address), &question(&alice, &alice.code(0), 10_000)).unwrap().in_short(),
        "redeemed app"
    );
    let file = machine.site.place("tokens.csv");
    let fobs = twofactor_tests::fob::Fob::samples();
    fs::write(&file, twofactor_tests::fob::seed_file(&fobs)).unwrap();
    let serial = fobs[0].serial.as_str();
    for arguments in [
        &["token", "import", file.to_str().unwrap(), "--series", "acme"][..],
        &["token", "assign", serial, "alice"],
        &["token", "lost", serial],
        &["token", "unassign", serial],
        &["token", "delete", serial, "--yes"],
        &["series", "delete", "acme", "--yes"],
        &["token", "import", file.to_str().unwrap(), "--series", "acme"],
        &["token", "list"],
        &["enroll", "bob", "--no-confirm"],
        &["code", "bob"],
        &["invite", "carol"],
        &["unlock", "alice"],
        &["rename", "alice", "alicia", "--yes"],
        &["status", "alicia"],
        &["reset", "alicia", "--yes"],
        &["host", "add", "web2.example.org"],
        &["host", "list"],
        &["host", "revoke", "web2.example.org"],
        &["log"],
    ] {
        let output = machine.tool(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }
    for arguments in [["key", "rotate"], ["key", "status"], ["key", "reseal"]] {
        let output = machine.run(&arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }
    let seen = "select count(*) from twofactor.server where of_the_next_version = 'new'";
    until("the server says that it runs", || machine.postgres.sql(seen) != "0");
}

/// An older version that no program had: nothing has to be made to upgrade it.
const OLDER: &str = "update twofactor.store set version = -1";

#[test]
fn no_command_upgrades_an_older_schema_and_a_server_does() {
    let Some(machine) = Machine::with("") else { return };
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    Enrolled::at(&fleet.host("desk"), "alice");
    drop(fleet);
    machine.postgres.sql(OLDER);
    let store = || machine.postgres.sql("select version, oldest_server, oldest_key from twofactor.store");
    let found = "schema -1, and this program has schema 1";
    for output in [
        machine.run(&["check"]),
        machine.run(&["key", "status"]),
        machine.run(&["key", "reseal"]),
        machine.tool(&["status"]),
        machine.tool(&["unlock", "alice"]),
    ] {
        assert!(!output.status.success() && said(&output).contains(found), "{}", said(&output));
        assert!(said(&output).contains("restart twofactor-server"), "{}", said(&output));
        assert_eq!(store(), "-1|1|1", "{}", said(&output));
    }
    let _serving = machine.serve();
    assert_eq!(store(), "1|1|1");
    for output in [machine.run(&["check"]), machine.tool(&["status"])] {
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn commands_that_look_make_no_store() {
    let Some(machine) = Machine::with("") else { return };
    for arguments in [["check"].as_slice(), &["key", "status"]] {
        let output = machine.run(arguments);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(machine.postgres.sql("select to_regclass('twofactor.store') is null"), "t", "{}", said(&output));
    }
}

#[test]
fn a_newer_schema_that_takes_something_away_stops_older_servers_until_it_is_put_back() {
    let Some(machine) = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\n")) else { return };
    let log = machine.site.place("log");
    let serving = Serving(machine.command(&["serve"]).stderr(File::create(&log).unwrap()).spawn().unwrap());
    machine.until_it_listens();
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let desk = fleet.host("desk");
    let (alice, bob) = (Enrolled::at(&desk, "alice"), Enrolled::at(&desk, "bob"));
    let mut web1 = machine.site.connect(machine.address, Some(machine.site.host(WEB1)));
    let mut ask_for = |user: &Enrolled, number| ask(&mut web1, &question(user, &user.code(0), number)).unwrap();
    let (central, fobs) = (central(&fleet), [Fob::random("A1")]);
    stock(&central, "acme", &fobs);
    machine.postgres.sql(ADDING);
    assert!(is_accepted(redeem(&desk.store(), &bob.person, &bob.code(-1))));

    machine.postgres.sql(TAKING_AWAY);
    let states = || machine.postgres.sql("select string_agg(version::text, ',' order by name) from twofactor.state");
    let (before, needed) = (states(), "schema 3, which is for servers of schema 3 and newer; this one has schema 1");
    let refused = ask_for(&alice, 1);
    assert!(refused.says_that_nothing_was_judged(), "{}", refused.in_short());
    let error = redeem(&desk.store(), &bob.person, &bob.code(0)).unwrap_err();
    assert_eq!(error.reason(), Reason::StoreUnavailable);
    assert!(error.to_string().contains(needed), "{error}");
    // Of a command that has opened the store before, too.
    let pairs = [(fobs[0].serial.clone(), alice.person.clone())];
    let error = central.assign(&pairs, Sharing::Refuse, by()).unwrap_err().to_string();
    assert!(error.contains(needed), "{error}");
    assert_eq!(states(), before);
    until("the server says why", || {
        let log = fs::read_to_string(&log).unwrap();
        log.contains(needed) && log.contains("upgrade twofactor-server on this machine")
    });
    for output in [machine.run(&["check"]), machine.run(&["serve"]), machine.tool(&["status", "alice"])] {
        assert!(!output.status.success() && said(&output).contains(needed), "{}", said(&output));
    }

    machine.postgres.sql(PUTTING_BACK);
    assert_eq!(ask_for(&alice, 2).in_short(), "redeemed app");
    assert!(is_accepted(redeem(&desk.store(), &bob.person, &bob.code(0))));
    central.assign(&pairs, Sharing::Refuse, by()).unwrap();
    drop(serving);
}

#[test]
fn a_token_change_that_waits_while_the_schema_becomes_too_new_changes_nothing() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let (first, second, fobs) = (central(&fleet), central(&fleet), [Fob::random("A1")]);
    stock(&first, "acme", &fobs);
    let alice = Person { name: UserName::new("alice").unwrap(), uid: Uid(1001) };
    let holding = fleet.postgres.transaction(TOKENS_LOCK);
    let said = thread::scope(|scope| {
        let assigning = scope.spawn(|| {
            second.assign(&[(fobs[0].serial.clone(), alice.clone())], Sharing::Refuse, by()).unwrap_err().to_string()
        });
        fleet.postgres.until_waiting(1);
        fleet.postgres.sql(TAKING_AWAY);
        holding.commit();
        assigning.join().unwrap()
    });
    assert!(said.contains("for servers of schema 3 and newer"), "{said}");
    fleet.postgres.sql(PUTTING_BACK);
    assert_eq!(first.token(&fobs[0].serial).unwrap().unwrap().owner, None);
    assert!(first.delete_tokens(&[fobs[0].serial.clone()], LastCredential::Keep, by()).is_ok());
}
