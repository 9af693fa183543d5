//! A user's folder: `secret.toml` and `state`, read and replaced as a whole.

use crate::account::{Credentials, State};
use crate::host::trusted::{self, FileError, Flush, Folder, InPlace};
use crate::store::credentials_text;
use crate::store::credentials_text::END;
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::files::slots::Slots;
use crate::store::state_text;
use crate::store::verification::Ledger;
use crate::text::document::Problem;
use std::borrow::Borrow;
use std::path::Path;

pub(super) const USERS: &str = "users";

pub(super) const SECRET: &str = "secret.toml";

pub(super) const STATE: &str = "state";

/// The largest state file that is read, in bytes. The largest that can be written is half of it.
pub(super) const LARGEST: usize = 128 * 1024;

/// The same of secret files, which have room for the ssh keys of one user.
pub(super) const LARGEST_SECRET: usize = 2 * LARGEST;

/// A user's folder, locked or not.
#[derive(Debug)]
pub(super) struct Account<F>(pub(super) F);

/// A user's folder while no other process may change it.
pub(super) type LockedAccount = Account<trusted::Locked>;

/// Proof that the attempt at hand is counted.
#[must_use]
pub(super) struct Charge(());

impl<F: Borrow<Folder>> Account<F> {
    pub(super) fn folder(&self) -> &Folder {
        self.0.borrow()
    }

    /// The credentials; `None` when the user has none. That a file is missing which the state names is an error.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>, StoreError> {
        let content = match self.folder().read(SECRET, LARGEST_SECRET)? {
            Some(content) => content,
            None if !self.state()?.has_credentials => return Ok(None),
            // Without the lock, it may have been made meanwhile.
            None => self.folder().read(SECRET, LARGEST_SECRET)?.ok_or_else(|| self.lost_credentials())?,
        };
        let corrupt = |place| StoreError::from(FilesError::Corrupt { path: self.folder().path().join(SECRET), place });
        let text = std::str::from_utf8(&content).map_err(|_| corrupt((1, 1)))?;
        if !text.ends_with(END) {
            return Err(corrupt((text.lines().count().max(1), 1)));
        }
        credentials_text::read(text).map(Some).map_err(|problems| corrupt(place_of(&problems)))
    }

    /// The state. A user's folder is made with one, so a folder without a state has lost it, and with it what was burned.
    pub(super) fn state(&self) -> Result<State, StoreError> {
        let content = self.folder().read(STATE, LARGEST)?.ok_or_else(|| self.lost_state())?;
        parse_state(&content, &self.folder().path().join(STATE)).map(|(_, state)| state)
    }

    /// Whether the user has credentials, readable or not. The same errors as of [`Account::credentials`].
    pub(super) fn has_credentials(&self) -> Result<bool, StoreError> {
        if self.has(SECRET)? {
            return Ok(true);
        }
        let named = self.state()?.has_credentials;
        match self.has(SECRET)? {
            false if named => Err(self.lost_credentials()),
            has => Ok(has),
        }
    }

    fn lost_credentials(&self) -> StoreError {
        FilesError::LostCredentials(self.folder().path().join(SECRET)).into()
    }

    pub(super) fn lost_state(&self) -> StoreError {
        FilesError::LostState(self.folder().path().join(STATE)).into()
    }

    pub(super) fn has(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.folder().has(name)?)
    }
}

/// Reads a state and where the next one goes.
pub(super) fn parse_state(content: &[u8], path: &Path) -> Result<(Slots, State), StoreError> {
    let corrupt = |place| StoreError::from(FilesError::Corrupt { path: path.to_owned(), place });
    let (slots, text) = Slots::read(content).map_err(|_| corrupt((1, 1)))?;
    let state = state_text::read(text).map_err(|problems| corrupt(place_of(&problems)))?;
    Ok((slots, state))
}

pub(super) fn place_of(problems: &[Problem]) -> (usize, usize) {
    problems.first().map_or((1, 1), |first| (first.line, first.column))
}

