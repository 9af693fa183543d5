//! Administration of accounts in the files: enroll, look, reset, unlock. No login calls it.

use crate::account::notice::Notice;
use crate::account::throttle::{Count, Source};
use crate::account::{App, Credentials, Held, Judgement, State};
use crate::codes::answer::Answer;
use crate::codes::recovery::RecoveryCode;
use crate::codes::temporary::TemporaryCode;
use crate::codes::token::{Label, Token};
use crate::host::clock::UnixTime;
use crate::host::trusted::FileError;
use crate::host::user::{Person, UserName};
use crate::store::administration::{
    AccountAdministration, AccountStatus, EnrollError, Existing, MoveInError, Newcomer, Reset, StateIdentity as _,
};
use crate::store::changes::{self, Enrolling, Remains, Whole};
use crate::store::credentials_text;
use crate::store::error::{Loss, StoreError};
use crate::store::files::error::FilesError;
use crate::store::files::identity::users_in;
use crate::store::files::locations::{Files, migrated};
use crate::store::files::user_folder::{Account, LockedAccount, SECRET};
use crate::store::registry::RegistryReader;

impl AccountAdministration for Files {
    fn enroll(
        &self,
        person: &Person,
        app: App,
        recovery: Option<&[RecoveryCode]>,
        existing: Existing,
    ) -> Result<(), EnrollError> {
        let (account, enrolling) = self.to_enroll(person, existing)?;
        let Whole { credentials, state } = enrolling.enrolled(app, recovery, existing)?;
        Ok(account.write(&state, &credentials)?)
    }

    fn move_in(
        &self,
        person: &Person,
        apps: Vec<App>,
        recovery: &[RecoveryCode],
        existing: Existing,
    ) -> Result<usize, MoveInError> {
        let (account, enrolling) = self.to_enroll(person, existing)?;
        let (Whole { credentials, state }, taken) = enrolling.moved_in(apps, recovery, existing)?;
        account.write(&state, &credentials).map_err(EnrollError::from)?;
        Ok(taken)
    }

    fn status(&self, user: &UserName) -> Result<Option<AccountStatus>, StoreError> {
        let now = self.clock.now()?;
        let account = self.unlocked(user)?;
        let credentials = account.as_ref().map(Account::credentials).transpose()?.flatten();
        let Some(account) = account else {
            // Of an owner's folder that is gone the registry alone knows, where it can be read.
            let is_owner = self.registered(user).is_ok_and(|held| !held.is_empty());
            return if is_owner { Err(FilesError::LostState(self.path_of_state(user)).into()) } else { Ok(None) };
        };
        let state = account.state()?;
        if credentials.is_none() && state.tokens_held == 0 {
            return Ok(None);
        }
        let (tokens, tokens_problem) = self.tokens_of(user, credentials.as_ref(), &state);
        let status = changes::status(credentials.as_ref(), &state, &self.rules, now);
        Ok(Some(AccountStatus { tokens, tokens_problem, ..status }))
    }

    fn users(&self) -> Result<Vec<UserName>, StoreError> {
        let (mut users, _) = self.with_and_without_credentials()?;
        users.extend(self.owners());
        users.sort_unstable();
        users.dedup();
        Ok(users)
    }

    fn newcomers(&self) -> Result<Vec<UserName>, StoreError> {
        let (_, mut others) = self.with_and_without_credentials()?;
        others.sort_unstable();
        Ok(others)
    }

    fn newcomer(&self, user: &UserName) -> Result<Option<Newcomer>, StoreError> {
        let now = self.clock.now()?;
        let Some(account) = self.unlocked(user)? else { return Ok(None) };
        if account.has_credentials()? {
            return Ok(None);
        }
        Ok(changes::newcomer(&account.state()?, &self.rules, now))
    }

    fn has_traces(&self, user: &UserName) -> Result<bool, StoreError> {
        // Of an owner's folder that is gone the registry alone knows, where it can be read.
        let is_owner = || self.registered(user).is_ok_and(|held| !held.is_empty());
        Ok(self.unlocked(user)?.is_some() || is_owner())
    }

