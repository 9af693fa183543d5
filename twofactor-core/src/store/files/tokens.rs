//! Changes of physical tokens: assign, take back, resynchronize, forget. No login calls them.
//!
//! Invariants: a change that takes a token from its owner holds the owner's lock until it is written, so no login with
//! it is in progress, and the owner's progress goes with the token. The registry is locked first, then the owners.

use crate::account::lifecycle::Change;
use crate::account::notice::Notice;
use crate::codes::otp::{Code, Progress};
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::store::administration::{
    Author, Fit, LastCredential, Sharing, StateIdentity as _, TokenAdministration, TokenError, TokenImport,
};
use crate::store::error::StoreError;
use crate::store::files::holdings::readable;
use crate::store::files::locations::Files;
use crate::store::files::user_folder::LockedAccount;
use crate::store::inventory::{self, Direction, Mended, Stored};
use crate::store::registry::{CHANGE_PATIENCE, Edit, Intake, Writer};

use changing::Changing;
use import::FilesImport;

mod changing;
mod import;
mod looking;
#[cfg(test)]
mod tests;

impl TokenAdministration for Files {
    fn import(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        self.claim()?;
        // Only inside it absence can be proved, and now there is something to be absent from.
        self.users_folder_or_new()?;
        let intake = Intake::begin(self.state_folder_or_new()?, self.app_secrets()?)?;
        Ok(Box::new(FilesImport(intake)))
    }

    fn import_rehearsal(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        let intake = Intake::rehearse(self.state_folder()?.as_ref(), self.app_secrets()?)?;
        Ok(Box::new(FilesImport(intake)))
    }

    fn assign(&self, pairs: &[(Serial, Person)], sharing: Sharing, by: Author<'_>) -> Result<(), TokenError> {
        let Some((first, _)) = pairs.first() else { return Ok(()) };
        let mut writer = self.writer_for(first)?;
        self.give(writer.edit(by)?, pairs, sharing, None)
    }

    fn unassign(&self, serial: &Serial, last: LastCredential, by: Author<'_>) -> Result<UserName, TokenError> {
        let mut writer = self.writer_for(serial)?;
        let mut changing = Changing::new(self, writer.edit(by)?);
        let owner = inventory::unassign(&mut changing, serial, last)?;
        changing.carry_out(Direction::Takes)?;
        Ok(owner)
    }

    fn change(
        &self,
        serials: &[Serial],
        change: Change,
        last: LastCredential,
        by: Author<'_>,
    ) -> Result<(), TokenError> {
        let Some(first) = serials.first() else { return Ok(()) };
        let mut writer = self.writer_for(first)?;
        let mut changing = Changing::new(self, writer.edit(by)?);
        inventory::put(&mut changing, serials, change, last)?;
        Ok(changing.carry_out(Direction::of(change))?)
    }

    fn delete_tokens(&self, serials: &[Serial], last: LastCredential, by: Author<'_>) -> Result<(), TokenError> {
        let Some(first) = serials.first() else { return Ok(()) };
        let mut writer = self.writer_for(first)?;
        let mut changing = Changing::new(self, writer.edit(by)?);
        inventory::delete(&mut changing, serials, last)?;
        Ok(changing.carry_out(Direction::Takes)?)
    }

    fn resynchronize(&self, serial: &Serial, codes: [&Code; 2], by: Author<'_>) -> Result<Progress, TokenError> {
        let mut writer = self.writer_for(serial)?;
        let mut changing = Changing::new(self, writer.edit(by)?);
        let progress = inventory::resynchronize(&mut changing, serial, codes)?;
        // The owner's state has it already: killed between the two, it leaves both codes burned.
        changing.edit.commit()?;
        Ok(progress)
    }

    fn probe(&self, serial: &Serial, codes: [&Code; 2]) -> Result<Vec<Fit>, TokenError> {
        let now = self.clock.now().map_err(StoreError::from)?;
        let token = self.listed(serial)?.ok_or_else(|| TokenError::NoToken(serial.clone()))?;
        let token = token.token.ok_or_else(|| TokenError::Revoked(serial.clone()))?;
        Ok(inventory::fits(&token, codes, now))
    }

    fn delete_series(&self, name: &str, last: LastCredential, by: Author<'_>) -> Result<usize, TokenError> {
        let missing = || TokenError::NoSeries(name.to_owned());
        let mut writer = self.writer()?.ok_or_else(missing)?;
        let mut changing = Changing::new(self, writer.edit(by)?);
        let (unused, tokens) = changing.edit.delete_unused(name)?.ok_or_else(missing)?;
        inventory::delete_all(&mut changing, &tokens, last)?;
        let all = unused + tokens.len();
        changing.edit.delete_series(name, all)?;
        changing.carry_out(Direction::Takes)?;
        Ok(all)
    }

    fn mend_series(&self, name: &str, probed: &Serial, fit: &Fit, by: Author<'_>) -> Result<usize, TokenError> {
        let missing = || TokenError::NoSeries(name.to_owned());
        let mut writer = self.writer()?.ok_or_else(missing)?;
        let mut changing = Changing::new(self, writer.edit(by)?);
        let now = self.clock.now().map_err(StoreError::from)?;
        let (mut mended, mut after) = (0, 0);
        loop {
            // In portions: what is handed out is changed meanwhile, and a million tokens do not fit into memory.
            let portion = changing.edit.portion_of_series(name, after)?.ok_or_else(missing)?;
            let Some(last) = portion.last() else { break };
            after = last.id;
            for token in portion {
                let used = inventory::use_of(&mut changing, &token)?;
                let Mended { secret, parameters, shown } = inventory::mended(&token, probed, fit, now)?;
                if let Some(twin) = changing.edit.mend(&token, used, &secret, parameters, shown)? {
                    return Err(TokenError::Twins(token.serial, twin));
                }
                mended += 1;
            }
        }
        changing.edit.record_mending(name, mended, fit)?;
        changing.carry_out(Direction::Gives)?;
        Ok(mended)
    }
}

impl Files {
    /// Gives tokens to users, who may be told of it: the notice is on disk before the registry has recorded the owner.
    pub(super) fn give(
        &self,
        edit: Edit<'_>,
        pairs: &[(Serial, Person)],
        sharing: Sharing,
        notice: Option<&Notice>,
    ) -> Result<(), TokenError> {
        let mut changing = Changing::new(self, edit);
        changing.notice = notice;
        inventory::assign(&mut changing, pairs, sharing)?;
        Ok(changing.carry_out(Direction::Gives)?)
    }

    /// The registry, to change the token `serial`, which cannot be there without it.
    fn writer_for(&self, serial: &Serial) -> Result<Writer, TokenError> {
        self.writer()?.ok_or_else(|| TokenError::NoToken(serial.clone()))
    }

    /// The registry, locked; `None` when there is none.
    pub(super) fn writer(&self) -> Result<Option<Writer>, StoreError> {
        self.claim_if_used()?;
        match self.state_folder()? {
            Some(state) => Ok(Writer::open(state, self.until_deadline().unwrap_or(CHANGE_PATIENCE))?),
            None => Ok(None),
        }
    }
}

/// The progress of a token, by its owner's state.
pub(super) fn progress_in(account: &LockedAccount, token: &Stored, now: UnixTime) -> Result<Progress, StoreError> {
    Ok(inventory::use_by_state(token, readable(account.state())?, now))
}
