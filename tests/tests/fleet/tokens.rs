//! Physical tokens on the central store: import, views, and what of them stands in the database.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::thread;

use twofactor_core::codes::otp::{Algorithm, Code, Digits, Parameters, StatedParameters};
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::{Marks, Serial};
use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock, SystemClock, UnixTime};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{
    Author, Counts, Finding, HistoryPart, NewToken, Origin, Sharing, TokenAdministration as _, TokenFilter,
    TokenImport, TokenViews as _, each_token,
};
use twofactor_server::{Central, read_keys};
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::postgres::Postgres;
use zeroize::Zeroizing;

use super::{Enrolled, Fleet, contains, now, owner};

/// A token of a vendor's file.
pub(crate) struct Fob {
    pub(crate) serial: Serial,
    pub(crate) secret: Secret,
    pub(crate) parameters: Parameters,
}

impl Fob {
    pub(crate) fn new(serial: &str, secret: &[u8]) -> Self {
        let secret = Secret::from_bytes(Zeroizing::new(secret.to_vec())).unwrap();
        Self { serial: Serial::new(serial).unwrap(), secret, parameters: Parameters::default() }
    }

    pub(crate) fn random(serial: &str) -> Self {
        Self::new(serial, Secret::generate(20).unwrap().expose())
    }

    /// The code that it shows so many steps from now.
    pub(crate) fn code(&self, steps: i64) -> String {
        self.code_at(now(), steps)
    }

    /// The same at another time.
    pub(crate) fn code_at(&self, now: UnixTime, steps: i64) -> String {
        self.authenticator().code_at(now.seconds().checked_add_signed(steps * 30).unwrap())
    }

    /// The token as oathtool plays it.
    pub(crate) fn authenticator(&self) -> Authenticator {
        let secret = self.secret.expose_base32().to_string();
        let digits = self.parameters.digits.count();
        Authenticator { secret, algorithm: "SHA1".to_owned(), digits, kind: Kind::Time(30) }
    }

    pub(crate) fn offered(&self) -> NewToken<'_> {
        NewToken {
            serial: &self.serial,
            secret: &self.secret,
            marks: Marks::of(&self.secret, Algorithm::Sha1),
            parameters: self.parameters,
            stated: StatedParameters::all(self.parameters),
            counter: None,
            drift: None,
            vendor: Some("Acme"),
            model: None,
        }
    }
}

pub(crate) fn central<P: Borrow<Postgres>>(fleet: &Fleet<P>) -> Central {
    central_with(fleet, SystemClock)
}

/// The same by another clock.
pub(crate) fn central_with<P: Borrow<Postgres>>(fleet: &Fleet<P>, clock: impl Clock + 'static) -> Central {
    let keys = read_keys(&fleet.key_file, owner()).unwrap();
    let postgresql = fleet.postgres.borrow().connection().parse().unwrap();
    Central::open(postgresql, keys, &Config::default(), clock, "root".to_owned()).unwrap()
}

pub(crate) fn by() -> Author<'static> {
    Author { who: "root", at: now() }
}

pub(crate) fn judge(import: &mut dyn TokenImport, fobs: &[Fob]) -> (Counts, Vec<Finding>) {
    let mut findings = Vec::new();
    import.expect(fobs.len());
    let counts = import.plan::<StoreError>(|judge| {
        for fob in fobs {
            findings.push(judge(&fob.offered())?);
        }
        Ok(())
    });
    (counts.unwrap(), findings)
}

pub(crate) fn write(import: Box<dyn TokenImport>, series: &str, fobs: &[Fob]) -> Counts {
    let origin = Origin { series, file: "fobs.csv", sha256: [7; 32] };
    import.write::<StoreError>(origin, 0, by(), |take| fobs.iter().try_for_each(|fob| take(&fob.offered()))).unwrap()
}

/// Imports all of them.
pub(crate) fn stock(central: &Central, series: &str, fobs: &[Fob]) -> Counts {
    let mut import = central.import().unwrap();
    judge(&mut *import, fobs);
    write(import, series, fobs)
}

fn serials(central: &Central, filter: &TokenFilter) -> Vec<String> {
    let mut serials = Vec::new();
    each_token::<StoreError>(central, filter, |view| {
        serials.push(view.serial.to_string());
        Ok(())
    })
    .unwrap();
    serials
}

