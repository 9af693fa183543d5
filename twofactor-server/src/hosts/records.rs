//! The records of a fleet's hosts and the limits of join codes and certificates, in whichever store they stand.

use std::time::Duration;

use twofactor_core::host::clock::UnixTime;
use twofactor_core::store::administration::{FleetHost, HostCertificate};

/// A join code is good for so many tries.
pub(crate) const TRIES: i32 = 5;

/// Wrong codes of one hour after which no try is charged until it is over. Strangers, who can reach that, use up no code then; a right one
/// is still good.
pub(crate) const WRONG: i32 = 300;

/// A certificate that was renewed is good for so long still. In that week a renewal that was interrupted is tried again.
pub(crate) const RENEWED_LASTS: Duration = Duration::from_hours(24 * 7);

/// For so long a join code is good once more with the key that has used it: the answer was lost.
pub(crate) const AGAIN: Duration = Duration::from_mins(10);

/// A certificate or a join code is forgotten so long after its end.
pub(crate) const FORGOTTEN: Duration = Duration::from_hours(24);

/// The span in which wrong join codes are counted together.
pub(crate) const COUNTED: Duration = Duration::from_hours(1);

/// Certificates of one host at a time. A hostile one could fill the table.
pub(crate) const OF_ONE_HOST: i64 = 16;

/// A host, as `host list` shows it. Times are seconds of Unix time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListedHost {
    /// Its name.
    pub(crate) name: String,
    /// The groups about whose users it may ask; all where there is none.
    pub(crate) groups: Vec<String>,
    /// When it was added.
    pub(crate) added: f64,
    /// When it was revoked.
    pub(crate) revoked: Option<f64>,
    /// When a server heard it last, to a minute.
    pub(crate) seen: Option<f64>,
    /// The number of its newest certificate and when it was made; `None` until it has joined.
    pub(crate) certificate: Option<(String, f64)>,
    /// Until when that is good.
    pub(crate) until: Option<f64>,
    /// Until when a join code of it is good that was not used.
    pub(crate) code: Option<f64>,
}

/// The row of a certificate that a host may show.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) digest: Vec<u8>,
    pub(crate) host: String,
    pub(crate) groups: Vec<String>,
    /// Until when, in seconds of Unix time.
    pub(crate) until: u64,
}

/// The certificates that hosts may show.
#[derive(Debug)]
pub(crate) struct Entries {
    /// The number of changes up to which they are known.
    pub(crate) changes: i64,
    /// Each of them.
    pub(crate) all: Vec<Entry>,
    /// The hosts whose rows another program has changed. They may show none.
    pub(crate) changed: Vec<String>,
}

/// A join code that was tried.
pub(crate) struct Tried {
    /// Too many wrong ones were tried in this hour, so that this try was not charged.
    pub(crate) is_over: bool,
    /// It is there, and whether it is right is to be seen. `None`: there is none of this number, or it was tried too often.
    pub(crate) code: Option<TriedCode>,
}

/// A join code of the table.
pub(crate) struct TriedCode {
    pub(crate) host: String,
    pub(crate) digest: Vec<u8>,
    pub(crate) is_fresh: bool,
    pub(crate) is_used: bool,
    /// The digest of the key with which it was used a moment ago.
    pub(crate) key: Option<Vec<u8>>,
}

/// The same for a sysadmin's command.
impl From<ListedHost> for FleetHost {
    fn from(host: ListedHost) -> Self {
        let ListedHost { name, groups, added, revoked, seen, certificate, until, code } = host;
        let certificate = certificate.zip(until).map(|((serial, issued), until)| HostCertificate {
            serial,
            issued: time(issued),
            until: time(until),
        });
        let (revoked, seen, code_until) = (revoked.map(time), seen.map(time), code.map(time));
        Self { name, groups, added: time(added), revoked, seen, certificate, code_until }
    }
}

fn time(seconds: f64) -> UnixTime {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast to an integer saturates")]
    UnixTime::from_seconds(seconds as u64)
}