    fn blocked_until(&self, user: &UserName, count: Count, source: &Source) -> Result<Option<UnixTime>, StoreError> {
        let Some(account) = self.unlocked(user)? else { return Ok(None) };
        let state = account.state()?;
        Ok(state.throttle_of(count).blocked_until(source, self.rules.limits, self.clock.now()?))
    }

    fn verify(&self, user: &UserName, answer: Answer) -> Result<Option<Judgement>, StoreError> {
        let Some(account) = self.unlocked(user)? else { return Ok(None) };
        let (credentials, state) = (account.credentials()?, account.state()?);
        let is_migrated = migrated(user, &state);
        let Some(credentials) = credentials else { return is_migrated.map(|()| None) };
        match changes::judged(&credentials, state, answer, &self.rules, self.clock.now()?) {
            // It may be a code of a token that is not in the file yet.
            judgement @ (Judgement::Wrong | Judgement::NearMiss(_)) => is_migrated.map(|()| Some(judgement)),
            judgement => Ok(Some(judgement)),
        }
    }

    fn pending(&self, user: &UserName, label: &Label) -> Result<Option<Token>, StoreError> {
        let (credentials, state) = match self.account(user) {
            Ok(Some(account)) => account,
            // Nothing can be kept in it.
            Ok(None) => return Ok(None),
            Err(error) if error.loss() == Some(Loss::Credentials) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(changes::pending(credentials, &state, label))
    }

    fn reset(&self, user: &UserName, reset: Reset) -> Result<bool, StoreError> {
        self.claim_if_used()?;
        if let Some(account) = self.locked(user)? {
            return self.reset_account(&account, user, reset);
        }
        // Without a folder the user has no lock; the registry's lock keeps other commands from assigning or taking
        // tokens.
        let Some(_registry) = self.writer()? else { return Ok(false) };
        let held = self.registered(user)?;
        if held.is_empty() {
            return Ok(false);
        }
        let account = self.locked_and_new(user)?;
        if account.has(SECRET)? || account.state()? != State::default() {
            // Another command made it meanwhile.
            return self.reset_account(&account, user, reset);
        }
        account.keep_alone(&Remains::of(None, None, held, self.clock.now()?)?)?;
        Ok(true)
    }

    fn replace_recovery(&self, user: &UserName, codes: &[RecoveryCode]) -> Result<bool, EnrollError> {
        self.claim_if_used()?;
        let Some(account) = self.locked(user)? else {
            return Ok(false);
        };
        let state = account.state()?;
        let mut credentials = match account.credentials()? {
            Some(credentials) => credentials,
            None if state.tokens_held == 0 => return Ok(false),
            None => Credentials::none()?,
        };
        credentials.replace_recovery(codes);
        account.write_credentials(&state, &credentials)?;
        Ok(true)
    }

    fn give_code(&self, person: &Person, until: UnixTime) -> Result<Option<TemporaryCode>, EnrollError> {
        self.claim_if_used()?;
        self.hand_out(person, until, None)
    }

    fn revoke_code(&self, user: &UserName) -> Result<bool, StoreError> {
        self.claim_if_used()?;
        self.take_back_handout(user, None)
    }

    fn unlock(&self, user: &UserName) -> Result<Option<u32>, StoreError> {
        self.claim_if_used()?;
        self.forgive(user, &Count::ALL, None)
    }
}

impl Files {
    /// The account of a person, locked, made when there is none.
    fn to_enroll<'p>(
        &self,
        person: &'p Person,
        existing: Existing,
    ) -> Result<(LockedAccount, Enrolling<'p>), EnrollError> {
        let user = &person.name;
        self.claim()?;
        let account = self.locked_or_new(user)?;
        let credentials = match account.credentials() {
            // An enrollment that replaces gets out of it, as a reset does. Tokens come back from the registry.
            Err(error) if error.loss() == Some(Loss::Credentials) && existing == Existing::Replace => {
                Some(Credentials { held: self.registered(user)?, ..Credentials::none()? })
            }
            credentials => credentials?,
        };
        // It must be there too. A new one would make burned codes good again.
        let mut state = account.state()?;
        Self::check_belongings(&account, &state, person)?;
        state.has_credentials |= account.has(SECRET)?;
        let mut enrolling = Enrolling::of(person, credentials, state)?;
        if enrolling.state.tokens_held > 0 {
            // Those that `migrate` has not moved yet: the app may have the key of one of them.
            let registered = self.registered(user)?;
            enrolling.state = enrolling.state.recognizing(registered.iter().map(|held| &held.token));
        }
        Ok((account, enrolling))
    }

