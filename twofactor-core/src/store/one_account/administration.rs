//! The verbs of a sysadmin about one account.

use super::account::{Kept, OneAccount};
use crate::account::invitation::InvitationCode;
use crate::account::throttle::{Count, Source};
use crate::account::{App, Credentials, Judgement};
use crate::codes::answer::Answer;
use crate::codes::recovery::RecoveryCode;
use crate::codes::temporary::TemporaryCode;
use crate::codes::token::{Label, Token};
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::log::record::Event;
use crate::store::administration::{
    AccountAdministration, AccountExport, AccountStatus, EnrollError, Existing, ExportedAccount,
    InvitationAdministration, MoveInError, Newcomer, Reset,
};
use crate::store::changes::{self, Enrolling, Remains, Whole};
use crate::store::enrollment::Superseded;
use crate::store::error::StoreError;

impl AccountAdministration for OneAccount<'_> {
    fn enroll(
        &self,
        person: &Person,
        app: App,
        recovery: Option<&[RecoveryCode]>,
        existing: Existing,
    ) -> Result<(), EnrollError> {
        let Kept { credentials, state } = self.kept(&person.name)?.cloned().unwrap_or_default();
        let owner = self.owner(&person.name)?;
        let Whole { credentials, state } =
            Enrolling::of(&owner, credentials, state)?.enrolled(app, recovery, existing)?;
        self.write(&state, &credentials);
        Ok(())
    }

    fn move_in(
        &self,
        person: &Person,
        apps: Vec<App>,
        recovery: &[RecoveryCode],
        existing: Existing,
    ) -> Result<usize, MoveInError> {
        let Kept { credentials, state } =
            self.kept(&person.name).map_err(EnrollError::from)?.cloned().unwrap_or_default();
        let owner = self.owner(&person.name).map_err(EnrollError::from)?;
        let enrolling = Enrolling::of(&owner, credentials, state).map_err(EnrollError::from)?;
        let (Whole { credentials, state }, taken) = enrolling.moved_in(apps, recovery, existing)?;
        self.write(&state, &credentials);
        Ok(taken)
    }

    /// Without physical tokens: the inventory has their views.
    fn status(&self, user: &UserName) -> Result<Option<AccountStatus>, StoreError> {
        let Some(Kept { credentials: Some(credentials), state }) = self.kept(user)? else { return Ok(None) };
        let status = changes::status(Some(credentials), state, &self.rules, self.now);
        // Names are compared here, and no uids.
        Ok(Some(AccountStatus { uid: None, ..status }))
    }

    fn users(&self) -> Result<Vec<UserName>, StoreError> {
        Ok(self.named(|kept| kept.credentials.is_some()))
    }

    fn newcomers(&self) -> Result<Vec<UserName>, StoreError> {
        Ok(self.named(|kept| kept.credentials.is_none()))
    }

    fn newcomer(&self, user: &UserName) -> Result<Option<Newcomer>, StoreError> {
        let Some(Kept { credentials: None, state }) = self.kept(user)? else { return Ok(None) };
        let newcomer = changes::newcomer(state, &self.rules, self.now);
        Ok(newcomer.map(|newcomer| Newcomer { uid: None, ..newcomer }))
    }

    fn has_traces(&self, user: &UserName) -> Result<bool, StoreError> {
        Ok(self.kept(user)?.is_some())
    }

    fn blocked_until(&self, user: &UserName, count: Count, source: &Source) -> Result<Option<UnixTime>, StoreError> {
        let Some(Kept { state, .. }) = self.kept(user)? else { return Ok(None) };
        Ok(state.throttle_of(count).blocked_until(source, self.rules.limits, self.now))
    }

    fn verify(&self, user: &UserName, answer: Answer) -> Result<Option<Judgement>, StoreError> {
        let Some(Kept { credentials: Some(credentials), state }) = self.kept(user)? else { return Ok(None) };
        Ok(Some(changes::judged(credentials, state.clone(), answer, &self.rules, self.now)))
    }

    fn pending(&self, user: &UserName, label: &Label) -> Result<Option<Token>, StoreError> {
        let Some(Kept { credentials: Some(credentials), state }) = self.kept(user)? else { return Ok(None) };
        Ok(changes::pending(credentials.clone(), state, label))
    }

    fn reset(&self, user: &UserName, reset: Reset) -> Result<bool, StoreError> {
        let Some(Kept { credentials, state }) = self.kept(user)? else { return Ok(false) };
        let Some(credentials) = credentials.as_ref().filter(|credentials| !credentials.has_tokens_alone()) else {
            let Some(without) = changes::without_favours(state) else { return Ok(false) };
            self.write_state(&without);
            return Ok(true);
        };
        match reset {
            Reset::Everything => {
                let held = credentials.held.clone();
                self.write_remains(&Remains::of(Some(state.clone()), Some(credentials), held, self.now)?);
            }
            Reset::Confirmations => {
                let Whole { credentials, state } = changes::unconfirmed(credentials.clone(), state.clone());
                self.write(&state, &credentials);
            }
        }
        Ok(true)
    }

    fn replace_recovery(&self, user: &UserName, codes: &[RecoveryCode]) -> Result<bool, EnrollError> {
        let Some(Kept { credentials: Some(credentials), state }) = self.kept(user)? else { return Ok(false) };
        let mut credentials: Credentials = credentials.clone();
        credentials.replace_recovery(codes);
        self.write(state, &credentials);
        Ok(true)
    }

    fn give_code(&self, person: &Person, until: UnixTime) -> Result<Option<TemporaryCode>, EnrollError> {
        let Some(Kept { credentials: Some(_), state }) = self.kept(&person.name)? else { return Ok(None) };
        let (code, mut state) = (TemporaryCode::generate()?, state.clone());
        changes::hand_out(&mut state, &code, until, None)?;
        self.write_state(&state);
        Ok(Some(code))
    }

    fn revoke_code(&self, user: &UserName) -> Result<bool, StoreError> {
        let Some(Kept { state, .. }) = self.kept(user)? else { return Ok(false) };
        let mut without = state.clone();
        let had = changes::take_back_handout(&mut without, self.now, None);
        if without != *state {
            self.write_state(&without);
        }
        Ok(had)
    }

    fn unlock(&self, user: &UserName) -> Result<Option<u32>, StoreError> {
        let Some(Kept { credentials, state }) = self.kept(user)? else { return Ok(None) };
        let mut state = state.clone();
        let forgiven = changes::forgiven(&mut state, credentials.is_some(), &Count::ALL, None);
        if forgiven.is_some() {
            self.write_state(&state);
        }
        Ok(forgiven)
    }
}

