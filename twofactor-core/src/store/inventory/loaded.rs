//! Tokens and the accounts of their owners in memory, out of a database, while a change is worked out. The program that has read them
//! writes the outcome, in one transaction.
//!
//! Invariant: a change finds all it needs: the tokens it names, all tokens of the users who own or get one of those, and
//! all tokens in the credentials of these users.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::app_secrets::AppSecrets;
use super::changing::TokenChange;
use super::holding::{AccountAfter, Content, Direction, Gift, TooManyHeld};
use super::stored::{Stored, Twin};
use crate::account::lifecycle::TokenStatus;
use crate::account::{Confirmation, FirstUse, Held, State};
use crate::codes::otp::{Parameters, Progress, Step};
use crate::codes::secret::Secret;
use crate::codes::token::{Seeds, Serial};
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::log::record::Event;
use crate::store::administration::Sharer;
use crate::store::error::StoreError;
use crate::store::one_account::{AccountError, Kept, Part, Read, kept};
use crate::store::state_text;
use crate::text::pairs;

/// The tokens and accounts that were read for a change.
#[derive(Debug)]
pub struct LoadedTokens {
    now: UnixTime,
    /// The time of the change, as the history has it.
    at: UnixTime,
    tokens: BTreeMap<Serial, Entry>,
    owners: BTreeMap<UserName, Owner>,
    /// Other tokens with the secret of a token.
    twins: BTreeMap<Serial, Vec<Twin>>,
    /// The secrets of all apps, where one of them is known to be a token's, too.
    apps: AppSecrets,
    lines: Vec<HistoryLine>,
    burned: Vec<(Seeds, Step)>,
}

#[derive(Debug)]
struct Entry {
    /// `None` once it is deleted.
    token: Option<Stored>,
    is_changed: bool,
}

#[derive(Debug)]
struct Owner {
    /// `None` where nothing is kept of the user.
    account: Result<Option<Kept>, StoreError>,
    receives: Vec<Serial>,
    /// Tokens that are taken or changed.
    gives: Vec<Serial>,
    /// The state without a change of what is held.
    is_changed: bool,
}

/// A line of the history. The detail is in the form of [`pairs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    /// The event.
    pub event: Event,
    /// The token.
    pub serial: Option<Serial>,
    /// Its owner.
    pub user: Option<String>,
    /// All else.
    pub detail: Option<String>,
}

/// The outcome of a change, to be written.
#[derive(Debug)]
pub struct TokenWrites {
    /// The tokens that have changed.
    pub tokens: Vec<Stored>,
    /// The tokens that are gone.
    pub deleted: Vec<Serial>,
    /// The last used steps of tokens that are gone or have lost their secret. No watermark falls.
    pub burned: Vec<(Seeds, Step)>,
    /// The accounts that have changed.
    pub accounts: Vec<AccountWrite>,
    /// The lines of the history.
    pub lines: Vec<HistoryLine>,
}

/// An account that has changed.
pub struct AccountWrite {
    /// The user.
    pub user: UserName,
    /// The state.
    pub state: Zeroizing<String>,
    /// The credentials.
    pub credentials: CredentialsWrite,
}

/// Keys alone: the texts hold secrets.
impl std::fmt::Debug for AccountWrite {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AccountWrite").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The credentials after a change.
pub enum CredentialsWrite {
    /// They stay.
    Same,
    /// They are these.
    New(Zeroizing<String>),
    /// They are gone.
    Gone,
}

impl LoadedTokens {
    /// Nothing, at `now`, for a change of the time `at`.
    pub fn at(now: UnixTime, at: UnixTime) -> Self {
        Self {
            now,
            at,
            tokens: BTreeMap::new(),
            owners: BTreeMap::new(),
            twins: BTreeMap::new(),
            apps: AppSecrets::default(),
            lines: Vec::new(),
            burned: Vec::new(),
        }
    }

    /// Adds a token that was read.
    pub fn add_token(&mut self, token: Stored) {
        self.tokens.insert(token.serial.clone(), Entry { token: Some(token), is_changed: false });
    }

    /// Adds a user and what is kept of them. An account that cannot be read opens nothing, and tokens can be taken from it.
    pub fn add_owner(&mut self, user: &UserName, read: Result<Read, StoreError>) {
        let account = read.and_then(|read| kept(user, &read));
        let owner = Owner { account, receives: Vec::new(), gives: Vec::new(), is_changed: false };
        self.owners.insert(user.clone(), owner);
    }

