//! The central store of a fleet, on the PostgreSQL of the distribution: several servers, several hosts, one account.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod addresses;
mod administration;
mod audit;
mod clocks;
mod databases;
mod demonstration;
mod doctor;
mod embedded;
mod embedded_programs;
mod enrolling;
mod every_command;
mod every_command_of_a_host;
mod first_logins;
mod histories;
mod host_rows;
mod hostile;
mod joining;
mod keys;
mod late;
mod links;
mod login;
mod logins;
mod meanwhile;
mod members;
mod network;
mod oneself;
mod own_changes;
mod permissions;
mod pooler;
mod program;
mod put_back;
mod races;
mod relay;
mod renewal;
mod retention;
mod secrets;
mod stories;
mod token_changes;
mod token_commands;
mod tokens;
mod units;
mod upgrades;
mod waiting;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use relay::Asking;
use tokio::runtime::Runtime;
use twofactor_core::account::enrollment::{self, Proposal};
use twofactor_core::account::factors::Factors;
use twofactor_core::account::invitation::Invitation;
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::Parameters;
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::Label;
use twofactor_core::config::rule::Level;
use twofactor_core::config::{Config, InvitationRule};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::broker::Broker;
use twofactor_core::store::wire::Message;
use twofactor_core::store::{
    Attempt, EnrollmentStore as _, Pending, PendingFactor, Redemption, SecretOrigin, Store as _, StoreError, Superseded,
};
use twofactor_server::{Host, Server, init_keys, read_keys};
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::postgres::Postgres;
use twofactor_tests::requirements;
use zeroize::Zeroizing;

/// A store with servers on it.
struct Fleet<P = Postgres> {
    postgres: P,
    key_file: PathBuf,
    _keys: Option<tempfile::TempDir>,
    runtime: Arc<Runtime>,
    servers: Vec<Arc<Server>>,
}

impl Fleet {
    /// `None` where PostgreSQL is not there, and may not be.
    fn with_servers(count: usize) -> Option<Self> {
        Self::with_servers_on(count, &[])
    }

    /// The same on a cluster with these settings.
    fn with_servers_on(count: usize, settings: &[&str]) -> Option<Self> {
        let keys = tempfile::tempdir().unwrap();
        let key_file = keys.path().join("seed.key");
        init_keys(&key_file, None).unwrap();
        let postgres = Self::postgres_is_there().then(|| Postgres::start(settings))?;
        Some(Fleet::open(postgres, key_file, Some(keys), count))
    }

    /// The content of all files of the cluster, its log, a dump and the statements that its processes ran last, by their places.
    fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        secrets::everything(&self.postgres)
    }

    /// A cluster of its own. `None` where PostgreSQL is not there, and may not be.
    fn postgres() -> Option<Postgres> {
        Self::postgres_is_there().then(|| Postgres::start(&[]))
    }

    fn postgres_is_there() -> bool {
        requirements::programs_met(&["setpriv"]) && requirements::package_met("postgresql", "/usr/lib/postgresql")
    }
}

impl<'p> Fleet<&'p Postgres> {
    /// One server of this process on the store of others.
    fn beside(postgres: &'p Postgres, key_file: PathBuf) -> Self {
        Fleet::open(postgres, key_file, None, 1)
    }
}

impl<P: Borrow<Postgres> + Sync> Fleet<P> {
    fn open(postgres: P, key_file: PathBuf, keys: Option<tempfile::TempDir>, count: usize) -> Self {
        let runtime = Arc::new(Runtime::new().unwrap());
        let mut fleet = Self { postgres, key_file, _keys: keys, runtime, servers: Vec::new() };
        // At once: one of them makes the tables.
        fleet.servers = thread::scope(|scope| {
            let opening: Vec<_> = (0..count).map(|_| scope.spawn(|| fleet.another_server())).collect();
            opening.into_iter().map(|server| server.join().unwrap()).collect()
        });
        fleet
    }

    fn another_server(&self) -> Arc<Server> {
        self.server_through(&self.postgres.borrow().connection())
    }

    /// A server on the database behind this connection string.
    fn server_through(&self, connection: &str) -> Arc<Server> {
        let mut config = Config::default();
        config.enrollment.invitation = InvitationRule::None;
        config.default_level = Level::Enroll;
        self.server_with(&config, connection)
    }

    fn server_with(&self, config: &Config, connection: &str) -> Arc<Server> {
        let keys = read_keys(&self.key_file, owner()).unwrap();
        let postgresql = connection.parse().unwrap();
        Arc::new(self.runtime.block_on(Server::open(postgresql, keys, config)).unwrap())
    }

