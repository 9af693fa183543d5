//! The locks on the owners of tokens that change hands, held until the change is written.
//!
//! Invariant: a user who holds more tokens than the registry has is refused, and a user never holds fewer.

use std::collections::BTreeMap;

use super::super::user_folder::LockedAccount;
use crate::account::State;
use crate::host::user::{Person, Uid, UserName};
use crate::store::administration::TokenError;
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::registry::{Edit, RegistryError, Stored};

/// Owners who cannot log in during a change that concerns them.
pub(super) struct Locks {
    locked: BTreeMap<UserName, LockedAccount>,
    /// The uids of users who are given a token.
    receivers: BTreeMap<UserName, Uid>,
}

impl Locks {
    pub(super) fn new() -> Self {
        Self { locked: BTreeMap::new(), receivers: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, owner: &UserName, lock: LockedAccount) {
        self.locked.insert(owner.clone(), lock);
    }

    /// Adds a user who is given a token: the state is going to name the uid.
    pub(super) fn add_receiver(&mut self, person: &Person, lock: LockedAccount) {
        self.add(&person.name, lock);
        self.receivers.insert(person.name.clone(), person.uid);
    }

    pub(super) fn has(&self, owner: &UserName) -> bool {
        self.locked.contains_key(owner)
    }

    /// The lock of an owner, when it is held.
    pub(super) fn of(&self, owner: &UserName) -> Option<&LockedAccount> {
        self.locked.get(owner)
    }

    /// Commits a change that takes tokens away, and then records the owners' new numbers of tokens. In this order:
    /// without the second step they hold more than the registry has, and are refused until `reset` instead of let in.
    pub(super) fn commit(self, edit: Edit<'_>) -> Result<(), TokenError> {
        let held = self.holdings(&edit)?;
        edit.commit()?;
        for Holding { lock, held, .. } in held {
            match lock.write_tokens_held(held) {
                // What is lost or damaged is said at the next login.
                Ok(()) => {}
                Err(error) if FilesError::is_of_the_state(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Commits a change that assigns tokens, after it has recorded the owners' new numbers of tokens: an owner who
    /// holds more than the registry has is refused, and must never hold fewer. Takes the numbers back when the commit
    /// fails. Until the commit is recorded, the states keep the earlier numbers: [`repair`] undoes an assignment
    /// whose process was killed.
    ///
    /// [`repair`]: crate::store::administration::StateRepair::repair
    pub(super) fn commit_gift(self, edit: Edit<'_>) -> Result<(), StoreError> {
        let mut changed = Vec::new();
        let mut happened = Ok(());
        for Holding { lock, held, receiver } in self.holdings(&edit)? {
            match lock.announce_gift(held, receiver) {
                Ok(before) => changed.push((lock, before)),
                Err(error) => happened = Err(error),
            }
        }
        let happened = happened.and_then(|()| Ok(edit.commit()?));
        for (lock, before) in changed {
            match happened {
                Ok(()) => lock.conclude_gift(),
                // Should this fail too, the owner is refused until the token is assigned, or `doctor --fix`, or `reset`.
                Err(_) => drop(lock.overwrite_state(&before)),
            }
        }
        happened
    }

    /// The owners' numbers of tokens after the change.
    fn holdings(self, edit: &Edit<'_>) -> Result<Vec<Holding>, RegistryError> {
        let Self { locked, receivers } = self;
        let holding = |(owner, lock): (UserName, LockedAccount)| {
            Ok(Holding { lock, held: edit.held(&owner)?, receiver: receivers.get(&owner).copied() })
        };
        locked.into_iter().map(holding).collect()
    }

    /// Clears the owner's count of the token's codes outside the window, which the resynchronization has explained. A
    /// failure only leaves them counted.
    pub(super) fn forgive_near_misses(self, token: &Stored) {
        let Some(seeds) = token.seeds() else { return };
        for lock in self.locked.into_values() {
            if let Ok(mut state) = lock.state() {
                state.forgive_near_misses(seeds);
                let _ = lock.write_state(&state);
            }
        }
    }
}

/// An owner's number of tokens after the change.
struct Holding {
    lock: LockedAccount,
    held: usize,
    /// The owner's uid, where a token is given.
    receiver: Option<Uid>,
}

impl LockedAccount {
    /// Records the number of tokens that the user certainly holds.
    pub(in crate::store::files) fn write_tokens_held(&self, held: usize) -> Result<(), StoreError> {
        let mut state = self.state()?;
        let before = state.tokens_held;
        if before == held && state.tokens_before_gift.is_none() {
            return Ok(());
        }
        if held < before {
            // A token taken away invalidates remembered logins, also when it comes back.
            state.memories.clear();
        }
        self.overwrite_state(&State { tokens_held: held, tokens_before_gift: None, ..state })
    }

    /// Records the number of tokens that the user is about to hold, and the uid of a user who is given one. Gives the
    /// state before.
    fn announce_gift(&self, held: usize, receiver: Option<Uid>) -> Result<State, StoreError> {
        let before = self.state()?;
        if before.tokens_held != held {
            let uid = receiver.or(before.uid);
            self.overwrite_state(&State { uid, ..before.clone().with_gift(held) })?;
        }
        Ok(before)
    }

    /// Records that an assignment has happened. Should the write fail or be lost, the next accepted login repeats it.
    pub(in crate::store::files) fn conclude_gift(&self) {
        let Ok(mut file) = self.state_file() else { return };
        if let Ok(state) = file.read()
            && state.tokens_before_gift.is_some()
        {
            // Without a flush: no reader depends on it.
            let _ = file.write(&State { tokens_before_gift: None, ..state });
        }
    }
}

impl State {
    /// The state of a user who is going to hold that many tokens.
    pub(in crate::store::files) fn with_gift(self, held: usize) -> Self {
        // An earlier gift may not have happened either.
        let before = self.tokens_before_gift.map_or(self.tokens_held, |before| before.min(self.tokens_held));
        Self { tokens_held: held, tokens_before_gift: Some(before), ..self }
    }
}
