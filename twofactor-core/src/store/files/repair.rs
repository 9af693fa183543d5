//! The repairs of `doctor --fix`: certain defects, whose repair admits no user who was not admitted before the defect.
//! Everything happens under the locks of the registry and of the user.
//!
//! - A file beside the registry that SQLite cannot use is set aside.
//! - The number of tokens in a user's state is set to that of the registry when it is too small, when the registry's
//!   history explains the difference by tokens taken from the user, or when the state says that a token was being
//!   assigned and the registry has as many as before. Otherwise the registry may have lost tokens, which only the
//!   sysadmin can judge.

use std::path::PathBuf;

use crate::store::administration::{Author, Repair, Repairs, StateIdentity as _, StateRepair};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::files::identity::users_in;
use crate::store::files::locations::Files;
use crate::store::files::user_folder::Account;
use crate::store::registry::{self, CHANGE_PATIENCE, RegistryError, Writer};

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

    fn clear_obstructions(&self) -> Vec<PathBuf> {
        let Some(state) = self.state_folder().ok().flatten().filter(registry::is_obstructed) else { return Vec::new() };
        let writer = Writer::open(state, CHANGE_PATIENCE).ok().flatten();
        writer.map(|writer| writer.set_aside().to_vec()).unwrap_or_default()
    }
}

impl Files {
    fn repair_into(&self, repairs: &mut Repairs, by: Author<'_>) -> Result<(), StoreError> {
        self.claim_if_used()?;
        let Some(state) = self.state_folder()? else { return Ok(()) };
        let Some(mut writer) = Writer::open(state, CHANGE_PATIENCE)? else { return Ok(()) };
        repairs.done.extend(writer.set_aside().iter().cloned().map(Repair::SetAside));
        if let Some(problem) = writer.damage()? {
            let path = writer.path().to_owned();
            return Err(RegistryError::Damaged { path, problem }.into());
        }
        // The edit changes nothing: it keeps other processes from changing the registry meanwhile.
        let edit = writer.edit(by)?;
        let Some(users) = self.users_folder()? else { return Ok(()) };
        for user in users_in(&users)? {
            let repaired = || -> Result<Option<Repair>, StoreError> {
                let Some(folder) = users.folder(user.as_str())? else { return Ok(None) };
                let account = Account(folder.lock(self.patience)?);
                let state = account.state()?;
                let (before, now) = (state.tokens_held, edit.held(&user)?);
                let is_unfinished_gift = state.tokens_before_gift.is_some_and(|before| now >= before);
                let is_explained = now > before || is_unfinished_gift || edit.taken_from(&user)? >= before - now;
                if now == before || !is_explained {
                    return Ok(None);
                }
                account.write_tokens_held(now)?;
                Ok(Some(Repair::TokensHeld { user: user.clone(), before, now }))
            };
            match repaired() {
                Ok(repair) => repairs.done.extend(repair),
                // What is lost or damaged is said by the findings.
                Err(error) if FilesError::is_of_the_state(&error) => {}
                Err(error) => repairs.problems.push(error),
            }
        }
        Ok(())
    }
}