    fn host(&self, name: &str) -> Asking {
        Asking::new(name, true, &self.servers, &self.runtime)
    }

    fn answer(&self, host: &str, question: &[u8]) -> Message {
        let host = Host::named(host);
        self.runtime.block_on(self.servers[0].answer(&host, question)).unwrap()
    }
}

fn owner() -> Owner {
    Owner(nix::unistd::geteuid().as_raw())
}

/// A user with an app, enrolled at a host.
struct Enrolled {
    person: Person,
    app: Authenticator,
    recovery: Vec<RecoveryCode>,
}

impl Enrolled {
    fn at(host: &Asking, name: &str) -> Self {
        Self::through(&host.store(), name)
    }

    /// At a host that may enroll.
    fn through(store: &Broker, name: &str) -> Self {
        Self::try_through(store, name).unwrap()
    }

    fn try_through(store: &Broker, name: &str) -> Result<Self, Superseded> {
        Self::with_invitation(store, name, None)
    }

    fn with_invitation(store: &Broker, name: &str, invitation: Option<Invitation>) -> Result<Self, Superseded> {
        let secret = Secret::generate(20).unwrap();
        let base32 = secret.expose_base32().to_string();
        let app = Authenticator { secret: base32, algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) };
        let proposal =
            Proposal::with_secret(secret, Label::app(), Parameters::default(), "example.org", name, now()).unwrap();
        let recovery = enrollment::recovery_codes(3).unwrap();
        let kept = recovery.iter().map(|code| RecoveryCode::new(Zeroizing::new(code.expose().to_owned())).unwrap());
        let kept = kept.collect();
        // Vouched for, so that no code is used up by it.
        let factor = PendingFactor::App { app: proposal.vouch(), recovery, secret: SecretOrigin::New };
        let person = Person { name: UserName::new(name).unwrap(), uid: Uid(1001) };
        store.store_pending(Pending { user: person.clone(), factor, invitation })?;
        Ok(Self { person, app, recovery: kept })
    }

    /// The code `steps` from the present one.
    fn code(&self, steps: i64) -> String {
        let at = now().seconds().checked_add_signed(steps * 30).unwrap();
        self.app.codes_from(at, 1).remove(0)
    }

    /// Digits that no step in reach shows.
    fn wrong(&self) -> String {
        self.app.wrong_codes().next().unwrap()
    }
}

fn now() -> UnixTime {
    SystemTime::now().try_into().unwrap()
}

fn redeem(store: &Broker, person: &Person, typed: &str) -> Result<Redemption, StoreError> {
    redeem_from("192.0.2.7", store, person, typed)
}

fn redeem_from(address: &str, store: &Broker, person: &Person, typed: &str) -> Result<Redemption, StoreError> {
    let (readings, source) = ([Answer::parse(typed.as_bytes())], Source::from_rhost(Some(address)));
    let attempt =
        Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember: None };
    store.redeem(person, &attempt)
}

#[track_caller]
fn refusal(redeemed: Result<Redemption, StoreError>) -> Reason {
    match redeemed.unwrap() {
        Redemption::Refused { reason, .. } => reason,
        Redemption::NearMiss { .. } => Reason::WrongCode,
        Redemption::Redeemed(_) => panic!("the code was accepted"),
    }
}

fn is_accepted(redeemed: Result<Redemption, StoreError>) -> bool {
    matches!(redeemed.unwrap(), Redemption::Redeemed(_))
}

#[test]
fn an_account_of_one_host_opens_sessions_on_all_and_each_code_one() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    logins::one_account(&fleet.host("web1"), &fleet.host("web2"));
    let audit =
        fleet.postgres.sql("select host, event, detail from twofactor.audit where name = 'alice' order by number");
    assert!(audit.starts_with("web1|store-app|done\nweb2|redeem|redeemed app\n"), "{audit}");
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.audit where name = 'bob'"), "1");
}

#[test]
fn of_simultaneous_logins_through_three_servers_on_three_hosts_exactly_one_wins() {
    let Some(fleet) = Fleet::with_servers(3) else { return };
    races::race(|name| fleet.host(name), 200);
}

/// The questions of one attempt, under a number.
fn question(user: &Enrolled, code: &str, number: u128) -> Zeroizing<Vec<u8>> {
    let line = format!(
        " version=1 ask=redeem user={} uid=1001 reading={code} source=192.0.2.7 factors=app,token,recovery",
        user.person.name
    );
    Message::read(line.as_bytes()).unwrap().numbered(number).line().unwrap()
}

