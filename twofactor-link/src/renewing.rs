//! `twofactor-link renew`: another certificate with another key, long before the present one ends.
//!
//! Invariants: the present certificate stays until the new one is complete, and a link that runs loses no login for it: the servers take
//! both for a week.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use twofactor_core::config::fleet::{Membership, ServerAddress};
use twofactor_core::store::wire::{HostCall, IssuedCertificate, Message, NewKey};
use twofactor_core::text::pairs;
use twofactor_net::certificate::Facts;
use twofactor_net::host_key::HostKey;

use crate::addresses::Addresses;
use crate::connection::{Connection, in_words};
use crate::failure::{Exit, Failure};
use crate::joining::{belongs, new_key};
use crate::own_files;
use crate::tls::{Files, Tls};

/// The longest that one server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a certificate is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Once two thirds of its time are over.
    Due,
    /// At once.
    Now,
}

/// Renews, and gives the certificate that this host has then.
pub(crate) fn run(membership: &Membership, when: When) -> Result<Facts, Failure> {
    let files = Files::of(membership);
    let wrong = |problem: String| Failure::new(Exit::BadConfiguration, problem, "see [fleet] in twofactor.toml(5)");
    let present = files.facts().map_err(|error| wrong(error.to_string()))?;
    if when == When::Due && !is_due(&present, unix_time()) {
        return Ok(present);
    }
    let folder = own_files::folder(&files)?;
    let tls = Tls::new(files.clone()).map_err(|error| wrong(error.to_string()))?;
    let key = HostKey::generate();
    let key = key.map_err(|error| Failure::new(Exit::Failed, error.to_string(), "is /dev/urandom there?"))?;
    let issued = from_one_of(&membership.servers, &tls, new_key(&key))?;
    let facts = Facts::of(&issued.certificate.clone().into()).filter(|_| belongs(&issued, &key.private));
    let Some(facts) = facts.filter(|_| is_of_ours(&files.ca, &issued)) else {
        let hint = "twofactor-server check, on the central machine";
        return Err(Failure::new(Exit::Failed, "a server has sent a certificate that is not for this host", hint));
    };
    own_files::write(&folder, &files, &key.private, &issued)?;
    Ok(facts)
}

/// False where the certificate is not due yet. Where that cannot be said, renewing says why.
pub(crate) fn is_time(membership: &Membership) -> bool {
    Files::of(membership).facts().map_or(true, |present| is_due(&present, unix_time()))
}

fn from_one_of(servers: &[ServerAddress], tls: &Tls, key: NewKey) -> Result<IssuedCertificate, Failure> {
    let failed = |problem: String, hint: &str| Failure::new(Exit::Failed, problem, hint);
    let question = HostCall::Renew(key).message().line();
    let question = question.map_err(|error| failed(error.to_string(), "twofactor fleet status"))?;
    let mut problems = Vec::new();
    for server in servers {
        let deadline = Instant::now() + PATIENCE;
        let asked = Connection::open(&Addresses::new(server.clone()), &tls.config(), deadline)
            .and_then(|mut connection| connection.exchange(&question, deadline))
            .map_err(|error| in_words(&error))
            .and_then(|answer| {
                Message::read(&answer).and_then(IssuedCertificate::read).map_err(|error| error.to_string())
            });
        match asked {
            Ok(Ok(issued)) => return Ok(issued),
            Ok(Err(said)) => problems.push(format!("{server}: {said}")),
            Err(error) => problems.push(format!("{server}: {error}")),
        }
    }
    let hint = "twofactor fleet status; where the certificate has ended: twofactor fleet join --again";
    Err(failed(format!("the certificate is not renewed: {}", problems.join("; ")), hint))
}

/// True where the authority is the one that this host knows.
fn is_of_ours(ca: &Path, issued: &IssuedCertificate) -> bool {
    let known = twofactor_net::pem::certificates(ca).unwrap_or_default();
    known.iter().any(|known| known.as_ref() == issued.authority)
}

fn is_due(present: &Facts, now: u64) -> bool {
    let lasts = present.until.saturating_sub(present.from);
    now >= present.from + lasts / 3 * 2
}

/// The number of a certificate and its end as pairs.
pub(crate) fn line(facts: &Facts) -> String {
    let mut line = String::new();
    pairs::write(&mut line, "serial", &facts.serial);
    pairs::write(&mut line, "until", facts.until);
    line
}

/// The present in seconds of Unix time.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thirds_of_its_time_are_the_age_at_which_a_certificate_is_renewed() {
        let facts = |from, until| Facts { serial: "1".to_owned(), from, until };
        let day = 86_400;
        let present = facts(100 * day, 190 * day);
        assert!(!is_due(&present, 159 * day) && is_due(&present, 160 * day) && is_due(&present, 191 * day));
        assert!(is_due(&facts(5, 5), 5));
    }
}
