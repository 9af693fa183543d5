//! Why a store cannot answer, whatever kind of store it is.

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
    /// The account belongs to another person than the one who has its name now.
    #[error("the account belongs to uid {recorded}, and {user} is uid {now} now")]
    UidChanged {
        /// The name of both.
        user: UserName,
        /// The uid that is written down in the account.
        recorded: Uid,
        /// The uid that the name stands for now.
        now: Uid,
    },
    /// The clock cannot be used.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The kernel gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] SecretError),
    /// The store cannot be used, or what it keeps of the account.
    #[error("{0}")]
    Unusable(Box<dyn Unusable>),
}

/// An error of one kind of store.
pub trait Unusable: Error + Send + Sync + 'static {
    /// The log's word for it.
    fn reason(&self) -> Reason;

    /// What a sysadmin can do about it.
    fn hint(&self) -> String;

    /// The part of the account that is gone, when that is the error.
    fn loss(&self) -> Option<Loss> {
        None
    }
}

/// A part of an account that is gone and was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// What says which codes are used.
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

    /// What a sysadmin can do about it.
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

    /// The part of the account that is gone, when that is the error.
    pub fn loss(&self) -> Option<Loss> {
        match self {
            Self::Unusable(error) => error.loss(),
            Self::UidChanged { .. } | Self::Clock(_) | Self::Entropy(_) => None,
        }
    }

    /// The error as one of this kind of store.
    pub fn kind<E: Unusable>(&self) -> Option<&E> {
        let Self::Unusable(error) = self else { return None };
        let error: &(dyn Error + 'static) = &**error;
        error.downcast_ref()
    }
}
