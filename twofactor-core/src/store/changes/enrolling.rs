//! Apps enrolled by a sysadmin, and accounts of other systems taken in.

use crate::account::factors::Factors;
use crate::account::{App, Confirmation, Credentials, MOST_APPS, MOST_RECOVERY_CODES, State, Wallet};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::SecretError;
use crate::host::user::Person;
use crate::store::administration::{EnrollError, Existing, MoveInError};

/// An account that is written as a whole.
#[derive(Debug)]
pub(in crate::store) struct Whole {
    /// Its credentials.
    pub(in crate::store) credentials: Credentials,
    /// Its state.
    pub(in crate::store) state: State,
}

/// An account while something is enrolled in it.
#[derive(Debug)]
pub(in crate::store) struct Enrolling<'p> {
    person: &'p Person,
    /// The state. It has the account's uid as the store knows it.
    pub(in crate::store) state: State,
    credentials: Credentials,
}

impl<'p> Enrolling<'p> {
    /// The account of a person, with credentials or without. What was used of its secrets is found under their keys.
    pub(in crate::store) fn of(
        person: &'p Person,
        credentials: Option<Credentials>,
        state: State,
    ) -> Result<Self, SecretError> {
        let credentials = credentials.map_or_else(Credentials::none, Ok)?;
        let before = Wallet { credentials: Some(&credentials), factors: Factors::ALL };
        let state = state.recognizing(before.tokens());
        Ok(Self { person, state, credentials })
    }

    /// The account with another app.
    pub(in crate::store) fn enrolled(
        mut self,
        app: App,
        recovery: Option<&[RecoveryCode]>,
        existing: Existing,
    ) -> Result<Whole, EnrollError> {
        let label = &app.token().label;
        if let Some(present) = self.credentials.app(label)
            && present.confirmation() == Confirmation::Confirmed
            && existing == Existing::Keep
        {
            return Err(EnrollError::AlreadyEnrolled(self.person.name.clone(), label.clone()));
        }
        self.credentials.apps.retain(|present| present.token().label != *label);
        self.add(app)?;
        if let Some(codes) = recovery {
            self.credentials.replace_recovery(codes);
        }
        Ok(self.finished())
    }

    /// The account with the apps and recovery codes of another system, and the number of those codes that were taken.
    pub(in crate::store) fn moved_in(
        mut self,
        apps: Vec<App>,
        recovery: &[RecoveryCode],
        existing: Existing,
    ) -> Result<(Whole, usize), MoveInError> {
        let has_factors = self.has_factors();
        if existing == Existing::Keep && has_factors {
            return Err(MoveInError::Enrolled(self.person.name.clone()));
        }
        let has_been_here = apps.iter().any(|app| self.state.has_recorded(app.token().seeds()));
        let was_reset = has_been_here && !has_factors;
        if existing == Existing::Keep && was_reset {
            return Err(MoveInError::WasReset(self.person.name.clone()));
        }
        self.credentials.apps.clear();
        for app in apps {
            // Also the distance of its clock, of which no code of it has been used.
            self.state.begin_to_record(app.token());
            self.add(app)?;
        }
        let most = if was_reset { 0 } else { MOST_RECOVERY_CODES };
        let recovery = recovery.get(..most.min(recovery.len())).unwrap_or_default();
        self.credentials.replace_recovery(recovery);
        Ok((self.finished(), recovery.len()))
    }

    /// True when the account has anything that opens a session, be it put aside.
    fn has_factors(&self) -> bool {
        let Credentials { apps, recovery, held, ssh_keys, .. } = &self.credentials;
        let has_any = !apps.is_empty() || !recovery.is_empty() || !held.is_empty() || !ssh_keys.is_empty();
        has_any || self.state.tokens_held > 0
    }

    fn add(&mut self, app: App) -> Result<(), EnrollError> {
        if self.credentials.apps.len() >= MOST_APPS {
            return Err(EnrollError::TooMany(self.person.name.clone()));
        }
        self.state.begin(app.token());
        self.credentials.apps.push(app);
        Ok(())
    }

    fn finished(mut self) -> Whole {
        self.state.invitation = None;
        self.state.uid = Some(self.person.uid);
        self.state.tidy(&Wallet { credentials: Some(&self.credentials), factors: Factors::ALL });
        Whole { credentials: self.credentials, state: self.state }
    }
}
