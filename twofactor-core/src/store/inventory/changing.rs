//! A sysadmin's changes of physical tokens: assign, take back, put aside, delete, resynchronize. The same for every store, which gives
//! a [`TokenChange`] and then carries it out as a whole, or not at all.

use std::collections::BTreeMap;

use super::stored::Stored;
use crate::account::lifecycle::{Change, Owned, Stage, TokenStatus};
use crate::account::{MOST_HELD, State};
use crate::codes::otp::{self, Code, Progress, Reach};
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::log::record::Event;
use crate::store::administration::{LastCredential, Sharer, Sharing, TokenError};
use crate::store::error::StoreError;

/// Tokens and the accounts of their owners within one change. What is asked is as it stands with all that was changed so far.
pub trait TokenChange {
    /// The time, to judge by under the locks.
    fn now(&self) -> Result<UnixTime, StoreError>;

    /// The token with that serial.
    fn token(&self, serial: &Serial) -> Result<Option<Stored>, StoreError>;

    /// The owner of a token. An owner that is no user name is damage.
    fn owner_of(&self, token: &Stored) -> Result<Option<UserName>, StoreError>;

    /// The app of another user, or the token that another user owns, with the secret of `token`.
    fn sharer(&mut self, token: &Stored, user: &UserName) -> Result<Option<Sharer>, StoreError>;

    /// The number of tokens that the user owns.
    fn held(&self, user: &UserName) -> Result<usize, StoreError>;

    /// The number of those that open sessions.
    fn usable(&self, user: &UserName) -> Result<usize, StoreError>;

    /// True when the user has an app that opens sessions. An account that cannot be read opens none.
    fn has_app(&self, user: &UserName) -> bool;

    /// Locks a user who is going to own a token. An account that cannot be read is refused.
    fn receive(&mut self, person: &Person) -> Result<(), StoreError>;

    /// True when this change has given the user this token.
    fn is_given(&self, user: &UserName, serial: &Serial) -> bool;

    /// True when the credentials of a user who is locked have the token.
    fn stands_in_account(&self, user: &UserName, serial: &Serial) -> Result<bool, StoreError>;

    /// Locks the owner of a token that is changed, if it has one.
    fn lock_owner(&mut self, token: &Stored) -> Result<Option<UserName>, StoreError>;

    /// The state of an owner who is locked; `None` where it is lost or damaged, and where nothing is kept of the user.
    fn state(&self, owner: &UserName) -> Result<Option<State>, StoreError>;

    /// Gives a token to `user`, whose first login with it may be further out.
    fn assign(&mut self, token: &Stored, user: &UserName) -> Result<(), StoreError>;

