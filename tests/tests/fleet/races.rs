//! Many logins at once, on a database as it may be: under serializable isolation, or with processes that are killed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use twofactor_core::log::reason::Reason;
use twofactor_server::{Host, Server};

use super::network::ask;
use super::program::Machine;
use super::relay::Asking;
use super::{Enrolled, Fleet, is_accepted, question, redeem, refusal};

/// The number of rounds of a race on a store of another kind: a few, or what the environment says for a long run (`TWOFACTOR_FLEET_ROUNDS=200`).
pub(super) fn rounds() -> usize {
    std::env::var("TWOFACTOR_FLEET_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20)
}

/// Rounds of a race at the same hosts. The losers use up what a host may ask in vain within an hour.
const AT_ONE_HOST: usize = 20;

/// In each round 24 logins with one code over three hosts, which `host` gives by their names: one wins.
pub(super) fn race(host: impl Fn(&str) -> Asking, rounds: usize) {
    let mut hosts = Vec::new();
    for round in 0..rounds {
        if round % AT_ONE_HOST == 0 {
            hosts = ["a", "b", "c"].map(|name| host(&format!("web{round}{name}"))).into();
        }
        let user = Enrolled::at(&hosts[0], &format!("user{round}"));
        let code = user.code(0);
        let winners: usize = thread::scope(|scope| {
            let logins: Vec<_> = (0..24)
                .map(|login| {
                    let (store, code, user) = (hosts[login % hosts.len()].store(), &code, &user);
                    scope.spawn(move || usize::from(is_accepted(redeem(&store, &user.person, code))))
                })
                .collect();
            logins.into_iter().map(|login| login.join().unwrap()).sum()
        });
        assert_eq!(winners, 1, "round {round}");
    }
}

/// Wrong codes of many users at one host at once are all judged, and all counted.
pub(super) fn wrong_codes_at_once(fleet: &Fleet) {
    let desk = fleet.host("desk");
    let users: Vec<Enrolled> = (0..16).map(|user| Enrolled::at(&desk, &format!("guessed{user}"))).collect();
    let host = Host { wrong_codes_per_hour: 1000, ..Host::named("guessing") };
    let guessing = Asking::of(host, &fleet.servers, &fleet.runtime);
    thread::scope(|scope| {
        for user in &users {
            let store = guessing.store();
            scope.spawn(move || {
                for typed in user.app.wrong_codes().take(3) {
                    assert_eq!(refusal(redeem(&store, &user.person, &typed)), Reason::WrongCode);
                }
            });
        }
    });
    assert_eq!(fleet.postgres.sql("select wrong + before from twofactor.quota where host = 'guessing'"), "48");
}

#[test]
fn under_serializable_isolation_one_login_of_many_wins_and_every_wrong_code_counts() {
    let Some(fleet) = Fleet::with_servers_on(3, &["default_transaction_isolation=serializable"]) else { return };
    assert_eq!(fleet.postgres.sql("show transaction_isolation"), "serializable");
    race(|name| fleet.host(name), rounds());
    wrong_codes_at_once(&fleet);
    let repeated = fleet.postgres.log().matches("could not serialize access").count();
    assert!(repeated > 0, "none had to be repeated: the isolation is another");
}

#[test]
fn questions_about_users_who_do_not_exist_do_not_wait_for_each_other() {
    const AT_ONCE: usize = 8;
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let line = b" version=1 ask=pretend reading=123456 source=192.0.2.7 factors=app,token,recovery";
    assert_eq!(fleet.answer("web0", line).in_short(), "done");
    // No row of the audit can be written: all of them are at the database together.
    let holding = fleet.postgres.transaction("lock table twofactor.audit in exclusive mode");
    thread::scope(|scope| {
        let fleet = &fleet;
        let asked: Vec<_> = (0..AT_ONCE)
            .map(|host| scope.spawn(move || fleet.answer(&format!("web{host}"), line).in_short()))
            .collect();
        fleet.postgres.until_waiting(AT_ONCE);
        holding.commit();
        for answer in asked {
            assert_eq!(answer.join().unwrap(), "done");
        }
    });
}

/// Asks at the first server that answers, again and again under one number.
fn persist(stores: [&dyn Fn() -> Option<String>; 2]) -> String {
    let until = Instant::now() + Duration::from_secs(40);
    loop {
        for store in stores {
            match store() {
                Some(answer) if !answer.starts_with("failed") => return answer,
                _ => assert!(Instant::now() < until, "no server answers"),
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn while_servers_and_processes_of_the_database_are_killed_no_right_code_is_refused_and_none_is_good_twice() {
    const WEB1: &str = "web1.example.org";
    let Some(machine) = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\n")) else { return };
    let mut serving = machine.serve();
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let desk = fleet.host("desk");
    let users: Vec<Enrolled> = (0..160).map(|user| Enrolled::at(&desk, &format!("user{user}"))).collect();
    // Each has one code, also where that takes longer than a step.
    let codes: Vec<String> = users.iter().map(|user| user.code(1)).collect();
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let second: &Arc<Server> = &fleet.servers[0];
    let at_second = |question: &[u8]| {
        let answered = fleet.runtime.block_on(second.answer(&Host::named(WEB1), question));
        answered.ok().map(|message| message.in_short())
    };
    let kills = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::SeqCst);
                    let Some(user) = users.get(place) else { break };
                    // A fast machine is not done before the kills have begun.
                    while kills.load(Ordering::SeqCst) < place / 30 {
                        thread::sleep(Duration::from_millis(5));
                    }
                    let asked = question(user, &codes[place], place as u128 + 1);
                    let at_first = || {
                        let mut connection = machine.site.try_connect(machine.address, machine.site.host(WEB1))?;
                        ask(&mut connection, &asked).ok().map(|message| message.in_short())
                    };
                    let answer = persist([&at_first, &|| at_second(&asked)]);
                    assert_eq!(answer, "redeemed app", "{}", user.person.name);
                }
                is_over.store(true, Ordering::SeqCst);
            });
        }
        while !is_over.load(Ordering::SeqCst) {
            // In turns: a process of the database, and the server.
            if kills.load(Ordering::SeqCst).is_multiple_of(2) {
                machine.postgres.kill_a_backend();
            } else {
                let _ = serving.0.kill();
                let _ = serving.0.wait();
                machine.postgres.until_it_answers();
                serving = machine.serve();
            }
            kills.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
        }
    });
    let kills = kills.into_inner();
    assert!(kills >= 4, "it was over after {kills}");
    for (number, (user, code)) in (10_000..).zip(users.iter().zip(&codes)) {
        let again = question(user, code, number);
        let answer = persist([&|| at_second(&again), &|| at_second(&again)]);
        assert_ne!(answer, "redeemed app", "{}", user.person.name);
    }
    let accepted = "select max(count) from (select count(*) from twofactor.audit where detail = 'redeemed app' group by name) as each";
    assert_eq!(machine.postgres.sql(accepted), "1");
}

#[test]
fn a_thousand_kept_links_take_little_memory() {
    const LINKS: u64 = 1000;
    let Some(machine) = Machine::with("[[host]]\nname = \"web*.example.org\"\n") else { return };
    let serving = machine.serve();
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", serving.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let link = |host: u64| {
        let name = format!("web{host}.example.org");
        let mut connection = machine.site.connect(machine.address, Some(machine.site.host(&name)));
        assert_eq!(ask(&mut connection, super::network::HELLO).unwrap().in_short(), "done");
        connection
    };
    // The first ones bring what all of them share.
    let _first: Vec<_> = (LINKS..LINKS + 25).map(link).collect();
    let before = memory();
    let mut links: Vec<_> = (0..LINKS).map(link).collect();
    let each = memory().saturating_sub(before) * 1024 / LINKS;
    assert!(each <= 64 * 1024, "{each} bytes a link");
    println!("{each} bytes of the server's memory a kept link");
    for connection in &mut links {
        assert_eq!(ask(connection, super::network::HELLO).unwrap().in_short(), "done");
    }
}
