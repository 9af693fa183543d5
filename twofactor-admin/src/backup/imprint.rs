//! The size and the digest of a backup's file: they tell, without the key, whether a file is the one that was written.

use std::io::{self, Read, Write};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// The identity of a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imprint {
    /// Its size, in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Imprint {
    /// Reads a file to its end.
    pub fn of(mut file: impl Read) -> io::Result<Self> {
        let mut writer = ImprintWriter::new(io::sink());
        io::copy(&mut file, &mut writer)?;
        Ok(writer.finish().1)
    }
}

/// Takes the imprint of all that is written through it.
#[derive(Debug)]
pub struct ImprintWriter<W> {
    output: W,
    size: u64,
    digest: Sha256,
}

impl<W: Write> ImprintWriter<W> {
    /// A writer to `output`.
    pub fn new(output: W) -> Self {
        Self { output, size: 0, digest: Sha256::new() }
    }

    /// The output, which is not flushed, and the imprint.
    pub fn finish(self) -> (W, Imprint) {
        let sha256 = HEXLOWER.encode(&self.digest.finalize());
        (self.output, Imprint { size: self.size, sha256 })
    }
}

impl<W: Write> Write for ImprintWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.output.write(buffer)?;
        let taken = buffer.get(..written).unwrap_or(buffer);
        self.digest.update(taken);
        self.size += taken.len() as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            let taken = &buffer[..buffer.len().min(3)];
            self.0.extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_written_file_has_the_imprint_of_the_file_that_is_read() {
        let mut writer = ImprintWriter::new(Slow(Vec::new()));
        writer.write_all(b"twenty bytes of text").unwrap();
        let (Slow(content), written) = writer.finish();
        assert_eq!((content.as_slice(), written.size), (&b"twenty bytes of text"[..], 20));
        assert_eq!(Imprint::of(content.as_slice()).unwrap(), written);
        assert_ne!(Imprint::of(&b"twenty bytes of tex."[..]).unwrap(), written);
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Imprint::of(io::empty()).unwrap(), Imprint { size: 0, sha256: empty.to_owned() });
    }
}
