//! Views of physical tokens, from the registry and the owners' states together. Changes nothing.

use std::ops::ControlFlow;

use super::super::locations::{Files, migrated};
use crate::account::lifecycle::{Owned, Stage, TokenStatus};
use crate::account::{Credentials, FirstUse, Held, State, Usage};
use crate::codes::otp::{self, Code, Match};
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::UserName;
use crate::store::administration::{
    History, Identified, PastChange, SeriesSummary, TokenFilter, TokenView, TokenViews,
};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::registry::{self, Filter, Listed, Ownership, RegistryError, RegistryReader};

impl TokenViews for Files {
    fn token(&self, serial: &Serial) -> Result<Option<TokenView>, StoreError> {
        Ok(self.listed(serial)?.map(|listed| self.view(listed)))
    }

    fn tokens(
        &self,
        filter: &TokenFilter,
        take: &mut dyn FnMut(TokenView) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let Some(reader) = self.reader()? else { return Ok(()) };
        let in_registry = in_registry(filter);
        let walked = reader.tokens(&in_registry, |listed| {
            let view = self.view(listed);
            if filter.stage.is_some_and(|stage| stage != view.stage) {
                return Ok(());
            }
            if take(view).is_break() { Err(WalkStop::Taker) } else { Ok(()) }
        });
        match walked {
            Err(WalkStop::Registry(error)) => Err(error.into()),
            Ok(()) | Err(WalkStop::Taker) => Ok(()),
        }
    }

    fn verify_token(&self, serial: &Serial, code: &Code) -> Result<Option<Match>, StoreError> {
        let (window, now) = (self.rules.window, self.clock.now()?);
        let Some(listed) = self.listed(serial)? else { return Ok(None) };
        let usage = usage_in(&self.owners_state(&listed)?, &listed);
        let is_first = stage_of(&listed, &usage) == Stage::Assigned && listed.first_use == FirstUse::Open;
        let window = if is_first { window.for_first_use() } else { window };
        let progress = listed.progress.latest(usage.progress);
        Ok(listed.token.map(|token| token.find(code, progress, window, now)))
    }

    fn identify(&self, codes: [&Code; 2], tick: &mut dyn FnMut(u64)) -> Result<Vec<Identified>, StoreError> {
        let now = self.clock.now()?;
        let mut found = Vec::new();
        let mut looked = 0;
        let Some(reader) = self.reader()? else { return Ok(found) };
        reader.tokens(&Filter::default(), |listed| {
            looked += 1;
            tick(looked);
            if let Some(token) = &listed.token
                && let Some(steps) = otp::recognize(&token.secret, token.parameters, codes, listed.progress, now)
            {
                found.push(Identified { serial: listed.serial, owner: listed.owner, steps });
            }
            Ok::<(), RegistryError>(())
        })?;
        Ok(found)
    }

    fn serials_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.serials_from(prefix, most)?),
            None => Ok(Vec::new()),
        }
    }

    fn token_count(&self) -> Result<u64, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.count()?),
            None => Ok(0),
        }
    }

    fn history(&self) -> Result<Option<Box<dyn History>>, StoreError> {
        let history = self.reader()?.map(registry::RegistryHistory::from);
        Ok(history.map(|history| -> Box<dyn History> { Box::new(FilesHistory(history)) }))
    }

    fn check_tokens(&self) -> Result<(), StoreError> {
        self.reader().map(drop)
    }

    fn series(&self, name: &str) -> Result<Option<SeriesSummary>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.series(name)?),
            None => Ok(None),
        }
    }

    fn all_series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.all_series()?),
            None => Ok(Vec::new()),
        }
    }

    fn series_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.series_from(prefix, most)?),
            None => Ok(Vec::new()),
        }
    }
}

impl Files {
    /// The physical tokens in a user's own file, with all that the registry says of them; those of the registry where it
    /// alone has them. An error of the registry hides no token.
    pub(in crate::store::files) fn tokens_of(
        &self,
        user: &UserName,
        credentials: Option<&Credentials>,
        state: &State,
    ) -> (Vec<TokenView>, Option<StoreError>) {
        let (listed, problem) = match self.listed_of(user) {
            Ok(listed) => (listed, migrated(user, state).err()),
            Err(error) => (Vec::new(), Some(error)),
        };
        if state.tokens_held > 0 {
            return (listed.into_iter().map(|listed| view_in(state, listed)).collect(), problem);
        }
        let held = credentials.iter().flat_map(|credentials| &credentials.held);
        let view = |held: &Held| {
            let known = listed.iter().find(|listed| listed.serial == held.token.serial);
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
        };
        let mut views: Vec<TokenView> = held.map(view).collect();
        views.sort_unstable_by(|one, other| one.serial.cmp(&other.serial));
        (views, problem)
    }

