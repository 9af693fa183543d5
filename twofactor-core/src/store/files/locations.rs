//! The paths of this host's accounts, and their folders opened.

use super::belongings::Belongings;
use super::user_folder::{Account, LockedAccount, STATE, USERS};
use crate::account::throttle::Count;
use crate::account::{Held, State};
use crate::config::Config;
use crate::host::clock::Clock;
use crate::host::trusted::{Folder, Owner};
use crate::host::user::UserName;
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::registry;
use crate::store::rules::VerificationRules;
use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// The part of it that is left for the registry.
    pub(super) registry_patience: registry::Patience,
    /// Read only under the lock of the account that is judged.
    pub(super) clock: Box<dyn Clock>,
    /// The rules that answers are judged by.
    pub(super) rules: VerificationRules,
}

impl Files {
    /// The store in the folder `state`, all of which must belong to `owner`. Nothing is opened yet.
    pub fn new(state: &Path, owner: Owner, patience: Duration, clock: impl Clock + 'static) -> Self {
        let registry_patience = registry::Patience::of_a_login();
        let rules = VerificationRules::of(&Config::default());
        Self {
            state: state.to_owned(),
            marker: None,
            owner,
            patience,
            registry_patience,
            clock: Box::new(clock),
            rules,
        }
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

    /// The physical tokens assigned to the user.
    pub(super) fn held_by(&self, user: &UserName) -> Result<Vec<Held>, StoreError> {
        match self.state_folder()? {
            Some(state) => Ok(registry::held_by(&state, user, &self.registry_patience)?),
            None => Ok(Vec::new()),
        }
    }

    /// The user's credentials, from `account` and the registry.
    pub(super) fn belongings<F: Borrow<Folder>>(
        &self,
        user: &UserName,
        account: Option<&Account<F>>,
    ) -> Result<Belongings, StoreError> {
        let credentials = account.map(Account::credentials).transpose()?.flatten();
        match self.held_by(user) {
            Ok(held) => Ok(Belongings { credentials, held, problem: None }),
            // Who has an app does not need the registry.
            Err(error) if credentials.is_some() => {
                Ok(Belongings { credentials, held: Vec::new(), problem: Some(error) })
            }
            Err(error) => Err(error),
        }
    }

    /// The user's folder, when it is there.
    pub(super) fn unlocked(&self, user: &UserName) -> Result<Option<Account<Folder>>, StoreError> {
        let Some(users) = self.users_folder()? else { return Ok(None) };
        Ok(users.folder(user.as_str())?.map(Account))
    }

    /// Makes sure that the registry knows of all tokens the user holds: one that was lost, or whose index is damaged, would
    /// otherwise look like one without them.
    pub(super) fn check_held(&self, user: &UserName, state: &State, held: &[Held]) -> Result<(), StoreError> {
        let known = held.len();
        if known >= state.tokens_held {
            return Ok(());
        }
        let (path, held) = (self.state.join(registry::FILE), state.tokens_held);
        Err(FilesError::LostTokens { path, user: user.clone(), held, known }.into())
    }

    /// The path of the user's state, present or not.
    pub(super) fn path_of_state(&self, user: &UserName) -> PathBuf {
        self.state.join(USERS).join(user.as_str()).join(STATE)
    }

    /// The user's folder, when it is there, locked.
    pub(super) fn locked(&self, user: &UserName) -> Result<Option<LockedAccount>, StoreError> {
        let Some(users) = self.users_folder()? else { return Ok(None) };
        let Some(folder) = users.folder(user.as_str())? else { return Ok(None) };
        Ok(Some(Account(folder.lock(self.patience)?)))
    }
}
