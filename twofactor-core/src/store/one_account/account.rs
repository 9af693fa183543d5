//! The account as it was read, and the change that a verb makes of it.

use super::error::{AccountError, Part};
use crate::account::{Credentials, State, Wallet};
use crate::codes::secret::SecretError;
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, Uid, UserName};
use crate::log::reason::Reason;
use crate::store::changes::Remains;
use crate::store::credentials_text::{self, END};
use crate::store::enrollment::{Listing, TokenRegistration};
use crate::store::error::StoreError;
use crate::store::redemption::Attempt;
use crate::store::rules::VerificationRules;
use crate::store::verification::{Ledger, Presented, in_vain};
use crate::store::{decoy, state_text};
use crate::text::document::Problem;
use std::cell::{Cell, RefCell};
use zeroize::Zeroizing;

/// The records of an account, as the database has them: the texts that twofactor-state(8) describes.
#[derive(Default)]
pub struct Read {
    /// The credentials; `None` when the user has none.
    pub credentials: Option<Zeroizing<String>>,
    /// The state; `None` when nothing is kept of the user.
    pub state: Option<Zeroizing<String>>,
}

/// The records to write.
pub enum Change {
    /// None.
    Nothing,
    /// None of this user; but as much as for a wrong code, in another place. It must not show who is enrolled.
    InVain,
    /// The state alone.
    State(Zeroizing<String>),
    /// The state; and the credentials are forgotten.
    Forgotten {
        /// The state.
        state: Zeroizing<String>,
    },
    /// Both.
    Both {
        /// The credentials.
        credentials: Zeroizing<String>,
        /// The state.
        state: Zeroizing<String>,
    },
}

/// Keys alone: the texts hold secrets.
impl std::fmt::Debug for Change {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Nothing => "Nothing",
            Self::InVain => "InVain",
            Self::State(_) => "State",
            Self::Forgotten { .. } => "Forgotten",
            Self::Both { .. } => "Both",
        })
    }
}

/// An account of no user, for attempts whose refusal is known beforehand. A server makes one when it starts.
#[derive(Debug)]
pub struct Decoy {
    credentials: Credentials,
}

impl Decoy {
    /// A new one.
    pub fn new(now: UnixTime) -> Result<Self, SecretError> {
        Ok(Self { credentials: decoy::credentials(now)? })
    }
}

/// One account in memory.
#[derive(Debug)]
pub struct OneAccount<'d> {
    user: UserName,
    kept: Option<Kept>,
    decoy: &'d Decoy,
    pub(super) rules: VerificationRules,
    pub(super) now: UnixTime,
    change: RefCell<Change>,
    guessed: Cell<bool>,
    /// The record of a physical token that the question is about.
    pub(super) listed: RefCell<Option<(Serial, Listing)>>,
    pub(super) registered: RefCell<Option<TokenRegistration>>,
}

/// Credentials and state of a user.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Kept {
    /// The credentials; `None` when the user has none.
    pub(in crate::store) credentials: Option<Credentials>,
    /// The state.
    pub(in crate::store) state: State,
}

impl<'d> OneAccount<'d> {
    /// The account of `user`, read at `now`.
    pub fn of(
        user: UserName,
        read: &Read,
        rules: VerificationRules,
        decoy: &'d Decoy,
        now: UnixTime,
    ) -> Result<Self, StoreError> {
        let kept = kept(&user, read)?;
        Ok(Self::with(user, kept, rules, decoy, now))
    }

    /// The account of `user` with what is kept of it.
    pub(super) fn with(
        user: UserName,
        kept: Option<Kept>,
        rules: VerificationRules,
        decoy: &'d Decoy,
        now: UnixTime,
    ) -> Self {
        let (change, guessed) = (RefCell::new(Change::Nothing), Cell::new(false));
        let (listed, registered) = (RefCell::new(None), RefCell::new(None));
        Self { user, kept, decoy, rules, now, change, guessed, listed, registered }
    }

    /// True when a wrong code of this user was looked at and counted. Of a user without an account none is.
    pub fn has_counted_a_guess(&self) -> bool {
        self.guessed.get()
    }

    /// Tells of the physical token that a question is about.
    pub fn knows(&self, serial: Serial, listing: Listing) {
        self.listed.replace(Some((serial, listing)));
    }

    /// The physical token that the user is to get, where the verbs have found that out. The program that has read the account writes
    /// it, together with the inventory.
    pub fn registered(&self) -> Option<TokenRegistration> {
        self.registered.take()
    }

    /// The change that the verbs have made.
    pub fn into_change(self) -> Change {
        self.change.into_inner()
    }

    pub(super) fn kept(&self, user: &UserName) -> Result<Option<&Kept>, StoreError> {
        if *user != self.user {
            return Err(AccountError::AnotherUser { read: self.user.clone(), asked: user.clone() }.into());
        }
        Ok(self.kept.as_ref())
    }

    /// The user.
    pub(super) fn user(&self) -> &UserName {
        &self.user
    }

    /// The user's name, where what is kept is such as `is_such` says.
    pub(super) fn named(&self, is_such: impl FnOnce(&Kept) -> bool) -> Vec<UserName> {
        self.kept.as_ref().filter(|kept| is_such(kept)).map(|_| self.user.clone()).into_iter().collect()
    }

    /// The user, under the uid that the account has already.
    pub(super) fn owner(&self, user: &UserName) -> Result<Person, StoreError> {
        let kept = self.kept(user)?;
        Ok(kept.map_or_else(|| Person { name: user.clone(), uid: Uid::NONE }, |kept| kept.owner(user)))
    }

