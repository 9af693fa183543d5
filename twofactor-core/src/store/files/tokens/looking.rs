//! Looking at physical tokens: what the registry and the owners' states know of them together. Changes nothing.

use super::super::locations::Files;
use crate::account::lifecycle::{Owned, Stage, Status};
use crate::account::{FirstUse, State, Usage};
use crate::codes::otp::{self, Code, Match, Progress};
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::{Uid, UserName};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::registry::{Filter, History, Listed, Ownership, Reader, RegistryError, SeriesSummary};

/// A token, as far as the registry and its owner's state know it together.
#[derive(Debug)]
pub struct TokenView {
    /// What the registry knows.
    pub listed: Listed,
    /// Where it stands in its life.
    pub stage: Stage,
    /// Its learned drift in steps.
    pub drift: i32,
    /// When a code of it was last accepted, as far as its present owner's state knows.
    pub last_accepted: Option<UnixTime>,
    /// Right codes outside the window since then.
    pub near_misses: u32,
    /// The uid that the owner's account belongs to, where that is written down.
    pub owner_uid: Option<Uid>,
    /// Why its owner's state is not known. No login is possible with it until that is mended.
    pub problem: Option<StoreError>,
}

/// Which tokens a list shows.
#[derive(Debug, Default, Clone)]
pub struct TokenFilter {
    /// Of this series.
    pub series: Option<String>,
    /// At this stage.
    pub stage: Option<Stage>,
    /// Owned by this user.
    pub owner: Option<UserName>,
    /// With a serial like this (`*`, `?`, `[…]`).
    pub serial: Option<String>,
}

/// A token that shows the two codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// Which.
    pub serial: Serial,
    /// Whose.
    pub owner: Option<UserName>,
    /// How far its clock is off, in steps; for HOTP how far beyond the expected counter.
    pub steps: i64,
}

impl Files {
    /// The token with that serial.
    pub fn token(&self, serial: &Serial) -> Result<Option<TokenView>, StoreError> {
        let Some(reader) = self.reader()? else { return Ok(None) };
        Ok(reader.token(serial)?.map(|listed| self.view(listed)))
    }

    /// Hands out every token that `filter` lets through, by serial, one by one.
    pub fn tokens<E: From<StoreError>>(
        &self,
        filter: &TokenFilter,
        mut take: impl FnMut(TokenView) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(reader) = self.reader()? else { return Ok(()) };
        let in_registry = filter.in_registry();
        let mut broken = None;
        let walked = reader.tokens(&in_registry, |listed| {
            let view = self.view(listed);
            if filter.stage.is_some_and(|stage| stage != view.stage) {
                return Ok(());
            }
            take(view).map_err(|error| {
                broken = Some(error);
                Stop::Taker
            })
        });
        match (walked, broken) {
            (_, Some(error)) => Err(error),
            (Err(Stop::Registry(error)), None) => Err(StoreError::from(error).into()),
            (Ok(()) | Err(Stop::Taker), None) => Ok(()),
        }
    }

    /// The physical tokens of a user.
    pub(in crate::store::files) fn tokens_of(&self, user: &UserName) -> Result<Vec<TokenView>, StoreError> {
        let mut tokens = Vec::new();
        let filter = TokenFilter { owner: Some(user.clone()), ..TokenFilter::default() };
        self.tokens(&filter, |view| {
            tokens.push(view);
            Ok::<(), StoreError>(())
        })?;
        Ok(tokens)
    }

    /// The series called `name`.
    pub fn series(&self, name: &str) -> Result<Option<SeriesSummary>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.series(name)?),
            None => Ok(None),
        }
    }

    /// All series, by name.
    pub fn all_series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.all_series()?),
            None => Ok(Vec::new()),
        }
    }

    /// The first serials that begin with `prefix`.
    pub fn serials_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.serials_from(prefix, most)?),
            None => Ok(Vec::new()),
        }
    }

    /// The first names of series that begin with `prefix`.
    pub fn series_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.series_from(prefix, most)?),
            None => Ok(Vec::new()),
        }
    }

    /// What sysadmins did to physical tokens; `None` where nothing was ever imported.
    pub fn history(&self) -> Result<Option<History>, StoreError> {
        Ok(self.reader()?.map(History::from))
    }

    /// What `code` would be to the token at its owner's login, whatever stands against it. Burns nothing.
    pub fn verify_token(&self, serial: &Serial, code: &Code) -> Result<Option<Match>, StoreError> {
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

    /// The tokens that show these two consecutive codes within ten minutes of now (for 30 s steps), also those that opened a
    /// session with them. Looks at every token; `tick` hears how many were looked at.
    pub fn identify(&self, codes: [&Code; 2], mut tick: impl FnMut(u64)) -> Result<Vec<Identified>, StoreError> {
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

    /// How many tokens there are.
    pub fn token_count(&self) -> Result<u64, StoreError> {
        match self.reader()? {
            Some(reader) => Ok(reader.count()?),
            None => Ok(0),
        }
    }

    /// Whether the registry can be read, or there is none: that it cannot is said by every list, which would look complete
    /// without it.
    pub fn registry_health(&self) -> Result<(), StoreError> {
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

    /// The state of a token's owner; an empty one where nobody can use it.
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

/// What the owner's state knows about a token.
fn usage_in(state: &State, listed: &Listed) -> Usage {
    listed.token.as_ref().map(|token| state.usage_of(token.seeds())).unwrap_or_default()
}

/// Why a walk over the tokens ended early.
enum Stop {
    Registry(RegistryError),
    Taker,
}

impl From<RegistryError> for Stop {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl TokenFilter {
    /// What the registry alone can decide. Whether a token was used stands in its owner's state.
    fn in_registry(&self) -> Filter {
        let (status, owned) = match self.stage {
            None => (None, None),
            Some(Stage::Inventory) => (Some(Status::Good), Some(Ownership::Nobody)),
            Some(Stage::Assigned | Stage::Active) => (Some(Status::Good), Some(Ownership::Somebody)),
            Some(Stage::Disabled) => (Some(Status::Disabled), None),
            Some(Stage::Lost) => (Some(Status::Lost), None),
            Some(Stage::Revoked) => (Some(Status::Revoked), None),
        };
        Filter { series: self.series.clone(), owner: self.owner.clone(), serial: self.serial.clone(), status, owned }
    }
}
