//! SSH_AUTH_INFO_0 of PAM's environment: the methods that sshd has accepted before it came to PAM, a line each, with the key
//! whose signature it has verified (sshd_config(5), `ExposeAuthInfo`).
//!
//! Invariants: only a line of exactly three words whose first is `publickey` names a key; a name or a host that a client
//! chose stands behind another first word. A text that is too long names no key.

use super::key::{SshKey, decoded};
use super::kind::KeyType;

/// The longest text that is read, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// The longest certificate, in bytes. Without many principals they have about 1,000.
const LONGEST_CERTIFICATE: usize = 32 * 1024;

/// Most security keys of one text. sshd's default ends a connection after six attempts.
const MOST_KEYS: usize = 16;

/// The security keys that sshd has verified; of a certificate the key inside.
pub fn verified_keys(text: &str) -> Vec<SshKey> {
    if text.len() > LONGEST {
        return Vec::new();
    }
    text.split('\n').filter_map(verified_key).take(MOST_KEYS).collect()
}

fn verified_key(line: &str) -> Option<SshKey> {
    let mut words = line.split(' ');
    let (method, word, base64) = (words.next()?, words.next()?, words.next()?);
    if method != "publickey" || words.next().is_some() {
        return None;
    }
    match KeyType::of_certificate_word(word) {
        Some(kind) => SshKey::of_certificate(kind, &decoded(base64, LONGEST_CERTIFICATE)?),
        None => SshKey::parse(word, base64),
    }
}

/// The methods that sshd has accepted, for a log: the first word of every line. The rest of a line is a public key, which
/// does not belong there.
pub fn methods(text: &str) -> String {
    let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let methods = text.lines().filter_map(|line| line.split_whitespace().next().filter(plain));
    methods.collect::<Vec<_>>().join(",")
}