    /// Adds other tokens with the secret of a token.
    pub fn add_twins(&mut self, serial: &Serial, twins: Vec<Twin>) {
        self.twins.insert(serial.clone(), twins);
    }

    /// Adds the secrets of all apps.
    pub fn add_apps(&mut self, apps: AppSecrets) {
        self.apps = apps;
    }

    /// The tokens that were read.
    pub fn tokens(&self) -> impl Iterator<Item = &Stored> {
        self.tokens.values().filter_map(|entry| entry.token.as_ref())
    }

    /// The owners of the tokens that were read. A name that is none is damage, which the change reports.
    pub fn owners_of_tokens(&self) -> BTreeSet<UserName> {
        self.tokens().filter_map(|token| UserName::new(token.owner.as_deref()?).ok()).collect()
    }

    /// The tokens that stand in the credentials of users and were not read: they are to be read as well.
    pub fn missing(&self) -> Vec<Serial> {
        let kept = self.owners.values().filter_map(|owner| owner.account.as_ref().ok()?.as_ref()?.credentials.as_ref());
        let serials = kept.flat_map(|credentials| &credentials.held).map(|held| &held.token.serial);
        serials.filter(|serial| !self.tokens.contains_key(serial)).cloned().collect()
    }

    /// True when the user has credentials of any kind.
    pub fn has_credentials(&self, user: &UserName) -> bool {
        let account = self.owners.get(user).and_then(|owner| owner.account.as_ref().ok()?.as_ref());
        account.is_some_and(|kept| kept.credentials.is_some())
    }

    /// Changes the state of a user who was read.
    pub(super) fn change_state(&mut self, user: &UserName, change: impl FnOnce(&mut State)) {
        if let Some(owner) = self.owners.get_mut(user)
            && let Ok(account) = &mut owner.account
        {
            change(&mut account.get_or_insert_default().state);
            owner.is_changed = true;
        }
    }

    /// Adds a line to the history.
    pub fn record_line(&mut self, line: HistoryLine) {
        self.lines.push(line);
    }

    /// Gives a token other parameters, and its secret as it should have been read. How far it was used as what it was taken for is
    /// kept, should it be taken for that again.
    pub fn mend(&mut self, token: &Stored, used: Progress, secret: Secret, parameters: Parameters, progress: Progress) {
        self.burn(token, used);
        self.change(token, |token| {
            token.secret = Some(secret);
            token.parameters = parameters;
            token.progress = progress;
        });
    }

    /// The outcome of a change in this direction.
    pub fn into_writes(mut self, direction: Direction) -> Result<TokenWrites, StoreError> {
        let mut accounts = Vec::new();
        let owners = std::mem::take(&mut self.owners);
        for (user, owner) in owners {
            if owner.receives.is_empty() && owner.gives.is_empty() && !owner.is_changed {
                continue;
            }
            let was_changed = owner.is_changed;
            let after = self.after(&user, owner, direction)?;
            let Some([found, _, after_it]) = after.states else { continue };
            let credentials = match after.content {
                Content::Same if found == after_it && !was_changed => continue,
                Content::Same => CredentialsWrite::Same,
                Content::New(text) => CredentialsWrite::New(text),
                Content::None => CredentialsWrite::Gone,
            };
            accounts.push(AccountWrite { user, state: state_text::write(&after_it).into(), credentials });
        }
        let (mut tokens, mut deleted) = (Vec::new(), Vec::new());
        for (serial, Entry { token, is_changed }) in self.tokens {
            match token {
                Some(token) if is_changed => tokens.push(token),
                Some(_) => {}
                None => deleted.push(serial),
            }
        }
        Ok(TokenWrites { tokens, deleted, burned: self.burned, accounts, lines: self.lines })
    }