    /// Makes a temporary code.
    pub(super) fn hand_out(
        &self,
        person: &Person,
        until: UnixTime,
        notice: Option<Notice>,
    ) -> Result<Option<TemporaryCode>, EnrollError> {
        let code = TemporaryCode::generate()?;
        let user = &person.name;
        let Some(account) = self.locked(user)? else { return Ok(None) };
        let mut state = account.state()?;
        if !account.has_credentials()? {
            return Ok(migrated(user, &state).map(|()| None)?);
        }
        Self::check_belongings(&account, &state, person)?;
        changes::hand_out(&mut state, &code, until, notice)?;
        account.write_state(&state)?;
        Ok(Some(code))
    }

    /// Takes the temporary code back. The notice is kept where there was one.
    pub(super) fn take_back_handout(&self, user: &UserName, notice: Option<Notice>) -> Result<bool, StoreError> {
        let Some(account) = self.locked(user)? else { return Ok(false) };
        let now = self.clock.now()?;
        let mut state = account.state()?;
        let had = changes::take_back_handout(&mut state, now, notice);
        account.write_state(&state)?;
        Ok(had)
    }

    /// Forgets the failures on these counts, and remembered logins.
    pub(super) fn forgive(
        &self,
        user: &UserName,
        counts: &[Count],
        notice: Option<Notice>,
    ) -> Result<Option<u32>, StoreError> {
        let Some(account) = self.locked(user)? else {
            return Ok(None);
        };
        let has_credentials = account.has_credentials()?;
        let mut state = account.state()?;
        let is_enrolled = has_credentials || state.tokens_held > 0;
        let Some(failures) = changes::forgiven(&mut state, is_enrolled, counts, notice) else { return Ok(None) };
        state.has_credentials = has_credentials;
        account.write_state(&state)?;
        Ok(Some(failures))
    }

    /// All users with a folder: those with credentials or with a folder that cannot be judged, and the others.
    fn with_and_without_credentials(&self) -> Result<(Vec<UserName>, Vec<UserName>), StoreError> {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        let Some(users) = self.users_folder()? else { return Ok((with, without)) };
        for user in users_in(&users)? {
            match users.folder(user.as_str()) {
                Ok(Some(folder)) if Account(&folder).has_credentials().unwrap_or(true) => with.push(user),
                Ok(Some(_)) => without.push(user),
                Ok(None) => {}
                Err(_) => with.push(user),
            }
        }
        Ok((with, without))
    }

    /// The physical tokens of a user as the registry has them.
    pub(super) fn registered(&self, user: &UserName) -> Result<Vec<Held>, StoreError> {
        let reader = self.state_folder()?.map(|state| RegistryReader::open(&state)).transpose()?.flatten();
        Ok(reader.map(|reader| reader.held_by(user)).transpose()?.unwrap_or_default())
    }

    /// The owners of physical tokens; none when the registry cannot be read, because each user's status reports that
    /// error.
    fn owners(&self) -> Vec<UserName> {
        let reader = self.state_folder().ok().flatten().and_then(|state| RegistryReader::open(&state).ok()).flatten();
        reader.and_then(|reader| reader.owners().ok()).unwrap_or_default()
    }

    pub(super) fn reset_account(
        &self,
        account: &LockedAccount,
        user: &UserName,
        reset: Reset,
    ) -> Result<bool, StoreError> {
        match reset {
            Reset::Everything => self.forget_all_but_tokens(account, user),
            Reset::Confirmations => {
                let Some(credentials) = account.credentials()?.filter(|credentials| !credentials.has_tokens_alone())
                else {
                    return account.forget_favours(&account.state()?);
                };
                let Whole { credentials, state } = changes::unconfirmed(credentials, account.state()?);
                account.write(&state, &credentials)?;
                Ok(true)
            }
        }
    }

