//! `secret.toml`: a user's credentials, as TOML that a person can read. Changes on enrollment only.
//!
//! A problem with this file is reported by its place alone: its lines hold secrets.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::account::{App, Confirmation, Credentials, MOST_APPS, MOST_RECOVERY_CODES};
use crate::codes::digest::Digest;
use crate::codes::otp::{Algorithm, Digits, Kind, Parameters, Period, Progress};
use crate::codes::recovery::Salt;
use crate::codes::secret::Secret;
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::UnixTime;
use crate::text::document::{self, Problem, Section, toml_string};

/// The last line of `secret.toml`: without it a file that was cut between two apps would read as a smaller one.
pub(super) const END: &str = "# end\n";

/// The version of the format this program writes, and the newest it reads.
const VERSION: u32 = 1;

/// The credentials as text.
pub(super) fn write(credentials: &Credentials) -> Zeroizing<String> {
    // Room for the largest account, so that growing never leaves a copy of a secret behind.
    let mut text = Zeroizing::new(String::with_capacity(32 * 1024));
    text.push_str("# A second factor, written by twofactor. Change it with the command only.\n");
    let _ = writeln!(text, "version = {VERSION}\nsalt = \"{}\"", credentials.salt);
    text.push_str("recovery = [\n");
    for digest in &credentials.recovery {
        let _ = writeln!(text, "  \"{digest}\",");
    }
    text.push_str("]\n");
    for app in &credentials.apps {
        let token = app.token();
        let parameters = token.parameters;
        let _ = write!(
            text,
            "\n[[app]]\nserial = {}\nlabel = {}\nsecret = \"{}\"\ntype = \"{}\"\nalgorithm = \"{}\"\ndigits = {}\n",
            toml_string(token.serial.as_str()),
            toml_string(token.label.as_str()),
            token.secret.expose_base32().as_str(),
            parameters.kind.name(),
            parameters.algorithm,
            parameters.digits.count(),
        );
        if let Kind::Totp(period) = parameters.kind {
            let _ = writeln!(text, "period = {}", period.seconds());
        }
        let _ = writeln!(text, "issued = \"{}\"", token.issued);
        let _ = writeln!(text, "confirmed = {}", app.confirmation() == Confirmation::Confirmed);
    }
    text.push_str(END);
    text
}

/// Reads the credentials back.
pub(super) fn read(text: &str) -> Result<Credentials, Vec<Problem>> {
    document::read(text, credentials)
}

fn credentials(root: Section<'_, '_>) -> Option<Credentials> {
    required(&root, "version", root.integer("version", 1..=VERSION));
    let salt = root.string("salt").and_then(|salt| Salt::parse(salt.value));
    let salt = required(&root, "salt", salt);
    let recovery: Option<Vec<Digest>> =
        root.strings("recovery").and_then(|list| list.iter().map(|digest| Digest::parse(digest.value)).collect());
    let recovery = required(&root, "recovery", recovery);
    let apps: Option<Vec<App>> = root.sections("app").into_iter().map(app).collect();
    let credentials = Credentials { apps: apps?, salt: salt?, recovery: recovery? };
    let unique = |app: &App| {
        let same =
            |other: &&App| other.token().serial == app.token().serial || other.token().label == app.token().label;
        credentials.apps.iter().filter(same).count() == 1
    };
    if credentials.apps.len() > MOST_APPS || credentials.recovery.len() > MOST_RECOVERY_CODES {
        root.complain_here("too many apps or recovery codes");
    }
    if !credentials.apps.iter().all(unique) {
        root.complain_here("two apps have the same serial or label");
    }
    root.finish();
    Some(credentials)
}

fn app(section: Section<'_, '_>) -> Option<App> {
    let serial = required(&section, "serial", section.string("serial").and_then(|text| Serial::new(text.value)));
    let label = required(&section, "label", section.string("label").and_then(|text| Label::new(text.value)));
    let secret = section.string("secret").and_then(|text| Secret::from_base32(text.value).ok());
    let secret = required(&section, "secret", secret);
    let algorithm = section.string("algorithm").and_then(|text| text.value.parse::<Algorithm>().ok());
    let algorithm = required(&section, "algorithm", algorithm);
    let digits = section.integer("digits", Digits::RANGE).and_then(|digits| Digits::new(digits).ok());
    let digits = required(&section, "digits", digits);
    let kind = match section.string("type").map(|text| text.value) {
        Some("totp") => {
            section.integer("period", Period::RANGE).and_then(|period| Period::new(period).ok()).map(Kind::Totp)
        }
        Some("hotp") => Some(Kind::Hotp),
        _ => None,
    };
    let kind = required(&section, "type", kind);
    let issued = section.string("issued").and_then(|text| UnixTime::from_rfc3339(text.value));
    let issued = required(&section, "issued", issued);
    let confirmation = required(&section, "confirmed", section.boolean("confirmed"))
        .map(|confirmed| if confirmed { Confirmation::Confirmed } else { Confirmation::Pending });
    section.finish();
    let parameters = Parameters { algorithm: algorithm?, digits: digits?, kind: kind? };
    let start = Progress::default();
    let token = Token { serial: serial?, label: label?, secret: secret?, parameters, issued: issued?, start };
    Some(App::stored(token, confirmation?))
}

/// Complains when a value that must be there is absent or not understood.
fn required<T>(section: &Section<'_, '_>, name: &'static str, value: Option<T>) -> Option<T> {
    if value.is_none() {
        section.missing(name);
    }
    value
}
