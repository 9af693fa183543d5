//! A list that a sysadmin hands to a command: a file, or standard input as `-`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::Failure;

/// Longer lists are refused, in bytes.
const LONGEST: u64 = 64 << 20;

/// The text of a list.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    text(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Failure::NotText(path.to_owned()),
        _ => Failure::InputFile { path: path.to_owned(), error },
    })
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let source: &mut dyn Read = if path == Path::new("-") { &mut io::stdin() } else { &mut File::open(path)? };
    source.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST { Err(io::Error::other("it is too long")) } else { Ok(text) }
}
