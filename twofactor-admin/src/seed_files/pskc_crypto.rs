//! The encryption of PSKC (RFC 6030 §6): AES, Camellia or 3DES under a pre-shared key or one derived from a password, and
//! a MAC over every encrypted value.
//!
//! Invariants: a MAC is compared in constant time, and before anything is decrypted. A value under CBC without a MAC is
//! refused, also where the document has none at all: CBC alone lets an attacker change what is inside. Key wrap proves
//! itself, so a document under it may do without MACs.

use aes::{Aes128, Aes192, Aes256};
use aes_kw::{AesKw, AesKwp};
use camellia::{Camellia128, Camellia192, Camellia256};
use cbc::cipher::consts::U16;
use cbc::cipher::{Block, BlockCipherDecrypt, BlockModeDecrypt as _, KeyInit, KeyIvInit as _};
use data_encoding::BASE64;
use des::TdesEde3;
use hmac::{Hmac, Mac};
use sha1::{Digest as _, Sha1};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::bounds::MOST_ITERATIONS;
use super::characters::hex_digits;
use super::error::{ImportError, PskcError};
use super::keyring::{Asked, KeyTry};
use super::rejection::KeyRejection;
use super::xml::Element;

/// The MAC key itself is under CBC alone: an attacker who changes its padding must not get one that can be guessed.
const SHORTEST_MAC_KEY: usize = 16;

/// The encryption of a document's values, before there is a key.
pub(super) struct Sealing {
    cipher: Cipher,
    derivation: Option<Derivation>,
    mac: Option<MacMethod>,
}

/// The authentication of values.
struct MacMethod {
    hash: Hash,
    /// The MAC key, encrypted; without it the key of the values is that of the MACs, too.
    sealed_key: Option<Zeroizing<Vec<u8>>>,
}

impl Sealing {
    /// Reads what the head of a document says. `example` is one of the encrypted values, which names the cipher.
    pub(super) fn read(
        encryption_key: Option<&Element>,
        mac_method: Option<&Element>,
        example: &Element,
    ) -> Result<Self, PskcError> {
        let certificates = ["X509Data", "KeyValue", "EncryptedKey", "RetrievalMethod", "PGPData"];
        if encryption_key.is_some_and(|element| certificates.iter().any(|name| element.find(name).is_some())) {
            return Err(PskcError::Certificate);
        }
        // A file that cannot be opened or verified is refused before a password is asked for.
        let named = Cipher::of(example);
        if mac_method.is_none() && named.is_none_or(|cipher| cipher.mode == Mode::Cbc) {
            return Err(PskcError::NoMac);
        }
        // Under key wrap some programs write a MACMethod that names no algorithm, and no MACs.
        let wrapped = named.is_some_and(|cipher| cipher.mode == Mode::Wrap);
        let mac_method = mac_method.filter(|method| !wrapped || method.attribute("Algorithm").is_some());
        let hash_of = |method: &Element| method.attribute("Algorithm").and_then(Hash::of_uri);
        let hash = mac_method.map(|method| hash_of(method).ok_or(PskcError::MacAlgorithm)).transpose()?;
        let cipher = named.ok_or(PskcError::Cipher)?;
        let derivation = encryption_key.and_then(|element| element.child("DerivedKey"));
        let derivation = derivation.map(|derived| Derivation::read(derived, cipher.key_length)).transpose()?;
        let mac = match (hash, mac_method) {
            (Some(hash), Some(method)) => {
                let sealed_key = match method.child("MACKey") {
                    Some(mac_key) if Cipher::of(mac_key) != Some(cipher) => return Err(PskcError::MacKey),
                    Some(mac_key) => Some(cipher_value(mac_key).ok_or(PskcError::MacKey)?),
                    None if method.child("MACKeyReference").is_some() => return Err(PskcError::MacKey),
                    // Documents of the time before the RFC use one key for both.
                    None => None,
                };
                Some(MacMethod { hash, sealed_key })
            }
            _ => None,
        };
        Ok(Self { cipher, derivation, mac })
    }