impl InvitationAdministration for OneAccount<'_> {
    fn invite(&self, person: &Person, until: UnixTime) -> Result<InvitationCode, Superseded> {
        let code = InvitationCode::generate()?;
        let mut state = self.kept(&person.name)?.map(|kept| kept.state.clone()).unwrap_or_default();
        changes::invite(&mut state, self.owner(&person.name)?.uid, &code, until)?;
        self.write_state(&state);
        Ok(code)
    }

    fn revoke_invitation(&self, user: &UserName) -> Result<bool, StoreError> {
        let Some(Kept { state, .. }) = self.kept(user)? else { return Ok(false) };
        let mut without = state.clone();
        let had = without.invitation.take().is_some();
        if had {
            self.write_state(&without);
        }
        Ok(had)
    }
}

impl AccountExport for OneAccount<'_> {
    fn export(&self, user: &UserName) -> Result<Option<ExportedAccount>, StoreError> {
        let Some(Kept { credentials: Some(credentials), state }) = self.kept(user)? else { return Ok(None) };
        Ok(Some(changes::exported(credentials.clone(), state)))
    }

    /// It is no part of an account: the program that has read it keeps the history.
    fn note_showing(&self, _: &UserName, _: Event, _: &[&Label]) -> Result<(), StoreError> {
        Ok(())
    }
}
