//! The key that HMAC uses in the place of a long secret.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::parameters::Algorithm;
use crate::codes::secret::Secret;

/// The block size of SHA-1 and SHA-256, in bytes. That of SHA-512 is twice as large, and no secret is longer.
const BLOCK: usize = 64;

/// The digest that HMAC uses as its key in the place of a secret longer than the hash's block (RFC 2104 §2). `None` where the
/// secret itself is the key.
pub(crate) fn hashed_key(secret: &Secret, algorithm: Algorithm) -> Option<Zeroizing<Vec<u8>>> {
    let secret = secret.expose();
    if secret.len() <= BLOCK {
        return None;
    }
    match algorithm {
        Algorithm::Sha1 => Some(Zeroizing::new(Sha1::digest(secret).to_vec())),
        Algorithm::Sha256 => Some(Zeroizing::new(Sha256::digest(secret).to_vec())),
        Algorithm::Sha512 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::otp::{Parameters, Step, code_of};
    use crate::codes::secret::{LONGEST, SHORTEST};

    fn secret(bytes: Vec<u8>) -> Secret {
        Secret::from_bytes(Zeroizing::new(bytes)).unwrap()
    }

    #[test]
    fn a_secret_and_the_key_that_hmac_makes_of_it_show_the_same_codes() {
        let lengths = [SHORTEST, BLOCK - 1, BLOCK, BLOCK + 1, 100, LONGEST];
        for (algorithm, name) in Algorithm::ALL {
            let parameters = Parameters { algorithm, ..Parameters::default() };
            for length in lengths {
                let long = secret((1..).take(length).collect());
                let key = hashed_key(&long, algorithm);
                assert_eq!(key.is_some(), length > BLOCK && algorithm != Algorithm::Sha512, "{name}, {length} bytes");
                let Some(key) = key else { continue };
                let key = secret(key.to_vec());
                for step in [0, 1, 60_000_000] {
                    let codes = [&long, &key].map(|secret| code_of(secret, parameters, Step(step)));
                    assert_eq!(codes[0], codes[1], "{name}, {length} bytes, step {step}");
                }
            }
        }
    }
}
