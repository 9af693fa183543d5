//! Credentials that belong to no user, of the usual size: attempts whose refusal is known beforehand are judged by them, so that
//! their duration does not tell the reason.

use crate::account::{App, Credentials};
use crate::codes::otp::{Parameters, Progress};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::{Secret, SecretError};
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::UnixTime;

/// The number of recovery codes: that of most accounts.
const RECOVERY_CODES: usize = 10;
/// The length of the secret in bytes: that of ours.
const SECRET_BYTES: usize = 20;

/// New credentials, whose secret is forgotten with them.
pub(in crate::store) fn credentials(now: UnixTime) -> Result<Credentials, SecretError> {
    let mut credentials = Credentials::none()?;
    if let Some(serial) = Serial::new("decoy") {
        let secret = Secret::generate(SECRET_BYTES)?;
        let (label, parameters, start) = (Label::app(), Parameters::default(), Progress::default());
        credentials.apps.push(App::vouched_for(Token { serial, label, secret, parameters, issued: now, start }));
    }
    let codes: Result<Vec<RecoveryCode>, SecretError> = (0..RECOVERY_CODES).map(|_| RecoveryCode::generate()).collect();
    credentials.replace_recovery(&codes?);
    Ok(credentials)
}
