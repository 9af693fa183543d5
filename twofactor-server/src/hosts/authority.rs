//! The fleet's own authority: it signs the certificates of hosts and of servers.
//!
//! Invariants: its key stands in the database, sealed, and in the memory of servers. It signs keys that were made elsewhere and never
//! a name that a request claims. A host's certificate is good as a client's alone and a server's as a server's alone, so neither can
//! be the other.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use twofactor_core::host::clock::UnixTime;
use twofactor_net::join_code::Fingerprint;
use zeroize::Zeroizing;

use crate::error::ServerError;

/// Certificates begin so long before they are made: the clocks of hosts and servers differ.
const BEFORE: Duration = Duration::from_hours(24);

/// For how long the authority, a host's certificate and a server's are good.
const OF_AUTHORITY: Duration = Duration::from_hours(24 * 365 * 20);
const OF_HOST: Duration = Duration::from_hours(24 * 90);
const OF_SERVER: Duration = Duration::from_hours(24 * 14);

/// The authority of one store.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate of a host, with what the store keeps of it.
#[derive(Clone)]
pub(crate) struct HostCertificate {
    /// It, in DER.
    pub(crate) der: CertificateDer<'static>,
    /// Its number, in hexadecimal digits.
    pub(crate) serial: String,
    /// It is good until this second of Unix time.
    pub(crate) until: u64,
}

impl Authority {
    /// A new authority for the store of this name, and its record, which is to be sealed.
    pub(crate) fn new(store: &str, now: UnixTime) -> Result<(Self, Zeroizing<Vec<u8>>), ServerError> {
        let key = KeyPair::generate().map_err(|_| ServerError::NoRandomness)?;
        let secret = Zeroizing::new(key.serialize_der());
        let mut params = about_authority(store);
        last(&mut params, now, now.seconds() + OF_AUTHORITY.as_secs());
        let issuer =
            CertifiedIssuer::self_signed(params, key).map_err(|error| ServerError::Signing(error.to_string()))?;
        let certificate = issuer.der().clone();
        let length = u32::try_from(certificate.len()).unwrap_or(u32::MAX).to_be_bytes();
        let record = Zeroizing::new([&length[..], &certificate, &secret].concat());
        Ok((Self::of(store, &record)?, record))
    }

    /// The authority of a record.
    pub(crate) fn of(store: &str, record: &[u8]) -> Result<Self, ServerError> {
        let broken = || ServerError::BrokenSeal("the authority".to_owned());
        let (length, rest) = record.split_first_chunk().ok_or_else(broken)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (certificate, key) = rest.split_at_checked(length).ok_or_else(broken)?;
        let key = PrivatePkcs8KeyDer::from(key.to_vec());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256).map_err(|_| broken())?;
        let issuer = Issuer::new(about_authority(store), key);
        Ok(Self { certificate: CertificateDer::from(certificate.to_vec()), issuer })
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The part of a join code by which a host knows it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// A certificate of the host of this name for a public key of P-256, whose private half has signed the request.
    pub(crate) fn certify_host(
        &self,
        name: &str,
        public: &[u8],
        now: UnixTime,
    ) -> Result<HostCertificate, ServerError> {
        let until = now.seconds() + OF_HOST.as_secs();
        let mut params = about(&[name.to_owned()], now, until, ExtendedKeyUsagePurpose::ClientAuth)?;
        let serial = serial()?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let signed = params.signed_by(&PublicKey(public), &self.issuer);
        let der = signed.map_err(|error| ServerError::Signing(error.to_string()))?.into();
        Ok(HostCertificate { der, serial: data_encoding::HEXLOWER.encode(&serial), until })
    }

