//! The history of the central store: the audit of accounts, and the changes of physical tokens, by time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use tokio::runtime::Runtime;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{History, HistoryPart, PastChange};

use crate::database::audit::Audit;
use crate::database::tables::Database;
use crate::inventory::TokenHistory;
use crate::merging::next_portion;

/// Both, read in portions.
pub(super) struct CentralHistory {
    runtime: Arc<Runtime>,
    database: Arc<Database>,
    tokens: TokenHistory,
    audit: Audit,
    /// The portions at hand.
    ready: [VecDeque<PastChange>; 2],
}

impl CentralHistory {
    pub(super) fn new(runtime: Arc<Runtime>, database: Arc<Database>, part: &HistoryPart) -> Self {
        let (tokens, audit) = (TokenHistory::new(part), Audit::new(part));
        Self { runtime, database, tokens, audit, ready: Default::default() }
    }
}

impl History for CentralHistory {
    fn next_portion(&mut self) -> Result<Vec<PastChange>, StoreError> {
        let [tokens, audit] = &mut self.ready;
        if tokens.is_empty() {
            tokens.extend(self.runtime.block_on(self.tokens.next_portion(&self.database))?);
        }
        if audit.is_empty() {
            audit.extend(self.runtime.block_on(self.audit.next_portion(&self.database))?);
        }
        Ok(next_portion(&mut self.ready))
    }
}

impl fmt::Debug for CentralHistory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CentralHistory").finish_non_exhaustive()
    }
}
