//! Writing the stream.

use std::io::{self, Write};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::store::administration::{AccountRecord, BackupRecord, Form, RegistryRow, Value};
use zeroize::Zeroizing;

use super::form::{ACCOUNT, HEADER, TRAILER, VERSION};

/// Writes a backup, record by record. One that was not finished is none.
#[derive(Debug)]
pub struct BackupWriter<W> {
    output: W,
    digest: Sha256,
    summary: Summary,
    /// The line in the making: it holds secrets.
    line: Zeroizing<Vec<u8>>,
}

/// The size of a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// All records.
    pub records: u64,
    /// Those that are accounts.
    pub accounts: u64,
    /// Those that are tokens.
    pub tokens: u64,
}

impl Summary {
    /// Counts a record.
    pub(super) fn count(&mut self, record: &BackupRecord) {
        self.records += 1;
        match record {
            BackupRecord::Account(_) => self.accounts += 1,
            BackupRecord::Row(row) => self.tokens += u64::from(row.table.word == "token"),
        }
    }
}

impl<W: Write> BackupWriter<W> {
    /// Begins a backup that is made at `at`, by this version of the program.
    pub fn begin(output: W, at: UnixTime, program: &str) -> io::Result<Self> {
        let line = Zeroizing::new(Vec::with_capacity(64 * 1024));
        let mut writer = Self { output, digest: Sha256::new(), summary: Summary::default(), line };
        let program = serde_json::to_string(program)?;
        writer.push(&format!("{{\"{HEADER}\":{VERSION},\"at\":\"{at}\",\"program\":{program}}}"));
        writer.write_line()?;
        Ok(writer)
    }

    /// Writes a record.
    pub fn write(&mut self, record: &BackupRecord) -> io::Result<()> {
        self.summary.count(record);
        match record {
            BackupRecord::Account(account) => self.put_account(account)?,
            BackupRecord::Row(row) => self.put_row(row)?,
        }
        self.write_line()
    }

    /// Writes the trailer. Gives the output back, which is not flushed.
    pub fn finish(mut self) -> io::Result<(W, Summary)> {
        let digest = HEXLOWER.encode(&self.digest.finalize_reset());
        let Summary { records, accounts, tokens } = self.summary;
        let counts = format!("\"records\":{records},\"accounts\":{accounts},\"tokens\":{tokens}");
        self.push(&format!("{{\"{TRAILER}\":{{{counts},\"sha256\":\"{digest}\"}}}}"));
        self.write_line()?;
        Ok((self.output, self.summary))
    }

    fn put_account(&mut self, account: &AccountRecord) -> io::Result<()> {
        self.push(&format!("{{\"{ACCOUNT}\":{{\"user\":"));
        self.put_text(account.user.as_str())?;
        if let Some(credentials) = &account.credentials {
            self.push(",\"credentials\":");
            self.put_text(credentials)?;
        }
        self.push(",\"state\":");
        self.put_text(&account.state)?;
        self.push("}}");
        Ok(())
    }

    fn put_row(&mut self, row: &RegistryRow) -> io::Result<()> {
        self.push(&format!("{{\"{}\":{{", row.table.word));
        let mut separator = "";
        for (column, value) in row.table.columns.iter().zip(&row.values) {
            if matches!(value, Value::Missing) {
                continue;
            }
            self.push(&format!("{separator}\"{}\":", column.name));
            separator = ",";
            match (value, column.form) {
                (Value::Missing, _) => {}
                (Value::Number(number), Form::LargeNumber) => self.push(&format!("\"{number}\"")),
                (Value::Number(number), _) => self.push(&number.to_string()),
                (Value::Text(text), _) => self.put_text(text)?,
                (Value::Bytes(bytes), Form::Secret) => {
                    let text = Zeroizing::new(BASE32_NOPAD.encode(bytes));
                    self.put_text(&text)?;
                }
                (Value::Bytes(bytes), _) => self.put_text(&HEXLOWER.encode(bytes))?,
            }
        }
        self.push("}}");
        Ok(())
    }

    fn push(&mut self, text: &str) {
        self.line.extend_from_slice(text.as_bytes());
    }

    fn put_text(&mut self, text: &str) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut *self.line, text)?)
    }

    fn write_line(&mut self) -> io::Result<()> {
        self.line.push(b'\n');
        self.digest.update(&*self.line);
        let written = self.output.write_all(&self.line);
        self.line.clear();
        written
    }
}
