//! Enrollment at a host without an invitation: by the policy of the server, and within the quota of the host.

use std::thread;
use std::time::Duration;

use twofactor_core::account::factors::Factors;
use twofactor_core::account::throttle::Source;
use twofactor_core::config::Config;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::administration::InvitationAdministration as _;
use twofactor_core::store::{Attempt, EnrollmentStore as _, Presence, Store as _};
use twofactor_server::Host;

use super::program::{Machine, said};
use super::relay::Asking;
use super::tokens::central;
use super::{Enrolled, Fleet, now};

fn refused(enrolled: Result<Enrolled, twofactor_core::store::Superseded>) -> String {
    enrolled.err().expect("an account was made").to_string()
}

#[test]
fn without_an_invitation_only_those_enroll_whom_a_rule_of_the_server_lets() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let at = |rules: &str| {
        let server = fleet.server_with(&Config::parse(rules).unwrap(), &fleet.postgres.connection());
        Asking::new("web1", true, &[server], &fleet.runtime)
    };
    let closed = "with an invitation only";
    // The default asks for a code, and lets none set one up.
    let web1 = at("");
    assert!(refused(Enrolled::try_through(&web1.store(), "alice")).contains(closed));
    // A rule for another service is not about it, whatever the host might say of the login.
    let web1 = at("[[rule]]\nservices = [\"sshd\"]\nsecond_factor = \"enroll\"\n");
    assert!(refused(Enrolled::try_through(&web1.store(), "alice")).contains(closed));
    let web1 = at("[[rule]]\nusers = [\"alice\"]\nservices = [\"twofactor-fleet\"]\nsecond_factor = \"enroll\"\n");
    assert!(refused(Enrolled::try_through(&web1.store(), "bob")).contains(closed));
    Enrolled::through(&web1.store(), "alice");
    // By groups as the server knows them; of a user whom it does not know it knows none.
    let web1 =
        at("[[rule]]\ngroups = [\"games\"]\nsecond_factor = \"required\"\n[default]\nsecond_factor = \"enroll\"\n");
    for name in ["games", "bob", "Daemon"] {
        assert!(refused(Enrolled::try_through(&web1.store(), name)).contains(closed), "{name}");
    }
    Enrolled::through(&web1.store(), "daemon");
    assert_eq!(
        fleet.postgres.sql("select string_agg(name, ',' order by name) from twofactor.credentials"),
        "alice,daemon"
    );

    // With an invitation of the central machine bob sets one up, whatever the rules say.
    let bob = Person { name: UserName::new("bob").unwrap(), uid: Uid(1001) };
    let typed = central(&fleet).invite(&bob, now().after(Duration::from_hours(1))).unwrap();
    let source = Source::from_rhost(Some("192.0.2.7"));
    let attempt = Attempt { readings: &[], previous: None, source: &source, factors: Factors::ALL, remember: None };
    let invitation = web1.store().check_invitation(&bob, &typed, &attempt).unwrap().unwrap();
    Enrolled::with_invitation(&web1.store(), "bob", Some(invitation)).unwrap();
    assert!(matches!(web1.store().presence(&bob.name).unwrap(), Presence::Enrolled));
}

#[test]
fn a_host_enrolls_no_more_users_an_hour_than_its_quota_through_all_servers_at_once() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let host = |name: &str, enrollments_per_hour| {
        let host = Host { may_enroll: true, enrollments_per_hour, ..Host::named(name) };
        Asking::of(host, &fleet.servers, &fleet.runtime)
    };
    let (hostile, honest) = (host("hostile", 3), host("honest", 3));
    let enrolled: usize = thread::scope(|scope| {
        let hostile = &hostile;
        let enrolling: Vec<_> = (0..10)
            .map(|number| scope.spawn(move || Enrolled::try_through(&hostile.store(), &format!("user{number}"))))
            .collect();
        enrolling.into_iter().map(|enrolling| usize::from(enrolling.join().unwrap().is_ok())).sum()
    });
    assert_eq!(enrolled, 3);
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.credentials"), "3");
    let more = refused(Enrolled::try_through(&hostile.store(), "more"));
    assert!(more.contains("this host has enrolled as many users within an hour as it may"), "{more}");
    Enrolled::at(&honest, "alice");
    // Of those of the hour before a part counts, an hour later none.
    let early = "select extract(epoch from clock_timestamp())::int8 % 3600 < 3000";
    let is_early = fleet.postgres.sql(early) == "t";
    fleet.postgres.sql("update twofactor.enrolled set hour = hour - 1, users = 30");
    if is_early {
        assert!(Enrolled::try_through(&hostile.store(), "early").is_err());
    }
    fleet.postgres.sql("update twofactor.enrolled set hour = hour - 2");
    Enrolled::at(&hostile, "more");
}

#[test]
fn check_warns_of_a_host_that_may_enroll_each_user_without_an_invitation() {
    let Some(machine) = Machine::new() else { return };
    assert!(machine.run(&["key", "init"]).status.success());
    machine.configure("[[host]]\nname = \"desk\"\nmay = [\"login\", \"enroll\"]\n");
    let checked = machine.run(&["check"]);
    assert!(checked.status.success() && said(&checked).contains("warning  [[host]] in line"), "{}", said(&checked));
    machine.configure("[[host]]\nname = \"desk\"\nmay = [\"login\", \"enroll\"]\ngroups = [\"staff\"]\n");
    assert!(!said(&machine.run(&["check"])).contains("warning"));
}
