//! An account goes to another name.

use twofactor_core::host::user::{Person, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{AccountRenaming, Author, Belongs, RenameError, Renamed};
use twofactor_core::store::one_account::OneAccount;

use super::judging::NO_HOST;
use super::store::Central;
use crate::answers::in_database::ROUNDS;
use crate::clocks::agreed;
use crate::database::tables::{Account, Found, Written};
use crate::error::ServerError;

impl AccountRenaming for Central {
    fn rename(&self, from: &UserName, to: &Person, seen: Belongs, _: Author<'_>) -> Result<Renamed, RenameError> {
        let question = self.question()?;
        for _ in 0..ROUNDS {
            let (here, there) = (self.account(from, &question)?, self.account(&to.name, &question)?);
            let now = self.now()?;
            let judged = |user: &UserName, account: &Account| {
                OneAccount::of(user.clone(), &account.read, self.rules, &self.decoy, now)
            };
            let (change, renamed) = judged(from, &here)?.renamed_to(&judged(&to.name, &there)?, seen)?;
            let note = self.note(from, Event::AccountRenamed.word(), to.name.as_str(), &question);
            let written = self.database.rename(&here, (to.name.as_str(), &there), &change, &note);
            if self.wait(written)? == Written::Done {
                return Ok(renamed);
            }
        }
        Err(StoreError::from(ServerError::Contended(ROUNDS)).into())
    }
}

impl Central {
    /// The account as it is now.
    pub(super) fn account(&self, user: &UserName, question: &[u8]) -> Result<Account, StoreError> {
        let Found::Account(account) = self.wait(self.database.read(NO_HOST, None, user, question))? else {
            return Err(ServerError::BrokenSeal(user.to_string()).into());
        };
        agreed(account.now)?;
        Ok(*account)
    }
}
