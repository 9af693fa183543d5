//! The verbs of logins and of enrollment.

use twofactor_core::account::App;
use twofactor_core::account::enrollment::Proposal;
use twofactor_core::account::factors::Factors;
use twofactor_core::account::invitation::{Invitation, InvitationCode};
use twofactor_core::account::notice::Notice;
use twofactor_core::account::remembered::Recall;
use twofactor_core::codes::otp::{Code, Digits};
use twofactor_core::codes::ssh_key::SshKey;
use twofactor_core::codes::token::{Serial, Token};
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::{
    Attempt, EnrollmentStatus, EnrollmentStore, NotRegistered, Pending, Presence, Recognized, Redemption, Registration,
    Remembered, Store, StoreError, Stripping, Superseded,
};

use super::store::{ByName, by_name};

impl Store for ByName {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        self.act(|files| files.presence(user))
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        self.act(|files| files.code_lengths(user))
    }

    fn remembers(
        &self,
        person: &Person,
        like: &Recall<'_>,
        factors: Factors,
    ) -> Result<Option<Remembered>, StoreError> {
        self.act(|files| files.remembers(&by_name(person), like, factors))
    }

    /// None: no host asks for keys.
    fn recognize(&self, _: &Person, _: &[SshKey], _: Factors) -> Result<Option<Recognized>, StoreError> {
        Ok(None)
    }

    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError> {
        self.act(|files| files.recovery_left(&by_name(person)))
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        self.act(|files| files.redeem(&by_name(person), attempt))
    }

    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError> {
        self.act(|files| files.strip(&by_name(person), attempt))
    }

    /// None: a host that asks for them need not show them.
    fn take_notices(&self, _: &Person) -> Result<Vec<Notice>, StoreError> {
        Ok(Vec::new())
    }

    fn pretend(&self, attempt: &Attempt<'_>) {
        let _ = self.act(|files| {
            files.pretend(attempt);
            Ok::<(), StoreError>(())
        });
    }
}

impl EnrollmentStore for ByName {
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError> {
        self.act(|files| files.enrollment_status(&by_name(person)))
    }

    fn confirm(
        &self,
        user: Option<&UserName>,
        proposal: Proposal,
        code: &Code,
    ) -> Result<Result<App, Box<Proposal>>, StoreError> {
        self.act(|files| files.confirm(user, proposal, code))
    }

    fn kept_secret(&self, person: &Person) -> Result<Token, Superseded> {
        self.act(|files| files.kept_secret(&by_name(person)))
    }

    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError> {
        self.act(|files| files.check_invitation(&by_name(person), typed, attempt))
    }

    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        self.act(|files| files.check_registration(&by_name(person), serial, codes, attempt))
    }

    fn store_pending(&self, pending: Pending) -> Result<(), Superseded> {
        let pending = Pending { user: by_name(&pending.user), ..pending };
        self.act(|files| files.store_pending(pending))
    }
}
