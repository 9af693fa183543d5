//! A stream that is written is read back, and one that is not whole is no backup.

use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::store::administration::{AccountRecord, BackupRecord, Column, Form, RegistryRow, TABLES, Value};

use super::reading::{BackupReader, StreamError};
use super::writing::{BackupWriter, Summary};

const NOW: UnixTime = UnixTime::from_seconds(1_795_300_074);

fn records() -> Vec<BackupRecord> {
    let account = |user: &str, credentials: Option<&str>| {
        BackupRecord::Account(AccountRecord {
            user: UserName::new(user).unwrap(),
            credentials: credentials.map(|text| text.to_owned().into()),
            state: "version = 1\n\"quoted\" \u{1}\n".to_owned().into(),
        })
    };
    let mut records = vec![account("alice", Some("secret = \"ABC\"\n")), account("bob", None)];
    for table in &TABLES {
        for is_full in [true, false] {
            let value = |column: &Column| match column.form {
                _ if column.optional && !is_full => Value::Missing,
                Form::Number => Value::Number(-7),
                Form::LargeNumber => Value::Number(i64::MIN),
                Form::Text => Value::Text("one \"two\" \u{fc}\n".to_owned()),
                Form::Secret | Form::Bytes => Value::Bytes(b"12345678901234567890".to_vec().into()),
            };
            records.push(BackupRecord::Row(RegistryRow { table, values: table.columns.iter().map(value).collect() }));
        }
    }
    records
}

fn written(records: &[BackupRecord]) -> Vec<u8> {
    let mut writer = BackupWriter::begin(Vec::new(), NOW, "0.1.0").unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    writer.finish().unwrap().0
}

fn read(stream: &[u8]) -> Result<(Vec<BackupRecord>, Summary), StreamError> {
    let mut reader = BackupReader::begin(stream)?;
    assert_eq!(reader.at(), NOW);
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(record);
    }
    assert!(reader.next_record()?.is_none(), "the end stays the end");
    Ok((records, reader.summary()))
}

#[test]
fn what_is_written_is_read_back_and_written_the_same() {
    let stream = written(&records());
    let (read, summary) = read(&stream).unwrap();
    assert_eq!(summary, Summary { records: 14, accounts: 2, tokens: 2 });
    assert_eq!(String::from_utf8(written(&read)).unwrap(), String::from_utf8(stream).unwrap());
}

#[test]
fn a_stream_cut_anywhere_or_followed_by_anything_is_no_backup() {
    let stream = written(&records());
    for length in 0..stream.len() {
        assert!(read(&stream[..length]).is_err(), "{length} bytes");
    }
    assert!(matches!(read(&[&stream, &b"\n"[..]].concat()), Err(StreamError::Behind)));
}

#[test]
fn a_line_left_out_repeated_or_changed_is_noticed() {
    let stream = String::from_utf8(written(&records())).unwrap();
    let lines: Vec<&str> = stream.split_inclusive('\n').collect();
    for line in 1..lines.len() - 1 {
        let without: String = lines.iter().enumerate().filter(|(at, _)| *at != line).map(|(_, line)| *line).collect();
        assert!(matches!(read(without.as_bytes()), Err(StreamError::Contradicted)), "without line {line}");
        let twice = [&lines[..=line], &lines[line..]].concat().concat();
        assert!(matches!(read(twice.as_bytes()), Err(StreamError::Contradicted)), "line {line} twice");
    }
    for (from, to) in [("alice", "carol"), ("-7", "-8"), ("0.1.0", "0.2.0")] {
        let changed = stream.replacen(from, to, 1);
        assert!(matches!(read(changed.as_bytes()), Err(StreamError::Contradicted)), "{from}");
    }
}

#[test]
fn newer_and_foreign_streams_and_lines_that_never_end_are_told_apart() {
    let begins = |text: &str| BackupReader::begin(text.as_bytes()).map(drop);
    assert!(matches!(begins("{\"twofactor_backup\":2,\"at\":\"x\"}\n"), Err(StreamError::Newer(2))));
    assert!(matches!(begins("{\"backup\":1}\n"), Err(StreamError::Foreign)));
    assert!(matches!(begins("hello\n"), Err(StreamError::Foreign)));
    assert!(matches!(begins(""), Err(StreamError::Foreign)));
    let endless = std::io::BufReader::new(std::io::repeat(b'x'));
    assert!(matches!(BackupReader::begin(endless), Err(StreamError::Foreign)));
}
