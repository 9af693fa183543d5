//! The store of a process of root on a host that may have a broker.
//!
//! A process that its user can stop has the broker judge and store: it holds no lock that others wait for, and what it does
//! next is decided at a time that the broker has read. A process of root alone judges by itself, and asks the broker where it
//! cannot write the state: its file system is read-only there, as in the sandbox of polkit.

use std::io::ErrorKind;

use crate::account::App;
use crate::account::enrollment::Proposal;
use crate::account::factors::Factors;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::notice::Notice;
use crate::account::remembered::Recall;
use crate::codes::otp::{Code, Digits};
use crate::codes::ssh_key::SshKey;
use crate::codes::token::{Serial, Token};
use crate::host::trusted::FileError;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::broker::Broker;
use crate::store::enrollment::{
    EnrollmentStatus, EnrollmentStore, NotRegistered, Pending, PendingFactor, Registration, Superseded,
};
use crate::store::error::StoreError;
use crate::store::files::{Files, FilesError};
use crate::store::redemption::{Attempt, Presence, Recognized, Redemption, Remembered, Store, Stripping};

/// The files of this host, and the broker beside them.
#[derive(Debug)]
pub struct FilesAndBroker {
    files: Files,
    broker: Broker,
    judge: Judge,
}

/// The process that judges an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// This one, which no user but root can stop; the broker where the state cannot be written.
    This,
    /// The broker.
    Broker,
}

impl FilesAndBroker {
    /// The store of a process of root.
    pub fn new(files: Files, broker: Broker, judge: Judge) -> Self {
        Self { files, broker, judge }
    }

    /// The store that is asked where nothing is judged.
    fn reader(&self) -> &dyn Store {
        match self.judge {
            Judge::This => &self.files,
            Judge::Broker => &self.broker,
        }
    }

    /// The store in which an app is set up.
    fn enroller(&self) -> &dyn EnrollmentStore {
        match self.judge {
            Judge::This => &self.files,
            Judge::Broker => &self.broker,
        }
    }

    /// Has the answer judged. On a read-only file system nothing was written, so nothing was judged either.
    fn judged<T>(&self, verb: impl Fn(&dyn Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.judge == Judge::Broker {
            return verb(&self.broker);
        }
        match verb(&self.files) {
            // Without a broker the error of the files says more.
            Err(error) if is_read_only(&error) && self.broker.listens().unwrap_or(true) => verb(&self.broker),
            judged => judged,
        }
    }
}

fn is_read_only(error: &StoreError) -> bool {
    matches!(FilesError::of(error), Some(FilesError::File(FileError::Io { source, .. }))
        if source.kind() == ErrorKind::ReadOnlyFilesystem)
}

impl Store for FilesAndBroker {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        self.reader().presence(user)
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        self.reader().code_lengths(user)
    }

    fn remembers(
        &self,
        person: &Person,
        like: &Recall<'_>,
        factors: Factors,
    ) -> Result<Option<Remembered>, StoreError> {
        self.reader().remembers(person, like, factors)
    }

    fn recognize(&self, person: &Person, keys: &[SshKey], factors: Factors) -> Result<Option<Recognized>, StoreError> {
        self.reader().recognize(person, keys, factors)
    }

    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError> {
        self.reader().recovery_left(person)
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        self.judged(|store| store.redeem(person, attempt))
    }

    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError> {
        self.judged(|store| store.strip(person, attempt))
    }

    fn take_notices(&self, person: &Person) -> Result<Vec<Notice>, StoreError> {
        self.reader().take_notices(person)
    }

    fn pretend(&self, attempt: &Attempt<'_>) {
        self.reader().pretend(attempt);
    }
}

/// A token is set up by the broker, which alone has the registry, and an app where answers are judged.
impl EnrollmentStore for FilesAndBroker {
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError> {
        self.enroller().enrollment_status(person)
    }

    fn confirm(
        &self,
        user: Option<&UserName>,
        proposal: Proposal,
        code: &Code,
    ) -> Result<Result<App, Box<Proposal>>, StoreError> {
        self.enroller().confirm(user, proposal, code)
    }

    fn kept_secret(&self, person: &Person) -> Result<Token, Superseded> {
        self.enroller().kept_secret(person)
    }

    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError> {
        self.enroller().check_invitation(person, typed, attempt)
    }

    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        self.broker.check_registration(person, serial, codes, attempt)
    }

    fn store_pending(&self, pending: Pending) -> Result<(), Superseded> {
        match &pending.factor {
            PendingFactor::Token(_) => self.broker.store_pending(pending),
            PendingFactor::App { .. } => self.enroller().store_pending(pending),
        }
    }
}
