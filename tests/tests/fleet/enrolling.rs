//! Enrollment at a host without an invitation: by the policy of the server, and within the quota of the host.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use twofactor_core::account::factors::Factors;
use twofactor_core::account::invitation::InvitationCode;
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::secret::Secret;
use twofactor_core::config::Config;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::administration::InvitationAdministration as _;
use twofactor_core::store::wire::Message;
use twofactor_core::store::{Attempt, EnrollmentStore as _, Presence, Store as _};
use twofactor_server::Host;
use twofactor_tests::oathtool::{Authenticator, Kind};

use super::own_changes::letting;
use super::program::{Machine, said};
use super::relay::Asking;
use super::tokens::{Fob, central, stock};
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

/// A host that asks about invented names takes no place in the store for them, but for the first that guess at a token. Guesses at
/// invitations and refused logins, which strangers can cause, are no reason to let no user register one.
pub(crate) fn invented_names_take_no_place(
    ask: impl Fn(&Host, &[u8]) -> Message,
    kept: impl Fn() -> String,
    refuse: impl Fn(u32, u32),
    (counted, in_vain): (impl Fn() -> String, &str),
) {
    let host = Host { may_enroll: true, may_self: true, enrollments_per_hour: 1_000_000, ..Host::named("web1") };
    let number = Cell::new(0);
    let asked = |verb: &str, user: &str, more: &str| {
        number.set(number.get() + 1);
        let line = format!(" version=1 ask={verb} user={user} uid=1001 {more}");
        let question = Message::read(line.as_bytes()).unwrap().numbered(number.get()).line().unwrap();
        ask(&host, &question).in_short()
    };
    let secret = Secret::generate(20).unwrap().expose_base32().to_string();
    let app = Authenticator { secret: secret.clone(), algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) };
    let (right, wrong) = (app.codes_from(now().seconds(), 1).remove(0), app.wrong_codes().next().unwrap());
    let invitation = InvitationCode::generate().unwrap().expose_grouped().replace('-', "");
    let own = |code: &str| format!("label=app secret={secret} code={code} invitation={invitation}");
    let of_stranger = format!("invitation={invitation} source=192.0.2.7");
    // Nothing to guess, and nothing kept.
    for round in 0..8 {
        let user = format!("invented{}", round % 2);
        assert_eq!(asked("check-invitation", &user, &of_stranger), "refused invitation-wrong");
        assert_eq!(asked("self-enroll", &user, &own(&right)), "refused invitation-wrong");
        assert!(asked("self-enroll", &user, &own(&wrong)).starts_with("not-changed"));
        let app = format!(
            "serial=app-1 label=app secret={secret} algorithm=SHA1 digits=6 period=30 issued=2026-01-01T00:00:00Z drift=0 anchor=0 \
             salt={} digest={} until=2099-01-01T00:00:00Z",
            "A".repeat(26),
            "A".repeat(52)
        );
        let superseded = asked("store-app", &user, &app);
        assert!(superseded.starts_with("superseded"), "{superseded}");
    }
    assert_eq!(kept(), "0", "names that were invented take places");
    assert_eq!(counted(), in_vain);
    // A guess at a token is counted by the name, for so many names.
    // The same codes again would be counted once.
    let token = |user: &str, code: u32| {
        asked("check-registration", user, &format!("serial=1 code={code:06} code=222222 source=192.0.2.7"))
    };
    let of_new = |number: u32| token(&format!("new{number}"), 0);
    for guess in 0..6 {
        let throttled = if guess < 5 { "not-registered no-such-token" } else { "not-registered throttled" };
        assert_eq!(token("new0", guess), throttled, "{guess}");
    }
    refuse(999, 999);
    for round in 0..3 {
        let invited = asked("check-invitation", &format!("guesser{round}"), &of_stranger);
        assert_eq!(invited, "refused invitation-wrong");
        assert_eq!(asked("self-enroll", "guesser", &own(&right)), "refused invitation-wrong");
    }
    assert_eq!(of_new(1), "not-registered no-such-token", "guesses at invitations stop no registration");
    assert_eq!(of_new(2), "failed store-unavailable", "more names take no more places");
    assert_eq!(asked("self-token", "new3", "serial=1 code=111111 code=222222"), "failed store-unavailable");
    assert_eq!(kept(), "2");
    assert_eq!(token("new0", 7), "not-registered throttled", "of a name that is known it goes on");
    // Who has an invitation is known.
    assert_eq!(asked("check-invitation", "new5", &of_stranger), "refused invitation-wrong");
    refuse(100_000, 0);
    assert_eq!(of_new(4), "not-registered no-such-token", "refused logins stop no registration");
    assert_eq!(kept(), "3");
}

#[test]
fn a_host_that_invents_names_takes_no_place_for_them_in_the_database() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    invented_names_take_no_place(
        |host, question| fleet.runtime.block_on(fleet.servers[0].answer(host, question)).unwrap(),
        || fleet.postgres.sql("select count(*) from twofactor.state"),
        |refused, newcomers| {
            let set = format!("update twofactor.quota set refused = {refused}, newcomers = {newcomers}");
            fleet.postgres.sql(&set);
        },
        (|| fleet.postgres.sql("select newcomers, refused from twofactor.quota"), "0|16"),
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

#[test]
fn the_right_codes_of_a_free_token_take_no_place_for_each_name_and_no_row_each_time() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let alice = Enrolled::at(&fleet.host("desk"), "alice");
    let fobs = [Fob::random("A1")];
    stock(&central(&fleet), "acme", &fobs);
    let [one, two] = fobs[0].authenticator().two_codes();
    let shown = format!("serial=A1 code={one} code={two} source=192.0.2.7");
    let (host, number) = (letting("web1"), Cell::new(0));
    let asked = |verb: &str, user: &str| {
        number.set(number.get() + 1);
        let line = format!(" version=1 ask={verb} user={user} uid=1001 {shown}");
        let question = Message::read(line.as_bytes()).unwrap().numbered(number.get()).line().unwrap();
        fleet.runtime.block_on(fleet.servers[0].answer(&host, &question)).unwrap().in_short()
    };
    let sql = |statement: &str| fleet.postgres.sql(statement);
    let rows = || sql("select count(*) from twofactor.audit");
    // Nothing is burned, so another name may be given with them.
    assert_eq!(asked("check-registration", "new0"), "registrable");
    assert_eq!(sql("select newcomers, refused from twofactor.quota where host = 'web1'"), "1|1");
    sql("update twofactor.quota set newcomers = 1000");
    assert_eq!(asked("check-registration", "new1"), "failed store-unavailable");
    assert_eq!(sql("select count(*) from twofactor.state where name like 'new%'"), "1");
    sql("update twofactor.quota set newcomers = 0, refused = 1000");
    let before = rows();
    for _ in 0..3 {
        assert_eq!(asked("check-registration", "new0"), "registrable");
        let refused = asked("register", alice.person.name.as_str());
        assert!(refused.starts_with("superseded"), "{refused}");
    }
    assert_eq!(rows(), before);
}
