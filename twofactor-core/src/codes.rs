//! One-time codes (RFC 4226, RFC 6238), recovery codes, the secrets they come from, answers as they are typed, and
//! the public keys of security keys.

pub mod answer;
pub mod digest;
pub mod otp;
pub mod otpauth;
pub mod recovery;
pub mod secret;
pub mod ssh_key;
pub mod temporary;
pub mod token;
