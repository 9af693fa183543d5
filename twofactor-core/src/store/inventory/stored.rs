//! A token as its row, without the words of any database.

use crate::account::lifecycle::{Stage, TokenStatus};
use crate::account::{FirstUse, Held};
use crate::codes::otp::{Parameters, Progress};
use crate::codes::secret::Secret;
use crate::codes::token::{Label, Marks, Seeds, Serial, Token};
use crate::host::clock::UnixTime;
use crate::host::user::UserName;
use crate::store::administration::{Sharer, TokenFilter};
use crate::store::enrollment::Listing;

/// A row of the inventory.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its number.
    pub id: i64,
    /// Its serial.
    pub serial: Serial,
    /// Its secret; `None` once revoked.
    pub secret: Option<Secret>,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// The state it was put into.
    pub status: TokenStatus,
    /// Its owner, unread: one that is no user name is damage.
    pub owner: Option<String>,
    /// The time of its assignment.
    pub assigned_at: Option<UnixTime>,
    /// The first use: the window is wider until it is over.
    pub first_use: FirstUse,
    /// Its progress under former owners.
    pub progress: Progress,
    /// The time of its import.
    pub issued: UnixTime,
}

impl Stored {
    /// True for a token in inventory that can be given to a user.
    pub fn is_free(&self) -> bool {
        self.owner.is_none() && self.status == TokenStatus::Good
    }

    /// The seeds of its sequence of codes; `None` once revoked.
    pub fn seeds(&self) -> Option<Seeds> {
        self.secret.as_ref().map(|secret| Seeds::of(secret, self.parameters))
    }

    /// The marks of its secret; `None` once revoked.
    pub fn marks(&self) -> Option<Marks> {
        self.secret.as_ref().map(|secret| Marks::of(secret, self.parameters.algorithm))
    }

    /// The token, while it has its secret.
    pub fn into_token(self) -> Option<Token> {
        let label = Label::of(&self.serial);
        let (parameters, issued, start) = (self.parameters, self.issued, self.progress);
        Some(Token { serial: self.serial, label, secret: self.secret?, parameters, issued, start })
    }

    /// The token as it stands in its owner's credentials, while it has its secret.
    pub fn into_held(self) -> Option<Held> {
        let (status, first_use) = (self.status, self.first_use);
        Some(Held { token: self.into_token()?, status, first_use })
    }
}

/// A token with the secret, or with a secret that HMAC takes for the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// Its number.
    pub id: i64,
    /// Its serial.
    pub serial: Serial,
    /// Its owner.
    pub owner: Option<String>,
}

impl Twin {
    /// The twin as the holder of a secret that `user` is about to get; `None` when it is the user's own token.
    pub fn as_sharer(self, user: &UserName) -> Option<Sharer> {
        let Self { serial, owner, .. } = self;
        // An owner that is no user name is damage, which the next use of the token reports; here it counts as another user.
        let is_own = owner.as_deref() == Some(user.as_str());
        let owner = owner.and_then(|owner| UserName::new(&owner).ok());
        (!is_own).then_some(Sharer::Token { serial, owner })
    }
}

/// The conditions that listed tokens meet, all of them, as far as the inventory alone can check them.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// Of this series.
    pub series: Option<String>,
    /// Owned by this user.
    pub owner: Option<UserName>,
    /// With a serial like this (`*`, `?`, `[…]`).
    pub serial: Option<String>,
    /// Of which this stands in the inventory.
    pub status: Option<TokenStatus>,
    /// With an owner, or without one.
    pub owned: Option<Ownership>,
}

impl From<&TokenFilter> for Filter {
    /// The last use of a token is recorded in its owner's state: the stage of an owned one is judged there.
    fn from(filter: &TokenFilter) -> Self {
        let (status, owned) = match filter.stage {
            None => (None, None),
            Some(Stage::Inventory) => (Some(TokenStatus::Good), Some(Ownership::Unowned)),
            Some(Stage::Assigned | Stage::Active) => (Some(TokenStatus::Good), Some(Ownership::Owned)),
            Some(Stage::Disabled) => (Some(TokenStatus::Disabled), None),
            Some(Stage::Lost) => (Some(TokenStatus::Lost), None),
            Some(Stage::Revoked) => (Some(TokenStatus::Revoked), None),
        };
        let TokenFilter { series, owner, serial, .. } = filter.clone();
        Self { series, owner, serial, status, owned }
    }
}

/// The ownership of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// It has an owner.
    Owned,
    /// It has none.
    Unowned,
}

/// A token as the inventory knows it, with its secret for looking further.
#[derive(Debug)]
pub struct Listed {
    /// Its serial.
    pub serial: Serial,
    /// The secret and its parameters; `None` once revoked.
    pub token: Option<Token>,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// The state it was put into: good, disabled, lost or revoked.
    pub status: TokenStatus,
    /// Its owner.
    pub owner: Option<UserName>,
    /// The time of its assignment.
    pub assigned_at: Option<UnixTime>,
    /// The first use: the window is wider until it is over.
    pub first_use: FirstUse,
    /// Its progress under former owners.
    pub progress: Progress,
    /// The time of its import.
    pub issued: UnixTime,
    /// The series it came with; `None` once that was forgotten.
    pub series: Option<String>,
    /// Its vendor.
    pub vendor: Option<String>,
    /// Its model.
    pub model: Option<String>,
}

/// A row whose owner is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecoded;

impl Listed {
    /// The token of a row that came with this series, vendor and model.
    pub fn of(
        stored: Stored,
        series: Option<String>,
        vendor: Option<String>,
        model: Option<String>,
    ) -> Result<Self, Undecoded> {
        let owner = stored.owner.as_deref().map(|owner| UserName::new(owner).map_err(|_| Undecoded)).transpose()?;
        Ok(Self {
            serial: stored.serial.clone(),
            parameters: stored.parameters,
            status: stored.status,
            owner,
            assigned_at: stored.assigned_at,
            first_use: stored.first_use,
            progress: stored.progress,
            issued: stored.issued,
            token: stored.into_token(),
            series,
            vendor,
            model,
        })
    }

    /// The record of the token for a user who registers it.
    pub fn into_listing(self) -> Listing {
        let is_free = self.owner.is_none() && self.status == TokenStatus::Good;
        match self.token {
            Some(token) if is_free => Listing::Free(Box::new(token), self.progress),
            _ => Listing::NotFree,
        }
    }
}
