//! A token that its owner registers, at login or with `twofactor self`, by two consecutive codes.

use super::changing::TokenChange;
use super::loaded::LoadedTokens;
use super::stored::Stored;
use crate::account::{MOST_HELD, State};
use crate::host::user::Person;
use crate::store::enrollment::{Superseded, TokenRegistration};
use crate::store::newcomer::spend;

/// Gives the token to `person`, unless either has changed since the codes were judged.
pub fn register(
    change: &mut LoadedTokens,
    registration: &TokenRegistration,
    person: &Person,
) -> Result<(), Superseded> {
    let (user, now) = (&person.name, change.now()?);
    let TokenRegistration { serial, progress, invitation, own } = registration;
    let token = change.token(serial)?.filter(Stored::is_free).ok_or(Superseded::TokenTaken)?;
    // Another login may have used these two codes meanwhile.
    if token.progress.watermark >= progress.watermark {
        return Err(Superseded::TokenTaken);
    }
    change.receive(person)?;
    match own.as_ref().and_then(|own| own.proven.as_ref()) {
        Some(proven) => {
            if change.held(user)? >= MOST_HELD || change.sharer(&token, user)?.is_some() {
                return Err(Superseded::TokenTaken);
            }
            change.change_state(user, |state| *state = State::clone(proven));
        }
        None if change.has_credentials(user) || change.held(user)? > 0 => return Err(Superseded::Enrolled),
        None => {
            let state = change.state(user)?.unwrap_or_default();
            // It admits no further enrollment once the token is the user's.
            spend(&mut state.seen_at(now), *invitation, now)?;
        }
    }
    change.assign(&token, user)?;
    change.resynchronize(&token, *progress)?;
    Ok(())
}
