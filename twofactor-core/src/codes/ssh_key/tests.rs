//! Keys that ssh-keygen has written, and what becomes of them when they are damaged.

use super::auth_info::{methods, verified_keys};
use super::blob::{self, LONGEST_APPLICATION};
use super::*;
use data_encoding::BASE64;

// Written by ssh-keygen 9.2, which has also told the fingerprints and signed the certificates.
const ED25519: &str =
    "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo=";
const ED25519_CERTIFICATE: &str = concat!(
    "AAAAI3NrLXNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAINfljdurHpc3GTssUHPYmOatLirB5Jc3u6MIhElG6eN6AAAAIAABAg",
    "MEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDoAAAAAAAAAAAAAAAEAAAACaWQAAAAQAAAABWFsaWNlAAAAA2JvYgAAAABrChco",
    "AAAAAGzp+ZIAAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZX",
    "JtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQy",
    "NTUxOQAAACCBSDUO7aeGZFOMjCRQhXtrqqEKrR0XFmbOgE5GmbJc7AAAAFMAAAALc3NoLWVkMjU1MTkAAABAvcaXV9JYclFsd1Q0iE9WvDgeFu",
    "qQIoD64HQK5ndtrDlSABjhL9MjDeIq1RIV8yjHdskhJ8pICnyXLUnR3SntCQ==",
);
const ED25519_FINGERPRINT: &str = "SHA256:/p0CbeE3dk2SyW1OXXsThGc12ezDVD8eGw2/vtztDfk";
const ECDSA: &str = concat!(
    "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBAV3FoBPiCH1GiKoJReXJBvb7+ebXbrWcBOCIV",
    "Ereu1ILMqK5w5QzregJbxIYULc3Q4nM53HzISA/JQSfjs46ZkAAAAIc3NoOndvcms=",
);
const ECDSA_CERTIFICATE: &str = concat!(
    "AAAAK3NrLWVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAg+ZLLN50rSvyI4oSQQrUyAFtF6TYu7qzo3zBrPVs6r+",
    "kAAAAIbmlzdHAyNTYAAABBBAV3FoBPiCH1GiKoJReXJBvb7+ebXbrWcBOCIVEreu1ILMqK5w5QzregJbxIYULc3Q4nM53HzISA/JQSfjs46ZkA",
    "AAAIc3NoOndvcmsAAAAAAAAAAAAAAAEAAAACaWQAAAAQAAAABWFsaWNlAAAAA2JvYgAAAABrChcoAAAAAGzp+ZIAAAAAAAAAggAAABVwZXJtaX",
    "QtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAA",
    "AApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACCBSDUO7aeGZFOMjCRQhXtrqq",
    "EKrR0XFmbOgE5GmbJc7AAAAFMAAAALc3NoLWVkMjU1MTkAAABAvEYjIdJEcWhhkz3CMJ+5+eFo25jnKYTfhOL3hftQlTFKvaCpo46IRjZ9FPY4",
    "sdNJ9KApUT3UAqAdbcXWLBjPAA==",
);
const ECDSA_FINGERPRINT: &str = "SHA256:lNX9bF46FvpUQbTnpNKxvaS6jv4Y2Yuq5tSCNiYpq0A";
const PLAIN: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIFmLv9SlQgT5aNV/oeYExN3SfOxw1y/n6tLZgzfLM2ZW";

/// The key whose 32 bytes are all `byte`, for stories: no authenticator has it.
pub(crate) fn key(byte: u8) -> SshKey {
    let kind = KeyType::Ed25519;
    SshKey::parse(kind.word(), &BASE64.encode(&blob_of(&[kind.word().as_bytes(), &[byte; 32], b"ssh:"]))).unwrap()
}

/// The line that sshd writes about a key.
pub(crate) fn line(key: &SshKey) -> String {
    format!("publickey {} {}\n", key.kind().word(), key.base64())
}

fn blob_of(fields: &[&[u8]]) -> Vec<u8> {
    let mut blob = Vec::new();
    for field in fields {
        blob::push_string(&mut blob, field);
    }
    blob
}

fn of(kind: KeyType) -> (&'static str, &'static str, &'static str) {
    match kind {
        KeyType::Ed25519 => (ED25519, ED25519_CERTIFICATE, ED25519_FINGERPRINT),
        KeyType::Ecdsa => (ECDSA, ECDSA_CERTIFICATE, ECDSA_FINGERPRINT),
    }
}

#[test]
fn keys_have_the_fingerprints_that_ssh_keygen_prints() {
    for kind in KeyType::ALL {
        let (base64, _, fingerprint) = of(kind);
        let key = SshKey::parse(kind.word(), base64).unwrap();
        assert_eq!(key.fingerprint().as_str(), fingerprint);
        assert_eq!((key.kind(), key.base64()), (kind, base64.to_owned()));
    }
}

