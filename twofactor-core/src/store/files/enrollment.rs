//! Enrollment at the login prompt: checks invitations, claims tokens and stores the confirmed factor of a user without
//! one.
//!
//! Invariants: a guess here is counted as at any prompt. Nothing is stored before [`Files::store_pending`], which
//! verifies under the locks that the user is still not enrolled and the token still in inventory.

use crate::account::App;
use crate::account::enrollment::Proposal;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::codes::otp::Code;
use crate::codes::token::{Serial, Token};
use crate::host::clock::UnixTime;
use crate::host::trusted::FileError;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::administration::{InvitationAdministration, StateIdentity as _};
use crate::store::changes;
use crate::store::enrollment::{
    EnrollmentStatus, EnrollmentStore, NotRegistered, Pending, PendingFactor, Registration, Superseded,
};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::files::locations::{Files, Registrar};
use crate::store::files::user_folder::LockedAccount;
use crate::store::newcomer::{ConfirmedApp, is_waiting, waiting};
use crate::store::redemption::{Absent, Attempt};
use crate::store::verification::{InvitationCheck, RegistrationCheck, TwoCodes, must_be_of};

impl EnrollmentStore for Files {
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError> {
        let Some(account) = self.unlocked(&person.name)? else { return Ok(EnrollmentStatus::New(Absent(()))) };
        let (credentials, state) = (account.credentials()?, account.state()?);
        // Tokens that an older version's registry alone has are tokens.
        if state.tokens_held > 0 {
            return Ok(EnrollmentStatus::Enrolled);
        }
        let Some(credentials) = credentials else { return Ok(EnrollmentStatus::New(Absent(()))) };
        // A secret kept for another person is not shown. A prompt for a code reveals no more.
        let waits = state.may_be_of(person.uid) && is_waiting(&credentials);
        Ok(if waits { EnrollmentStatus::Waiting } else { EnrollmentStatus::Enrolled })
    }

    fn confirm(
        &self,
        _: Option<&UserName>,
        proposal: Proposal,
        code: &Code,
    ) -> Result<Result<App, Box<Proposal>>, StoreError> {
        Ok(proposal.try_code(code, self.rules.window, self.clock.now()?))
    }

    fn kept_secret(&self, person: &Person) -> Result<Token, Superseded> {
        let account = self.unlocked(&person.name)?.ok_or(Superseded::Reset)?;
        let credentials = account.credentials()?.ok_or(Superseded::Reset)?;
        let state = account.state()?;
        must_be_of(&state, person)?;
        Ok(waiting(credentials).ok_or(Superseded::Enrolled)?.offered_again(&state))
    }

    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError> {
        let Some(account) = self.locked(&person.name)? else { return Ok(Err(self.invites_no_user(attempt))) };
        account.state()?;
        let now = self.clock.now()?;
        self.verify_at(&account, now, InvitationCheck { person, typed, attempt, rules: &self.rules, now })
    }

    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        let registrar = self.registrar()?;
        let account = self.counting(&person.name)?;
        let now = self.clock.now()?;
        let two = TwoCodes { serial, codes, attempt, rules: &self.rules, now };
        let find = || registrar.listing(self, serial);
        self.verify_at(&account, now, RegistrationCheck { two, find })
    }

    fn store_pending(&self, pending: Pending) -> Result<(), Superseded> {
        match pending.factor {
            PendingFactor::Token(registration) => {
                self.registrar()?.register(self, &pending.user, &registration, pending.invitation)
            }
            PendingFactor::App { app, recovery, secret } => {
                let person = pending.user;
                if pending.invitation.is_some() && self.unlocked(&person.name)?.is_none() {
                    return Err(Superseded::InvitationSpent);
                }
                let account = self.locked_or_new(&person.name)?;
                let now = self.clock.now()?;
                let credentials = account.credentials()?;
                let mut state = account.state()?.seen_at(now);
                let confirmed = ConfirmedApp { app, recovery, secret, invitation: pending.invitation };
                let credentials = confirmed.added_to(credentials, &mut state, &person, self.rules.window, now)?;
                Ok(account.write(&state, &credentials)?)
            }
        }
    }
}

impl InvitationAdministration for Files {
    fn invite(&self, person: &Person, until: UnixTime) -> Result<InvitationCode, Superseded> {
        let code = InvitationCode::generate()?;
        self.claim()?;
        let account = self.locked_or_new(&person.name)?;
        let mut state = account.state()?;
        Self::check_belongings(&account, &state, person)?;
        // What was lost is begun anew only by who says so.
        account.has_credentials()?;
        changes::invite(&mut state, person.uid, &code, until)?;
        account.write_state(&state)?;
        Ok(code)
    }

    fn revoke_invitation(&self, user: &UserName) -> Result<bool, StoreError> {
        self.claim_if_used()?;
        let Some(account) = self.locked(user)? else { return Ok(false) };
        let mut state = account.state()?;
        let had = state.invitation.take().is_some();
        account.write_state(&state)?;
        Ok(had)
    }
}

impl Files {
    /// The refusal of an invitation of a user of whom nothing is kept, and so none. Nothing is kept of it either: there is nothing to
    /// guess, and names that were invented would fill the store.
    pub(super) fn invites_no_user(&self, attempt: &Attempt<'_>) -> Reason {
        self.work_in_vain(attempt);
        Reason::InvitationWrong
    }

    /// Locks the account of a user whose guesses are counted before any enrollment. An account that has lost its state
    /// is an error.
    pub(super) fn counting(&self, user: &UserName) -> Result<LockedAccount, StoreError> {
        let account = self.locked_or_new(user)?;
        account.state()?;
        Ok(account)
    }

    /// Registers tokens, in a process that has the registry.
    fn registrar(&self) -> Result<&'static dyn Registrar, StoreError> {
        self.registrar.ok_or_else(|| FilesError::NeedsBroker.into())
    }
}

impl From<FileError> for Superseded {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}
