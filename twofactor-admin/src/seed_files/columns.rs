//! The meaning of a table's columns: by its header, else by the shapes that vendors use.

use super::bounds::MOST_COLUMNS;
use super::characters;
use super::delimited::SplitLine;
use super::headings::{Headings, Meaning};
use super::offer::{self, Offered, Stated};
use super::options::{Encoding, KindName, Options};
use super::rejection::{Field, Parameter, Rejection};
use super::seed_encoding;

/// The columns of a table. Serial number and secret are always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Columns {
    serial: usize,
    secret: usize,
    kind: Option<usize>,
    algorithm: Option<usize>,
    digits: Option<usize>,
    period: Option<usize>,
    counter: Option<usize>,
    /// The period of a TOTP token and the counter of a HOTP token.
    movement: Option<usize>,
    vendor: Option<usize>,
    model: Option<usize>,
    owner: Option<usize>,
    /// The kind of rows that state none.
    usual_kind: Option<KindName>,
    /// The number of fields that a row needs for all that the header says about codes.
    needed: usize,
    /// The number of columns that mean something, or have a heading.
    pub(super) known: usize,
    /// The columns that have no heading, one bit each.
    pub(super) unnamed: u64,
}

/// The content of the third column of a table without header, over all rows.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that was seen or not")]
pub(super) struct Third {
    words: bool,
    numbers: bool,
    /// One that is neither 30 nor 60.
    other_numbers: bool,
    /// One that is no usual length of a code.
    no_length: bool,
}

impl Third {
    /// Takes note of the third field of a row.
    pub(super) fn see(&mut self, record: &SplitLine<'_>) {
        let field = record.field(2);
        self.no_length |= !matches!(field, b"6" | b"8");
        match number(field) {
            Some(30 | 60) => self.numbers = true,
            Some(_) => (self.numbers, self.other_numbers) = (true, true),
            None => self.words |= !field.is_empty(),
        }
    }

    /// True when it is the period of all rows: a counter would not stand at 30 or 60 in every one.
    pub(super) fn is_period(self) -> bool {
        self.numbers && !self.words && !self.other_numbers
    }

    /// True when it could as well be the length of a code in every row.
    pub(super) fn may_be_length(self) -> bool {
        self.is_counter() && !self.no_length
    }

    /// True when it is a counter in every row that has it.
    pub(super) fn is_counter(self) -> bool {
        self.numbers && !self.words && self.other_numbers
    }
}

impl Columns {
    /// The columns that a header names.
    pub(super) fn from_headings(headings: &Headings) -> Self {
        let at = |meaning| headings.columns.iter().find(|(other, _)| *other == meaning).map(|(_, column)| *column);
        let mut columns = Self {
            serial: at(Meaning::Serial).unwrap_or_default(),
            secret: at(Meaning::Secret).unwrap_or_default(),
            kind: at(Meaning::Kind),
            algorithm: at(Meaning::Algorithm),
            digits: at(Meaning::Digits),
            period: at(Meaning::Period),
            counter: at(Meaning::Counter),
            movement: at(Meaning::Movement),
            vendor: at(Meaning::Vendor),
            model: at(Meaning::Model),
            owner: at(Meaning::Owner),
            // OATH CSV: where types are named, a row without one is HOTP.
            usual_kind: headings.kind.or_else(|| at(Meaning::Kind).map(|_| KindName::Hotp)),
            needed: 0,
            known: headings.width,
            unnamed: headings.unnamed,
        };
        let about_codes =
            [columns.kind, columns.algorithm, columns.digits, columns.period, columns.counter, columns.movement];
        // Rows of OATH CSV end where they have no more to say: what they leave out is in the report as an assumption.
        if columns.kind.is_none() {
            columns.needed = about_codes.into_iter().flatten().max().map_or(0, |last| last + 1);
        }
        columns
    }

    /// The same after a look at all rows of a table without header, where the third column decides.
    pub(super) fn refined(self, third: Third, options: &Options) -> Self {
        let Self { kind: Some(2), secret: 1, .. } = self else { return self };
        let bare = Self { serial: 0, secret: 1, known: 3, ..Self::default() };
        if third.is_period() && options.kind != Some(KindName::Hotp) {
            return Self { period: Some(2), ..bare };
        }
        if third.is_counter() || third.is_period() {
            return Self { movement: Some(2), usual_kind: Some(KindName::Hotp), ..bare };
        }
        Self { usual_kind: third.words.then_some(KindName::Hotp), ..self }
    }