    /// The account of an owner once the tokens have changed.
    fn after(&self, user: &UserName, owner: Owner, direction: Direction) -> Result<AccountAfter, StoreError> {
        let Owner { account, receives, gives, .. } = owner;
        let (state, credentials) = match (account, direction) {
            (Ok(Some(Kept { credentials, state })), _) => (Some(state), credentials),
            (Ok(None), Direction::Gives) if !receives.is_empty() => (Some(State::default()), None),
            (Ok(None), _) => return Ok(AccountAfter::unchanged()),
            // What is lost or damaged must not keep the sysadmin from taking a token away. No login reads it.
            (Err(error), Direction::Takes) if is_lost(&error) => return Ok(AccountAfter::unchanged()),
            (Err(error), _) => return Err(error),
        };
        let mut registered: Vec<Stored> =
            self.tokens().filter(|token| token.owner.as_deref() == Some(user.as_str())).cloned().collect();
        registered.sort_by_key(|token| token.id);
        let registered: Vec<Held> = registered.into_iter().filter_map(Stored::into_held).collect();
        let is_unknown = |serial: &Serial| Ok(!gives.contains(serial) && self.entry(serial).is_none());
        let gift = Gift { serials: receives, ..Gift::default() };
        let after = AccountAfter::of(state, credentials, registered, direction, gift, is_unknown, self.now)?;
        after.map_err(|TooManyHeld| AccountError::TooManyTokens { user: user.clone() }.into())
    }

    fn entry(&self, serial: &Serial) -> Option<&Stored> {
        self.tokens.get(serial).and_then(|entry| entry.token.as_ref())
    }

    fn change(&mut self, token: &Stored, change: impl FnOnce(&mut Stored)) {
        if let Some(entry) = self.tokens.get_mut(&token.serial)
            && let Some(token) = &mut entry.token
        {
            change(token);
            entry.is_changed = true;
        }
    }

    fn record(&mut self, event: Event, token: &Stored, user: Option<&str>, detail: Option<String>) {
        let (serial, user) = (Some(token.serial.clone()), user.map(str::to_owned));
        self.lines.push(HistoryLine { event, serial, user, detail });
    }

    /// Keeps how far a seed was used, for when it comes back.
    fn burn(&mut self, token: &Stored, used: Progress) {
        self.burned.extend(token.seeds().zip(used.watermark));
    }

    fn owned<'t>(&'t self, user: &'t UserName) -> impl Iterator<Item = &'t Stored> {
        self.tokens().filter(|token| token.owner.as_deref() == Some(user.as_str()))
    }
}

impl TokenChange for LoadedTokens {
    fn now(&self) -> Result<UnixTime, StoreError> {
        Ok(self.now)
    }

    fn token(&self, serial: &Serial) -> Result<Option<Stored>, StoreError> {
        Ok(self.entry(serial).cloned())
    }

    fn owner_of(&self, token: &Stored) -> Result<Option<UserName>, StoreError> {
        let owner = token.owner.as_deref().map(UserName::new).transpose();
        owner.map_err(|_| AccountError::DamagedOwner(token.serial.clone()).into())
    }

    fn sharer(&mut self, token: &Stored, user: &UserName) -> Result<Option<Sharer>, StoreError> {
        let Some(marks) = token.marks() else { return Ok(None) };
        let app = self.apps.other_than(Some(user), marks).cloned().map(Sharer::App);
        let twins = self.twins.get(&token.serial).into_iter().flatten().cloned();
        // As they are by now.
        let owned_now = twins.map(|twin| match self.entry(&twin.serial) {
            Some(known) => Twin { owner: known.owner.clone(), ..twin },
            None => twin,
        });
        // One in the inventory is refused when it is given away itself.
        let mut owned_now = owned_now.filter(|twin| twin.owner.is_some());
        Ok(app.or_else(|| owned_now.find_map(|twin| twin.as_sharer(user))))
    }

    fn held(&self, user: &UserName) -> Result<usize, StoreError> {
        Ok(self.owned(user).count())
    }

    fn usable(&self, user: &UserName) -> Result<usize, StoreError> {
        Ok(self.owned(user).filter(|token| token.status == TokenStatus::Good).count())
    }

    fn has_app(&self, user: &UserName) -> bool {
        let account = self.owners.get(user).and_then(|owner| owner.account.as_ref().ok()?.as_ref());
        let credentials = account.and_then(|kept| kept.credentials.as_ref());
        credentials
            .is_some_and(|credentials| credentials.apps.iter().any(|app| app.confirmation() == Confirmation::Confirmed))
    }

