//! The person an account belongs to.

use crate::account::State;
use crate::host::user::Person;
use crate::store::error::StoreError;

/// Refuses where `state` names another uid than the person's.
pub(in crate::store) fn must_be_of(state: &State, person: &Person) -> Result<(), StoreError> {
    match state.uid {
        Some(recorded) if recorded != person.uid => {
            Err(StoreError::UidChanged { user: person.name.clone(), recorded, now: person.uid })
        }
        Some(_) | None => Ok(()),
    }
}
