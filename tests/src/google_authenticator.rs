//! Accounts of google-authenticator, written by its own program.

use std::fs;
use std::path::PathBuf;

use crate::oathtool::{Authenticator, Kind};
use crate::private_host::Host;

/// Options of an app with a clock.
pub const TOTP: &[&str] = &["--time-based", "--disallow-reuse", "--force", "--no-rate-limit", "--window-size=3"];
/// Options of an app with a counter.
pub const HOTP: &[&str] = &["--counter-based", "--force", "--no-rate-limit", "--window-size=3"];

/// The file of a user.
pub fn file(user: &str) -> PathBuf {
    PathBuf::from(format!("/home/{user}/.google_authenticator"))
}

/// Writes the file of a user. Gives the app and the scratch codes.
pub fn enroll(host: &Host, user: &str, options: &[&str]) -> (Authenticator, Vec<String>) {
    let home = format!("HOME=/home/{user}");
    let as_user = ["--reuid", user, "--regid", user, "--clear-groups", "env", &home, "google-authenticator", "--quiet"];
    host.succeed("setpriv", [&as_user[..], options].concat());
    let text = fs::read_to_string(file(user)).unwrap();
    let secret = text.lines().next().unwrap().to_owned();
    let kind = if text.contains("HOTP_COUNTER") { Kind::Counter } else { Kind::Time(30) };
    let scratch_codes = text.lines().skip(1).filter(|line| !line.starts_with('"')).map(str::to_owned).collect();
    (Authenticator { secret, algorithm: "SHA1".to_owned(), digits: 6, kind }, scratch_codes)
}
