//! Clocks that differ: of a server and the database, by seconds, a minute and an hour.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use twofactor_core::host::trusted::Owner;
use twofactor_core::store::broker::{Broker, LINK};
use twofactor_core::store::wire::Message;
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements;

use super::embedded::Files;
use super::joining::{self, added};
use super::login::link_of_command;
use super::members::{self, Member};
use super::network::{HELLO, ask};
use super::program::{Backing, Machine, Serving, said};
use super::tokens::{central, stock};
use super::waiting::TOKENS_LOCK;
use super::{Enrolled, Fleet, is_accepted, question, redeem};

const WEB1: &str = "web1.example.org";

/// A program whose clock is off by so many seconds, or days with a `d` behind them.
pub(super) fn off(mut command: Command, by: &str) -> Command {
    command.env("LD_PRELOAD", requirements::faketime().unwrap()).env("FAKETIME", by);
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    command
}

#[test]
fn a_server_whose_clock_is_off_says_so_and_beyond_a_minute_judges_nothing() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let Some(machine) = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\n")) else { return };
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let desk = fleet.host("desk");
    let off = |arguments: &[&str], by: &str| off(machine.command(arguments), by);
    for (place, (by, seconds, is_judged)) in [
        ("+2", 2, true),
        ("-20", 20, true),
        ("+20", 20, true),
        ("+75", 75, false),
        ("-75", 75, false),
        ("+3600", 3600, false),
        ("-3600", 3600, false),
    ]
    .into_iter()
    .enumerate()
    {
        let alice = Enrolled::at(&desk, &format!("alice{place}"));
        let mut command = off(&["serve"], by);
        let mut serving = Serving(command.stderr(Stdio::piped()).spawn().unwrap());
        machine.until_it_listens();
        let mut web1 = machine.site.connect(machine.address, Some(machine.site.host(WEB1)));
        let answer = ask(&mut web1, &question(&alice, &alice.code(0), 1)).unwrap().in_short();
        if is_judged {
            assert_eq!(answer, "redeemed app", "{by}");
        } else {
            assert!(answer.starts_with("failed store-unavailable") || answer == "failed", "{by}: {answer}");
        }
        // It has said so by the time that it has said that it runs.
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while machine.postgres.sql("select count(*) from twofactor.server") == "0" {
            assert!(std::time::Instant::now() < until, "{by}");
        }
        assert!(serving.end().success());
        let mut log = String::new();
        serving.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(log.contains("seconds off that of the database"), seconds > 10, "{by}: {log}");
        let output = off(&["check"], by).output().unwrap();
        assert_eq!(output.status.success(), seconds <= 10, "{by}: {}", said(&output));
        // Nothing was used up by a server that did not judge.
        if !is_judged {
            let again = fleet.answer(WEB1, &question(&alice, &alice.code(0), 2)).in_short();
            assert_eq!(again, "redeemed app", "{by}");
        }
    }
}

/// The host of these stories.
fn rule() -> String {
    format!("[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n")
}

