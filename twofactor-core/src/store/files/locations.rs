//! The paths of this host's accounts, and their folders opened.

use super::slots::Slots;
use super::user_folder::{Account, LARGEST, LockedAccount, STATE, USERS};
use crate::account::State;
use crate::account::invitation::Invitation;
use crate::account::throttle::Count;
use crate::codes::token::Serial;
use crate::config::Config;
use crate::host::clock::Clock;
use crate::host::trusted::{FileError, Folder, Owner};
use crate::host::user::{Person, UserName};
use crate::store::enrollment::Listing;
use crate::store::enrollment::{Registration, Superseded};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::rules::VerificationRules;
use crate::store::state_text;
use std::borrow::Borrow as _;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// The time that a login waits for another login of the same user.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The store below a state folder.
#[derive(Debug)]
pub struct Files {
    pub(super) state: PathBuf,
    /// Names the state that belongs to this host.
    pub(super) marker: Option<PathBuf>,
    pub(super) owner: Owner,
    pub(super) patience: Duration,
    /// The end of all waits for locks, where the program that has asked waits no longer.
    pub(super) deadline: Option<Instant>,
    /// Read only under the lock of the account that is judged.
    pub(super) clock: Box<dyn Clock>,
    /// The rules that answers are judged by.
    pub(super) rules: VerificationRules,
    /// Registers tokens at login; `None` in a process that does without the registry.
    pub(super) registrar: Option<&'static dyn Registrar>,
    /// A wrong code was looked at and counted.
    pub(super) guessed: AtomicBool,
}

impl Files {
    /// The store in the folder `state`, all of which must belong to `owner`. Nothing is opened yet.
    pub fn new(state: &Path, owner: Owner, patience: Duration, clock: impl Clock + 'static) -> Self {
        let rules = VerificationRules::of(&Config::default());
        let (state, clock) = (state.to_owned(), Box::new(clock));
        let guessed = AtomicBool::new(false);
        Self { state, marker: None, owner, patience, deadline: None, clock, rules, registrar: None, guessed }
    }

    /// The same store, judging by these rules and not by the defaults.
    #[must_use]
    pub fn judging_by(mut self, rules: VerificationRules) -> Self {
        self.rules = rules;
        self
    }

    /// The same store, for attempts that go on this count.
    #[must_use]
    pub fn counting_on(self, count: Count) -> Self {
        Self { rules: self.rules.counting_on(count), ..self }
    }

    /// The same store, for one change: all its waits for locks together take no longer than a login waits for one. The program
    /// that has asked for it does not wait longer, and must not be told that it failed when it is done later.
    #[must_use]
    pub fn changing_in_time(self) -> Self {
        Self { deadline: Some(Instant::now() + self.patience), ..self }
    }

    /// The longest wait for a user's lock.
    pub(super) fn patience(&self) -> Duration {
        self.until_deadline().map_or(self.patience, |left| left.min(self.patience))
    }

    /// The time that is left for all waits; `None` without a deadline.
    pub(super) fn until_deadline(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The user's folder, when it is there.
    pub(super) fn unlocked(&self, user: &UserName) -> Result<Option<Account<Folder>>, StoreError> {
        let Some(users) = self.users_folder()? else { return Ok(None) };
        Ok(users.folder(user.as_str())?.map(Account))
    }

    /// The path of the user's state, present or not.
    pub(super) fn path_of_state(&self, user: &UserName) -> PathBuf {
        self.state.join(USERS).join(user.as_str()).join(STATE)
    }

    /// The user's folder, when it is there, locked. A folder that got another name while its lock was waited for is another
    /// account's, and is let go.
    pub(super) fn locked(&self, user: &UserName) -> Result<Option<LockedAccount>, StoreError> {
        let Some(users) = self.users_folder()? else { return Ok(None) };
        let (started, patience) = (Instant::now(), self.patience());
        let mut left = patience;
        loop {
            let Some(folder) = users.folder(user.as_str())? else { return Ok(None) };
            let locked = folder.lock(left)?;
            if users.is_named(user.as_str(), locked.borrow())? {
                return Ok(Some(Account(locked)));
            }
            left = patience.saturating_sub(started.elapsed());
        }
    }

    /// The user's folder, made with an empty state when it is not there, locked. Also makes the folders above it on a host
    /// that has no state yet.
    pub(super) fn locked_or_new(&self, user: &UserName) -> Result<LockedAccount, StoreError> {
        match self.locked(user)? {
            Some(account) => Ok(account),
            None => self.locked_and_new(user),
        }
    }

    /// The folder of a user who has none, locked.
    pub(super) fn locked_and_new(&self, user: &UserName) -> Result<LockedAccount, StoreError> {
        let users = self.users_folder_or_new()?;
        let state = new_state(&users, user)?;
        users.make_folder_with(user.as_str(), STATE, &state)?;
        let lost = || FilesError::LostState(self.path_of_state(user));
        Ok(self.locked(user)?.ok_or_else(lost)?)
    }
}

/// The file of a user of whom nothing is kept yet. It comes with the folder, so that a folder without one has lost it.
fn new_state(users: &Folder, user: &UserName) -> Result<Vec<u8>, StoreError> {
    let text = state_text::write(&State::default());
    let too_large = || FileError::TooLarge { path: users.path().join(user.as_str()).join(STATE), limit: LARGEST };
    Ok(Slots::file(&text).ok_or_else(too_large)?)
}

/// Refuses where an older version's registry alone holds tokens of the user: an answer that nothing else explains may be a
/// code of one of them.
pub(super) fn migrated(user: &UserName, state: &State) -> Result<(), StoreError> {
    match state.tokens_held {
        0 => Ok(()),
        held => Err(FilesError::NotMigrated { user: user.clone(), held }.into()),
    }
}

/// Registers tokens. The module has none and asks the broker, so that no login opens the registry.
pub(super) trait Registrar: Debug + Sync {
    /// The registry's record of a serial.
    fn listing(&self, files: &Files, serial: &Serial) -> Result<Listing, StoreError>;

    /// Assigns a token to the user who has shown two of its codes, when the token is still in inventory and the user still
    /// not enrolled.
    fn register(
        &self,
        files: &Files,
        person: &Person,
        registration: &Registration,
        invitation: Option<Invitation>,
    ) -> Result<(), Superseded>;
}