#[test]
fn a_file_comes_in_as_a_whole_and_is_recognized_when_it_comes_again() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let central = central(&fleet);
    // More than are asked for one by one, and more than are read at a time.
    let many: Vec<Fob> = (0..1500).map(|number| Fob::random(&format!("A{number:05}"))).collect();
    let rehearsed = judge(&mut *central.import_rehearsal().unwrap(), &many);
    assert_eq!((rehearsed.0.added, central.token_count().unwrap()), (1500, 0));
    assert_eq!(stock(&central, "acme", &many).added, 1500);
    assert_eq!(central.token_count().unwrap(), 1500);
    let found = serials(&central, &TokenFilter::default());
    assert!(found.is_sorted() && found.len() == 1500);
    let shown = central.token(&many[3].serial).unwrap().unwrap();
    assert_eq!(
        (shown.vendor.as_deref(), shown.series.as_deref(), shown.stage.word()),
        (Some("Acme"), Some("acme"), "inventory")
    );

    for short in [false, true] {
        let (number, again) = if short { (100, &many[..100]) } else { (1500, &many[..]) };
        let (counts, findings) = judge(&mut *central.import().unwrap(), again);
        assert_eq!((counts.unchanged, counts.added), (number, 0), "short: {short}");
        assert!(findings.iter().all(|finding| *finding == Finding::Unchanged));
        // The rest of a long file is new.
        let fill = (0..if short { 0 } else { 300 }).map(|number| Fob::random(&format!("B{number:05}")));
        let eight = Parameters { digits: Digits::EIGHT, ..Parameters::default() };
        let odd = [
            Fob::random("A00001"),
            Fob::new("C1", many[2].secret.expose()),
            Fob { parameters: eight, ..Fob::new("A00003", many[3].secret.expose()) },
            Fob::random("C2"),
        ];
        let odd: Vec<Fob> = odd.into_iter().chain(fill).collect();
        let (_, findings) = judge(&mut *central.import().unwrap(), &odd);
        let expected = [
            Finding::OtherSecret,
            Finding::OtherSerial(Serial::new("A00002").unwrap()),
            Finding::OtherParameters(Parameters::default()),
            Finding::New,
        ];
        assert_eq!(findings[..4], expected, "short: {short}");
    }
    let (_, findings) = judge(&mut *central.import().unwrap(), &[Fob::new("D1", &[9; 20]), Fob::new("D2", &[9; 20])]);
    assert_eq!(findings, [Finding::New, Finding::SecretTwice]);

    let series = central.series("acme").unwrap().unwrap();
    assert_eq!((series.tokens, series.inventory, series.imports.len()), (1500, 1500, 1));
    assert_eq!(central.series_from("ac", 9).unwrap(), ["acme"]);
    assert_eq!(central.serials_from("A0149", 3).unwrap(), ["A01490", "A01491", "A01492"]);
    let mut history = central.history(&HistoryPart::default()).unwrap().unwrap();
    let lines = history.next_portion().unwrap();
    assert_eq!(
        lines.iter().map(|line| (line.event.word(), line.who.as_str())).collect::<Vec<_>>(),
        [("imported", "root")]
    );
    assert!(history.next_portion().unwrap().is_empty());
}

#[test]
fn an_import_that_is_dropped_has_changed_nothing_and_two_wait_for_each_other() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let fobs: Vec<Fob> = (0..40).map(|number| Fob::random(&format!("A{number:02}"))).collect();
    let mut import = central(&fleet).import().unwrap();
    judge(&mut *import, &fobs);
    let origin = Origin { series: "acme", file: "fobs.csv", sha256: [7; 32] };
    let broken = import.write::<StoreError>(origin, 0, by(), |take| {
        for fob in &fobs {
            take(&fob.offered())?;
        }
        Err(StoreError::Clock(twofactor_core::host::clock::ClockError))
    });
    assert!(broken.is_err());
    let looking = central(&fleet);
    assert_eq!((looking.token_count().unwrap(), looking.all_series().unwrap().len()), (0, 0));

    let counts: Vec<Counts> = thread::scope(|scope| {
        let (fobs, fleet) = (&fobs, &fleet);
        let both: Vec<_> = (0..2).map(|_| scope.spawn(move || stock(&central(fleet), "acme", fobs))).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut added: Vec<u64> = counts.iter().map(|counts| counts.added).collect();
    added.sort_unstable();
    assert_eq!((added, looking.token_count().unwrap()), (vec![0, 40], 40));
}

#[test]
fn the_secret_of_an_app_is_told_and_taken_in_only_where_the_sysadmin_says_so() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let alice = Enrolled::at(&fleet.host("web1"), "alice");
    let secret = Secret::from_base32(&alice.app.secret).unwrap();
    let fobs = [Fob::new("A1", secret.expose())];
    let central = central(&fleet);
    let (_, findings) = judge(&mut *central.import().unwrap(), &fobs);
    assert_eq!(findings, [Finding::Shared(alice.person.name.clone())]);
    let mut import = central.import().unwrap();
    import.share(Sharing::Allow);
    judge(&mut *import, &fobs);
    assert_eq!(write(import, "acme", &fobs).added, 1);
}

