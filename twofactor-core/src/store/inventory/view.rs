//! The view of a token, of its row and its owner's state together.

use super::stored::Listed;
use crate::account::lifecycle::{Owned, Stage, TokenStatus};
use crate::account::{FirstUse, Held, State, Usage};
use crate::codes::otp::{self, Code, Match, Window};
use crate::host::clock::UnixTime;
use crate::host::user::UserName;
use crate::store::administration::{Identified, TokenView};

impl Listed {
    /// The token with its use in its owner's state; an empty one for a token that no user can use.
    pub fn viewed(self, known: &State) -> TokenView {
        let usage = usage_in(known, &self);
        TokenView {
            stage: self.stage(&usage),
            drift: self.progress.latest(usage.progress).drift,
            serial: self.serial,
            parameters: self.parameters,
            owner: self.owner,
            assigned_at: self.assigned_at,
            issued: self.issued,
            series: self.series,
            vendor: self.vendor,
            model: self.model,
            last_accepted: usage.last_accepted,
            near_misses: usage.near_misses,
            owner_uid: known.uid,
            problem: None,
        }
    }

    /// Judges `code` as a login of the owner, whose state is given, would. `None` for a token without a secret.
    pub fn judge(self, code: &Code, known: &State, window: Window, now: UnixTime) -> Option<Match> {
        let usage = usage_in(known, &self);
        let is_first = self.stage(&usage) == Stage::Assigned && self.first_use == FirstUse::Open;
        let window = if is_first { window.for_first_use() } else { window };
        let progress = self.progress.latest(usage.progress);
        self.token.map(|token| token.find(code, progress, window, now))
    }

    /// The token as the one that has shown these two consecutive codes, if it has.
    pub fn identified(self, codes: [&Code; 2], now: UnixTime) -> Option<Identified> {
        let token = self.token?;
        let steps = otp::recognize(&token.secret, token.parameters, codes, self.progress, now)?;
        Some(Identified { serial: self.serial, owner: self.owner, steps })
    }

    /// The stage of a token whose owner's state has this usage of it.
    fn stage(&self, usage: &Usage) -> Stage {
        stage(self.status, self.owner.as_ref(), self.assigned_at, usage)
    }
}

/// The view of a token that stands in the credentials of `user`, with what the inventory knows of it.
pub fn view_of_held(user: &UserName, held: &Held, known: Option<&Listed>, state: &State) -> TokenView {
    let usage = state.usage_of(held.token.seeds());
    let assigned_at = known.and_then(|known| known.assigned_at);
    TokenView {
        stage: stage(held.status, Some(user), assigned_at, &usage),
        drift: held.token.start.latest(usage.progress).drift,
        serial: held.token.serial.clone(),
        parameters: held.token.parameters,
        owner: Some(user.clone()),
        assigned_at,
        issued: held.token.issued,
        series: known.and_then(|known| known.series.clone()),
        vendor: known.and_then(|known| known.vendor.clone()),
        model: known.and_then(|known| known.model.clone()),
        last_accepted: usage.last_accepted,
        near_misses: usage.near_misses,
        owner_uid: state.uid,
        problem: None,
    }
}

/// The stage of a token, of its status, its owner and its use by the owner.
fn stage(status: TokenStatus, owner: Option<&UserName>, assigned_at: Option<UnixTime>, usage: &Usage) -> Stage {
    status.stage(match owner {
        None => Owned::No,
        // Resynchronizing may have written down more than the last login.
        Some(_) if usage.last_accepted.is_some_and(|at| Some(at) >= assigned_at) => Owned::Used,
        Some(_) => Owned::Unused,
    })
}

/// The usage of a token in its owner's state.
fn usage_in(state: &State, listed: &Listed) -> Usage {
    listed.token.as_ref().map(|token| state.usage_of(token.seeds())).unwrap_or_default()
}
