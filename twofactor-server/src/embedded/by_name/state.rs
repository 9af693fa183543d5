//! The accounts as a whole: inspected, repaired, backed up.

use std::ops::ControlFlow;
use std::path::PathBuf;

use twofactor_core::account::RecoveryCodes;
use twofactor_core::host::trusted::Folder;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{
    Author, BackupRecord, Defect, Destination, Identity, Inspection, LastBackup, Marking, Migration, NextRecord,
    Repair, Repairs, RestoreError, Restored, Sighting, StateBackup, StateIdentity, StateInspection, StateRepair,
};

use super::store::ByName;
use crate::central::CentralError;

fn no_host() -> StoreError {
    CentralError::refused("belong to one host", "do this on a host with accounts of its own")
}

impl StateIdentity for ByName {
    fn sighting(&self) -> Result<Sighting, StoreError> {
        Err(no_host())
    }

    fn adopt(&self) -> Result<Identity, StoreError> {
        Err(no_host())
    }

    /// Nothing to mark: the folder is named by the configuration alone.
    fn claim_if_used(&self) -> Result<Marking, StoreError> {
        Ok(Marking::NothingToMark)
    }

    fn claimed_folder(&self) -> Result<Folder, StoreError> {
        Err(no_host())
    }
}

impl StateInspection for ByName {
    fn inspect(&self) -> Inspection {
        self.act(|files| Ok::<_, StoreError>(files.inspect())).unwrap_or_else(|error| {
            let flaws = vec![Defect::Unusable(error)];
            Inspection { accounts: 0, tokens: None, lacks_registry: false, flaws }
        })
    }
}

impl StateRepair for ByName {
    fn repair(&self, by: Author<'_>) -> Repairs {
        let repaired = self.act(|files| Ok::<_, StoreError>(files.repair(by)));
        repaired.unwrap_or_else(|error| Repairs { done: Vec::new(), problems: vec![error] })
    }

    fn make_registry(&self) -> Result<Option<Repair>, StoreError> {
        self.act(StateRepair::make_registry)
    }

    fn migrate(&self, by: Author<'_>) -> Result<Migration, StoreError> {
        self.act(|files| files.migrate(by))
    }

    fn clear_obstructions(&self) -> Vec<PathBuf> {
        self.act(|files| Ok::<_, StoreError>(files.clear_obstructions())).unwrap_or_default()
    }
}

impl StateBackup for ByName {
    fn back_up(
        &self,
        take: &mut dyn FnMut(BackupRecord) -> ControlFlow<()>,
    ) -> Result<(bool, Vec<StoreError>), StoreError> {
        self.act(|files| files.back_up(take))
    }

    fn restore(
        &self,
        destination: Destination,
        next: &mut NextRecord<'_>,
        recovery: RecoveryCodes,
    ) -> Result<Restored, RestoreError> {
        self.act(|files| files.restore(destination, next, recovery))
    }

    fn remember_backup(&self, backup: &LastBackup) -> Result<(), StoreError> {
        self.act(|files| files.remember_backup(backup))
    }

    fn last_backup(&self) -> Result<Option<LastBackup>, StoreError> {
        self.act(StateBackup::last_backup)
    }
}
