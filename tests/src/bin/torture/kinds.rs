//! Seed files of every kind, as transfers and editors damage them: 60 files, each changed in 32 ways. A file that is damaged
//! gives no secret that it did not hold, and none under the serial of another; it is refused with a sentence and a way out.
//!
//! Where nothing in the form of a file protects its secrets, the changes spare their letters: another letter is another
//! secret for every reader. Zip files and encrypted PSKC protect theirs, so there no place is spared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use twofactor_admin::seed_files::{self, Options, SerialFrom};
use twofactor_tests::artifacts::workspace;
use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;
use twofactor_tests::seeds::Given;
use twofactor_tests::seeds::kinds::{KINDS, Token, sample};
use twofactor_tests::seeds::zip;

use crate::tally::{Budget, Tally};

/// The number of ways to change a file.
const CHANGES: u64 = 32;
/// No file of a few kilobytes takes longer, on a machine that does other things, too.
const LONGEST: Duration = Duration::from_secs(10);

/// The longest separator between two fields.
const SEPARATOR: usize = 2;

/// A file, what it holds, and which of its bytes a change must spare.
struct File {
    kind: String,
    bytes: Vec<u8>,
    spared: Vec<std::ops::Range<usize>>,
    serials: Vec<String>,
}

pub(crate) fn run(_: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let protected = protected_files();
    let mut case = 0;
    while budget.allows(&tally) {
        let file = file(case / CHANGES, &protected, random);
        let Outcome::Read(truth, Rejected::None) = read(&file.bytes) else {
            tally.case();
            tally.check(false, || format!("{}: unchanged, and refused", file.kind));
            case += CHANGES;
            continue;
        };
        let secrets: BTreeSet<&Vec<u8>> = truth.values().flatten().collect();
        while {
            tally.case();
            let bytes = changed(&file, case % CHANGES, random);
            let started = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
            let story = |what: &str| story(&file, case % CHANGES, &bytes, what);
            tally.check(started.elapsed() < LONGEST, || story("it hangs"));
            match outcome {
                Err(_) => tally.check(false, || story("a panic")),
                Ok(Outcome::Refused) => tally.count("refused"),
                Ok(Outcome::Mute(why)) => tally.check(false, || story(&format!("no way out: {why}"))),
                Ok(Outcome::Read(found, rejected)) => {
                    let strange = found.iter().find(|(serial, these)| {
                        let unknown = |secret| rejected == Rejected::None && !secrets.contains(secret);
                        let is_contradicted = these.iter().any(|secret| Some(secret) != these.first());
                        // The registry takes in nothing of a file with two secrets of one serial.
                        let is_strange =
                            |secret| unknown(secret) || !(is_contradicted || is_of(serial, secret, &truth));
                        these.iter().any(is_strange)
                    });
                    tally.check(strange.is_none(), || {
                        story(&format!("another secret, of {:?}", strange.map(|(s, _)| s)))
                    });
                    tally.count("read");
                }
            }
            case += 1;
            !case.is_multiple_of(CHANGES) && budget.allows(&tally)
        } {}
    }
    tally
}

/// Whether a secret is that of a serial, where the serial is one of the file.
fn is_of(serial: &str, secret: &Vec<u8>, truth: &Tokens) -> bool {
    truth.get(serial).is_none_or(|secrets| secrets.contains(secret))
}

fn story(file: &File, change: u64, bytes: &[u8], what: &str) -> String {
    format!("{}, change {change}: {what}:\n{}", file.kind, String::from_utf8_lossy(bytes))
}

/// The secrets of each serial.
type Tokens = BTreeMap<String, Vec<Vec<u8>>>;

/// Whether a row was rejected: then the command imports nothing unless it is told to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rejected {
    None,
    Some,
}

/// What came of reading a file.
enum Outcome {
    /// Its tokens.
    Read(Tokens, Rejected),
    /// Refused with a sentence and a way out.
    Refused,
    /// Without one of them.
    Mute(String),
}

