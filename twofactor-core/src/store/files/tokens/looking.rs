//! Views of physical tokens, from the registry and the owners' states together. Changes nothing.

use std::ops::ControlFlow;

use super::super::locations::Files;
use crate::account::lifecycle::{Owned, Stage};
use crate::account::{FirstUse, State, Usage};
use crate::codes::otp::{self, Code, Match, Progress};
use crate::codes::token::Serial;
use crate::host::user::UserName;
use crate::store::administration::{Identified, TokenFilter, TokenView};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::registry::{Filter, History, Listed, Reader, RegistryError, SeriesSummary};

impl Files {
    pub(in crate::store::files) fn token(&self, serial: &Serial) -> Result<Option<TokenView>, StoreError> {
        let Some(reader) = self.reader()? else { return Ok(None) };
        Ok(reader.token(serial)?.map(|listed| self.view(listed)))
    }

    pub(in crate::store::files) fn tokens(
        &self,
        filter: &TokenFilter,
        take: &mut dyn FnMut(TokenView) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let Some(reader) = self.reader()? else { return Ok(()) };
        let in_registry = filter.in_registry();
        let walked = reader.tokens(&in_registry, |listed| {
            let view = self.view(listed);
            if filter.stage.is_some_and(|stage| stage != view.stage) {
                return Ok(());
            }
            if take(view).is_break() { Err(Stop::Taker) } else { Ok(()) }
        });
        match walked {
            Err(Stop::Registry(error)) => Err(error.into()),
            Ok(()) | Err(Stop::Taker) => Ok(()),
        }
    }

    /// The physical tokens of a user.
    pub(in crate::store::files) fn tokens_of(&self, user: &UserName) -> Result<Vec<TokenView>, StoreError> {
        let mut tokens = Vec::new();
        let filter = TokenFilter { owner: Some(user.clone()), ..TokenFilter::default() };
        self.tokens(&filter, &mut |view| {
            tokens.push(view);
            ControlFlow::Continue(())
        })?;
        Ok(tokens)
    }

    pub(in crate::store::files) fn series(&self, name: &str) -> Result<Option<SeriesSummary>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.series(name)?),
            None => Ok(None),
        }
    }

    pub(in crate::store::files) fn all_series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.all_series()?),
            None => Ok(Vec::new()),
        }
    }

    pub(in crate::store::files) fn serials_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.serials_from(prefix, most)?),
            None => Ok(Vec::new()),
        }
    }

    pub(in crate::store::files) fn series_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.series_from(prefix, most)?),
            None => Ok(Vec::new()),
        }
    }

    pub(in crate::store::files) fn history(&self) -> Result<Option<History>, StoreError> {
        Ok(self.reader()?.map(History::from))
    }

    pub(in crate::store::files) fn verify_token(
        &self,
        serial: &Serial,
        code: &Code,
    ) -> Result<Option<Match>, StoreError> {
        let (window, now) = (self.rules.window, self.clock.now()?);
        let Some(view) = self.token(serial)? else { return Ok(None) };
        if let Some(problem) = view.problem {
            return Err(problem);
        }
        let is_first = view.stage == Stage::Assigned && view.listed.first_use == FirstUse::Open;
        let window = if is_first { window.for_first_use() } else { window };
        let progress = self.progress_of(&view.listed)?;
        Ok(view.listed.token.map(|token| token.find(code, progress, window, now)))
    }

    pub(in crate::store::files) fn identify(
        &self,
        codes: [&Code; 2],
        tick: &mut dyn FnMut(u64),
    ) -> Result<Vec<Identified>, StoreError> {
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

    pub(in crate::store::files) fn token_count(&self) -> Result<u64, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.count()?),
            None => Ok(0),
        }
    }

    pub(in crate::store::files) fn registry_health(&self) -> Result<(), StoreError> {
        self.reader().map(drop)
    }

    fn reader(&self) -> Result<Option<Reader>, StoreError> {
        match self.state_folder()? {
            Some(state) => Ok(Reader::open(&state)?),
            None => Ok(None),
        }
    }

    fn view(&self, listed: Listed) -> TokenView {
        let (known, problem) = match self.owners_state(&listed) {
            Ok(known) => (known, None),
            Err(error) => (State::default(), Some(error)),
        };
        let usage = usage_in(&known, &listed);
        let owned = match &listed.owner {
            None => Owned::No,
            // Resynchronizing may have written down more than the last login.
            Some(_) if usage.last_accepted.is_some_and(|at| Some(at) >= listed.assigned_at) => Owned::Used,
            Some(_) => Owned::Unused,
        };
        let drift = listed.progress.latest(usage.progress).drift;
        let stage = listed.status.stage(owned);
        let (last_accepted, near_misses) = (usage.last_accepted, usage.near_misses);
        TokenView { listed, stage, drift, last_accepted, near_misses, owner_uid: known.uid, problem }
    }

    /// The state of a token's owner; an empty one for a token that no user can use.
    fn owners_state(&self, listed: &Listed) -> Result<State, StoreError> {
        let (Some(owner), Some(_)) = (&listed.owner, &listed.token) else { return Ok(State::default()) };
        let account = self.unlocked(owner)?;
        let lost = || FilesError::LostState(self.path_of_state(owner));
        account.ok_or_else(lost)?.state()
    }

    fn progress_of(&self, listed: &Listed) -> Result<Progress, StoreError> {
        Ok(listed.progress.latest(usage_in(&self.owners_state(listed)?, listed).progress))
    }
}

/// The usage of a token in its owner's state.
fn usage_in(state: &State, listed: &Listed) -> Usage {
    listed.token.as_ref().map(|token| state.usage_of(token.seeds())).unwrap_or_default()
}

/// The reason for which a walk over the tokens ended early.
enum Stop {
    Registry(RegistryError),
    Taker,
}

impl From<RegistryError> for Stop {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}