    /// Asks for the password or the key and takes the first that opens values, as `opens` finds.
    pub(super) fn opener(&self, asked: &mut Asked<'_>, opens: impl Fn(&Opener) -> bool) -> Result<Opener, ImportError> {
        if let Some(derivation) = &self.derivation {
            let password = asked.password()?.ok_or(ImportError::PasswordNeeded)?;
            let opener = self.with(derivation.derive(password));
            return opener.filter(opens).ok_or(ImportError::WrongPassword);
        }
        let tries = asked.keys()?;
        if tries.is_empty() {
            return Err(ImportError::KeyNeeded);
        }
        let mut fitting = 0;
        for KeyTry { bytes, beside } in tries {
            let Some(key) = pre_shared(&bytes, self.cipher.key_length) else { continue };
            fitting += 1;
            if let Some(opener) = self.with(key).filter(&opens) {
                asked.opened_by(beside);
                return Ok(opener);
            }
        }
        Err(if fitting == 0 { ImportError::KeyLength(self.cipher.key_length) } else { ImportError::WrongKey })
    }

    /// The opener of values under a key. `None`: the key does not even open the MAC key.
    fn with(&self, key: Zeroizing<Vec<u8>>) -> Option<Opener> {
        let mac = match &self.mac {
            None => None,
            Some(MacMethod { hash, sealed_key: None }) => Some((*hash, key.clone())),
            Some(MacMethod { hash, sealed_key: Some(sealed) }) => {
                let mac_key = self.cipher.decrypted(&key, sealed).filter(|key| key.len() >= SHORTEST_MAC_KEY)?;
                Some((*hash, mac_key))
            }
        };
        let mac = match mac {
            Some((hash, key)) => Some(Keyed::new(hash, &key)?),
            None => None,
        };
        Some(Opener { key, cipher: self.cipher, mac })
    }
}

/// The opener of a document's encrypted values.
pub(super) struct Opener {
    key: Zeroizing<Vec<u8>>,
    cipher: Cipher,
    /// `None`: the document has no MACs, and its key wrap proves itself.
    mac: Option<Keyed>,
}

impl Opener {
    /// The plain text of a value, which `data` holds as `EncryptedValue` and `ValueMAC`.
    pub(super) fn open(&self, data: &Element, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyRejection> {
        let value = data.child("EncryptedValue").ok_or(KeyRejection::Cipher(name))?;
        if Cipher::of(value) != Some(self.cipher) {
            return Err(KeyRejection::Cipher(name));
        }
        let Some(keyed) = &self.mac else {
            let sealed = cipher_value(value).ok_or(KeyRejection::Base64(name))?;
            return self.cipher.decrypted(&self.key, &sealed).ok_or(KeyRejection::MacMismatch(name));
        };
        let mac = data.child("ValueMAC").ok_or(KeyRejection::MacMissing(name))?;
        let mac = base64(mac.text()).ok_or(KeyRejection::Base64(name))?;
        let sealed = cipher_value(value).ok_or(KeyRejection::Base64(name))?;
        if !keyed.matches(&sealed, &mac) {
            return Err(KeyRejection::MacMismatch(name));
        }
        self.cipher.decrypted(&self.key, &sealed).ok_or(KeyRejection::Padding(name))
    }
}

/// A block cipher and how it is used, as XML Encryption names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cipher {
    family: Family,
    mode: Mode,
    /// In bytes.
    key_length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Aes,
    Camellia,
    TripleDes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// IV ‖ ciphertext, padded.
    Cbc,
    /// RFC 3394 and 5649, for 3DES RFC 3217: nothing can be changed without notice.
    Wrap,
}