    /// No uid is compared: names are those of the database.
    fn receive(&mut self, person: &Person) -> Result<(), StoreError> {
        let user = &person.name;
        let held = self.held(user)?;
        let lost = || AccountError::Lost { user: user.clone(), part: Part::State };
        let owner = self.owners.get_mut(user).ok_or_else(lost)?;
        let account = std::mem::replace(&mut owner.account, Ok(None))?;
        owner.account = Ok(account);
        // A state that was lost is not made anew: which codes were used would not be known.
        let is_lost = matches!(owner.account, Ok(None)) && held > 0 && owner.receives.is_empty();
        if is_lost { Err(lost().into()) } else { Ok(()) }
    }

    fn is_given(&self, user: &UserName, serial: &Serial) -> bool {
        self.owners.get(user).is_some_and(|owner| owner.receives.contains(serial))
    }

    fn stands_in_account(&self, user: &UserName, serial: &Serial) -> Result<bool, StoreError> {
        let account = self.owners.get(user).and_then(|owner| owner.account.as_ref().ok()?.as_ref());
        let stands = account.and_then(|kept| kept.credentials.as_ref()?.held(serial)).is_some();
        Ok(stands)
    }

    fn lock_owner(&mut self, token: &Stored) -> Result<Option<UserName>, StoreError> {
        let Some(owner) = self.owner_of(token)? else { return Ok(None) };
        if let Some(known) = self.owners.get_mut(&owner) {
            known.gives.push(token.serial.clone());
        }
        Ok(Some(owner))
    }

    fn state(&self, owner: &UserName) -> Result<Option<State>, StoreError> {
        let account = self.owners.get(owner).and_then(|owner| owner.account.as_ref().ok()?.as_ref());
        Ok(account.map(|kept| kept.state.clone()))
    }

    fn assign(&mut self, token: &Stored, user: &UserName) -> Result<(), StoreError> {
        let at = self.at;
        self.change(token, |token| {
            token.owner = Some(user.to_string());
            token.assigned_at = Some(at);
            token.first_use = FirstUse::Open;
        });
        if let Some(owner) = self.owners.get_mut(user) {
            owner.receives.push(token.serial.clone());
        }
        self.record(Event::Assigned, token, Some(user.as_str()), None);
        Ok(())
    }

    fn unassign(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError> {
        self.change(token, |token| {
            token.disown();
            token.progress = token.progress.latest(used);
        });
        self.record(Event::Unassigned, token, token.owner.as_deref(), None);
        Ok(())
    }

    fn set_status(&mut self, token: &Stored, status: TokenStatus, event: Event) -> Result<(), StoreError> {
        self.change(token, |token| token.status = status);
        self.record(event, token, token.owner.as_deref(), None);
        Ok(())
    }

    fn revoke(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError> {
        self.burn(token, used);
        self.change(token, |token| {
            token.disown();
            token.status = TokenStatus::Revoked;
            token.secret = None;
        });
        self.record(Event::Revoked, token, token.owner.as_deref(), None);
        Ok(())
    }

    fn delete(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError> {
        self.burn(token, used);
        if let Some(entry) = self.tokens.get_mut(&token.serial) {
            entry.token = None;
        }
        self.record(Event::Deleted, token, token.owner.as_deref(), None);
        Ok(())
    }

    fn resynchronize(&mut self, token: &Stored, progress: Progress) -> Result<(), StoreError> {
        self.change(token, |token| {
            token.progress = token.progress.latest(progress);
            token.first_use = FirstUse::Over;
        });
        let owner = self.owner_of(token)?;
        if let (Some(owner), Some(seeds)) = (owner, token.seeds())
            && let Some(owner) = self.owners.get_mut(&owner)
            && let Ok(Some(kept)) = &mut owner.account
        {
            kept.state.burn(seeds, progress);
            kept.state.forgive_near_misses(seeds);
            owner.is_changed = true;
        }
        let mut detail = String::new();
        pairs::write(&mut detail, "drift", progress.drift);
        self.record(Event::Resynced, token, token.owner.as_deref(), Some(detail));
        Ok(())
    }
}

impl Stored {
    fn disown(&mut self) {
        self.owner = None;
        self.assigned_at = None;
        self.first_use = FirstUse::Over;
    }
}

fn is_lost(error: &StoreError) -> bool {
    error.loss().is_some() || error.reason() == Reason::StoreCorrupt
}