fn read(bytes: &[u8]) -> Outcome {
    let key = Some(b"12345678901234567890123456789012".to_vec());
    // The password of the zip files; PSKC has another.
    let password = if bytes.starts_with(b"PK") { &b"secret"[..] } else { b"qwerty" };
    let mut given = Given { password: Some(password.to_vec()), key };
    let options = Options { serial_from: Some(SerialFrom::Label), ..Options::default() };
    let file = match seed_files::open(Cursor::new(bytes), &options, &mut given) {
        Ok(file) => file,
        Err(error) => {
            let mute = error.to_string().is_empty() || error.hint().is_none_or(|hint| hint.is_empty());
            return if mute { Outcome::Mute(error.to_string()) } else { Outcome::Refused };
        }
    };
    let (mut tokens, mut rejected) = (Tokens::new(), Rejected::None);
    for row in file.rows() {
        match row.token {
            Ok(offered) => {
                let secrets = tokens.entry(offered.serial.as_str().to_owned()).or_default();
                secrets.push(offered.secret.expose().to_vec());
            }
            Err(why) if why.to_string().is_empty() || why.hint().is_empty() => return Outcome::Mute(why.to_string()),
            Err(_) => rejected = Rejected::Some,
        }
    }
    if tokens.is_empty() { Outcome::Refused } else { Outcome::Read(tokens, rejected) }
}

/// Files whose form protects their secrets, which the fuzz targets start from.
fn protected_files() -> Vec<(String, Vec<u8>)> {
    let names = [
        "zip_csv/aes128",
        "zip_csv/zipcrypto",
        "zip_csv/aes256-stored",
        "pskc/rfc6030-figure-6",
        "pskc/rfc6030-figure-7",
    ];
    let corpus = workspace().join("tests/fuzz/corpus");
    names.map(|name| (name.to_owned(), fs::read(corpus.join(name)).expect("a file of the corpus"))).into()
}

/// One of many files.
fn file(number: u64, protected: &[(String, Vec<u8>)], random: &mut Random) -> File {
    let number = usize::try_from(number).expect("a small number");
    let kinds = KINDS.len();
    let place = number % (2 * kinds + protected.len());
    if let Some((kind, bytes)) = place.checked_sub(2 * kinds).and_then(|place| protected.get(place)) {
        return File { kind: kind.clone(), bytes: bytes.clone(), spared: Vec::new(), serials: Vec::new() };
    }
    let kind = KINDS[place % kinds];
    // So far from each other that no change of a few characters makes one of another.
    let serial = |random: &mut Random| (1_000_000_000 + random.below(9_000_000_000)).to_string();
    let tokens: Vec<Token> = (0..2 + random.below(4)).map(|_| (serial(random), random.bytes(20))).collect();
    let sample = sample(kind, &tokens).expect("a known kind");
    if place >= kinds {
        // In a zip file, whose checksum protects it.
        let bytes =
            zip(&[("README.txt", b"The seeds are in the other file.\n"), ("seeds.dat", sample.text.as_bytes())]);
        return File { kind: format!("{kind}, zipped"), bytes, spared: Vec::new(), serials: Vec::new() };
    }
    let spared = sample.spelled.iter().filter_map(|secret| {
        let start = sample.text.find(secret.as_str())?;
        // With what separates it: without that it would be longer.
        Some(start.saturating_sub(SEPARATOR)..start + secret.len() + SEPARATOR)
    });
    let spared = spared.collect();
    let serials = tokens.into_iter().map(|(serial, _)| serial).collect();
    File { kind: kind.to_owned(), bytes: sample.text.into_bytes(), spared, serials }
}

impl File {
    /// A place between two bytes that may be changed, at which a change may begin.
    fn place(&self, random: &mut Random) -> usize {
        loop {
            let place = usize::try_from(random.below(self.bytes.len() as u64)).expect("a place");
            if self.spared.iter().all(|range| place < range.start || place > range.end) {
                return place;
            }
        }
    }

    /// Where a piece that begins at a place ends before what is spared.
    fn end(&self, start: usize, length: usize) -> usize {
        let free = self.spared.iter().map(|range| range.start).filter(|other| *other >= start).min();
        (start + length).min(free.unwrap_or(usize::MAX)).min(self.bytes.len())
    }

