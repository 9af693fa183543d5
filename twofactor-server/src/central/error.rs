//! Verbs that the central store does not have.

use thiserror::Error;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::{StoreError, Unusable};

/// A verb is about the files of one host.
#[derive(Debug, Error)]
#[error("the central store of a fleet does not {verb}")]
pub struct CentralError {
    verb: &'static str,
    hint: &'static str,
}

impl CentralError {
    /// The refusal of a verb ("keep physical tokens"), with the way out.
    pub(crate) fn refused(verb: &'static str, hint: &'static str) -> StoreError {
        StoreError::Unusable(Box::new(Self { verb, hint }))
    }
}

impl Unusable for CentralError {
    fn reason(&self) -> Reason {
        Reason::StoreUnavailable
    }

    fn hint(&self) -> String {
        self.hint.to_owned()
    }
}
