//! Accounts that are reset. Used codes stay used.

use crate::account::factors::Factors;
use crate::account::remembered::Memories;
use crate::account::{App, Credentials, Held, State, Usage, Wallet};
use crate::codes::secret::SecretError;
use crate::codes::token::Seed;
use crate::host::clock::UnixTime;
use crate::store::changes::enrolling::Whole;

/// The account with all confirmations taken back: the next enrollment offers the same secrets again.
pub(in crate::store) fn unconfirmed(mut credentials: Credentials, state: State) -> Whole {
    let state = State { memories: Memories::default(), invitation: None, handout: None, ..state };
    credentials.apps.iter_mut().for_each(App::unconfirm);
    Whole { credentials, state }
}

/// The remains of an account after a reset: physical tokens, and what was used.
#[derive(Debug)]
pub(in crate::store) struct Remains {
    /// The tokens alone; `None` without any.
    pub(in crate::store) credentials: Option<Credentials>,
    /// The state.
    pub(in crate::store) state: State,
}

impl Remains {
    /// The remains of an account whose state was `before`, with these tokens. `forgotten` are the credentials as they were, where
    /// they could be read: what was used of them is found under their keys after this. Where the state is lost, every code of the
    /// tokens that could have been accepted until now is burned.
    pub(in crate::store) fn of(
        before: Option<State>,
        forgotten: Option<&Credentials>,
        held: Vec<Held>,
        now: UnixTime,
    ) -> Result<Self, SecretError> {
        let state = match before {
            Some(before) => {
                let all = Wallet { credentials: forgotten, factors: Factors::ALL };
                let State { usage, notices, helpdesk, uid, .. } = before.recognizing(all.tokens());
                // Tokens that stay are still those of the same person.
                State { usage, helpdesk, notices, uid: uid.filter(|_| !held.is_empty()), ..State::default() }
            }
            None => State { usage: burned_blindly(&held, now), ..State::default() },
        };
        let mut state = State { has_credentials: !held.is_empty(), ..state };
        for held in &held {
            state.begin_to_record(&held.token);
        }
        let credentials = if held.is_empty() { None } else { Some(Credentials { held, ..Credentials::none()? }) };
        Ok(Self { credentials, state })
    }
}

/// The usage of tokens whose state is lost.
fn burned_blindly(held: &[Held], now: UnixTime) -> Vec<(Seed, Usage)> {
    let mut state = State::default();
    for Held { token, .. } in held {
        let start = token.start.burned_blindly(token.parameters.kind, now);
        state.burn(token.seeds(), start);
    }
    state.usage
}
