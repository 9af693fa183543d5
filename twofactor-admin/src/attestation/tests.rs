//! A maker of security keys, and what becomes of an attestation when a part of it is another's.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SigningKey as _, date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use twofactor_core::codes::ssh_key::{KeyType, SshKey};
use twofactor_core::host::clock::UnixTime;

use super::{Makers, MakersError, NotAttested, check};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const CHALLENGE: &[u8] = b"thirty-two bytes of the sysadmin";
const MODEL: [u8; 16] = *b"a security key 5";
const TOUCHED_WITH_KEY: u8 = 0x41;

/// A maker with a certificate of its own.
struct Maker(Issuer<'static, KeyPair>, Vec<u8>);

impl Maker {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self(Issuer::new(params, key), der)
    }

    fn trusted(&self) -> Makers {
        let mut makers = Makers::default();
        makers.add(&self.1).unwrap();
        makers
    }

    /// The certificate of its security keys, and the key that they sign with.
    fn certificate(&self, change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, KeyPair) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::ExplicitNoCa;
        params.distinguished_name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        params.custom_extensions = vec![model(MODEL)];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().der().to_vec(), key)
    }
}

fn model(model: [u8; 16]) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4], [&[4, 16][..], &model].concat())
}

fn fields(fields: &[&[u8]]) -> Vec<u8> {
    let field = |field: &&[u8]| [&u32::try_from(field.len()).unwrap().to_be_bytes(), *field].concat();
    fields.iter().flat_map(field).collect()
}

fn key(kind: KeyType, byte: u8) -> SshKey {
    let word = kind.word().as_bytes();
    let blob = match kind {
        KeyType::Ed25519 => fields(&[word, &[byte; 32], b"ssh:"]),
        KeyType::Ecdsa => fields(&[word, b"nistp256", &[&[4], &[byte; 64][..]].concat(), b"ssh:"]),
    };
    SshKey::parse(kind.word(), &data_encoding::BASE64.encode(&blob)).unwrap()
}

/// The words of a security key that has made the key.
fn authenticator_data(kind: KeyType, byte: u8, flags: u8) -> Vec<u8> {
    let coordinate = [&[0x58, 32][..], &[byte; 32]].concat();
    let public = match kind {
        KeyType::Ed25519 => [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21][..], &coordinate].concat(),
        KeyType::Ecdsa => [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21][..], &coordinate, &[0x22], &coordinate].concat(),
    };
    let application = Sha256::digest(b"ssh:");
    [&application[..], &[flags, 0, 0, 0, 1], &MODEL, &[0, 4], b"hand", &public].concat()
}

/// The file that ssh-keygen writes.
fn attestation(certificate: &[u8], signature: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap();
    let in_cbor = [&[0x58, length], data].concat();
    [fields(&[b"ssh-sk-attest-v01", certificate, signature, &in_cbor]), vec![0; 4], fields(&[b""])].concat()
}

fn packed(data: &[u8]) -> Vec<u8> {
    [data, &Sha256::digest(CHALLENGE)].concat()
}

#[test]
fn a_key_that_was_made_in_hardware_of_a_trusted_maker_is_attested() {
    let maker = Maker::new();
    for kind in KeyType::ALL {
        let (certificate, signer) = maker.certificate(|_| ());
        let data = authenticator_data(kind, 7, TOUCHED_WITH_KEY);
        let file = attestation(&certificate, &signer.sign(&packed(&data)).unwrap(), &data);
        let checked = |challenge: &[u8], key: &SshKey, makers: &Makers| check(&file, challenge, key, makers, NOW);
        assert_eq!(checked(CHALLENGE, &key(kind, 7), &maker.trusted()), Ok(()));
        assert_eq!(checked(CHALLENGE, &key(kind, 8), &maker.trusted()), Err(NotAttested::AnotherKey));
        let another = b"thirty-two bytes of another day!";
        assert_eq!(checked(another, &key(kind, 7), &maker.trusted()), Err(NotAttested::Signature));
        assert_eq!(checked(b"short", &key(kind, 7), &maker.trusted()), Err(NotAttested::ShortChallenge));
        for makers in [Maker::new().trusted(), Makers::default()] {
            assert!(matches!(checked(CHALLENGE, &key(kind, 7), &makers), Err(NotAttested::Maker(_))));
        }
    }
}