#[test]
fn patterns_of_serials_are_those_of_one_host() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let central = central(&fleet);
    let serials_there = ["A-1", "A-22", "B.1", "b+1", "A]1", "[x", "^1", "A(1)|2"];
    let fobs: Vec<Fob> = serials_there.iter().map(|serial| Fob::random(serial)).collect();
    stock(&central, "acme", &fobs);
    let host = tempfile::tempdir().unwrap();
    std::fs::set_permissions(host.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let files =
        twofactor_core::store::files::Files::new(host.path(), owner(), std::time::Duration::from_secs(10), SystemClock);
    let mut import = files.import().unwrap();
    judge(&mut *import, &fobs);
    write(import, "acme", &fobs);
    let patterns = [
        "*", "A*", "A-?", "?-*", "[AB]*", "[a-z]*", "[^A]*", "*.1", "*+1", "A]1", "A[]]1", "A[^]]1", "[[]x", "[^",
        "[A", "^1", "A(1)|2", "[A-]*", "*[0-9]", "", "A[-x]*", "[b-A]*",
    ];
    for pattern in patterns {
        let filter = TokenFilter { serial: Some(pattern.to_owned()), ..TokenFilter::default() };
        let mut here = Vec::new();
        each_token::<StoreError>(&files, &filter, |view| {
            here.push(view.serial.to_string());
            Ok(())
        })
        .unwrap();
        assert_eq!(serials(&central, &filter), here, "{pattern:?}");
    }
}

#[test]
fn a_token_is_found_by_two_codes_and_its_row_opens_for_no_other_serial() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let central = central(&fleet);
    let fobs: Vec<Fob> = (0..30).map(|number| Fob::random(&format!("A{number:02}"))).collect();
    stock(&central, "acme", &fobs);
    let codes = fobs[17].authenticator().two_codes().map(|code| Code::new(Zeroizing::new(code)).unwrap());
    let mut looked = 0;
    let found = central.identify([&codes[0], &codes[1]], &mut |number| looked = number).unwrap();
    assert_eq!((found[0].serial.as_str(), looked), ("A17", 30));

    fleet.postgres.sql("update twofactor.tokens set (key, sealed) = (select key, sealed from twofactor.tokens where serial = 'A01') where serial = 'A02'");
    let moved = central.token(&Serial::new("A02").unwrap()).unwrap_err();
    assert!(moved.to_string().contains("changed or moved"), "{moved}");
    fleet.postgres.sql("update twofactor.tokens set status = 'lost' where serial = 'A03'");
    assert!(central.token(&Serial::new("A03").unwrap()).is_ok(), "what is not sealed can be changed");
    fleet.postgres.sql("update twofactor.tokens set status = 'revoked' where serial = 'A03'");
    assert!(central.token(&Serial::new("A03").unwrap()).is_err(), "a revoked one has no secret");
}

#[test]
fn no_secret_of_a_token_stands_in_the_cluster_its_log_or_a_dump() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let fobs: Vec<Fob> = (0..20).map(|number| Fob::random(&format!("SERIAL{number:02}"))).collect();
    stock(&central(&fleet), "acme", &fobs);
    fleet.postgres.sql("checkpoint");
    let places = fleet.everything();
    assert!(places.values().filter(|content| contains(content, b"SERIAL11")).count() >= 2);
    for (place, content) in &places {
        for fob in &fobs[11..12] {
            let secret = fob.secret.expose();
            let mark = Marks::of(&fob.secret, Algorithm::Sha1).secret();
            let seed = twofactor_core::codes::token::Seeds::of(&fob.secret, fob.parameters).key().to_string();
            let forms: BTreeMap<&str, Vec<u8>> = BTreeMap::from([
                ("secret", secret.to_vec()),
                ("base32", fob.secret.expose_base32().as_bytes().to_vec()),
                ("hexadecimal", data_encoding::HEXLOWER.encode(secret).into_bytes()),
                ("digest", mark.to_be_bytes().to_vec()),
                ("digest, turned", mark.to_le_bytes().to_vec()),
                ("digest in words", mark.to_string().into_bytes()),
                ("seed", seed.into_bytes()),
            ]);
            for (form, bytes) in forms {
                assert!(!contains(content, &bytes), "{form} of {} stands in {place}", fob.serial);
            }
        }
    }
}
