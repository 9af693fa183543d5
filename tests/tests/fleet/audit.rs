//! The audit: what it has of hosts, keys and secrets, and how `twofactor log` finds the last of a million rows.

use serde_json::Value;
use twofactor_core::account::throttle::Source;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{HistoryPart, PastChange, TokenViews as _};
use twofactor_core::store::{Attempt, EnrollmentStore as _, Store as _};
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::private_host::private_host;
use twofactor_tests::terminal::{Size, Terminal};

use super::embedded::Files;
use super::program::{Backing, Machine, said};
use super::renewal::{Activated, central, of_its_own};
use super::tokens::{self, Fob};
use super::*;

/// The entries that `twofactor log` shows of the audit.
fn log<S: Backing>(machine: &Machine<S>, arguments: &[&str]) -> Vec<Value> {
    let output = machine.tool(&[&["log", "--json-lines"], arguments].concat());
    assert!(output.status.success(), "{}", said(&output));
    let entries = String::from_utf8(output.stdout).unwrap();
    let entries = entries.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries.filter(|entry| entry["source"] == "registry").collect()
}

/// The rows of the audit about an event.
fn rows(machine: &Machine, event: &str) -> String {
    machine
        .postgres
        .sql(&format!("select host, name, detail, who from twofactor.audit where event = '{event}' order by number"))
}

#[test]
fn a_login_is_one_statement_that_reads_and_one_that_writes_with_its_row_of_the_audit() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let alice = Enrolled::at(&fleet.host("web9"), "alice");
    let statements = || {
        let log = fleet.postgres.log();
        // Not those of psql. A longer one goes on in other lines.
        log.lines().filter(|line| line.contains("LOG:  execute ")).map(str::to_owned).collect::<Vec<_>>()
    };
    for (number, (code, judged)) in (1..).zip([
        (alice.code(0), "redeemed app"),
        (alice.wrong(), "refused wrong-code"),
        (alice.code(0), "refused replayed"),
    ]) {
        let before = statements().len();
        assert_eq!(fleet.answer("web1", &question(&alice, &code, number)).in_short(), judged);
        let now = statements();
        let [read, written] = &now[before..] else { panic!("{judged}: {:#?}", &now[before..]) };
        assert!(read.contains(">: select ") && written.contains("update twofactor.state"), "{read} {written}");
    }
    let rows = fleet.postgres.sql("select detail from twofactor.audit where event = 'redeem' order by number");
    assert_eq!(rows, "redeemed app\nrefused wrong-code\nrefused replayed");
    // Its row of the audit is written with it, or neither is.
    let holding =
        fleet.postgres.sql("alter table twofactor.audit add constraint none check (event <> 'redeem') not valid");
    drop(holding);
    let version = || fleet.postgres.sql("select version from twofactor.state where name = 'alice'");
    let before = version();
    let answer = fleet.answer("web1", &question(&alice, &alice.code(1), 9)).in_short();
    assert!(answer.starts_with("failed "), "{answer}");
    assert_eq!(version(), before, "the code is as good as before");
}

#[test]
fn the_log_has_hosts_keys_and_secrets_that_were_shown_and_no_change_that_was_none() {
    // Built outside.
    let _ = (server(), link(), debug());
    // An export is written to syslog first.
    private_host(|private| {
        private.add_user("alice");
        let Some(machine) = central() else { return };
        let _serving = machine.serve();
        let host = Activated::joined(&machine, "web1");
        assert!(host.run(&["renew", "--now"]).status.success());
        let again = machine.tool(&["host", "add", "web2", "--group", "staff", "--group", "ops"]);
        assert!(again.status.success(), "{}", said(&again));
        for _ in 0..2 {
            // The second time there is nothing to revoke.
            let _ = machine.tool(&["host", "revoke", "web1"]);
        }
        assert!(machine.run(&["key", "rotate"]).status.success());
        assert!(machine.tool(&["enroll", "alice", "--no-confirm", "--json"]).status.success());
        for _ in 0..2 {
            let nothing = machine.tool(&["code", "alice", "--revoke"]);
            assert!(nothing.status.success(), "{}", said(&nothing));
            let _ = machine.tool(&["invite", "alice", "--revoke"]);
        }
        let command = machine.tool_command(&["export", "--user", "alice", "--plaintext"]);
        let mut terminal = Terminal::start(&command, Size::LARGE);
        terminal.expect("to go on: ");
        assert_eq!(rows(&machine, "secret-exported"), "", "not before it was asked for");
        terminal.type_line("alice");
        terminal.expect("otpauth://");
        assert!(terminal.wait().success(), "{}", terminal.shown());

        let serial = machine.postgres.sql("select detail from twofactor.audit where event = 'certificate-renewed'");
        assert!(serial.len() > 8, "{serial}");
        assert_eq!(rows(&machine, "host-added"), "web1|||root\nweb2||staff,ops|root");
        assert_eq!(rows(&machine, "host-revoked"), "web1|||root");
        assert!(rows(&machine, "fleet-joined").starts_with("web1||") && rows(&machine, "fleet-joined").ends_with('|'));
        assert_eq!(rows(&machine, "secret-exported"), "|alice|app|root");
        assert_eq!(
            rows(&machine, "code-revoked") + &rows(&machine, "invitation-revoked"),
            "",
            "nothing was taken back"
        );
        let entries = log(&machine, &[]);
        let find = |event: &str| entries.iter().filter(|entry| entry["event"] == event).collect::<Vec<_>>();
        assert_eq!(
            (&find("host-added")[1]["member"], &find("host-added")[1]["groups"]),
            (&"web2".into(), &"staff,ops".into())
        );
        assert_eq!(
            (&find("certificate-renewed")[0]["certificate"], find("certificate-renewed").len()),
            (&serial.into(), 1)
        );
        assert_eq!(
            (&find("keys-changed")[0]["change"], &find("keys-changed")[0]["keys"]),
            (&"added".into(), &"2".into())
        );
        assert_eq!(
            (&find("secret-exported")[0]["token"], &find("secret-exported")[0]["by"]),
            (&"app".into(), &"root".into())
        );
        assert_eq!((find("fleet-joined").len(), find("host-revoked").len()), (1, 1));
    });
}