impl Cipher {
    /// The cipher that an `EncryptionMethod` names, by the end of its URI.
    fn of(element: &Element) -> Option<Self> {
        let uri = element.child("EncryptionMethod")?.attribute("Algorithm")?;
        let name = uri.rsplit(['#', '/', ':']).next()?.to_ascii_lowercase().replace(['-', '_'], "");
        let (mode, name) = match (name.strip_suffix("cbc"), name.strip_prefix("kw")) {
            (Some(name), _) => (Mode::Cbc, name),
            (None, Some(name)) => (Mode::Wrap, name.strip_suffix("pad").unwrap_or(name)),
            (None, None) => return None,
        };
        let (family, key_length) = match name {
            "aes128" => (Family::Aes, 16),
            "aes192" => (Family::Aes, 24),
            "aes256" => (Family::Aes, 32),
            "camellia128" => (Family::Camellia, 16),
            "camellia192" => (Family::Camellia, 24),
            "camellia256" => (Family::Camellia, 32),
            "tripledes" | "3des" => (Family::TripleDes, 24),
            _ => return None,
        };
        Some(Self { family, mode, key_length })
    }

    /// The plain text of a sealed value. `None`: it is not whole, not padded, or (key wrap) not what was sealed.
    fn decrypted(self, key: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match (self.mode, self.family, key.len()) {
            (Mode::Cbc, Family::Aes, 16) => unchained::<Aes128>(key, sealed),
            (Mode::Cbc, Family::Aes, 24) => unchained::<Aes192>(key, sealed),
            (Mode::Cbc, Family::Aes, 32) => unchained::<Aes256>(key, sealed),
            (Mode::Cbc, Family::Camellia, 16) => unchained::<Camellia128>(key, sealed),
            (Mode::Cbc, Family::Camellia, 24) => unchained::<Camellia192>(key, sealed),
            (Mode::Cbc, Family::Camellia, 32) => unchained::<Camellia256>(key, sealed),
            (Mode::Cbc, Family::TripleDes, 24) => unchained::<TdesEde3>(key, sealed),
            (Mode::Wrap, Family::Aes, 16) => unwrapped::<Aes128>(key, sealed),
            (Mode::Wrap, Family::Aes, 24) => unwrapped::<Aes192>(key, sealed),
            (Mode::Wrap, Family::Aes, 32) => unwrapped::<Aes256>(key, sealed),
            (Mode::Wrap, Family::Camellia, 16) => unwrapped::<Camellia128>(key, sealed),
            (Mode::Wrap, Family::Camellia, 24) => unwrapped::<Camellia192>(key, sealed),
            (Mode::Wrap, Family::Camellia, 32) => unwrapped::<Camellia256>(key, sealed),
            (Mode::Wrap, Family::TripleDes, 24) => unwrapped_3des(key, sealed),
            _ => None,
        }
    }
}

/// CBC: IV ‖ ciphertext, decrypted and without its padding.
fn unchained<C: BlockCipherDecrypt + KeyInit>(key: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let block = C::block_size();
    let (iv, ciphertext) = sealed.split_at_checked(block)?;
    let mut plain = cbc::<C>(key, iv, ciphertext)?;
    // The last byte says how many there are (PKCS #7). XML Encryption leaves the others to chance.
    let padding = usize::from(*plain.last()?);
    let length = plain.len().checked_sub(padding).filter(|_| (1..=block).contains(&padding))?;
    plain.truncate(length);
    Some(plain)
}

/// Whole blocks under CBC, decrypted.
fn cbc<C: BlockCipherDecrypt + KeyInit>(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let size = C::block_size();
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(size) {
        return None;
    }
    let mut decryptor = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    for block in plain.chunks_exact_mut(size) {
        let block: &mut Block<cbc::Decryptor<C>> = block.try_into().ok()?;
        decryptor.decrypt_block(block);
    }
    Some(plain)
}

