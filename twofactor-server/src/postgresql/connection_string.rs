//! The connection string: `key=value` pairs or an address, as libpq reads it. Its TLS is ours, the rest is tokio-postgres's.

use std::fmt::Write as _;
use std::path::PathBuf;

use tokio_postgres::Config;

use crate::error::ServerError;

/// What a connection string says about TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsOptions {
    /// How much is asked for.
    pub(super) mode: TlsMode,
    /// The authorities of the database's certificates.
    pub(super) roots: Option<PathBuf>,
    /// The certificate that is shown.
    pub(super) certificate: Option<PathBuf>,
    /// Its key.
    pub(super) key: Option<PathBuf>,
    /// The handshake begins at once, without a question of PostgreSQL's before it.
    pub(super) is_direct: bool,
}

/// `sslmode`. What libpq tries with TLS and then without, is without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum TlsMode {
    /// No TLS.
    #[default]
    None,
    /// TLS; with `sslrootcert`, of one of these authorities.
    Require,
    /// TLS, of one of these authorities.
    VerifyAuthority,
    /// The same, for the name of the host.
    VerifyName,
}

impl TlsOptions {
    /// True where a host is taken for what it says by its certificate alone.
    pub(super) fn is_verified(&self) -> bool {
        self.mode == TlsMode::VerifyName
    }

    /// Takes a pair that is about TLS. False for another one.
    fn take(&mut self, key: &str, value: &str) -> Result<bool, ServerError> {
        let file = |value: &str| (!value.is_empty()).then(|| PathBuf::from(value));
        match key {
            "sslmode" => {
                self.mode = match value {
                    "disable" | "allow" | "prefer" => TlsMode::None,
                    "require" => TlsMode::Require,
                    "verify-ca" => TlsMode::VerifyAuthority,
                    "verify-full" => TlsMode::VerifyName,
                    _ => return Err(wrong(format!("sslmode={value} is unknown"))),
                }
            }
            "sslrootcert" if value == "system" => {
                return Err(wrong("sslrootcert names a file: the authorities of the system are not used".to_owned()));
            }
            "sslrootcert" => self.roots = file(value),
            "sslcert" => self.certificate = file(value),
            "sslkey" => self.key = file(value),
            "sslnegotiation" => {
                self.is_direct = value == "direct";
                return Ok(false);
            }
            other if other.starts_with("ssl") => return Err(wrong(format!("{other} is not known here"))),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads a connection string.
pub(super) fn read(text: &str) -> Result<(Config, TlsOptions), ServerError> {
    let mut options = TlsOptions::default();
    let is_address = ["postgresql://", "postgres://"].iter().any(|scheme| text.starts_with(scheme));
    let rest = if is_address { of_address(text, &mut options)? } else { of_pairs(text, &mut options)? };
    let config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        wrong(cause.unwrap_or_else(|| error.to_string()))
    })?;
    if options.mode != TlsMode::None && options.certificate.is_some() != options.key.is_some() {
        return Err(wrong("sslcert and sslkey belong together".to_owned()));
    }
    let needs_roots = matches!(options.mode, TlsMode::VerifyAuthority | TlsMode::VerifyName);
    if needs_roots && options.roots.is_none() {
        return Err(wrong("sslrootcert is missing: it names the authority of the database's certificate".to_owned()));
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(wrong("host is missing".to_owned()));
    }
    Ok((config, options))
}

/// The string without what is about TLS.
fn of_address(text: &str, options: &mut TlsOptions) -> Result<String, ServerError> {
    let Some((place, query)) = text.split_once('?') else { return Ok(text.to_owned()) };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !options.take(&decoded(key), &decoded(value))? {
            kept.push(pair);
        }
    }
    Ok(if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) })
}

/// The same of pairs.
fn of_pairs(text: &str, options: &mut TlsOptions) -> Result<String, ServerError> {
    let mut kept = String::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(|| wrong("a key has no value".to_owned()))?;
        let (value, after) = value(after.trim_start())?;
        if !options.take(key.trim_end(), &value)? {
            let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
            let _ = write!(kept, "{}='{escaped}' ", key.trim_end());
        }
        rest = after.trim_start();
    }
    Ok(kept)
}

/// A value, in quotes or to the next blank, and what follows it.
fn value(text: &str) -> Result<(String, &str), ServerError> {
    let is_quoted = text.starts_with('\'');
    let body = if is_quoted { &text[1..] } else { text };
    let (mut value, mut characters) = (String::new(), body.char_indices());
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Ok((value, &body[place + 1..])),
            blank if !is_quoted && blank.is_whitespace() => return Ok((value, &body[place..])),
            other => value.push(other),
        }
    }
    if is_quoted { Err(wrong("a quote is not closed".to_owned())) } else { Ok((value, "")) }
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut plain, mut place) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(place) {
        let hex = text.get(place + 1..place + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                plain.push(value);
                place += 3;
            }
            _ => {
                plain.push(*byte);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Without the string: it may have a password.
fn wrong(problem: String) -> ServerError {
    ServerError::ConnectionString(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_read_as_libpq_reads_it_and_the_rest_is_left() {
        let (config, options) = read(
            "host=db1,db2 port=5432,5433 dbname='two factor' password = 'a\\'b\\\\c' target_session_attrs=read-write
             sslmode=verify-full sslrootcert='/etc/a b.pem' sslcert=/c sslkey=/k",
        )
        .unwrap();
        assert_eq!((config.get_hosts().len(), config.get_ports()), (2, &[5432, 5433][..]));
        assert_eq!(config.get_dbname(), Some("two factor"));
        assert_eq!(config.get_password(), Some(&b"a'b\\c"[..]));
        let path = |text: &str| Some(PathBuf::from(text));
        let all = TlsOptions {
            mode: TlsMode::VerifyName,
            roots: path("/etc/a b.pem"),
            certificate: path("/c"),
            key: path("/k"),
            is_direct: false,
        };
        assert_eq!(options, all);
        let address = "postgresql://user:p%40ss@db1:5432,db2/twofactor?sslmode=verify-full&sslrootcert=%2Fetc%2Fa%20b.pem\
                       &sslcert=/c&sslkey=/k&target_session_attrs=read-write";
        let (config, options) = read(address).unwrap();
        assert_eq!((config.get_hosts().len(), config.get_password()), (2, Some(&b"p@ss"[..])));
        assert_eq!(options, all);
        for plain in ["host=db1", "host=db1 sslmode=prefer", "postgresql://db1/x?sslmode=allow", "postgresql://db1/x"] {
            assert_eq!(read(plain).unwrap().1.mode, TlsMode::None, "{plain}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_its_password() {
        for (text, problem) in [
            ("host=db1 password=hidden sslmode=verify", "sslmode=verify is unknown"),
            ("host=db1 password=hidden sslmode=verify-full", "sslrootcert is missing"),
            ("host=db1 password=hidden sslmode=verify-ca sslrootcert=system", "sslrootcert names a file"),
            ("host=db1 password=hidden sslmode=require sslcert=/c", "sslcert and sslkey belong together"),
            ("host=db1 password=hidden sslcrl=/c", "sslcrl is not known here"),
            ("host=db1 password='hidden", "a quote is not closed"),
            ("host=db1 password=hidden more=1", "more"),
            ("password=hidden", "host is missing"),
            ("hidden", "a key has no value"),
        ] {
            let said = read(text).map(drop).unwrap_err().to_string();
            assert!(said.contains(problem) && !said.contains("hidden"), "{text}: {said}");
        }
    }
}
