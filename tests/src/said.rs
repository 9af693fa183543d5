//! What a program wrote, for the message of a failed assertion.

use std::process::Output;

/// What a program wrote, for a message.
pub fn said(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
