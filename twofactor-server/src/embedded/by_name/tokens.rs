//! Physical tokens, series, and shared secrets.

use std::ops::ControlFlow;

use twofactor_core::account::lifecycle::Change;
use twofactor_core::codes::otp::{Algorithm, Code, Match, Progress};
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{
    Author, Counts, Finding, Fit, History, HistoryPart, Identified, LastCredential, Origin, SecretSharing,
    SeriesSummary, Sharer, Sharing, TokenAdministration, TokenError, TokenFilter, TokenImport, TokenView, TokenViews,
    TokenWalk,
};

use super::store::{ByName, by_name};
use crate::fleet_file::Place;

impl SecretSharing for ByName {
    fn sharer(&self, user: &UserName, secret: &Secret, algorithm: Algorithm) -> Result<Option<Sharer>, StoreError> {
        self.act(|files| files.sharer(user, secret, algorithm))
    }

    fn note_shared(&self, secret: &Secret, algorithm: Algorithm, by: Author<'_>) -> Result<(), StoreError> {
        self.act(|files| files.note_shared(secret, algorithm, by))
    }
}

impl TokenAdministration for ByName {
    fn import(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        let import = self.act(TokenAdministration::import)?;
        Ok(Box::new(ImportAsOwner { import, place: self.place().clone() }))
    }

    fn import_rehearsal(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        let import = self.act(TokenAdministration::import_rehearsal)?;
        Ok(Box::new(ImportAsOwner { import, place: self.place().clone() }))
    }

    fn assign(&self, pairs: &[(Serial, Person)], sharing: Sharing, by: Author<'_>) -> Result<(), TokenError> {
        let pairs: Vec<_> = pairs.iter().map(|(serial, person)| (serial.clone(), by_name(person))).collect();
        self.act(|files| files.assign(&pairs, sharing, by))
    }

    fn unassign(&self, serial: &Serial, last: LastCredential, by: Author<'_>) -> Result<UserName, TokenError> {
        self.act(|files| files.unassign(serial, last, by))
    }

    fn change(
        &self,
        serials: &[Serial],
        change: Change,
        last: LastCredential,
        by: Author<'_>,
    ) -> Result<(), TokenError> {
        self.act(|files| files.change(serials, change, last, by))
    }

    fn delete_tokens(&self, serials: &[Serial], last: LastCredential, by: Author<'_>) -> Result<(), TokenError> {
        self.act(|files| files.delete_tokens(serials, last, by))
    }

    fn resynchronize(&self, serial: &Serial, codes: [&Code; 2], by: Author<'_>) -> Result<Progress, TokenError> {
        self.act(|files| files.resynchronize(serial, codes, by))
    }

    fn probe(&self, serial: &Serial, codes: [&Code; 2]) -> Result<Vec<Fit>, TokenError> {
        self.act(|files| files.probe(serial, codes))
    }

    fn delete_series(&self, name: &str, last: LastCredential, by: Author<'_>) -> Result<usize, TokenError> {
        self.act(|files| files.delete_series(name, last, by))
    }

    fn mend_series(&self, name: &str, probed: &Serial, fit: &Fit, by: Author<'_>) -> Result<usize, TokenError> {
        self.act(|files| files.mend_series(name, probed, fit, by))
    }
}

impl TokenViews for ByName {
    fn token(&self, serial: &Serial) -> Result<Option<TokenView>, StoreError> {
        self.act(|files| files.token(serial))
    }

    fn tokens(
        &self,
        filter: &TokenFilter,
        take: &mut dyn FnMut(TokenView) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.act(|files| files.tokens(filter, take))
    }

    fn verify_token(&self, serial: &Serial, code: &Code) -> Result<Option<Match>, StoreError> {
        self.act(|files| files.verify_token(serial, code))
    }

    fn identify(&self, codes: [&Code; 2], tick: &mut dyn FnMut(u64)) -> Result<Vec<Identified>, StoreError> {
        self.act(|files| files.identify(codes, tick))
    }

    fn serials_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        self.act(|files| files.serials_from(prefix, most))
    }

    fn token_count(&self) -> Result<u64, StoreError> {
        self.act(TokenViews::token_count)
    }

    fn history(&self, part: &HistoryPart) -> Result<Option<Box<dyn History>>, StoreError> {
        self.whole_history(part)
    }

    fn check_tokens(&self) -> Result<(), StoreError> {
        self.act(TokenViews::check_tokens)
    }

    fn series(&self, name: &str) -> Result<Option<SeriesSummary>, StoreError> {
        self.act(|files| files.series(name))
    }

    fn all_series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        self.act(TokenViews::all_series)
    }

    fn series_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        self.act(|files| files.series_from(prefix, most))
    }
}

/// An import whose every step is the folder's owner's.
#[derive(Debug)]
struct ImportAsOwner {
    import: Box<dyn TokenImport>,
    place: Place,
}

impl TokenImport for ImportAsOwner {
    fn expect(&mut self, tokens: usize) {
        self.import.expect(tokens);
    }

    fn share(&mut self, sharing: Sharing) {
        self.import.share(sharing);
    }

    fn has_series(&self, name: &str) -> Result<bool, StoreError> {
        let _as_owner = self.place.as_owner()?;
        self.import.has_series(name)
    }

    fn plan_walk(&mut self, walk: TokenWalk<'_, Finding>) -> Result<Option<Counts>, StoreError> {
        let _as_owner = self.place.as_owner()?;
        self.import.plan_walk(walk)
    }

    fn write_walk(
        self: Box<Self>,
        origin: Origin<'_>,
        rejected: u64,
        author: Author<'_>,
        walk: TokenWalk<'_, ()>,
    ) -> Result<Option<Counts>, StoreError> {
        let _as_owner = self.place.as_owner()?;
        self.import.write_walk(origin, rejected, author, walk)
    }
}
