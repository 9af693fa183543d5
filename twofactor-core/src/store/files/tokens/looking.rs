//! Views of physical tokens, from the registry and the owners' states together. Changes nothing.

use std::ops::ControlFlow;

use super::super::locations::{Files, migrated};
use crate::account::{Credentials, Held, State};
use crate::codes::otp::{Code, Match};
use crate::codes::token::Serial;
use crate::host::user::UserName;
use crate::store::administration::{
    History, HistoryPart, Identified, PastChange, SeriesSummary, TokenFilter, TokenView, TokenViews,
};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::inventory::{Filter, Listed, view_of_held};
use crate::store::registry::{self, RegistryError, RegistryReader};

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
        let walked = reader.tokens(&Filter::from(filter), |listed| {
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
        let known = self.owners_state(&listed)?;
        Ok(listed.judge(code, &known, window, now))
    }

    fn identify(&self, codes: [&Code; 2], tick: &mut dyn FnMut(u64)) -> Result<Vec<Identified>, StoreError> {
        let now = self.clock.now()?;
        let mut found = Vec::new();
        let mut looked = 0;
        let Some(reader) = self.reader()? else { return Ok(found) };
        reader.tokens(&Filter::default(), |listed| {
            looked += 1;
            tick(looked);
            found.extend(listed.identified(codes, now));
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

    fn history(&self, _: &HistoryPart) -> Result<Option<Box<dyn History>>, StoreError> {
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
            return (listed.into_iter().map(|listed| listed.viewed(state)).collect(), problem);
        }
        let held = credentials.iter().flat_map(|credentials| &credentials.held);
        let view = |held: &Held| {
            let known = listed.iter().find(|listed| listed.serial == held.token.serial);
            view_of_held(user, held, known, state)
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
            Ok(known) => listed.viewed(&known),
            Err(error) => TokenView { problem: Some(error), ..listed.viewed(&State::default()) },
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

/// The history of the registry.
#[derive(Debug)]
struct FilesHistory(registry::RegistryHistory);

impl History for FilesHistory {
    fn next_portion(&mut self) -> Result<Vec<PastChange>, StoreError> {
        Ok(self.0.next_portion()?)
    }
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
