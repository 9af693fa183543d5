//! What a sysadmin does with physical tokens: look, assign, take back, resynchronize. None of it is on the login path.
//!
//! What always holds: whoever takes a token from its owner holds the owner's lock until that is written, so no login is
//! under way with it, and how far the owner took it goes with the token. The registry is locked first, then the owners.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use crate::account::{Confirmation, FirstUse, MOST_HELD, State, Usage};
use crate::clock::UnixTime;
use crate::lifecycle::{Change, Owned, Stage, Status};
use crate::otp::{self, Code, Match, Progress, Window};
use crate::store::StoreError;
use crate::store::files::{Files, Locked, USERS};
use crate::store::registry::{
    By, CHANGE_PATIENCE, Edit, Event, Filter, History, Intake, Listed, Ownership, Reader, RegistryError, SeriesSummary,
    Stored, Writer,
};
use crate::token::Serial;
use crate::trusted::FileError;
use crate::user::UserName;

pub use probe::{Encoding, Fit};

mod probe;
#[cfg(test)]
mod tests;

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

/// Whether somebody's last credential may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastCredential {
    /// No: whoever has nothing left cannot log in any more.
    Keep,
    /// Yes.
    Take,
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

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum TokenError {
    /// No such token.
    #[error("there is no token {0}")]
    NoToken(Serial),
    /// No such series.
    #[error("there is no series {0}")]
    NoSeries(String),
    /// It has an owner.
    #[error("token {0} is assigned to {1}")]
    Owned(Serial, UserName),
    /// It has none.
    #[error("token {0} is not assigned to anybody")]
    NotOwned(Serial),
    /// Nothing leads back from there.
    #[error("token {0} is revoked")]
    Revoked(Serial),
    /// It must be enabled before somebody gets it.
    #[error("token {0} is {1}")]
    Unusable(Serial, Stage),
    /// It stands twice in a list.
    #[error("token {0} stands twice in the list")]
    Twice(Serial),
    /// They are all that some users have.
    #[error("{}", last_in_words(.0))]
    LastCredential(Vec<(Serial, UserName)>),
    /// The user has [`MOST_HELD`] tokens.
    #[error("{0} has {MOST_HELD} tokens already")]
    TooMany(UserName),
    /// Two codes that are not consecutive codes of the token, or were used.
    #[error("these are not two consecutive new codes of token {0}")]
    WrongCodes(Serial),
    /// A secret of the series cannot be read that way.
    #[error("the secret of token {0} cannot be read that way")]
    Unreadable(Serial),
    /// Read that way, a secret of the series is that of another token.
    #[error("read that way, token {0} has the secret of token {1}")]
    Twins(Serial, Serial),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RegistryError> for TokenError {
    fn from(error: RegistryError) -> Self {
        Self::Store(error.into())
    }
}

impl From<FileError> for TokenError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

// Looking.
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
    pub(super) fn tokens_of(&self, user: &UserName) -> Result<Vec<TokenView>, StoreError> {
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

    /// What sysadmins did to physical tokens; `None` where nothing was ever imported.
    pub fn history(&self) -> Result<Option<History>, StoreError> {
        Ok(self.reader()?.map(History::from))
    }

    /// What `code` would be to the token at its owner's login, whatever stands against it. Burns nothing.
    pub fn verify_token(
        &self,
        serial: &Serial,
        code: &Code,
        window: Window,
        now: UnixTime,
    ) -> Result<Option<Match>, StoreError> {
        let Some(view) = self.token(serial)? else { return Ok(None) };
        if let Some(problem) = view.problem {
            return Err(problem);
        }
        let is_first = view.stage == Stage::Assigned && view.listed.first_use == FirstUse::Open;
        let window = if is_first { window.for_first_use() } else { window };
        let progress = self.progress_of(&view.listed)?;
        Ok(view.listed.token.map(|token| token.find(code, progress, window, now)))
    }

    /// The tokens that show these two consecutive codes within ten minutes of now (for 30 s steps), also those that opened a session with
    /// them. Looks at every token; `tick` hears how many were looked at.
    pub fn identify(
        &self,
        codes: [&Code; 2],
        now: UnixTime,
        mut tick: impl FnMut(u64),
    ) -> Result<Vec<Identified>, StoreError> {
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
        match self.state_folder() {
            Ok(state) => Ok(Reader::open(&state)?),
            Err(StoreError::NoFolder(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn view(&self, listed: Listed) -> TokenView {
        let (usage, problem) = match self.usage_of(&listed) {
            Ok(usage) => (usage, None),
            Err(error) => (Usage::default(), Some(error)),
        };
        let owned = match &listed.owner {
            None => Owned::No,
            // Resynchronizing may have written down more than the last login.
            Some(_) if usage.last_accepted.is_some_and(|at| Some(at) >= listed.assigned_at) => Owned::Used,
            Some(_) => Owned::Unused,
        };
        let drift = listed.progress.latest(usage.progress).drift;
        let stage = listed.status.stage(owned);
        let (last_accepted, near_misses) = (usage.last_accepted, usage.near_misses);
        TokenView { listed, stage, drift, last_accepted, near_misses, problem }
    }

    /// What the owner's state knows about a token.
    fn usage_of(&self, listed: &Listed) -> Result<Usage, StoreError> {
        let (Some(owner), Some(token)) = (&listed.owner, &listed.token) else { return Ok(Usage::default()) };
        let account = self.folder_if_any(owner)?;
        let lost = || StoreError::LostState(self.path_of_state(owner));
        Ok(account.ok_or_else(lost)?.state()?.usage_of(token.seed()))
    }

    fn progress_of(&self, listed: &Listed) -> Result<Progress, StoreError> {
        Ok(listed.progress.latest(self.usage_of(listed)?.progress))
    }
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

// Changing.
impl Files {
    /// Begins to take a vendor's file in: locks the registry, which is made when something is written.
    pub fn intake(&self) -> Result<Intake, StoreError> {
        let state = self.state_folder_or_new()?;
        // Only inside it absence can be proved, and now there is something to be absent from.
        state.make_folder(USERS)?;
        Ok(Intake::begin(state)?)
    }

    /// The same for a dry run, which changes nothing.
    pub fn intake_rehearsal(&self) -> Result<Intake, StoreError> {
        match self.state_folder() {
            Ok(state) => Ok(Intake::rehearse(Some(&state))?),
            Err(StoreError::NoFolder(_)) => Ok(Intake::rehearse(None)?),
            Err(error) => Err(error),
        }
    }

    /// Gives tokens to users: all of them or none.
    pub fn assign(&self, pairs: &[(Serial, UserName)], by: By<'_>) -> Result<(), TokenError> {
        let Some((first, _)) = pairs.first() else { return Ok(()) };
        let mut writer = self.writer_for(first)?;
        let edit = writer.edit(by)?;
        let mut locks = Locks::new();
        for (serial, user) in pairs {
            let token = present(&edit, serial)?;
            if let Some(owner) = owner_of(&token)? {
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
            let held = edit.held(user)?;
            if held >= MOST_HELD {
                return Err(TokenError::TooMany(user.clone()));
            }
            if !locks.has(user) {
                locks.add(user, self.new_owner(user, held)?);
            }
            edit.assign(&token, user)?;
        }
        Ok(locks.commit_gift(edit)?)
    }

    /// Takes a token from its owner. The next login with it is refused.
    pub fn unassign(&self, serial: &Serial, last: LastCredential, by: By<'_>) -> Result<UserName, TokenError> {
        let mut writer = self.writer_for(serial)?;
        let edit = writer.edit(by)?;
        let token = present(&edit, serial)?;
        let owner = owner_of(&token)?.ok_or_else(|| TokenError::NotOwned(serial.clone()))?;
        let mut locks = Locks::new();
        let progress = self.take_over(&token, by.at, &mut locks)?;
        edit.unassign(&token, progress)?;
        self.check_last(&edit, std::slice::from_ref(&token), last)?;
        locks.commit(edit)?;
        Ok(owner)
    }

    /// Puts tokens aside, back, or ends them: all of them or none. Revoking also takes them from their owners.
    pub fn change(
        &self,
        serials: &[Serial],
        change: Change,
        last: LastCredential,
        by: By<'_>,
    ) -> Result<(), TokenError> {
        let Some(first) = serials.first() else { return Ok(()) };
        let mut writer = self.writer_for(first)?;
        let edit = writer.edit(by)?;
        let (mut locks, mut revoked) = (Locks::new(), Vec::new());
        for serial in serials {
            let token = present(&edit, serial)?;
            let status = token.status.after(change).map_err(|_| TokenError::Revoked(serial.clone()))?;
            match change {
                Change::Enable => edit.set_status(&token, status, Event::Enabled)?,
                Change::Disable => edit.set_status(&token, status, Event::Disabled)?,
                Change::ReportLost => edit.set_status(&token, status, Event::Lost)?,
                Change::Revoke => {
                    let progress = self.take_over(&token, by.at, &mut locks)?;
                    edit.revoke(&token, progress)?;
                    revoked.push(token);
                }
            }
        }
        self.check_last(&edit, &revoked, last)?;
        locks.commit(edit)
    }

    /// Forgets tokens: all of them or none. How far their seeds were used is kept.
    pub fn delete_tokens(&self, serials: &[Serial], last: LastCredential, by: By<'_>) -> Result<(), TokenError> {
        let Some(first) = serials.first() else { return Ok(()) };
        let mut writer = self.writer_for(first)?;
        let edit = writer.edit(by)?;
        let mut tokens = Vec::new();
        for serial in serials {
            let token = present(&edit, serial)?;
            // That it was revoked must not be forgotten: it would come back with the next file.
            if token.status == Status::Revoked {
                return Err(TokenError::Revoked(serial.clone()));
            }
            tokens.push(token);
        }
        let locks = self.delete_all(&edit, &tokens, last, by)?;
        locks.commit(edit)
    }

    /// Forgets a series and all its tokens. Gives their number.
    pub fn delete_series(&self, name: &str, last: LastCredential, by: By<'_>) -> Result<usize, TokenError> {
        let missing = || TokenError::NoSeries(name.to_owned());
        let mut writer = self.writer()?.ok_or_else(missing)?;
        let edit = writer.edit(by)?;
        let (unused, tokens) = edit.delete_unused(name)?.ok_or_else(missing)?;
        let locks = self.delete_all(&edit, &tokens, last, by)?;
        let all = unused + tokens.len();
        edit.delete_series(name, all)?;
        locks.commit(edit)?;
        Ok(all)
    }

    /// Finds where a token stands from two consecutive codes, both of which are burned. Gives its drift.
    pub fn resynchronize(&self, serial: &Serial, codes: [&Code; 2], by: By<'_>) -> Result<Progress, TokenError> {
        let mut writer = self.writer_for(serial)?;
        let edit = writer.edit(by)?;
        let token = present(&edit, serial)?;
        let secret = token.secret.as_ref().ok_or_else(|| TokenError::Revoked(serial.clone()))?;
        let mut locks = Locks::new();
        let before = self.take_over(&token, by.at, &mut locks)?;
        let step = otp::resynchronize(secret, token.parameters, codes, before, by.at)
            .ok_or_else(|| TokenError::WrongCodes(serial.clone()))?;
        let progress = before.anchored(step, token.parameters.kind, by.at);
        edit.resynchronize(&token, progress)?;
        edit.commit()?;
        locks.forgive_near_misses(&token);
        Ok(progress)
    }

    /// Which ways of reading a token's secret, and which parameters, give these two consecutive codes.
    pub fn probe(&self, serial: &Serial, codes: [&Code; 2], now: UnixTime) -> Result<Vec<Fit>, TokenError> {
        let token = self.token(serial)?.ok_or_else(|| TokenError::NoToken(serial.clone()))?;
        let token = token.listed.token.ok_or_else(|| TokenError::Revoked(serial.clone()))?;
        Ok(probe::fits(&token, codes, now))
    }

    /// Gives all tokens of a series the parameters that `probed` was found to have. Gives their number. The two codes of
    /// `probed` are burned: somebody has read them out.
    pub fn mend_series(&self, name: &str, probed: &Serial, fit: &Fit, by: By<'_>) -> Result<usize, TokenError> {
        let missing = || TokenError::NoSeries(name.to_owned());
        let mut writer = self.writer()?.ok_or_else(missing)?;
        let edit = writer.edit(by)?;
        let (mut mended, mut locks) = (0, Locks::new());
        let walked = edit.each_of_series(name, |token| {
            let read = token.secret.as_ref().and_then(|secret| fit.encoding.read_again(secret));
            let read = read.ok_or_else(|| TokenError::Unreadable(token.serial.clone()))?;
            let used = self.take_over(&token, by.at, &mut locks)?;
            let shown = if token.serial == *probed { fit.progress(by.at) } else { Progress::default() };
            if let Some(twin) = edit.mend(&token, used, &read, fit.parameters, shown)? {
                return Err(TokenError::Twins(token.serial, twin));
            }
            mended += 1;
            Ok::<(), TokenError>(())
        })?;
        walked.ok_or_else(missing)?;
        edit.record_mending(name, mended, fit)?;
        locks.commit(edit)?;
        Ok(mended)
    }

    /// The registry, to change the token `serial`, which cannot be there without it.
    fn writer_for(&self, serial: &Serial) -> Result<Writer, TokenError> {
        self.writer()?.ok_or_else(|| TokenError::NoToken(serial.clone()))
    }

    fn writer(&self) -> Result<Option<Writer>, StoreError> {
        match self.state_folder() {
            Ok(state) => Ok(Writer::open(state, CHANGE_PATIENCE)?),
            Err(StoreError::NoFolder(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Locks a user who is going to own a token, and makes sure that there is a state that can keep how far he takes it. One
    /// that was lost is not made anew: nobody would know which codes were used.
    fn new_owner(&self, user: &UserName, held: usize) -> Result<Locked, StoreError> {
        let account = self.locked_or_new(user)?;
        if held > 0 {
            account.state()?
        } else {
            account.state_for_newcomer()?
        };
        Ok(account)
    }

    /// How far a token has come. Its owner, if any, is locked from now on and stays so with `locks`.
    fn take_over(&self, token: &Stored, now: UnixTime, locks: &mut Locks) -> Result<Progress, TokenError> {
        let Some(owner) = owner_of(token)? else { return Ok(token.progress) };
        if !locks.has(&owner)
            && let Some(lock) = self.locked(&owner)?
        {
            locks.add(&owner, lock);
        }
        match locks.0.get(&owner) {
            Some(lock) => progress_in(lock, token, now),
            None => Ok(token.progress.burned_blindly(token.parameters.kind, now)),
        }
    }

    /// Deletes tokens within an edit.
    fn delete_all(
        &self,
        edit: &Edit<'_>,
        tokens: &[Stored],
        last: LastCredential,
        by: By<'_>,
    ) -> Result<Locks, TokenError> {
        let mut locks = Locks::new();
        for token in tokens {
            let progress = self.take_over(token, by.at, &mut locks)?;
            edit.delete(token, progress)?;
        }
        self.check_last(edit, tokens, last)?;
        Ok(locks)
    }

    /// Refuses when the edit has left an owner of `tokens` without any credential.
    fn check_last(&self, edit: &Edit<'_>, tokens: &[Stored], last: LastCredential) -> Result<(), TokenError> {
        if last == LastCredential::Take {
            return Ok(());
        }
        let mut lasts: BTreeMap<UserName, Serial> = BTreeMap::new();
        for token in tokens {
            if let Some(owner) = owner_of(token)?
                && edit.usable(&owner)? == 0
                && !self.has_app(&owner)
            {
                lasts.insert(owner, token.serial.clone());
            }
        }
        if lasts.is_empty() {
            return Ok(());
        }
        Err(TokenError::LastCredential(lasts.into_iter().map(|(owner, serial)| (serial, owner)).collect()))
    }

    /// Whether the user has an app that opens sessions. What cannot be read opens nothing.
    fn has_app(&self, user: &UserName) -> bool {
        let account = self.folder_if_any(user).ok().flatten();
        let credentials = account.and_then(|account| account.credentials().ok()).flatten();
        credentials
            .is_some_and(|credentials| credentials.apps.iter().any(|app| app.confirmation() == Confirmation::Confirmed))
    }
}

/// Owners who cannot log in while a change is made that concerns them.
struct Locks(BTreeMap<UserName, Locked>);

impl Locks {
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn add(&mut self, owner: &UserName, lock: Locked) {
        self.0.insert(owner.clone(), lock);
    }

    fn has(&self, owner: &UserName) -> bool {
        self.0.contains_key(owner)
    }

    /// Makes a change happen that takes tokens away, and then writes down how many everybody holds now. In this order:
    /// should the second be missed, they hold more than the registry knows of, and are refused until `reset`, not let in.
    fn commit(self, edit: Edit<'_>) -> Result<(), TokenError> {
        let held = self.holdings(&edit)?;
        edit.commit()?;
        for (lock, held) in held {
            match lock.write_tokens_held(held) {
                // What is lost or damaged is said at the next login.
                Ok(_) | Err(StoreError::LostState(_) | StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes a change happen that gives tokens, after writing down how many everybody will hold. In this order: whoever
    /// holds more than the registry knows is refused, and never the other way round. Takes that back when it cannot happen.
    fn commit_gift(self, edit: Edit<'_>) -> Result<(), StoreError> {
        let mut before = Vec::new();
        let mut happened = Ok(());
        for (lock, held) in self.holdings(&edit)? {
            match lock.write_tokens_held(held) {
                Ok(had) => before.push((lock, had)),
                Err(error) => happened = Err(error),
            }
        }
        let happened = happened.and_then(|()| Ok(edit.commit()?));
        if happened.is_err() {
            for (lock, had) in before {
                // Should this fail too, the owner is refused until the token is assigned or `reset` makes it up.
                let _ = lock.write_tokens_held(had);
            }
        }
        happened
    }

    /// How many tokens everybody holds once the change has happened.
    fn holdings(self, edit: &Edit<'_>) -> Result<Vec<(Locked, usize)>, RegistryError> {
        self.0.into_iter().map(|(owner, lock)| Ok((lock, edit.held(&owner)?))).collect()
    }

    /// The owner's near misses with a token are explained. That they go on being counted should this fail harms nobody.
    fn forgive_near_misses(self, token: &Stored) {
        let Some(seed) = token.seed() else { return };
        for lock in self.0.into_values() {
            if let Ok(mut state) = lock.state() {
                state.forgive_near_misses(seed);
                let _ = lock.write_state(&state);
            }
        }
    }
}

impl Locked {
    /// Writes down how many tokens the user holds. Gives how many that were before.
    fn write_tokens_held(&self, held: usize) -> Result<usize, StoreError> {
        let state = self.state()?;
        let before = state.tokens_held;
        if before != held {
            self.overwrite_state(&State { tokens_held: held, ..state })?;
        }
        Ok(before)
    }
}

/// `token 123 is the last credential of alice`, and who else is concerned.
fn last_in_words(lasts: &[(Serial, UserName)]) -> String {
    let mut text = String::new();
    for (position, (serial, owner)) in lasts.iter().take(MOST_NAMED).enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        let _ = write!(text, "{separator}token {serial} is the last credential of {owner}");
    }
    match lasts.len().checked_sub(MOST_NAMED) {
        None | Some(0) => text,
        Some(more) => format!("{text}, and {more} more"),
    }
}

/// So many are named.
const MOST_NAMED: usize = 5;

/// How far a token has come, as its owner's state knows.
fn progress_in(account: &Locked, token: &Stored, now: UnixTime) -> Result<Progress, TokenError> {
    match (account.state(), token.seed()) {
        (Ok(state), Some(seed)) => Ok(token.progress.latest(state.usage_of(seed).progress)),
        (Ok(_), None) => Ok(token.progress),
        // A state that was lost or damaged must not keep the sysadmin from taking the token away.
        (Err(StoreError::LostState(_) | StoreError::Corrupt { .. }), _) => {
            Ok(token.progress.burned_blindly(token.parameters.kind, now))
        }
        (Err(error), _) => Err(error.into()),
    }
}

fn present(edit: &Edit<'_>, serial: &Serial) -> Result<Stored, TokenError> {
    edit.token(serial)?.ok_or_else(|| TokenError::NoToken(serial.clone()))
}

fn owner_of(token: &Stored) -> Result<Option<UserName>, TokenError> {
    let owner = token.owner.as_deref().map(UserName::new).transpose();
    owner.map_err(|_| TokenError::Store(StoreError::Registry(RegistryError::damaged_owner(&token.serial))))
}
