//! The per-user file store: `users/NAME/` with `secret.toml`, `state.toml` and a permanent `lock`.
//!
//! What always holds: a login charges its attempt durably before it looks at the code, and records success durably before
//! it reports it, all under the user's lock. So of any number of simultaneous logins with one code exactly one wins,
//! and a process that is killed at any moment has been counted. The cost of a login does not depend on how many users
//! there are.

mod administration;
mod secret_file;
mod state_file;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use administration::{AppStatus, EnrollError, Existing, Reset, Status};

use crate::account::{Credentials, Judgement, LastAccepted, State};
use crate::document::Problem;
use crate::otp::Digits;
use crate::reason::Reason;
use crate::store::{Absent, Attempt, Factor, Presence, Redeemed, Redemption, Store, StoreError};
use crate::trusted::{Folder, Lock, Owner};
use crate::user::UserName;

const USERS: &str = "users";
const SECRET: &str = "secret.toml";
const STATE: &str = "state.toml";
const LOCK: &str = "lock";

/// The largest secret or state file that is read, in bytes. The largest we write are a fifth of it.
const LARGEST: usize = 64 * 1024;

/// The last line of every file: without it a file that was cut between two tables would read as a smaller one, and a
/// watermark would be lost.
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
        Self {
            state: state.to_owned(),
            owner,
            patience,
        }
    }

    /// The folder of all users. That it is missing is an error: only inside it can absence be proved.
    fn users_folder(&self) -> Result<Folder, StoreError> {
        let state = Folder::open(&self.state, self.owner)?.ok_or_else(|| StoreError::NoFolder(self.state.clone()))?;
        state
            .folder(USERS)?
            .ok_or_else(|| StoreError::NoFolder(self.state.join(USERS)))
    }

    /// The user's folder, when it is there.
    fn entry(&self, user: &UserName) -> Result<Option<Entry>, StoreError> {
        Ok(self
            .users_folder()?
            .folder(user.as_str())?
            .map(|folder| Entry { folder }))
    }

    /// The user's folder, when it is there, locked.
    fn locked(&self, user: &UserName) -> Result<Option<Locked>, StoreError> {
        self.entry(user)?.map(|entry| entry.lock(self.patience)).transpose()
    }
}

impl Store for Files {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        match self.entry(user)? {
            Some(entry) if entry.folder.has(SECRET)? => Ok(Presence::Enrolled),
            _ => Ok(Presence::Absent(Absent(()))),
        }
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        let credentials = self
            .entry(user)?
            .map(|entry| entry.credentials())
            .transpose()?
            .flatten();
        let mut lengths: Vec<Digits> = credentials
            .iter()
            .flat_map(|credentials| &credentials.apps)
            .map(|app| app.token().parameters.digits)
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        Ok(lengths)
    }

    fn redeem(&self, user: &UserName, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        let Some(account) = self.locked(user)? else {
            return Ok(Redemption::Refused(Reason::NotEnrolled));
        };
        let Some(credentials) = account.entry.credentials()? else {
            return Ok(Redemption::Refused(Reason::NotEnrolled));
        };
        let before = account.entry.state()?;

        if before
            .throttle
            .blocked_until(attempt.source, attempt.limits, attempt.now)
            .is_some()
        {
            return Ok(Redemption::Refused(Reason::Throttled));
        }
        let Some(guess) = attempt.readings.iter().find_map(|reading| reading.digits()) else {
            return Ok(Redemption::Refused(Reason::WrongCode));
        };
        let mut charged = before.clone();
        charged
            .throttle
            .charge(attempt.source, credentials.salt.fingerprint(guess), attempt.now);
        let charge = account.charge(&charged)?;

        let judged = attempt
            .readings
            .iter()
            .map(|reading| credentials.judge(reading, &before, attempt.window, attempt.now))
            .enumerate()
            .reduce(|best, next| if next.1.says_more_than(&best.1) { next } else { best });
        match judged {
            Some((
                reading,
                Judgement::App {
                    serial,
                    label,
                    progress,
                    ..
                },
            )) => {
                let drift = progress.drift;
                let factor = Factor::Token {
                    label: label.to_string(),
                    drift,
                };
                let mut accepted = charged;
                accepted.progress.insert(serial, progress);
                account.accept(charge, accepted, attempt, factor, reading)
            }
            Some((reading, Judgement::Recovery(digest))) => {
                let mut accepted = charged;
                accepted.used_recovery.push(digest);
                let factor = Factor::Recovery {
                    left: credentials.recovery_left(&accepted),
                };
                account.accept(charge, accepted, attempt, factor, reading)
            }
            Some((_, Judgement::Replayed)) => account.refund(charge, &before, Reason::Replayed),
            Some((_, Judgement::NotConfirmed)) => account.refund(charge, &before, Reason::NotConfirmed),
            Some((_, Judgement::Wrong)) | None => Ok(Redemption::Refused(Reason::WrongCode)),
        }
    }
}

