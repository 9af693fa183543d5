//! What this host keeps: `users/NAME/` with `secret.toml` and `state`, whose folder is the lock, and the registry of
//! physical tokens, of which a login reads which are assigned to the user.
//!
//! What always holds: a login writes its charge before it looks at the code, and puts charge and outcome on disk before
//! anybody learns the outcome, all under the user's lock. So of any number of simultaneous logins with one code exactly
//! one wins, a process that is killed at any moment has been counted, and a power cut forgets only what nobody was told.
//! The cost of a login does not depend on how many users there are.

mod administration;
mod decoy;
mod first_time;
mod identity;
mod inspection;
mod ownership;
mod repair;
mod secret_file;
mod sharing;
mod slots;
mod state_file;
#[cfg(test)]
mod tests;
mod tokens;

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use administration::{AppStatus, EnrollError, Existing, Newcomer, Reset, Status};
pub use identity::{Identity, Marking, Naming, Sighting, marker_beside};
pub use inspection::{Flaw, Inspection};
pub use ownership::{Adoption, Belongs};
pub use repair::{Repair, Repairs};
pub use sharing::Sharer;
pub use tokens::{Encoding, Fit, Identified, LastCredential, TokenError, TokenFilter, TokenView};

use crate::account::remembered::{Memory, Place, Recall};
use crate::account::{App, Credentials, Held, Judgement, LastAccepted, NearMiss, Proof, Rules, State, Uses, Wallet};
use crate::codes::answer::Answer;
use crate::codes::otp::Digits;
use crate::codes::recovery::Salt;
use crate::config::rule::Factors;
use crate::host::clock::{Clock, UnixTime};
use crate::host::shell;
use crate::host::trusted::{self, FileError, Folder, InPlace, Owner};
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::files::slots::Slots;
use crate::store::registry;
use crate::store::{Absent, Attempt, Factor, Presence, Redeemed, Redemption, Remembered, Store, StoreError, Stripping};
use crate::text::document::Problem;

const USERS: &str = "users";
const SECRET: &str = "secret.toml";
const STATE: &str = "state";

/// The largest secret or state file that is read, in bytes. The largest that can be written are half of it.
const LARGEST: usize = 64 * 1024;

/// The last line of `secret.toml`: without it a file that was cut between two apps would read as a smaller one.
const END: &str = "# end\n";

/// How long a login waits for another login of the same user.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The store below a state folder.
#[derive(Debug)]
pub struct Files {
    state: PathBuf,
    /// Names the state that belongs to this host.
    marker: Option<PathBuf>,
    owner: Owner,
    patience: Duration,
    /// What is left of it for the registry.
    registry_patience: registry::Patience,
    /// Read only once a lock is held by whatever judges by it.
    clock: Box<dyn Clock>,
}

impl Files {
    /// The store in the folder `state`, all of which must belong to `owner`. Nothing is opened yet.
    pub fn new(state: &Path, owner: Owner, patience: Duration, clock: impl Clock + 'static) -> Self {
        let registry_patience = registry::Patience::of_a_login();
        Self { state: state.to_owned(), marker: None, owner, patience, registry_patience, clock: Box::new(clock) }
    }

    /// The physical tokens assigned to the user.
    fn held_by(&self, user: &UserName) -> Result<Vec<Held>, StoreError> {
        match self.state_folder()? {
            Some(state) => Ok(registry::held_by(&state, user, &self.registry_patience)?),
            None => Ok(Vec::new()),
        }
    }

    /// What the user has, as `account` and the registry know it.
    fn belongings<F: Borrow<Folder>>(
        &self,
        user: &UserName,
        account: Option<&Account<F>>,
    ) -> Result<Belongings, StoreError> {
        let credentials = account.map(Account::credentials).transpose()?.flatten();
        match self.held_by(user) {
            Ok(held) => Ok(Belongings { credentials, held, problem: None }),
            // Who has an app does not need the registry.
            Err(error) if credentials.is_some() => {
                Ok(Belongings { credentials, held: Vec::new(), problem: Some(error) })
            }
            Err(error) => Err(error),
        }
    }

