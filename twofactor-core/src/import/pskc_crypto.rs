//! The encryption of PSKC (RFC 6030 §6): AES-CBC under a pre-shared key or one derived from a password, and a MAC over
//! every encrypted value.
//!
//! What always holds: the MAC is compared in constant time, and before anything is decrypted. A value without a MAC
//! is refused, also where the document has none at all: CBC alone lets anybody change what is inside.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::{Block, BlockCipherDecrypt, BlockModeDecrypt as _, KeyInit, KeyIvInit as _};
use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::Asked;
use super::error::{ImportError, PskcError};
use super::offer::KeyRejection;
use super::xml::Element;

/// The most iterations of PBKDF2: some seconds.
const MOST_ITERATIONS: u32 = 10_000_000;
/// The MAC key itself is under CBC alone: whoever changes its padding must not get one that can be guessed.
const SHORTEST_MAC_KEY: usize = 16;
/// The size of an AES block, and of the IV before a ciphertext.
const BLOCK: usize = 16;

/// What opens the encrypted values of a document.
pub(super) struct Opener {
    key: Zeroizing<Vec<u8>>,
    hash: Hash,
    mac_key: Zeroizing<Vec<u8>>,
    with: With,
}

/// What the key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    Password,
    Key,
}

impl Opener {
    /// Reads what the head of a document says and asks for the password or the key. `example` is one of the encrypted
    /// values, which names the cipher.
    pub(super) fn new(
        encryption_key: Option<&Element>,
        mac_method: Option<&Element>,
        example: &Element,
        asked: &mut Asked<'_>,
    ) -> Result<Self, ImportError> {
        // What nobody could open or verify is refused before anybody is asked for a password.
        let certificates = ["X509Data", "KeyValue", "EncryptedKey", "RetrievalMethod", "PGPData"];
        if encryption_key.is_some_and(|element| certificates.iter().any(|name| element.find(name).is_some())) {
            return Err(PskcError::Certificate.into());
        }
        let method = mac_method.ok_or(PskcError::NoMac)?;
        let hash = method.attribute("Algorithm").and_then(Hash::of_uri).ok_or(PskcError::MacAlgorithm)?;
        let key_length = cipher_of(example).ok_or(PskcError::Cipher)?;
        let (key, with) = match encryption_key.and_then(|element| element.child("DerivedKey")) {
            Some(derived) => {
                let derivation = Derivation::read(derived, key_length)?;
                let password = asked.password()?.ok_or(ImportError::PasswordNeeded)?;
                (derivation.derive(password), With::Password)
            }
            None => {
                let given = asked.key()?.ok_or(ImportError::KeyNeeded)?;
                (pre_shared(given, key_length).ok_or(ImportError::KeyLength(key_length))?, With::Key)
            }
        };
        let mut opener = Self { key, hash, mac_key: Zeroizing::default(), with };
        opener.mac_key = match method.child("MACKey") {
            Some(mac_key) => {
                if cipher_of(mac_key) != Some(opener.key.len()) {
                    return Err(PskcError::MacKey.into());
                }
                let sealed = cipher_value(mac_key).ok_or(PskcError::MacKey)?;
                let plain = opener.decrypted(&sealed).filter(|key| key.len() >= SHORTEST_MAC_KEY);
                plain.ok_or_else(|| opener.wrong())?
            }
            None if method.child("MACKeyReference").is_some() => return Err(PskcError::MacKey.into()),
            // Documents of the time before the RFC use one key for both.
            None => opener.key.clone(),
        };
        Ok(opener)
    }

    /// What to say when nothing can be opened.
    pub(super) fn wrong(&self) -> ImportError {
        match self.with {
            With::Password => ImportError::WrongPassword,
            With::Key => ImportError::WrongKey,
        }
    }