#[test]
fn a_lost_answer_is_given_again_for_the_same_attempt_and_for_no_other() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let alice = Enrolled::at(&fleet.host("web1"), "alice");
    let another = fleet.another_server();
    let elsewhere =
        |host: &str, question: &[u8]| fleet.runtime.block_on(another.answer(&Host::named(host), question)).unwrap();
    logins::lost_answer(
        &alice,
        |host, question| fleet.answer(host, question),
        elsewhere,
        || {
            fleet.postgres.sql("update twofactor.answer set at = at - interval '31 seconds'");
        },
    );
}

#[test]
fn a_host_that_names_long_services_fills_no_account() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    logins::no_host_fills_an_account(&fleet.host("home"), |host, question| fleet.answer(host, question));
    let size: usize = fleet.postgres.sql("select length(sealed) from twofactor.state").parse().unwrap();
    assert!(size < 4096, "{size} bytes");
}

#[test]
fn a_host_that_may_not_enroll_changes_nothing() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    logins::enrolls_no_user(&fleet.host("web1"), &Asking::new("web2", false, &fleet.servers, &fleet.runtime));
}

#[test]
fn wrong_codes_at_one_host_do_not_delay_the_user_where_she_logged_in_last() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    logins::guesses_delay_no_login_at_home(&fleet.host("home"), &fleet.host("hostile"));

    // Nor a program without root on that host, whose wrong codes have a count of their own.
    let bob = Enrolled::at(&fleet.host("home"), "bob");
    let locker = |host: &str, code: &str| {
        let line = format!(
            " version=1 ask=redeem asker=user user=bob uid=1001 reading={code} source=? factors=app,token,recovery"
        );
        fleet.answer(host, line.as_bytes()).in_short()
    };
    assert_eq!(locker("home", &bob.code(0)), "redeemed app");
    let mut guesses = bob.app.wrong_codes().take(12).map(|code| locker("hostile", &code));
    assert!(guesses.any(|answer| answer == "refused throttled"));
    assert_eq!(locker("home", &bob.code(1)), "redeemed app");
}

fn contains(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}

#[test]
fn records_that_were_moved_forged_or_taken_away_open_nothing() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let web1 = fleet.host("web1");
    let (alice, mallory) = (Enrolled::at(&web1, "alice"), Enrolled::at(&web1, "mallory"));
    let sql = |statement: &str| fleet.postgres.sql(statement);
    sql("create table kept_c as table twofactor.credentials; create table kept_s as table twofactor.state");
    for (damage, reason) in [
        (
            "update twofactor.credentials a set sealed = m.sealed from twofactor.credentials m
          where a.name = 'alice' and m.name = 'mallory'",
            Reason::StoreCorrupt,
        ),
        (
            "update twofactor.state a set sealed = m.sealed from twofactor.state m
          where a.name = 'alice' and m.name = 'mallory'",
            Reason::StoreCorrupt,
        ),
        (
            "update twofactor.credentials a set sealed = s.sealed from twofactor.state s
          where a.name = 'alice' and s.name = 'alice'",
            Reason::StoreCorrupt,
        ),
        ("update twofactor.state set sealed = '' where name = 'alice'", Reason::StoreCorrupt),
        (
            "update twofactor.state set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) where name = 'alice'",
            Reason::StoreCorrupt,
        ),
        ("update twofactor.credentials set key = 7 where name = 'alice'", Reason::StoreUnavailable),
        ("delete from twofactor.state where name = 'alice'", Reason::StoreCorrupt),
        ("delete from twofactor.credentials where name = 'alice'", Reason::StoreCorrupt),
    ] {
        sql(damage);
        for typed in [alice.code(0), mallory.code(0)] {
            let error = redeem(&web1.store(), &alice.person, &typed).expect_err(damage);
            assert_eq!(error.reason(), reason, "{damage}: {error}");
        }
        assert!(web1.store().presence(&alice.person.name).is_err(), "{damage}: she is not absent");
        sql("truncate twofactor.credentials, twofactor.state; insert into twofactor.credentials table kept_c;
             insert into twofactor.state table kept_s");
    }
    assert!(is_accepted(redeem(&web1.store(), &alice.person, &alice.code(0))));
    // An administrator who writes can roll the use of codes back, and no more: SECURITY says so.
    sql("update twofactor.state s set sealed = k.sealed, key = k.key from kept_s k where s.name = k.name");
    assert!(is_accepted(redeem(&web1.store(), &alice.person, &alice.code(0))));
}

