//! A file that a sysadmin hands to a command, or standard input as `-`.
//!
//! Invariant: it is read up to a bound, and whatever its content grew out of is wiped: it may be a secret.

use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Failure;

/// Longer lists are refused, in bytes.
const LONGEST: u64 = 64 << 20;

/// The text of a list.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let mut content = bytes(path, LONGEST).map_err(|error| Failure::InputFile { path: path.to_owned(), error })?;
    String::from_utf8(mem::take(&mut *content)).map_err(|_| Failure::NotText(path.to_owned()))
}

/// The content of a file; an error where it is longer than `longest`, in bytes.
pub(crate) fn bytes(path: &Path, longest: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let source: &mut dyn Read = if path == Path::new("-") { &mut io::stdin() } else { &mut File::open(path)? };
    let content = spool(source, longest)?;
    if content.len() as u64 > longest { Err(io::Error::other("it is too long")) } else { Ok(content) }
}

/// Everything that a source has, up to a byte more than `longest`.
pub(crate) fn spool(source: impl Read, longest: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut source = source.take(longest + 1);
    let mut content = Zeroizing::new(Vec::with_capacity(1 << 20));
    loop {
        let room = (content.capacity() - content.len()) as u64;
        if source.by_ref().take(room).read_to_end(&mut content)? == 0 {
            return Ok(content);
        }
        if content.len() == content.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * content.capacity()));
            larger.extend_from_slice(&content);
            content = larger;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_read_to_its_end() {
        for length in [0, 1, 1 << 20, (1 << 20) + 1, 5 << 20] {
            let content: Vec<u8> = (0..=255).cycle().take(length).collect();
            assert!(*spool(content.as_slice(), LONGEST).unwrap() == content, "{length}");
        }
        assert_eq!(spool(io::repeat(0), 1 << 20).unwrap().len(), (1 << 20) + 1, "and no further than the bound");
    }
}