    /// The plain text of a value, which `data` holds as `EncryptedValue` and `ValueMAC`.
    pub(super) fn open(&self, data: &Element, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyRejection> {
        let value = data.child("EncryptedValue").ok_or(KeyRejection::Cipher(name))?;
        if cipher_of(value) != Some(self.key.len()) {
            return Err(KeyRejection::Cipher(name));
        }
        let mac = data.child("ValueMAC").ok_or(KeyRejection::MacMissing(name))?;
        let mac = base64(mac.text()).ok_or(KeyRejection::Base64(name))?;
        let sealed = cipher_value(value).ok_or(KeyRejection::Base64(name))?;
        if !self.hash.matches(&self.mac_key, &sealed, &mac) {
            return Err(KeyRejection::MacMismatch(name));
        }
        self.decrypted(&sealed).ok_or(KeyRejection::Padding(name))
    }

    /// IV ‖ ciphertext, decrypted. `None`: not whole blocks, or not padded.
    fn decrypted(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self.key.len() {
            16 => decrypted::<Aes128>(&self.key, sealed),
            24 => decrypted::<Aes192>(&self.key, sealed),
            _ => decrypted::<Aes256>(&self.key, sealed),
        }
    }
}

fn decrypted<C: BlockCipherDecrypt + KeyInit>(key: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (iv, ciphertext) = sealed.split_at_checked(BLOCK)?;
    if ciphertext.is_empty() || ciphertext.len() % BLOCK != 0 {
        return None;
    }
    let mut decryptor = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    for block in plain.chunks_exact_mut(BLOCK) {
        let block: &mut Block<cbc::Decryptor<C>> = block.try_into().ok()?;
        decryptor.decrypt_block(block);
    }
    // The last byte says how many there are (PKCS #7). XML Encryption leaves the others to chance.
    let padding = usize::from(*plain.last()?);
    let length = plain.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding))?;
    plain.truncate(length);
    Some(plain)
}

/// The key length of AES-CBC that an `EncryptionMethod` names, in bytes.
fn cipher_of(element: &Element) -> Option<usize> {
    let uri = element.child("EncryptionMethod")?.attribute("Algorithm")?;
    match uri.rsplit(['#', '/', ':']).next()?.to_ascii_lowercase().as_str() {
        "aes128-cbc" => Some(16),
        "aes192-cbc" => Some(24),
        "aes256-cbc" => Some(32),
        _ => None,
    }
}

fn cipher_value(element: &Element) -> Option<Zeroizing<Vec<u8>>> {
    base64(element.at(&["CipherData", "CipherValue"])?.text())
}

/// Base64, with line breaks where people put them.
pub(super) fn base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    plain.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(vec![0; BASE64.decode_len(plain.len()).ok()?]);
    let length = BASE64.decode_mut(&plain, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// The key of `length` bytes that a key file holds, raw or as hexadecimal digits.
fn pre_shared(given: &Zeroizing<Vec<u8>>, length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let digits = given.trim_ascii();
    if digits.len() == 2 * length && digits.iter().all(u8::is_ascii_hexdigit) {
        return super::seed_encoding::decode(digits, super::Encoding::Hex).ok();
    }
    (given.len() == length).then(|| given.clone())
}

/// How a key is made from a password (PKCS #5, RFC 8018 §5.2).
struct Derivation {
    salt: Zeroizing<Vec<u8>>,
    iterations: u32,
    key_length: usize,
    hash: Hash,
}

impl Derivation {
    fn read(derived: &Element, key_length: usize) -> Result<Self, PskcError> {
        let wrong = PskcError::Derivation;
        let method = derived.child("KeyDerivationMethod").ok_or(wrong)?;
        if !method.attribute("Algorithm").is_some_and(|uri| uri.to_ascii_lowercase().ends_with("pbkdf2")) {
            return Err(wrong);
        }
        let parameters = method.child("PBKDF2-params").ok_or(wrong)?;
        let number = |name| parameters.child(name).map(|element| element.text().parse::<u32>().map_err(|_| wrong));
        let salt = parameters.child("Salt").ok_or(wrong)?;
        let salt = base64(salt.child("Specified").unwrap_or(salt).text()).ok_or(wrong)?;
        let iterations = number("IterationCount").ok_or(wrong)??;
        // In bytes; some write bits.
        let stated = number("KeyLength").transpose()?.and_then(|length| usize::try_from(length).ok());
        let fits = stated.is_none_or(|stated| stated == key_length || stated == key_length * 8);
        // An attribute, but python-pskc writes it as text.
        let prf = parameters.child("PRF").map(|element| element.attribute("Algorithm").unwrap_or(element.text()));
        let hash = match prf {
            None | Some("") => Hash::Sha1,
            Some(uri) => Hash::of_uri(uri).ok_or(wrong)?,
        };
        if !fits || !(1..=MOST_ITERATIONS).contains(&iterations) {
            return Err(wrong);
        }
        Ok(Self { salt, iterations, key_length, hash })
    }

    fn derive(&self, password: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; self.key_length]);
        let (salt, rounds) = (self.salt.as_slice(), self.iterations);
        match self.hash {
            Hash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut key),
            Hash::Sha224 => pbkdf2::pbkdf2_hmac::<Sha224>(password, salt, rounds, &mut key),
            Hash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut key),
            Hash::Sha384 => pbkdf2::pbkdf2_hmac::<Sha384>(password, salt, rounds, &mut key),
            Hash::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut key),
        }
        key
    }
}

