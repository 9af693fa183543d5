//! Changes of tokens that wait for others, and registrations at a host whose connection to the database is lost at their end.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use twofactor_core::account::factors::Factors;
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::otp::Code;
use twofactor_core::host::clock::{Clock, ClockError, UnixTime};
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::administration::{Sharing, TokenAdministration as _, TokenViews as _};
use twofactor_core::store::{Attempt, EnrollmentStore as _, Pending, PendingFactor};
use twofactor_tests::postgres::Postgres;
use zeroize::Zeroizing;

use super::relay::Asking;
use super::tokens::{Fob, by, central, central_with, stock};
use super::{Fleet, is_accepted, now, redeem};

/// The lock of all changes of tokens.
pub(crate) const TOKENS_LOCK: &str = "do $$ begin perform pg_advisory_xact_lock(x'746f6b656e73'::int8); end $$";

fn alice() -> Person {
    Person { name: UserName::new("alice").unwrap(), uid: Uid(1001) }
}

fn typed(fob: &Fob, at: UnixTime, steps: i64) -> Code {
    Code::new(Zeroizing::new(fob.code_at(at, steps))).unwrap()
}

/// A clock that a story sets.
#[derive(Debug, Clone)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime::from_seconds(self.0.load(Ordering::SeqCst)))
    }
}

#[test]
fn a_change_of_a_token_that_has_waited_is_judged_by_the_time_after_it() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let began = now();
    let hand = Hand(Arc::new(began.seconds().into()));
    let central = central_with(&fleet, hand.clone());
    let fobs = [Fob::random("A1")];
    stock(&central, "acme", &fobs);
    central.assign(&[(fobs[0].serial.clone(), alice())], Sharing::Refuse, by()).unwrap();
    // Further than codes are looked for.
    let later = began.after(Duration::from_hours(48));
    let [first, second] = [0, 1].map(|steps| typed(&fobs[0], later, steps));
    let holding = fleet.postgres.transaction(TOKENS_LOCK);
    thread::scope(|scope| {
        let resynchronizing = scope.spawn(|| central.resynchronize(&fobs[0].serial, [&first, &second], by()));
        fleet.postgres.until_waiting(1);
        hand.0.store(later.seconds(), Ordering::SeqCst);
        holding.commit();
        resynchronizing.join().unwrap().unwrap();
    });
}

/// The moment at which a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The commit does not reach the database.
    BeforeTheCommit,
    /// Its answer does not reach the server.
    BehindTheCommit,
}

/// A relay before a cluster, which cuts the first connection over which a change of tokens is committed.
struct Relay {
    folder: tempfile::TempDir,
    cuts: Arc<AtomicUsize>,
}

impl Relay {
    fn before(postgres: &Postgres, cut: Cut) -> Self {
        let (folder, cuts) = (tempfile::tempdir().unwrap(), Arc::new(AtomicUsize::new(0)));
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let (database, counted) = (postgres.home().join(".s.PGSQL.5432"), Arc::clone(&cuts));
        thread::spawn(move || {
            for server in listener.incoming().map_while(Result::ok) {
                let ends = [server, UnixStream::connect(&database).unwrap()];
                carry(ends, cut, &counted);
            }
        });
        Self { folder, cuts }
    }

    fn connection(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.folder.path().display())
    }
}

/// Carries the bytes of a connection, in both directions.
fn carry([server, database]: [UnixStream; 2], cut: Cut, cuts: &Arc<AtomicUsize>) {
    let is_committing = Arc::new(AtomicBool::new(false));
    let ends = || [server.try_clone().unwrap(), database.try_clone().unwrap()];
    let ([mut from, mut to], counted, committing) = (ends(), Arc::clone(cuts), Arc::clone(&is_committing));
    thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Some(read) = read(&mut from, &mut bytes) {
            // As the transaction of a change says it; migrations do in capitals.
            let commits = read.windows(7).any(|part| part == b"commit\0");
            if commits && counted.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                committing.store(true, Ordering::SeqCst);
                if cut == Cut::BeforeTheCommit {
                    break;
                }
            }
            if to.write_all(read).is_err() {
                break;
            }
        }
        for end in [from, to] {
            let _ = end.shutdown(Shutdown::Both);
        }
    });
    let [mut to, mut from] = ends();
    thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Some(read) = read(&mut from, &mut bytes) {
            // It is durable once the database has answered.
            if is_committing.load(Ordering::SeqCst) || to.write_all(read).is_err() {
                break;
            }
        }
        for end in [from, to] {
            let _ = end.shutdown(Shutdown::Both);
        }
    });
}

fn read<'b>(from: &mut UnixStream, bytes: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = from.read(bytes).ok().filter(|length| *length > 0)?;
    bytes.get(..length)
}

#[test]
fn a_registration_whose_connection_is_lost_at_its_commit_ends_in_one_registration() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let central = central(&fleet);
    let source = Source::from_rhost(Some("192.0.2.7"));
    let attempt = Attempt { readings: &[], previous: None, source: &source, factors: Factors::ALL, remember: None };
    for (cut, name) in [(Cut::BeforeTheCommit, "alice"), (Cut::BehindTheCommit, "bob")] {
        let fobs = [Fob::random(&format!("OF-{name}"))];
        stock(&central, "acme", &fobs);
        let relay = Relay::before(&fleet.postgres, cut);
        let web1 = Asking::new("web1", true, &[fleet.server_through(&relay.connection())], &fleet.runtime);
        let person = Person { name: UserName::new(name).unwrap(), uid: Uid(1001) };
        let began = now();
        let [first, second] = [0, 1].map(|steps| typed(&fobs[0], began, steps));
        let shown = web1.store().check_registration(&person, &fobs[0].serial, [&first, &second], &attempt);
        let factor = PendingFactor::Token(shown.unwrap().unwrap());
        web1.store().store_pending(Pending { user: person.clone(), factor, invitation: None }).unwrap();
        assert_eq!(relay.cuts.load(Ordering::SeqCst), 1, "{cut:?}");
        assert_eq!(central.token(&fobs[0].serial).unwrap().unwrap().owner, Some(person.name.clone()), "{cut:?}");
        let rows = |query: &str| fleet.postgres.sql(&query.replace("$1", &format!("'{name}'")));
        let audit = "select string_agg(detail, ',') from twofactor.audit where event = 'register' and name = $1";
        assert_eq!(rows(audit), "done", "{cut:?}");
        let history = "select count(*) from twofactor.token_history where event = 'assigned' and name = $1";
        assert_eq!(rows(history), "1", "{cut:?}");
        let next = fobs[0].code_at(began, 2);
        assert!(is_accepted(redeem(&web1.store(), &person, &next)), "{cut:?}");
    }
}
