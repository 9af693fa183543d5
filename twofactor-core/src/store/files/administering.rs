//! The verbs of a sysadmin on the files, in one place. The verbs themselves stand where their subject does.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::locations::Files;
use crate::account::invitation::InvitationCode;
use crate::account::lifecycle::Change;
use crate::account::throttle::Source;
use crate::account::{App, Judgement};
use crate::codes::answer::Answer;
use crate::codes::otp::{Algorithm, Code, Match, Progress};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::Secret;
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::UnixTime;
use crate::host::trusted::Folder;
use crate::host::user::{Person, UserName};
use crate::store::administration::{
    AccountAdministration, Adoption, Author, Belongs, EnrollError, Existing, Fit, History, Identified, Identity,
    Inspection, LastCredential, Marking, Newcomer, Repairs, Reset, SeriesAdministration, SeriesSummary, Sharer,
    Sharing, Sighting, StateAdministration, Status, TokenAdministration, TokenError, TokenFilter, TokenImport,
    TokenView,
};
use crate::store::enrollment::Superseded;
use crate::store::error::StoreError;

impl AccountAdministration for Files {
    fn enroll(
        &self,
        person: &Person,
        app: App,
        recovery: Option<&[RecoveryCode]>,
        existing: Existing,
    ) -> Result<(), EnrollError> {
        self.enroll(person, app, recovery, existing)
    }

    fn status(&self, user: &UserName) -> Result<Option<Status>, StoreError> {
        self.status(user)
    }

    fn users(&self) -> Result<Vec<UserName>, StoreError> {
        self.users()
    }

    fn newcomers(&self) -> Result<Vec<UserName>, StoreError> {
        self.newcomers()
    }

    fn newcomer(&self, user: &UserName) -> Result<Option<Newcomer>, StoreError> {
        self.newcomer(user)
    }

    fn has_traces(&self, user: &UserName) -> Result<bool, StoreError> {
        self.has_traces(user)
    }

    fn blocked_until(&self, user: &UserName, source: &Source) -> Result<Option<UnixTime>, StoreError> {
        self.blocked_until(user, source)
    }

    fn verify(&self, user: &UserName, answer: Answer) -> Result<Option<Judgement>, StoreError> {
        self.verify(user, answer)
    }

    fn pending(&self, user: &UserName, label: &Label) -> Result<Option<Token>, StoreError> {
        self.pending(user, label)
    }

    fn reset(&self, user: &UserName, reset: Reset) -> Result<bool, StoreError> {
        self.reset(user, reset)
    }

    fn replace_recovery(&self, user: &UserName, codes: &[RecoveryCode]) -> Result<bool, EnrollError> {
        self.replace_recovery(user, codes)
    }

    fn unlock(&self, user: &UserName) -> Result<Option<u32>, StoreError> {
        self.unlock(user)
    }

    fn invite(&self, person: &Person, until: UnixTime) -> Result<InvitationCode, Superseded> {
        self.invite(person, until)
    }

    fn revoke_invitation(&self, user: &UserName) -> Result<bool, StoreError> {
        self.revoke_invitation(user)
    }

    fn sharer(&self, user: &UserName, secret: &Secret, algorithm: Algorithm) -> Result<Option<Sharer>, StoreError> {
        self.sharer(user, secret, algorithm)
    }

    fn note_shared(&self, secret: &Secret, algorithm: Algorithm, by: Author<'_>) -> Result<(), StoreError> {
        self.note_shared(secret, algorithm, by)
    }

    fn names(&self) -> Result<Vec<UserName>, StoreError> {
        self.names()
    }

    fn belongs(&self, user: &UserName) -> Result<Belongs, StoreError> {
        self.belongs(user)
    }

    fn check_owner(&self, person: &Person) -> Result<(), StoreError> {
        self.check_owner(person)
    }

    fn adopt_uid(&self, person: &Person, seen: Belongs) -> Result<Adoption, StoreError> {
        self.adopt_uid(person, seen)
    }
}

impl TokenAdministration for Files {
    fn import(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        self.import()
    }

    fn import_rehearsal(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        self.import_rehearsal()
    }

    fn assign(&self, pairs: &[(Serial, Person)], sharing: Sharing, by: Author<'_>) -> Result<(), TokenError> {
        self.assign(pairs, sharing, by)
    }

    fn unassign(&self, serial: &Serial, last: LastCredential, by: Author<'_>) -> Result<UserName, TokenError> {
        self.unassign(serial, last, by)
    }

    fn change(
        &self,
        serials: &[Serial],
        change: Change,
        last: LastCredential,
        by: Author<'_>,
    ) -> Result<(), TokenError> {
        self.change(serials, change, last, by)
    }

    fn delete_tokens(&self, serials: &[Serial], last: LastCredential, by: Author<'_>) -> Result<(), TokenError> {
        self.delete_tokens(serials, last, by)
    }

    fn resynchronize(&self, serial: &Serial, codes: [&Code; 2], by: Author<'_>) -> Result<Progress, TokenError> {
        self.resynchronize(serial, codes, by)
    }

    fn probe(&self, serial: &Serial, codes: [&Code; 2]) -> Result<Vec<Fit>, TokenError> {
        self.probe(serial, codes)
    }

    fn token(&self, serial: &Serial) -> Result<Option<TokenView>, StoreError> {
        self.token(serial)
    }

    fn tokens(
        &self,
        filter: &TokenFilter,
        take: &mut dyn FnMut(TokenView) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.tokens(filter, take)
    }

    fn verify_token(&self, serial: &Serial, code: &Code) -> Result<Option<Match>, StoreError> {
        self.verify_token(serial, code)
    }

    fn identify(&self, codes: [&Code; 2], tick: &mut dyn FnMut(u64)) -> Result<Vec<Identified>, StoreError> {
        self.identify(codes, tick)
    }

    fn serials_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        self.serials_from(prefix, most)
    }

    fn token_count(&self) -> Result<u64, StoreError> {
        self.token_count()
    }

    fn history(&self) -> Result<Option<Box<dyn History>>, StoreError> {
        self.history()
    }

    fn check_tokens(&self) -> Result<(), StoreError> {
        self.check_tokens()
    }
}

impl SeriesAdministration for Files {
    fn series(&self, name: &str) -> Result<Option<SeriesSummary>, StoreError> {
        self.series(name)
    }

    fn all_series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        self.all_series()
    }

    fn series_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        self.series_from(prefix, most)
    }

    fn delete_series(&self, name: &str, last: LastCredential, by: Author<'_>) -> Result<usize, TokenError> {
        self.delete_series(name, last, by)
    }

    fn mend_series(&self, name: &str, probed: &Serial, fit: &Fit, by: Author<'_>) -> Result<usize, TokenError> {
        self.mend_series(name, probed, fit, by)
    }
}

impl StateAdministration for Files {
    fn sighting(&self) -> Result<Sighting, StoreError> {
        self.sighting()
    }

    fn adopt(&self) -> Result<Identity, StoreError> {
        self.adopt()
    }

    fn claim_if_used(&self) -> Result<Marking, StoreError> {
        self.claim_if_used()
    }

    fn claimed_folder(&self) -> Result<Folder, StoreError> {
        self.claimed_folder()
    }

    fn inspect(&self) -> Inspection {
        self.inspect()
    }

    fn repair(&self, by: Author<'_>) -> Repairs {
        self.repair(by)
    }

    fn clear_obstructions(&self) -> Vec<PathBuf> {
        self.clear_obstructions()
    }
}
