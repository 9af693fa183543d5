//! The errors of a store, of whatever kind it is.

use crate::codes::secret::SecretError;
use crate::host::clock::ClockError;
use crate::host::shell;
use crate::host::user::{Uid, UserName};
use crate::log::reason::Reason;
use std::error::Error;
use thiserror::Error;

/// The store does not answer. Each of these denies a login.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The account belongs to another person, who had this name before.
    #[error("the account belongs to uid {recorded}, and {user} is uid {now} now")]
    UidChanged {
        /// The name that both have.
        user: UserName,
        /// The uid recorded in the account.
        recorded: Uid,
        /// The present uid of the name.
        now: Uid,
    },
    /// The clock cannot be used.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The kernel gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] SecretError),
    /// The store, or its record of the account, is unusable.
    #[error("{0}")]
    Unusable(Box<dyn Unusable>),
}

/// An error of one kind of store.
pub trait Unusable: Error + Send + Sync + 'static {
    /// The log's word for it.
    fn reason(&self) -> Reason;

    /// The sysadmin's way out.
    fn hint(&self) -> String;

    /// The part of the account that is lost, when the error is a loss.
    fn loss(&self) -> Option<Loss> {
        None
    }
}

/// A part of an account that existed and is lost: it is gone, or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The state, which records the used codes.
    State,
    /// Apps and recovery codes.
    Credentials,
}

impl StoreError {
    /// The log's word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::UidChanged { .. } => Reason::UidChanged,
            Self::Clock(_) | Self::Entropy(_) => Reason::StoreUnavailable,
            Self::Unusable(error) => error.reason(),
        }
    }

    /// The sysadmin's way out.
    pub fn hint(&self) -> String {
        match self {
            Self::UidChanged { user, .. } => {
                let user = shell::quoted(user.as_str());
                format!("the same person: twofactor state adopt-uids {user}; another person: twofactor reset {user}")
            }
            Self::Clock(_) => "set the clock".to_owned(),
            Self::Entropy(_) => "is /dev/urandom there?".to_owned(),
            Self::Unusable(error) => error.hint(),
        }
    }

    /// The part of the account that is lost, when the error is a loss.
    pub fn loss(&self) -> Option<Loss> {
        match self {
            Self::Unusable(error) => error.loss(),
            Self::UidChanged { .. } | Self::Clock(_) | Self::Entropy(_) => None,
        }
    }

    /// The error as one of the kind of store `E`.
    pub fn kind<E: Unusable>(&self) -> Option<&E> {
        let Self::Unusable(error) = self else { return None };
        let error: &(dyn Error + 'static) = &**error;
        error.downcast_ref()
    }
}
