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
    AccountAdministration, AccountExport, AccountOwnership, AccountStatus, AddedKey, Adoption, Belongs, EnrollError,
    Existing, ExportedAccount, InvitationAdministration, LastCredential, MoveInError, Newcomer, Reset,
    SshKeyAdministration, SshKeyError,
};
use twofactor_core::store::{StoreError, Superseded};

use super::store::Central;
use crate::database::names::Kept;

impl AccountAdministration for Central {
    fn enroll(
        &self,
        person: &Person,
        app: App,
        recovery: Option<&[RecoveryCode]>,
        existing: Existing,
    ) -> Result<(), EnrollError> {
        self.enroll_in(&person.name, existing, |one| one.enroll(person, app.clone(), recovery, existing))
    }

    fn move_in(
        &self,
        person: &Person,
        apps: Vec<App>,
        recovery: &[RecoveryCode],
        existing: Existing,
    ) -> Result<usize, MoveInError> {
        let moved = self.enroll_in(&person.name, existing, |one| {
            Ok::<_, StoreError>(one.move_in(person, apps.clone(), recovery, existing))
        });
        moved.map_err(EnrollError::from)?
    }

    fn status(&self, user: &UserName) -> Result<Option<AccountStatus>, StoreError> {
        let Some(status) = self.look(user, |one| one.status(user))? else { return Ok(None) };
        Ok(Some(match self.tokens_of(user) {
            Ok(tokens) => AccountStatus { tokens, ..status },
            Err(error) => AccountStatus { tokens_problem: Some(error), ..status },
        }))
    }

    fn users(&self) -> Result<Vec<UserName>, StoreError> {
        self.wait(self.database.names(Kept::Credentials))
    }

    fn newcomers(&self) -> Result<Vec<UserName>, StoreError> {
        self.wait(self.database.names(Kept::StateAlone))
    }

    fn newcomer(&self, user: &UserName) -> Result<Option<Newcomer>, StoreError> {
        self.look(user, |one| one.newcomer(user))
    }

    fn has_traces(&self, user: &UserName) -> Result<bool, StoreError> {
        self.look(user, |one| one.has_traces(user))
    }

    fn blocked_until(&self, user: &UserName, count: Count, source: &Source) -> Result<Option<UnixTime>, StoreError> {
        self.look(user, |one| one.blocked_until(user, count, source))
    }

    fn verify(&self, user: &UserName, answer: Answer) -> Result<Option<Judgement>, StoreError> {
        self.look(user, |one| one.verify(user, answer.clone()))
    }

    fn pending(&self, user: &UserName, label: &Label) -> Result<Option<Token>, StoreError> {
        self.look(user, |one| one.pending(user, label))
    }

    fn reset(&self, user: &UserName, reset: Reset) -> Result<bool, StoreError> {
        match self.judge(user, Event::Reset.word(), |one| one.reset(user, reset)) {
            // This is the way out of a damaged account, too.
            Err(error) if reset == Reset::Everything && Self::is_damage(&error) => self.reset_damaged(user),
            done => done,
        }
    }

    fn replace_recovery(&self, user: &UserName, codes: &[RecoveryCode]) -> Result<bool, EnrollError> {
        self.judge(user, Event::RecoveryReplaced.word(), |one| one.replace_recovery(user, codes))
    }

    fn give_code(&self, person: &Person, until: UnixTime) -> Result<Option<TemporaryCode>, EnrollError> {
        self.judge(&person.name, Event::CodeGiven.word(), |one| one.give_code(person, until))
    }

    fn revoke_code(&self, user: &UserName) -> Result<bool, StoreError> {
        self.judge(user, Event::CodeRevoked.word(), |one| one.revoke_code(user))
    }

    fn unlock(&self, user: &UserName) -> Result<Option<u32>, StoreError> {
        self.judge(user, Event::Unlocked.word(), |one| one.unlock(user))
    }
}

impl InvitationAdministration for Central {
    fn invite(&self, person: &Person, until: UnixTime) -> Result<InvitationCode, Superseded> {
        self.judge(&person.name, Event::Invited.word(), |one| one.invite(person, until))
    }

    fn revoke_invitation(&self, user: &UserName) -> Result<bool, StoreError> {
        self.judge(user, Event::InvitationRevoked.word(), |one| one.revoke_invitation(user))
    }
}

impl SshKeyAdministration for Central {
    /// None: no login of a fleet asks for keys.
    fn add_ssh_key(&self, _: &Person, _: EnrolledKey) -> Result<AddedKey, SshKeyError> {
        Err(SshKeyError::CountsNowhere)
    }

    fn remove_ssh_key(&self, user: &UserName, name: &str, last: LastCredential) -> Result<EnrolledKey, SshKeyError> {
        self.judge(user, Event::SshKeyRemoved.word(), |one| one.remove_ssh_key(user, name, last))
    }
}

impl AccountExport for Central {
    fn export(&self, user: &UserName) -> Result<Option<ExportedAccount>, StoreError> {
        self.look(user, |one| one.export(user))
    }

    fn note_showing(&self, user: &UserName, event: Event, labels: &[&Label]) -> Result<(), StoreError> {
        self.wait(self.database.note_showing(&self.who, user, event, labels))
    }
}

impl AccountOwnership for Central {
    fn names(&self) -> Result<Vec<UserName>, StoreError> {
        self.wait(self.database.names(Kept::Anything))
    }

    fn belongs(&self, user: &UserName) -> Result<Belongs, StoreError> {
        self.look(user, |one| one.belongs(user))
    }

    /// Names are compared here, and no uids: an account that cannot be read is its user's, too, who may replace it.
    fn check_owner(&self, _: &Person) -> Result<(), StoreError> {
        Ok(())
    }

    fn adopt_uid(&self, person: &Person, seen: Belongs) -> Result<Adoption, StoreError> {
        self.look(&person.name, |one| one.adopt_uid(person, seen))
    }
}
