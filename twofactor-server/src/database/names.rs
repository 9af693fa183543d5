//! The names of users of whom something is kept.

use twofactor_core::host::user::UserName;

use crate::database::tables::Database;
use crate::error::ServerError;

/// The kind of users that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Those with credentials, be their state lost.
    Credentials,
    /// Those with a state alone.
    StateAlone,
    /// All.
    Anything,
}

impl Kept {
    fn query(self) -> &'static str {
        match self {
            Self::Credentials => "select name from twofactor.credentials",
            Self::StateAlone => {
                "select name from twofactor.state s
                where not exists (select from twofactor.credentials c where c.name = s.name)"
            }
            Self::Anything => "select name from twofactor.state union select name from twofactor.credentials",
        }
    }
}

impl Database {
    /// The names, sorted. One that no server has written is left out: it is no user's.
    pub(crate) async fn names(&self, kept: Kept) -> Result<Vec<UserName>, ServerError> {
        let rows = self.ask(kept.query(), &[]).await?;
        let names: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        let mut names: Vec<UserName> = names?.iter().filter_map(|name| UserName::new(name).ok()).collect();
        // In the order of the files, and not of the database's collation.
        names.sort_unstable();
        Ok(names)
    }
}
