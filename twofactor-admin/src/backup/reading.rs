//! Reading the stream, which may be anything: it is checked line by line, and nothing in it is as large as it says.

use std::io::{self, BufRead};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::store::administration::{AccountRecord, BackupRecord, Column, Form, RegistryRow, TABLES, Value};
use zeroize::Zeroizing;

use super::form::{ACCOUNT, HEADER, LONGEST_LINE, TRAILER, VERSION};
use super::writing::Summary;

/// The reason for which a stream is no backup. Names lines and never what stands in them.
#[derive(Debug, Error)]
pub enum StreamError {
    /// It cannot be read on: the medium has failed, or the encryption says that this is not what was written.
    #[error(transparent)]
    Input(#[from] io::Error),
    /// It does not begin as one.
    #[error("this is no backup of twofactor")]
    Foreign,
    /// A newer version of this program wrote it.
    #[error("a newer version of twofactor has written it (format {0}; this version reads up to {VERSION})")]
    Newer(u64),
    /// It ends before its end.
    #[error("the backup is not whole: it ends before its last line")]
    Short,
    /// Something stands behind its end.
    #[error("something stands behind the end of the backup")]
    Behind,
    /// A line is none of a backup.
    #[error("line {0} of the backup is not valid")]
    BadLine(u64),
    /// The trailer says something else than the lines before it.
    #[error("the backup is damaged: its last line does not fit those before it")]
    Contradicted,
}

/// Reads a backup, record by record.
#[derive(Debug)]
pub struct BackupReader<R> {
    input: R,
    digest: Sha256,
    summary: Summary,
    /// The number of the line that was read last.
    line: u64,
    content: Zeroizing<Vec<u8>>,
    at: UnixTime,
    is_over: bool,
}

impl<R: BufRead> BackupReader<R> {
    /// Reads the header.
    pub fn begin(input: R) -> Result<Self, StreamError> {
        let mut reader = Self {
            input,
            digest: Sha256::new(),
            summary: Summary::default(),
            line: 0,
            content: Zeroizing::new(Vec::with_capacity(64 * 1024)),
            at: UnixTime::from_seconds(0),
            is_over: false,
        };
        let header = match reader.read_line() {
            Ok(Some(header)) => header,
            Ok(None) | Err(StreamError::BadLine(_)) => return Err(StreamError::Foreign),
            Err(error) => return Err(error),
        };
        let version = header.get(HEADER).and_then(Json::as_u64).ok_or(StreamError::Foreign)?;
        if version > VERSION {
            return Err(StreamError::Newer(version));
        }
        let at = header.get("at").and_then(Json::as_str).and_then(UnixTime::from_rfc3339);
        reader.at = at.ok_or(StreamError::BadLine(1))?;
        reader.add_to_digest();
        Ok(reader)
    }

    /// The time at which the backup was made.
    pub fn at(&self) -> UnixTime {
        self.at
    }

    /// The number of records so far; of all, once the stream has ended.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// The next record; `None` once the trailer has confirmed all of them.
    pub fn next_record(&mut self) -> Result<Option<BackupRecord>, StreamError> {
        if self.is_over {
            return Ok(None);
        }
        let bad = |number| StreamError::BadLine(number);
        let line = self.read_line()?.ok_or(StreamError::Short)?;
        let mut members = line.into_iter();
        let (Some((word, Json::Object(content))), None) = (members.next(), members.next()) else {
            return Err(bad(self.line));
        };
        if word == TRAILER {
            self.check_trailer(&content)?;
            self.is_over = true;
            return Ok(None);
        }
        let record = if word == ACCOUNT { account(content) } else { row(&word, content) };
        let record = record.ok_or_else(|| bad(self.line))?;
        self.add_to_digest();
        self.summary.count(&record);
        Ok(Some(record))
    }

    fn check_trailer(&mut self, trailer: &Map<String, Json>) -> Result<(), StreamError> {
        let Summary { records, accounts, tokens } = self.summary;
        let number = |name: &str| trailer.get(name).and_then(Json::as_u64);
        let digest = HEXLOWER.encode(&self.digest.clone().finalize());
        let fits = [number("records"), number("accounts"), number("tokens")] == [records, accounts, tokens].map(Some)
            && trailer.get("sha256").and_then(Json::as_str) == Some(digest.as_str());
        if !fits {
            return Err(StreamError::Contradicted);
        }
        if self.input.fill_buf()?.is_empty() { Ok(()) } else { Err(StreamError::Behind) }
    }

    fn add_to_digest(&mut self) {
        self.digest.update(&*self.content);
    }

    /// The next line; `None` at the end of the input.
    fn read_line(&mut self) -> Result<Option<Map<String, Json>>, StreamError> {
        self.content.clear();
        self.line += 1;
        loop {
            let available = self.input.fill_buf()?;
            if available.is_empty() {
                break;
            }
            let (part, is_whole) = match available.iter().position(|byte| *byte == b'\n') {
                Some(end) => (available.get(..=end).unwrap_or(available), true),
                None => (available, false),
            };
            if self.content.len() + part.len() > LONGEST_LINE {
                return Err(StreamError::BadLine(self.line));
            }
            self.content.extend_from_slice(part);
            let used = part.len();
            self.input.consume(used);
            if is_whole {
                let line = serde_json::from_slice(&self.content);
                return line.map(Some).map_err(|_| StreamError::BadLine(self.line));
            }
        }
        if self.content.is_empty() { Ok(None) } else { Err(StreamError::Short) }
    }
}

fn text(content: &mut Map<String, Json>, name: &str) -> Option<String> {
    match content.remove(name)? {
        Json::String(text) => Some(text),
        _ => None,
    }
}

fn account(mut content: Map<String, Json>) -> Option<BackupRecord> {
    let user = UserName::new(&text(&mut content, "user")?).ok()?;
    let credentials = if content.contains_key("credentials") {
        Some(Zeroizing::new(text(&mut content, "credentials")?))
    } else {
        None
    };
    let state = Zeroizing::new(text(&mut content, "state")?);
    content.is_empty().then_some(BackupRecord::Account(AccountRecord { user, credentials, state }))
}

fn row(word: &str, mut content: Map<String, Json>) -> Option<BackupRecord> {
    let table = TABLES.iter().find(|table| table.word == word)?;
    let values = table.columns.iter().map(|column| value(&mut content, column)).collect::<Option<Vec<_>>>()?;
    content.is_empty().then_some(BackupRecord::Row(RegistryRow { table, values }))
}

fn value(content: &mut Map<String, Json>, column: &Column) -> Option<Value> {
    let Some(value) = content.remove(column.name) else {
        return column.optional.then_some(Value::Missing);
    };
    Some(match (value, column.form) {
        (Json::Number(number), Form::Number) => Value::Number(number.as_i64()?),
        (Json::String(text), Form::LargeNumber) => Value::Number(text.parse().ok()?),
        (Json::String(text), Form::Text) => Value::Text(text),
        (Json::String(text), Form::Secret) => {
            let text = Zeroizing::new(text);
            Value::Bytes(Zeroizing::new(BASE32_NOPAD.decode(text.as_bytes()).ok()?))
        }
        (Json::String(text), Form::Bytes) => Value::Bytes(Zeroizing::new(HEXLOWER.decode(text.as_bytes()).ok()?)),
        _ => return None,
    })
}