    /// A line that may be moved. One with a secret and without its serial may not: it would be another token's then.
    fn line(&self, random: &mut Random) -> usize {
        let lines = self.lines();
        let movable = |(place, line): (usize, &Vec<u8>)| {
            let start: usize = lines.iter().take(place).map(Vec::len).sum();
            let has_secret = self.spared.iter().any(|range| (start..start + line.len()).contains(&range.start));
            let text = String::from_utf8_lossy(line);
            let has_serial = self.serials.iter().any(|serial| text.contains(serial.as_str()));
            (!has_secret || has_serial).then_some(place)
        };
        let movable: Vec<usize> = lines.iter().enumerate().filter_map(movable).collect();
        // A file of one line stays as it is.
        if movable.is_empty() { 0 } else { *random.choose(&movable) }
    }

    /// Its lines, with their ends.
    fn lines(&self) -> Vec<Vec<u8>> {
        self.bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }
}

/// A file after one of the changes.
fn changed(file: &File, change: u64, random: &mut Random) -> Vec<u8> {
    let mut bytes = file.bytes.clone();
    let at = file.place(random);
    match change {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.bytes(1)[0]),
        2 => _ = bytes.remove(at),
        3 => bytes[at] ^= 1 << random.below(8),
        4 => {
            let piece = bytes[at..file.end(at, 60)].to_vec();
            let there = file.place(random);
            bytes.splice(there..there, piece);
        }
        5 => _ = bytes.drain(at..file.end(at, 40)),
        6 => {
            let piece: Vec<u8> = bytes.drain(at..file.end(at, 30)).collect();
            bytes.splice(0..0, piece);
        }
        7 => {
            let mut lines = file.lines();
            lines.swap(file.line(random), file.line(random));
            bytes = lines.concat();
        }
        8 => {
            let mut lines = file.lines();
            let again = lines[file.line(random)].clone();
            lines.insert(file.line(random), again);
            bytes = lines.concat();
        }
        9 => {
            let mut lines = file.lines();
            lines.remove(file.line(random));
            bytes = lines.concat();
        }
        10 => bytes = String::from_utf8_lossy(&bytes).replace('\n', "\r").into_bytes(),
        11 => bytes = String::from_utf8_lossy(&bytes).replace('\n', "\r\n").into_bytes(),
        12 => bytes = String::from_utf8_lossy(&bytes).replace('\n', "").into_bytes(),
        13 => bytes = String::from_utf8_lossy(&bytes).replace(' ', "\u{a0}").into_bytes(),
        14 => bytes = String::from_utf8_lossy(&bytes).replace('"', "\u{201c}").into_bytes(),
        15 => bytes = String::from_utf8_lossy(&bytes).replace(',', ";").into_bytes(),
        16 => _ = bytes.splice(0..0, *b"\xef\xbb\xbf"),
        17 => bytes = String::from_utf8_lossy(&bytes).encode_utf16().flat_map(u16::to_le_bytes).collect(),
        18 => bytes = String::from_utf8_lossy(&bytes).encode_utf16().flat_map(u16::to_be_bytes).collect(),
        19 => bytes.insert(at, 0),
        20 => _ = bytes.splice(0..0, *b"\n\n  \n"),
        21 => bytes.extend_from_slice(b"\nTotal: 3 tokens\n"),
        22 => _ = bytes.splice(at..at, std::iter::repeat_n(b' ', 100_000)),
        23 => _ = bytes.splice(at..at, b"[".repeat(10_000)),
        24 => _ = bytes.splice(at..at, b"<a>".repeat(10_000)),
        25 => _ = bytes.splice(0..0, *b"<!DOCTYPE a [<!ENTITY b \"c\">]>\n"),
        26 => {
            let (Some(first), Some(last)) = (bytes.first().copied(), bytes.last().copied()) else { return bytes };
            bytes[0] = last;
            *bytes.last_mut().expect("a byte") = first;
        }
        27 => bytes.extend_from_slice(&file.bytes),
        28 => bytes = zip(&[("one.txt", &file.bytes), ("two.txt", &file.bytes)]),
        29 => bytes = zip(&[("inner.zip", &zip(&[("one.txt", &file.bytes)]))]),
        30 => _ = bytes.splice(at..at, *b"&amp;&#0;&lt;\\u0000%00"),
        _ => {
            for _ in 0..8 {
                let place = file.place(random);
                if place < bytes.len() {
                    bytes[place] = *random.choose(b"0123456789-\"'[]{}<>/=,;: \n\t\xff");
                }
            }
        }
    }
    bytes
}
