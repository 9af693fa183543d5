//! Users' own verbs. A notice of a change has no uid: a host's word for one is none here.

use twofactor_core::host::user::Person;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::SshKeyView;
use twofactor_core::store::self_service::{ChangeOutcome, OwnAccount, Request, SelfService, Terms};

use super::store::{ByName, by_name};

impl SelfService for ByName {
    fn own_account(&self, person: &Person) -> Result<OwnAccount, StoreError> {
        self.act(|files| files.own_account(&by_name(person)))
    }

    fn own_ssh_keys(&self, person: &Person) -> Result<Vec<SshKeyView>, StoreError> {
        self.act(|files| files.own_ssh_keys(&by_name(person)))
    }

    fn change_own(&self, person: &Person, request: Request, terms: &Terms) -> ChangeOutcome {
        let changed = self.act(|files| Ok::<_, StoreError>(files.change_own(&by_name(person), request, terms)));
        changed.unwrap_or_else(ChangeOutcome::from)
    }
}