#[test]
fn a_security_key_of_u2f_signs_another_message() {
    let maker = Maker::new();
    // It has no models, and its certificates name no unit.
    let (certificate, signer) = maker.certificate(|params| {
        params.is_ca = IsCa::NoCa;
        params.distinguished_name = DistinguishedName::new();
        params.custom_extensions = vec![model([7; 16])];
    });
    let data = authenticator_data(KeyType::Ecdsa, 7, TOUCHED_WITH_KEY);
    let message = [&[0], &Sha256::digest(b"ssh:")[..], &Sha256::digest(CHALLENGE), b"hand", &[4], &[7; 64]].concat();
    let file = attestation(&certificate, &signer.sign(&message).unwrap(), &data);
    assert_eq!(check(&file, CHALLENGE, &key(KeyType::Ecdsa, 7), &maker.trusted(), NOW), Ok(()));
    let packed = attestation(&certificate, &signer.sign(&packed(&data)).unwrap(), &data);
    let checked = check(&packed, CHALLENGE, &key(KeyType::Ecdsa, 7), &maker.trusted(), NOW);
    assert_eq!(checked, Err(NotAttested::NotOfSecurityKeys), "for FIDO2 that is too little");
    let wrong = [&message[1..], &[0]].concat();
    let file = attestation(&certificate, &signer.sign(&wrong).unwrap(), &data);
    let checked = check(&file, CHALLENGE, &key(KeyType::Ecdsa, 7), &maker.trusted(), NOW);
    assert_eq!(checked, Err(NotAttested::Signature));
}

#[test]
fn a_certificate_counts_for_its_model_its_time_and_nothing_else() {
    let maker = Maker::new();
    let checked = |change: fn(&mut CertificateParams), flags: u8| {
        let (certificate, signer) = maker.certificate(change);
        let data = authenticator_data(KeyType::Ed25519, 7, flags);
        let file = attestation(&certificate, &signer.sign(&packed(&data)).unwrap(), &data);
        check(&file, CHALLENGE, &key(KeyType::Ed25519, 7), &maker.trusted(), NOW)
    };
    assert_eq!(checked(|params| params.custom_extensions.clear(), TOUCHED_WITH_KEY), Ok(()), "it does not say");
    assert_eq!(checked(|_| (), TOUCHED_WITH_KEY), Ok(()));
    assert_eq!(checked(|_| (), 0x40), Err(NotAttested::NotTouched));
    assert_eq!(checked(|_| (), 0x01), Err(NotAttested::Form), "no key was made");
    let of_another = |params: &mut CertificateParams| params.custom_extensions = vec![model([7; 16])];
    assert_eq!(checked(of_another, TOUCHED_WITH_KEY), Err(NotAttested::AnotherModel));
    let over = |params: &mut CertificateParams| params.not_after = date_time_ymd(2026, 1, 1);
    assert!(matches!(checked(over, TOUCHED_WITH_KEY), Err(NotAttested::Maker(_))));
    let of_a_web_server =
        |params: &mut CertificateParams| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert!(matches!(checked(of_a_web_server, TOUCHED_WITH_KEY), Err(NotAttested::Maker(_))));
    let no_unit = |params: &mut CertificateParams| params.distinguished_name = DistinguishedName::new();
    assert_eq!(checked(no_unit, TOUCHED_WITH_KEY), Err(NotAttested::NotOfSecurityKeys));
    for unit in ["Authenticator Attestation CA", "authenticator attestation", ""] {
        let (certificate, signer) = maker.certificate(|params| {
            params.distinguished_name.push(DnType::OrganizationalUnitName, unit);
        });
        let data = authenticator_data(KeyType::Ed25519, 7, TOUCHED_WITH_KEY);
        let file = attestation(&certificate, &signer.sign(&packed(&data)).unwrap(), &data);
        let checked = check(&file, CHALLENGE, &key(KeyType::Ed25519, 7), &maker.trusted(), NOW);
        assert_eq!(checked, Err(NotAttested::NotOfSecurityKeys), "{unit:?}");
    }
    let authority = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(checked(authority, TOUCHED_WITH_KEY), Err(NotAttested::PerhapsAuthority));
    let does_not_say = |params: &mut CertificateParams| params.is_ca = IsCa::NoCa;
    assert_eq!(checked(does_not_say, TOUCHED_WITH_KEY), Err(NotAttested::PerhapsAuthority));
    // The bytes of the extension in another place are no extension, and one that holds another thing names no model.
    let in_a_comment = |params: &mut CertificateParams| {
        let content = [&[6, 11, 43, 6, 1, 4, 1, 130, 229, 28, 1, 1, 4, 4, 18, 4, 16][..], &[7; 16]].concat();
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 9], content)];
    };
    assert_eq!(checked(in_a_comment, TOUCHED_WITH_KEY), Ok(()));
    let shorter = |params: &mut CertificateParams| {
        let oid = [1, 3, 6, 1, 4, 1, 45724, 1, 1, 4];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&oid, MODEL.to_vec())];
    };
    assert_eq!(checked(shorter, TOUCHED_WITH_KEY), Err(NotAttested::AnotherModel));
    let two_models = |params: &mut CertificateParams| params.custom_extensions.push(model([7; 16]));
    assert_eq!(checked(two_models, TOUCHED_WITH_KEY), Err(NotAttested::AnotherModel));
}