impl LockedAccount {
    /// The state's file, to read it and to write the next states.
    pub(super) fn state_file(&self) -> Result<StateFile<'_>, StoreError> {
        let file = self.folder().open_in_place(STATE)?.ok_or_else(|| self.lost_state())?;
        Ok(StateFile { folder: self.folder(), file, slots: None, has_counted_a_guess: false })
    }

    /// Puts a whole new file in the place of the state's.
    pub(super) fn write_state(&self, state: &State) -> Result<(), StoreError> {
        replace_state(self.folder(), &state_text::write(state))
    }

    /// Writes over the older of the two states in the file, which takes no room: a full disk that has stopped a change must
    /// not keep it from being taken back.
    pub(super) fn overwrite_state(&self, state: &State) -> Result<(), StoreError> {
        let mut file = self.state_file()?;
        file.read()?;
        file.write(state)?;
        Ok(file.file.sync()?)
    }

    /// The same, flushed when `flush` says so.
    pub(super) fn write_over(&self, state: &State, flush: Flush) -> Result<(), StoreError> {
        if flush == Flush::Now {
            return self.overwrite_state(state);
        }
        let mut file = self.state_file()?;
        file.read()?;
        file.write(state)
    }

    /// Writes the credentials, and then into the state that there are some: a crash between the two leaves an account that is
    /// whole, and whose next accepted login makes up for it. So does it where the second fails.
    pub(super) fn write_credentials(&self, state: &State, credentials: &Credentials) -> Result<(), StoreError> {
        self.folder().replace(SECRET, credentials_text::write(credentials).as_bytes())?;
        if !state.has_credentials {
            let _ = self.overwrite_state(&State { has_credentials: true, ..state.clone() });
        }
        Ok(())
    }

    /// Writes both, in this order: a crash between the two burns a code too many and never one too few.
    pub(super) fn write(&self, state: &State, credentials: &Credentials) -> Result<(), StoreError> {
        self.write_state(state)?;
        self.write_credentials(state, credentials)
    }
}

/// The state's file while a login changes it.
#[derive(Debug)]
pub(super) struct StateFile<'f> {
    pub(super) folder: &'f Folder,
    pub(super) file: InPlace,
    /// Known once the file was read; `None` again when it was replaced.
    pub(super) slots: Option<Slots>,
    /// A wrong code was looked at and counted.
    pub(super) has_counted_a_guess: bool,
}

impl StateFile<'_> {
    pub(super) fn read(&mut self) -> Result<State, StoreError> {
        let (slots, state) = parse_state(&self.file.read(LARGEST)?, &self.folder.path().join(STATE))?;
        if slots.must_be_flushed_first() {
            self.file.sync()?;
        }
        self.slots = Some(slots);
        Ok(state)
    }

    /// Writes a state over the older one, or a larger file in the place of this one.
    pub(super) fn write(&mut self, state: &State) -> Result<(), StoreError> {
        let text = state_text::write(state);
        match self.slots.as_mut().and_then(|slots| slots.fill(&text)) {
            Some((slot, offset)) => Ok(self.file.overwrite(&slot, offset)?),
            None => {
                self.slots = None;
                replace_state(self.folder, &text)
            }
        }
    }
}

impl Ledger for StateFile<'_> {
    type Charge = Charge;

    fn read(&mut self) -> Result<State, StoreError> {
        StateFile::read(self)
    }

    fn correct(&mut self, seen: &State) -> Result<(), StoreError> {
        self.write(seen)?;
        Ok(self.file.sync()?)
    }

    fn charge(&mut self, charged: &State) -> Result<Charge, StoreError> {
        self.write(charged)?;
        Ok(Charge(()))
    }

    fn settle(&mut self, Charge(()): Charge, outcome: Option<&State>) -> Result<(), StoreError> {
        if let Some(outcome) = outcome {
            self.write(outcome)?;
        }
        self.file.sync()?;
        // Spares the next login a flush. Should it fail or be lost, that login flushes, and nothing else happens.
        if let Some((mark, offset)) = self.slots.as_ref().and_then(Slots::flushed) {
            let _ = self.file.overwrite(mark, offset);
        }
        Ok(())
    }

    fn counted_a_guess(&mut self) {
        self.has_counted_a_guess = true;
    }
}

pub(super) fn replace_state(folder: &Folder, text: &str) -> Result<(), StoreError> {
    let path = || folder.path().join(STATE);
    let file = Slots::file(text).ok_or_else(|| FileError::TooLarge { path: path(), limit: LARGEST })?;
    Ok(folder.replace(STATE, &file)?)
}
