//! The first credentials of a user, as an enrollment at login stores them. The same for every store: a function of the account.

use super::enrollment::{SecretOrigin, Superseded};
use super::verification::must_be_of;
use crate::account::invitation::Invitation;
use crate::account::{App, Confirmation, Credentials, State};
use crate::codes::otp::Window;
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::SecretError;
use crate::host::clock::{ClockError, UnixTime};
use crate::host::user::Person;

/// A confirmed app, to be stored.
pub(in crate::store) struct ConfirmedApp {
    /// The app.
    pub(in crate::store) app: App,
    /// Its recovery codes.
    pub(in crate::store) recovery: Vec<RecoveryCode>,
    /// The origin of its secret.
    pub(in crate::store) secret: SecretOrigin,
    /// The invitation that is spent on it.
    pub(in crate::store) invitation: Option<Invitation>,
}

impl ConfirmedApp {
    /// The credentials with this app, of an account that was read under its lock and is still without a factor. `state` is
    /// changed to match.
    pub(in crate::store) fn added_to(
        self,
        credentials: Option<Credentials>,
        state: &mut State,
        person: &Person,
        window: Window,
        now: UnixTime,
    ) -> Result<Credentials, Superseded> {
        let Self { app, recovery, secret, invitation } = self;
        if state.tokens_held > 0 {
            return Err(Superseded::Enrolled);
        }
        if credentials.is_some() || invitation.is_some() {
            must_be_of(state, person)?;
        }
        let mut credentials = match credentials {
            None if secret == SecretOrigin::New => Credentials::none()?,
            // The secret that waited must still be the one that was shown.
            Some(credentials) if is_still_waiting(&credentials, &app) => {
                if !app.was_confirmed_within(window, now) {
                    return Err(Superseded::Expired);
                }
                credentials
            }
            None => return Err(Superseded::Reset),
            Some(_) => return Err(Superseded::Enrolled),
        };
        spend(state, invitation, now)?;
        credentials.apps.retain(|waiting| waiting.token().seeds() != app.token().seeds());
        state.begin(app.token());
        state.uid = Some(person.uid);
        credentials.apps.push(app);
        if !recovery.is_empty() {
            credentials.replace_recovery(&recovery);
        }
        Ok(credentials)
    }
}

/// True when an app waits for its confirmation and the user has no other credentials.
pub(in crate::store) fn is_waiting(credentials: &Credentials) -> bool {
    let is_pending = |app: &App| app.confirmation() == Confirmation::Pending;
    let has_more = !credentials.held.is_empty() || !credentials.ssh_keys.is_empty();
    !has_more && !credentials.apps.is_empty() && credentials.apps.iter().all(is_pending)
}

/// The app that waits.
pub(in crate::store) fn waiting(credentials: Credentials) -> Option<App> {
    is_waiting(&credentials).then(|| credentials.apps.into_iter().next()).flatten()
}

fn is_still_waiting(credentials: &Credentials, app: &App) -> bool {
    let same = |waiting: &App| waiting.token().seeds() == app.token().seeds();
    is_waiting(credentials) && credentials.apps.iter().any(same)
}

/// An invitation enrolls once, and in time.
pub(in crate::store) fn spend(
    state: &mut State,
    invitation: Option<Invitation>,
    now: UnixTime,
) -> Result<(), Superseded> {
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
