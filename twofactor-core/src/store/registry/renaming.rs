//! Tokens whose owner gets another name, and the lines of the history that say so.
//!
//! Invariant: lines that are there stay as they are: the log of the host, which has them too, keeps the former name.

use rusqlite::params;

use super::change::Edit;
use super::error::RegistryError;
use crate::host::user::UserName;
use crate::log::record::Event;
use crate::text::pairs;

/// The key of a user's former name in a line about a rename.
const BEFORE: &str = "user_before";

/// A line about a rename.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RenameLine(i64);

impl Edit<'_> {
    /// Makes `to` the owner of all tokens of `from`.
    pub(crate) fn rename_owner(&self, from: &UserName, to: &UserName) -> Result<(), RegistryError> {
        let change = "UPDATE tokens SET owner = ?2 WHERE owner = ?1";
        self.changing(change, params![from.as_str(), to.as_str()])
    }

    /// Writes down that `from` is called `to`. `uids` are pairs of a record.
    pub(crate) fn record_rename(
        &self,
        from: &UserName,
        to: &UserName,
        uids: &str,
    ) -> Result<RenameLine, RegistryError> {
        let mut detail = String::new();
        pairs::write(&mut detail, BEFORE, from);
        detail.push_str(uids);
        self.record(Event::AccountRenamed, None, Some(to.as_str()), Some(&detail))?;
        self.asking(|connection| Ok(RenameLine(connection.last_insert_rowid())))
    }

    /// Takes out the line of a rename that was not done.
    pub(crate) fn forget_rename(&self, RenameLine(line): RenameLine) -> Result<(), RegistryError> {
        self.changing("DELETE FROM history WHERE id = ?1", params![line])
    }

    /// True when the last rename of either of these is that of `from` into `to`: it may have been interrupted.
    pub(crate) fn is_last_rename(&self, from: &UserName, to: &UserName) -> Result<bool, RegistryError> {
        let query = "SELECT user, detail FROM history WHERE event = ?1 ORDER BY id DESC";
        self.asking(|connection| {
            let mut statement = connection.prepare(query)?;
            let mut rows = statement.query([Event::AccountRenamed.word()])?;
            while let Some(row) = rows.next()? {
                let (user, detail): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
                let before = detail
                    .as_deref()
                    .and_then(pairs::read)
                    .and_then(|pairs| pairs.into_iter().find(|(key, _)| key == BEFORE).map(|(_, value)| value));
                let names = [before.as_deref(), user.as_deref()];
                if names.iter().any(|name| [Some(from.as_str()), Some(to.as_str())].contains(name)) {
                    return Ok(names == [Some(from.as_str()), Some(to.as_str())]);
                }
            }
            Ok(false)
        })
    }
}
