//! Changes of the registry together with the files of the tokens' owners.
//!
//! Invariants: the registry is locked first, then the owners. A token that is given reaches its owner's file after the
//! registry has recorded the owner; one that is taken, disabled or lost leaves the file, or is marked there, before the
//! registry says so. So a change that takes something away holds whatever happens next. How far a token was used stays in
//! the owner's state, and goes into the registry within the same transaction. A process that is killed in between leaves
//! files that differ from the registry: repeating the command completes the change, and so does [`repair`].
//!
//! [`repair`]: crate::store::administration::StateRepair::repair

use std::collections::BTreeMap;

use super::user_folder::{LARGEST_SECRET, LockedAccount, SECRET};
use crate::account::notice::Notice;
use crate::account::{Held, State};
use crate::codes::otp::Progress;
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::trusted::{FileError, Flush, Prepared};
use crate::host::user::{Person, UserName};
use crate::store::error::{Loss, StoreError};
use crate::store::files::error::FilesError;
use crate::store::inventory::{AccountAfter, Content, Direction, Gift, Stored, TooManyHeld};
use crate::store::registry::Edit;

/// From so many owners on, their files are flushed together.
const MANY: usize = 8;

/// The owners of tokens that change, who cannot log in meanwhile.
pub(super) struct Locks(BTreeMap<UserName, Owner>);

struct Owner {
    lock: LockedAccount,
    receives: Gift,
    /// Tokens that are taken or changed.
    gives: Vec<Serial>,
}

impl Locks {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn add(&mut self, owner: &UserName, lock: LockedAccount) {
        self.0.insert(owner.clone(), Owner { lock, receives: Gift::default(), gives: Vec::new() });
    }

    /// Adds a user who is given a token, and may be told of it: the state is going to name the uid.
    pub(super) fn add_receiver(&mut self, person: &Person, lock: LockedAccount, notice: Option<&Notice>) {
        self.add(&person.name, lock);
        if let Some(owner) = self.0.get_mut(&person.name) {
            owner.receives.uid = Some(person.uid);
            owner.receives.notice = notice.cloned();
        }
    }

    /// Notes that a user, who is locked, is given this token.
    pub(super) fn receives(&mut self, user: &UserName, serial: &Serial) {
        if let Some(owner) = self.0.get_mut(user) {
            owner.receives.serials.push(serial.clone());
        }
    }

    /// Notes that this token is taken from an owner who is locked, or changed.
    pub(super) fn gives(&mut self, user: &UserName, serial: &Serial) {
        if let Some(owner) = self.0.get_mut(user) {
            owner.gives.push(serial.clone());
        }
    }

    /// True when this change gives the user this token.
    pub(super) fn is_given(&self, user: &UserName, serial: &Serial) -> bool {
        self.0.get(user).is_some_and(|owner| owner.receives.serials.contains(serial))
    }

    pub(super) fn has(&self, owner: &UserName) -> bool {
        self.0.contains_key(owner)
    }

    /// The lock of an owner, when it is held.
    pub(super) fn of(&self, owner: &UserName) -> Option<&LockedAccount> {
        self.0.get(owner).map(|owner| &owner.lock)
    }

    /// Carries out a change that takes something from the owners.
    pub(super) fn commit(self, edit: Edit<'_>, now: UnixTime) -> Result<(), StoreError> {
        self.carry_out(edit, Direction::Takes, now)
    }

    /// Carries out a change that gives tokens to the owners, or lets them use tokens again.
    pub(super) fn commit_gift(self, edit: Edit<'_>, now: UnixTime) -> Result<(), StoreError> {
        self.carry_out(edit, Direction::Gives, now)
    }

    fn carry_out(self, edit: Edit<'_>, direction: Direction, now: UnixTime) -> Result<(), StoreError> {
        let holdings = self.holdings(&edit, direction, now)?;
        carry_out(&holdings, direction, || Ok(edit.commit()?))
    }

    fn holdings(self, edit: &Edit<'_>, direction: Direction, now: UnixTime) -> Result<Vec<Holding>, StoreError> {
        let mut holdings = Vec::with_capacity(self.0.len());
        for (user, owner) in self.0 {
            let registered = edit.held_by(&user)?;
            let Owner { lock, receives, gives } = owner;
            let is_unknown = |serial: &Serial| Ok(!gives.contains(serial) && edit.token(serial)?.is_none());
            holdings.push(Holding::of(lock, registered, direction, receives, is_unknown, now)?);
        }
        Ok(holdings)
    }

    /// The state of the one owner while a gift is carried out.
    #[cfg(test)]
    pub(super) fn announced(self, edit: &Edit<'_>, now: UnixTime) -> State {
        let mut holdings = self.holdings(edit, Direction::Gives, now).unwrap();
        let [_, during, _] = holdings.remove(0).after.states.unwrap();
        during
    }

    /// Records in the owner's state where two codes have shown the token to stand, which also explains its codes outside the
    /// window. A state that is lost or damaged opens nothing and is left as it is.
    pub(super) fn record_progress(&self, token: &Stored, progress: Progress) -> Result<(), StoreError> {
        let Some(seeds) = token.seeds() else { return Ok(()) };
        for Owner { lock, .. } in self.0.values() {
            let Some(mut state) = readable(lock.state())? else { continue };
            state.burn(seeds, progress);
            state.forgive_near_misses(seeds);
            lock.write_state(&state)?;
        }
        Ok(())
    }
}

/// An owner's files before and after a change.
pub(super) struct Holding {
    lock: LockedAccount,
    after: AccountAfter,
}