#[test]
fn a_key_that_attests_itself_is_not_attested() {
    let signer = KeyPair::generate().unwrap();
    let data = authenticator_data(KeyType::Ed25519, 7, TOUCHED_WITH_KEY);
    let file = attestation(b"", &signer.sign(&packed(&data)).unwrap(), &data);
    let checked = check(&file, CHALLENGE, &key(KeyType::Ed25519, 7), &Maker::new().trusted(), NOW);
    assert_eq!(checked, Err(NotAttested::NoCertificate));
    // A certificate of its own making is below no maker's.
    let own = CertificateParams::new(Vec::new()).unwrap().self_signed(&signer).unwrap();
    let file = attestation(own.der(), &signer.sign(&packed(&data)).unwrap(), &data);
    let checked = check(&file, CHALLENGE, &key(KeyType::Ed25519, 7), &Maker::new().trusted(), NOW);
    assert!(matches!(checked, Err(NotAttested::Maker(_))), "{checked:?}");
}

#[test]
fn a_damaged_attestation_is_refused_wherever_it_is_damaged() {
    let maker = Maker::new();
    let (certificate, signer) = maker.certificate(|_| ());
    let data = authenticator_data(KeyType::Ecdsa, 7, TOUCHED_WITH_KEY);
    let file = attestation(&certificate, &signer.sign(&packed(&data)).unwrap(), &data);
    let checked = |file: &[u8]| check(file, CHALLENGE, &key(KeyType::Ecdsa, 7), &maker.trusted(), NOW);
    assert_eq!(checked(&file), Ok(()));
    // Behind the signed fields stand eight bytes that mean nothing.
    for at in 0..file.len() - 8 {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        assert!(checked(&damaged).is_err(), "byte {at}");
        assert!(checked(&file[..at]).is_err(), "cut at {at}");
    }
    let old = [fields(&[b"ssh-sk-attest-v00", &certificate, b""]), vec![0; 8]].concat();
    assert_eq!(checked(&old), Err(NotAttested::OldForm));
}

#[test]
fn makers_are_read_from_pem_and_der() {
    let maker = Maker::new();
    let in_pem = |der: &[u8]| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", data_encoding::BASE64.encode(der))
    };
    let mut makers = Makers::default();
    assert!(makers.are_none());
    makers.add(format!("a comment\n{}{}", in_pem(&Maker::new().1), in_pem(&maker.1)).as_bytes()).unwrap();
    let (certificate, signer) = maker.certificate(|_| ());
    let data = authenticator_data(KeyType::Ed25519, 7, TOUCHED_WITH_KEY);
    let file = attestation(&certificate, &signer.sign(&packed(&data)).unwrap(), &data);
    assert_eq!(check(&file, CHALLENGE, &key(KeyType::Ed25519, 7), &makers, NOW), Ok(()));
    assert_eq!(makers.add(b"nothing"), Err(MakersError::None));
    assert!(matches!(makers.add(in_pem(b"\x30nothing").as_bytes()), Err(MakersError::Damaged(_))));
}
