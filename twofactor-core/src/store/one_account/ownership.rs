//! The owner of an account: its name, and no uid. A user has other uids on other hosts.

use super::account::{Change, Kept, OneAccount, text_of};
use crate::host::user::{Person, UserName};
use crate::store::administration::{AccountOwnership, Adoption, Belongs, RenameError, Renamed};
use crate::store::credentials_text;
use crate::store::error::StoreError;

impl AccountOwnership for OneAccount<'_> {
    fn names(&self) -> Result<Vec<UserName>, StoreError> {
        Ok(self.named(|_| true))
    }

    fn belongs(&self, user: &UserName) -> Result<Belongs, StoreError> {
        let is_empty = |kept: &Kept| kept.credentials.is_none() && kept.state.invitation.is_none();
        Ok(match self.kept(user)? {
            Some(kept) if !is_empty(kept) => Belongs::ToUnknown,
            Some(_) | None => Belongs::ToNobody,
        })
    }

    fn check_owner(&self, person: &Person) -> Result<(), StoreError> {
        self.kept(&person.name).map(|_| ())
    }

    /// Nothing is written: the account is the name's already.
    fn adopt_uid(&self, person: &Person, seen: Belongs) -> Result<Adoption, StoreError> {
        let belongs = self.belongs(&person.name)?;
        let is_as_seen = belongs == seen && belongs != Belongs::ToNobody;
        Ok(if is_as_seen { Adoption::Done } else { Adoption::Overtaken })
    }
}

impl OneAccount<'_> {
    /// The change of the account `to` by which it gets what this one has, which is forgotten at the same time. The new name may
    /// have counts and used codes from before, and no credential: the used codes are learned, the rest is dropped.
    pub fn renamed_to(&self, to: &OneAccount<'_>, seen: Belongs) -> Result<(Change, Renamed), RenameError> {
        let (from, to) = (self.user(), (to.user(), to.kept(to.user())?));
        let Some(Kept { credentials, state }) = self.kept(from)? else {
            return Err(RenameError::NoAccount(from.clone()));
        };
        if self.belongs(from)? != seen {
            return Err(RenameError::Overtaken(from.clone()));
        }
        if *from == *to.0 || to.1.is_some_and(|kept| kept.credentials.is_some()) {
            return Err(RenameError::Occupied(to.0.clone()));
        }
        let mut state = state.clone();
        if let Some(known) = to.1 {
            state.learn(&known.state);
        }
        let apps = credentials.as_ref().map_or(0, |credentials| credentials.apps.len());
        let held = credentials.iter().flat_map(|credentials| &credentials.held);
        let renamed = Renamed { apps, tokens: held.map(|held| held.token.serial.clone()).collect() };
        let state = text_of(&state);
        let change = match credentials {
            Some(credentials) => Change::Both { credentials: credentials_text::write(credentials), state },
            None => Change::State(state),
        };
        Ok((change, renamed))
    }
}
