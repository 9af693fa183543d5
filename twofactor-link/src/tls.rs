//! TLS with the servers: their certificates by the authority of the fleet, this host's own beside it.
//!
//! Invariant: key and certificate belong together. They stand in one file, the key's, which is replaced as a whole; where a site wrote two,
//! the other is read too. A file that changed counts for the next connection.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use twofactor_core::config::fleet::Membership;
use twofactor_net::certificate::Facts;
use twofactor_net::pem::{PemError, certificates, private_key};
use webpki::EndEntityCert;

use crate::journal::complain;

/// The folder of the files that systemd hands to a service.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The files of this host.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    /// The files that `[fleet]` names.
    pub(crate) fn of(membership: &Membership) -> Self {
        let Membership { ca, certificate, key, .. } = membership.clone();
        Self { ca, certificate, key }
    }

    /// The same, or in their places those that systemd has handed to this service.
    #[must_use]
    pub(crate) fn or_credentials(self) -> Self {
        let Some(folder) = std::env::var_os(CREDENTIALS).map(PathBuf::from) else { return self };
        let found = |name: &str, configured: PathBuf| {
            let credential = folder.join(name);
            if credential.exists() { credential } else { configured }
        };
        Self {
            ca: found("ca.pem", self.ca),
            certificate: found("host.pem", self.certificate),
            key: found("host.key", self.key),
        }
    }

    /// The chain of this host's certificate: the one that stands with the key, else that of the other file.
    pub(crate) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        certificates(&self.key).or_else(|_| certificates(&self.certificate))
    }

    /// What this host's certificate says of itself.
    pub(crate) fn facts(&self) -> Result<Facts, PemError> {
        let chain = self.chain()?;
        let facts = chain.first().and_then(Facts::of);
        facts.ok_or_else(|| PemError::new(&self.key, &"the certificate cannot be read"))
    }

    /// The name in this host's certificate.
    pub(crate) fn name(&self) -> Option<String> {
        let chain = self.chain().ok()?;
        let certificate = EndEntityCert::try_from(chain.first()?).ok()?;
        certificate.valid_dns_names().next().map(str::to_owned)
    }

    fn stamps(&self) -> Vec<Option<(u64, i64, i64)>> {
        let stamp = |path: &PathBuf| {
            let found = fs::metadata(path).ok()?;
            Some((found.ino(), found.mtime(), found.mtime_nsec()))
        };
        [&self.ca, &self.certificate, &self.key].map(stamp).to_vec()
    }
}

/// The settings of TLS, renewed when the files change.
pub(crate) struct Tls {
    files: Files,
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ClientConfig>,
    /// Of the certificate in it.
    facts: Option<Facts>,
    stamps: Vec<Option<(u64, i64, i64)>>,
}

impl Tls {
    pub(crate) fn new(files: Files) -> Result<Self, PemError> {
        let (stamps, (config, facts)) = (files.stamps(), client(&files)?);
        Ok(Self { files, current: Mutex::new(Current { config, facts, stamps }) })
    }

    /// The settings for a new connection. Files that cannot be used change nothing.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.renewed().config)
    }

    /// The certificate of a new connection; `None` where it cannot be read.
    pub(crate) fn facts(&self) -> Option<Facts> {
        self.renewed().facts.clone()
    }

    fn renewed(&self) -> MutexGuard<'_, Current> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.files.stamps();
        if stamps != current.stamps {
            match client(&self.files) {
                Ok((config, facts)) => (current.config, current.facts) = (config, facts),
                Err(error) => complain(&format!("{error}; the certificate stays as it was")),
            }
            current.stamps = stamps;
        }
        current
    }
}

/// TLS 1.3 as this host speaks it, and its certificate.
fn client(files: &Files) -> Result<(Arc<ClientConfig>, Option<Facts>), PemError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&files.ca)? {
        roots.add(authority).map_err(|error| PemError::new(&files.ca, &error))?;
    }
    let wrong = |error: rustls::Error| PemError::new(&files.key, &error);
    let config = builder().map_err(wrong)?.with_root_certificates(roots);
    let chain = files.chain()?;
    let facts = chain.first().and_then(Facts::of);
    let config = config.with_client_auth_cert(chain, private_key(&files.key)?).map_err(wrong)?;
    Ok((Arc::new(config), facts))
}

/// TLS 1.3 over ring.
pub(crate) fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])
}

/// The folder of a file.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}
