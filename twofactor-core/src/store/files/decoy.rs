//! Decoy work, for attempts whose refusal is known before a look at the code: a user who does not exist or is not
//! enrolled, and an attempt that is refused unseen. The duration of a refusal must not reveal its reason.
//!
//! The account `decoy/` beside the users has no owner and the usual size. Decoy attempts read it, judge the answer by
//! it and overwrite its state as they would an account's. Invariants: the decoy accepts no answer, its errors change no
//! refusal, and no attempt waits for its lock, so that strangers delay each other no more than users do.

use super::locations::Files;
use super::slots::Slots;
use super::user_folder::{Account, SECRET, STATE, StateFile, replace_state};
use crate::account::{State, Wallet};
use crate::host::clock::UnixTime;
use crate::host::trusted::Folder;
use crate::host::user::{Person, Uid, UserName};
use crate::store::credentials_text;
use crate::store::decoy::credentials;
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::redemption::Attempt;
use crate::store::state_text;
use crate::store::verification::{Presented, in_vain};

/// The folder of the decoy account, beside the users folder.
pub(super) const DECOY: &str = "decoy";

impl Files {
    /// Does the work of an attempt for a user who does not exist.
    pub(super) fn work_for_nobody(&self, attempt: &Attempt<'_>) {
        if let Ok(nobody) = UserName::new(DECOY) {
            let account = self.unlocked(&nobody).ok().flatten();
            let _ = account.map(|account| account.credentials());
        }
        self.work_in_vain(attempt);
    }

    /// Does the work of an attempt for a user whose account was looked up and holds nothing.
    pub(super) fn work_in_vain(&self, attempt: &Attempt<'_>) {
        // What a refusal says does not depend on it.
        let _ = self.try_in_vain(attempt);
    }

    fn try_in_vain(&self, attempt: &Attempt<'_>) -> Result<(), StoreError> {
        let now = self.clock.now()?;
        // Without a state there are no users to tell apart.
        let (Some(state), Some(_)) = (self.state_folder()?, self.users_folder()?) else { return Ok(()) };
        let decoy = match state.folder(DECOY)? {
            Some(folder) => Account(folder),
            None => new_decoy(&state, now)?,
        };
        let credentials = match decoy.credentials() {
            Ok(Some(credentials)) => credentials,
            Ok(None) => return new_decoy(&state, now).map(drop),
            Err(error) if FilesError::is_of_the_state(&error) => return new_decoy(&state, now).map(drop),
            Err(error) => return Err(error),
        };
        let Some(file) = decoy.folder().open_in_place(STATE)? else { return new_decoy(&state, now).map(drop) };
        let mut file = StateFile { folder: decoy.folder(), file, slots: None, has_counted_a_guess: false };
        // Others may be writing it at the same time: that is no damage, and what they leave is overwritten.
        let Ok(before) = file.read() else {
            let whole = Slots::file(&state_text::write(&State::default())).unwrap_or_default();
            file.file.overwrite(&whole, 0)?;
            return Ok(file.file.sync()?);
        };
        let wallet = Wallet { credentials: Some(&credentials), factors: attempt.factors };
        let nobody = UserName::new(DECOY).map_err(|_| decoy.lost_state())?;
        let nobody = Person { name: nobody, uid: Uid(u32::MAX) };
        in_vain(&mut file, Presented { person: &nobody, wallet: &wallet, attempt, rules: &self.rules, now }, &before);
        Ok(())
    }
}

