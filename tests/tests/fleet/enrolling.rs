//! Enrollment at a host without an invitation: by the policy of the server, and within the quota of the host.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use twofactor_core::account::factors::Factors;
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::secret::Secret;
use twofactor_core::config::Config;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::administration::InvitationAdministration as _;
use twofactor_core::store::wire::Message;
use twofactor_core::store::{Attempt, EnrollmentStore as _, Presence, Store as _};
use twofactor_server::Host;
use twofactor_tests::oathtool::{Authenticator, Kind};

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

/// Of what a host is asked, that alone goes on its quota which enrolls a user, and once however often it is asked.
pub(crate) fn what_is_counted(ask: impl Fn(&Host, &[u8]) -> Message, counted: impl Fn() -> String) {
    let host = Host { may_enroll: true, may_self: true, enrollments_per_hour: 2, ..Host::named("web1") };
    let own = |user: &str, code: &str, secret: &str, number: u128| {
        let line = format!(" version=1 ask=self-enroll user={user} uid=1001 label=app secret={secret} code={code}");
        let question = Message::read(line.as_bytes()).unwrap().numbered(number).line().unwrap();
        ask(&host, &question).in_short()
    };
    let app = |user: &str| {
        let secret = Secret::generate(20).unwrap().expose_base32().to_string();
        let app =
            Authenticator { secret: secret.clone(), algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) };
        let (right, mut wrong) = (app.codes_from(now().seconds(), 1).remove(0), app.wrong_codes());
        (user.to_owned(), secret, right, wrong.next().unwrap())
    };
    let (alice, secret, right, wrong) = app("alice");
    for number in 1..5 {
        let refused = own(&alice, &wrong, &secret, number);
        assert!(refused.starts_with("not-changed"), "{refused}");
    }
    assert!(["", "0"].contains(&counted().as_str()), "{}", counted());
    let enrolled = own(&alice, &right, &secret, 10);
    assert!(enrolled.starts_with("changed"), "{enrolled}");
    // The same question again, and another of a user who has a factor by now.
    assert_eq!(own(&alice, &right, &secret, 10), enrolled);
    assert!(own(&alice, &right, &secret, 11).starts_with("not-changed"));
    assert_eq!(counted(), "1");
    let (bob, secret, right, _) = app("bob");
    let enrolled = own(&bob, &right, &secret, 20);
    assert!(enrolled.starts_with("changed"), "{enrolled}");
    // Nothing is left now, and what was written is told again all the same.
    assert_eq!(own(&bob, &right, &secret, 20), enrolled);
    assert_eq!(counted(), "2");
    let (carol, secret, right, _) = app("carol");
    assert_eq!(own(&carol, &right, &secret, 30), "failed not-root");
    assert_eq!(counted(), "2");
}

#[test]
fn what_enrolls_no_user_uses_up_nothing_of_the_quota_and_a_repeated_question_counts_once() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let turn = Cell::new(0);
    what_is_counted(
        |host, question| {
            turn.set(turn.get() + 1);
            fleet.runtime.block_on(fleet.servers[turn.get() % 2].answer(host, question)).unwrap()
        },
        || fleet.postgres.sql("select users + before from twofactor.enrolled where host = 'web1'"),
    );
}

#[test]
fn check_warns_of_a_host_that_may_enroll_each_user_without_an_invitation() {
    let Some(machine) = Machine::with("[[host]]\nname = \"desk\"\nmay = [\"login\", \"enroll\"]\n") else { return };
    let checked = machine.run(&["check"]);
    assert!(checked.status.success() && said(&checked).contains("warning  [[host]] in line"), "{}", said(&checked));
    machine.configure("[[host]]\nname = \"desk\"\nmay = [\"login\", \"enroll\"]\ngroups = [\"staff\"]\n");
    assert!(!said(&machine.run(&["check"])).contains("warning"));
}
