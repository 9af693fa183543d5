//! The words of a security key about a key that it has made: the application, touch, the model, and the public key
//! (WebAuthn §6.1 and §6.5.1).

use minicbor::Decoder;
use sha2::{Digest as _, Sha256};
use twofactor_core::codes::ssh_key::{KeyType, SshKey};

/// The bits of the flags.
const TOUCHED: u8 = 1;
const HAS_KEY: u8 = 1 << 6;

/// A key that was made.
pub(super) struct Made<'d> {
    application: &'d [u8; 32],
    flags: u8,
    /// The model of the security key, as its maker numbers it (AAGUID).
    pub(super) model: &'d [u8; 16],
    handle: &'d [u8],
    public: Public,
}

/// The public half, as COSE writes it (RFC 9053 §7).
#[derive(Debug, PartialEq, Eq)]
enum Public {
    Ed25519(Vec<u8>),
    /// A point of P-256 that is not compressed.
    Point(Vec<u8>),
}

impl<'d> Made<'d> {
    pub(super) fn read(data: &'d [u8]) -> Option<Self> {
        let (application, rest) = data.split_first_chunk::<32>()?;
        let (&flags, rest) = rest.split_first()?;
        let (_count, rest) = rest.split_first_chunk::<4>()?;
        if flags & HAS_KEY == 0 {
            return None;
        }
        let (model, rest) = rest.split_first_chunk::<16>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (handle, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        // Extensions may follow the key.
        Some(Self { application, flags, model, handle, public: Public::read(&mut Decoder::new(rest))? })
    }

    /// True when this is the key.
    pub(super) fn is(&self, key: &SshKey) -> bool {
        let (public, application) = key.public();
        let is_it = match (&self.public, key.kind()) {
            (Public::Ed25519(bytes), KeyType::Ed25519) | (Public::Point(bytes), KeyType::Ecdsa) => bytes == public,
            (Public::Ed25519(_) | Public::Point(_), _) => false,
        };
        is_it && Sha256::digest(application)[..] == self.application[..]
    }

    pub(super) fn was_touched(&self) -> bool {
        self.flags & TOUCHED != 0
    }

    /// The message that a security key of U2F signs instead (FIDO U2F Raw Message Formats §4.3).
    pub(super) fn as_of_u2f(&self, challenge: &[u8]) -> Option<Vec<u8>> {
        match &self.public {
            Public::Point(point) => Some([&[0], &self.application[..], challenge, self.handle, point].concat()),
            Public::Ed25519(_) => None,
        }
    }
}

impl Public {
    fn read(decoder: &mut Decoder<'_>) -> Option<Self> {
        const OKP: i64 = 1;
        const EC2: i64 = 2;
        const P256: i64 = 1;
        const ED25519: i64 = 6;
        let (mut kind, mut curve, mut x, mut y) = (None, None, None, None);
        for _ in 0..decoder.map().ok()?? {
            match decoder.i64().ok()? {
                1 => kind = Some(decoder.i64().ok()?),
                -1 => curve = Some(decoder.i64().ok()?),
                -2 => x = Some(decoder.bytes().ok()?),
                -3 => y = Some(decoder.bytes().ok()?),
                _ => decoder.skip().ok()?,
            }
        }
        match (kind?, curve?, x?, y) {
            (OKP, ED25519, x, None) if x.len() == 32 => Some(Self::Ed25519(x.to_vec())),
            (EC2, P256, x, Some(y)) if x.len() == 32 && y.len() == 32 => Some(Self::Point([&[4], x, y].concat())),
            _ => None,
        }
    }
}