    /// The user's folder, when it is there.
    fn unlocked(&self, user: &UserName) -> Result<Option<Account<Folder>>, StoreError> {
        let Some(users) = self.users_folder()? else { return Ok(None) };
        Ok(users.folder(user.as_str())?.map(Account))
    }

    /// Makes sure that the registry knows of all tokens the user holds: one that was lost, or whose index is damaged, would
    /// otherwise look like one without them.
    fn check_held(&self, user: &UserName, state: &State, held: &[Held]) -> Result<(), StoreError> {
        let known = held.len();
        if known >= state.tokens_held {
            return Ok(());
        }
        let (path, held) = (self.state.join(registry::FILE), state.tokens_held);
        Err(StoreError::LostTokens { path, user: user.clone(), held, known })
    }

    /// Where the user's state is, or should be.
    fn path_of_state(&self, user: &UserName) -> PathBuf {
        self.state.join(USERS).join(user.as_str()).join(STATE)
    }

    /// The user's folder, when it is there, locked.
    fn locked(&self, user: &UserName) -> Result<Option<Locked>, StoreError> {
        let Some(users) = self.users_folder()? else { return Ok(None) };
        let Some(folder) = users.folder(user.as_str())? else { return Ok(None) };
        Ok(Some(Account(folder.lock(self.patience)?)))
    }
}

impl Store for Files {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        match self.unlocked(user)? {
            Some(account) if account.has_credentials()? => Ok(Presence::Enrolled),
            account => {
                let held = self.held_by(user)?;
                let state = account.map(|account| account.state()).transpose()?;
                self.check_held(user, &state.unwrap_or_default(), &held)?;
                Ok(if held.is_empty() { Presence::Absent(Absent(())) } else { Presence::Enrolled })
            }
        }
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        let credentials = self.unlocked(user)?.map(|account| account.credentials()).transpose()?.flatten();
        let held = self.held_by(user);
        let apps = credentials.iter().flat_map(|credentials| &credentials.apps).map(App::token);
        let tokens = apps.chain(held.iter().flatten().map(|held| &held.token));
        let mut lengths: Vec<Digits> = tokens.map(|token| token.parameters.digits).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Ok(lengths)
    }

    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError> {
        let Some(account) = self.unlocked(&person.name)? else { return Ok(None) };
        let Some(credentials) = account.credentials()?.filter(|credentials| !credentials.recovery.is_empty()) else {
            return Ok(None);
        };
        let state = account.state()?;
        Ok(state.may_be_of(person.uid).then(|| credentials.recovery_left(&state)))
    }

    fn remembers(
        &self,
        person: &Person,
        like: &Recall<'_>,
        factors: Factors,
    ) -> Result<Option<Remembered>, StoreError> {
        let Some(account) = self.unlocked(&person.name)? else { return Ok(None) };
        let belongings = self.belongings(&person.name, Some(&account))?;
        if belongings.is_nothing() {
            return Ok(None);
        }
        let wallet = belongings.wallet(factors);
        let state = account.state()?;
        if !state.may_be_of(person.uid) {
            return Ok(None);
        }
        // After the state was read: a process that is stopped between the two sees it end sooner, and not later.
        let now = self.clock.now()?;
        let covered = state.seen_at(now).memories.cover(like, now, |opener| wallet.still_opens(opener));
        Ok(covered.then_some(Remembered(())))
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        let user = &person.name;
        let account = self.locked(user)?;
        // After the lock was taken: whoever takes a token away waits for this login, or it sees that.
        let belongings = self.belongings(user, account.as_ref())?;
        if belongings.is_nothing() {
            let state = account.as_ref().map(Account::state).transpose()?;
            self.check_held(user, &state.unwrap_or_default(), &belongings.held)?;
            self.work_in_vain(attempt);
            return Ok(Redemption::refused(Reason::NotEnrolled));
        }
        let account = account.ok_or_else(|| StoreError::LostState(self.path_of_state(user)))?;
        let Belongings { credentials, held, problem } = belongings;
        let wallet = Wallet { credentials: credentials.as_ref(), held: &held, factors: attempt.factors };
        let judged = Judged { person, wallet: &wallet, attempt, now: self.clock.now()? };
        account.redeem(&judged, problem, |state| self.check_held(user, state, &held))
    }

    fn pretend(&self, attempt: &Attempt<'_>) {
        self.work_for_nobody(attempt);
    }

    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError> {
        let user = &person.name;
        let Some(account) = self.locked(user)? else { return Ok(Stripping::Nothing) };
        let Belongings { credentials, held, problem } = self.belongings(user, Some(&account))?;
        let wallet = Wallet { credentials: credentials.as_ref(), held: &held, factors: attempt.factors };
        if credentials.is_none() && held.is_empty() {
            return Ok(Stripping::Nothing);
        }
        let judged = Judged { person, wallet: &wallet, attempt, now: self.clock.now()? };
        match (account.strip(&judged)?, problem) {
            (burned @ Stripping::Burned { .. }, _) => Ok(burned),
            (other, None) => Ok(other),
            // It may be a code of what could not be read.
            (_, Some(problem)) => Err(problem),
        }
    }
}