    /// The tokens that the registry assigns to a user.
    fn listed_of(&self, user: &UserName) -> Result<Vec<Listed>, StoreError> {
        let mut found = Vec::new();
        let Some(reader) = self.reader()? else { return Ok(found) };
        let filter = Filter { owner: Some(user.clone()), ..Filter::default() };
        reader.tokens(&filter, |listed| {
            found.push(listed);
            Ok::<(), RegistryError>(())
        })?;
        Ok(found)
    }

    /// The token as the registry has it, with its secret.
    pub(in crate::store::files) fn listed(&self, serial: &Serial) -> Result<Option<Listed>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.token(serial)?),
            None => Ok(None),
        }
    }

    fn reader(&self) -> Result<Option<RegistryReader>, StoreError> {
        match self.state_folder()? {
            Some(state) => Ok(RegistryReader::open(&state)?),
            None => Ok(None),
        }
    }

    fn view(&self, listed: Listed) -> TokenView {
        match self.owners_state(&listed) {
            Ok(known) => view_in(&known, listed),
            Err(error) => TokenView { problem: Some(error), ..view_in(&State::default(), listed) },
        }
    }

    /// The state of a token's owner; an empty one for a token that no user can use.
    fn owners_state(&self, listed: &Listed) -> Result<State, StoreError> {
        let (Some(owner), Some(_)) = (&listed.owner, &listed.token) else { return Ok(State::default()) };
        let account = self.unlocked(owner)?;
        let lost = || FilesError::LostState(self.path_of_state(owner));
        account.ok_or_else(lost)?.state()
    }
}

/// The conditions that the registry alone can check. The last use of a token is recorded in its owner's state.
fn in_registry(filter: &TokenFilter) -> Filter {
    let (status, owned) = match filter.stage {
        None => (None, None),
        Some(Stage::Inventory) => (Some(TokenStatus::Good), Some(Ownership::Unowned)),
        Some(Stage::Assigned | Stage::Active) => (Some(TokenStatus::Good), Some(Ownership::Owned)),
        Some(Stage::Disabled) => (Some(TokenStatus::Disabled), None),
        Some(Stage::Lost) => (Some(TokenStatus::Lost), None),
        Some(Stage::Revoked) => (Some(TokenStatus::Revoked), None),
    };
    let TokenFilter { series, owner, serial, .. } = filter.clone();
    Filter { series, owner, serial, status, owned }
}

/// The history of the registry.
#[derive(Debug)]
struct FilesHistory(registry::RegistryHistory);

impl History for FilesHistory {
    fn next_portion(&mut self) -> Result<Vec<PastChange>, StoreError> {
        Ok(self.0.next_portion()?)
    }
}

/// A token of the registry, with its use in its owner's state.
fn view_in(known: &State, listed: Listed) -> TokenView {
    let usage = usage_in(known, &listed);
    TokenView {
        stage: stage_of(&listed, &usage),
        drift: listed.progress.latest(usage.progress).drift,
        serial: listed.serial,
        parameters: listed.parameters,
        owner: listed.owner,
        assigned_at: listed.assigned_at,
        issued: listed.issued,
        series: listed.series,
        vendor: listed.vendor,
        model: listed.model,
        last_accepted: usage.last_accepted,
        near_misses: usage.near_misses,
        owner_uid: known.uid,
        problem: None,
    }
}

/// The stage of a token whose owner's state has this usage of it.
fn stage_of(listed: &Listed, usage: &Usage) -> Stage {
    stage(listed.status, listed.owner.as_ref(), listed.assigned_at, usage)
}

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

/// The reason for which a walk over the tokens ended early.
enum WalkStop {
    Registry(RegistryError),
    Taker,
}

impl From<RegistryError> for WalkStop {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}
