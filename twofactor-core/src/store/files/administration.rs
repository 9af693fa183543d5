//! Administration of accounts in the files: enroll, look, reset, unlock. No login calls it.

use crate::account::factors::Factors;
use crate::account::notice::Notice;
use crate::account::remembered::Memories;
use crate::account::throttle::{Count, Source, Throttle};
use crate::account::{
    App, Confirmation, Credentials, Held, Judgement, MOST_APPS, MOST_RECOVERY_CODES, Rules, State, Usage, Wallet,
};
use crate::codes::answer::Answer;
use crate::codes::otp::{self, Reaches};
use crate::codes::recovery::RecoveryCode;
use crate::codes::temporary::{Handout, TemporaryCode};
use crate::codes::token::{Label, Seed, Token};
use crate::host::clock::UnixTime;
use crate::host::trusted::FileError;
use crate::host::user::{Person, UserName};
use crate::store::administration::{
    AccountAdministration, AccountStatus, AppStatus, EnrollError, Existing, MoveInError, Newcomer, Reset,
    StateIdentity as _,
};
use crate::store::credentials_text;
use crate::store::error::{Loss, StoreError};
use crate::store::files::error::FilesError;
use crate::store::files::identity::users_in;
use crate::store::files::locations::{Files, migrated};
use crate::store::files::user_folder::{Account, LockedAccount, SECRET};
use crate::store::registry::RegistryReader;
use crate::store::rules::VerificationRules;

impl AccountAdministration for Files {
    fn enroll(
        &self,
        person: &Person,
        app: App,
        recovery: Option<&[RecoveryCode]>,
        existing: Existing,
    ) -> Result<(), EnrollError> {
        let mut enrolling = self.to_enroll(person, existing)?;
        let label = &app.token().label;
        if let Some(present) = enrolling.credentials.app(label)
            && present.confirmation() == Confirmation::Confirmed
            && existing == Existing::Keep
        {
            return Err(EnrollError::AlreadyEnrolled(person.name.clone(), label.clone()));
        }
        enrolling.credentials.apps.retain(|present| present.token().label != *label);
        enrolling.add(app)?;
        if let Some(codes) = recovery {
            enrolling.credentials.replace_recovery(codes);
        }
        enrolling.finish()
    }

    fn move_in(
        &self,
        person: &Person,
        apps: Vec<App>,
        recovery: &[RecoveryCode],
        existing: Existing,
    ) -> Result<usize, MoveInError> {
        let mut enrolling = self.to_enroll(person, existing)?;
        let has_factors = enrolling.has_factors();
        if existing == Existing::Keep && has_factors {
            return Err(MoveInError::Enrolled(person.name.clone()));
        }
        let has_been_here = apps.iter().any(|app| enrolling.state.has_recorded(app.token().seeds()));
        let was_reset = has_been_here && !has_factors;
        if existing == Existing::Keep && was_reset {
            return Err(MoveInError::WasReset(person.name.clone()));
        }
        enrolling.credentials.apps.clear();
        for app in apps {
            // Also the distance of its clock, of which no code of it has been used.
            enrolling.state.begin_to_record(app.token());
            enrolling.add(app)?;
        }
        let most = if was_reset { 0 } else { MOST_RECOVERY_CODES };
        let recovery = recovery.get(..most.min(recovery.len())).unwrap_or_default();
        enrolling.credentials.replace_recovery(recovery);
        enrolling.finish()?;
        Ok(recovery.len())
    }