impl Attempt<'_> {
    /// What is counted of it. The longest reading holds all digits of the others: were it a shorter one, guesses that differ
    /// only before it would count as one.
    fn guess(&self) -> Option<&str> {
        self.readings.iter().filter_map(Answer::digits).max_by_key(|digits| digits.len())
    }
}

impl Wallet<'_> {
    fn salt(&self) -> Salt {
        self.credentials.map_or(Salt::NONE, |credentials| credentials.salt)
    }
}

/// An attempt under the lock, with all it is judged by.
struct Judged<'a> {
    person: &'a Person,
    wallet: &'a Wallet<'a>,
    attempt: &'a Attempt<'a>,
    /// Read under the lock.
    now: UnixTime,
}

impl Locked {
    /// Burns a right code of an answer to which none is needed.
    fn strip(&self, judged: &Judged<'_>) -> Result<Stripping, StoreError> {
        let Judged { person, wallet, attempt, now } = *judged;
        let mut file = self.state_file()?;
        let before = file.read_at(now)?.recognizing(wallet.tokens());
        ownership::must_be_of(&before, person)?;
        if before.stripping.blocked_until(attempt.source, attempt.limits, now).is_some() {
            return Ok(Stripping::Throttled);
        }
        let Some(guess) = attempt.guess() else { return Ok(Stripping::Nothing) };
        let mut charged = before.clone();
        charged.stripping.charge(attempt.source, wallet.salt().fingerprint(guess), attempt.limits, now);
        let charge = file.charge(&charged)?;
        let rules = Rules { window: attempt.window, reaches: attempt.reaches, now };
        match wallet.judge(attempt.readings, None, &before, &rules) {
            Judgement::Right { reading, proof, uses } => {
                let mut after = before.after(uses);
                after.has_credentials = wallet.credentials.is_some();
                after.stripping.accept(attempt.source);
                file.settle(charge, Some(&after))?;
                Ok(Stripping::Burned { reading, factor: factor_of(*proof, wallet, &after) })
            }
            // A client that sends the same again guesses nothing, and learns nothing.
            Judgement::Replayed { .. } => {
                file.settle(charge, Some(&before))?;
                Ok(Stripping::Nothing)
            }
            _ => {
                file.settle(charge, None)?;
                Ok(Stripping::Nothing)
            }
        }
    }

