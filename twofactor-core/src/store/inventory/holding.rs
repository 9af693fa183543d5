//! The account of an owner before and after a change of tokens: what stands in the credentials, and what the state begins to record.

use zeroize::Zeroizing;

use crate::account::lifecycle::Change;
use crate::account::notice::Notice;
use crate::account::{Credentials, Held, MOST_HELD, State};
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::Uid;
use crate::store::credentials_text;
use crate::store::error::StoreError;

/// The part of a change by which a user is given tokens.
#[derive(Debug, Default)]
pub struct Gift {
    /// The uid that the state is going to name.
    pub uid: Option<Uid>,
    /// The tokens.
    pub serials: Vec<Serial>,
    /// The notice to the user, which is kept before the inventory has recorded the owner.
    pub notice: Option<Notice>,
}

/// The way in which a change goes through the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The owners get or keep what they have: the inventory first, then the accounts.
    Gives,
    /// Something is taken from them: the accounts first, then the inventory.
    Takes,
}

impl Direction {
    /// The direction of a change of status.
    pub fn of(change: Change) -> Self {
        match change {
            Change::Enable => Self::Gives,
            Change::Disable | Change::ReportLost | Change::Revoke => Self::Takes,
        }
    }
}

/// An owner's account before and after a change.
pub(in crate::store) struct AccountAfter {
    /// The state that was found, the one while the change happens, and the one after it. `None` where it is lost.
    pub(in crate::store) states: Option<[State; 3]>,
    /// The text of the credentials that were found; `None` without any.
    pub(in crate::store) found: Option<Zeroizing<String>>,
    /// The credentials after it.
    pub(in crate::store) content: Content,
}

/// The next text of an owner's credentials.
pub(in crate::store) enum Content {
    /// It stays.
    Same,
    /// It is this one.
    New(Zeroizing<String>),
    /// Nothing is left of them.
    None,
}

/// The user has [`MOST_HELD`] tokens already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct TooManyHeld;

impl AccountAfter {
    /// An account that stays as it is.
    pub(in crate::store) fn unchanged() -> Self {
        Self { states: None, found: None, content: Content::Same }
    }

    /// The account of a user with this state (`None` where it is lost) and these credentials, once the inventory says that the user has
    /// `registered`. A token that the inventory does not know, as `is_unknown` tells, stays.
    pub(in crate::store) fn of(
        state: Option<State>,
        credentials: Option<Credentials>,
        registered: Vec<Held>,
        direction: Direction,
        receives: Gift,
        is_unknown: impl Fn(&Serial) -> Result<bool, StoreError>,
        now: UnixTime,
    ) -> Result<Result<Self, TooManyHeld>, StoreError> {
        let was_there = credentials.is_some();
        let found = credentials.as_ref().map(credentials_text::write);
        if credentials.is_none() && registered.is_empty() && state.as_ref().is_none_or(|state| state.tokens_held == 0) {
            return Ok(Ok(Self::unchanged()));
        }
        let mut credentials = credentials.map_or_else(Credentials::none, Ok)?;
        let before = std::mem::take(&mut credentials.held);
        let count = before.len();
        let is_fresh = |state: &State, held: &Held| {
            // A state that was made anew knows nothing of a token that the inventory has given to the user before.
            let is_known = state.tokens_held > 0 || receives.serials.contains(&held.token.serial);
            !is_known && !state.has_recorded(held.token.seeds())
        };
        for mut held in registered {
            let present = before.iter().find(|present| present.token.serial == held.token.serial);
            match (present, &state) {
                (Some(present), _) if present.token.seeds() == held.token.seeds() => {
                    held.token.start = present.token.start.latest(held.token.start);
                }
                (None, Some(state)) if is_fresh(state, &held) => {
                    held.token.start = held.token.start.burned_blindly(held.token.parameters.kind, now);
                }
                (Some(_) | None, _) => {}
            }
            credentials.held.push(held);
        }
        let mut fewer = false;
        for held in before {
            if credentials.held(&held.token.serial).is_none() {
                if is_unknown(&held.token.serial)? {
                    credentials.held.push(held);
                } else {
                    fewer = true;
                }
            }
        }
        if credentials.held.len() > MOST_HELD {
            return Ok(Err(TooManyHeld));
        }
        let text = credentials_text::write(&credentials);
        let content = match &found {
            _ if credentials.held.is_empty() && credentials.has_tokens_alone() && (count > 0 || !was_there) => {
                if was_there {
                    Content::None
                } else {
                    Content::Same
                }
            }
            Some(found) if **found == *text => Content::Same,
            _ => Content::New(text),
        };
        let is_there = match content {
            Content::Same => was_there,
            Content::New(_) => true,
            Content::None => false,
        };
        let change = StateChange { credentials: &credentials, count, fewer, is_there, direction };
        let states = state.map(|found| change.states(found, receives));
        Ok(Ok(Self { states, found, content }))
    }
}

/// The part of a change of tokens that shows in the state.
struct StateChange<'a> {
    /// The credentials after it.
    credentials: &'a Credentials,
    /// The number of tokens before it.
    count: usize,
    /// True when a token was taken away.
    fewer: bool,
    /// True when credentials are left.
    is_there: bool,
    direction: Direction,
}

impl StateChange<'_> {
    /// The state that was found, the one while the change happens, and the one after it.
    fn states(&self, found: State, receives: Gift) -> [State; 3] {
        let mut during = found.clone();
        for held in &self.credentials.held {
            during.begin_to_record(&held.token);
        }
        if self.fewer {
            // A token taken away invalidates remembered logins, also when it comes back.
            during.memories.clear();
        }
        match self.direction {
            Direction::Gives => {
                if let (Some(before), Some(now)) = (during.uid, receives.uid)
                    && before != now
                {
                    // It was made for the person who had the name before.
                    during.invitation = None;
                }
                during.uid = receives.uid.or(during.uid);
                // Tokens that are not migrated are named by their number.
                if during.tokens_held == 0 {
                    during.tokens_before_gift = Some(self.count);
                }
            }
            Direction::Takes => during.tokens_before_gift = None,
        }
        if let Some(notice) = receives.notice {
            during.notice(notice);
        }
        // Taken back before the credentials are removed, written down once they are there.
        during.has_credentials &= self.is_there;
        let mut after = during.clone();
        after.tokens_held = 0;
        after.tokens_before_gift = None;
        after.has_credentials = self.is_there;
        if !receives.serials.is_empty() {
            // A user who is enrolled needs none.
            after.invitation = None;
        }
        [found, during, after]
    }
}
