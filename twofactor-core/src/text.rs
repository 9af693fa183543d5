//! Texts that programs read and write: strict TOML documents, `key=value` pairs, QR codes.

pub mod document;
pub mod pairs;
pub mod qr;
