//! The server that a join code names: its certificate is below the authority whose fingerprint stands in the code.
//!
//! Invariant: with another server no handshake ends, so nothing is sent to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use twofactor_net::join_code::Fingerprint;

/// Takes the server of one authority.
#[derive(Debug)]
pub(crate) struct Pinned {
    authority: Fingerprint,
    provider: Arc<CryptoProvider>,
    has_met_another: AtomicBool,
}

impl Pinned {
    pub(crate) fn new(authority: Fingerprint) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self { authority, provider, has_met_another: AtomicBool::new(false) }
    }

    /// True once a server has shown certificates of another authority.
    pub(crate) fn has_met_another(&self) -> bool {
        self.has_met_another.load(Ordering::SeqCst)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let named = intermediates.iter().find(|certificate| Fingerprint::of(certificate) == self.authority);
        let Some(named) = named else {
            self.has_met_another.store(true, Ordering::SeqCst);
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        let mut roots = RootCertStore::empty();
        roots.add(named.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        let found = verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if matches!(
            found,
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature))
        ) {
            self.has_met_another.store(true, Ordering::SeqCst);
        }
        found
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
    use std::time::Duration;

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "fleet");
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn leaf(authority: &Authority, name: &str, usage: ExtendedKeyUsagePurpose, year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![usage];
        params.signed_by(&KeyPair::generate().unwrap(), authority).unwrap().into()
    }

    #[test]
    fn only_a_server_of_the_named_authority_is_taken() {
        const SERVER: ExtendedKeyUsagePurpose = ExtendedKeyUsagePurpose::ServerAuth;
        let (ours, theirs) = (authority(), authority());
        let name = "otp1.example.org";
        let verified = |leaf: &CertificateDer<'_>, shown: &Authority| {
            let pinned = Pinned::new(Fingerprint::of(ours.der()));
            let asked = ServerName::try_from(name).unwrap();
            let now = UnixTime::since_unix_epoch(Duration::from_hours(498_840));
            let found = pinned.verify_server_cert(leaf, &[shown.der().clone()], &asked, &[], now);
            (found.is_ok(), pinned.has_met_another())
        };
        assert_eq!(verified(&leaf(&ours, name, SERVER, 2030), &ours), (true, false));
        assert_eq!(verified(&leaf(&theirs, name, SERVER, 2030), &theirs), (false, true), "another authority");
        assert_eq!(
            verified(&leaf(&theirs, name, SERVER, 2030), &ours),
            (false, true),
            "our authority beside another's"
        );
        assert_eq!(
            verified(&leaf(&ours, name, ExtendedKeyUsagePurpose::ClientAuth, 2030), &ours),
            (false, false),
            "a host"
        );
        assert_eq!(verified(&leaf(&ours, "otp2.example.org", SERVER, 2030), &ours), (false, false), "another name");
        assert_eq!(verified(&leaf(&ours, name, SERVER, 2026), &ours), (false, false), "an old one");
    }
}
