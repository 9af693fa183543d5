//! Tables of seeds as spreadsheets, editors and the mail damage them: 60 tables, each changed in 32 ways. Either a table
//! still gives the tokens that it held, or it is refused, or the report says something that it did not say before.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use data_encoding::{BASE32, BASE64, HEXLOWER};
use twofactor_admin::seed_files::{self, Options, SeedFile};
use twofactor_core::codes::otp::Kind;
use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;
use twofactor_tests::seeds::Given;

use crate::tally::{Budget, Tally};

/// The number of ways to change a table.
const CHANGES: u64 = 32;

/// The properties of a token beside its serial number: secret, kind, digits, period or counter.
type Facts = (Vec<u8>, &'static str, u8, u64);

/// A table as cells.
#[derive(Clone)]
struct Sheet {
    cells: Vec<Vec<String>>,
    headed: bool,
    separator: &'static str,
    serial: usize,
    secret: usize,
    /// The column of a number of seconds.
    period: Option<usize>,
}

pub(crate) fn run(_: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let mut case = 0;
    while budget.allows(&tally) {
        let (sheet, truth) = table(case / CHANGES, random);
        let plain = sheet.text("\n");
        let (before, notes) = read(plain.as_bytes()).unwrap_or_default();
        tally.check(before == truth, || format!("unchanged, and not what it holds:\n{plain}"));
        while {
            tally.case();
            let bytes = changed(&sheet, case % CHANGES, random);
            match catch_unwind(AssertUnwindSafe(|| read(&bytes))) {
                Err(_) => tally.check(false, || story(case % CHANGES, &bytes, "a panic")),
                Ok(None) => tally.count("refused"),
                Ok(Some((found, _))) if found == truth => tally.count("right"),
                Ok(Some((_, said))) if said != notes => tally.count("said"),
                Ok(Some(_)) => tally.check(false, || story(case % CHANGES, &bytes, "silently wrong")),
            }
            case += 1;
            !case.is_multiple_of(CHANGES) && budget.allows(&tally)
        } {}
    }
    tally
}

fn story(change: u64, bytes: &[u8], what: &str) -> String {
    format!("change {change}: {what}:\n{}", String::from_utf8_lossy(bytes))
}

/// The tokens of a table and what its report says; `None` when it is refused, as a whole or for one of its rows.
fn read(bytes: &[u8]) -> Option<(BTreeMap<String, Facts>, Vec<String>)> {
    let file: SeedFile = seed_files::open(Cursor::new(bytes), &Options::default(), &mut Given::default()).ok()?;
    let mut tokens = BTreeMap::new();
    for row in file.rows() {
        let offered = row.token.ok()?;
        let digits = offered.parameters.digits.count();
        let (kind, last) = match offered.parameters.kind {
            Kind::Totp(period) => ("totp", u64::from(period.seconds())),
            Kind::Hotp => ("hotp", offered.counter.unwrap_or_default()),
        };
        let facts = (offered.secret.expose().to_vec(), kind, digits, last);
        if tokens.insert(offered.serial.as_str().to_owned(), facts).is_some() {
            return None;
        }
    }
    Some((tokens, file.notes().iter().map(ToString::to_string).collect()))
}

/// One of many tables, and the tokens that it holds.
fn table(number: u64, random: &mut Random) -> (Sheet, BTreeMap<String, Facts>) {
    let base = 7_700_000_000_000 + random.below(100_000_000) * 1000;
    let count = 3 + random.below(5);
    let (digits, seconds) = (*random.choose(&[6_u8, 8]), *random.choose(&[30_u64, 60]));
    let (shape, separator) = (number % 6, *random.choose(&[",", ";", "\t", "|"]));
    let mut cells: Vec<Vec<String>> = Vec::new();
    let header = match shape {
        3 => Some(["Serial Number", "Secret Key", "Time Interval", "Digits", "Manufacturer"]),
        4 => Some(["Seriennummer", "Geheimer Schlüssel", "Intervall", "Stellen", "Hersteller"]),
        _ => None,
    };
    cells.extend(header.map(|names| names.map(str::to_owned).to_vec()));
    let mut truth = BTreeMap::new();
    for index in 0..count {
        let serial = (base + index * 8 + 1).to_string();
        let secret = random.bytes(20);
        let (base32, hex) = (BASE32.encode(&secret), HEXLOWER.encode(&secret));
        let hotp = index % 2 == 1;
        let (kind, last) = if hotp { ("hotp", index) } else { ("totp", seconds) };
        let (row, facts) = match shape {
            0 => (vec![serial.clone(), base32], ("totp", 6, 30)),
            1 => (vec![serial.clone(), hex], ("totp", 6, 30)),
            2 => {
                let row = vec![serial.clone(), hex, kind.to_owned(), digits.to_string(), last.to_string()];
                (row, (kind, digits, last))
            }
            5 => {
                let row = [serial.as_str(), "ACME", kind, &hex, &digits.to_string(), &last.to_string()];
                (row.map(str::to_owned).to_vec(), (kind, digits, last))
            }
            _ => {
                let row = [serial.as_str(), &base32, &seconds.to_string(), &digits.to_string(), "ACME"];
                (row.map(str::to_owned).to_vec(), ("totp", digits, seconds))
            }
        };
        cells.push(row);
        truth.insert(serial, (secret, facts.0, facts.1, facts.2));
    }
    let secret = if shape == 5 { 3 } else { 1 };
    let period = matches!(shape, 3 | 4).then_some(2);
    (Sheet { cells, headed: header.is_some(), separator, serial: 0, secret, period }, truth)
}

impl Sheet {
    fn text(&self, line_end: &str) -> String {
        self.cells.iter().map(|row| row.join(self.separator) + line_end).collect()
    }

    /// The rows behind the header.
    fn rows(&mut self) -> &mut [Vec<String>] {
        let first = usize::from(self.headed);
        &mut self.cells[first..]
    }

    fn each(mut self, column: usize, change: impl Fn(&str) -> String) -> Self {
        self.rows().iter_mut().for_each(|row| row[column] = change(&row[column]));
        self
    }

    fn one(mut self, random: &mut Random, change: impl Fn(&mut Vec<String>)) -> Self {
        let rows = self.rows();
        let at = usize::try_from(random.below(rows.len() as u64)).expect("a row");
        change(&mut rows[at]);
        self
    }
}

/// A table after one of the changes.
#[expect(clippy::too_many_lines, reason = "one arm a change")]
fn changed(sheet: &Sheet, change: u64, random: &mut Random) -> Vec<u8> {
    let mut sheet = sheet.clone();
    let (serial, secret) = (sheet.serial, sheet.secret);
    let sheet = match change {
        0 => return format!("\u{feff}{}", sheet.text("\n")).into_bytes(),
        1 => return format!("\u{feff}{}", sheet.text("\r\n")).encode_utf16().flat_map(u16::to_le_bytes).collect(),
        2 => return sheet.text("\r\n").into_bytes(),
        3 => return sheet.text("\r").into_bytes(),
        4 => Sheet { separator: ";", ..sheet },
        5 => Sheet { separator: "\t", ..sheet },
        6 => {
            sheet.cells.iter_mut().flatten().for_each(|cell| *cell = format!("\"{cell}\""));
            sheet
        }
        7 => sheet.each(serial, |cell| format!("=\"{cell}\"")),
        8 => sheet.each(serial, |cell| format!("\"=\"\"{cell}\"\"\"")),
        9 => sheet.each(serial, |cell| format!("'{cell}")),
        10 => sheet.each(serial, |cell| format!("{cell}.0")),
        11 => sheet.each(serial, |cell| format!("{}.{}E+12", &cell[..1], &cell[1..6])),
        12 => sheet.each(serial, |cell| format!("\"{},{},{}\"", &cell[..1], &cell[1..4], &cell[4..7])),
        13 => {
            sheet.cells.iter_mut().flatten().for_each(|cell| *cell = format!("\u{a0}{cell}\u{a0}"));
            sheet
        }
        14 => return sheet.text("\n\n \n").into_bytes(),
        15 => {
            sheet.cells.insert(0, vec!["Token list".to_owned()]);
            sheet
        }
        16 => {
            let count = sheet.rows().len();
            sheet.cells.push(vec!["Total".to_owned(), count.to_string()]);
            sheet
        }
        17 => sheet.each(secret, str::to_lowercase),
        18 => sheet.each(secret, |cell| {
            let groups: Vec<String> =
                cell.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into()).collect();
            groups.join(" ")
        }),
        19 => {
            sheet.rows().iter_mut().for_each(|row| row.swap(serial, secret));
            sheet
        }
        20 => {
            sheet.cells.iter_mut().for_each(|row| row.reverse());
            sheet
        }
        21 => {
            let headed = sheet.headed;
            for (number, row) in sheet.cells.iter_mut().enumerate() {
                row.insert(0, if headed && number == 0 { "ID".to_owned() } else { (number + 1).to_string() });
            }
            sheet
        }
        22 if sheet.headed => {
            sheet.cells.remove(0);
            sheet
        }
        22 | 23 if !sheet.headed => {
            sheet.cells.insert(0, vec!["Token".to_owned(), "Initialisierungsschluessel".to_owned()]);
            sheet
        }
        23 => {
            "Initialisierungsschluessel".clone_into(&mut sheet.cells[0][1]);
            sheet
        }
        24 => {
            let text = sheet.text("\n");
            let last = text.trim_end().rsplit('\n').next().expect("a line").len();
            let cut = usize::try_from(random.below(last as u64 - 1)).expect("a place") + 1;
            return text.as_bytes()[..text.len() - 1 - cut].to_vec();
        }
        25 => sheet.one(random, |row| {
            let length = row[secret].len() - 8;
            row[secret].truncate(length);
        }),
        26 => sheet.one(random, |row| {
            let bytes = BASE32.decode(row[secret].as_bytes()).or_else(|_| HEXLOWER.decode(row[secret].as_bytes()));
            row[secret] = BASE64.encode(&bytes.expect("a secret"));
        }),
        27 => {
            let headed = sheet.headed;
            for (number, row) in sheet.cells.iter_mut().enumerate() {
                row.push(if headed && number == 0 { "Colour".to_owned() } else { "60".to_owned() });
            }
            sheet
        }
        28 => {
            let row =
                if sheet.headed { sheet.cells[0].clone() } else { vec!["Serial".to_owned(), "Secret".to_owned()] };
            sheet.cells.insert(2 + usize::from(sheet.headed), row);
            sheet
        }
        29 => sheet.one(random, |row| "#N/A".clone_into(&mut row[serial])),
        30 => sheet.one(random, |row| row.insert(1, String::new())),
        _ => match sheet.period {
            Some(period) => sheet.each(period, |cell| format!("{cell}s")),
            None => sheet.each(secret, |cell| format!("  {cell}  ")),
        },
    };
    sheet.text("\n").into_bytes()
}
