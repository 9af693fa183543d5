//! A site's own authority, which signs the certificates of a fleet's servers and hosts.

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use rcgen::{Certificate, ExtendedKeyUsagePurpose, KeyPair};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa};
use twofactor_net::pem;

use crate::oathtool;

/// The authority, with its private key.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate, and its private key.
#[derive(Debug)]
pub struct Certified {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: KeyPair,
}

impl Authority {
    /// A new one of this name.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("it signs itself"))
    }

    /// Its own certificate, in DER.
    pub fn der(&self) -> &[u8] {
        self.0.der()
    }

    /// A certificate for `names`, from ten days ago until `days` from now.
    pub fn certify(&self, names: &[&str], days: i64, usage: ExtendedKeyUsagePurpose) -> Certified {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        let now = i64::try_from(oathtool::now()).expect("a time");
        let day = |days: i64| {
            let seconds = u64::try_from(now + days * 86_400).expect("a time after 1970");
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
        };
        (params.not_before, params.not_after) = (day(-10), day(days));
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        Certified { certificate: params.signed_by(&key, &self.0).expect("the authority signs"), key }
    }

    /// The certificate of a server, for a day.
    pub fn server(&self, name: &str) -> Certified {
        self.certify(&[name], 30, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The certificate of a host, for a day.
    pub fn host(&self, name: &str) -> Certified {
        self.certify(&[name], 1, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Writes `ca.pem` below `folder`.
    pub fn write_into(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ca.pem");
        std::fs::write(&path, pem::of_certificate(self.der())).expect("a file");
        path
    }
}

impl Certified {
    /// Writes `NAME.pem` and `NAME.key` below `folder`.
    pub fn write_into(&self, folder: &Path, name: &str) -> [PathBuf; 2] {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, pem::of_certificate(self.certificate.der())).expect("a file");
        std::fs::write(&key, pem::of_private_key(&self.key.serialize_der())).expect("a file");
        [certificate, key]
    }
}
