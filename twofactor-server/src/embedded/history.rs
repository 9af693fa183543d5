//! The history of an embedded store: what sysadmins did with tokens, and what hosts were answered, by time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{History, PastChange};

use crate::fleet_file::{FleetFile, Place};
use crate::merging::next_portion;

/// Both, read in portions as the owner of the folder.
pub(super) struct WholeHistory {
    pub(super) place: Place,
    pub(super) tokens: Option<Box<dyn History>>,
    pub(super) file: Arc<FleetFile>,
    /// The last row of the audit that was read.
    pub(super) last: i64,
    /// The portions at hand.
    pub(super) ready: [VecDeque<PastChange>; 2],
}

impl History for WholeHistory {
    fn next_portion(&mut self) -> Result<Vec<PastChange>, StoreError> {
        let _as_owner = self.place.as_owner()?;
        let [tokens, audit] = &mut self.ready;
        if let Some(history) = self.tokens.as_mut().filter(|_| tokens.is_empty()) {
            tokens.extend(history.next_portion()?);
        }
        while audit.is_empty() {
            let Some((last, rows)) = self.file.audit_after(self.last)? else { break };
            self.last = last;
            audit.extend(rows);
        }
        Ok(next_portion(&mut self.ready))
    }
}

impl fmt::Debug for WholeHistory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WholeHistory").finish_non_exhaustive()
    }
}