/// Makes the decoy account anew.
fn new_decoy(state: &Folder, now: UnixTime) -> Result<Account<Folder>, StoreError> {
    let decoy = Account(state.make_folder(DECOY)?);
    let credentials = credentials(now).map_err(|_| decoy.lost_state())?;
    replace_state(decoy.folder(), &state_text::write(&State::default()))?;
    decoy.folder().replace(SECRET, credentials_text::write(&credentials).as_bytes())?;
    Ok(decoy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::App;
    use crate::account::factors::Factors;
    use crate::account::throttle::Source;
    use crate::codes::answer::Answer;
    use crate::codes::otp::{Parameters, Progress};
    use crate::codes::secret::Secret;
    use crate::codes::token::{Label, Serial, Token};
    use crate::host::trusted::{Owner, private_directory};
    use crate::host::user::person;
    use crate::log::reason::Reason;
    use crate::store::administration::{AccountAdministration as _, StateInspection as _};
    use crate::store::files::PATIENCE;
    use crate::store::files::user_folder::USERS;
    use crate::store::{Redemption, Store as _};
    use std::fs;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn files(directory: &tempfile::TempDir) -> Files {
        Files::new(directory.path(), Owner(nix::unistd::geteuid().as_raw()), PATIENCE, NOW)
    }

    fn attempting(files: &Files) {
        let readings = [Answer::parse(b"123456")];
        let source = Source::from_rhost(Some("192.0.2.7"));
        let attempt =
            Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember: None };
        let written = || fs::read(files.state.join(DECOY).join(STATE)).ok();
        let before = written();
        files.pretend(&attempt);
        let between = written();
        let redemption = files.redeem(&person("newcomer", 1002), &attempt);
        if directory_of(files).exists() {
            assert!(before != between, "for a user who does not exist nothing was written");
            assert!(between != written(), "for a user who has nothing, neither");
            let refused = Redemption::Refused { reason: Reason::NotEnrolled, hint: None };
            assert_eq!(format!("{:?}", redemption.unwrap()), format!("{refused:?}"));
        }
    }

    fn directory_of(files: &Files) -> std::path::PathBuf {
        files.state.join(USERS)
    }

    #[test]
    fn an_attempt_in_vain_writes_as_a_wrong_code_does_and_nothing_grows() {
        let directory = private_directory();
        let files = files(&directory);
        drop(files.state_folder_or_new().unwrap().make_folder(USERS).unwrap());
        attempting(&files);
        let state = directory.path().join(DECOY).join(STATE);
        let written = || (fs::metadata(&state).unwrap().modified().unwrap(), fs::read(&state).unwrap());
        let (size, mut before) = (written().1.len(), written());
        for _ in 0..5 {
            attempting(&files);
            let now = written();
            assert_ne!(before, now, "something was written");
            assert_eq!(now.1.len(), size);
            before = now;
        }
        assert!(directory_of(&files).read_dir().unwrap().next().is_none(), "nobody has got an account");
        assert!(files.inspect().flaws.is_empty(), "{:?}", files.inspect());
        // Whatever becomes of it, it is made good and changes no answer.
        for damage in ["", "garbage"] {
            for name in [STATE, SECRET] {
                fs::write(directory.path().join(DECOY).join(name), damage).unwrap();
                (0..2).for_each(|_| attempting(&files));
                assert!(files.inspect().flaws.is_empty(), "{name}: {:?}", files.inspect());
            }
        }
    }

    #[test]
    fn an_attempt_that_is_refused_unseen_writes_as_much_as_one_that_is_judged() {
        let directory = private_directory();
        let mut files = files(&directory);
        files.rules.limits.free_attempts = 2;
        let alice = person("alice", 1001);
        let secret = Secret::generate(20).unwrap();
        let (serial, label, start) = (Serial::new("app-1").unwrap(), Label::app(), Progress::default());
        let token = Token { serial, label, secret, parameters: Parameters::default(), issued: NOW, start };
        files.enroll(&alice, App::vouched_for(token), None, crate::store::administration::Existing::Keep).unwrap();
        let state = directory_of(&files).join("alice").join(STATE);
        let refused = |answer: &str, expected: Reason| {
            let source = Source::from_rhost(None);
            let before = fs::read(&state).unwrap();
            let readings = [Answer::parse(answer.as_bytes())];
            let attempt =
                Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember: None };
            let redemption = files.redeem(&alice, &attempt).unwrap();
            assert!(matches!(redemption, Redemption::Refused { reason, .. } if reason == expected), "{redemption:?}");
            assert_ne!(fs::read(&state).unwrap(), before, "{answer}: nothing was written");
        };
        refused("letters", Reason::WrongCode);
        for number in 0..2 {
            refused(&format!("{number:08}"), Reason::WrongCode);
        }
        for number in 2..5 {
            refused(&format!("{number:08}"), Reason::Throttled);
            refused("letters", Reason::Throttled);
        }
    }

    #[test]
    fn where_there_is_no_state_none_is_made() {
        let directory = private_directory();
        attempting(&files(&directory));
        assert!(directory.path().read_dir().unwrap().next().is_none());
    }
}
