//! TLS 1.3 as a server speaks it: with the files of a site, or with the fleet's own authority.
//!
//! Invariants: there are no tickets, so a host shows its certificate on each connection. A server's own certificate is made anew in
//! memory long before its end.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};
use tokio_rustls::TlsAcceptor;
use twofactor_core::config::fleet::SiteFiles;
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_net::pem::{PemError, certificates, private_key};

use crate::error::ServerError;
use crate::hosts::fleet_hosts::FleetHosts;

/// The age at which a server's certificate is made anew.
const OLD: Duration = Duration::from_hours(24);

/// TLS with the files of a site.
pub fn of_site(files: &SiteFiles) -> Result<TlsAcceptor, ServerError> {
    let wrong = |file, problem: &dyn std::fmt::Display| ServerError::from(PemError::new(file, problem));
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.client_ca)? {
        roots.add(certificate).map_err(|error| wrong(&files.client_ca, &error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let verifier = verifier.map_err(|error| wrong(&files.client_ca, &error))?;
    let config = builder().map_err(|error| wrong(&files.certificate, &error))?;
    let config = config.with_client_cert_verifier(verifier);
    let config = config.with_single_cert(certificates(&files.certificate)?, private_key(&files.key)?);
    Ok(acceptor(config.map_err(|error| wrong(&files.certificate, &error))?))
}

/// TLS with the fleet's own authority, for a server of these names. A host without a certificate is connected, too: it may join.
pub fn of_fleet(hosts: &Arc<FleetHosts>, names: Vec<String>) -> Result<TlsAcceptor, ServerError> {
    let wrong = |problem: &dyn std::fmt::Display| ServerError::Signing(problem.to_string());
    let mut roots = RootCertStore::empty();
    roots.add(hosts.authority().certificate().clone()).map_err(|error| wrong(&error))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).allow_unauthenticated();
    let verifier: Arc<dyn ClientCertVerifier> = verifier.build().map_err(|error| wrong(&error))?;
    let own = OwnCertificate::new(Arc::clone(hosts), names)?;
    let config = builder().map_err(|error| wrong(&error))?;
    Ok(acceptor(config.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(own))))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
    ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])
}

fn acceptor(mut config: ServerConfig) -> TlsAcceptor {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    TlsAcceptor::from(Arc::new(config))
}

/// The certificate of this server, from the fleet's authority.
struct OwnCertificate {
    hosts: Arc<FleetHosts>,
    names: Vec<String>,
    /// It, and the second of Unix time at which it was made.
    current: RwLock<(Arc<CertifiedKey>, u64)>,
}

impl OwnCertificate {
    fn new(hosts: Arc<FleetHosts>, names: Vec<String>) -> Result<Self, ServerError> {
        let current = RwLock::new(made(&hosts, &names)?);
        Ok(Self { hosts, names, current })
    }

    fn current(&self) -> (Arc<CertifiedKey>, u64) {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let (key, made_at) = self.current();
        // Also where the clock was set: one of the future would never be old.
        let age = SystemClock.now().ok()?.seconds().abs_diff(made_at);
        if age < OLD.as_secs() {
            return Some(key);
        }
        // The present one is good for days: where no other can be made, it stays.
        let Ok(new) = made(&self.hosts, &self.names) else { return Some(key) };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new.clone();
        Some(new.0)
    }
}

/// Without its key.
impl std::fmt::Debug for OwnCertificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OwnCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

fn made(hosts: &FleetHosts, names: &[String]) -> Result<(Arc<CertifiedKey>, u64), ServerError> {
    let now = SystemClock.now()?;
    let (chain, key) = hosts.authority().certify_server(names, now)?;
    let key = CertifiedKey::from_der(chain, key, &provider());
    Ok((Arc::new(key.map_err(|error| ServerError::Signing(error.to_string()))?), now.seconds()))
}