/// A user's folder.
#[derive(Debug)]
struct Entry {
    folder: Folder,
}

/// A user's folder while we alone may change it.
#[derive(Debug)]
struct Locked {
    entry: Entry,
    _lock: Lock,
}

/// Proof that the attempt at hand is counted on disk. Without it no answer can be accepted.
#[must_use]
struct Charge(());

impl Entry {
    fn lock(self, patience: Duration) -> Result<Locked, StoreError> {
        let lock = self.folder.lock(LOCK, patience)?;
        Ok(Locked {
            entry: self,
            _lock: lock,
        })
    }

    /// The credentials; `None` when the user has none.
    fn credentials(&self) -> Result<Option<Credentials>, StoreError> {
        self.parsed(SECRET, secret_file::read)
    }

    /// The state. Enrolling makes one, so credentials without a state have lost it, and with it what was burned.
    fn state(&self) -> Result<State, StoreError> {
        self.parsed(STATE, state_file::read)?
            .ok_or_else(|| StoreError::LostState(self.folder.path().join(STATE)))
    }

    fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Vec<Problem>>) -> Result<Option<T>, StoreError> {
        let Some(content) = self.folder.read(name, LARGEST)? else {
            return Ok(None);
        };
        let corrupt = |places| StoreError::Corrupt {
            path: self.folder.path().join(name),
            places,
        };
        let text = std::str::from_utf8(&content).map_err(|_| corrupt(Vec::new()))?;
        if !text.ends_with(END) {
            let message = format!("the last line is not {}", END.trim_end());
            return Err(corrupt(vec![Problem {
                line: text.lines().count().max(1),
                column: 1,
                message,
            }]));
        }
        parse(text).map(Some).map_err(corrupt)
    }
}

impl Locked {
    /// Counts an attempt durably, before its code is looked at.
    fn charge(&self, state: &State) -> Result<Charge, StoreError> {
        self.write_state(state)?;
        Ok(Charge(()))
    }

    /// Records success durably, and only then says so.
    fn accept(
        &self,
        Charge(()): Charge,
        mut state: State,
        attempt: &Attempt<'_>,
        factor: Factor,
        reading: usize,
    ) -> Result<Redemption, StoreError> {
        state.throttle.accept(attempt.source);
        let name = match &factor {
            Factor::Token { label, .. } => label.clone(),
            Factor::Recovery { .. } => "recovery".to_owned(),
        };
        state.last_accepted = Some(LastAccepted {
            at: attempt.now,
            source: attempt.source.clone(),
            factor: name,
        });
        self.write_state(&state)?;
        Ok(Redemption::Redeemed(Redeemed { factor, reading }))
    }

    /// Takes the count of an attempt back that was no guess.
    fn refund(&self, Charge(()): Charge, before: &State, reason: Reason) -> Result<Redemption, StoreError> {
        self.write_state(before)?;
        Ok(Redemption::Refused(reason))
    }

    fn write_state(&self, state: &State) -> Result<(), StoreError> {
        Ok(self.entry.folder.replace(STATE, state_file::write(state).as_bytes())?)
    }

    fn write_credentials(&self, credentials: &Credentials) -> Result<(), StoreError> {
        Ok(self
            .entry
            .folder
            .replace(SECRET, secret_file::write(credentials).as_bytes())?)
    }
}
