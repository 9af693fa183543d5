//! Servers that are late, and links that wait for them.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::joining::WEB1;
use super::login::Linked;
use super::meanwhile::until;
use super::program::Machine;
use super::renewal::{Activated, central};
use super::{Enrolled, Fleet, is_accepted, question, redeem};

/// A host that has joined, with its link, and a user of its fleet.
fn joined(machine: &Machine) -> (Activated, Linked, Enrolled) {
    let host = Activated::joined(machine, WEB1);
    let link = host.link();
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let alice = Enrolled::at(&fleet.host("web9"), "alice");
    (host, link, alice)
}

#[test]
fn a_server_that_is_late_with_one_question_is_asked_the_next_one() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let (host, _link, alice) = joined(&machine);
    // Its connection is kept.
    assert!(is_accepted(redeem(&host.store(), &alice.person, &alice.code(-1))));
    let holding = machine.postgres.transaction("lock table twofactor.audit in exclusive mode");
    let began = Instant::now();
    assert!(redeem(&host.store(), &alice.person, &alice.code(0)).is_err());
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    holding.commit();
    assert!(is_accepted(redeem(&host.store(), &alice.person, &alice.code(1))), "the server was not asked");
}

#[test]
fn while_the_database_hangs_one_login_waits_and_those_behind_it_do_not() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let (host, _link, alice) = joined(&machine);
    let wrong = alice.wrong();
    // Its connection is kept.
    assert!(is_accepted(redeem(&host.store(), &alice.person, &alice.code(0))));
    machine.postgres.signal_all(Signal::SIGSTOP);
    let waits: Vec<Duration> = (0..20)
        .map(|_| {
            let began = Instant::now();
            let refused = redeem(&host.store(), &alice.person, &wrong).map(drop);
            assert!(refused.is_err(), "nothing was judged");
            began.elapsed()
        })
        .collect();
    machine.postgres.signal_all(Signal::SIGCONT);
    let all: Duration = waits.iter().sum();
    println!("20 logins in a row: {all:?}, the longest {:?}", waits.iter().max());
    // The first one and the look at the database take two seconds each, and those behind them none; before, each took five.
    assert!(waits[0] < Duration::from_secs(5), "the link has not heard that the server is late: {waits:?}");
    assert!(all < Duration::from_secs(20), "{all:?}: {waits:?}");
    let until = Instant::now() + Duration::from_secs(10);
    while redeem(&host.store(), &alice.person, &wrong).is_err() {
        assert!(Instant::now() < until, "it is not asked again");
    }
}

#[test]
fn statements_that_were_given_up_do_not_wait_at_the_database() {
    const AT_ONCE: usize = 6;
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let desk = fleet.host("desk");
    let users: Vec<Enrolled> = (0..AT_ONCE).map(|user| Enrolled::at(&desk, &format!("user{user}"))).collect();
    // As a sysadmin's change of the table does, for minutes.
    let holding = fleet.postgres.transaction("lock table twofactor.audit in exclusive mode");
    thread::scope(|scope| {
        for (number, user) in (1..).zip(&users) {
            let (fleet, code) = (&fleet, user.code(0));
            scope.spawn(move || {
                let answer = fleet.answer("web1", &question(user, &code, number)).in_short();
                assert!(answer.starts_with("failed "), "{answer}");
            });
        }
        fleet.postgres.until_waiting(AT_ONCE);
    });
    fleet.postgres.until_waiting(0);
    holding.commit();
    for (number, user) in (101..).zip(&users) {
        let answer = fleet.answer("web1", &question(user, &user.code(0), number)).in_short();
        assert_eq!(answer, "redeemed app", "nothing was written of the first one");
    }
}

#[test]
fn while_a_standby_that_commits_wait_for_is_away_no_code_opens_a_session() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let alice = Enrolled::at(&fleet.host("desk"), "alice");
    let host = twofactor_server::Host::named("web1");
    let asked = question(&alice, &alice.code(0), 1);
    let ask = |server: usize| fleet.runtime.block_on(fleet.servers[server].answer(&host, &asked)).unwrap().in_short();
    let standby = |set: &str| {
        fleet.postgres.sql(&format!("alter system {set}"));
        fleet.postgres.sql("select pg_reload_conf()");
    };
    standby("set synchronous_standby_names = 'elsewhere'");
    until("commits wait", || fleet.postgres.sql("show synchronous_standby_names") == "elsewhere");
    // The second one would read what the first has given up, if that counted.
    for server in [0, 1, 1] {
        assert!(ask(server).starts_with("failed "), "the code may be good again after a failover");
    }
    standby("reset synchronous_standby_names");
    until("it counts now", || ask(1) == "redeemed app");
    assert_eq!(ask(0), "redeemed app", "the same answer");
}
