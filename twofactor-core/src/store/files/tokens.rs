//! Changes of physical tokens: assign, take back, resynchronize, forget. No login calls them.
//!
//! Invariants: a change that takes a token from its owner holds the owner's lock until it is written, so no login with
//! it is in progress, and the owner's progress goes with the token. The registry is locked first, then the owners.

use std::collections::BTreeMap;

use crate::account::lifecycle::{Change, Owned, Stage, TokenStatus};
use crate::account::notice::Notice;
use crate::account::{Confirmation, MOST_HELD};
use crate::codes::otp::{self, Code, Progress, Reach};
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::log::record::Event;
use crate::store::administration::{
    Author, Fit, LastCredential, Sharer, Sharing, StateIdentity as _, TokenAdministration, TokenError, TokenImport,
};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::files::holdings::Locks;
use crate::store::files::locations::Files;
use crate::store::files::user_folder::LockedAccount;
use crate::store::inventory::{self, AppSecrets, Stored};
use crate::store::registry::{CHANGE_PATIENCE, Edit, Intake, RegistryError, Writer};

use import::FilesImport;

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
        let edit = writer.edit(by)?;
        let token = present(&edit, serial)?;
        let owner = owner_of(&token)?.ok_or_else(|| TokenError::NotOwned(serial.clone()))?;
        let mut locks = Locks::new();
        let progress = self.take_over(&token, &mut locks)?;
        edit.unassign(&token, progress)?;
        self.check_last(&edit, std::slice::from_ref(&token), last)?;
        locks.commit(edit, self.now()?)?;
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
        let edit = writer.edit(by)?;
        let (mut locks, mut revoked) = (Locks::new(), Vec::new());
        for serial in serials {
            let token = present(&edit, serial)?;
            let status = token.status.after(change).map_err(|_| TokenError::Revoked(serial.clone()))?;
            self.lock_owner(&token, &mut locks)?;
            match change {
                Change::Enable => edit.set_status(&token, status, Event::Enabled)?,
                Change::Disable => edit.set_status(&token, status, Event::Disabled)?,
                Change::ReportLost => edit.set_status(&token, status, Event::Lost)?,
                Change::Revoke => {
                    let progress = self.take_over(&token, &mut locks)?;
                    edit.revoke(&token, progress)?;
                    revoked.push(token);
                }
            }
        }
        self.check_last(&edit, &revoked, last)?;
        let now = self.now()?;
        match change {
            Change::Enable => locks.commit_gift(edit, now)?,
            Change::Disable | Change::ReportLost | Change::Revoke => locks.commit(edit, now)?,
        }
        Ok(())
    }

    fn delete_tokens(&self, serials: &[Serial], last: LastCredential, by: Author<'_>) -> Result<(), TokenError> {
        let Some(first) = serials.first() else { return Ok(()) };
        let mut writer = self.writer_for(first)?;
        let edit = writer.edit(by)?;
        let mut tokens = Vec::new();
        for serial in serials {
            let token = present(&edit, serial)?;
            // That it was revoked must not be forgotten: it would come back with the next file.
            if token.status == TokenStatus::Revoked {
                return Err(TokenError::Revoked(serial.clone()));
            }
            tokens.push(token);
        }
        let locks = self.delete_all(&edit, &tokens, last)?;
        Ok(locks.commit(edit, self.now()?)?)
    }

    fn resynchronize(&self, serial: &Serial, codes: [&Code; 2], by: Author<'_>) -> Result<Progress, TokenError> {
        let mut writer = self.writer_for(serial)?;
        let edit = writer.edit(by)?;
        let token = present(&edit, serial)?;
        let secret = token.secret.as_ref().ok_or_else(|| TokenError::Revoked(serial.clone()))?;
        let mut locks = Locks::new();
        let before = self.take_over(&token, &mut locks)?;
        let now = self.clock.now().map_err(StoreError::from)?;
        let step = otp::resynchronize(secret, token.parameters, codes, before, Reach::Day, now)
            .ok_or_else(|| TokenError::WrongCodes(serial.clone()))?;
        let progress = before.anchored(step, token.parameters.kind, now);
        edit.resynchronize(&token, progress)?;
        // In this order: killed between the two, it leaves both codes burned.
        locks.record_progress(&token, progress)?;
        edit.commit()?;
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
        let edit = writer.edit(by)?;
        let (unused, tokens) = edit.delete_unused(name)?.ok_or_else(missing)?;
        let locks = self.delete_all(&edit, &tokens, last)?;
        let all = unused + tokens.len();
        edit.delete_series(name, all)?;
        locks.commit(edit, self.now()?)?;
        Ok(all)
    }

    fn mend_series(&self, name: &str, probed: &Serial, fit: &Fit, by: Author<'_>) -> Result<usize, TokenError> {
        let missing = || TokenError::NoSeries(name.to_owned());
        let mut writer = self.writer()?.ok_or_else(missing)?;
        let edit = writer.edit(by)?;
        let now = self.clock.now().map_err(StoreError::from)?;
        let (mut mended, mut locks) = (0, Locks::new());
        let walked = edit.each_of_series(name, |token| {
            let read = token.secret.as_ref().and_then(|secret| fit.encoding.read_again(secret));
            let read = read.ok_or_else(|| TokenError::Unreadable(token.serial.clone()))?;
            let used = self.take_over(&token, &mut locks)?;
            let shown = if token.serial == *probed { fit.progress(now) } else { Progress::default() };
            if let Some(twin) = edit.mend(&token, used, &read, fit.parameters, shown)? {
                return Err(TokenError::Twins(token.serial, twin));
            }
            mended += 1;
            Ok::<(), TokenError>(())
        })?;
        walked.ok_or_else(missing)?;
        edit.record_mending(name, mended, fit)?;
        locks.commit_gift(edit, now)?;
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
        let mut locks = Locks::new();
        let mut apps = None;
        for (serial, person) in pairs {
            let user = &person.name;
            let token = present(&edit, serial)?;
            if let Some(owner) = owner_of(&token)? {
                // A process was killed before the owner's file had it.
                if owner == *user && token.status == TokenStatus::Good && !locks.is_given(user, serial) {
                    if !locks.has(user) {
                        locks.add_receiver(person, self.new_owner(person, &edit)?, notice);
                    }
                    let credentials = locks.of(user).map(LockedAccount::credentials).transpose()?.flatten();
                    if credentials.is_none_or(|credentials| credentials.held(serial).is_none()) {
                        continue;
                    }
                }
                let twice = pairs.iter().filter(|(other, _)| other == serial).count() > 1;
                let error =
                    if twice { TokenError::Twice(serial.clone()) } else { TokenError::Owned(serial.clone(), owner) };
                return Err(error);
            }
            let stage = token.status.stage(Owned::No);
            match stage {
                Stage::Revoked => return Err(TokenError::Revoked(serial.clone())),
                Stage::Disabled | Stage::Lost => return Err(TokenError::Unusable(serial.clone(), stage)),
                Stage::Inventory | Stage::Assigned | Stage::Active => {}
            }
            if sharing == Sharing::Refuse {
                self.refuse_shared(&edit, &token, user, &mut apps)?;
            }
            let held = edit.held(user)?;
            if held >= MOST_HELD {
                return Err(TokenError::TooMany(user.clone()));
            }
            if !locks.has(user) {
                locks.add_receiver(person, self.new_owner(person, &edit)?, notice);
            }
            locks.receives(user, serial);
            edit.assign(&token, user)?;
        }
        Ok(locks.commit_gift(edit, self.now()?)?)
    }

    /// Refuses to give `user` a token whose secret another user has. All accounts are read only when an app is known to have
    /// one of the secrets, and once for all tokens.
    fn refuse_shared(
        &self,
        edit: &Edit<'_>,
        token: &Stored,
        user: &UserName,
        apps: &mut Option<AppSecrets>,
    ) -> Result<(), TokenError> {
        let Some(marks) = token.marks() else { return Ok(()) };
        if apps.is_none() && edit.was_shared(token)? {
            *apps = Some(self.app_secrets()?);
        }
        let app = apps.as_ref().and_then(|apps| apps.other_than(Some(user), marks).cloned().map(Sharer::App));
        // One in the inventory is refused when it is given away itself.
        let mut twins = edit.twins(token)?.into_iter().filter(|twin| twin.owner.is_some());
        match app.or_else(|| twins.find_map(|twin| twin.as_sharer(user))) {
            Some(sharer) => Err(TokenError::Shared(token.serial.clone(), sharer)),
            None => Ok(()),
        }
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

    /// Locks a user who is going to own a token, and makes sure that there is a state that can keep how far he takes it. One
    /// that was lost is not made anew: nobody would know which codes were used. Refuses where another person has something under that name.
    fn new_owner(&self, person: &Person, edit: &Edit<'_>) -> Result<LockedAccount, StoreError> {
        let account = match self.locked(&person.name)? {
            Some(account) => account,
            None if edit.held(&person.name)? > 0 => {
                return Err(FilesError::LostState(self.path_of_state(&person.name)).into());
            }
            None => self.locked_or_new(&person.name)?,
        };
        Self::check_belongings(&account, &account.state()?, person)?;
        Ok(account)
    }

    /// The time, to judge by under the locks.
    fn now(&self) -> Result<UnixTime, StoreError> {
        Ok(self.clock.now()?)
    }

    /// Locks the owner of a token that is changed, if it has one. The lock stays with `locks`.
    fn lock_owner(&self, token: &Stored, locks: &mut Locks) -> Result<Option<UserName>, TokenError> {
        let Some(owner) = owner_of(token)? else { return Ok(None) };
        if !locks.has(&owner)
            && let Some(lock) = self.locked(&owner)?
        {
            locks.add(&owner, lock);
        }
        locks.gives(&owner, &token.serial);
        Ok(Some(owner))
    }

    /// How far a token has come. Its owner, if any, is locked from now on and stays so with `locks`.
    fn take_over(&self, token: &Stored, locks: &mut Locks) -> Result<Progress, TokenError> {
        let Some(owner) = self.lock_owner(token, locks)? else { return Ok(token.progress) };
        let now = self.now()?;
        match locks.of(&owner) {
            Some(lock) => Ok(progress_in(lock, token, now)?),
            None => Ok(token.progress.burned_blindly(token.parameters.kind, now)),
        }
    }

    /// Deletes tokens within an edit.
    fn delete_all(&self, edit: &Edit<'_>, tokens: &[Stored], last: LastCredential) -> Result<Locks, TokenError> {
        let mut locks = Locks::new();
        for token in tokens {
            let progress = self.take_over(token, &mut locks)?;
            edit.delete(token, progress)?;
        }
        self.check_last(edit, tokens, last)?;
        Ok(locks)
    }

    /// Refuses when the edit has left an owner of `tokens` without any credential.
    fn check_last(&self, edit: &Edit<'_>, tokens: &[Stored], last: LastCredential) -> Result<(), TokenError> {
        if last == LastCredential::Take {
            return Ok(());
        }
        let mut lasts: BTreeMap<UserName, Serial> = BTreeMap::new();
        for token in tokens {
            if let Some(owner) = owner_of(token)?
                && edit.usable(&owner)? == 0
                && !self.has_app(&owner)
            {
                lasts.insert(owner, token.serial.clone());
            }
        }
        if lasts.is_empty() {
            return Ok(());
        }
        Err(TokenError::LastCredential(lasts.into_iter().map(|(owner, serial)| (serial, owner)).collect()))
    }

    /// Whether the user has an app that opens sessions. What cannot be read opens nothing.
    fn has_app(&self, user: &UserName) -> bool {
        let account = self.unlocked(user).ok().flatten();
        let credentials = account.and_then(|account| account.credentials().ok()).flatten();
        credentials
            .is_some_and(|credentials| credentials.apps.iter().any(|app| app.confirmation() == Confirmation::Confirmed))
    }
}

