//! The limits of one host: the users it may ask about, its quota of wrong codes, and what of a login belongs to it alone.

use std::io::Read as _;
use std::net::IpAddr;
use std::time::Duration;

use twofactor_core::account::factors::Factors;
use twofactor_core::account::remembered::{LoginPlace, Recall};
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::answer::Answer;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::{Attempt, Presence, Redemption, Store as _};
use twofactor_server::Host;

use super::network::ask;
use super::program::Machine;
use super::relay::Asking;
use super::{Enrolled, Fleet, is_accepted, question, redeem, refusal};

fn named(name: &str) -> Person {
    Person { name: UserName::new(name).unwrap(), uid: Uid(1001) }
}

#[test]
fn a_host_asks_about_the_members_of_its_groups_alone_as_the_server_knows_them() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let desk = fleet.host("desk");
    let (daemon, games) = (Enrolled::at(&desk, "daemon"), Enrolled::at(&desk, "games"));
    let limited = |groups: &[&str]| {
        let groups = Some(groups.iter().map(ToString::to_string).collect());
        Asking::of(Host { groups, may_enroll: true, ..Host::named("web1") }, &fleet.servers, &fleet.runtime)
    };
    let web1 = limited(&["no-such-group", "daemon"]);
    assert!(is_accepted(redeem(&web1.store(), &daemon.person, &daemon.code(0))));
    for (person, what) in [(&games.person, "of another group"), (&named("alice"), "not known to the server")] {
        let error = redeem(&web1.store(), person, &games.code(0)).unwrap_err();
        assert!(error.to_string().contains("this host may not ask about the user"), "{what}: {error}");
        assert!(web1.store().presence(&person.name).is_err(), "{what}: not absent, which a policy may let in");
    }
    assert!(is_accepted(redeem(&desk.store(), &games.person, &games.code(0))), "her code was not looked at");
    let audit = fleet.postgres.sql("select count(*) from twofactor.audit where host = 'web1' and name <> 'daemon'");
    assert_eq!(audit, "0");
    // The host cannot say so: it may enroll, and enrolls nobody else.
    let refused = Enrolled::try_through(&web1.store(), "bob").map(drop).unwrap_err();
    assert!(refused.to_string().contains("this host may not ask about the user"));
    assert!(matches!(desk.store().presence(&named("bob").name).unwrap(), Presence::Absent(_)));
}

#[test]
fn wrong_codes_of_a_host_are_counted_by_all_servers_and_slow_it_for_each_user() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let desk = fleet.host("desk");
    let users = ["alice", "bob", "carol", "dave"].map(|name| Enrolled::at(&desk, name));
    let [alice, bob, carol, dave] = &users;
    let web1 = Host { wrong_codes_per_hour: 4, ..Host::named("web1") };
    let web1 = Asking::of(web1, &fleet.servers, &fleet.runtime);
    let wrong = |user: &Enrolled, count: usize| {
        for typed in user.app.wrong_codes().take(count) {
            assert_eq!(refusal(redeem(&web1.store(), &user.person, &typed)), Reason::WrongCode);
        }
    };
    let counted = || fleet.postgres.sql("select wrong + before from twofactor.quota where host = 'web1'");
    assert!(is_accepted(redeem(&web1.store(), &dave.person, &dave.code(-1))));
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.quota where host = 'web1'"), "0", "no wrong code");
    wrong(alice, 2);
    wrong(bob, 1);
    // Words that are no code, users who are not enrolled, used codes: no guesses.
    assert_eq!(refusal(redeem(&web1.store(), &bob.person, "letters")), Reason::WrongCode);
    assert_eq!(refusal(redeem(&web1.store(), &named("erin"), &alice.wrong())), Reason::NotEnrolled);
    assert_eq!(refusal(redeem(&web1.store(), &dave.person, &dave.code(-1))), Reason::Replayed);
    assert_eq!(counted(), "3");
    wrong(bob, 2);
    assert_eq!(counted(), "4", "the code that is sent again counts once");
    // Over the quota now: each user's first code is looked at, and no second one for an hour.
    wrong(carol, 1);
    assert_eq!(refusal(redeem(&web1.store(), &carol.person, &carol.code(0))), Reason::Throttled);
    assert_eq!(refusal(redeem(&web1.store(), &alice.person, &alice.code(0))), Reason::Throttled);
    assert!(is_accepted(redeem(&web1.store(), &dave.person, &dave.code(0))), "never stopped");
    // At another host all of them log in.
    for user in [alice, bob, carol] {
        assert!(is_accepted(redeem(&desk.store(), &user.person, &user.code(0))));
    }
    // The hour is over.
    fleet.postgres.sql("update twofactor.quota set hour = hour - 2");
    wrong(carol, 2);
    assert_eq!(counted(), "2");
}

#[test]
fn a_host_over_its_quota_delays_no_user_at_the_host_of_the_last_login() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let quota = |name: &str| Host { wrong_codes_per_hour: 1, may_enroll: true, ..Host::named(name) };
    let (home, hostile) = (quota("home"), quota("hostile"));
    let [home, hostile] = [home, hostile].map(|host| Asking::of(host, &fleet.servers, &fleet.runtime));
    let alice = Enrolled::at(&home, "alice");
    assert!(is_accepted(redeem(&home.store(), &alice.person, &alice.code(-1))));
    // That host is over its quota, too, by another user.
    let bob = Enrolled::at(&home, "bob");
    assert_eq!(refusal(redeem(&home.store(), &bob.person, &bob.wrong())), Reason::WrongCode);
    assert_eq!(refusal(redeem(&hostile.store(), &alice.person, &alice.wrong())), Reason::WrongCode);
    assert_eq!(refusal(redeem(&hostile.store(), &alice.person, &alice.code(0))), Reason::Throttled);
    assert!(is_accepted(redeem(&home.store(), &alice.person, &alice.code(0))));
}

