//! The store of a host of a fleet: the accounts of this host first, then the central store.
//!
//! Invariants: a user with an account here is judged here, so that administrators get in while no server answers. An account that
//! cannot be read is an error, and never a reason to ask elsewhere. Nothing of the fleet makes an account here.

use std::path::Path;

use crate::account::App;
use crate::account::enrollment::Proposal;
use crate::account::factors::Factors;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::notice::Notice;
use crate::account::remembered::Recall;
use crate::codes::otp::{Code, Digits};
use crate::codes::ssh_key::SshKey;
use crate::codes::token::{Serial, Token};
use crate::host::trusted::Owner;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::broker::{Broker, LINK, PATIENCE};
use crate::store::enrollment::{EnrollmentStatus, EnrollmentStore, NotRegistered, Pending, Registration, Superseded};
use crate::store::error::StoreError;
use crate::store::redemption::{Attempt, Presence, Recognized, Redemption, Remembered, Store, Stripping};

/// The accounts of this host, and the central store behind the link.
#[derive(Debug)]
pub struct LocalAndCentral<L> {
    local: L,
    central: Broker,
}

impl<L: Store + EnrollmentStore> LocalAndCentral<L> {
    /// The central store is asked through the link of this host.
    pub fn new(local: L) -> Self {
        Self { local, central: Broker::link(Path::new(LINK), Owner::ROOT, PATIENCE) }
    }

    fn is_local(&self, user: &UserName) -> Result<bool, StoreError> {
        Ok(matches!(self.local.presence(user)?, Presence::Enrolled))
    }

    fn of(&self, user: &UserName) -> Result<&dyn Store, StoreError> {
        Ok(if self.is_local(user)? { &self.local } else { &self.central })
    }

    fn enrolling(&self, user: &UserName) -> Result<&dyn EnrollmentStore, StoreError> {
        Ok(if self.is_local(user)? { &self.local } else { &self.central })
    }
}

impl<L: Store + EnrollmentStore> Store for LocalAndCentral<L> {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        self.of(user)?.presence(user)
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        self.of(user)?.code_lengths(user)
    }

    fn remembers(
        &self,
        person: &Person,
        like: &Recall<'_>,
        factors: Factors,
    ) -> Result<Option<Remembered>, StoreError> {
        self.of(&person.name)?.remembers(person, like, factors)
    }

    fn recognize(&self, person: &Person, keys: &[SshKey], factors: Factors) -> Result<Option<Recognized>, StoreError> {
        self.of(&person.name)?.recognize(person, keys, factors)
    }

    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError> {
        self.of(&person.name)?.recovery_left(person)
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        self.of(&person.name)?.redeem(person, attempt)
    }

    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError> {
        self.of(&person.name)?.strip(person, attempt)
    }

    fn take_notices(&self, person: &Person) -> Result<Vec<Notice>, StoreError> {
        self.of(&person.name)?.take_notices(person)
    }

    /// As for a user of the fleet, who are most.
    fn pretend(&self, attempt: &Attempt<'_>) {
        self.central.pretend(attempt);
    }
}

impl<L: Store + EnrollmentStore> EnrollmentStore for LocalAndCentral<L> {
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError> {
        self.enrolling(&person.name)?.enrollment_status(person)
    }

    fn confirm(
        &self,
        user: Option<&UserName>,
        proposal: Proposal,
        code: &Code,
    ) -> Result<Result<App, Box<Proposal>>, StoreError> {
        // An unknown user takes as long.
        let store: &dyn EnrollmentStore = match user {
            Some(user) => self.enrolling(user)?,
            None => &self.central,
        };
        store.confirm(user, proposal, code)
    }

    fn kept_secret(&self, person: &Person) -> Result<Token, Superseded> {
        self.enrolling(&person.name)?.kept_secret(person)
    }

    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError> {
        self.enrolling(&person.name)?.check_invitation(person, typed, attempt)
    }

    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        self.enrolling(&person.name)?.check_registration(person, serial, codes, attempt)
    }

    fn store_pending(&self, pending: Pending) -> Result<(), Superseded> {
        self.enrolling(&pending.user.name)?.store_pending(pending)
    }
}