    /// Checks and burns, once everything is read that the user has. `problem` is what could not be read.
    fn redeem(
        &self,
        judged: &Judged<'_>,
        problem: Option<StoreError>,
        complete: impl FnOnce(&State) -> Result<(), StoreError>,
    ) -> Result<Redemption, StoreError> {
        let Judged { person, wallet, attempt, now } = *judged;
        let user = &person.name;
        let mut file = self.state_file()?;
        let mut before = file.read_at(now)?.recognizing(wallet.tokens());
        let problem = problem.or_else(|| complete(&before).err());
        // What seems to be superfluous may belong to what could not be read.
        if problem.is_none() {
            // The registry knows of all that was ever given.
            before.tokens_before_gift = None;
            before.tidy(wallet);
        }

        if let Err(uid_changed) = ownership::must_be_of(&before, person) {
            decoy::in_vain(&mut file, judged, &before);
            return Err(uid_changed);
        }
        if before.throttle.blocked_until(attempt.source, attempt.limits, now).is_some() {
            decoy::in_vain(&mut file, judged, &before);
            return Ok(Redemption::refused(Reason::Throttled));
        }
        let Some(guess) = attempt.guess() else {
            decoy::in_vain(&mut file, judged, &before);
            return Ok(Redemption::refused(Reason::WrongCode));
        };
        let salt = wallet.salt();
        let mut charged = before.clone();
        charged.throttle.charge(attempt.source, salt.fingerprint(guess), attempt.limits, now);
        let charge = file.charge(&charged)?;

        let refused = |reason, hint| Ok(Redemption::Refused { reason, hint: Some(hint) });
        let rules = Rules { window: attempt.window, reaches: attempt.reaches, now };
        match wallet.judge(attempt.readings, attempt.previous, &before, &rules) {
            Judgement::Right { reading, proof, uses } => {
                let (accepted, factor) = accepted(before, uses, *proof, judged);
                file.settle(charge, Some(&accepted))?;
                Ok(Redemption::Redeemed(Redeemed { factor, reading, problem }))
            }
            Judgement::Replayed { burned_until } => {
                file.settle(charge, Some(&before))?;
                let hint = burned_until.map(|until| {
                    format!(
                        "codes are burned until {until}: was the clock ahead? wait, or: twofactor enroll --replace {}",
                        shell::quoted(user.as_str())
                    )
                });
                Ok(Redemption::Refused { reason: Reason::Replayed, hint })
            }
            Judgement::NotConfirmed => {
                file.settle(charge, Some(&before))?;
                let again = format!("twofactor enroll {}", shell::quoted(user.as_str()));
                refused(Reason::NotConfirmed, format!("the secret waits for its confirmation: {again}"))
            }
            Judgement::Disabled { serial, stage } => {
                file.settle(charge, Some(&before))?;
                let enable = format!("twofactor token enable {}", shell::quoted(serial.as_str()));
                refused(Reason::TokenDisabled, format!("token {serial} is {stage}: {enable}"))
            }
            Judgement::NotAllowed => {
                file.settle(charge, Some(&before))?;
                let allowed = attempt.factors.names().join(", ");
                refused(Reason::FactorNotAllowed, format!("what counts for this login: {allowed}"))
            }
            Judgement::NearMiss(near_miss) => {
                charged.count_near_miss(&near_miss);
                file.settle(charge, Some(&charged))?;
                let hint = near_miss.is_repeated.then(|| near_miss_in_words(&near_miss, wallet));
                problem.map_or(Ok(Redemption::NearMiss { hint }), Err)
            }
            Judgement::Wrong => {
                file.settle(charge, None)?;
                problem.map_or_else(|| Ok(Redemption::refused(Reason::WrongCode)), Err)
            }
        }
    }
}

/// What a user can prove himself with.
struct Belongings {
    credentials: Option<Credentials>,
    held: Vec<Held>,
    /// Why physical tokens are not among it.
    problem: Option<StoreError>,
}

impl Belongings {
    fn is_nothing(&self) -> bool {
        self.credentials.is_none() && self.held.is_empty()
    }

    fn wallet(&self, factors: Factors) -> Wallet<'_> {
        Wallet { credentials: self.credentials.as_ref(), held: &self.held, factors }
    }
}

/// The state after an accepted login, and what opened it. The charge of this attempt is not in it: a right code is no guess.
fn accepted(before: State, uses: Uses, proof: Proof, judged: &Judged<'_>) -> (State, Factor) {
    let Judged { person, wallet, attempt, now } = *judged;
    let mut state = before.after(uses);
    state.uid = Some(person.uid);
    state.has_credentials = wallet.credentials.is_some();
    state.throttle.accept(attempt.source);
    let opener = proof.opener();
    let factor = factor_of(proof, wallet, &state);
    let name = match &factor {
        Factor::Token { label, .. } => label.clone(),
        Factor::Recovery { .. } => "recovery".to_owned(),
    };
    if let Some((place, duration)) = &attempt.remember {
        let Place { service, address } = *place;
        let (service, until) = (service.to_owned(), now.after(*duration));
        state.memories.add(Memory { service, address, since: now, until, opener });
    }
    state.last_accepted = Some(LastAccepted { at: now, source: attempt.source.clone(), factor: name });
    (state, factor)
}