    /// The chain of a server's certificate, with a new key.
    pub(crate) fn certify_server(
        &self,
        names: &[String],
        now: UnixTime,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ServerError> {
        let key = KeyPair::generate().map_err(|_| ServerError::NoRandomness)?;
        let until = now.seconds() + OF_SERVER.as_secs();
        let mut params = about(names, now, until, ExtendedKeyUsagePurpose::ServerAuth)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial()?));
        let signed = params.signed_by(&key, &self.issuer);
        let der: CertificateDer<'static> = signed.map_err(|error| ServerError::Signing(error.to_string()))?.into();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        // With the authority: a host that joins knows it by its fingerprint alone.
        Ok((vec![der, self.certificate.clone()], key))
    }
}

/// A public key that was made elsewhere.
struct PublicKey<'k>(&'k [u8]);

impl PublicKeyData for PublicKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// What the authority says of itself: the same each time that its record is read.
fn about_authority(store: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, format!("twofactor fleet {store}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn about(
    names: &[String],
    now: UnixTime,
    until: u64,
    usage: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, ServerError> {
    let params = CertificateParams::new(names.to_vec());
    let mut params = params.map_err(|error| ServerError::Signing(error.to_string()))?;
    params.distinguished_name.remove(DnType::CommonName);
    if let Some(name) = names.first() {
        // 64 letters are the most (RFC 5280, appendix A); the name that counts is the other one.
        params.distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    }
    last(&mut params, now, until);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Sixteen random bytes: a positive number.
fn serial() -> Result<[u8; 16], ServerError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| ServerError::NoRandomness)?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

/// The certificate is good until this second of Unix time.
fn last(params: &mut CertificateParams, now: UnixTime, until: u64) {
    let at = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    (params.not_before, params.not_after) = (at(now.seconds().saturating_sub(BEFORE.as_secs())), at(until));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{ServerName, UnixTime as TlsTime};
    use std::sync::Arc;
    use twofactor_net::certificate::Facts;
    use twofactor_net::host_key::HostKey;
    use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring::ECDSA_P256_SHA256};

    const NOW: u64 = 1_795_824_000;

    fn verified(certificate: &CertificateDer<'_>, authority: &Authority, usage: KeyUsage, now: u64) -> bool {
        let anchor = anchor_from_trusted_cert(authority.certificate()).unwrap();
        let leaf = EndEntityCert::try_from(certificate).unwrap();
        let now = TlsTime::since_unix_epoch(Duration::from_secs(now));
        leaf.verify_for_usage(&[ECDSA_P256_SHA256], &[anchor], &[], now, usage, None, None).is_ok()
    }

    #[test]
    fn hosts_and_servers_are_certified_and_none_is_good_as_the_other() {
        let now = UnixTime::from_seconds(NOW);
        let (made, record) = Authority::new("store", now).unwrap();
        let read = Authority::of("store", &record).unwrap();
        assert_eq!(made.fingerprint(), read.fingerprint());
        let key = HostKey::generate().unwrap();
        let host = read.certify_host("web1.example.org", key.request.checked().unwrap(), now).unwrap();
        let facts = Facts::of(&host.der).unwrap();
        assert_eq!((facts.serial, facts.until), (host.serial, host.until));
        let (client, server) = (KeyUsage::client_auth(), KeyUsage::server_auth());
        assert!(verified(&host.der, &made, client, NOW) && !verified(&host.der, &made, server, NOW));
        let (chain, private) = read.certify_server(&["otp1.example.org".to_owned()], now).unwrap();
        assert!(verified(&chain[0], &made, server, NOW) && !verified(&chain[0], &made, client, NOW));
        let leaf = EndEntityCert::try_from(&chain[0]).unwrap();
        let named = |name: &'static str| leaf.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap());
        assert!(named("otp1.example.org").is_ok() && named("web1.example.org").is_err());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        assert!(rustls::sign::CertifiedKey::from_der(chain, private, &provider).is_ok());
        // An hour of the clock is nothing, and the end is the end.
        assert!(verified(&host.der, &made, client, NOW - 3600) && !verified(&host.der, &made, client, facts.until + 1));
        let another = Authority::new("store", now).unwrap().0;
        assert!(!verified(&host.der, &another, client, NOW));
    }
}
