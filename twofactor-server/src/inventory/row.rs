//! A token as a row: between PostgreSQL's values and ours. A value that cannot be is damage, and never a default.

use tokio_postgres::Row;
use twofactor_core::account::FirstUse;
use twofactor_core::account::lifecycle::TokenStatus;
use twofactor_core::codes::otp::{Algorithm, Digits, Kind as CodeKind, Parameters, Period, Progress, Step};
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::store::inventory::{Listed, Stored};
use zeroize::Zeroizing;

use crate::error::ServerError;
use crate::sealing::seals::{Kind, Sealed, Seals};

/// The columns that [`stored`] wants, in its order. The table is `t`.
pub(super) const COLUMNS: &str = "t.serial, t.number, t.key, t.sealed, t.status, t.name, t.assigned_at, t.first_use, \
                                  t.used_key, t.used, t.issued";

/// The number of [`COLUMNS`]: further columns of a query begin here.
pub(super) const WIDTH: usize = 11;

/// The version of the sealed forms below.
const FORM: u8 = 1;

/// Reads a row that begins with [`COLUMNS`].
pub(super) fn stored(row: &Row, seals: &Seals) -> Result<Stored, ServerError> {
    let serial: &str = row.try_get(0)?;
    let damaged = || ServerError::DamagedToken(serial.to_owned());
    let sealed = Sealed { key: row.try_get(2)?, bytes: row.try_get(3)? };
    let opened = seals.open(Kind::Token, serial, &sealed)?;
    let (parameters, secret) = read_token(&opened).ok_or_else(damaged)?;
    let status = TokenStatus::parse(row.try_get(4)?).ok_or_else(damaged)?;
    if secret.is_none() != (status == TokenStatus::Revoked) {
        return Err(damaged());
    }
    let (used_key, used): (Option<i32>, Option<Vec<u8>>) = (row.try_get(8)?, row.try_get(9)?);
    let progress = match used_key.zip(used) {
        Some((key, bytes)) => {
            let opened = seals.open(Kind::TokenUse, serial, &Sealed { key, bytes })?;
            read_progress(&opened).ok_or_else(damaged)?
        }
        None => Progress::default(),
    };
    let assigned_at: Option<i64> = row.try_get(6)?;
    Ok(Stored {
        id: row.try_get(1)?,
        serial: Serial::new(serial).ok_or_else(damaged)?,
        secret,
        parameters,
        status,
        owner: row.try_get(5)?,
        assigned_at: assigned_at.map(time),
        first_use: if row.try_get(7)? { FirstUse::Open } else { FirstUse::Over },
        progress,
        issued: time(row.try_get(10)?),
    })
}

/// Reads a row of [`COLUMNS`] and the names of series, vendor and model.
pub(super) fn listed(row: &Row, seals: &Seals) -> Result<Listed, ServerError> {
    let stored = stored(row, seals)?;
    let serial = stored.serial.clone();
    let (series, vendor, model) = (row.try_get(WIDTH)?, row.try_get(WIDTH + 1)?, row.try_get(WIDTH + 2)?);
    Listed::of(stored, series, vendor, model).map_err(|_| ServerError::DamagedToken(serial.to_string()))
}

/// A time, in seconds since 1970. One before that is none of ours, and as old as can be.
pub(super) fn time(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(u64::try_from(seconds).unwrap_or_default())
}

/// A time as PostgreSQL has it.
pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.seconds()).unwrap_or(i64::MAX)
}

/// The plain form of a token; of a revoked one without its secret.
pub(super) fn write_token(parameters: Parameters, secret: Option<&Secret>) -> Zeroizing<Vec<u8>> {
    let Parameters { algorithm, digits, kind } = parameters;
    let secret = secret.map(Secret::expose).unwrap_or_default();
    let mut plain = Zeroizing::new(Vec::with_capacity(5 + secret.len()));
    plain.extend([FORM, number_of(algorithm), digits.count()]);
    let period = match kind {
        CodeKind::Totp(period) => period.seconds(),
        CodeKind::Hotp => 0,
    };
    plain.extend(period.to_be_bytes());
    plain.extend(secret);
    plain
}

/// Reads what [`write_token`] wrote.
pub(super) fn read_token(plain: &[u8]) -> Option<(Parameters, Option<Secret>)> {
    let ([FORM, algorithm, digits, period @ ..], secret) = plain.split_first_chunk::<5>()? else { return None };
    let (algorithm, _) = Algorithm::ALL.get(usize::from(*algorithm))?;
    let kind = match u16::from_be_bytes(*period) {
        0 => CodeKind::Hotp,
        period => CodeKind::Totp(Period::new(period).ok()?),
    };
    let parameters = Parameters { algorithm: *algorithm, digits: Digits::new(*digits).ok()?, kind };
    let secret = match secret {
        [] => None,
        secret => Some(Secret::from_bytes(Zeroizing::new(secret.to_vec())).ok()?),
    };
    Some((parameters, secret))
}

fn number_of(algorithm: Algorithm) -> u8 {
    let place = Algorithm::ALL.iter().position(|(known, _)| *known == algorithm);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// The sealed form of a use; `None` for a token that was never used.
pub(super) fn seal_progress(seals: &Seals, serial: &str, progress: Progress) -> Result<Option<Sealed>, ServerError> {
    if progress == Progress::default() {
        return Ok(None);
    }
    let Progress { watermark, drift, anchor } = progress;
    let mut plain = vec![FORM, u8::from(watermark.is_some())];
    plain.extend(watermark.map_or(0, |Step(step)| step).to_be_bytes());
    plain.extend(drift.to_be_bytes());
    plain.extend(anchor.to_be_bytes());
    seals.seal(Kind::TokenUse, serial, &plain).map(Some)
}

fn read_progress(plain: &[u8]) -> Option<Progress> {
    let (&[FORM, has_watermark], rest) = plain.split_first_chunk::<2>()? else { return None };
    let (step, rest) = rest.split_first_chunk::<8>()?;
    let (drift, anchor) = rest.split_first_chunk::<4>()?;
    let watermark = (has_watermark == 1).then(|| Step(u64::from_be_bytes(*step)));
    Some(Progress { watermark, drift: i32::from_be_bytes(*drift), anchor: i32::from_be_bytes(anchor.try_into().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_what_is_none_is_refused() {
        let secret = || Secret::from_bytes(Zeroizing::new(vec![7; 20])).unwrap();
        for (algorithm, _) in Algorithm::ALL {
            for kind in [CodeKind::Hotp, CodeKind::Totp(Period::THIRTY), CodeKind::Totp(Period::new(300).unwrap())] {
                let parameters = Parameters { algorithm, digits: Digits::EIGHT, kind };
                let (read, read_secret) = read_token(&write_token(parameters, Some(&secret()))).unwrap();
                assert_eq!((read, read_secret.unwrap().expose()), (parameters, secret().expose()));
                let (read, none) = read_token(&write_token(parameters, None)).unwrap();
                assert!(read == parameters && none.is_none());
            }
        }
        let plain = write_token(Parameters::default(), Some(&secret()));
        for (place, value) in [(0, 2), (1, 3), (2, 9), (4, 1)] {
            let mut damaged = plain.to_vec();
            damaged[place] = value;
            assert!(read_token(&damaged).is_none(), "{place}");
        }
        assert!(read_token(&plain[..9]).is_none() && read_token(&[]).is_none());
    }
}
