//! Seed files read with a password and a key known beforehand: for the suite, `seed-reader` and the fuzz targets.

use std::io::{self, Read, Seek};

use twofactor_admin::seed_files::{self, ImportError, Keyring, Options, SeedFile};
use zeroize::Zeroizing;

pub mod kinds;

/// A password and a key, if any.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Of the zip file or the PSKC document.
    pub password: Option<Vec<u8>>,
    /// The content of a key file.
    pub key: Option<Vec<u8>>,
}

impl Given {
    /// A password alone.
    pub fn password(password: &[u8]) -> Self {
        Self { password: Some(password.to_vec()), key: None }
    }
}

impl Keyring for Given {
    fn password(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error> {
        Ok(self.password.clone().map(Zeroizing::new))
    }

    fn key(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error> {
        Ok(self.key.clone().map(Zeroizing::new))
    }
}

/// Opens a file.
pub fn open(source: impl Read + Seek + Send, given: &Given) -> Result<SeedFile, ImportError> {
    seed_files::open(source, &Options::default(), &mut given.clone())
}

/// A zip file whose entries are stored as they are.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    for (name, content) in entries {
        let start = length(&file);
        let name_length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes();
        let fields = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..],
            &crc32(content).to_le_bytes(),
            &length(content),
            &length(content),
            &name_length,
            &[0, 0],
        ]
        .concat();
        file.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), content].concat());
        directory.extend([b"PK\x01\x02\x14\0", &fields[..], &[0; 10], &start, name.as_bytes()].concat());
    }
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX).to_le_bytes();
    let start = length(&file);
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &length(&directory), &start, &[0, 0]].concat();
    [file, directory, end].concat()
}

/// The checksum of zip files, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

/// What the fuzz targets do with any bytes, and a test with the files they start from. Each says how many tokens it
/// found; that it returns at all, is the point.
pub mod fuzz {
    use std::io::Cursor;

    use twofactor_admin::seed_files::{self, Format, Options, SerialFrom};

    use super::Given;

    /// Delimited text.
    pub fn csv(bytes: &[u8]) -> usize {
        read(bytes, &Given::default(), Format::Delimited)
    }

    /// PSKC, with the password and the key of RFC 6030's figures.
    pub fn pskc(bytes: &[u8]) -> usize {
        let given =
            Given { password: Some(b"qwerty".to_vec()), key: Some(b"12345678901234567890123456789012".to_vec()) };
        read(bytes, &given, Format::Pskc)
    }

    /// Zip files, with a password.
    pub fn zip_csv(bytes: &[u8]) -> usize {
        read(bytes, &Given::password(b"secret"), Format::Auto)
    }

    /// Vendors' own forms and the exports of authenticator apps.
    pub fn records(bytes: &[u8]) -> usize {
        let options = Options { serial_from: Some(SerialFrom::Label), ..Options::default() };
        read_with(bytes, &Given::default(), &options)
    }

    fn read(bytes: &[u8], given: &Given, format: Format) -> usize {
        read_with(bytes, given, &Options { format, ..Options::default() })
    }

    fn read_with(bytes: &[u8], given: &Given, options: &Options) -> usize {
        let Ok(file) = seed_files::open(Cursor::new(bytes), options, &mut given.clone()) else { return 0 };
        let (mut rows, mut good, mut reached) = (0, 0, 0);
        for row in file.rows() {
            assert!(row.reached >= reached && row.reached <= file.size_hint(), "rows come in order");
            assert!(file.raw(&row).is_some() && file.frame(&row).is_some(), "a row stands somewhere");
            reached = row.reached;
            rows += 1;
            good += usize::from(row.token.is_ok());
        }
        assert!(rows > 0 && rows == file.row_count(), "a file that opens has as many rows as it says");
        good
    }
}