    /// Reads and writes the state of the copy.
    pub(super) fn ledger(&self, state: State) -> InMemory<'_> {
        InMemory { state, change: &self.change, guessed: &self.guessed }
    }

    pub(super) fn write(&self, state: &State, credentials: &Credentials) {
        let state = State { has_credentials: true, ..state.clone() };
        let (credentials, state) = (credentials_text::write(credentials), text_of(&state));
        self.change.replace(Change::Both { credentials, state });
    }

    /// Writes the state alone.
    pub(super) fn write_state(&self, state: &State) {
        self.change.replace(Change::State(text_of(state)));
    }

    /// Writes what is left of the account.
    pub(super) fn write_remains(&self, remains: &Remains) {
        self.change.replace(of_remains(remains));
    }

    /// The refusal of an invitation of a user of whom nothing is kept, and so none. Nothing is kept of it either: there is nothing to
    /// guess, and a host that asks about names of its own would fill the store.
    pub(super) fn invites_no_user(&self, attempt: &Attempt<'_>) -> Reason {
        self.work_in_vain(attempt);
        Reason::InvitationWrong
    }

    /// Does the work of a wrong code.
    pub(super) fn work_in_vain(&self, attempt: &Attempt<'_>) {
        let wallet = Wallet { credentials: Some(&self.decoy.credentials), factors: attempt.factors };
        let person = Person { name: self.user.clone(), uid: Uid::NONE };
        let (before, rules) = (State::default(), &self.rules);
        let presented = Presented { person: &person, wallet: &wallet, attempt, rules, now: self.now };
        in_vain(&mut self.ledger(before.clone()), presented, &before);
        self.change.replace(Change::InVain);
    }
}

impl Kept {
    /// The user, under the uid that the account has already.
    pub(super) fn owner(&self, user: &UserName) -> Person {
        Person { name: user.clone(), uid: self.state.uid.unwrap_or(Uid::NONE) }
    }
}

/// The state of the copy. Its last word is the change.
pub(super) struct InMemory<'a> {
    state: State,
    change: &'a RefCell<Change>,
    guessed: &'a Cell<bool>,
}

impl InMemory<'_> {
    fn keep(&self, state: &State) {
        self.change.replace(Change::State(text_of(state)));
    }

    /// The state after all that was verified.
    pub(super) fn into_state(self) -> State {
        self.state
    }
}

/// Counting first and settling after it is one write here: the user who types the codes cannot end the server between the two.
impl Ledger for InMemory<'_> {
    type Charge = State;

    fn read(&mut self) -> Result<State, StoreError> {
        Ok(self.state.clone())
    }

    fn correct(&mut self, seen: &State) -> Result<(), StoreError> {
        self.keep(seen);
        self.state = seen.clone();
        Ok(())
    }

    fn charge(&mut self, charged: &State) -> Result<State, StoreError> {
        self.keep(charged);
        Ok(charged.clone())
    }

    fn settle(&mut self, charged: State, outcome: Option<&State>) -> Result<(), StoreError> {
        let kept = outcome.unwrap_or(&charged);
        self.keep(kept);
        self.state = kept.clone();
        Ok(())
    }

    fn counted_a_guess(&mut self) {
        self.guessed.set(true);
    }
}

/// The change that leaves the remains of an account.
pub(super) fn of_remains(remains: &Remains) -> Change {
    let state = text_of(&remains.state);
    match &remains.credentials {
        Some(credentials) => Change::Both { credentials: credentials_text::write(credentials), state },
        None => Change::Forgotten { state },
    }
}

/// The record of a state.
pub(super) fn text_of(state: &State) -> Zeroizing<String> {
    state_text::write(state).into()
}

/// The account in the records that were read; `None` when nothing is kept of the user.
pub(in crate::store) fn kept(user: &UserName, read: &Read) -> Result<Option<Kept>, StoreError> {
    let lost = |part| AccountError::Lost { user: user.clone(), part };
    let state = read.state.as_ref().map(|text| state_in(user, text)).transpose()?;
    let Some(state) = state else {
        return if read.credentials.is_some() { Err(lost(Part::State).into()) } else { Ok(None) };
    };
    let credentials = match &read.credentials {
        Some(text) => Some(credentials_of(user, text)?),
        None if state.has_credentials => return Err(lost(Part::Credentials).into()),
        None => None,
    };
    Ok(Some(Kept { credentials, state }))
}

/// The state of a user who has credentials, in its text; it is lost where there is none.
pub fn state_of(user: &UserName, text: Option<&str>) -> Result<State, StoreError> {
    let lost = || AccountError::Lost { user: user.clone(), part: Part::State };
    Ok(state_in(user, text.ok_or_else(lost)?)?)
}

/// Reads the record of a state.
pub(super) fn state_in(user: &UserName, text: &str) -> Result<State, AccountError> {
    state_text::read(text).map_err(|problems| corrupt(user, Part::State, &problems))
}

/// Reads the record of credentials.
pub(super) fn credentials_of(user: &UserName, text: &str) -> Result<Credentials, AccountError> {
    if !text.ends_with(END) {
        return Err(corrupt(user, Part::Credentials, &[]));
    }
    credentials_text::read(text).map_err(|problems| corrupt(user, Part::Credentials, &problems))
}

fn corrupt(user: &UserName, part: Part, problems: &[Problem]) -> AccountError {
    let (line, column) = problems.first().map_or((1, 1), |first| (first.line, first.column));
    AccountError::Corrupt { user: user.clone(), part, line, column }
}
