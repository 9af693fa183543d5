//! The store itself: the core's files, and the file beside them.

use std::fmt;
use std::sync::Arc;

use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{History, HistoryPart, TokenViews as _};
use twofactor_core::store::files::Files;

use crate::embedded::history::WholeHistory;
use crate::fleet_file::{FleetFile, Place};

/// Accounts in files, by their names.
pub(in crate::embedded) struct ByName {
    files: Files,
    place: Place,
    file: Arc<FleetFile>,
    /// The sysadmin, for the audit; `None` for a server, whose hosts' questions have rows of their own.
    who: Option<String>,
}

/// The person, of whom no uid is known.
pub(super) fn by_name(person: &Person) -> Person {
    Person { name: person.name.clone(), uid: Uid::NONE }
}

impl ByName {
    /// The accounts `files` of a folder.
    pub(in crate::embedded) fn new(files: Files, place: Place, file: Arc<FleetFile>, who: Option<String>) -> Self {
        Self { files, place, file, who }
    }

    /// The files.
    pub(in crate::embedded) fn files(&self) -> &Files {
        &self.files
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Does something as the owner of the folder.
    pub(super) fn act<T, E: From<StoreError>>(&self, work: impl FnOnce(&Files) -> Result<T, E>) -> Result<T, E> {
        let _as_owner = self.place.as_owner().map_err(StoreError::from)?;
        work(&self.files)
    }

    /// Changes the account of `user`, and notes it in the audit once it is done. A change that cannot be noted stands, and is told as an
    /// error.
    pub(super) fn change<T, E: From<StoreError>>(
        &self,
        user: &UserName,
        event: Event,
        work: impl FnOnce(&Files) -> Result<T, E>,
        is_changed: impl FnOnce(&T) -> bool,
    ) -> Result<T, E> {
        self.act(|files| {
            let done = work(files)?;
            if let Some(who) = self.who.as_ref().filter(|_| is_changed(&done)) {
                self.file.note_change(who, user, event).map_err(StoreError::from)?;
            }
            Ok(done)
        })
    }

    /// The history of tokens, and the audit.
    pub(super) fn whole_history(&self, part: &HistoryPart) -> Result<Option<Box<dyn History>>, StoreError> {
        let tokens = self.act(|files| files.history(part))?;
        let (place, file) = (self.place.clone(), Arc::clone(&self.file));
        Ok(Some(Box::new(WholeHistory { place, tokens, file, last: 0, ready: Default::default() })))
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ByName").finish_non_exhaustive()
    }
}
