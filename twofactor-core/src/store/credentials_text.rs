//! `secret.toml`: a user's credentials, as TOML that a person can read. Changes on enrollment and assignment only.
//!
//! A problem with this file is reported by its place alone: its lines hold secrets.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::account::factors::Attestation;
use crate::account::lifecycle::TokenStatus;
use crate::account::{App, Confirmation, Credentials, EnrolledKey, FirstUse, Held};
use crate::account::{MOST_APPS, MOST_HELD, MOST_RECOVERY_CODES, MOST_SSH_KEYS};
use crate::codes::digest::Digest;
use crate::codes::otp::{Algorithm, Digits, Kind, LARGEST_DRIFT, Parameters, Period, Progress, Step};
use crate::codes::recovery::Salt;
use crate::codes::secret::Secret;
use crate::codes::ssh_key::SshKey;
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::UnixTime;
use crate::text::document::{self, Problem, Section, toml_string};

/// The last line of `secret.toml`: without it a file that was cut between two apps would read as a smaller one.
pub(in crate::store) const END: &str = "# end\n";

/// The version without physical tokens, as older programs read it.
const WITHOUT_TOKENS: u32 = 1;

/// The version with them. An older program would take its owner's tokens for absent.
const WITH_TOKENS: u32 = 2;

/// The version with ssh keys, and the newest that this program reads. An older program would drop them with its next change.
const WITH_SSH_KEYS: u32 = 3;

/// Room for everything but ssh keys, and for each of those, in bytes.
const ROOM: usize = 32 * 1024;
const ROOM_OF_A_KEY: usize = 1024;

/// The credentials as text.
pub(in crate::store) fn write(credentials: &Credentials) -> Zeroizing<String> {
    // Room for the largest account, so that growing never leaves a copy of a secret behind.
    let mut text = Zeroizing::new(String::with_capacity(ROOM + ROOM_OF_A_KEY * credentials.ssh_keys.len()));
    text.push_str("# A second factor, written by twofactor. Change it with the command only.\n");
    let version = match (credentials.held.is_empty(), credentials.ssh_keys.is_empty()) {
        (true, true) => WITHOUT_TOKENS,
        (false, true) => WITH_TOKENS,
        (_, false) => WITH_SSH_KEYS,
    };
    let _ = writeln!(text, "version = {version}\nsalt = \"{}\"", credentials.salt);
    text.push_str("recovery = [\n");
    for digest in &credentials.recovery {
        let _ = writeln!(text, "  \"{digest}\",");
    }
    text.push_str("]\n");
    for app in &credentials.apps {
        let token = app.token();
        let _ = writeln!(text, "\n[[app]]\nserial = {}", toml_string(token.serial.as_str()));
        let _ = writeln!(text, "label = {}", toml_string(token.label.as_str()));
        write_codes(&mut text, token);
        let _ = writeln!(text, "confirmed = {}", app.confirmation() == Confirmation::Confirmed);
    }
    for Held { token, status, first_use } in &credentials.held {
        let _ = writeln!(text, "\n[[token]]\nserial = {}", toml_string(token.serial.as_str()));
        write_codes(&mut text, token);
        let _ = writeln!(text, "status = \"{}\"\nfirst_use = {}", status.word(), *first_use == FirstUse::Open);
        let Progress { watermark, drift, anchor } = token.start;
        if let Some(Step(step)) = watermark {
            let _ = writeln!(text, "watermark = {step}");
        }
        let _ = writeln!(text, "drift = {drift}\nanchor = {anchor}");
    }
    for EnrolledKey { key, label, issued, attestation } in &credentials.ssh_keys {
        let _ = writeln!(text, "\n[[ssh_key]]\ntype = \"{}\"\nkey = \"{}\"", key.kind().word(), key.base64());
        let _ = writeln!(text, "label = {}\nissued = \"{issued}\"", toml_string(label.as_str()));
        let _ = writeln!(text, "attested = {}", *attestation == Attestation::Checked);
    }
    text.push_str(END);
    text
}

/// The secret of an app or token, and the parameters of its codes.
fn write_codes(text: &mut Zeroizing<String>, token: &Token) {
    let parameters = token.parameters;
    let _ = writeln!(text, "secret = \"{}\"", token.secret.expose_base32().as_str());
    let _ = writeln!(text, "type = \"{}\"", parameters.kind.name());
    let _ = writeln!(text, "algorithm = \"{}\"\ndigits = {}", parameters.algorithm, parameters.digits.count());
    if let Kind::Totp(period) = parameters.kind {
        let _ = writeln!(text, "period = {}", period.seconds());
    }
    let _ = writeln!(text, "issued = \"{}\"", token.issued);
}

/// Reads the credentials back.
pub(in crate::store) fn read(text: &str) -> Result<Credentials, Vec<Problem>> {
    document::read(text, credentials)
}

