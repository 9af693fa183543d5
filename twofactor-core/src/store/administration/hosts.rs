//! The hosts of a fleet, as a sysadmin sees them on its central machine.

use zeroize::Zeroizing;

use crate::host::clock::UnixTime;
use crate::store::error::StoreError;

/// A host that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetHost {
    /// Its name.
    pub name: String,
    /// The groups about whose members it may ask; about each user where there is none.
    pub groups: Vec<String>,
    /// The time at which it was added.
    pub added: UnixTime,
    /// The time at which it was revoked.
    pub revoked: Option<UnixTime>,
    /// The time at which a server heard it last, to a minute.
    pub seen: Option<UnixTime>,
    /// Its newest certificate; `None` until it has joined.
    pub certificate: Option<HostCertificate>,
    /// The end of a join code that was not used.
    pub code_until: Option<UnixTime>,
}

/// A certificate of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate {
    /// Its number, in hexadecimal digits.
    pub serial: String,
    /// The time at which it was made.
    pub issued: UnixTime,
    /// Its end.
    pub until: UnixTime,
}

/// The treatment of a name that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedAgain {
    /// It is refused.
    Refused,
    /// The host joins anew: its certificate ends when it does.
    Joins,
}

/// The outcome of adding a host.
pub enum AddedHost {
    /// The join code, as it is shown, and until when it is good.
    Code(Zeroizing<String>, UnixTime),
    /// The name is there already.
    IsThere,
    /// This is no name of a host.
    NoName,
}

/// Hosts added and revoked.
pub trait HostAdministration {
    /// Adds a host, and gives the code with which it joins.
    fn add_host(&self, name: &str, groups: &[String], again: AddedAgain) -> Result<AddedHost, StoreError>;

    /// All hosts, by their names.
    fn hosts(&self) -> Result<Vec<FleetHost>, StoreError>;

    /// Ends all that a host may. False where there is none of this name, or it was revoked before.
    fn revoke_host(&self, name: &str) -> Result<bool, StoreError>;
}
