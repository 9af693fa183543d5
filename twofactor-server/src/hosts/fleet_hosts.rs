//! The hosts of a fleet with an authority of its own: added with a join code, joined with it, renewed, revoked.
//!
//! Invariants: a join code is charged before it is looked at, kept as a keyed digest that is bound to its host, and good once, or once more
//! for the same key, whose answer was lost. The name in a certificate is the one that was added. A host that was revoked stays so until it
//! is added again, and then joins anew.

use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use twofactor_core::config::fleet::names_a_host;
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{AddedAgain, AddedHost};
use twofactor_core::store::wire::{IssuedCertificate, Message, NewKey};
use twofactor_net::host_key::Request;
use twofactor_net::join_code::JoinCode;

use crate::alarms::Alarms;
use crate::error::ServerError;
use crate::hosts::authority::{Authority, HostCertificate};
use crate::hosts::records::Tried;
use crate::hosts::roll::{Roll, Standing};
use crate::hosts::store::HostStore;
use crate::journal::complain;

/// A join code is good for so long.
const CODE_LASTS: Duration = Duration::from_hours(1);

/// The pause between two lines of the log about joins that fail, and between two about one host that renews its certificate: strangers
/// and hosts cause as many as they like.
const QUIET: Duration = Duration::from_secs(10);

/// The number of times that a number for a join code is chosen: few of a million are taken.
const ROUNDS: usize = 16;

/// The hosts of one store.
pub struct FleetHosts {
    store: HostStore,
    authority: Authority,
    roll: Roll,
    lines: Alarms,
}

impl FleetHosts {
    pub(crate) async fn of(store: HostStore) -> Result<Self, ServerError> {
        let (authority, roll) = (store.authority().await?, Roll::new(store.clone()));
        Ok(Self { store, authority, roll, lines: Alarms::each(QUIET) })
    }

    /// Adds a host, and gives the code with which it joins. It may ask about users of these groups; about all where there is none.
    pub(crate) async fn add(
        &self,
        name: &str,
        groups: &[String],
        again: AddedAgain,
        who: &str,
    ) -> Result<AddedHost, ServerError> {
        let name = name.to_ascii_lowercase();
        if !names_a_host(&name) {
            return Ok(AddedHost::NoName);
        }
        let (joins, until) = (again == AddedAgain::Joins, SystemClock.now()?.after(CODE_LASTS));
        for _ in 0..ROUNDS {
            if !joins && self.store.has_host(&name).await? {
                return Ok(AddedHost::IsThere);
            }
            let code = JoinCode::new(self.authority.fingerprint()).ok_or(ServerError::NoRandomness)?;
            let digest = self.store.digest_of_code(code.number, &name, code.secret.as_slice())?;
            let number = signed(code.number);
            if self.store.add_host(&name, groups, joins, (number, &digest), CODE_LASTS, who).await? {
                return Ok(AddedHost::Code(code.shown(), until));
            }
        }
        Err(ServerError::Contended(ROUNDS))
    }

