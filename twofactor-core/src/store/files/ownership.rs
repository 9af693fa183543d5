//! The ownership of accounts: a user name can pass to another person, who then has another uid.
//!
//! Invariants: an account belongs to the uid that its state names, and opens nothing for another one. A state without a
//! uid (older versions wrote none) takes it from the next accepted login. Only the sysadmin changes it: by
//! [`Files::adopt_uid`], or by `reset` and an enrollment of the new person. An account in which nothing can open or
//! enroll has no owner, whatever uid was left in it.

use std::borrow::Borrow;

use super::identity::users_in;
use super::locations::Files;
use super::user_folder::{Account, SECRET};
use crate::account::State;
use crate::host::trusted::Folder;
use crate::host::user::{Person, UserName};
use crate::store::administration::{AccountOwnership, Adoption, Belongs, StateIdentity as _};
use crate::store::error::StoreError;
use crate::store::verification::must_be_of;

impl AccountOwnership for Files {
    fn names(&self) -> Result<Vec<UserName>, StoreError> {
        let Some(users) = self.users_folder()? else { return Ok(Vec::new()) };
        Ok(users_in(&users)?)
    }

    fn belongs(&self, user: &UserName) -> Result<Belongs, StoreError> {
        let Some(account) = self.unlocked(user)? else { return Ok(Belongs::ToNobody) };
        Self::belongs_as_in(&account, &account.state()?)
    }

    fn check_owner(&self, person: &Person) -> Result<(), StoreError> {
        match self.unlocked(&person.name)? {
            Some(account) => Self::check_belongings(&account, &account.state()?, person),
            None => Ok(()),
        }
    }

    fn adopt_uid(&self, person: &Person, seen: Belongs) -> Result<Adoption, StoreError> {
        self.claim_if_used()?;
        let Some(account) = self.locked(&person.name)? else { return Ok(Adoption::Overtaken) };
        let state = account.state()?;
        let belongs = Self::belongs_as_in(&account, &state)?;
        if belongs != seen || belongs == Belongs::ToNobody {
            return Ok(Adoption::Overtaken);
        }
        account.overwrite_state(&State { uid: Some(person.uid), ..state })?;
        Ok(Adoption::Done)
    }
}

impl Files {
    /// The same of an account that was opened, and its state.
    pub(super) fn check_belongings<F: Borrow<Folder>>(
        account: &Account<F>,
        state: &State,
        person: &Person,
    ) -> Result<(), StoreError> {
        match must_be_of(state, person) {
            Err(uid_changed) if Self::has_belongings(account, state)? => Err(uid_changed),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub(super) fn belongs_as_in<F: Borrow<Folder>>(account: &Account<F>, state: &State) -> Result<Belongs, StoreError> {
        Ok(if state.invitation.is_none() && !Self::has_belongings(account, state)? {
            Belongs::ToNobody
        } else {
            state.uid.map_or(Belongs::ToUnknown, Belongs::To)
        })
    }

    /// Whether the account holds a credential, or is to get one by `migrate`.
    fn has_belongings<F: Borrow<Folder>>(account: &Account<F>, state: &State) -> Result<bool, StoreError> {
        Ok(account.has(SECRET)? || state.has_credentials || state.tokens_held > 0)
    }
}
