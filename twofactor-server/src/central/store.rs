//! The store itself: a runtime of one thread around the database.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock, UnixTime};
use twofactor_core::store::one_account::Decoy;
use twofactor_core::store::{StoreError, VerificationRules};

use crate::database::schema::Tables;
use crate::database::tables::Database;
use crate::error::ServerError;
use crate::postgresql::Postgresql;
use crate::sealing::keys::Keys;

/// The central store, for a program that does one thing after the other.
pub struct Central {
    pub(super) runtime: Arc<Runtime>,
    pub(super) database: Arc<Database>,
    pub(super) rules: VerificationRules,
    pub(super) decoy: Decoy,
    clock: Box<dyn Clock>,
    /// The sysadmin, for the audit.
    pub(super) who: String,
}

impl Central {
    /// The store behind a connection string. `who` stands in the audit. Answers are judged by `clock`, and by the rules of `config`.
    pub fn open(
        postgresql: Postgresql,
        keys: Keys,
        config: &Config,
        clock: impl Clock + 'static,
        who: String,
    ) -> Result<Self, ServerError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| ServerError::NoConnection(error.to_string()))?;
        let database = runtime.block_on(Database::open(postgresql, keys, Tables::Made))?;
        let decoy = Decoy::new(clock.now()?).map_err(|_| ServerError::NoRandomness)?;
        let rules = VerificationRules::of(config);
        let (runtime, database) = (Arc::new(runtime), Arc::new(database));
        Ok(Self { runtime, database, rules, decoy, clock: Box::new(clock), who })
    }

    /// Waits for the database.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = Result<T, ServerError>>) -> Result<T, StoreError> {
        Ok(self.runtime.block_on(work)?)
    }

    /// The clock.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The time now.
    pub(crate) fn now(&self) -> Result<UnixTime, StoreError> {
        Ok(self.clock.now()?)
    }
}

impl fmt::Debug for Central {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Central").finish_non_exhaustive()
    }
}
