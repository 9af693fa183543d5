//! Administration of accounts.

use twofactor_core::account::invitation::InvitationCode;
use twofactor_core::account::throttle::{Count, Source};
use twofactor_core::account::{App, EnrolledKey, Judgement};
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::temporary::TemporaryCode;
use twofactor_core::codes::token::{Label, Token};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{
    AccountAdministration, AccountExport, AccountOwnership, AccountRenaming, AccountStatus, AddedKey, Adoption, Author,
    Belongs, EnrollError, Existing, ExportedAccount, InvitationAdministration, LastCredential, MoveInError, Newcomer,
    RenameError, Renamed, Reset, SshKeyAdministration, SshKeyError,
};
use twofactor_core::store::files::Files;
use twofactor_core::store::{StoreError, Superseded};

use super::store::{ByName, by_name};

impl AccountAdministration for ByName {
    fn enroll(
        &self,
        person: &Person,
        app: App,
        recovery: Option<&[RecoveryCode]>,
        existing: Existing,
    ) -> Result<(), EnrollError> {
        let enroll = |files: &Files| files.enroll(&by_name(person), app, recovery, existing);
        self.change(&person.name, Event::Enrolled, enroll, |()| true)
    }

    fn move_in(
        &self,
        person: &Person,
        apps: Vec<App>,
        recovery: &[RecoveryCode],
        existing: Existing,
    ) -> Result<usize, MoveInError> {
        let move_in = |files: &Files| Ok::<_, EnrollError>(files.move_in(&by_name(person), apps, recovery, existing));
        self.change(&person.name, Event::Enrolled, move_in, Result::is_ok)?
    }

    fn status(&self, user: &UserName) -> Result<Option<AccountStatus>, StoreError> {
        self.act(|files| files.status(user))
    }

    fn users(&self) -> Result<Vec<UserName>, StoreError> {
        self.act(AccountAdministration::users)
    }

    fn newcomers(&self) -> Result<Vec<UserName>, StoreError> {
        self.act(AccountAdministration::newcomers)
    }

    fn newcomer(&self, user: &UserName) -> Result<Option<Newcomer>, StoreError> {
        self.act(|files| files.newcomer(user))
    }

    fn has_traces(&self, user: &UserName) -> Result<bool, StoreError> {
        self.act(|files| files.has_traces(user))
    }

    fn blocked_until(&self, user: &UserName, count: Count, source: &Source) -> Result<Option<UnixTime>, StoreError> {
        self.act(|files| files.blocked_until(user, count, source))
    }

    fn verify(&self, user: &UserName, answer: Answer) -> Result<Option<Judgement>, StoreError> {
        self.act(|files| files.verify(user, answer))
    }

    fn pending(&self, user: &UserName, label: &Label) -> Result<Option<Token>, StoreError> {
        self.act(|files| files.pending(user, label))
    }

    fn reset(&self, user: &UserName, reset: Reset) -> Result<bool, StoreError> {
        self.change(user, Event::Reset, |files| files.reset(user, reset), |was_there| *was_there)
    }

    fn replace_recovery(&self, user: &UserName, codes: &[RecoveryCode]) -> Result<bool, EnrollError> {
        self.change(user, Event::RecoveryReplaced, |files| files.replace_recovery(user, codes), |is_done| *is_done)
    }

    fn give_code(&self, person: &Person, until: UnixTime) -> Result<Option<TemporaryCode>, EnrollError> {
        let give = |files: &Files| files.give_code(&by_name(person), until);
        self.change(&person.name, Event::CodeGiven, give, Option::is_some)
    }

    fn revoke_code(&self, user: &UserName) -> Result<bool, StoreError> {
        self.change(user, Event::CodeRevoked, |files| files.revoke_code(user), |was_there| *was_there)
    }

    fn unlock(&self, user: &UserName) -> Result<Option<u32>, StoreError> {
        self.change(user, Event::Unlocked, |files| files.unlock(user), Option::is_some)
    }
}

impl InvitationAdministration for ByName {
    fn invite(&self, person: &Person, until: UnixTime) -> Result<InvitationCode, Superseded> {
        let invite = |files: &Files| files.invite(&by_name(person), until);
        self.change(&person.name, Event::Invited, invite, |_| true)
    }

    fn revoke_invitation(&self, user: &UserName) -> Result<bool, StoreError> {
        self.change(user, Event::InvitationRevoked, |files| files.revoke_invitation(user), |was_there| *was_there)
    }
}

impl SshKeyAdministration for ByName {
    /// None: no login of a fleet asks for keys.
    fn add_ssh_key(&self, _: &Person, _: EnrolledKey) -> Result<AddedKey, SshKeyError> {
        Err(SshKeyError::CountsNowhere)
    }

    fn remove_ssh_key(&self, user: &UserName, name: &str, last: LastCredential) -> Result<EnrolledKey, SshKeyError> {
        self.change(user, Event::SshKeyRemoved, |files| files.remove_ssh_key(user, name, last), |_| true)
    }
}

impl AccountOwnership for ByName {
    fn names(&self) -> Result<Vec<UserName>, StoreError> {
        self.act(AccountOwnership::names)
    }

    fn belongs(&self, user: &UserName) -> Result<Belongs, StoreError> {
        self.act(|files| files.belongs(user))
    }

    fn check_owner(&self, person: &Person) -> Result<(), StoreError> {
        self.act(|files| files.check_owner(&by_name(person)))
    }

    fn adopt_uid(&self, person: &Person, seen: Belongs) -> Result<Adoption, StoreError> {
        self.act(|files| files.adopt_uid(&by_name(person), seen))
    }
}

impl AccountRenaming for ByName {
    fn rename(&self, from: &UserName, to: &Person, seen: Belongs, by: Author<'_>) -> Result<Renamed, RenameError> {
        self.act(|files| files.rename(from, &by_name(to), seen, by))
    }
}

impl AccountExport for ByName {
    fn export(&self, user: &UserName) -> Result<Option<ExportedAccount>, StoreError> {
        self.act(|files| files.export(user))
    }

    fn note_showing(&self, user: &UserName, event: Event, labels: &[&Label]) -> Result<(), StoreError> {
        self.act(|files| files.note_showing(user, event, labels))
    }
}