#[test]
fn a_command_whose_clock_is_off_by_more_than_a_minute_changes_no_token() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let Some(machine) = Machine::with("") else { return };
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    Enrolled::at(&fleet.host("desk"), "alice");
    let file = machine.site.place("tokens.csv");
    let fobs = Fob::samples();
    fs::write(&file, seed_file(&fobs)).unwrap();
    let (file, serial) = (file.to_str().unwrap(), fobs[0].serial.as_str());
    let import = ["token", "import", file, "--series", "acme"];
    let assign = ["token", "assign", serial, "alice"];
    let administer =
        |words: &[&str], by: &str| off(machine.command(&[&["administer", "--"], words].concat()), by).output().unwrap();
    let refused = |words: &[&str]| {
        for by in ["+75", "-75", "+3600", "-3600"] {
            let output = administer(words, by);
            assert!(!output.status.success(), "{words:?} {by}: {}", said(&output));
            assert!(said(&output).contains("seconds off that of the database"), "{by}: {}", said(&output));
        }
    };
    refused(&import);
    assert_eq!(machine.postgres.sql("select count(*) from twofactor.tokens"), "0");
    assert!(administer(&import, "+20").status.success());
    refused(&assign);
    assert_eq!(machine.postgres.sql("select count(name) from twofactor.tokens"), "0");
    let output = administer(&assign, "-20");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_registration_that_waits_while_the_servers_clock_jumps_an_hour_registers_nothing() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let Some(machine) = Machine::with(&rule()) else { return };
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let fobs = [super::tokens::Fob::random("A1")];
    stock(&central(&fleet), "acme", &fobs);
    // The server reads its clock's error from a file, at each look.
    let error = machine.site.place("error-of-the-clock");
    fs::write(&error, "+0").unwrap();
    let mut command = machine.command(&["serve"]);
    command.env("LD_PRELOAD", requirements::faketime().unwrap()).env("FAKETIME_TIMESTAMP_FILE", &error);
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    let _serving = Serving(command.spawn().unwrap());
    machine.until_it_listens();
    let mut web1 = machine.site.connect(machine.address, Some(machine.site.host(WEB1)));
    let mut register = |number| {
        let codes = [0, 1].map(|steps| fobs[0].code(steps));
        let line = format!(
            " version=1 ask=register user=bob uid=1002 serial=A1 code={} code={} source=192.0.2.7",
            codes[0], codes[1]
        );
        ask(&mut web1, &Message::read(line.as_bytes()).unwrap().numbered(number).line().unwrap()).unwrap().in_short()
    };
    let holding = machine.postgres.transaction(TOKENS_LOCK);
    let refused = thread::scope(|scope| {
        let registering = scope.spawn(|| register(1));
        machine.postgres.until_waiting(1);
        fs::write(&error, "+3600").unwrap();
        holding.commit();
        registering.join().unwrap()
    });
    assert_eq!(refused, "failed store-unavailable");
    assert_eq!(register(2), "failed store-unavailable");
    let written = "select (select count(name) from twofactor.tokens) + (select count(*) from twofactor.credentials)";
    assert_eq!(machine.postgres.sql(written), "0");
    fs::write(&error, "+0").unwrap();
    assert_eq!(register(3), "done");
    assert_eq!(machine.postgres.sql(written), "2");
}

#[test]
fn the_clock_of_a_host_counts_for_nothing() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(machine) = joining::central(&rule()) else { return };
        hosts_clock(host, &machine);
    });
}

#[test]
fn the_clock_of_a_host_counts_for_nothing_in_a_fleet_in_files() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let _ = (server(), link(), debug());
    private_host(|host| hosts_clock(host, &joining::with_own_authority(Machine::on(Files::new()), &rule())));
}

/// The clock of the private host counts for nothing.
fn hosts_clock<S: Backing>(host: &Host, machine: &Machine<S>) {
    let _serving = machine.serve();
    let joined = joining::join(host, machine.address, &added(machine, &[WEB1]), &[]);
    assert!(joined.status.success(), "{}", said(&joined));
    let store = Broker::link(Path::new(LINK), Owner::ROOT, Duration::from_secs(12));
    for (place, by) in ["+60", "-60", "+3600", "-3600"].into_iter().enumerate() {
        let _linked = link_of_command(off(host.command(link()), by));
        let alice = Enrolled::through(&store, &format!("alice{place}"));
        // By the clock of the server: the code of the present is good, and none that the host's clock names.
        let steps = by.parse::<i64>().unwrap() / 30;
        assert!(steps.abs() < 10 || !is_accepted(redeem(&store, &alice.person, &alice.code(steps))), "{by}");
        assert!(is_accepted(redeem(&store, &alice.person, &alice.code(0))), "{by}");
        let status = off(host.command(&debug().tool), by).args(["fleet", "status"]).output().unwrap();
        assert!(status.status.success(), "{by}: {}", said(&status));
    }
}

#[test]
fn a_certificate_of_the_fleets_own_authority_that_has_ended_opens_nothing() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let Some(machine) = members::central() else { return };
    // By a server whose clock is a hundred days behind; it judges nothing, and lets hosts join.
    let mut serving = Serving(off(machine.command(&["serve"]), "-100d").spawn().unwrap());
    machine.until_it_listens();
    let web1 = Member::joined(&machine, WEB1);
    serving.end();
    let _serving = machine.serve();
    // Whatever its row says.
    machine.postgres.sql("update twofactor.certificate set until = clock_timestamp() + interval '1 year'");
    assert!(ask(&mut web1.connect(machine.address), HELLO).is_err());
    let new = Member::joined_as(&machine, &[WEB1, "--again"]);
    assert_eq!(ask(&mut new.connect(machine.address), HELLO).unwrap().in_short(), "done");
}
