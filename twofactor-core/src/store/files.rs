//! The per-user file store: `users/NAME/` with `secret.toml` and `state`; the folder itself is the lock.
//!
//! What always holds: a login writes its charge before it looks at the code, and puts charge and outcome on disk before
//! anybody learns the outcome, all under the user's lock. So of any number of simultaneous logins with one code exactly
//! one wins, a process that is killed at any moment has been counted, and a power cut forgets only what nobody was told.
//! The cost of a login does not depend on how many users there are.

mod administration;
mod secret_file;
mod slots;
mod state_file;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use administration::{AppStatus, EnrollError, Existing, Reset, Status};

use crate::account::{Credentials, Judgement, LastAccepted, Proof, State, Uses};
use crate::answer::Answer;
use crate::document::Problem;
use crate::otp::Digits;
use crate::reason::Reason;
use crate::store::files::slots::Slots;
use crate::store::{Absent, Attempt, Factor, Presence, Redeemed, Redemption, Store, StoreError};
use crate::trusted::{self, FileError, Folder, InPlace, Owner, Protection};
use crate::user::UserName;

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
    owner: Owner,
    patience: Duration,
}

impl Files {
    /// The store in the folder `state`, all of which must belong to `owner`. Nothing is opened yet.
    pub fn new(state: &Path, owner: Owner, patience: Duration) -> Self {
        Self { state: state.to_owned(), owner, patience }
    }

    /// The folder of all users. That it is missing is an error: only inside it can absence be proved.
    fn users_folder(&self) -> Result<Folder, StoreError> {
        let state = Folder::open(&self.state, self.owner, Protection::FromReading)?;
        let state = state.ok_or_else(|| StoreError::NoFolder(self.state.clone()))?;
        state.folder(USERS)?.ok_or_else(|| StoreError::NoFolder(self.state.join(USERS)))
    }

    /// The user's folder, when it is there.
    fn unlocked(&self, user: &UserName) -> Result<Option<Account<Folder>>, StoreError> {
        Ok(self.users_folder()?.folder(user.as_str())?.map(Account))
    }

    /// The user's folder, when it is there, locked.
    fn locked(&self, user: &UserName) -> Result<Option<Locked>, StoreError> {
        let Some(folder) = self.users_folder()?.folder(user.as_str())? else { return Ok(None) };
        Ok(Some(Account(folder.lock(self.patience)?)))
    }
}

impl Store for Files {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        match self.unlocked(user)? {
            Some(account) if account.has(SECRET)? => Ok(Presence::Enrolled),
            _ => Ok(Presence::Absent(Absent(()))),
        }
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        let credentials = self.unlocked(user)?.map(|account| account.credentials()).transpose()?.flatten();
        let apps = credentials.iter().flat_map(|credentials| &credentials.apps);
        let mut lengths: Vec<Digits> = apps.map(|app| app.token().parameters.digits).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Ok(lengths)
    }

    fn redeem(&self, user: &UserName, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        let Some(account) = self.locked(user)? else { return Ok(Redemption::refused(Reason::NotEnrolled)) };
        let Some(credentials) = account.credentials()? else {
            return Ok(Redemption::refused(Reason::NotEnrolled));
        };
        let mut file = account.state_file()?;
        let mut before = file.read()?;
        before.tidy(&credentials);

        if before.throttle.blocked_until(attempt.source, attempt.limits, attempt.now).is_some() {
            return Ok(Redemption::refused(Reason::Throttled));
        }
        // The longest reading holds all digits of the others: were it a shorter one, guesses that differ only before it
        // would count as one.
        let guesses = attempt.readings.iter().filter_map(Answer::digits);
        let Some(guess) = guesses.max_by_key(|digits| digits.len()) else {
            return Ok(Redemption::refused(Reason::WrongCode));
        };
        let mut charged = before.clone();
        charged.throttle.charge(attempt.source, credentials.salt.fingerprint(guess), attempt.now);
        let charge = file.charge(&charged)?;

        match credentials.judge(attempt.readings, &before, attempt.window, attempt.now) {
            Judgement::Right { reading, proof, uses } => {
                let (accepted, factor) = accepted(charged, uses, proof, &credentials, attempt);
                file.settle(charge, Some(&accepted))?;
                Ok(Redemption::Redeemed(Redeemed { factor, reading }))
            }
            Judgement::Replayed { burned_until } => {
                file.settle(charge, Some(&before))?;
                let hint = burned_until.map(|until| {
                    format!(
                        "codes are burned until {until}: was the clock ahead? wait, or enroll {user} with --replace"
                    )
                });
                Ok(Redemption::Refused { reason: Reason::Replayed, hint })
            }
            Judgement::NotConfirmed => {
                file.settle(charge, Some(&before))?;
                let hint = Some(format!("the secret waits for its confirmation: enroll {user} again"));
                Ok(Redemption::Refused { reason: Reason::NotConfirmed, hint })
            }
            Judgement::Wrong => {
                file.settle(charge, None)?;
                Ok(Redemption::refused(Reason::WrongCode))
            }
        }
    }
}

/// The state after an accepted login, and what opened it.
fn accepted(
    charged: State,
    uses: Uses,
    proof: Proof,
    credentials: &Credentials,
    attempt: &Attempt<'_>,
) -> (State, Factor) {
    let mut state = charged.after(uses);
    state.throttle.accept(attempt.source);
    let factor = match proof {
        Proof::App { label, drift, .. } => Factor::Token { label: label.to_string(), drift },
        Proof::Recovery => Factor::Recovery { left: credentials.recovery_left(&state) },
    };
    let name = match &factor {
        Factor::Token { label, .. } => label.clone(),
        Factor::Recovery { .. } => "recovery".to_owned(),
    };
    state.last_accepted = Some(LastAccepted { at: attempt.now, source: attempt.source.clone(), factor: name });
    (state, factor)
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

    /// The credentials; `None` when the user has none.
    fn credentials(&self) -> Result<Option<Credentials>, StoreError> {
        let Some(content) = self.folder().read(SECRET, LARGEST)? else { return Ok(None) };
        let corrupt = |place| StoreError::Corrupt { path: self.folder().path().join(SECRET), place };
        let text = std::str::from_utf8(&content).map_err(|_| corrupt((1, 1)))?;
        if !text.ends_with(END) {
            return Err(corrupt((text.lines().count().max(1), 1)));
        }
        secret_file::read(text).map(Some).map_err(|problems| corrupt(place_of(&problems)))
    }

    /// The state. Enrolling makes one, so credentials without a state have lost it, and with it what was burned.
    fn state(&self) -> Result<State, StoreError> {
        self.state_if_any()?.ok_or_else(|| self.lost_state())
    }

    /// The state, where there may be none: before the first enrollment.
    fn state_if_any(&self) -> Result<Option<State>, StoreError> {
        let Some(content) = self.folder().read(STATE, LARGEST)? else { return Ok(None) };
        parse_state(&content, &self.folder().path().join(STATE)).map(|(_, state)| Some(state))
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

    fn write_credentials(&self, credentials: &Credentials) -> Result<(), StoreError> {
        Ok(self.folder().replace(SECRET, secret_file::write(credentials).as_bytes())?)
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
