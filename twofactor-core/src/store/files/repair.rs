//! The repairs of `doctor --fix`: certain defects, whose repair admits no user who was not admitted before the defect.
//! Everything happens under the locks of the registry and of the user.
//!
//! - A file beside the registry that SQLite cannot use is set aside.
//! - A registry is made where a helpdesk needs its history, and no user holds a token of one that is lost.
//! - Tokens that an older version has left in the registry alone are moved into their owners' files.
//! - Where the registry and an owner's file differ, a change that gives and was interrupted is completed; otherwise the
//!   stricter of the two holds. Tokens that the registry does not know are left alone: it may have lost them, which only the
//!   sysadmin can judge.

use std::path::PathBuf;

use crate::account::lifecycle::TokenStatus;
use crate::codes::token::Serial;
use crate::host::user::UserName;
use crate::log::record::Event;
use crate::store::administration::{
    Author, Difference, Migration, Repair, Repairs, StateIdentity as _, StateRepair, TokenDifference,
};
use crate::store::error::StoreError;
use crate::store::files::differences;
use crate::store::files::error::FilesError;
use crate::store::files::holdings::{Holding, carry_out};
use crate::store::files::identity::users_in;
use crate::store::files::locations::Files;
use crate::store::files::tokens::progress_in;
use crate::store::files::user_folder::{Account, LockedAccount};
use crate::store::inventory::{Direction, Gift};
use crate::store::registry::{self, CHANGE_PATIENCE, Edit, RegistryError, Writer};

impl StateRepair for Files {
    fn repair(&self, by: Author<'_>) -> Repairs {
        let mut repairs = Repairs::default();
        if let Err(error) = self.repair_into(&mut repairs, by)
            && !matches!(FilesError::of(&error), Some(FilesError::NoFolder(_)))
        {
            repairs.problems.push(error);
        }
        repairs
    }

    fn make_registry(&self) -> Result<Option<Repair>, StoreError> {
        let state = self.claimed_folder()?;
        if !registry::is_missing(&state)? {
            return Ok(None);
        }
        let path = state.path().join(registry::FILE);
        if self.has_a_holder()? {
            return Err(RegistryError::Missing(path).into());
        }
        Ok(Writer::make_if_absent(state, CHANGE_PATIENCE)?.then_some(Repair::RegistryMade(path)))
    }

    fn migrate(&self, by: Author<'_>) -> Result<Migration, StoreError> {
        self.migrate_all(by)
    }

    fn clear_obstructions(&self) -> Vec<PathBuf> {
        let Some(state) = self.state_folder().ok().flatten().filter(registry::is_obstructed) else { return Vec::new() };
        let writer = Writer::open(state, CHANGE_PATIENCE).ok().flatten();
        writer.map(|writer| writer.set_aside().to_vec()).unwrap_or_default()
    }
}

impl Files {
    /// True when a user holds a physical token. An account that cannot be read may hold one.
    fn has_a_holder(&self) -> Result<bool, StoreError> {
        let Some(users) = self.users_folder()? else { return Ok(false) };
        for user in users_in(&users)? {
            let Some(account) = users.folder(user.as_str())?.map(Account) else { continue };
            let holds = account.credentials()?.is_some_and(|credentials| !credentials.held.is_empty());
            if holds || account.state()?.tokens_held > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn repair_into(&self, repairs: &mut Repairs, by: Author<'_>) -> Result<(), StoreError> {
        self.claim_if_used()?;
        let Some(state) = self.state_folder()? else { return Ok(()) };
        let Some(mut writer) = Writer::open(state, CHANGE_PATIENCE)? else { return Ok(()) };
        repairs.done.extend(writer.set_aside().iter().cloned().map(Repair::SetAside));
        if let Some(problem) = writer.damage()? {
            let path = writer.path().to_owned();
            return Err(RegistryError::Damaged { path, problem }.into());
        }
        let Some(users) = self.users_folder()? else { return Ok(()) };
        for user in users_in(&users)? {
            let mut repaired = || -> Result<Vec<Repair>, StoreError> {
                let Some(folder) = users.folder(user.as_str())? else { return Ok(Vec::new()) };
                self.repair_account(Account(folder.lock(self.patience())?), &user, writer.edit(by)?)
            };
            match repaired() {
                Ok(repaired) => repairs.done.extend(repaired),
                // What is lost or damaged is said by the findings.
                Err(error) if FilesError::is_of_the_state(&error) || error.loss().is_some() => {}
                Err(error) if matches!(FilesError::of(&error), Some(FilesError::LostTokens { .. })) => {}
                Err(error) => repairs.problems.push(error),
            }
        }
        Ok(())
    }

    /// Makes the files of a user who is locked and the registry say the same.
    fn repair_account(
        &self,
        account: LockedAccount,
        user: &UserName,
        edit: Edit<'_>,
    ) -> Result<Vec<Repair>, StoreError> {
        let (state, now) = (account.state()?, self.clock.now()?);
        if state.tokens_held > 0 {
            let Some((holding, now)) = self.moving_of(account, user, Some(&edit))? else { return Ok(Vec::new()) };
            carry_out(&[holding], Direction::Gives, || Ok(()))?;
            return Ok(vec![Repair::Migrated { user: user.clone(), before: state.tokens_held, now }]);
        }
        let is_known = |serial: &Serial| Ok::<_, StoreError>(edit.token(serial)?.is_some());
        let credentials = account.credentials()?;
        let differences = differences::between(user, credentials.as_ref(), &edit.held_by(user)?, is_known)?;
        // What gives something was interrupted after the registry had it.
        let gives = state.tokens_before_gift.is_some();
        let mut repairs = Vec::new();
        for TokenDifference { user, serial, difference } in differences {
            let Some(token) = edit.token(&serial)? else { continue };
            repairs.push(match difference {
                Difference::Unknown => continue,
                Difference::Codes => Repair::TokenCodes(user, serial),
                Difference::NotInFile if gives => Repair::TokenGiven(user, serial),
                Difference::NotInFile => {
                    edit.unassign(&token, progress_in(&account, &token, now)?)?;
                    Repair::TokenTaken(user, serial)
                }
                Difference::NotRegistered => {
                    edit.advance(&token, progress_in(&account, &token, now)?)?;
                    Repair::TokenTaken(user, serial)
                }
                Difference::Status { registry, .. } if gives => Repair::TokenStatus(user, serial, registry),
                Difference::Status { file, registry } => {
                    let stricter = differences::stricter(file, registry);
                    let event = if stricter == TokenStatus::Lost { Event::Lost } else { Event::Disabled };
                    if stricter != registry {
                        edit.set_status(&token, stricter, event)?;
                    }
                    Repair::TokenStatus(user, serial, stricter)
                }
            });
        }
        let direction = if gives { Direction::Gives } else { Direction::Takes };
        let registered = edit.held_by(user)?;
        let is_unknown = |serial: &Serial| Ok(edit.token(serial)?.is_none());
        let holding = Holding::of(account, registered, direction, Gift::default(), is_unknown, now)?;
        if !repairs.is_empty() || !holding.is_settled() {
            carry_out(&[holding], direction, || Ok(edit.commit()?))?;
        }
        Ok(repairs)
    }
}
