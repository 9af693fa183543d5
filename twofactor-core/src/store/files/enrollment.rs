//! Enrollment at the login prompt: checks invitations, claims tokens and stores the confirmed factor of a user without
//! one.
//!
//! Invariants: a guess here is counted as at any prompt. Nothing is stored before [`Files::store_pending`], which
//! verifies under the locks that the user is still not enrolled and the token still in inventory.

use crate::account::enrollment::Proposal;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::lifecycle::{Owned, Stage};
use crate::account::{App, Confirmation, Credentials, State};
use crate::codes::otp::Code;
use crate::codes::secret::SecretError;
use crate::codes::token::{Serial, Token};
use crate::host::clock::{ClockError, UnixTime};
use crate::host::trusted::FileError;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::administration::{Author, InvitationAdministration, StateIdentity as _};
use crate::store::enrollment::{
    EnrollmentStatus, EnrollmentStore, NotRegistered, Pending, PendingFactor, Registration, RegistrationProof,
    SecretOrigin, Superseded,
};
use crate::store::error::StoreError;
use crate::store::files::belongings::Belongings;
use crate::store::files::locations::Files;
use crate::store::files::user_folder::LockedAccount;
use crate::store::redemption::{Absent, Attempt};
use crate::store::registry::{Edit, RegistryError, RegistryReader, Stored, Writer};
use crate::store::verification::{InvitationCheck, Listing, RegistrationCheck, must_be_of, verify};

impl EnrollmentStore for Files {
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError> {
        let user = &person.name;
        let account = self.unlocked(user)?;
        let Belongings { credentials, held, problem } = self.belongings(user, account.as_ref())?;
        problem.map_or(Ok(()), Err)?;
        let state = match &account {
            Some(account) => account.state()?,
            None => State::default(),
        };
        self.check_held(user, &state, &held)?;
        if !held.is_empty() {
            return Ok(EnrollmentStatus::Enrolled);
        }
        let Some(credentials) = credentials else { return Ok(EnrollmentStatus::New(Absent(()))) };
        // A secret kept for another person is not shown. A prompt for a code reveals no more.
        let waits = state.may_be_of(person.uid) && waiting(credentials).is_some();
        Ok(if waits { EnrollmentStatus::Waiting } else { EnrollmentStatus::Enrolled })
    }

