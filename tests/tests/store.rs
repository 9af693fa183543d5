//! The stories of every store ([`twofactor_tests::store_stories`]), told of the files of a host.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use twofactor_core::host::clock::{Clock, ClockError, UnixTime};
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::UserName;
use twofactor_core::store::files::Files;
use twofactor_tests::store_stories;
use twofactor_tests::store_stories::StoreUnderTest;

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
        Files::new(self.folder.path(), owner, Duration::from_secs(10), self.clock.clone())
    }

    fn lose_usage(&self, user: &UserName) {
        fs::remove_file(self.folder.path().join("users").join(user.as_str()).join("state")).unwrap();
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
