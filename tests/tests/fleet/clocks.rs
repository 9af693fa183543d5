//! Clocks that differ: of a server and the database, by seconds, a minute and an hour.

use std::io::Read as _;
use std::process::Stdio;

use twofactor_tests::requirements;

use super::network::ask;
use super::program::{Machine, Serving, said};
use super::{Enrolled, Fleet, question};

const WEB1: &str = "web1.example.org";

#[test]
fn a_server_whose_clock_is_off_says_so_and_beyond_a_minute_judges_nothing() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let Some(machine) = Machine::new() else { return };
    assert!(machine.run(&["key", "init"]).status.success());
    machine.configure(&format!("[[host]]\nname = \"{WEB1}\"\n"));
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let desk = fleet.host("desk");
    let off = |arguments: &[&str], by: &str| {
        let mut command = machine.command(arguments);
        command.env("LD_PRELOAD", requirements::faketime().unwrap()).env("FAKETIME", by);
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        command
    };
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
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
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
