//! Enrollment at the login prompt of a host.

use super::account::{Kept, OneAccount};
use super::error::AccountError;
use crate::account::App;
use crate::account::enrollment::Proposal;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::codes::otp::Code;
use crate::codes::token::{Serial, Token};
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::enrollment::{
    EnrollmentStatus, EnrollmentStore, NotRegistered, Pending, PendingFactor, Registration, Superseded,
    TokenRegistration,
};
use crate::store::error::StoreError;
use crate::store::newcomer::{ConfirmedApp, is_waiting};
use crate::store::redemption::{Absent, Attempt};
use crate::store::verification::{InvitationCheck, RegistrationCheck, TwoCodes, verify};

impl EnrollmentStore for OneAccount<'_> {
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError> {
        Ok(match self.kept(&person.name)? {
            Some(Kept { credentials: Some(credentials), .. }) => {
                if is_waiting(credentials) {
                    EnrollmentStatus::Waiting
                } else {
                    EnrollmentStatus::Enrolled
                }
            }
            Some(Kept { credentials: None, .. }) | None => EnrollmentStatus::New(Absent(())),
        })
    }

    fn confirm(
        &self,
        _: Option<&UserName>,
        proposal: Proposal,
        code: &Code,
    ) -> Result<Result<App, Box<Proposal>>, StoreError> {
        Ok(proposal.try_code(code, self.rules.window, self.now))
    }

    /// An error: the one seed that a host is given is the one that it makes.
    fn kept_secret(&self, _: &Person) -> Result<Token, Superseded> {
        Err(Superseded::Store(AccountError::ShowsNoSecret.into()))
    }

    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError> {
        // Guesses are counted before any enrollment, where there is an invitation to guess.
        let Some(kept) = self.kept(&person.name)? else { return Ok(Err(self.invites_no_user(attempt))) };
        let owner = kept.owner(&person.name);
        let check = InvitationCheck { person: &owner, typed, attempt, rules: &self.rules, now: self.now };
        verify(&mut self.ledger(kept.state.clone()), self.now, check)
    }

    /// An error where the program has told nothing of the token.
    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        let known = self.listed.take().filter(|(known, _)| known == serial);
        let (_, listing) = known.ok_or(AccountError::RegistersNoTokens)?;
        let nothing = Kept::default();
        let kept = self.kept(&person.name)?.unwrap_or(&nothing);
        let two = TwoCodes { serial, codes, attempt, rules: &self.rules, now: self.now };
        verify(&mut self.ledger(kept.state.clone()), self.now, RegistrationCheck { two, find: || Ok(listing) })
    }

    fn store_pending(&self, pending: Pending) -> Result<(), Superseded> {
        let Pending { user, factor, invitation } = pending;
        let (app, recovery, secret) = match factor {
            PendingFactor::App { app, recovery, secret } => (app, recovery, secret),
            PendingFactor::Token(registration) => {
                let registration = TokenRegistration::of(&registration, invitation).ok_or(Superseded::TokenTaken)?;
                self.registered.replace(Some(registration));
                return Ok(());
            }
        };
        let nothing = Kept::default();
        let kept = self.kept(&user.name)?.unwrap_or(&nothing);
        let mut state = kept.state.clone().seen_at(self.now);
        let owner = kept.owner(&user.name);
        let confirmed = ConfirmedApp { app, recovery, secret, invitation };
        let credentials =
            confirmed.added_to(kept.credentials.clone(), &mut state, &owner, self.rules.window, self.now)?;
        self.write(&state, &credentials);
        Ok(())
    }
}
