//! The security keys of a user, as a sysadmin changes them.

use crate::account::factors::Attestation;
use crate::account::{Credentials, EnrolledKey, MOST_SSH_KEYS, State};
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::store::administration::{AddedKey, SshKeyError, SshKeyView};

/// An account to which a key was added.
#[derive(Debug)]
pub(in crate::store) struct Added {
    /// The credentials.
    pub(in crate::store) credentials: Credentials,
    /// The state; `None` where the credentials alone have changed.
    pub(in crate::store) state: Option<State>,
    /// The outcome.
    pub(in crate::store) outcome: AddedKey,
}

/// Enrolls a key, or attests one that the user has.
pub(in crate::store) fn add_ssh_key(
    person: &Person,
    mut credentials: Credentials,
    state: State,
    key: EnrolledKey,
    now: UnixTime,
) -> Result<Added, SshKeyError> {
    if let Some(enrolled) = credentials.ssh_keys.iter_mut().find(|enrolled| enrolled.key == key.key) {
        if (enrolled.attestation, key.attestation) != (Attestation::None, Attestation::Checked) {
            return Err(SshKeyError::AlreadyEnrolled(person.name.clone(), key.key.fingerprint()));
        }
        enrolled.attestation = key.attestation;
        let outcome = AddedKey::Attested(enrolled.clone());
        return Ok(Added { credentials, state: None, outcome });
    }
    if credentials.ssh_keys.len() >= MOST_SSH_KEYS {
        return Err(SshKeyError::TooMany(person.name.clone()));
    }
    credentials.ssh_keys.push(key);
    let voided = state.invitation.as_ref().and_then(|invitation| invitation.open_until(now));
    // A user who is enrolled sets up nothing with an invitation.
    let state = State { uid: Some(person.uid), invitation: None, ..state };
    Ok(Added { credentials, state: Some(state), outcome: AddedKey::New { voided } })
}

/// An account from which a key was taken.
#[derive(Debug)]
pub(in crate::store) struct Removed {
    /// The key.
    pub(in crate::store) key: EnrolledKey,
    /// True when it was the last credential: the account is to be reset.
    pub(in crate::store) was_last: bool,
}

/// Takes a key.
pub(in crate::store) fn remove_ssh_key(
    user: &UserName,
    credentials: &mut Credentials,
    name: &str,
) -> Result<Removed, SshKeyError> {
    let views: Vec<SshKeyView> = credentials.ssh_keys.iter().map(SshKeyView::of).collect();
    let named = SshKeyView::named(name, user, &views)?;
    let place = views.iter().position(|view| view == named);
    let place = place.ok_or_else(|| SshKeyError::NoKey(user.clone(), name.to_owned()))?;
    let key = credentials.ssh_keys.remove(place);
    let was_last = credentials.has_tokens_alone() && credentials.held.is_empty();
    Ok(Removed { key, was_last })
}
