//! Seed files: what vendors send with a box of tokens, read into what may become tokens of ours.
//!
//! The story of a file: [`open`] tells by its content what it is, takes it out of its zip file with the password,
//! brings its text to UTF-8, and looks at every row once to decide what holds for all of them. Then
//! [`SeedFile::rows`] reads row by row what each offers: a token, or a reason why not.
//!
//! Invariants: nothing decrypted touches a disk, and whatever held a secret is wiped. Everything has a bound.
//! No error, rejection or note repeats what stood in a field. Nothing here knows what was imported before: meeting
//! that is the registry's part.

mod ahead;
mod app_entries;
mod appearance;
mod bounds;
mod characters;
mod columns;
mod container;
mod delimited;
mod document;
mod entries;
mod error;
mod headings;
mod json;
mod keyring;
mod kind;
mod kinds;
mod note;
mod offer;
mod opening;
mod options;
mod place;
mod pskc;
mod pskc_codes;
mod pskc_crypto;
mod pskc_shape;
mod recognition;
mod record;
mod rejection;
mod seed_encoding;
mod seed_file;
mod table;
mod unread;
mod xml;

pub use app_entries::{AppEntry, app_entries};
pub use bounds::{LARGEST_ENTRY, LARGEST_FILE, LONGEST_FIELD, MOST_ENTRIES, MOST_ROWS};
pub use document::Row;
pub use error::{ErrorKind, ImportError, PskcError};
pub use keyring::Keyring;
pub use kind::{App, Kind};
pub use note::{Aspect, Assumption, Container, Content, Explanation, Form, Note, Part, Unexplained};
pub use offer::Offered;
pub use opening::open;
pub use options::{Encoding, Format, KindName, Options, SerialFrom};
pub use place::Place;
pub use recognition::Foreign;
pub use rejection::{KeyRejection, Parameter, Rejection};
pub use seed_file::{Frame, SeedFile};

#[cfg(test)]
mod tests;