#[test]
fn a_public_key_file_is_one_line_and_may_have_a_comment() {
    let key = SshKey::parse(KeyType::Ed25519.word(), ED25519).unwrap();
    let word = KeyType::Ed25519.word();
    for (text, comment) in [
        (format!("{word} {ED25519} alice@laptop\n"), "alice@laptop"),
        (format!("{word} {ED25519}"), ""),
        (format!("# mine\n\n  {word}\t{ED25519}   work key \r\n"), "work key"),
    ] {
        assert_eq!(PublicKey::read(&text), Ok(PublicKey { key: key.clone(), comment: comment.to_owned() }));
    }
}

#[test]
fn other_files_are_refused_by_name() {
    let word = KeyType::Ed25519.word();
    for (text, refused) in [
        (String::new(), PublicKeyError::NoKey),
        ("# nothing\n".to_owned(), PublicKeyError::NoKey),
        ("root:x:0:0:root:/root:/bin/bash\n".to_owned(), PublicKeyError::NoKey),
        (format!("{word}\n"), PublicKeyError::NoKey),
        (format!("no-touch-required {word} {ED25519}\n"), PublicKeyError::NoKey),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n".to_owned(), PublicKeyError::Private),
        (format!("{word} {ED25519}\n{word} {ED25519}\n"), PublicKeyError::Several),
        (format!("sk-ssh-ed25519-cert-v01@openssh.com {ED25519_CERTIFICATE}\n"), PublicKeyError::Certificate),
        (format!("ssh-ed25519 {PLAIN} bob\n"), PublicKeyError::NoSecurityKey("ssh-ed25519".to_owned())),
        (format!("{word} {PLAIN}\n"), PublicKeyError::Damaged),
        (format!("{word} {ECDSA}\n"), PublicKeyError::Damaged),
        (format!("{word} {}\n", &ED25519[..60]), PublicKeyError::Damaged),
        (format!("{word} {ED25519}{}", " ".repeat(70_000)), PublicKeyError::NoKey),
    ] {
        assert_eq!(PublicKey::read(&text), Err(refused), "{text:.80}");
    }
}

#[test]
fn a_blob_with_a_byte_too_few_too_many_or_of_another_type_is_no_key() {
    for kind in KeyType::ALL {
        let blob = BASE64.decode(of(kind).0.as_bytes()).unwrap();
        for length in 0..blob.len() {
            assert_eq!(SshKey::of_blob(kind, &blob[..length]), None, "{length} bytes");
        }
        let longer = [blob.as_slice(), &[0]].concat();
        assert_eq!(SshKey::of_blob(kind, &longer), None);
        let other = KeyType::ALL.into_iter().find(|other| *other != kind).unwrap();
        assert_eq!(SshKey::of_blob(other, &blob), None);
    }
}

#[test]
fn the_fields_of_a_key_have_the_sizes_of_its_type() {
    let ed25519 = |point: &[u8], application: &[u8]| {
        SshKey::of_blob(KeyType::Ed25519, &blob_of(&[KeyType::Ed25519.word().as_bytes(), point, application]))
    };
    assert!(ed25519(&[7; 32], b"ssh:").is_some());
    assert!(ed25519(&[7; 32], &[b'a'; LONGEST_APPLICATION]).is_some());
    for (point, application) in [
        (&[7; 31][..], &b"ssh:"[..]),
        (&[7; 33], b"ssh:"),
        (&[7; 32], b""),
        (&[7; 32], &[b'a'; LONGEST_APPLICATION + 1]),
    ] {
        assert!(ed25519(point, application).is_none());
    }
    let ecdsa = |curve: &[u8], point: &[u8]| {
        SshKey::of_blob(KeyType::Ecdsa, &blob_of(&[KeyType::Ecdsa.word().as_bytes(), curve, point, b"ssh:"]))
    };
    let point = [&[4][..], &[7; 64]].concat();
    assert!(ecdsa(b"nistp256", &point).is_some());
    assert!(ecdsa(b"nistp384", &point).is_none());
    assert!(ecdsa(b"nistp256", &point[1..]).is_none());
    assert!(ecdsa(b"nistp256", &[&[2][..], &[7; 64]].concat()).is_none(), "a compressed point");
}

#[test]
fn base64_is_the_one_that_ssh_writes() {
    let word = KeyType::Ed25519.word();
    let padded = ED25519.trim_end_matches('=');
    for other in [padded.to_owned(), format!("{padded}=="), format!("{ED25519}="), format!(" {ED25519}")] {
        assert_eq!(SshKey::parse(word, &other), None, "{other}");
    }
    // A last letter whose idle bits are set stands for the same bytes elsewhere.
    assert!(ED25519.ends_with("o="));
    assert_eq!(SshKey::parse(word, &format!("{}p=", &ED25519[..ED25519.len() - 2])), None);
}