    /// Forgets an account but for its physical tokens. This is the way out of a damaged one, too: what cannot be understood is
    /// forgotten, and tokens come back from the registry.
    fn forget_all_but_tokens(&self, account: &LockedAccount, user: &UserName) -> Result<bool, StoreError> {
        let (state, credentials) = (account.state(), account.credentials());
        if let (Ok(state), Ok(credentials)) = (&state, &credentials)
            && credentials.as_ref().is_none_or(Credentials::has_tokens_alone)
            && state.tokens_held == 0
            && account.has(SECRET)? == credentials.is_some()
        {
            return account.forget_favours(state);
        }
        let is_whole = matches!((&state, &credentials), (Ok(state), Ok(_)) if state.tokens_held == 0);
        let (before, credentials) = match (state, credentials) {
            (Ok(state), credentials) => (Some(state), credentials.ok().flatten()),
            (Err(error), credentials)
                if FilesError::is_of_the_state(&error)
                    || matches!(FilesError::of(&error), Some(FilesError::File(FileError::TooLarge { .. }))) =>
            {
                (None, credentials.ok().flatten())
            }
            (Err(error), _) => return Err(error),
        };
        let held = match &credentials {
            Some(credentials) if is_whole || before.is_none() => credentials.held.clone(),
            Some(_) | None => self.registered(user)?,
        };
        account.keep_alone(&Remains::of(before, credentials.as_ref(), held, self.clock.now()?)?)?;
        Ok(true)
    }

    /// The account as it is, without locking it; `None` when the user is not enrolled.
    fn account(&self, user: &UserName) -> Result<Option<(Credentials, State)>, StoreError> {
        let Some(account) = self.unlocked(user)? else { return Ok(None) };
        let Some(credentials) = account.credentials()? else { return Ok(None) };
        Ok(Some((credentials, account.state()?)))
    }
}

impl LockedAccount {
    /// Puts what is left of the account in its place. What a crash leaves behind opens less than it did before, or nothing.
    fn keep_alone(&self, remains: &Remains) -> Result<(), StoreError> {
        match &remains.credentials {
            None => {
                if let Ok(state) = self.state()
                    && state.has_credentials
                {
                    // Killed between this and the next, it leaves an account that is whole, or one that has none.
                    self.overwrite_state(&State { has_credentials: false, ..state })?;
                }
                // In this order: what a crash leaves behind is a state without secrets, which opens nothing.
                self.folder().remove(SECRET)?;
            }
            Some(credentials) => self.folder().replace(SECRET, credentials_text::write(credentials).as_bytes())?,
        }
        self.write_state(&remains.state)
    }

    /// Forgets what spares the user a code or lets him enroll. `false` when there is nothing of it.
    fn forget_favours(&self, state: &State) -> Result<bool, StoreError> {
        let Some(without) = changes::without_favours(state) else { return Ok(false) };
        self.write_state(&without)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::clock::SystemClock;
    use crate::host::trusted::Owner;
    use crate::store::files::PATIENCE;
    use crate::store::files::user_folder::USERS;

    #[test]
    fn a_broken_account_is_listed_and_does_not_hide_the_others() {
        let directory = crate::host::trusted::private_directory();
        let files = Files::new(directory.path(), Owner(nix::unistd::geteuid().as_raw()), PATIENCE, SystemClock);
        assert!(files.users().unwrap().is_empty(), "nothing was ever enrolled");
        let users = directory.path().join(USERS);
        let alice = UserName::new("alice").unwrap();
        drop(files.locked_or_new(&alice).unwrap());
        for (name, content) in [("alice", "healthy"), ("bob", "healthy")] {
            std::fs::create_dir_all(users.join(name)).unwrap();
            std::fs::write(users.join(name).join(SECRET), content).unwrap();
        }
        drop(files.locked_or_new(&UserName::new("carol").unwrap()).unwrap());
        std::os::unix::fs::symlink("/nowhere", users.join("dave")).unwrap();
        std::fs::remove_file(users.join("bob").join(SECRET)).unwrap();
        std::os::unix::fs::symlink("/nowhere", users.join("bob").join(SECRET)).unwrap();
        let names: Vec<String> = files.users().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["alice", "bob", "dave"], "carol has a folder and no account");
    }
}
