//! The export of an authenticator app as its user knows it: entries with the names that the app shows.

use zeroize::Zeroizing;

use super::characters::{self, as_str};
use super::error::ImportError;
use super::kind::App;
use super::offer::Offered;
use super::options::{Options, SerialFrom};
use super::recognition::{self, Beginning, Foreign};
use super::rejection::Rejection;

/// An entry of an export.
#[derive(Debug)]
pub struct AppEntry {
    /// Its number in the export, from 1.
    pub number: usize,
    /// The service that it is for.
    pub issuer: String,
    /// The account.
    pub label: String,
    /// Its token, whose serial is the number, or the reason for which there is none.
    pub token: Result<Offered, Rejection>,
}

/// The app that wrote a plain export, and the entries.
pub fn app_entries(bytes: Zeroizing<Vec<u8>>) -> Result<(App, Vec<AppEntry>), ImportError> {
    match recognition::recognise(bytes.get(..recognition::ENOUGH).unwrap_or(&bytes)) {
        Beginning::Text => {}
        Beginning::Zip => return Err(ImportError::Foreign(Foreign::Zip)),
        Beginning::Foreign(foreign) => return Err(ImportError::Foreign(foreign)),
    }
    let text = characters::utf8(characters::text(bytes).map_err(|_| ImportError::NotText)?);
    let text = as_str(&text);
    let app = App::of(text).map_err(ImportError::Foreign)?.ok_or(ImportError::NoRows)?;
    let options = Options { serial_from: Some(SerialFrom::Number), ..Options::default() };
    let entries = app.named(text, &options).into_iter().map(|named| AppEntry {
        number: named.number,
        issuer: named.issuer,
        label: named.label,
        token: named.record.token,
    });
    Ok((app, entries.collect()))
}
