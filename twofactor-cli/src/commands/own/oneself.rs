//! The user of this process, and the broker that is asked about that user.

use std::path::Path;

use nix::unistd::{User, geteuid};
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{Person, SystemUsers, UserDatabase as _, UserName};
use twofactor_core::store::broker::{Broker, PATIENCE, SOCKET};

use crate::error::Failure;
use crate::host::protect_memory;

/// The user of this process, and the broker.
pub(super) struct Oneself {
    pub(super) person: Person,
    pub(super) broker: Broker,
}

impl Oneself {
    /// Refuses root, who changes users with the commands for each user.
    pub(super) fn of_this_process() -> Result<Self, Failure> {
        let uid = geteuid();
        if uid.is_root() {
            return Err(Failure::NotForRoot);
        }
        protect_memory();
        let unknown = || Failure::UnknownUser(uid.to_string());
        let name = User::from_uid(uid).ok().flatten().map(|user| user.name).ok_or_else(unknown)?;
        let person = SystemUsers.person(&name)?.ok_or_else(unknown)?;
        Ok(Self { person, broker: Broker::new(Path::new(SOCKET), Owner::ROOT, PATIENCE) })
    }

    pub(super) fn name(&self) -> &UserName {
        &self.person.name
    }
}
