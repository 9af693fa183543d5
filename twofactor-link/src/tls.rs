//! TLS with the servers: their certificates by the authority of the fleet, this host's own beside it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use twofactor_core::config::fleet::Membership;
use zeroize::Zeroizing;

/// TLS 1.3 as this host speaks it.
pub(crate) fn client(membership: &Membership) -> Result<Arc<ClientConfig>, String> {
    let Membership { ca, certificate, key, .. } = membership;
    let mut roots = RootCertStore::empty();
    for authority in certificates(ca)? {
        roots.add(authority).map_err(|error| wrong(ca, &error))?;
    }
    let pem = Zeroizing::new(fs::read(key).map_err(|error| wrong(key, &error))?);
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(key, &error))?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| wrong(certificate, &error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(certificate)?, private);
    config.map(Arc::new).map_err(|error| wrong(certificate, &error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = fs::read(path).map_err(|error| wrong(path, &error))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let read = read.map_err(|error| wrong(path, &error))?;
    if read.is_empty() { Err(wrong(path, &"there is no certificate in it")) } else { Ok(read) }
}

fn wrong(file: &Path, problem: &dyn std::fmt::Display) -> String {
    format!("{}: {problem}; see [fleet] in twofactor.toml(5)", file.display())
}