    fn status(&self, user: &UserName) -> Result<Option<AccountStatus>, StoreError> {
        let (VerificationRules { window, limits, .. }, now) = (self.rules, self.clock.now()?);
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
        let apps = credentials.iter().flat_map(|credentials| &credentials.apps).map(|app| {
            let token = app.token();
            let progress = state.progress_of(token);
            AppStatus {
                serial: token.serial.clone(),
                label: token.label.clone(),
                parameters: token.parameters,
                issued: token.issued,
                drift: progress.drift,
                burned_until: otp::burned_until(token.parameters.kind, progress, window, now),
                confirmation: app.confirmation(),
                last_accepted: state.usage_of(token.seeds()).last_accepted,
            }
        });
        Ok(Some(AccountStatus {
            apps: apps.collect(),
            tokens,
            tokens_problem,
            ssh_keys: credentials.as_ref().map_or_else(Vec::new, |credentials| credentials.ssh_keys.clone()),
            recovery_left: credentials.as_ref().map_or(0, |credentials| credentials.recovery_left(&state)),
            failures: state.throttle.user.count,
            blocked_until: state.throttle.others_blocked_until(limits, now),
            own_failures: state.unprivileged.user.count,
            own_blocked_until: state.unprivileged.others_blocked_until(limits, now),
            last_accepted: state.last_accepted,
            invited_until: state.invitation.and_then(|invitation| invitation.open_until(now)),
            temporary_until: state.handout.and_then(|handout| handout.open_until(now)),
            uid: state.uid,
        }))
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
        let (limits, now) = (self.rules.limits, self.clock.now()?);
        let Some(account) = self.unlocked(user)? else { return Ok(None) };
        if account.has_credentials()? {
            return Ok(None);
        }
        let state = account.state()?;
        let newcomer = |invited_until| Newcomer {
            uid: state.uid,
            invited_until,
            failures: state.throttle.user.count,
            blocked_until: state.throttle.others_blocked_until(limits, now),
        };
        Ok(state.invitation.and_then(|invitation| invitation.open_until(now)).map(newcomer))
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
        if credentials.is_none() {
            return migrated(user, &state).map(|()| None);
        }
        // A sysadmin learns of codes that are further off than a login looks.
        let rules = Rules { window: self.rules.window, reaches: Reaches::DAY, now: self.clock.now()? };
        let wallet = Wallet { credentials: credentials.as_ref(), factors: Factors::ALL };
        let is_migrated = migrated(user, &state);
        match wallet.judge(&[answer], None, &state.recognizing(wallet.tokens()), &rules) {
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
        let pending = |app: &App| app.token().label == *label && app.confirmation() == Confirmation::Pending;
        Ok(credentials.apps.into_iter().find(pending).map(|app| app.offered_again(&state)))
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
        let usage = burned_blindly(&held, self.clock.now()?);
        account.keep_tokens_alone(held, State { usage, ..State::default() })?;
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

/// An account while something is enrolled in it, under its lock.
struct Enrolling<'p> {
    person: &'p Person,
    account: LockedAccount,
    state: State,
    credentials: Credentials,
}

impl Enrolling<'_> {
    /// True when the account has anything that opens a session, be it put aside.
    fn has_factors(&self) -> bool {
        let Credentials { apps, recovery, held, ssh_keys, .. } = &self.credentials;
        let has_any = !apps.is_empty() || !recovery.is_empty() || !held.is_empty() || !ssh_keys.is_empty();
        has_any || self.state.tokens_held > 0
    }

    fn add(&mut self, app: App) -> Result<(), EnrollError> {
        if self.credentials.apps.len() >= MOST_APPS {
            return Err(EnrollError::TooMany(self.person.name.clone()));
        }
        self.state.begin(app.token());
        self.credentials.apps.push(app);
        Ok(())
    }

    /// Writes the account as it is now.
    fn finish(mut self) -> Result<(), EnrollError> {
        self.state.invitation = None;
        self.state.uid = Some(self.person.uid);
        self.state.has_credentials |= self.account.has(SECRET)?;
        self.state.tidy(&Wallet { credentials: Some(&self.credentials), factors: Factors::ALL });
        Ok(self.account.write(&self.state, &self.credentials)?)
    }
}

impl Files {
    /// The account of a person, locked, made when there is none. What was used of its secrets is found under their keys.
    fn to_enroll<'p>(&self, person: &'p Person, existing: Existing) -> Result<Enrolling<'p>, EnrollError> {
        let user = &person.name;
        self.claim()?;
        let account = self.locked_or_new(user)?;
        let credentials = match account.credentials() {
            // What takes its place is named. Tokens come back from the registry.
            Err(error) if error.loss() == Some(Loss::Credentials) && existing == Existing::Replace => {
                Some(Credentials { held: self.registered(user)?, ..Credentials::none()? })
            }
            credentials => credentials?,
        };
        // It must be there too. A new one would make burned codes good again.
        let mut state = account.state()?;
        Self::check_belongings(&account, &state, person)?;
        let credentials = credentials.map_or_else(Credentials::none, Ok)?;
        let before = Wallet { credentials: Some(&credentials), factors: Factors::ALL };
        state = state.recognizing(before.tokens());
        if state.tokens_held > 0 {
            // Those that `migrate` has not moved yet: the app may have the key of one of them.
            state = state.recognizing(self.registered(user)?.iter().map(|held| &held.token));
        }
        Ok(Enrolling { person, account, state, credentials })
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
        state.handout = Some(Handout::of(&code, until)?);
        if let Some(notice) = notice {
            state.notice(notice);
        }
        account.write_state(&state)?;
        Ok(Some(code))
    }

    /// Takes the temporary code back. The notice is kept where there was one.
    pub(super) fn take_back_handout(&self, user: &UserName, notice: Option<Notice>) -> Result<bool, StoreError> {
        let Some(account) = self.locked(user)? else { return Ok(false) };
        let now = self.clock.now()?;
        let mut state = account.state()?;
        let had = state.handout.take().is_some_and(|handout| handout.open_until(now).is_some());
        if let Some(notice) = notice.filter(|_| had) {
            state.notice(notice);
        }
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
        // Guesses of invitations and serials at the login prompt are counted before any enrollment.
        let mut state = account.state()?;
        let is_enrolled = has_credentials || state.tokens_held > 0;
        let failures = state.throttle.user.count;
        if !is_enrolled && failures == 0 {
            return Ok(None);
        }
        state.has_credentials = has_credentials;
        state.memories.clear();
        for count in counts {
            let throttle = state.throttle_of_mut(*count);
            *throttle = Throttle { trusted: throttle.trusted.take(), ..Throttle::default() };
        }
        if let Some(notice) = notice {
            state.notice(notice);
        }
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
                let Some(mut credentials) =
                    account.credentials()?.filter(|credentials| !credentials.has_tokens_alone())
                else {
                    return account.forget_favours(&account.state()?);
                };
                let state =
                    State { memories: Memories::default(), invitation: None, handout: None, ..account.state()? };
                credentials.apps.iter_mut().for_each(App::unconfirm);
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
            // Under the keys of all secrets, which are forgotten after this.
            (Ok(state), credentials) => {
                let credentials = credentials.ok().flatten();
                let all = Wallet { credentials: credentials.as_ref(), factors: Factors::ALL };
                (Some(state.recognizing(all.tokens())), credentials)
            }
            (Err(error), credentials)
                if FilesError::is_of_the_state(&error)
                    || matches!(FilesError::of(&error), Some(FilesError::File(FileError::TooLarge { .. }))) =>
            {
                (None, credentials.ok().flatten())
            }
            (Err(error), _) => return Err(error),
        };
        let held = match credentials {
            Some(credentials) if is_whole || before.is_none() => credentials.held,
            Some(_) | None => self.registered(user)?,
        };
        let after = match before {
            // Tokens that stay are still those of the same person.
            Some(before) => {
                let uid = before.uid.filter(|_| !held.is_empty());
                let State { usage, notices, helpdesk, .. } = before;
                State { usage, helpdesk, notices, uid, ..State::default() }
            }
            None => State { usage: burned_blindly(&held, self.clock.now()?), ..State::default() },
        };
        account.keep_tokens_alone(held, after)?;
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
    /// Puts these tokens in the place of all credentials, and `state` in the place of the state. What a crash leaves behind
    /// opens less than it did before, or nothing.
    fn keep_tokens_alone(&self, held: Vec<Held>, state: State) -> Result<(), StoreError> {
        let mut after = State { has_credentials: !held.is_empty(), ..state };
        for held in &held {
            after.begin_to_record(&held.token);
        }
        if held.is_empty() {
            if let Ok(state) = self.state()
                && state.has_credentials
            {
                // Killed between this and the next, it leaves an account that is whole, or one that has none.
                self.overwrite_state(&State { has_credentials: false, ..state })?;
            }
            // In this order: what a crash leaves behind is a state without secrets, which opens nothing.
            self.folder().remove(SECRET)?;
        } else {
            let credentials = Credentials { held, ..Credentials::none()? };
            self.folder().replace(SECRET, credentials_text::write(&credentials).as_bytes())?;
        }
        self.write_state(&after)
    }

    /// Forgets what spares the user a code or lets him enroll. `false` when there is nothing of it.
    fn forget_favours(&self, state: &State) -> Result<bool, StoreError> {
        let without = State { memories: Memories::default(), invitation: None, handout: None, ..state.clone() };
        if without == *state {
            return Ok(false);
        }
        self.write_state(&without)?;
        Ok(true)
    }
}

/// The usage of tokens whose state is lost: every code that could have been accepted until now is burned.
fn burned_blindly(held: &[Held], now: UnixTime) -> Vec<(Seed, Usage)> {
    let mut state = State::default();
    for Held { token, .. } in held {
        let start = token.start.burned_blindly(token.parameters.kind, now);
        state.burn(token.seeds(), start);
    }
    state.usage
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