#[test]
fn of_a_certificate_the_key_inside_counts() {
    for kind in KeyType::ALL {
        let (base64, certificate, fingerprint) = of(kind);
        let line = format!("publickey {} {certificate}\n", kind.certificate_word());
        let keys = verified_keys(&line);
        assert_eq!(keys, [SshKey::parse(kind.word(), base64).unwrap()]);
        assert_eq!(keys[0].fingerprint().as_str(), fingerprint);
        // The blob of a key under the word of a certificate, and the other way round.
        assert_eq!(verified_keys(&format!("publickey {} {base64}\n", kind.certificate_word())), []);
        assert_eq!(verified_keys(&format!("publickey {} {certificate}\n", kind.word())), []);
        let bytes = BASE64.decode(certificate.as_bytes()).unwrap();
        for length in 0..bytes.len() {
            let cut = BASE64.encode(&bytes[..length]);
            assert_eq!(verified_keys(&format!("publickey {} {cut}\n", kind.certificate_word())), [], "{length}");
        }
        // The word before it, and its own first field.
        let mut of_another_type = bytes.clone();
        of_another_type[4] ^= 1;
        let of_another_type = BASE64.encode(&of_another_type);
        assert_eq!(verified_keys(&format!("publickey {} {of_another_type}\n", kind.certificate_word())), []);
        let longer = BASE64.encode(&[bytes.as_slice(), &[0]].concat());
        assert_eq!(verified_keys(&format!("publickey {} {longer}\n", kind.certificate_word())), []);
    }
}

#[test]
fn a_certificate_of_a_host_or_of_an_unknown_kind_names_no_key() {
    for kind in KeyType::ALL {
        let (_, certificate, _) = of(kind);
        let mut bytes = BASE64.decode(certificate.as_bytes()).unwrap();
        // Behind the type, the nonce, the fields of the key and the serial number.
        let mut fields = Fields::of(&bytes);
        let before = if kind == KeyType::Ed25519 { 4 } else { 5 };
        let at = (0..before).map(|_| 4 + fields.string().unwrap().len()).sum::<usize>() + 8;
        for (number, counts) in [(0, false), (1, true), (2, false), (3, false)] {
            bytes[at + 3] = number;
            let line = format!("publickey {} {}\n", kind.certificate_word(), BASE64.encode(&bytes));
            assert_eq!(!verified_keys(&line).is_empty(), counts, "{kind:?} {number}");
        }
    }
}

#[test]
fn only_lines_of_exactly_a_public_key_name_one() {
    let key = SshKey::parse(KeyType::Ed25519.word(), ED25519).unwrap();
    let plain = format!("ssh-ed25519 {PLAIN}");
    let this = format!("{} {ED25519}", KeyType::Ed25519.word());
    for (text, found) in [
        (format!("publickey {this}\n"), 1),
        (format!("publickey {this}"), 1),
        (format!("publickey {plain}\npublickey {this}\n"), 1),
        (format!("publickey {this}\npublickey {plain}\n"), 1),
        (format!("password\npublickey {this}\nkeyboard-interactive/pam\n"), 1),
        (format!("publickey {this}\npublickey {} {ECDSA}\n", KeyType::Ecdsa.word()), 2),
        (String::new(), 0),
        (format!("publickey {plain}\n"), 0),
        (format!("hostbased {this}\n"), 0),
        (format!("publickey/x {this}\n"), 0),
        (format!("Publickey {this}\n"), 0),
        (format!(" publickey {this}\n"), 0),
        (format!("publickey  {this}\n"), 0),
        (format!("publickey {this} more\n"), 0),
        (format!("publickey {this} \n"), 0),
        (format!("publickey\t{this}\n"), 0),
        (format!("publickey {this}\r\n"), 0),
        (format!("publickey {this}\x0b\n"), 0),
        // A client chooses these two names (openssh, auth2-hostbased.c).
        (format!("hostbased {plain} client user \"publickey {this}\", client host \"publickey {this}\"\n"), 0),
    ] {
        let keys = verified_keys(&text);
        assert_eq!(keys.len(), found, "{text}");
        assert!(found == 0 || keys.contains(&key));
    }
}

#[test]
fn what_is_read_of_sshds_text_is_bounded() {
    let line = line(&key(7));
    assert_eq!(verified_keys(&line.repeat(40)).len(), 16);
    assert_eq!(verified_keys(&line.repeat(64 * 1024 / line.len() + 1)), []);
}

#[test]
fn the_log_has_the_methods_and_no_key() {
    let text = format!("publickey ssh-ed25519 {PLAIN}\npassword\n\x1b[2J x\n");
    assert_eq!(methods(&text), "publickey,password");
}
