//! A series whose secrets were read wrongly: its tokens get the parameters that fit one of them.

use super::stored::Stored;
use crate::codes::otp::{Parameters, Progress};
use crate::codes::secret::Secret;
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::log::record::Event;
use crate::store::administration::{Fit, TokenError};
use crate::text::pairs;

/// A token as it should have been read.
pub struct Mended {
    /// Its secret.
    pub secret: Secret,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// The progress that it has shown; none but of the token that was probed.
    pub shown: Progress,
}

/// The token with the parameters `fit`, found with the token `probed`, whose two codes are burned.
pub fn mended(token: &Stored, probed: &Serial, fit: &Fit, now: UnixTime) -> Result<Mended, TokenError> {
    let secret = token.secret.as_ref().and_then(|secret| fit.encoding.read_again(secret));
    let secret = secret.ok_or_else(|| TokenError::Unreadable(token.serial.clone()))?;
    let shown = if token.serial == *probed { fit.progress(now) } else { Progress::default() };
    Ok(Mended { secret, parameters: fit.parameters, shown })
}

/// The line of the history about a series that was mended.
pub fn mending_in_words(series: &str, tokens: usize, fit: &Fit) -> (Event, String) {
    let mut detail = String::new();
    pairs::write(&mut detail, "series", series);
    pairs::write(&mut detail, "tokens", tokens);
    pairs::write(&mut detail, "fit", fit);
    (Event::SeriesMended, detail)
}

/// The line of the history about a series that was forgotten.
pub fn series_deletion_in_words(series: &str, tokens: usize) -> (Event, String) {
    let mut detail = String::new();
    pairs::write(&mut detail, "series", series);
    pairs::write(&mut detail, "tokens", tokens);
    (Event::SeriesDeleted, detail)
}