    fn confirm(&self, proposal: Proposal, code: &Code) -> Result<Result<App, Box<Proposal>>, StoreError> {
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
        let account = self.counting(&person.name)?;
        let mut file = account.state_file()?;
        let now = self.clock.now()?;
        verify(&mut file, now, InvitationCheck { person, typed, attempt, rules: &self.rules, now })
    }

    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        let account = self.counting(&person.name)?;
        let mut file = account.state_file()?;
        let now = self.clock.now()?;
        let find = || self.listing(serial);
        verify(&mut file, now, RegistrationCheck { serial, codes, attempt, rules: &self.rules, now, find })
    }

    fn store_pending(&self, pending: Pending) -> Result<(), Superseded> {
        match pending.factor {
            PendingFactor::Token(registration) => self.register(&pending.user, &registration, pending.invitation),
            PendingFactor::App { app, recovery, secret } => {
                let person = pending.user;
                let account = self.locked_or_new(&person.name)?;
                let now = self.clock.now()?;
                let credentials = account.credentials()?;
                if !self.held_by(&person.name)?.is_empty() {
                    return Err(Superseded::Enrolled);
                }
                let mut state = account.state()?.seen_at(now);
                if credentials.is_some() || pending.invitation.is_some() {
                    must_be_of(&state, &person)?;
                }
                let mut credentials = match credentials {
                    None if secret == SecretOrigin::New => Credentials::none()?,
                    // The secret that waited must still be the one that was shown.
                    Some(credentials) if is_still_waiting(&credentials, &app) => {
                        if !app.was_confirmed_within(self.rules.window, now) {
                            return Err(Superseded::Expired);
                        }
                        credentials
                    }
                    None => return Err(Superseded::Reset),
                    Some(_) => return Err(Superseded::Enrolled),
                };
                spend(&mut state, pending.invitation, now)?;
                credentials.apps.retain(|waiting| waiting.token().seeds() != app.token().seeds());
                state.begin(app.token());
                state.uid = Some(person.uid);
                credentials.apps.push(app);
                if !recovery.is_empty() {
                    credentials.replace_recovery(&recovery);
                }
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
        self.check_belongings(&account, &state, person)?;
        // What was lost is begun anew only by who says so.
        account.has_credentials()?;
        // An invitation is one person's too.
        state.uid = Some(person.uid);
        state.invitation = Some(Invitation::of(&code, until)?);
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
    /// Assigns a token to the user who has shown two of its codes, when the token is still in inventory and the user
    /// still not enrolled.
    fn register(
        &self,
        person: &Person,
        registration: &Registration,
        invitation: Option<Invitation>,
    ) -> Result<(), Superseded> {
        let (user, serial) = (&person.name, &registration.serial);
        let RegistrationProof::Progress(progress) = registration.proof else { return Err(Superseded::TokenTaken) };
        let state = self.state_folder()?.ok_or(Superseded::TokenTaken)?;
        let mut writer = Writer::open(state, self.patience)?.ok_or(Superseded::TokenTaken)?;
        let by = Author { who: user.as_str(), at: self.clock.now()? };
        let edit: Edit<'_> = writer.edit(by)?;
        let token: Stored = edit.token(serial)?.ok_or(Superseded::TokenTaken)?;
        if token.owner.is_some() || token.status.stage(Owned::No) != Stage::Inventory {
            return Err(Superseded::TokenTaken);
        }
        // Another login may have used these two codes meanwhile.
        if token.progress.watermark >= progress.watermark {
            return Err(Superseded::TokenTaken);
        }
        let account = self.locked_or_new(user)?;
        if account.has_credentials()? || edit.held(user)? > 0 {
            return Err(Superseded::Enrolled);
        }
        let now = self.clock.now()?;
        let before = account.state()?.seen_at(now);
        if invitation.is_some() {
            must_be_of(&before, person)?;
        }
        let mut after = before.clone();
        spend(&mut after, invitation, now)?;
        after.uid = Some(person.uid);
        edit.assign(&token, user)?;
        edit.resynchronize(&token, progress)?;
        // Written before the change: a user who holds more tokens than the registry has is refused, and must never hold
        // fewer. The invitation is spent after the change, because the change may still be taken back.
        let promised = State { invitation: before.invitation, ..after.clone().with_gift(edit.held(user)?) };
        account.write_state(&promised)?;
        if let Err(error) = edit.commit() {
            account.overwrite_state(&before)?;
            return Err(error.into());
        }
        // The invitation admits no further enrollment, even when this write fails.
        let _ = account.overwrite_state(&State { tokens_held: promised.tokens_held, ..after });
        Ok(())
    }

    /// Locks the account of a user whose guesses are counted before any enrollment. An account that has lost its state
    /// is an error.
    pub(super) fn counting(&self, user: &UserName) -> Result<LockedAccount, StoreError> {
        let account = self.locked_or_new(user)?;
        account.state()?;
        Ok(account)
    }

    /// The registry's record of a serial.
    fn listing(&self, serial: &Serial) -> Result<Listing, StoreError> {
        let state = self.state_folder()?;
        let listed = self.registry_patience.asking(|patience| {
            let reader = state.as_ref().map(|state| RegistryReader::for_login(state, patience)).transpose()?.flatten();
            Ok(reader.map(|reader| reader.token(serial)).transpose()?.flatten())
        })?;
        let Some(listed) = listed else { return Ok(Listing::Unknown) };
        let is_free = listed.owner.is_none() && listed.status.stage(Owned::No) == Stage::Inventory;
        Ok(match listed.token {
            Some(token) if is_free => Listing::Free(Box::new(token), listed.progress),
            _ => Listing::NotFree,
        })
    }
}

/// The app that waits for its confirmation, when the user has no other credentials.
fn waiting(credentials: Credentials) -> Option<App> {
    if credentials.apps.iter().any(|app| app.confirmation() == Confirmation::Confirmed) {
        return None;
    }
    credentials.apps.into_iter().next()
}

fn is_still_waiting(credentials: &Credentials, app: &App) -> bool {
    let same = |waiting: &&App| waiting.token().seeds() == app.token().seeds();
    let nothing_else = credentials.apps.iter().all(|app| app.confirmation() == Confirmation::Pending);
    nothing_else && credentials.apps.iter().any(|waiting| same(&waiting))
}

/// An invitation enrolls once, and in time.
pub(super) fn spend(state: &mut State, invitation: Option<Invitation>, now: UnixTime) -> Result<(), Superseded> {
    // An enrolled user needs no further invitation.
    let present = state.invitation.take();
    match invitation {
        None => Ok(()),
        Some(invitation) if present == Some(invitation) && now < invitation.until => Ok(()),
        Some(_) => Err(Superseded::InvitationSpent),
    }
}

impl From<ClockError> for Superseded {
    fn from(error: ClockError) -> Self {
        Self::Store(error.into())
    }
}

impl From<SecretError> for Superseded {
    fn from(error: SecretError) -> Self {
        Self::Entropy(error)
    }
}

impl From<FileError> for Superseded {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

impl From<RegistryError> for Superseded {
    fn from(error: RegistryError) -> Self {
        Self::Store(error.into())
    }
}
