//! Seed files read as the importer reads them: with a password and a key known beforehand, and each row looked at.
//!
//! The suite, `seed-reader` and the fuzz targets all read through [`read`].

use std::io::{self, Cursor, Read, Seek};

use twofactor_core::import::{self, ImportError, Keyring, Offered, Options, Rejection, SeedFile};
use zeroize::Zeroizing;

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
pub fn open(source: impl Read + Seek, given: &Given) -> Result<SeedFile, ImportError> {
    import::open(source, &Options::default(), &mut given.clone())
}

/// Reads a file to its end: what each row offers.
pub fn read(file: &[u8], given: &Given) -> Result<Vec<Result<Offered, Rejection>>, ImportError> {
    read_with(file, given, &Options::default())
}

/// The same with options. What always holds of a file that opens is checked on the way.
pub fn read_with(
    file: &[u8],
    given: &Given,
    options: &Options,
) -> Result<Vec<Result<Offered, Rejection>>, ImportError> {
    let file = import::open(Cursor::new(file), options, &mut given.clone())?;
    let mut reached = 0;
    let rows: Vec<_> = file
        .rows()
        .map(|row| {
            assert!(row.reached >= reached && row.reached <= file.size_hint(), "rows come in order");
            reached = row.reached;
            assert!(file.raw(&row).is_some() && file.frame(&row).is_some(), "a row stands somewhere");
            row.token
        })
        .collect();
    assert_eq!(rows.len(), file.row_count(), "rows are counted as they are read");
    assert!(!rows.is_empty(), "a file without rows does not open");
    Ok(rows)
}