/// The hash below an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// By the end of its URI: `…xmldsig#hmac-sha1`, `…xmldsig-more#hmac-sha256`, `…#id-hmacWithSHA256`.
    fn of_uri(uri: &str) -> Option<Self> {
        let name = uri.rsplit(['#', '/', ':']).next()?.to_ascii_lowercase().replace(['-', '_'], "");
        match name.rsplit("hmac").next()?.trim_start_matches("with") {
            "sha1" => Some(Self::Sha1),
            "sha224" => Some(Self::Sha224),
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Whether the HMAC of `data` is `mac`, in constant time.
    fn matches(self, key: &[u8], data: &[u8], mac: &[u8]) -> bool {
        fn verified<M: Mac + KeyInit>(key: &[u8], data: &[u8], mac: &[u8]) -> bool {
            M::new_from_slice(key).is_ok_and(|hmac| hmac.chain_update(data).verify_slice(mac).is_ok())
        }
        match self {
            Self::Sha1 => verified::<Hmac<Sha1>>(key, data, mac),
            Self::Sha224 => verified::<Hmac<Sha224>>(key, data, mac),
            Self::Sha256 => verified::<Hmac<Sha256>>(key, data, mac),
            Self::Sha384 => verified::<Hmac<Sha384>>(key, data, mac),
            Self::Sha512 => verified::<Hmac<Sha512>>(key, data, mac),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_raw_or_hexadecimal_whichever_has_the_length() {
        let given = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        let digits = b"12345678901234567890123456789012";
        assert_eq!(pre_shared(&given(digits), 16).unwrap()[..2], [0x12, 0x34]);
        assert_eq!(pre_shared(&given(digits), 32).unwrap()[..2], *b"12");
        assert_eq!(pre_shared(&given(b"12345678901234567890123456789012\r\n"), 16).unwrap()[..2], [0x12, 0x34]);
        assert_eq!(pre_shared(&given(&[0; 24]), 24).unwrap().len(), 24);
        assert!(pre_shared(&given(digits), 24).is_none());
    }

    #[test]
    fn hashes_are_named_by_the_ends_of_their_uris() {
        for (uri, hash) in [
            ("http://www.w3.org/2000/09/xmldsig#hmac-sha1", Some(Hash::Sha1)),
            ("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", Some(Hash::Sha256)),
            ("http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#id-hmacWithSHA512", Some(Hash::Sha512)),
            ("http://www.w3.org/2001/04/xmldsig-more#hmac-md5", None),
        ] {
            assert_eq!(Hash::of_uri(uri), hash, "{uri}");
        }
    }
}
