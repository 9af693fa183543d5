//! The plain export of a user's authenticator app, or the URI that an app was set up with.
//!
//! An export does not say which codes were used. Of a clock none is good that it has shown by now, or shows next; of a counter
//! all before its own.

use twofactor_core::codes::otp::{Kind, Progress, Step, current_step};
use twofactor_core::host::clock::UnixTime;
use zeroize::Zeroizing;

use super::arrival::{Arrival, Arrived, Remark, weakness};
use crate::seed_files::{App, ImportError, Offered, Rejection, app_entries};

/// An entry of an export.
#[derive(Debug)]
pub struct ExportEntry {
    /// Its number in the export, from 1.
    pub number: usize,
    /// The service that it is for.
    pub issuer: String,
    /// The account.
    pub label: String,
    /// Its secret, or the reason for which it cannot be taken in.
    pub account: Result<Arrival, Rejection>,
}

impl ExportEntry {
    /// The name under which it is shown.
    pub fn name(&self) -> String {
        match (self.issuer.as_str(), self.label.as_str()) {
            ("", label) => label.to_owned(),
            (issuer, "") => issuer.to_owned(),
            (issuer, label) => format!("{issuer}: {label}"),
        }
    }

    /// True when it is the one that a person means: by its number, its account, or both names.
    pub fn is_called(&self, typed: &str) -> bool {
        typed == self.label || typed == self.name() || typed.parse() == Ok(self.number)
    }
}

/// The app that wrote an export, and its entries as they stand at `now`.
pub fn read(bytes: Zeroizing<Vec<u8>>, now: UnixTime) -> Result<(App, Vec<ExportEntry>), ImportError> {
    let (app, entries) = app_entries(bytes)?;
    let entries = entries.into_iter().map(|entry| ExportEntry {
        number: entry.number,
        issuer: entry.issuer,
        label: entry.label,
        account: entry.token.map(|offered| arrival(offered, now)),
    });
    Ok((app, entries.collect()))
}

fn arrival(offered: Offered, now: UnixTime) -> Arrival {
    let Offered { secret, parameters, counter, .. } = offered;
    let mut remarks: Vec<Remark> = weakness(&secret).into_iter().collect();
    let watermark = match parameters.kind {
        Kind::Hotp => counter.and_then(|next| next.checked_sub(1)).map(Step),
        Kind::Totp(period) => {
            let next = current_step(period, now).0.saturating_add(1);
            let good = next.saturating_add(1).saturating_mul(u64::from(period.seconds()));
            remarks.push(Remark::UsesUnknown(UnixTime::from_seconds(good)));
            Some(Step(next))
        }
    };
    let start = Progress { watermark, ..Progress::default() };
    Arrival { tokens: vec![Arrived { secret, parameters, start }], recovery: Vec::new(), remarks }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_015);

    fn entries(text: &str) -> (App, Vec<ExportEntry>) {
        read(Zeroizing::new(text.as_bytes().to_vec()), NOW).unwrap()
    }

    #[test]
    fn uris_are_read_and_no_code_that_was_shown_is_good() {
        let (app, entries) = entries(
            "otpauth://totp/Example:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEH&issuer=Example&digits=8\n\
             otpauth://hotp/alice?secret=jbswy3dpehpk3pxp&counter=7\notpauth://totp/x?secret=JBSWY3DPEHPK3PXP&encoder=steam\n",
        );
        assert_eq!((app, entries.len()), (App::Uris, 3));
        let alice = entries[0].account.as_ref().unwrap();
        assert_eq!(alice.tokens[0].start.watermark, Some(Step(60_000_001)));
        assert_eq!(alice.remarks, [Remark::UsesUnknown(UnixTime::from_seconds(1_800_000_060))]);
        assert_eq!((entries[0].name().as_str(), alice.tokens[0].parameters.digits.count()), ("Example: alice", 8));
        assert!(entries[0].is_called("alice") && entries[0].is_called("1") && !entries[0].is_called("Example"));
        let counter = entries[1].account.as_ref().unwrap();
        assert_eq!(counter.tokens[0].start.watermark, Some(Step(6)));
        assert_eq!(counter.remarks, [Remark::Weak(80)]);
        assert_eq!(entries[2].account.as_ref().unwrap_err(), &Rejection::OtherKind);
    }

    #[test]
    fn the_example_of_googles_export_is_read() {
        let (app, entries) = entries(
            "otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZTAC\n",
        );
        assert_eq!((app, entries[0].name().as_str()), (App::Migration, "Example: alice@google.com"));
        let alice = entries[0].account.as_ref().unwrap();
        assert_eq!(alice.tokens[0].secret.expose(), b"Hello!\xde\xad\xbe\xef");
    }
}