#[test]
fn the_log_says_once_that_a_host_is_over_its_quota() {
    let Some(machine) = Machine::with(
        "[[host]]\nname = \"web1.example.org\"\nmay = [\"login\", \"enroll\"]\nwrong_codes_per_hour = 2\n",
    ) else {
        return;
    };
    let mut serving = machine.serve();
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let alice = Enrolled::at(&fleet.host("desk"), "alice");
    let mut web1 = machine.site.connect(machine.address, Some(machine.site.host("web1.example.org")));
    for (number, typed) in (1..).zip(alice.app.wrong_codes().take(3)) {
        ask(&mut web1, &question(&alice, &typed, number)).unwrap();
    }
    assert!(serving.end().success());
    let mut log = String::new();
    serving.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(
        log.matches("host web1.example.org is over its quota: 2 wrong codes within an hour").count(),
        1,
        "{log}"
    );
}

#[test]
fn a_host_that_asks_in_vain_over_and_over_fills_no_table_and_wrong_codes_keep_their_rows() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let (desk, web1) = (fleet.host("desk"), fleet.host("web1"));
    let (alice, bob) = (Enrolled::at(&desk, "alice"), Enrolled::at(&desk, "bob"));
    let rows = || {
        fleet.postgres.sql(
            "select (select count(*) from twofactor.audit where host = 'web1'), \
             (select count(*) from twofactor.answer a join twofactor.quota q on q.host = 'web1' where a.at > now() - interval '1 hour')",
        )
    };
    let counted = || fleet.postgres.sql("select wrong, refused from twofactor.quota where host = 'web1'");
    let (code, wrong) = (alice.code(0), alice.wrong());
    assert!(is_accepted(redeem(&web1.store(), &alice.person, &code)));
    // Invented names, used codes, words that are no code: counted, each with its row.
    assert_eq!(refusal(redeem(&web1.store(), &named("invented1"), &wrong)), Reason::NotEnrolled);
    assert_eq!(refusal(redeem(&web1.store(), &alice.person, &code)), Reason::Replayed);
    assert_eq!(counted(), "0|2");
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.audit where host = 'web1'"), "3");
    fleet.postgres.sql("update twofactor.quota set refused = 1000 where host = 'web1'");
    let (before, decoys) = (rows(), || fleet.postgres.sql("select sum(version) from twofactor.decoy"));
    let spent = decoys();
    for number in 2..6 {
        assert_eq!(refusal(redeem(&web1.store(), &named(&format!("invented{number}")), &wrong)), Reason::NotEnrolled);
        assert_eq!(refusal(redeem(&web1.store(), &alice.person, &code)), Reason::Replayed);
    }
    assert_eq!((rows(), counted()), (before, "0|1008".to_owned()), "nothing grows");
    let spent = decoys().parse::<u64>().unwrap() - spent.parse::<u64>().unwrap();
    assert_eq!(spent, 4 * 3 + 4 * 2, "as much is written in other places");
    // Wrong codes and accepted ones have rows as ever, and it is not stopped.
    assert_eq!(refusal(redeem(&web1.store(), &bob.person, &bob.wrong())), Reason::WrongCode);
    assert!(is_accepted(redeem(&web1.store(), &bob.person, &bob.code(0))));
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.audit where host = 'web1'"), "5");
    assert_eq!(counted(), "1|1008");
    // Another host is not concerned, and the hour passes.
    assert_eq!(refusal(redeem(&desk.store(), &named("invented7"), &wrong)), Reason::NotEnrolled);
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.audit where name = 'invented7'"), "1");
    fleet.postgres.sql("update twofactor.quota set hour = hour - 2");
    assert_eq!(refusal(redeem(&web1.store(), &named("invented8"), &wrong)), Reason::NotEnrolled);
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.audit where name = 'invented8'"), "1");
}

#[test]
fn a_login_is_remembered_at_its_host_alone() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let (web1, web2) = (fleet.host("web1"), fleet.host("web2"));
    let alice = Enrolled::at(&web1, "alice");
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    let (place, longest) = (LoginPlace { service: "sshd", address }, Duration::from_mins(5));
    let source = Source::from_rhost(Some("192.0.2.7"));
    let readings = [Answer::parse(alice.code(0).as_bytes())];
    let remember = Some((place, longest));
    let attempt = Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember };
    assert!(matches!(web1.store().redeem(&alice.person, &attempt).unwrap(), Redemption::Redeemed(_)));
    let is_remembered = |host: &Asking, service| {
        let like = Recall { place: LoginPlace { service, address }, longest };
        host.store().remembers(&alice.person, &like, Factors::ALL).unwrap().is_some()
    };
    assert!(is_remembered(&web1, "sshd"));
    for service in ["sshd", "web1/sshd", "../web1/sshd"] {
        assert!(!is_remembered(&web2, service), "{service}");
    }
}
