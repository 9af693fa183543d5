//! The history of the central store: the audit of accounts, and the changes of physical tokens, by time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use tokio::runtime::Runtime;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{History, PastChange};

use crate::audit::Audit;
use crate::database::Database;
use crate::inventory::TokenHistory;

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
    pub(super) fn new(runtime: Arc<Runtime>, database: Arc<Database>) -> Self {
        Self { runtime, database, tokens: TokenHistory::default(), audit: Audit::default(), ready: Default::default() }
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
        let mut portion = Vec::new();
        loop {
            // While both have something, so that nothing older comes later; and the rest of one where the other has ended.
            let next = match (tokens.front(), audit.front()) {
                (Some(token), Some(account)) if token.at <= account.at => tokens.pop_front(),
                (Some(_), None) | (None, Some(_)) if !portion.is_empty() => None,
                (Some(_), None) => tokens.pop_front(),
                (_, _) => audit.pop_front(),
            };
            match next {
                Some(change) => portion.push(change),
                None => return Ok(portion),
            }
        }
    }
}

impl fmt::Debug for CentralHistory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CentralHistory").finish_non_exhaustive()
    }
}
