//! Changes of physical tokens and series, and secrets that several users or tokens have.

use std::sync::Arc;

use twofactor_core::account::Held;
use twofactor_core::account::lifecycle::Change;
use twofactor_core::codes::otp::{Algorithm, Code, Progress};
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::{Marks, Serial};
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{
    Author, Fit, LastCredential, SecretSharing, Sharer, Sharing, TokenAdministration, TokenError, TokenImport,
};
use twofactor_core::store::inventory::{self as rules, Direction, LoadedTokens};

use super::store::Central;
use crate::inventory::{self, Import, Wanted, looking, sharing};

impl Central {
    /// The physical tokens of a user as the inventory has them. The reset of an account that cannot be read takes them from there.
    pub(super) fn registered(&self, user: &UserName) -> Result<Vec<Held>, StoreError> {
        self.wait(looking::held_by(&self.database, user))
    }

    /// Changes these tokens.
    fn change_tokens<T>(
        &self,
        serials: &[Serial],
        direction: Direction,
        by: Author<'_>,
        work: impl FnMut(&mut LoadedTokens) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let wanted = Wanted { serials: serials.to_vec(), ..Wanted::default() };
        let change = inventory::Change::of(by, self.clock());
        self.runtime.block_on(change.make(&self.database, &wanted, direction, work))
    }
}

impl SecretSharing for Central {
    fn sharer(&self, user: &UserName, secret: &Secret, algorithm: Algorithm) -> Result<Option<Sharer>, StoreError> {
        self.wait(sharing::sharer(&self.database, user, Marks::of(secret, algorithm)))
    }

    fn note_shared(&self, secret: &Secret, algorithm: Algorithm, _: Author<'_>) -> Result<(), StoreError> {
        self.wait(sharing::note(&self.database, Marks::of(secret, algorithm)))
    }
}

impl TokenAdministration for Central {
    fn import(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        Ok(Box::new(Import::begin(Arc::clone(&self.runtime), Arc::clone(&self.database))?))
    }

    fn import_rehearsal(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        Ok(Box::new(Import::rehearse(Arc::clone(&self.runtime), Arc::clone(&self.database))?))
    }

    fn assign(&self, pairs: &[(Serial, Person)], sharing: Sharing, by: Author<'_>) -> Result<(), TokenError> {
        let wanted = Wanted {
            serials: pairs.iter().map(|(serial, _)| serial.clone()).collect(),
            receivers: pairs.iter().map(|(_, person)| person.name.clone()).collect(),
            looks_for_twins: sharing == Sharing::Refuse,
        };
        let change = inventory::Change::of(by, self.clock());
        let assigning =
            change.make(&self.database, &wanted, Direction::Gives, |loaded| rules::assign(loaded, pairs, sharing));
        self.runtime.block_on(assigning)
    }

    fn unassign(&self, serial: &Serial, last: LastCredential, by: Author<'_>) -> Result<UserName, TokenError> {
        let unassign = |loaded: &mut _| rules::unassign(loaded, serial, last);
        self.change_tokens(std::slice::from_ref(serial), Direction::Takes, by, unassign)
    }

    fn change(
        &self,
        serials: &[Serial],
        change: Change,
        last: LastCredential,
        by: Author<'_>,
    ) -> Result<(), TokenError> {
        let put = |loaded: &mut _| rules::put(loaded, serials, change, last);
        self.change_tokens(serials, Direction::of(change), by, put)
    }

    fn delete_tokens(&self, serials: &[Serial], last: LastCredential, by: Author<'_>) -> Result<(), TokenError> {
        self.change_tokens(serials, Direction::Takes, by, |loaded| rules::delete(loaded, serials, last))
    }

    fn resynchronize(&self, serial: &Serial, codes: [&Code; 2], by: Author<'_>) -> Result<Progress, TokenError> {
        let resynchronize = |loaded: &mut _| rules::resynchronize(loaded, serial, codes);
        self.change_tokens(std::slice::from_ref(serial), Direction::Takes, by, resynchronize)
    }

    fn probe(&self, serial: &Serial, codes: [&Code; 2]) -> Result<Vec<Fit>, TokenError> {
        let now = self.now()?;
        let seen = self.wait(looking::token(&self.database, serial))?;
        let seen = seen.ok_or_else(|| TokenError::NoToken(serial.clone()))?;
        let token = seen.listed.token.ok_or_else(|| TokenError::Revoked(serial.clone()))?;
        Ok(rules::fits(&token, codes, now))
    }

    fn delete_series(&self, name: &str, last: LastCredential, by: Author<'_>) -> Result<usize, TokenError> {
        let change = inventory::Change::of(by, self.clock());
        self.runtime.block_on(change.delete_series(&self.database, name, last))
    }

    fn mend_series(&self, name: &str, probed: &Serial, fit: &Fit, by: Author<'_>) -> Result<usize, TokenError> {
        let change = inventory::Change::of(by, self.clock());
        self.runtime.block_on(change.mend_series(&self.database, name, probed, fit))
    }
}
