//! The stories of every store ([`twofactor_tests::store_stories`]), told of the central store: the command's verbs and those of a login,
//! over a real PostgreSQL.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock, ClockError, UnixTime};
use twofactor_core::host::user::UserName;
use twofactor_server::{Central, init_keys, read_keys};
use twofactor_tests::postgres::Postgres;
use twofactor_tests::store_stories::{self, LostAs, StoreUnderTest};

use super::{Fleet, owner};

/// A clock that a story sets.
#[derive(Debug, Clone)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime::from_seconds(self.0.load(Ordering::SeqCst)))
    }
}

/// The cluster of all stories: each has a database of its own there.
static CLUSTER: Mutex<Option<Arc<Cluster>>> = Mutex::new(None);

struct Cluster {
    postgres: Postgres,
    keys: tempfile::TempDir,
    databases: AtomicUsize,
}

struct OnPostgresql {
    cluster: Arc<Cluster>,
    database: String,
    clock: Hand,
}

impl OnPostgresql {
    fn key_file(cluster: &Cluster) -> PathBuf {
        cluster.keys.path().join("seed.key")
    }
}

impl StoreUnderTest for OnPostgresql {
    type Opened = Central;
    type Administered = Central;

    fn empty(now: UnixTime) -> Self {
        let cluster = Arc::clone(CLUSTER.lock().unwrap().as_ref().unwrap());
        let database = format!("story{}", cluster.databases.fetch_add(1, Ordering::SeqCst));
        cluster.postgres.sql(&format!("create database {database}"));
        Self { cluster, database, clock: Hand(Arc::new(now.seconds().into())) }
    }

    fn set_clock(&self, now: UnixTime) {
        self.clock.0.store(now.seconds(), Ordering::SeqCst);
    }

    fn open(&self) -> Central {
        let connection = format!("{} dbname={}", self.cluster.postgres.connection(), self.database);
        let keys = read_keys(&Self::key_file(&self.cluster), owner()).unwrap();
        let config = Config::default();
        Central::open(connection.parse().unwrap(), keys, &config, self.clock.clone(), "root".to_owned()).unwrap()
    }

    fn administer(&self) -> Central {
        self.open()
    }

    fn lose_usage(&self, user: &UserName) {
        self.cluster.postgres.sql_in(&self.database, &format!("delete from twofactor.state where name = '{user}'"));
    }

    fn lose_credentials(&self, user: &UserName, loss: LostAs) {
        let statement = match loss {
            LostAs::Gone => format!("delete from twofactor.credentials where name = '{user}'"),
            LostAs::Damaged => format!(
                "update twofactor.credentials set sealed = set_byte(sealed, 39, 255 - get_byte(sealed, 39)) where name = '{user}'"
            ),
        };
        self.cluster.postgres.sql_in(&self.database, &statement);
    }
}

/// Takes the cluster away, which ends with its last owner, also where a story fails: a static is never dropped.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        CLUSTER.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Runs these stories one after the other, and says which one is told.
macro_rules! told {
    ($($story:ident),* $(,)?) => {
        $(
            println!("{}", stringify!($story));
            store_stories::$story::<OnPostgresql>();
        )*
    };
}

/// All but those about a uid, which a fleet does not compare, and about a secret that was kept, which no host is shown.
#[test]
fn the_stories_of_every_store_hold_on_postgresql() {
    if Fleet::<Postgres>::postgres_is_there() {
        let postgres = Postgres::start(&["fsync=off", "synchronous_commit=off"]);
        let keys = tempfile::tempdir().unwrap();
        init_keys(&keys.path().join("seed.key"), None).unwrap();
        let cluster = Cluster { postgres, keys, databases: AtomicUsize::new(0) };
        *CLUSTER.lock().unwrap() = Some(Arc::new(cluster));
        let _end = End;
        told! {
            a_code_opens_one_session_and_no_second,
            a_newer_code_burns_the_older_ones,
            of_simultaneous_logins_with_one_code_exactly_one_wins,
            guessing_is_throttled_and_a_right_code_does_not_help_meanwhile,
            an_answer_that_is_no_guess_is_not_counted,
            unlocking_forgets_the_failures_and_keeps_used_codes_used,
            a_code_outside_the_window_opens_nothing_and_with_the_next_one_resynchronizes,
            a_near_miss_alone_is_never_right_not_even_when_its_time_comes,
            a_recovery_code_opens_one_session,
            a_factor_that_the_policy_excludes_opens_nothing_and_is_not_used_up,
            a_used_code_stays_used_through_reset_and_new_enrollments_of_the_secret,
            of_two_pending_enrollments_one_is_stored,
            an_invitation_enrolls_once_and_in_time_and_wrong_ones_are_counted,
            a_token_opens_sessions_while_it_is_owned_and_its_used_codes_stay_used,
            a_token_is_registered_at_login_by_two_codes_and_once,
            an_account_without_its_usage_opens_nothing,
            an_enrollment_that_replaces_gets_out_of_lost_credentials,
            an_accepted_login_is_remembered_for_its_time_and_place,
            a_clock_set_back_delays_once_and_prolongs_nothing,
            a_code_that_nobody_needs_is_burned_and_its_guesses_delay_no_login,
            an_attempt_in_vain_changes_nothing_and_takes_as_long,
        }
    }
}