    /// The column that a rejection is about.
    pub(super) fn about(&self, rejection: Rejection) -> Option<usize> {
        match rejection.field()? {
            Field::Serial => Some(self.serial),
            Field::Secret => Some(self.secret),
            Field::Kind => self.kind.or(self.algorithm),
            Field::Algorithm => self.algorithm,
            Field::Digits => self.digits,
            Field::Period => self.period.or(self.movement),
            Field::Counter => self.counter.or(self.movement),
        }
    }

    /// The columns of a table without header, told by its first rows.
    pub(super) fn from_rows(rows: &[SplitLine<'_>]) -> Self {
        // In OATH CSV the fourth would be the length of a code.
        if rows.iter().any(|record| is_kind(record.field(2)) && record.field(3).len() > 8) {
            // multiOTP: serial;manufacturer;algorithm;seed;digits;interval_or_event
            return Self {
                serial: 0,
                vendor: Some(1),
                kind: Some(2),
                secret: 3,
                digits: Some(4),
                movement: Some(5),
                known: 6,
                ..Self::default()
            };
        }
        let is_janitor = |record: &SplitLine<'_>| {
            is_kind(record.field(3)) && seed_encoding::looks_like_secret(record.field(2)) && !record.field(1).is_empty()
        };
        if !rows.is_empty() && rows.iter().all(is_janitor) {
            // privacyIDEA's janitor: owner, serial, key, type, digits, period-or-counter.
            return Self {
                owner: Some(0),
                serial: 1,
                secret: 2,
                kind: Some(3),
                digits: Some(4),
                movement: Some(5),
                usual_kind: Some(KindName::Hotp),
                known: 6,
                ..Self::default()
            };
        }
        // OATH CSV: serial, key [, hotp|totp [, digits [, period-or-counter [, algorithm]]]]. Two columns are its
        // beginning, and so are Duo's three, whose third is a counter.
        Self {
            serial: 0,
            secret: 1,
            kind: Some(2),
            digits: Some(3),
            movement: Some(4),
            algorithm: Some(5),
            known: 6,
            ..Self::default()
        }
    }

