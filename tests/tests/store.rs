//! The stories of every store ([`twofactor_tests::store_stories`]), told of the files of a host, and of a store that is asked
//! over the wire of the broker.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use twofactor_core::host::clock::{Clock, ClockError, UnixTime};
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::UserName;
use twofactor_core::store::broker::Broker;
use twofactor_core::store::files::Files;
use twofactor_core::store::wire::{Call, Channel};
use twofactor_tests::store_stories;
use twofactor_tests::store_stories::{LostAs, StoreUnderTest};

/// A clock that a story sets.
#[derive(Debug, Clone)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime::from_seconds(self.0.load(Ordering::SeqCst)))
    }
}

struct OnFiles {
    folder: tempfile::TempDir,
    clock: Hand,
}

impl StoreUnderTest for OnFiles {
    type Opened = Files;
    type Administered = Files;

    fn empty(now: UnixTime) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self { folder, clock: Hand(Arc::new(now.seconds().into())) }
    }

    fn set_clock(&self, now: UnixTime) {
        self.clock.0.store(now.seconds(), Ordering::SeqCst);
    }

    fn open(&self) -> Files {
        let owner = Owner(nix::unistd::geteuid().as_raw());
        Files::new(self.folder.path(), owner, Duration::from_secs(10), self.clock.clone()).with_registry()
    }

    fn administer(&self) -> Files {
        self.open()
    }

    fn lose_usage(&self, user: &UserName) {
        fs::remove_file(self.folder.path().join("users").join(user.as_str()).join("state")).unwrap();
    }

    fn lose_credentials(&self, user: &UserName, loss: LostAs) {
        let file = self.folder.path().join("users").join(user.as_str()).join("secret.toml");
        match loss {
            LostAs::Gone => fs::remove_file(file).unwrap(),
            LostAs::Damaged => fs::OpenOptions::new().write(true).open(file).unwrap().set_len(100).unwrap(),
        }
    }
}

store_stories!(OnFiles);

#[test]
fn every_story_is_told() {
    let source = include_str!("../src/store_stories.rs");
    let told = source.split("store_stories! { $store:").nth(1).unwrap().split('}').next().unwrap();
    let stories = source.lines().filter_map(|line| line.strip_prefix("pub fn ")?.split('<').next());
    let missing: Vec<&str> = stories.filter(|story| !told.contains(&format!(" {story},"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Files, and a thread that answers about them as the broker answers a program of root.
struct OverTheWire {
    files: Arc<OnFiles>,
    folder: tempfile::TempDir,
}

/// Far longer than any question takes.
const PATIENCE: Duration = Duration::from_secs(20);

impl OverTheWire {
    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

impl StoreUnderTest for OverTheWire {
    type Opened = Broker;
    type Administered = Files;

    fn empty(now: UnixTime) -> Self {
        let wire = Self { files: Arc::new(OnFiles::empty(now)), folder: tempfile::tempdir().unwrap() };
        let (listener, files) = (UnixListener::bind(wire.socket()).unwrap(), Arc::clone(&wire.files));
        // It ends with this program, and one that panics is an answer that never comes.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let files = Arc::clone(&files);
                thread::spawn(move || {
                    let channel = Channel::answering(stream.unwrap(), Instant::now() + PATIENCE);
                    while let Ok(Some(question)) = channel.receive() {
                        let answer = Call::read(&question).unwrap().answered_by(&files.open());
                        channel.send(&answer).unwrap();
                    }
                });
            }
        });
        wire
    }

    fn set_clock(&self, now: UnixTime) {
        self.files.set_clock(now);
    }

    fn open(&self) -> Broker {
        Broker::new(&self.socket(), Owner(nix::unistd::geteuid().as_raw()), PATIENCE)
    }

    fn administer(&self) -> Files {
        self.files.open()
    }

    fn lose_usage(&self, user: &UserName) {
        self.files.lose_usage(user);
    }

    fn lose_credentials(&self, user: &UserName, loss: LostAs) {
        self.files.lose_credentials(user, loss);
    }
}

/// All but those in which a login shows a secret that was kept: no verb of the wire gives one out.
mod over_the_wire {
    use super::OverTheWire;

    twofactor_tests::store_stories! { OverTheWire:
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
        an_invitation_is_refused_to_another_person,
        a_token_opens_sessions_while_it_is_owned_and_its_used_codes_stay_used,
        a_token_is_registered_at_login_by_two_codes_and_once,
        an_account_without_its_usage_opens_nothing,
        an_enrollment_that_replaces_gets_out_of_lost_credentials,
        an_accepted_login_is_remembered_for_its_time_and_place,
        a_remembered_login_spares_no_other_person_the_code,
        a_clock_set_back_delays_once_and_prolongs_nothing,
        a_code_that_nobody_needs_is_burned_and_its_guesses_delay_no_login,
        an_attempt_in_vain_changes_nothing_and_takes_as_long,
    }
}