/// Key wrap (RFC 3394), else that with padding (RFC 5649): each says itself whether it is the one.
fn unwrapped<C: BlockCipherDecrypt<BlockSize = U16> + KeyInit>(
    key: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(vec![0; sealed.len()]);
    let whole = AesKw::<C>::new_from_slice(key).ok()?.unwrap_key(sealed, &mut plain).map(<[u8]>::len);
    let length = match whole {
        Ok(length) => length,
        Err(_) => AesKwp::<C>::new_from_slice(key).ok()?.unwrap_key(sealed, &mut plain).map(<[u8]>::len).ok()?,
    };
    plain.truncate(length);
    Some(plain)
}

/// Key wrap under 3DES (RFC 3217 §3): twice CBC, the second time backwards, with eight bytes of a SHA-1 at the end.
fn unwrapped_3des(key: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const IV: [u8; 8] = [0x4a, 0xdd, 0xa2, 0x2c, 0x79, 0xe8, 0x21, 0x05];
    const CHECKSUM: usize = 8;
    let mut outer = cbc::<TdesEde3>(key, &IV, sealed)?;
    outer.reverse();
    let (iv, inner) = outer.split_at_checked(IV.len())?;
    let mut plain = cbc::<TdesEde3>(key, iv, inner)?;
    let length = plain.len().checked_sub(CHECKSUM)?;
    let (wrapped, checksum) = plain.split_at_checked(length)?;
    let expected = Sha1::digest(wrapped);
    if !bool::from(expected.get(..CHECKSUM)?.ct_eq(checksum)) {
        return None;
    }
    plain.truncate(length);
    Some(plain)
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
    if let Some(digits) = hex_digits(given).filter(|digits| digits.len() == 2 * length) {
        return super::seed_encoding::decode(&digits, super::options::Encoding::Hex).ok();
    }
    (given.len() == length).then(|| given.clone())
}

/// The derivation of a key from a password (PKCS #5, RFC 8018 §5.2).
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
        if !fits || iterations == 0 {
            return Err(wrong);
        }
        // Every block of the key takes all iterations again.
        let blocks = u32::try_from(key_length.div_ceil(hash.size())).unwrap_or(u32::MAX);
        if iterations.saturating_mul(blocks) > MOST_ITERATIONS {
            return Err(PskcError::Iterations(iterations));
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

    /// The number of bytes it makes.
    fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// An HMAC that has taken its key in: that takes as long as the short values of PSKC.
enum Keyed {
    Sha1(Hmac<Sha1>),
    Sha224(Hmac<Sha224>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Keyed {
    /// `None` cannot be: HMAC takes keys of any length.
    fn new(hash: Hash, key: &[u8]) -> Option<Self> {
        Some(match hash {
            Hash::Sha1 => Self::Sha1(Hmac::new_from_slice(key).ok()?),
            Hash::Sha224 => Self::Sha224(Hmac::new_from_slice(key).ok()?),
            Hash::Sha256 => Self::Sha256(Hmac::new_from_slice(key).ok()?),
            Hash::Sha384 => Self::Sha384(Hmac::new_from_slice(key).ok()?),
            Hash::Sha512 => Self::Sha512(Hmac::new_from_slice(key).ok()?),
        })
    }

    /// True when the HMAC of `data` is `mac`, in constant time.
    fn matches(&self, data: &[u8], mac: &[u8]) -> bool {
        fn verified<M: Mac + Clone>(keyed: &M, data: &[u8], mac: &[u8]) -> bool {
            keyed.clone().chain_update(data).verify_slice(mac).is_ok()
        }
        match self {
            Self::Sha1(keyed) => verified(keyed, data, mac),
            Self::Sha224(keyed) => verified(keyed, data, mac),
            Self::Sha256(keyed) => verified(keyed, data, mac),
            Self::Sha384(keyed) => verified(keyed, data, mac),
            Self::Sha512(keyed) => verified(keyed, data, mac),
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