    /// The column in which secrets stand in every row, where it is not the one they are read from.
    pub(super) fn misplaced_secrets(&self, rows: &[SplitLine<'_>]) -> Option<usize> {
        let in_all = |column| {
            let mut fields = rows.iter().map(|record: &SplitLine<'_>| record.field(column));
            !rows.is_empty() && fields.all(seed_encoding::looks_like_secret)
        };
        let here = rows.iter().any(|record| seed_encoding::may_be_secret(self.secret(record)));
        if here { None } else { (0..MOST_COLUMNS).find(|column| in_all(*column)) }
    }

    /// The meaning of a column.
    pub(super) fn meaning(&self, column: usize) -> Option<&'static str> {
        let meanings = [
            (Some(self.serial), Meaning::Serial),
            (Some(self.secret), Meaning::Secret),
            (self.kind, Meaning::Kind),
            (self.algorithm, Meaning::Algorithm),
            (self.digits, Meaning::Digits),
            (self.period, Meaning::Period),
            (self.counter, Meaning::Counter),
            (self.movement, Meaning::Movement),
            (self.vendor, Meaning::Vendor),
            (self.model, Meaning::Model),
            (self.owner, Meaning::Owner),
        ];
        meanings.into_iter().find(|(place, _)| *place == Some(column)).map(|(_, meaning)| meaning.word())
    }

    /// True when rows without a type are HOTP because others name theirs.
    pub(super) fn names_kinds(&self) -> bool {
        self.kind.is_some()
    }

    /// The field of the secret.
    pub(super) fn secret<'t>(&self, record: &SplitLine<'t>) -> &'t [u8] {
        record.field(self.secret)
    }

    /// The field of the serial number.
    pub(super) fn serial<'t>(&self, record: &SplitLine<'t>) -> &'t [u8] {
        record.field(self.serial)
    }

    /// A row's words about codes. A value that an option overrules is not even looked at, so a wrong one does no harm.
    pub(super) fn stated(&self, record: &SplitLine<'_>, options: &Options) -> Result<Stated, Rejection> {
        let field =
            |column: Option<usize>| column.map(|column| record.field(column)).filter(|field: &&[u8]| !field.is_empty());
        let mut stated = Stated::default();
        let mut movement = field(self.movement);
        let mut kind = Ok(());
        if let Some(word) = field(self.kind) {
            if number(word).is_some() {
                // Duo's counter, among rows that name a type.
                stated.usual_kind = Some(KindName::Hotp);
                movement = Some(word);
            } else {
                kind = kind_named(word).map(|kind| stated.kind = Some(kind));
            }
        }
        let mut algorithm = Ok(());
        if let Some(word) = field(self.algorithm) {
            // multiOTP calls the kind an algorithm.
            match kind_named(word) {
                Ok(named) => stated.kind = stated.kind.or(Some(named)),
                Err(_) if is_kind(word) => kind = Err(Rejection::Kind),
                Err(_) => {
                    algorithm = offer::algorithm(&characters::words(word)).map(|named| stated.algorithm = Some(named));
                }
            }
        }
        if options.kind.is_none() {
            kind?;
        }
        if options.algorithm.is_none() {
            algorithm?;
        }
        let digits = field(self.digits)
            .map(|field| number(field).ok_or(Rejection::NotANumber(Parameter::Digits)).and_then(offer::digits));
        stated.digits = if options.digits.is_some() { digits.and_then(Result::ok) } else { digits.transpose()? };
        let counter = field(self.counter);
        if stated.usual_kind.is_none() {
            stated.usual_kind = match (field(self.period), counter) {
                (Some(_), _) => None,
                (None, Some(_)) => Some(KindName::Hotp),
                (None, None) => self.usual_kind,
            };
        }
        match options.kind.or(stated.kind).or(stated.usual_kind).unwrap_or(KindName::Totp) {
            KindName::Totp => {
                let period = field(self.period)
                    .or(movement)
                    .map(|field| number(field).ok_or(Rejection::NotANumber(Parameter::Period)).and_then(offer::period));
                stated.period =
                    if options.period.is_some() { period.and_then(Result::ok) } else { period.transpose()? };
            }
            KindName::Hotp => {
                let counter = counter.or(movement);
                let counter = counter.map(|field| number(field).ok_or(Rejection::Counter).and_then(offer::counter));
                stated.counter = counter.transpose()?;
            }
        }
        Ok(stated)
    }

    /// The token of a row.
    pub(super) fn offered(
        &self,
        record: &SplitLine<'_>,
        encoding: Encoding,
        options: &Options,
    ) -> Result<Offered, Rejection> {
        if record.fields().len() < 2 {
            return Err(Rejection::TooFewColumns);
        }
        let number = self.serial(record);
        let serial = offer::serial(number)?;
        if seed_encoding::is_secret_for_serial(number) {
            return Err(Rejection::SerialIsSecret);
        }
        let field = self.secret(record);
        if field.is_empty() {
            return Err(Rejection::SecretMissing);
        }
        if !number.iter().chain(field).any(u8::is_ascii_digit) {
            return Err(Rejection::Words);
        }
        let secret = offer::secret(seed_encoding::decode(field, encoding)?)?;
        if record.fields().len() < self.needed {
            return Err(Rejection::ShortRow);
        }
        let settled = self.stated(record, options)?.settle(options);
        let words = |column: Option<usize>| {
            let field = record.field(column?);
            let is_name = !field.is_empty() && !seed_encoding::is_secret_for_serial(field);
            is_name.then(|| characters::words(field))
        };
        Ok(Offered { vendor: words(self.vendor), model: words(self.model), ..Offered::new(serial, secret, settled) })
    }
}

/// A whole number in digits.
fn number(field: &[u8]) -> Option<u64> {
    let digits = !field.is_empty() && field.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(field).ok()?.parse().ok()).flatten()
}

/// TOTP and HOTP by the names that files use.
fn kind_named(word: &[u8]) -> Result<KindName, Rejection> {
    let is = |names: &[&str]| names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word));
    if is(&["totp", "oath-totp", "time", "time-based", "timebased"]) {
        Ok(KindName::Totp)
    } else if is(&["hotp", "oath-hotp", "event", "event-based", "eventbased"]) {
        Ok(KindName::Hotp)
    } else {
        Err(Rejection::Kind)
    }
}

/// True when a word names a kind of token, be it one that we do not support.
fn is_kind(word: &[u8]) -> bool {
    let others = ["motp", "ocra", "yubikey", "yubicootp", "sms"];
    kind_named(word).is_ok() || others.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word))
}