/// How far a token has come, as its owner's state knows. A state without a record of it was made anew.
pub(super) fn progress_in(account: &LockedAccount, token: &Stored, now: UnixTime) -> Result<Progress, StoreError> {
    let blindly = || token.progress.burned_blindly(token.parameters.kind, now);
    match (account.state(), token.seeds()) {
        (Ok(state), Some(seeds)) if state.has_recorded(seeds) || state.tokens_held > 0 => {
            Ok(token.progress.latest(state.usage_of(seeds).progress))
        }
        (Ok(_), Some(_)) => Ok(blindly()),
        (Ok(_), None) => Ok(token.progress),
        // A state that was lost or damaged must not keep the sysadmin from taking the token away.
        (Err(error), _) if FilesError::is_of_the_state(&error) => Ok(blindly()),
        (Err(error), _) => Err(error),
    }
}

fn present(edit: &Edit<'_>, serial: &Serial) -> Result<Stored, TokenError> {
    edit.token(serial)?.ok_or_else(|| TokenError::NoToken(serial.clone()))
}

fn owner_of(token: &Stored) -> Result<Option<UserName>, TokenError> {
    let owner = token.owner.as_deref().map(UserName::new).transpose();
    owner.map_err(|_| RegistryError::damaged_owner(&token.serial).into())
}