#[test]
fn the_log_of_a_fleet_in_files_has_hosts_that_come_and_go_and_changes_of_keys_and_accounts() {
    let _ = (server(), link(), debug());
    private_host(|private| {
        private.add_user("alice");
        private.add_user("bob");
        let machine = of_its_own(Machine::on(Files::new()));
        let _serving = machine.serve();
        let host = Activated::joined(&machine, "web1");
        let first = host.serial();
        assert!(host.run(&["renew", "--now"]).status.success());
        let second = host.serial();
        for arguments in [["host", "add", "web2", "--group", "staff"].as_slice(), &["host", "revoke", "web1"]] {
            assert!(machine.tool(arguments).status.success(), "{arguments:?}");
        }
        // There is nothing to revoke.
        let _ = machine.tool(&["host", "revoke", "web1"]);
        for arguments in [["key", "rotate"].as_slice(), &["key", "rotate", "--seal"], &["key", "reseal"]] {
            assert!(machine.run(arguments).status.success(), "{arguments:?}");
        }
        assert!(machine.run(&["key", "retire"]).status.success());
        for arguments in [
            ["enroll", "alice", "--no-confirm", "--json"].as_slice(),
            &["code", "alice", "--revoke"],
            &["code", "alice"],
            &["code", "alice", "--revoke"],
            &["invite", "bob"],
            &["invite", "bob", "--revoke"],
            &["recovery", "alice"],
            &["unlock", "alice"],
            &["reset", "alice", "--yes"],
        ] {
            let output = machine.tool(arguments);
            assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        }
        let _ = machine.tool(&["reset", "alice", "--yes"]);
        let accounts = "select group_concat(name || '|' || event || '|' || who, char(10))
            from (select * from audit where name <> '' order by number)";
        assert_eq!(
            machine.postgres.sql(accounts),
            "alice|enrolled|root\nalice|code-given|root\nalice|code-revoked|root\nbob|invited|root\n\
             bob|invitation-revoked|root\nalice|recovery-replaced|root\nalice|unlocked|root\nalice|reset|root"
        );

        let rows = "select group_concat(host || '|' || event || '|' || detail || '|' || coalesce(who, ''), char(10))
            from (select * from audit where name = '' order by number)";
        let expected = format!(
            "web1|host-added||root\nweb1|fleet-joined|{first}|\nweb1|certificate-renewed|{second}|\n\
             web2|host-added|staff|root\nweb1|host-revoked||root\n|keys-changed| change=added keys=2|root\n\
             |keys-changed| change=sealing keys=2|root\n|keys-changed| change=retired keys=1|root"
        );
        assert_eq!(machine.postgres.sql(rows), expected);
        let entries = log(&machine, &[]);
        assert_eq!(entries.iter().filter(|entry| entry["user"] == "alice").count(), 6);
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let read: Vec<_> = entries
            .iter()
            .filter(|entry| entry["user"].is_null())
            .map(|entry| {
                ["event", "member", "groups", "certificate", "change", "keys", "by"].map(|key| text(entry, key))
            })
            .map(|words| words.join("|"))
            .collect();
        assert_eq!(
            read,
            [
                "host-added|web1|||||root".to_owned(),
                format!("fleet-joined|web1||{first}|||"),
                format!("certificate-renewed|web1||{second}|||"),
                "host-added|web2|staff||||root".to_owned(),
                "host-revoked|web1|||||root".to_owned(),
                "keys-changed||||added|2|root".to_owned(),
                "keys-changed||||sealing|2|root".to_owned(),
                "keys-changed||||retired|1|root".to_owned(),
            ]
        );
    });
}