    /// Takes a token back. `used` is how far its owner took it.
    fn unassign(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError>;

    /// Writes down what stands against a token.
    fn set_status(&mut self, token: &Stored, status: TokenStatus, event: Event) -> Result<(), StoreError>;

    /// Ends a token for good: its secret is wiped, its serial stays known and its secret recognised.
    fn revoke(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError>;

    /// Forgets a token, but not how far its seed was used.
    fn delete(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError>;

    /// Records the progress that two consecutive codes have shown, also in the owner's state.
    fn resynchronize(&mut self, token: &Stored, progress: Progress) -> Result<(), StoreError>;
}

/// Gives tokens to users: all of them or none.
pub fn assign(change: &mut impl TokenChange, pairs: &[(Serial, Person)], sharing: Sharing) -> Result<(), TokenError> {
    for (serial, person) in pairs {
        let user = &person.name;
        let token = present(change, serial)?;
        if let Some(owner) = change.owner_of(&token)? {
            // A process was killed before the owner's account had it.
            if owner == *user && token.status == TokenStatus::Good && !change.is_given(user, serial) {
                change.receive(person)?;
                if !change.stands_in_account(user, serial)? {
                    continue;
                }
            }
            let twice = pairs.iter().filter(|(other, _)| other == serial).count() > 1;
            let error =
                if twice { TokenError::Twice(serial.clone()) } else { TokenError::Owned(serial.clone(), owner) };
            return Err(error);
        }
        let stage = token.status.stage(Owned::No);
        match stage {
            Stage::Revoked => return Err(TokenError::Revoked(serial.clone())),
            Stage::Disabled | Stage::Lost => return Err(TokenError::Unusable(serial.clone(), stage)),
            Stage::Inventory | Stage::Assigned | Stage::Active => {}
        }
        if sharing == Sharing::Refuse
            && let Some(sharer) = change.sharer(&token, user)?
        {
            return Err(TokenError::Shared(serial.clone(), sharer));
        }
        if change.held(user)? >= MOST_HELD {
            return Err(TokenError::TooMany(user.clone()));
        }
        change.receive(person)?;
        change.assign(&token, user)?;
    }
    Ok(())
}

/// Takes a token from its owner.
pub fn unassign(change: &mut impl TokenChange, serial: &Serial, last: LastCredential) -> Result<UserName, TokenError> {
    let token = present(change, serial)?;
    let owner = change.owner_of(&token)?.ok_or_else(|| TokenError::NotOwned(serial.clone()))?;
    let used = use_of(change, &token)?;
    change.unassign(&token, used)?;
    check_last(change, std::slice::from_ref(&token), last)?;
    Ok(owner)
}

/// Puts tokens aside, back, or ends them: all of them or none.
pub fn put(
    change: &mut impl TokenChange,
    serials: &[Serial],
    how: Change,
    last: LastCredential,
) -> Result<(), TokenError> {
    let mut revoked = Vec::new();
    for serial in serials {
        let token = present(change, serial)?;
        let status = token.status.after(how).map_err(|_| TokenError::Revoked(serial.clone()))?;
        change.lock_owner(&token)?;
        match how {
            Change::Enable => change.set_status(&token, status, Event::Enabled)?,
            Change::Disable => change.set_status(&token, status, Event::Disabled)?,
            Change::ReportLost => change.set_status(&token, status, Event::Lost)?,
            Change::Revoke => {
                let used = use_of(change, &token)?;
                change.revoke(&token, used)?;
                revoked.push(token);
            }
        }
    }
    check_last(change, &revoked, last)
}

/// Forgets tokens: all of them or none.
pub fn delete(change: &mut impl TokenChange, serials: &[Serial], last: LastCredential) -> Result<(), TokenError> {
    let mut tokens = Vec::new();
    for serial in serials {
        let token = present(change, serial)?;
        // That it was revoked must not be forgotten: it would come back with the next file.
        if token.status == TokenStatus::Revoked {
            return Err(TokenError::Revoked(serial.clone()));
        }
        tokens.push(token);
    }
    delete_all(change, &tokens, last)
}

/// Forgets these tokens.
pub fn delete_all(change: &mut impl TokenChange, tokens: &[Stored], last: LastCredential) -> Result<(), TokenError> {
    for token in tokens {
        let used = use_of(change, token)?;
        change.delete(token, used)?;
    }
    check_last(change, tokens, last)
}

/// Finds where a token stands from two consecutive codes, both of which are burned.
pub fn resynchronize(
    change: &mut impl TokenChange,
    serial: &Serial,
    codes: [&Code; 2],
) -> Result<Progress, TokenError> {
    let token = present(change, serial)?;
    let secret = token.secret.as_ref().ok_or_else(|| TokenError::Revoked(serial.clone()))?;
    let before = use_of(change, &token)?;
    let now = change.now()?;
    let step = otp::resynchronize(secret, token.parameters, codes, before, Reach::Day, now)
        .ok_or_else(|| TokenError::WrongCodes(serial.clone()))?;
    let progress = before.anchored(step, token.parameters.kind, now);
    change.resynchronize(&token, progress)?;
    Ok(progress)
}

/// The progress of a token. Its owner, if any, is locked from now on.
pub fn use_of(change: &mut impl TokenChange, token: &Stored) -> Result<Progress, StoreError> {
    let Some(owner) = change.lock_owner(token)? else { return Ok(token.progress) };
    Ok(use_by_state(token, change.state(&owner)?, change.now()?))
}

/// The progress of a token by its owner's state; `None` where that is lost. A state without a record of it was made anew. Codes
/// of which it is not known any more are burned up to now: a lost state must not keep the sysadmin from taking the token away.
pub fn use_by_state(token: &Stored, state: Option<State>, now: UnixTime) -> Progress {
    match (state, token.seeds()) {
        (Some(state), Some(seeds)) if state.has_recorded(seeds) || state.tokens_held > 0 => {
            token.progress.latest(state.usage_of(seeds).progress)
        }
        (Some(_), None) => token.progress,
        (Some(_) | None, _) => token.progress.burned_blindly(token.parameters.kind, now),
    }
}

/// Refuses when the change has left an owner of `tokens` without any credential.
fn check_last(change: &impl TokenChange, tokens: &[Stored], last: LastCredential) -> Result<(), TokenError> {
    if last == LastCredential::Take {
        return Ok(());
    }
    let mut lasts: BTreeMap<UserName, Serial> = BTreeMap::new();
    for token in tokens {
        if let Some(owner) = change.owner_of(token)?
            && change.usable(&owner)? == 0
            && !change.has_app(&owner)
        {
            lasts.insert(owner, token.serial.clone());
        }
    }
    if lasts.is_empty() {
        return Ok(());
    }
    Err(TokenError::LastCredential(lasts.into_iter().map(|(owner, serial)| (serial, owner)).collect()))
}

fn present(change: &impl TokenChange, serial: &Serial) -> Result<Stored, TokenError> {
    change.token(serial)?.ok_or_else(|| TokenError::NoToken(serial.clone()))
}