/// What a right code is a code of, once `state` has it as used.
fn factor_of(proof: Proof, wallet: &Wallet<'_>, state: &State) -> Factor {
    match proof {
        Proof::Token { label, drift, .. } => Factor::Token { label: label.to_string(), drift },
        Proof::Recovery(_) => {
            let left = wallet.credentials.map_or(0, |credentials| credentials.recovery_left(state));
            Factor::Recovery { left }
        }
    }
}

/// What a sysadmin does about a token whose clock is off. How far it is off, and that it is before it is certain, nobody
/// learns: whoever reads the log while he guesses would know which guess will be right, and when.
fn near_miss_in_words(near_miss: &NearMiss, wallet: &Wallet<'_>) -> String {
    let NearMiss { serial, label, .. } = near_miss;
    if wallet.held.iter().any(|held| held.token.serial == *serial) {
        format!("is the clock of token {serial} off? twofactor token resync {}", shell::quoted(serial.as_str()))
    } else {
        format!("is the clock of the phone with the app \"{label}\" right?")
    }
}

/// A user's folder, locked or not.
#[derive(Debug)]
struct Account<F>(F);

/// A user's folder while nobody else may change it.
type Locked = Account<trusted::Locked>;

/// Proof that the attempt at hand is counted. Without it no answer is judged a success or a failure.
#[must_use]
struct Charge(());

impl<F: Borrow<Folder>> Account<F> {
    fn folder(&self) -> &Folder {
        self.0.borrow()
    }

    /// The credentials; `None` when the user has none. That a file is missing which the state names is an error.
    fn credentials(&self) -> Result<Option<Credentials>, StoreError> {
        let content = match self.folder().read(SECRET, LARGEST)? {
            Some(content) => content,
            None if !self.state()?.has_credentials => return Ok(None),
            // Without the lock, it may have been made meanwhile.
            None => self.folder().read(SECRET, LARGEST)?.ok_or_else(|| self.lost_credentials())?,
        };
        let corrupt = |place| StoreError::Corrupt { path: self.folder().path().join(SECRET), place };
        let text = std::str::from_utf8(&content).map_err(|_| corrupt((1, 1)))?;
        if !text.ends_with(END) {
            return Err(corrupt((text.lines().count().max(1), 1)));
        }
        secret_file::read(text).map(Some).map_err(|problems| corrupt(place_of(&problems)))
    }

    /// The state. A user's folder is made with one, so a folder without a state has lost it, and with it what was burned.
    fn state(&self) -> Result<State, StoreError> {
        let content = self.folder().read(STATE, LARGEST)?.ok_or_else(|| self.lost_state())?;
        parse_state(&content, &self.folder().path().join(STATE)).map(|(_, state)| state)
    }

    /// Whether the user has credentials, whatever their condition. The same error as of [`Account::credentials`].
    fn has_credentials(&self) -> Result<bool, StoreError> {
        if self.has(SECRET)? {
            return Ok(true);
        }
        let named = self.state()?.has_credentials;
        match self.has(SECRET)? {
            false if named => Err(self.lost_credentials()),
            has => Ok(has),
        }
    }

    fn lost_credentials(&self) -> StoreError {
        StoreError::LostCredentials(self.folder().path().join(SECRET))
    }

    fn lost_state(&self) -> StoreError {
        StoreError::LostState(self.folder().path().join(STATE))
    }

    fn has(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.folder().has(name)?)
    }
}

/// Reads a state and where the next one goes.
fn parse_state(content: &[u8], path: &Path) -> Result<(Slots, State), StoreError> {
    let corrupt = |place| StoreError::Corrupt { path: path.to_owned(), place };
    let (slots, text) = Slots::read(content).map_err(|_| corrupt((1, 1)))?;
    let state = state_file::read(text).map_err(|problems| corrupt(place_of(&problems)))?;
    Ok((slots, state))
}

fn place_of(problems: &[Problem]) -> (usize, usize) {
    problems.first().map_or((1, 1), |first| (first.line, first.column))
}

