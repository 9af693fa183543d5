//! One-time codes (RFC 4226, RFC 6238), recovery codes, the secrets they come from, and answers as they are typed.

pub mod answer;
pub mod digest;
pub mod otp;
pub mod otpauth;
pub mod recovery;
pub mod secret;
pub mod temporary;
pub mod token;
