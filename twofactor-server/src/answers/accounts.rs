//! The accounts of a fleet, wherever they are: the one place of a server that tells PostgreSQL from files.

use std::sync::Arc;

use twofactor_core::store::VerificationRules;

use crate::answers::in_database::InDatabase;
use crate::answers::judged::{Judged, Question};
use crate::answers::queues::Turn;
use crate::embedded::InFiles;
use crate::error::ServerError;
use crate::hosts::store::HostStore;
use crate::sealing::seals::Seals;

/// The accounts.
pub(crate) enum Accounts {
    /// In PostgreSQL, for several servers.
    Database(InDatabase),
    /// In files and SQLite, for this server alone.
    Files(InFiles),
}

impl Accounts {
    /// Judges a question, whose turn it is, and writes the judgement.
    pub(crate) async fn judge(
        &self,
        question: Question<'_>,
        rules: VerificationRules,
        turn: Turn,
    ) -> Result<Judged, ServerError> {
        match self {
            Self::Database(accounts) => {
                let judged = accounts.judge(question, rules).await;
                drop(turn);
                judged
            }
            Self::Files(accounts) => accounts.judge(question, rules, turn).await,
        }
    }

    /// The seals of the store.
    pub(crate) fn seals(&self) -> &Seals {
        match self {
            Self::Database(accounts) => &accounts.database.seals,
            Self::Files(accounts) => &accounts.file.seals,
        }
    }

    /// Does the work beside the questions, for ever.
    pub(crate) async fn keep_house(&self, audit_days: u32) {
        match self {
            Self::Database(accounts) => accounts.keep_house(audit_days).await,
            Self::Files(accounts) => accounts.keep_house(audit_days).await,
        }
    }

    /// Says that the server does not run any more, where others want to know.
    pub(crate) async fn leave(&self) {
        match self {
            Self::Database(accounts) => accounts.leave().await,
            Self::Files(_) => {}
        }
    }

    /// The hosts of the store.
    pub(crate) fn hosts(&self) -> HostStore {
        match self {
            Self::Database(accounts) => HostStore::Database(Arc::clone(&accounts.database)),
            Self::Files(accounts) => HostStore::File(Arc::clone(&accounts.file)),
        }
    }
}
