//! Which column of a table means what: by its header, else by the shapes that vendors use.

use zeroize::Zeroizing;

use crate::otp::LAST_COUNTER;

use super::delimited::Record;
use super::offer::{self, Offered, Parameter, Rejection, Stated};
use super::seed_encoding::{self, Encoding};
use super::{KindName, Options, characters};

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
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// It names all that is needed.
    Columns(Columns),
    /// It names the secret and not the serial number, or the other way round.
    Missing(&'static str),
    /// The line is no header.
    None,
}

impl Columns {
    /// Reads a header. Case, spaces, underscores and hyphens do not count.
    pub(super) fn from_header(record: &Record<'_>) -> Header {
        let (mut serial, mut secret, mut columns) = (None, None, Self::default());
        for (column, field) in record.fields().iter().enumerate() {
            // Where there is no header, this is a serial number and a secret.
            let mut name = Zeroizing::new(Vec::with_capacity(field.len()));
            name.extend(field.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase));
            let meaning = match name.as_slice() {
                b"serial" | b"serialnumber" | b"serialno" | b"serialnr" | b"serialnum" | b"sn" | b"tokenserial"
                | b"tokenserialnumber" | b"tokensn" | b"tokenid" | b"deviceserial" | b"id" => &mut serial,
                b"secret" | b"secretkey" | b"seed" | b"key" | b"tokenseed" | b"tokensecret" | b"tokenkey"
                | b"sharedsecret" | b"hexkey" | b"hexseed" | b"seedhex" | b"secrethex" | b"base32" | b"base32seed"
                | b"base32secret" | b"secretbase32" | b"seedbase32" | b"otpkey" => &mut secret,
                b"type" | b"tokentype" | b"otptype" | b"kind" | b"mode" => &mut columns.kind,
                b"algorithm" | b"hash" | b"hashlib" | b"hashalgorithm" | b"algo" => &mut columns.algorithm,
                b"digits" | b"otplength" | b"length" | b"otplen" | b"codelength" => &mut columns.digits,
                b"timeinterval" | b"interval" | b"period" | b"timestep" | b"timeintervalseconds" => &mut columns.period,
                b"counter" | b"event" | b"eventcounter" | b"movingfactor" => &mut columns.counter,
                b"intervalorevent" | b"periodorcounter" => &mut columns.movement,
                b"manufacturer" | b"vendor" | b"maker" => &mut columns.vendor,
                b"model" | b"tokenmodel" => &mut columns.model,
                _ => continue,
            };
            // The first of two columns of one name counts.
            meaning.get_or_insert(column);
        }
        match (serial, secret) {
            (Some(serial), Some(secret)) => Header::Columns(Self { serial, secret, ..columns }),
            (Some(_), None) => Header::Missing("secret"),
            (None, Some(_)) => Header::Missing("serial number"),
            (None, None) => Header::None,
        }
    }

    /// The columns of a table without header, told by its first rows.
    pub(super) fn from_rows<'t>(mut rows: impl Iterator<Item = Record<'t>>) -> Self {
        // In OATH CSV the fourth would be the length of a code.
        if rows.any(|record| is_kind(record.field(2)) && record.field(3).len() > 2) {
            // multiOTP: serial;manufacturer;algorithm;seed;digits;interval_or_event
            return Self {
                serial: 0,
                vendor: Some(1),
                kind: Some(2),
                secret: 3,
                digits: Some(4),
                movement: Some(5),
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
            ..Self::default()
        }
    }

    /// What a column is taken for.
    pub(super) fn meaning(&self, column: usize) -> Option<&'static str> {
        let meanings = [
            (Some(self.serial), "serial number"),
            (Some(self.secret), "secret"),
            (self.kind, "type"),
            (self.algorithm, "hash"),
            (self.digits, "digits"),
            (self.period, "period"),
            (self.counter, "counter"),
            (self.movement, "period or counter"),
            (self.vendor, "manufacturer"),
            (self.model, "model"),
        ];
        meanings.into_iter().find(|(place, _)| *place == Some(column)).map(|(_, meaning)| meaning)
    }

    /// The field of the secret.
    pub(super) fn secret<'t>(&self, record: &Record<'t>) -> &'t [u8] {
        record.field(self.secret)
    }

    /// The field of the serial number.
    pub(super) fn serial<'t>(&self, record: &Record<'t>) -> &'t [u8] {
        record.field(self.serial)
    }

    /// Whether a row has a number where its kind is expected: Duo's counter.
    pub(super) fn counts_in_third(&self, record: &Record<'_>) -> bool {
        self.kind.is_some_and(|column| number(record.field(column)).is_some())
    }

    /// What a row says about codes. What an option says is not even looked at, so a wrong value there does no harm.
    pub(super) fn stated(&self, record: &Record<'_>, options: &Options) -> Result<Stated, Rejection> {
        let field =
            |column: Option<usize>| column.map(|column| record.field(column)).filter(|field: &&[u8]| !field.is_empty());
        let mut stated = Stated::default();
        let mut movement = field(self.movement);
        let mut kind = Ok(());
        if let Some(word) = field(self.kind) {
            if number(word).is_some() {
                stated.kind = Some(KindName::Hotp);
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
            .map(|field| number(field).ok_or(Rejection::Parameter(Parameter::Digits)).and_then(offer::digits));
        stated.digits = if options.digits.is_some() { digits.and_then(Result::ok) } else { digits.transpose()? };
        let counter = field(self.counter);
        if stated.kind.is_none() && counter.is_some() && field(self.period).is_none() {
            stated.kind = Some(KindName::Hotp);
        }
        match options.kind.or(stated.kind).unwrap_or(KindName::Totp) {
            KindName::Totp => {
                let period = field(self.period)
                    .or(movement)
                    .map(|field| number(field).ok_or(Rejection::Parameter(Parameter::Period)).and_then(offer::period));
                stated.period =
                    if options.period.is_some() { period.and_then(Result::ok) } else { period.transpose()? };
            }
            KindName::Hotp => {
                let bounded = |counter: &u64| *counter <= LAST_COUNTER;
                let counter = counter.or(movement);
                let counter = counter.map(|field| number(field).filter(bounded).ok_or(Rejection::Counter));
                stated.counter = counter.transpose()?;
            }
        }
        Ok(stated)
    }

    /// The token of a row.
    pub(super) fn offered(
        &self,
        record: &Record<'_>,
        encoding: Encoding,
        options: &Options,
    ) -> Result<Offered, Rejection> {
        if record.width() < 2 {
            return Err(Rejection::TooFewColumns);
        }
        let serial = offer::serial(self.serial(record))?;
        let field = self.secret(record);
        if field.is_empty() {
            return Err(Rejection::SecretMissing);
        }
        let secret = offer::secret(seed_encoding::decode(field, encoding)?)?;
        let settled = self.stated(record, options)?.settle(options);
        let words = |column: Option<usize>| {
            let field = record.field(column?);
            (!field.is_empty()).then(|| characters::words(field))
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

/// Whether a word names a kind of token, be it one that we do not support.
fn is_kind(word: &[u8]) -> bool {
    let others = ["motp", "ocra", "yubikey", "yubicootp", "sms"];
    kind_named(word).is_ok() || others.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::delimited::Separator;

    fn header(line: &str) -> Header {
        Columns::from_header(&Record::split(line.as_bytes(), Separator::Character(b',')).unwrap())
    }

    #[test]
    fn headers_are_read_whatever_their_case_and_hyphens() {
        for line in ["serial,secret", "Serial Number,Secret Key", "SERIAL_NUMBER , secret-key", "sn,seed", "id,Key"] {
            let Header::Columns(columns) = header(line) else { panic!("{line}") };
            assert_eq!((columns.serial, columns.secret), (0, 1), "{line}");
        }
        let Header::Columns(entra) = header("upn,serial number,secret key,time interval,manufacturer,model") else {
            panic!("no header");
        };
        assert_eq!((entra.serial, entra.secret, entra.period), (1, 2, Some(3)));
        assert_eq!((entra.vendor, entra.model), (Some(4), Some(5)));
    }

    #[test]
    fn a_header_without_a_needed_column_is_told_from_a_row() {
        assert_eq!(header("serial,interval"), Header::Missing("secret"));
        assert_eq!(header("upn,secret"), Header::Missing("serial number"));
        assert_eq!(header("1234567891234,JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G"), Header::None);
    }
}
