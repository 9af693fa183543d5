//! Users whom a host may ask about or enroll, as the server's own user database knows them: the members of groups, and those to whom
//! the server's policy opens an enrollment.
//!
//! Invariants: a name that the database spells otherwise, or does not know, is no member; what cannot be looked up in time is refused.
//! Look-ups block, so they have threads of their own, of which no more than a number wait for a directory that hangs, and fewer of them for
//! the questions of one host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;
use twofactor_core::config::Config;
use twofactor_core::config::arguments::NullOk;
use twofactor_core::config::fleet::ENROLLMENT_SERVICE;
use twofactor_core::config::rule::Facts;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{Doubt, LookupError, SystemUsers, UserDatabase as _, UserName};
use twofactor_core::policy::{self, Decision};

/// For so long an answer of the user database is not asked for again.
const FRESH: Duration = Duration::from_secs(15);

/// Most look-ups at once, and most for one host.
const THREADS: usize = 128;
const OF_ONE_HOST: usize = 16;

/// Most answers that are kept.
const MOST: usize = 16 * 1024;

/// Asks the user database, and knows its answers for a while.
pub(crate) struct Memberships {
    known: Mutex<HashMap<Question, (bool, Instant)>>,
    threads: Arc<Semaphore>,
    of_hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A user and groups.
type Question = (UserName, Vec<String>);

impl Memberships {
    pub(crate) fn new() -> Self {
        Self { known: Mutex::default(), threads: Arc::new(Semaphore::new(THREADS)), of_hosts: Mutex::default() }
    }

    /// True when `user`, about whom `host` asks, is in one of `groups`. An error where that is not certain at `until`.
    pub(crate) async fn is_member(
        &self,
        host: &str,
        user: &UserName,
        groups: &[String],
        until: Instant,
    ) -> Result<bool, Doubt> {
        let question = (user.clone(), groups.to_vec());
        if let Some(known) = self.known(&question) {
            return Ok(known);
        }
        let (user, groups) = question.clone();
        let found = self.in_a_thread(host, until, move || look_up(&user, &groups)).await?;
        self.keep(question, found);
        Ok(found)
    }

    /// True when the policy of the server lets `user` set up a first factor at `host` without an invitation. An error where that is
    /// not certain at `until`.
    pub(crate) async fn lets_enroll(
        &self,
        host: &str,
        user: &UserName,
        policy: Arc<Config>,
        now: UnixTime,
        until: Instant,
    ) -> Result<bool, Doubt> {
        let user = user.clone();
        self.in_a_thread(host, until, move || is_open(&policy, &user, now)).await
    }

    /// The result of a look-up for a question of `host`, which blocks. An error where it is not there at `until`.
    pub(crate) async fn in_a_thread<T: Send + 'static>(
        &self,
        host: &str,
        until: Instant,
        look_up: impl FnOnce() -> Result<T, Doubt> + Send + 'static,
    ) -> Result<T, Doubt> {
        let late = || Doubt::Failed(LookupError("it takes too long".to_owned()));
        let looked_up = timeout_at(until.into(), async {
            let of_host = self.of_host(host).acquire_owned().await.map_err(|_| late())?;
            let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| late())?;
            let found = spawn_blocking(move || {
                // Until it ends, however long the question has been given up.
                let _both = (of_host, thread);
                look_up()
            });
            found.await.unwrap_or_else(|_| Err(late()))
        });
        looked_up.await.unwrap_or_else(|_| Err(late()))
    }

    /// The threads of a host. Those that none of its questions uses are forgotten.
    fn of_host(&self, host: &str) -> Arc<Semaphore> {
        let mut of_hosts = self.of_hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if of_hosts.len() >= MOST {
            of_hosts.retain(|_, threads| threads.available_permits() < OF_ONE_HOST);
        }
        let threads = of_hosts.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE_HOST)));
        Arc::clone(threads)
    }

    fn known(&self, question: &Question) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(question).filter(|(_, at)| at.elapsed() < FRESH).map(|(found, _)| *found)
    }

    fn keep(&self, question: Question, found: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(question, (found, Instant::now()));
    }
}

fn look_up(user: &UserName, groups: &[String]) -> Result<bool, Doubt> {
    // Not found, or spelled otherwise. That this may be no proof of absence changes nothing: both refuse.
    match SystemUsers.person(user.as_str())? {
        Some(person) if person.name == *user => policy::is_member(user, groups, &SystemUsers),
        _ => Ok(false),
    }
}

/// By the rules for a local login through the service of enrollments. A rule about groups says nothing about a user whom the database
/// does not know under this name, so enrollment is closed to such a user where there is one.
pub(crate) fn is_open(policy: &Config, user: &UserName, now: UnixTime) -> Result<bool, Doubt> {
    if policy.rules.iter().any(|rule| rule.conditions.groups.is_some())
        && SystemUsers.person(user.as_str())?.is_none_or(|person| person.name != *user)
    {
        return Ok(false);
    }
    let facts = Facts { user: Some(user), service: ENROLLMENT_SERVICE, rhost: None };
    let ruling = policy::judge(policy, NullOk::No, &facts, None, &SystemUsers, now);
    Ok(matches!(ruling.decision, Decision::AskOrEnroll(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_host_whose_look_ups_hang_leaves_threads_for_others() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let memberships = Arc::new(Memberships::new());
        let (soon, late) = (Duration::from_millis(50), Duration::from_mins(1));
        runtime.block_on(async {
            let mut ends = Vec::new();
            for _ in 0..OF_ONE_HOST {
                let (end, ended) = channel::<()>();
                let memberships = Arc::clone(&memberships);
                let hanging = tokio::spawn(async move {
                    let until = Instant::now() + late;
                    memberships.in_a_thread("hostile", until, move || Ok(ended.recv().is_ok())).await
                });
                ends.push((end, hanging));
            }
            while memberships.of_host("hostile").available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            assert!(memberships.in_a_thread("honest", Instant::now() + late, || Ok(true)).await.unwrap());
            let waiting = memberships.in_a_thread("hostile", Instant::now() + soon, || Ok(true)).await;
            assert!(waiting.is_err(), "it waits, and not for long");
            let (first, _) = ends.remove(0);
            drop(first);
            assert!(memberships.in_a_thread("hostile", Instant::now() + late, || Ok(true)).await.unwrap());
            ends.clear();
        });
    }
}