fn credentials(root: Section<'_, '_>) -> Option<Credentials> {
    let version = root.required("version", root.integer("version", WITHOUT_TOKENS..=WITH_SSH_KEYS));
    let salt = root.string("salt").and_then(|salt| Salt::parse(salt.value));
    let salt = root.required("salt", salt);
    let recovery: Option<Vec<Digest>> =
        root.strings("recovery").and_then(|list| list.iter().map(|digest| Digest::parse(digest.value)).collect());
    let recovery = root.required("recovery", recovery);
    let apps: Option<Vec<App>> = root.sections("app").into_iter().map(app).collect();
    let held: Option<Vec<Held>> = root.sections("token").into_iter().map(held).collect();
    let ssh_keys: Option<Vec<EnrolledKey>> = root.sections("ssh_key").into_iter().map(ssh_key).collect();
    let (apps, held, ssh_keys) = (apps?, held?, ssh_keys?);
    let credentials = Credentials { apps, salt: salt?, recovery: recovery?, held, ssh_keys };
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
    if !credentials.held.is_empty() && version == Some(WITHOUT_TOKENS) {
        root.complain_here("a file of this version has no tokens");
    }
    let twice =
        |held: &Held| credentials.held.iter().filter(|other| other.token.serial == held.token.serial).count() > 1;
    if credentials.held.len() > MOST_HELD || credentials.held.iter().any(twice) {
        root.complain_here("too many tokens, or two with the same serial");
    }
    if !credentials.ssh_keys.is_empty() && version.is_some_and(|version| version < WITH_SSH_KEYS) {
        root.complain_here("a file of this version has no ssh keys");
    }
    let again = |one: &EnrolledKey| credentials.ssh_keys.iter().filter(|other| other.key == one.key).count() > 1;
    if credentials.ssh_keys.len() > MOST_SSH_KEYS || credentials.ssh_keys.iter().any(again) {
        root.complain_here("too many ssh keys, or one of them twice");
    }
    root.finish();
    Some(credentials)
}

fn app(section: Section<'_, '_>) -> Option<App> {
    let serial = section.required("serial", section.string("serial").and_then(|text| Serial::new(text.value)));
    let label = section.required("label", section.string("label").and_then(|text| Label::new(text.value)));
    let codes = codes(&section);
    let confirmation = section
        .required("confirmed", section.boolean("confirmed"))
        .map(|confirmed| if confirmed { Confirmation::Confirmed } else { Confirmation::Pending });
    section.finish();
    let Codes { secret, parameters, issued } = codes?;
    let start = Progress::default();
    let token = Token { serial: serial?, label: label?, secret, parameters, issued, start };
    Some(App::stored(token, confirmation?))
}

fn held(section: Section<'_, '_>) -> Option<Held> {
    let serial = section.required("serial", section.string("serial").and_then(|text| Serial::new(text.value)));
    let codes = codes(&section);
    let status = section.string("status").and_then(|text| TokenStatus::parse(text.value));
    // A revoked token has no secret, and no owner.
    let status = section.required("status", status.filter(|status| *status != TokenStatus::Revoked));
    let first_use = section
        .required("first_use", section.boolean("first_use"))
        .map(|is_open| if is_open { FirstUse::Open } else { FirstUse::Over });
    let watermark = section.integer("watermark", 0..=i64::MAX).and_then(|step| u64::try_from(step).ok()).map(Step);
    let most = LARGEST_DRIFT + Progress::MOST_DRIFT;
    let drift = section.required("drift", section.integer("drift", -most..=most));
    let anchor = section.required("anchor", section.integer("anchor", -most..=most));
    section.finish();
    let Codes { secret, parameters, issued } = codes?;
    let (serial, start) = (serial?, Progress { watermark, drift: drift?, anchor: anchor? });
    let label = Label::of(&serial);
    let token = Token { serial, label, secret, parameters, issued, start };
    Some(Held { token, status: status?, first_use: first_use? })
}

fn ssh_key(section: Section<'_, '_>) -> Option<EnrolledKey> {
    let word = section.required("type", section.string("type"));
    let base64 = section.required("key", section.string("key"));
    let key = word.zip(base64).and_then(|(word, base64)| SshKey::parse(word.value, base64.value));
    if key.is_none() {
        section.complain_here("this is no key of its type");
    }
    let label = section.required("label", section.string("label").and_then(|text| Label::new(text.value)));
    let issued = section.string("issued").and_then(|text| UnixTime::from_rfc3339(text.value));
    let issued = section.required("issued", issued);
    let attestation = section
        .required("attested", section.boolean("attested"))
        .map(|is_attested| if is_attested { Attestation::Checked } else { Attestation::None });
    section.finish();
    Some(EnrolledKey { key: key?, label: label?, issued: issued?, attestation: attestation? })
}

/// The part that apps and tokens have in common.
struct Codes {
    secret: Secret,
    parameters: Parameters,
    issued: UnixTime,
}

fn codes(section: &Section<'_, '_>) -> Option<Codes> {
    let secret = section.string("secret").and_then(|text| Secret::from_base32(text.value).ok());
    let secret = section.required("secret", secret);
    let algorithm = section.string("algorithm").and_then(|text| text.value.parse::<Algorithm>().ok());
    let algorithm = section.required("algorithm", algorithm);
    let digits = section.integer("digits", Digits::RANGE).and_then(|digits| Digits::new(digits).ok());
    let digits = section.required("digits", digits);
    let kind = match section.string("type").map(|text| text.value) {
        Some("totp") => {
            section.integer("period", Period::RANGE).and_then(|period| Period::new(period).ok()).map(Kind::Totp)
        }
        Some("hotp") => Some(Kind::Hotp),
        _ => None,
    };
    let kind = section.required("type", kind);
    let issued = section.string("issued").and_then(|text| UnixTime::from_rfc3339(text.value));
    let issued = section.required("issued", issued);
    let parameters = Parameters { algorithm: algorithm?, digits: digits?, kind: kind? };
    Some(Codes { secret: secret?, parameters, issued: issued? })
}
