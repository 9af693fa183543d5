//! The stories of every store ([`twofactor_tests::store_stories`]), told of the files of a host.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use twofactor_core::account::App;
use twofactor_core::account::invitation::InvitationCode;
use twofactor_core::codes::otp::Parameters;
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::{Marks, Serial};
use twofactor_core::host::clock::{Clock, ClockError, UnixTime};
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::store::files::{Adoption, Existing, Files, LastCredential, Reset};
use twofactor_core::store::registry::{By, NewToken, Origin, RegistryError, Sharing};
use twofactor_tests::store_stories;
use twofactor_tests::store_stories::{NOW, StoreUnderTest};

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

fn root() -> By<'static> {
    By { who: "root", at: NOW }
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

    fn enroll(&self, person: &Person, app: App, recovery: &[RecoveryCode], existing: Existing) {
        self.open().enroll(person, app, Some(recovery), existing).unwrap();
    }

    fn reset(&self, user: &UserName, reset: Reset) {
        assert!(self.open().reset(user, reset).unwrap());
    }

    fn unlock(&self, user: &UserName) {
        self.open().unlock(user).unwrap().unwrap();
    }

    fn failures(&self, user: &UserName) -> u32 {
        self.open().status(user).unwrap().unwrap().failures
    }

    fn invite(&self, person: &Person, until: UnixTime) -> InvitationCode {
        self.open().invite(person, until).unwrap()
    }

    fn adopt(&self, person: &Person) {
        let seen = self.open().belongs(&person.name).unwrap();
        assert_eq!(self.open().adopt_uid(person, seen).unwrap(), Adoption::Done);
    }

    fn stock(&self, serial: &Serial, secret: &Secret) {
        let parameters = Parameters::default();
        let marks = Marks::of(secret, parameters.algorithm);
        let (counter, drift, vendor, model) = (None, None, None, None);
        let token = NewToken { serial, secret, marks, parameters, counter, drift, vendor, model };
        let mut intake = self.open().intake().unwrap();
        intake.plan::<RegistryError>(|judge| judge(&token).map(drop)).unwrap();
        let origin = Origin { series: "box", file: "box.csv", sha256: [7; 32] };
        intake.write::<RegistryError>(origin, 0, root(), |take| take(&token)).unwrap();
    }

    fn assign(&self, serial: &Serial, person: &Person) {
        self.open().assign(&[(serial.clone(), person.clone())], Sharing::Refuse, root()).unwrap();
    }

    fn unassign(&self, serial: &Serial) {
        self.open().unassign(serial, LastCredential::Take, root()).unwrap();
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