impl Holding {
    /// The files of the user who is locked, once the registry says that the user has `registered`. A token that the registry
    /// does not know, as `is_unknown` tells, stays: the registry may have been restored from a backup.
    pub(super) fn of(
        lock: LockedAccount,
        registered: Vec<Held>,
        direction: Direction,
        receives: Gift,
        is_unknown: impl Fn(&Serial) -> Result<bool, StoreError>,
        now: UnixTime,
    ) -> Result<Self, StoreError> {
        let (state, credentials) = match (lock.state(), lock.credentials(), direction) {
            // What is lost or damaged must not keep the sysadmin from taking a token away. No login reads it.
            (_, Err(error), Direction::Takes) if is_lost(&error) => {
                return Ok(Self { lock, after: AccountAfter::unchanged() });
            }
            (state, credentials, Direction::Takes) => (readable(state)?, credentials?),
            (state, credentials, Direction::Gives) => (Some(state?), credentials?),
        };
        match AccountAfter::of(state, credentials, registered, direction, receives, is_unknown, now)? {
            Ok(after) => Ok(Self { lock, after }),
            Err(TooManyHeld) => {
                let path = lock.folder().path().join(SECRET);
                Err(FileError::TooLarge { path, limit: LARGEST_SECRET }.into())
            }
        }
    }

    /// True when neither file changes.
    pub(super) fn is_settled(&self) -> bool {
        let is_same = |[found, _, after]: &[State; 3]| found == after;
        matches!(self.after.content, Content::Same) && self.after.states.as_ref().is_none_or(is_same)
    }

    fn prepare(&self, flush: Flush) -> Result<Option<Prepared<'_>>, StoreError> {
        match &self.after.content {
            Content::New(text) => Ok(Some(self.lock.folder().prepare(SECRET, text.as_bytes(), flush)?)),
            Content::Same | Content::None => Ok(None),
        }
    }

    fn put(&self, prepared: Option<Prepared<'_>>, flush: Flush) -> Result<(), StoreError> {
        match (prepared, &self.after.content) {
            (Some(prepared), _) => Ok(prepared.put(flush)?),
            (None, Content::None) => Ok(self.lock.folder().remove(SECRET)?),
            (None, Content::Same | Content::New(_)) => Ok(()),
        }
    }

    fn announce(&self, flush: Flush) -> Result<(), StoreError> {
        match &self.after.states {
            Some([found, during, _]) if found != during => self.lock.write_over(during, flush),
            Some(_) | None => Ok(()),
        }
    }

    /// Without a flush: no reader depends on it. Should it fail or be lost, `migrate` and `repair` make up for it.
    fn conclude(&self) {
        if let Some([_, during, after]) = &self.after.states
            && during != after
        {
            let _ = self.lock.write_over(after, Flush::Together);
        }
    }

    /// Takes back what was written. Should that fail, the files differ from the registry, and `doctor` says so.
    fn take_back(&self) {
        match (&self.after.content, &self.after.found) {
            (Content::Same, _) => {}
            (Content::New(_) | Content::None, Some(found)) => {
                let _ = self.lock.folder().replace(SECRET, found.as_bytes());
            }
            (Content::New(_) | Content::None, None) => {
                let _ = self.lock.folder().remove(SECRET);
            }
        }
        self.take_back_announcement();
    }

    fn take_back_announcement(&self) {
        if let Some([found, during, _]) = &self.after.states
            && found != during
        {
            let _ = self.lock.overwrite_state(found);
        }
    }
}

/// Carries out a change of the registry with all files that go with it.
pub(super) fn carry_out(
    holdings: &[Holding],
    direction: Direction,
    commit: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let flush = if holdings.len() < MANY { Flush::Now } else { Flush::Together };
    let flushed = || match holdings.first() {
        Some(first) if flush == Flush::Together => first.lock.folder().flush_file_system(),
        Some(_) | None => Ok(()),
    };
    let prepared = || -> Result<Vec<Option<Prepared<'_>>>, StoreError> {
        holdings.iter().try_for_each(|holding| holding.announce(flush))?;
        let prepared = holdings.iter().map(|holding| holding.prepare(flush)).collect::<Result<Vec<_>, _>>()?;
        flushed()?;
        Ok(prepared)
    };
    let put = |prepared: Vec<Option<Prepared<'_>>>| -> Result<(), StoreError> {
        holdings.iter().zip(prepared).try_for_each(|(holding, prepared)| holding.put(prepared, flush))?;
        Ok(flushed()?)
    };
    let prepared = match prepared() {
        Ok(prepared) => prepared,
        Err(error) => {
            holdings.iter().for_each(Holding::take_back_announcement);
            return Err(error);
        }
    };
    match direction {
        Direction::Gives => {
            if let Err(error) = commit() {
                drop(prepared);
                holdings.iter().for_each(Holding::take_back_announcement);
                return Err(error);
            }
            put(prepared)?;
        }
        Direction::Takes => {
            if let Err(error) = put(prepared).and_then(|()| commit()) {
                holdings.iter().for_each(Holding::take_back);
                return Err(error);
            }
        }
    }
    holdings.iter().for_each(Holding::conclude);
    Ok(())
}

/// The state; `None` where it is lost or damaged.
pub(super) fn readable(state: Result<State, StoreError>) -> Result<Option<State>, StoreError> {
    match state {
        Ok(state) => Ok(Some(state)),
        Err(error) if FilesError::is_of_the_state(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_lost(error: &StoreError) -> bool {
    FilesError::is_of_the_state(error) || error.loss() == Some(Loss::Credentials)
}