    /// Ends all that a host may. False where there is none of this name.
    pub(crate) async fn revoke(&self, name: &str, who: &str) -> Result<bool, ServerError> {
        self.store.revoke_host(&name.to_ascii_lowercase(), who).await
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The standing of the certificate with this digest, and as of which number of changes; `None` where it counts no more, or never
    /// did.
    pub(crate) async fn find(&self, digest: &[u8]) -> Result<Option<(Arc<Standing>, i64)>, ServerError> {
        self.roll.find(digest).await
    }

    /// True for the digest of a certificate that counts. Its host is not noted as heard.
    pub(crate) async fn counts(&self, digest: &[u8]) -> Result<bool, ServerError> {
        Ok(self.roll.look(digest).await?.is_some())
    }

    /// Asks the database before anything more is said of a certificate.
    pub(crate) fn doubt(&self) {
        self.roll.doubt();
    }

    /// Answers a host that joins, and says so in the journal: always of one that has joined, and now and then of one that has not.
    pub(crate) async fn join(&self, number: u32, secret: &[u8], key: NewKey) -> Message {
        let (answer, line) = self.joined(number, secret, key).await;
        if !answer.is_failing() || self.lines.is_due("") {
            complain(&line);
        }
        answer
    }

    async fn joined(&self, number: u32, secret: &[u8], key: NewKey) -> (Message, String) {
        match self.judge(number, secret, &request(key)).await {
            Ok(Ok((host, new))) => {
                let line = format!("{host} has joined, with certificate {}", new.serial);
                (self.issued(host, &new), line)
            }
            Ok(Err(refused)) => {
                let line = format!("a host may not join: {refused}");
                let hint = "twofactor host add NAME, on the central machine, shows a new one";
                (Message::refusing(Reason::NotRoot, refused, hint), line)
            }
            Err(error) => {
                let line = format!("a host cannot join: {error}");
                (Message::failing(&StoreError::from(error)), line)
            }
        }
    }

    async fn judge(
        &self,
        number: u32,
        secret: &[u8],
        request: &Request,
    ) -> Result<Result<(String, HostCertificate), &'static str>, ServerError> {
        const USED: &str = "the join code was used already";
        let Some(public) = request.checked() else { return Ok(Err("the request is not signed by its key")) };
        let Tried { is_over, code } = self.store.try_code(signed(number)).await?;
        let Some(code) = code else { return self.wrong(is_over).await };
        let digest = self.store.digest_of_code(number, &code.host, secret)?;
        if !bool::from(digest.ct_eq(&code.digest)) {
            return self.wrong(is_over).await;
        }
        // Told to those who have the right one alone.
        let key = self.store.digest_of_key(number, public)?;
        let is_lost = code.key.is_some_and(|known| bool::from(known.ct_eq(&key)));
        if code.is_used && !is_lost {
            return Ok(Err(USED));
        }
        if !code.is_fresh && !is_lost {
            return Ok(Err("the join code has expired"));
        }
        let new = self.authority.certify_host(&code.host, public, SystemClock.now()?)?;
        let is_used = self.store.use_code((signed(number), &key), &code.host, &new).await?;
        Ok(if is_used { Ok((code.host, new)) } else { Err(USED) })
    }

    async fn wrong<T>(&self, is_over: bool) -> Result<Result<T, &'static str>, ServerError> {
        if is_over {
            return Ok(Err("too many wrong join codes were tried in this hour, and this one is wrong"));
        }
        self.store.count_wrong_code().await?;
        Ok(Err("the join code is wrong"))
    }

    /// Answers a host that renews its certificate, which has the digest `old`, and says so in the journal now and then.
    pub(crate) async fn renew(&self, host: &str, old: &[u8], key: NewKey) -> Message {
        let (answer, line) = self.renewed(host, old, key).await;
        if self.lines.is_due(host) {
            complain(&line);
        }
        answer
    }

    async fn renewed(&self, host: &str, old: &[u8], key: NewKey) -> (Message, String) {
        let renewed = async {
            let request = request(key);
            let Some(public) = request.checked() else { return Ok(None) };
            let new = self.authority.certify_host(host, public, SystemClock.now()?)?;
            let is_noted = self.store.renew(host, old, &new).await?;
            Ok::<_, ServerError>(is_noted.then_some(new))
        };
        match renewed.await {
            Ok(Some(new)) => {
                let line = format!("{host} has renewed its certificate: {}", new.serial);
                (self.issued(host.to_owned(), &new), line)
            }
            Ok(None) => {
                let problem = "the certificate is not renewed";
                let hint = "twofactor host list, on the central machine";
                (Message::refusing(Reason::NotRoot, problem, hint), format!("{host}: {problem}"))
            }
            Err(error) => {
                let line = format!("{host} cannot renew its certificate: {error}");
                (Message::failing(&StoreError::from(error)), line)
            }
        }
    }

    fn issued(&self, name: String, new: &HostCertificate) -> Message {
        let authority = self.authority.certificate().to_vec();
        IssuedCertificate { name, certificate: new.der.to_vec(), authority }.message()
    }
}

fn request(key: NewKey) -> Request {
    Request { public: key.public, signature: key.signature }
}

/// The number as the store has it. One that no code has stays one that none has.
fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(-1)
}