fn all(history: Option<Box<dyn twofactor_core::store::administration::History>>) -> Vec<PastChange> {
    let mut history = history.unwrap();
    std::iter::from_fn(|| Some(history.next_portion().unwrap()).filter(|portion| !portion.is_empty()))
        .flatten()
        .collect()
}

#[test]
fn codes_that_were_shown_for_a_registration_or_taken_off_a_password_stand_in_the_log() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let web1 = fleet.host("web1");
    let central = tokens::central(&fleet);
    let fob = Fob::random("A1");
    tokens::stock(&central, "acme", std::slice::from_ref(&fob));
    let alice = Enrolled::at(&web1, "alice");
    let source = Source::from_rhost(Some("192.0.2.7"));
    let none = || Attempt { readings: &[], previous: None, source: &source, factors: Factors::ALL, remember: None };
    for text in [alice.code(0), alice.wrong()] {
        let readings = [Answer::parse(text.as_bytes())];
        let _ = web1.store().strip(&alice.person, &Attempt { readings: &readings, ..none() }).unwrap();
    }
    let bob = Person { name: UserName::new("bob").unwrap(), uid: Uid(1002) };
    let code = |steps| twofactor_core::codes::otp::Code::new(Zeroizing::new(fob.code(steps))).unwrap();
    web1.store().check_registration(&bob, &fob.serial, [&code(0), &code(2)], &none()).unwrap().unwrap_err();
    let words = all(central.history(&HistoryPart::default()).unwrap());
    let of = |user: &str, event: Event| {
        let about =
            |past: &&PastChange| past.event == event && past.pairs.contains(&("user".to_owned(), user.to_owned()));
        words.iter().filter(about).map(|past| past.pairs[2..].to_vec()).collect::<Vec<_>>()
    };
    let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    assert_eq!(of("alice", Event::Skipped), [pair("token", "app"), Vec::new()]);
    assert_eq!(of("bob", Event::Denied), [pair("reason", "wrong-code")]);
}

#[test]
fn the_last_of_many_rows_and_those_since_a_moment_are_found_without_reading_the_others() {
    const OLD: u64 = 200_000;
    let Some(machine) = central() else { return };
    let sql = |statement: &str| machine.postgres.sql(statement);
    assert!(machine.tool(&["enroll", "alice", "--no-confirm", "--json"]).status.success());
    // Half a year of logins before that, of users who were called otherwise at times.
    sql(&format!(
        "insert into twofactor.audit (number, at, host, name, event, detail) overriding system value
         select n - {OLD}, now() - interval '1 minute' * ({OLD} - n + 180), 'web1', 'user' || n % 2000, 'redeem',
             case n % 4 when 0 then 'refused wrong-code' else 'redeemed app' end from generate_series(1, {OLD}) as n;
         insert into twofactor.audit (number, at, host, name, event, detail, who) overriding system value
         values (-{OLD} - 1, now() - interval '200 days', '', 'old7', 'account-renamed', 'user7', 'root');
         insert into twofactor.audit (number, at, host, name, event, detail) overriding system value
         values (-{OLD} - 2, now() - interval '201 days', 'web1', 'old7', 'redeem', 'redeemed app');
         analyze twofactor.audit"
    ));
    let read = || -> u64 {
        sql("select pg_stat_force_next_flush()");
        let read = "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables where relname = 'audit'";
        sql(read).parse().unwrap()
    };
    let users =
        |entries: &[Value]| entries.iter().map(|entry| entry["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let last = |count: u64| (OLD - count + 1..=OLD).map(|n| format!("user{}", n % 2000)).collect::<Vec<_>>();
    for (arguments, expected, most) in [
        (&["--lines", "3"][..], [last(2), vec!["alice".to_owned()]].concat(), 5_000),
        (&["--since", "3h 2min 30s"], [last(3), vec!["alice".to_owned()]].concat(), 5_000),
        (&["--since", "3h 2min 30s", "--until", "2h"], last(3), 5_000),
        (&["--user", "user7", "--lines", "1"], vec!["user7".to_owned()], 5_000),
        (&["--denied", "--lines", "2"], vec!["user1996".to_owned(), "user0".to_owned()], 5_000),
        (&["--event", "enrolled"], vec!["alice".to_owned()], u64::MAX),
    ] {
        let before = read();
        assert_eq!(users(&log(&machine, arguments)), expected, "{arguments:?}");
        let read = read() - before;
        assert!(read < most, "{arguments:?}: {read} rows were read");
    }
    let renamed = users(&log(&machine, &["--user", "user7"]));
    assert_eq!(
        (renamed.len() as u64, &*renamed[0], &*renamed[1]),
        (OLD / 2000 + 2, "old7", "user7"),
        "and before the rename"
    );
    // What is too old and what is too new.
    assert!(log(&machine, &["--until", "300days"]).is_empty() && log(&machine, &["--since", "0s"]).is_empty());
}
