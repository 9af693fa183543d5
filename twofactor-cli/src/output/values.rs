//! Values as every command prints them, in text and in JSON.

use std::fmt::{Display, Write as _};

use serde_json::Value;
use twofactor_core::codes::otp::{Kind, Parameters};
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::host::clock::UnixTime;
use zeroize::Zeroizing;

/// `TOTP, SHA1, 6 digits, 30 s`.
pub(crate) fn described(parameters: Parameters) -> String {
    let (algorithm, digits) = (parameters.algorithm, parameters.digits.count());
    match parameters.kind {
        Kind::Totp(period) => format!("TOTP, {algorithm}, {digits} digits, {} s", period.seconds()),
        Kind::Hotp => format!("HOTP, {algorithm}, {digits} digits"),
    }
}

/// The period in seconds; `null` for a counter.
pub(crate) fn period(kind: Kind) -> Value {
    match kind {
        Kind::Totp(period) => period.seconds().into(),
        Kind::Hotp => Value::Null,
    }
}

/// `2027-01-31`.
pub(crate) fn day(time: UnixTime) -> String {
    time.to_string().chars().take_while(|letter| *letter != 'T').collect()
}

/// Recovery codes, a line each, indented.
pub(crate) fn listed(codes: &[RecoveryCode]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(codes.len() * 32));
    for code in codes {
        let _ = writeln!(text, "  {}", code.expose_grouped().as_str());
    }
    text
}

/// Recovery codes for JSON.
pub(crate) fn exposed(codes: &[RecoveryCode]) -> Vec<Value> {
    codes.iter().map(|code| code.expose_grouped().as_str().into()).collect()
}

/// The explanation above recovery codes.
pub(crate) const ABOUT_RECOVERY_CODES: &str = "
Recovery codes. Each one opens one login in place of a code, for the day the
phone is lost. Keep them on paper: they are not shown again.

";

/// Bytes as hexadecimal digits.
pub(crate) fn in_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The values of an object in the order of a header, in one line: RFC 4180, with bare line ends.
pub(crate) fn csv_row(text: &mut String, header: &str, object: &Value) {
    let values = header.trim_end().split(',').map(|name| &object[name]);
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.push(',');
        }
        match value {
            Value::Null => {}
            // A spreadsheet would compute what begins like this, and others chose the words that stand here.
            Value::String(value) if value.starts_with(['=', '+', '-', '@']) => {
                let _ = write!(text, "\"'{}\"", value.replace('"', "\"\""));
            }
            Value::String(value) if value.contains([',', '"', '\n', '\r']) => {
                let _ = write!(text, "\"{}\"", value.replace('"', "\"\""));
            }
            Value::String(value) => text.push_str(value),
            other => {
                let _ = write!(text, "{other}");
            }
        }
    }
    text.push('\n');
}

/// `1 token`, `2 tokens`.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
