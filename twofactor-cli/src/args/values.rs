//! Parts shared by several groups of arguments: the page of help, and values that are numbers in a range.

use twofactor_core::codes::otp::{Digits, Period};
use twofactor_core::codes::token::{Label, Serial};

/// A page of help: what, why, how. The same for `-h` and `--help`, and as short as it can be: a console has 24 rows.
pub(super) const PAGE: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

{all-args}{after-help}";

pub(super) fn digits(text: &str) -> Result<Digits, String> {
    let number = text.parse().map_err(|_| "not a number from 6 to 8".to_owned())?;
    Digits::new(number).map_err(|error| error.to_string())
}

pub(super) fn period(text: &str) -> Result<Period, String> {
    let number = text.parse().map_err(|_| "not a number from 10 to 300".to_owned())?;
    Period::new(number).map_err(|error| error.to_string())
}

pub(super) fn label(text: &str) -> Result<Label, &'static str> {
    Label::new(text).ok_or("a label is 1 to 64 characters without colons and control characters, and not \"recovery\"")
}

pub(super) fn serial(text: &str) -> Result<Serial, &'static str> {
    Serial::typed(text).ok_or("a serial is 1 to 64 printable ASCII characters without spaces, quotes or backslashes")
}