impl Locked {
    /// The state's file, to read it and to write the next states.
    fn state_file(&self) -> Result<StateFile<'_>, StoreError> {
        let file = self.folder().open_in_place(STATE)?.ok_or_else(|| self.lost_state())?;
        Ok(StateFile { folder: self.folder(), file, slots: None })
    }

    /// Puts a whole new file in the place of the state's.
    fn write_state(&self, state: &State) -> Result<(), StoreError> {
        replace_state(self.folder(), &state_file::write(state))
    }

    /// Writes over the older of the two states in the file, which takes no room: a full disk that has stopped a change must
    /// not keep it from being taken back.
    fn overwrite_state(&self, state: &State) -> Result<(), StoreError> {
        let mut file = self.state_file()?;
        file.read()?;
        file.write(state)?;
        Ok(file.file.sync()?)
    }

    /// Writes the credentials, and then into the state that there are some: a crash between the two leaves an account that is
    /// whole, and whose next accepted login makes up for it. So does it where the second fails.
    fn write_credentials(&self, state: &State, credentials: &Credentials) -> Result<(), StoreError> {
        self.folder().replace(SECRET, secret_file::write(credentials).as_bytes())?;
        if !state.has_credentials {
            let _ = self.overwrite_state(&State { has_credentials: true, ..state.clone() });
        }
        Ok(())
    }

    /// Writes both, in this order: a crash between the two burns a code too many and never one too few.
    fn write(&self, state: &State, credentials: &Credentials) -> Result<(), StoreError> {
        self.write_state(state)?;
        self.write_credentials(state, credentials)
    }
}

/// The state's file while a login changes it.
#[derive(Debug)]
struct StateFile<'f> {
    folder: &'f Folder,
    file: InPlace,
    /// Known once the file was read; `None` again when it was replaced.
    slots: Option<Slots>,
}

impl StateFile<'_> {
    fn read(&mut self) -> Result<State, StoreError> {
        let (slots, state) = parse_state(&self.file.read(LARGEST)?, &self.folder.path().join(STATE))?;
        if slots.must_be_flushed_first() {
            self.file.sync()?;
        }
        self.slots = Some(slots);
        Ok(state)
    }

    /// The state at `now`. Should the clock have been set back, that is written down, and happens once.
    fn read_at(&mut self, now: UnixTime) -> Result<State, StoreError> {
        let written = self.read()?;
        let seen = written.clone().seen_at(now);
        if seen != written {
            self.write(&seen)?;
            self.file.sync()?;
        }
        Ok(seen)
    }

    /// Counts an attempt before its code is looked at: whoever kills this process from now on has used it up.
    fn charge(&mut self, charged: &State) -> Result<Charge, StoreError> {
        self.write(charged)?;
        Ok(Charge(()))
    }

    /// Puts the outcome on disk, and the charge with it. Nobody is told of either before.
    fn settle(&mut self, Charge(()): Charge, outcome: Option<&State>) -> Result<(), StoreError> {
        if let Some(outcome) = outcome {
            self.write(outcome)?;
        }
        self.file.sync()?;
        // Spares the next login a flush. Should it fail or be lost, that login flushes, and nothing else happens.
        if let Some((mark, offset)) = self.slots.as_ref().and_then(Slots::flushed) {
            let _ = self.file.overwrite(mark, offset);
        }
        Ok(())
    }

    /// Writes a state over the older one, or a larger file in the place of this one.
    fn write(&mut self, state: &State) -> Result<(), StoreError> {
        let text = state_file::write(state);
        match self.slots.as_mut().and_then(|slots| slots.fill(&text)) {
            Some((slot, offset)) => Ok(self.file.overwrite(&slot, offset)?),
            None => {
                self.slots = None;
                replace_state(self.folder, &text)
            }
        }
    }
}

fn replace_state(folder: &Folder, text: &str) -> Result<(), StoreError> {
    let path = || folder.path().join(STATE);
    let file = Slots::file(text).ok_or_else(|| FileError::TooLarge { path: path(), limit: LARGEST })?;
    Ok(folder.replace(STATE, &file)?)
}