#[test]
fn a_forged_answer_is_not_given_again() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let web1 = fleet.host("web1");
    let alice = Enrolled::at(&web1, "alice");
    let wrong = alice.wrong();
    let said = |message: Message| message.in_short();
    assert!(said(fleet.answer("web1", &question(&alice, &alice.code(0), 1))).starts_with("redeemed"));
    assert!(said(fleet.answer("web1", &question(&alice, &wrong, 2))).starts_with("refused"));
    fleet
        .postgres
        .sql("update twofactor.answer a set sealed = r.sealed from twofactor.answer r where a.question <> r.question");
    let forged = said(fleet.answer("web1", &question(&alice, &wrong, 2)));
    assert!(forged.starts_with("failed"), "{forged}");
}

#[test]
fn a_database_that_is_stopped_killed_or_gone_denies_in_time_and_is_used_again() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let web1 = fleet.host("web1");
    let alice = Enrolled::at(&web1, "alice");
    fleet.postgres.signal_all(Signal::SIGSTOP);
    let (began, code) = (Instant::now(), alice.code(0));
    // Those of one user wait for each other, and no longer than each may take.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let error = redeem(&web1.store(), &alice.person, &code).unwrap_err();
                assert_eq!(error.reason(), Reason::StoreUnavailable, "{error}");
                assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
            });
        }
    });
    fleet.postgres.signal_all(Signal::SIGCONT);
    let until = Instant::now() + Duration::from_secs(30);
    // The attempt that was given up may have burned the code.
    while redeem(&web1.store(), &alice.person, &alice.wrong()).is_err() {
        assert!(Instant::now() < until, "it is not used again");
    }
    for _ in 0..3 {
        fleet.postgres.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null",
        );
        let asked = redeem(&web1.store(), &alice.person, &alice.wrong());
        assert!(asked.is_ok() || redeem(&web1.store(), &alice.person, &alice.wrong()).is_ok());
    }
}

#[test]
fn a_second_store_opens_nothing_of_the_first() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let web1 = fleet.host("web1");
    let alice = Enrolled::at(&web1, "alice");
    let open = |fleet: &Fleet| {
        let keys = read_keys(&fleet.key_file, owner()).unwrap();
        let postgresql = fleet.postgres.connection().parse().unwrap();
        fleet.runtime.block_on(Server::open(postgresql, keys, &Config::default()))
    };
    fleet.postgres.sql("update twofactor.store set id = 'another'");
    let error = open(&fleet).map(drop).unwrap_err().to_string();
    assert!(error.contains("the record of another was changed or moved"), "{error}");
    fleet.postgres.sql("update twofactor.store set digest_key = null, digest_sealed = null");
    let another = Asking::new("web1", true, &[fleet.another_server()], &fleet.runtime);
    let error = redeem(&another.store(), &alice.person, &alice.code(0)).unwrap_err();
    assert_eq!(error.reason(), Reason::StoreCorrupt, "{error}");
}

#[test]
fn what_is_no_question_of_ours_is_not_answered() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let host = Host { may_enroll: true, ..Host::named("web1") };
    for line in [
        "",
        " version=1",
        " version=2 ask=hello",
        " version=1 ask=hello more=1",
        " version=1 ask=hello attempt=1",
        " version=1 ask=redeem user=alice",
        " version=1 ask=presence user=alice host=web2",
        " version=1 ask=presence user=alice groups=web",
        " version=1 ask=recovery-left user=alice uid=1001 now=1800000000",
        " version=1 ask=redeem user=alice uid=1001 reading=123456 source=192.0.2.7 factors=app now=1800000000",
        " version=1 ask=redeem user=alice uid=1001 reading=123456 source=192.0.2.7 factors=app window=86400",
        " version=1 ask=redeem user=alice uid=1001 reading=123456 source=192.0.2.7 factors=app limits=none",
        " version=1 ask=redeem user=alice uid=1001 reading=123456 source=192.0.2.7 factors=app wrong_codes_per_hour=9",
    ] {
        let answer = fleet.runtime.block_on(fleet.servers[0].answer(&host, line.as_bytes()));
        assert!(answer.is_err(), "{line}");
    }
    assert_eq!(fleet.answer("web1", b" version=1 ask=hello").in_short(), "done");
    let plain = b" version=1 ask=redeem user=alice uid=1001 reading=123456 source=192.0.2.7 factors=app";
    assert_eq!(fleet.answer("web1", plain).in_short(), "refused not-enrolled");
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.audit"), "1");
}
