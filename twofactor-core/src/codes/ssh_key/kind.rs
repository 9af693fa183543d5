//! The two types of security keys, by the words that ssh has for them.

/// The type of a security key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// `ed25519-sk`
    Ed25519,
    /// `ecdsa-sk`
    Ecdsa,
}

impl KeyType {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::Ecdsa];

    /// The word before a key's blob.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ed25519 => "sk-ssh-ed25519@openssh.com",
            Self::Ecdsa => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The word before the blob of a certificate about such a key.
    pub(super) fn certificate_word(self) -> &'static str {
        match self {
            Self::Ed25519 => "sk-ssh-ed25519-cert-v01@openssh.com",
            Self::Ecdsa => "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        }
    }

    /// The type with that word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The type of the keys that certificates with that word are about.
    pub(super) fn of_certificate_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.certificate_word() == word)
    }
}
