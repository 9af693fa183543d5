//! The per-user file store: `users/NAME/` with `secret.toml` and `state.toml`; the folder itself is the lock.
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

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use administration::{AppStatus, EnrollError, Existing, Reset, Status};

use crate::account::{Credentials, Judgement, LastAccepted, Proof, State, Uses};
use crate::answer::Answer;
use crate::document::Problem;
use crate::otp::Digits;
use crate::reason::Reason;
use crate::store::{Absent, Attempt, Factor, Presence, Redeemed, Redemption, Store, StoreError};
use crate::trusted::{self, Folder, Owner, Protection};
use crate::user::UserName;

const USERS: &str = "users";
const SECRET: &str = "secret.toml";
const STATE: &str = "state.toml";

/// The largest secret or state file that is read, in bytes. The largest that can be written are a fifth of it.
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
        let mut before = account.state()?;
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
        let charge = account.charge(&charged)?;

        match credentials.judge(attempt.readings, &before, attempt.window, attempt.now) {
            Judgement::Right { reading, proof, uses } => {
                let (accepted, factor) = accepted(charged, uses, proof, &credentials, attempt);
                account.accept(charge, &accepted)?;
                Ok(Redemption::Redeemed(Redeemed { factor, reading }))
            }
            Judgement::Replayed { burned_until } => {
                account.refund(charge, &before)?;
                let hint = burned_until.map(|until| {
                    format!(
                        "codes are burned until {until}: was the clock ahead? wait, or enroll {user} with --replace"
                    )
                });
                Ok(Redemption::Refused { reason: Reason::Replayed, hint })
            }
            Judgement::NotConfirmed => {
                account.refund(charge, &before)?;
                let hint = Some(format!("the secret waits for its confirmation: enroll {user} again"));
                Ok(Redemption::Refused { reason: Reason::NotConfirmed, hint })
            }
            Judgement::Wrong => Ok(Redemption::refused(Reason::WrongCode)),
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

/// Proof that the attempt at hand is counted on disk. Without it no answer can be accepted.
#[must_use]
struct Charge(());

impl<F: Borrow<Folder>> Account<F> {
    fn folder(&self) -> &Folder {
        self.0.borrow()
    }

    /// The credentials; `None` when the user has none.
    fn credentials(&self) -> Result<Option<Credentials>, StoreError> {
        self.parsed(SECRET, secret_file::read)
    }

    /// The state. Enrolling makes one, so credentials without a state have lost it, and with it what was burned.
    fn state(&self) -> Result<State, StoreError> {
        self.state_if_any()?.ok_or_else(|| StoreError::LostState(self.folder().path().join(STATE)))
    }

    /// The state, where there may be none: before the first enrollment.
    fn state_if_any(&self) -> Result<Option<State>, StoreError> {
        self.parsed(STATE, state_file::read)
    }

    fn has(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.folder().has(name)?)
    }

    fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Vec<Problem>>) -> Result<Option<T>, StoreError> {
        let Some(content) = self.folder().read(name, LARGEST)? else { return Ok(None) };
        let corrupt = |place| StoreError::Corrupt { path: self.folder().path().join(name), place };
        let text = std::str::from_utf8(&content).map_err(|_| corrupt((1, 1)))?;
        if !text.ends_with(END) {
            return Err(corrupt((text.lines().count().max(1), 1)));
        }
        let parsed =
            parse(text).map_err(|problems| problems.first().map_or((1, 1), |first| (first.line, first.column)));
        parsed.map(Some).map_err(corrupt)
    }
}

impl Locked {
    /// Counts an attempt durably, before its code is looked at.
    fn charge(&self, charged: &State) -> Result<Charge, StoreError> {
        self.write_state(charged)?;
        Ok(Charge(()))
    }

    /// Records success durably. Nobody is told before.
    fn accept(&self, Charge(()): Charge, accepted: &State) -> Result<(), StoreError> {
        self.write_state(accepted)
    }

    /// Takes the count of an attempt back that was no guess.
    fn refund(&self, Charge(()): Charge, before: &State) -> Result<(), StoreError> {
        self.write_state(before)
    }

    fn write_state(&self, state: &State) -> Result<(), StoreError> {
        Ok(self.folder().replace(STATE, state_file::write(state).as_bytes())?)
    }

    fn write_credentials(&self, credentials: &Credentials) -> Result<(), StoreError> {
        Ok(self.folder().replace(SECRET, secret_file::write(credentials).as_bytes())?)
    }
}
