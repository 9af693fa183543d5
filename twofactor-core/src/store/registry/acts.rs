//! Lines of the history that stand there before their act: the acts of a helpdesk without root.
//!
//! Invariants: the line is on disk before the act begins, and says then that the outcome is not known. It says so for good where
//! the process is killed, or the registry cannot be written any more. It is taken out only where nothing was done
//! and no code was read out.

use rusqlite::params;

use super::change::{self, Begun, Edit};
use super::connection::Writer;
use super::error::RegistryError;
use crate::codes::token::Serial;
use crate::host::user::{Uid, UserName};
use crate::log::record::{Event, Record};
use crate::store::administration::Author;

impl Writer {
    /// Writes down an act about `user` that a process of `asked_by` asks for.
    pub(crate) fn begin(
        &mut self,
        by: Author<'_>,
        asked_by: Uid,
        event: Event,
        user: &UserName,
        serial: Option<&Serial>,
    ) -> Result<Begun, RegistryError> {
        let edit = self.edit(by)?;
        let unknown = Begun::detail(asked_by, " outcome=unknown");
        let line = edit.asking(|connection| {
            change::record(connection, by, event, serial, Some(user.as_str()), Some(&unknown))?;
            Ok(connection.last_insert_rowid())
        })?;
        edit.commit()?;
        Ok(Begun::of(line, asked_by))
    }

    /// Begins the change that is the act. The line says the outcome as soon as the change is there.
    pub(crate) fn edit_begun<'w>(&'w mut self, by: Author<'w>, begun: Begun) -> Result<Edit<'w>, RegistryError> {
        Ok(self.edit(by)?.of(begun))
    }

    /// Writes down the outcome of an act that was done.
    pub(crate) fn end(&mut self, begun: Begun, by: Author<'_>, outcome: &str) -> Result<(), RegistryError> {
        let edit = self.edit(by)?;
        edit.end(begun, outcome)?;
        edit.commit()
    }

    /// Makes the line of an act that of its refusal: codes were read out for it.
    pub(crate) fn refuse(&mut self, begun: Begun, by: Author<'_>, refusal: &Record) -> Result<(), RegistryError> {
        let edit = self.edit(by)?;
        edit.changing("UPDATE history SET event = ?2 WHERE id = ?1", params![begun.line(), refusal.event().word()])?;
        edit.end(begun, refusal.pairs())?;
        edit.commit()
    }

    /// Takes out the line of an act of which nothing was done.
    pub(crate) fn forget(&mut self, begun: Begun, by: Author<'_>) -> Result<(), RegistryError> {
        let edit = self.edit(by)?;
        edit.changing("DELETE FROM history WHERE id = ?1", params![begun.line()])?;
        edit.commit()
    }
}
