//! The verbs of a login, as the servers answer them.

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
use twofactor_core::store::administration::Author;
use twofactor_core::store::{
    Attempt, EnrollmentStatus, EnrollmentStore, Listing, NotRegistered, Pending, PendingFactor, Presence, Recognized,
    Redemption, Registration, Remembered, Store, StoreError, Stripping, Superseded, TokenRegistration,
};

use super::judging::NO_HOST;
use super::store::Central;
use crate::inventory::{self, Registered, Registering, looking};

impl Store for Central {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        self.look(user, |one| one.presence(user))
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        self.look(user, |one| one.code_lengths(user))
    }

    fn remembers(
        &self,
        person: &Person,
        like: &Recall<'_>,
        factors: Factors,
    ) -> Result<Option<Remembered>, StoreError> {
        self.look(&person.name, |one| one.remembers(person, like, factors))
    }

    fn recognize(&self, person: &Person, keys: &[SshKey], factors: Factors) -> Result<Option<Recognized>, StoreError> {
        self.look(&person.name, |one| one.recognize(person, keys, factors))
    }

    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError> {
        self.look(&person.name, |one| one.recovery_left(person))
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        self.judge(&person.name, "redeem", |one| one.redeem(person, attempt))
    }

    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError> {
        self.judge(&person.name, "strip", |one| one.strip(person, attempt))
    }

    fn take_notices(&self, person: &Person) -> Result<Vec<Notice>, StoreError> {
        self.look(&person.name, |one| one.take_notices(person))
    }

    fn pretend(&self, attempt: &Attempt<'_>) {
        let Ok(nobody) = UserName::new("?") else { return };
        let _ = self.judge(&nobody, "pretend", |one| {
            one.pretend(attempt);
            Ok::<(), StoreError>(())
        });
    }
}

impl EnrollmentStore for Central {
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError> {
        self.look(&person.name, |one| one.enrollment_status(person))
    }

    fn confirm(
        &self,
        _: Option<&UserName>,
        proposal: Proposal,
        code: &Code,
    ) -> Result<Result<App, Box<Proposal>>, StoreError> {
        Ok(proposal.try_code(code, self.rules.window, self.now()?))
    }

    fn kept_secret(&self, person: &Person) -> Result<Token, Superseded> {
        self.judge(&person.name, "kept-secret", |one| one.kept_secret(person))
    }

    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError> {
        self.judge(&person.name, "invitation", |one| one.check_invitation(person, typed, attempt))
    }

    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        let found = self.wait(looking::token(&self.database, serial))?;
        let listing = found.map_or(Listing::Unknown, |seen| seen.listed.into_listing());
        self.judge(&person.name, "registration", |one| {
            one.knows(serial.clone(), listing.clone());
            one.check_registration(person, serial, codes, attempt)
        })
    }

    fn store_pending(&self, pending: Pending) -> Result<(), Superseded> {
        let user = pending.user.name.clone();
        if let PendingFactor::Token(registration) = &pending.factor {
            let registration = TokenRegistration::of(registration, pending.invitation).ok_or(Superseded::TokenTaken)?;
            let (now, question) = (self.now()?, self.question()?);
            let change = inventory::Change::of(Author { who: &self.who, at: now }, self.clock());
            let (host, who) = (NO_HOST, Some(self.who.as_str()));
            let asked = Registering {
                host,
                who,
                question: &question,
                event: "register",
                read: None,
                gets_rows: true,
                quota: None,
            };
            let registering = change.register(&self.database, &pending.user, &registration, asked);
            return match self.runtime.block_on(registering)? {
                Registered::Judged(stored) => stored,
                Registered::Conflict | Registered::OverQuota => Err(Superseded::TokenTaken),
            };
        }
        self.judge(&user, "enroll", |one| one.store_pending(pending.clone()))
    }
}
