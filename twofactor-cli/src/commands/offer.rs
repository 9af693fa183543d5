//! A secret on its way: read from a file, and shown to the person who takes it into an app.
//!
//! The secret stands below the QR code, so that both are on the screen when the code is asked for, and the secret also
//! when the recovery codes are shown.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use twofactor_core::codes::secret::{Secret, SecretError};
use twofactor_core::codes::token::Token;
use twofactor_core::host::user::UserName;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::output::values::described;
use crate::output::{self, Output, Screen, Stream, Unwritten};
use crate::qr::{self, Around, Drawing, QrChoice};
use crate::terminal;

/// The parts that are shown.
pub(crate) struct Offer<'a> {
    pub(crate) user: &'a UserName,
    pub(crate) token: &'a Token,
    pub(crate) uri: &'a str,
    pub(crate) qr: QrChoice,
}

/// Shows the secret as QR code, as text and as URI. It is an error if that fails: the secret could not be confirmed.
pub(crate) fn show(offer: &Offer<'_>, stream: Stream, output: &Output) -> Result<(), Failure> {
    let token = offer.token;
    let about = format!("A secret for {}: token \"{}\", {}.\n", offer.user, token.label, described(token.parameters));
    let (about, screen) = (output.explanation(&about, stream), output.screen(stream));
    let (scan, alone) = (output.explanation(SCAN, stream), output.explanation(TYPE, stream));
    let uri = Zeroizing::new(format!("URI: {}\n", offer.uri));
    let above = rows(&about, screen) + rows(&scan, screen);
    // The secret, the URI and the prompt; where that is too much, the URI scrolls away.
    let below = 1 + rows(&uri, screen) + 1;
    let (mut drawing, mut is_uri_above) = (qr::draw(offer.uri, offer.qr, screen, Around { above, below })?, false);
    if matches!(drawing, Drawing::Drawn { too_tall: Some(_), .. }) {
        let around = Around { above: above + rows(&uri, screen), below: 2 };
        (drawing, is_uri_above) = (qr::draw(offer.uri, offer.qr, screen, around)?, true);
    }
    let mut text = Zeroizing::new(String::with_capacity(128 * 1024));
    text.push_str(&about);
    text.push_str(match drawing {
        Drawing::Drawn { .. } => &scan,
        Drawing::None | Drawing::TooNarrow { .. } => &alone,
    });
    if is_uri_above {
        text.push_str(&uri);
    }
    let mut note = None;
    match &drawing {
        Drawing::None => {}
        Drawing::TooNarrow { columns, in_half_blocks } => {
            let sentence = format!("The terminal is too narrow for the QR code, which needs {columns} columns.\n");
            text.push_str(&sentence);
            text.push_str(match in_half_blocks {
                Some(_) => "Use the URI, --qr-file, or --qr utf8 if the terminal shows UTF-8 after all.\n",
                None => "Use the URI, or write the code to a file with --qr-file.\n",
            });
        }
        Drawing::Drawn { text: code, too_tall } => {
            text.push_str(code);
            note =
                too_tall.map(|rows| format!("The QR code needs {rows} rows: enlarge the terminal, or use --qr-file."));
        }
    }
    text.push_str("Secret: ");
    text.push_str(&token.secret.expose_grouped());
    text.push('\n');
    if !is_uri_above {
        text.push_str(&uri);
    }
    output::must_show(stream, &text).map_err(Unwritten)?;
    if let Some(note) = note {
        output::progress(&note);
    }
    Ok(())
}

const SCAN: &str = "Scan the QR code with an authenticator app, or type the secret into it.\n";
const TYPE: &str = "Type the secret into an authenticator app.\n";

/// Rows that lines take on a screen, which breaks those that are too long.
fn rows(text: &str, screen: Screen) -> usize {
    let columns = screen.size.map_or(usize::MAX, |(columns, _)| columns.max(1));
    text.lines().map(|line| line.chars().count().div_ceil(columns).max(1)).sum()
}

/// The longest file that is read, in bytes: a secret in base32, however it is spaced.
const LONGEST_FILE: u64 = 4096;

/// Reads a secret in base32. `-` is one line of standard input, which is not shown while it is typed.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, Failure> {
    let content = if path == Path::new("-") {
        terminal::ask_hidden("Secret in base32: ")?
    } else {
        let failed = |error| Failure::InputFile { path: path.to_owned(), error };
        read(path).map_err(failed)?
    };
    let text = std::str::from_utf8(&content).map_err(|_| SecretError::NotBase32);
    text.and_then(Secret::from_base32).map_err(|error| Failure::BadSecret { path: path.to_owned(), error })
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // A pipe has no other reader, whatever its mode says.
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        output::warning(&format!("{} can be read by others; chmod 600 it, or remove it", path.display()));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(8 * 1024));
    file.take(LONGEST_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other("it is too long for a secret"));
    }
    Ok(content)
}
