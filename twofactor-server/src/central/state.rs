//! Verbs about the files of one host. The central store has none of them: PostgreSQL's own tools keep it.

use std::ops::ControlFlow;
use std::path::PathBuf;

use twofactor_core::account::RecoveryCodes;
use twofactor_core::host::trusted::Folder;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{
    Author, BackupRecord, Defect, Destination, Identity, Inspection, LastBackup, Marking, Migration, NextRecord,
    Repair, Repairs, RestoreError, Restored, Sighting, StateBackup, StateIdentity, StateInspection, StateRepair,
    TokenViews as _,
};

use super::error::CentralError;
use super::store::Central;
use crate::upkeep::inspecting::Inspected;

fn no_files() -> StoreError {
    CentralError::refused("have a state folder", "do this on a host with accounts of its own")
}

fn backed_up_otherwise() -> StoreError {
    CentralError::refused("write backups", "pg_dump --schema=twofactor; and keep a copy of the file of seed_key")
}

fn restored_otherwise() -> StoreError {
    CentralError::refused(
        "read backups",
        "pg_restore, of a dump of the schema twofactor; with the file of seed_key of its time",
    )
}

impl StateIdentity for Central {
    fn sighting(&self) -> Result<Sighting, StoreError> {
        Err(no_files())
    }

    fn adopt(&self) -> Result<Identity, StoreError> {
        Err(no_files())
    }

    /// Nothing to mark: the identity of the store is in the database.
    fn claim_if_used(&self) -> Result<Marking, StoreError> {
        Ok(Marking::NothingToMark)
    }

    fn claimed_folder(&self) -> Result<Folder, StoreError> {
        Err(no_files())
    }
}

impl StateInspection for Central {
    /// Opens every sealed record.
    fn inspect(&self) -> Inspection {
        let inspected = self.now().and_then(|now| self.wait(self.database.inspect(self.rules, now)));
        let (accounts, flaws) = match inspected {
            Ok(Inspected { accounts, flaws }) => (accounts, flaws),
            Err(error) => (0, vec![error]),
        };
        let tokens = self.token_count().ok().and_then(|count| usize::try_from(count).ok());
        let flaws = flaws.into_iter().map(Defect::Unusable).collect();
        Inspection { accounts, tokens, lacks_registry: false, flaws }
    }
}

impl StateRepair for Central {
    fn repair(&self, _: Author<'_>) -> Repairs {
        Repairs { done: Vec::new(), problems: vec![no_files()] }
    }

    fn make_registry(&self) -> Result<Option<Repair>, StoreError> {
        Ok(None)
    }

    fn migrate(&self, _: Author<'_>) -> Result<Migration, StoreError> {
        Err(no_files())
    }

    fn clear_obstructions(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

impl StateBackup for Central {
    fn back_up(
        &self,
        _: &mut dyn FnMut(BackupRecord) -> ControlFlow<()>,
    ) -> Result<(bool, Vec<StoreError>), StoreError> {
        Err(backed_up_otherwise())
    }

    fn restore(&self, _: Destination, _: &mut NextRecord<'_>, _: RecoveryCodes) -> Result<Restored, RestoreError> {
        Err(restored_otherwise().into())
    }

    fn remember_backup(&self, _: &LastBackup) -> Result<(), StoreError> {
        Err(backed_up_otherwise())
    }

    fn last_backup(&self) -> Result<Option<LastBackup>, StoreError> {
        Ok(None)
    }
}
