//! Changes of physical tokens on the central store: beside logins, and beside the same changes on one host.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use twofactor_core::account::factors::Factors;
use twofactor_core::account::lifecycle::Change;
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::{Algorithm, Code, Digits, Parameters};
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::{Label, Serial};
use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock, ClockError, UnixTime};
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::administration::{
    AccountAdministration as _, AccountOwnership as _, AccountRenaming as _, AdministeredStore, Author, Encoding,
    Existing, Fit, HistoryPart, LastCredential, PastChange, Sharing, TokenAdministration as _, TokenError, TokenFilter,
    TokenViews as _, each_token,
};
use twofactor_core::store::broker::Broker;
use twofactor_core::store::files::Files;
use twofactor_core::store::wire::Message;
use twofactor_core::store::{
    Attempt, EnrollmentStore as _, NotRegistered, Pending, PendingFactor, Presence, Store as _, StoreError, Superseded,
};
use twofactor_server::{Central, Host, read_keys};
use zeroize::Zeroizing;

use super::tokens::{Fob, by, central, judge, stock};
use super::{Enrolled, Fleet, is_accepted, now, owner, redeem, refusal};

fn person(name: &str, uid: u32) -> Person {
    Person { name: UserName::new(name).unwrap(), uid: Uid(uid) }
}

fn assign(central: &Central, fob: &Fob, person: &Person) -> Result<(), TokenError> {
    central.assign(&[(fob.serial.clone(), person.clone())], Sharing::Refuse, by())
}

fn stage(central: &Central, fob: &Fob) -> String {
    central.token(&fob.serial).unwrap().unwrap().stage.to_string()
}

#[test]
fn a_token_opens_sessions_on_all_hosts_while_it_is_owned_and_a_used_code_stays_used() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let (web1, web2) = (fleet.host("web1"), fleet.host("web2"));
    let central = central(&fleet);
    let fobs = [Fob::random("A1"), Fob::random("A2")];
    stock(&central, "acme", &fobs);
    let (alice, bob) = (Enrolled::at(&web1, "alice").person, person("bob", 1002));
    assign(&central, &fobs[0], &alice).unwrap();
    assert_eq!(stage(&central, &fobs[0]), "assigned");
    let used = fobs[0].code(0);
    assert!(is_accepted(redeem(&web1.store(), &alice, &used)));
    assert_eq!(refusal(redeem(&web2.store(), &alice, &used)), Reason::Replayed);
    assert_eq!(stage(&central, &fobs[0]), "active");
    assert_eq!(central.status(&alice.name).unwrap().unwrap().tokens.len(), 1);

    central.change(&[fobs[0].serial.clone()], Change::ReportLost, LastCredential::Keep, by()).unwrap();
    assert_eq!(refusal(redeem(&web2.store(), &alice, &fobs[0].code(1))), Reason::TokenDisabled);
    central.change(&[fobs[0].serial.clone()], Change::Enable, LastCredential::Keep, by()).unwrap();
    assert_eq!(central.unassign(&fobs[0].serial, LastCredential::Keep, by()).unwrap(), alice.name);
    assert_eq!(refusal(redeem(&web2.store(), &alice, &fobs[0].code(1))), Reason::WrongCode);

    // The same token with another owner, and once more out of the vendor's file.
    assign(&central, &fobs[0], &bob).unwrap();
    assert_eq!(refusal(redeem(&web2.store(), &bob, &used)), Reason::Replayed);
    let last = central.delete_tokens(&[fobs[0].serial.clone()], LastCredential::Keep, by());
    assert!(matches!(last, Err(TokenError::LastCredential(_))), "{last:?}");
    central.delete_tokens(&[fobs[0].serial.clone()], LastCredential::Take, by()).unwrap();
    assert!(matches!(central.presence(&bob.name).unwrap(), Presence::Absent(_)), "he has nothing left");
    assert_eq!(stock(&central, "acme", &fobs).added, 1);
    // What is known of its seed is the inventory's alone: this account is new.
    let carol = person("carol", 1003);
    assign(&central, &fobs[0], &carol).unwrap();
    assert_eq!(refusal(redeem(&web1.store(), &carol, &used)), Reason::Replayed);
    assert!(is_accepted(redeem(&web1.store(), &carol, &fobs[0].code(1))));
}

#[test]
fn of_a_list_all_tokens_are_assigned_or_none() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let central = central(&fleet);
    let fobs: Vec<Fob> = (0..300).map(|number| Fob::random(&format!("A{number:03}"))).collect();
    stock(&central, "acme", &fobs);
    let user = |number: u32| person(&format!("user{number:03}"), 2000 + number);
    let pairs: Vec<(Serial, Person)> = fobs.iter().map(|fob| fob.serial.clone()).zip((0..).map(user)).collect();
    let twice = [&pairs[..], &pairs[..1]].concat();
    assert!(matches!(central.assign(&twice, Sharing::Refuse, by()), Err(TokenError::Twice(_))));
    let unknown = [&pairs[..], &[(Serial::new("B1").unwrap(), user(0))]].concat();
    assert!(matches!(central.assign(&unknown, Sharing::Refuse, by()), Err(TokenError::NoToken(_))));
    assert!(matches!(central.presence(&user(7).name).unwrap(), Presence::Absent(_)));
    central.assign(&pairs, Sharing::Refuse, by()).unwrap();
    assert!(matches!(central.assign(&pairs[..1], Sharing::Refuse, by()), Err(TokenError::Owned(..))));
    let web1 = fleet.host("web1");
    for number in [0, 150, 299] {
        let fob = &fobs[usize::try_from(number).unwrap()];
        assert!(is_accepted(redeem(&web1.store(), &user(number), &fob.code(0))), "{number}");
    }
    assert_eq!(central.series("acme").unwrap().unwrap().assigned, 300);
    assert_eq!(central.delete_series("acme", LastCredential::Take, by()).unwrap(), 300);
    assert_eq!((central.token_count().unwrap(), central.all_series().unwrap().len()), (0, 0));
    assert!(matches!(central.presence(&user(7).name).unwrap(), Presence::Absent(_)));
}

#[test]
fn changes_of_tokens_and_logins_of_their_owner_lose_nothing_of_each_other() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    changes_beside_logins(&fleet);
}

#[test]
fn under_serializable_isolation_changes_of_tokens_and_logins_lose_nothing_of_each_other() {
    let Some(fleet) = Fleet::with_servers_on(2, &["default_transaction_isolation=serializable"]) else { return };
    changes_beside_logins(&fleet);
    assert!(fleet.postgres.log().contains("could not serialize access"), "none had to be repeated");
}

/// Changes of tokens and logins of their owner lose nothing of each other.
fn changes_beside_logins(fleet: &Fleet) {
    let alice = Enrolled::at(&fleet.host("web1"), "alice");
    let fobs: Vec<Fob> = (0..4).map(|number| Fob::random(&format!("A{number}"))).collect();
    stock(&central(fleet), "acme", &fobs);
    let ended = AtomicBool::new(false);
    let accepted = AtomicU64::new(0);
    let code = alice.code(0);
    thread::scope(|scope| {
        let (ended, accepted, alice, code) = (&ended, &accepted, &alice, &code);
        for number in 0..2 {
            scope.spawn(move || {
                let store = fleet.host(&format!("web{number}"));
                while !ended.load(Ordering::SeqCst) {
                    if is_accepted(redeem(&store.store(), &alice.person, code)) {
                        accepted.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let changing: Vec<_> = fobs
            .iter()
            .map(|fob| {
                scope.spawn(move || {
                    let central = central(fleet);
                    for _ in 0..6 {
                        assign(&central, fob, &alice.person).unwrap();
                        central.unassign(&fob.serial, LastCredential::Keep, by()).unwrap();
                    }
                    assign(&central, fob, &alice.person).unwrap();
                })
            })
            .collect();
        let done: Vec<_> = changing.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended.store(true, Ordering::SeqCst);
        assert!(done.iter().all(Result::is_ok));
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 1, "one code opens one session");
    let status = central(fleet).status(&alice.person.name).unwrap().unwrap();
    assert_eq!((status.tokens.len(), status.apps.len()), (4, 1));
    central(fleet).unlock(&alice.person.name).unwrap();
    let store = fleet.host("web1");
    for fob in &fobs {
        assert!(is_accepted(redeem(&store.store(), &alice.person, &fob.code(0))), "{}", fob.serial);
    }
}

#[test]
fn an_import_whose_connection_is_cut_leaves_nothing() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let fobs: Vec<Fob> = (0..2000).map(|number| Fob::random(&format!("A{number:04}"))).collect();
    let importing = central(&fleet);
    let mut import = importing.import().unwrap();
    judge(&mut *import, &fobs);
    let rows = Cell::new(0);
    let origin = twofactor_core::store::administration::Origin { series: "acme", file: "f", sha256: [0; 32] };
    let cut = import.write::<StoreError>(origin, 0, by(), |take| {
        for fob in &fobs {
            rows.set(rows.get() + 1);
            if rows.get() == 1500 {
                fleet.postgres.sql(
                    "select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy twofactor.tokens%'",
                );
            }
            take(&fob.offered())?;
        }
        Ok(())
    });
    assert!(cut.is_err());
    let central = central(&fleet);
    assert_eq!((central.token_count().unwrap(), central.all_series().unwrap().len()), (0, 0));
    assert_eq!(stock(&importing, "acme", &fobs).added, 2000, "the same program goes on");
}

#[test]
fn a_token_is_registered_at_a_host_that_may_enroll_and_its_answer_can_be_asked_for_again() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let (web1, web2) = (fleet.host("web1"), fleet.host("web2"));
    let central = central(&fleet);
    let fobs = [Fob::random("A1"), Fob::random("A2")];
    stock(&central, "acme", &fobs);
    let (alice, bob) = (person("alice", 1001), person("bob", 1002));
    let source = Source::from_rhost(Some("192.0.2.7"));
    let attempt = Attempt { readings: &[], previous: None, source: &source, factors: Factors::ALL, remember: None };
    let check = |store: &Broker, person: &Person, fob: &Fob, steps: [usize; 2]| {
        let codes = fob.authenticator().codes(3);
        let [first, second] = steps.map(|step| Code::new(Zeroizing::new(codes[step].clone())).unwrap());
        store.check_registration(person, &fob.serial, [&first, &second], &attempt)
    };
    let wrong = check(&web1.store(), &alice, &fobs[0], [0, 2]).unwrap().unwrap_err();
    assert_eq!(wrong, NotRegistered::WrongCodes(fobs[0].serial.clone()));
    assert!(
        fleet
            .postgres
            .sql("select detail from twofactor.audit where event = 'check-registration'")
            .contains("not-registered")
    );
    let pending = |person: &Person, fob: &Fob| {
        let shown = check(&web1.store(), person, fob, [0, 1]).unwrap().unwrap();
        Pending { user: person.clone(), factor: PendingFactor::Token(shown), invitation: None }
    };
    let (hers, his, another) = (pending(&alice, &fobs[0]), pending(&bob, &fobs[0]), pending(&alice, &fobs[1]));
    web1.store().store_pending(hers).unwrap();
    assert!(matches!(web2.store().store_pending(his), Err(Superseded::TokenTaken)));
    assert!(matches!(web2.store().store_pending(another), Err(Superseded::Enrolled)));
    assert_eq!(refusal(redeem(&web2.store(), &alice, &fobs[0].code(1))), Reason::Replayed);
    assert!(is_accepted(redeem(&web2.store(), &alice, &fobs[0].code(2))));
    assert_eq!(central.token(&fobs[0].serial).unwrap().unwrap().owner, Some(alice.name.clone()));
    let lines = central.history(&HistoryPart::default()).unwrap().unwrap().next_portion().unwrap();
    let about_it = lines.iter().filter(|line| line.pairs.iter().any(|(key, value)| key == "serial" && value == "A1"));
    let words: Vec<(&str, &str)> = about_it.map(|line| (line.event.word(), line.who.as_str())).collect();
    assert_eq!(words, [("assigned", "alice"), ("resynced", "alice")]);

    // The same question again gets the same answer, although the token is hers by now.
    let [first, second] = fobs[1].authenticator().two_codes();
    let line =
        format!(" version=1 ask=register user=bob uid=1002 serial=A2 code={first} code={second} source=192.0.2.7");
    let asked = Message::read(line.as_bytes()).unwrap().numbered(7).line().unwrap();
    let ask = |host: &Host| fleet.runtime.block_on(fleet.servers[0].answer(host, &asked)).unwrap().in_short();
    let enrolling = Host { may_enroll: true, ..Host::named("web1") };
    let (first, again) = (ask(&enrolling), ask(&enrolling));
    assert_eq!(first, again);
    assert_eq!(central.token(&fobs[1].serial).unwrap().unwrap().owner, Some(bob.name.clone()));
    assert!(ask(&Host::named("web3")).contains("not-root"));
}

#[test]
fn a_token_goes_with_its_owner_to_another_name() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let web1 = fleet.host("web1");
    let central = central(&fleet);
    let fobs = [Fob::random("A1")];
    stock(&central, "acme", &fobs);
    let (alice, alicia) = (person("alice", 1001), person("alicia", 1001));
    assign(&central, &fobs[0], &alice).unwrap();
    let used = fobs[0].code(0);
    assert!(is_accepted(redeem(&web1.store(), &alice, &used)));
    let seen = central.belongs(&alice.name).unwrap();
    central.rename(&alice.name, &alicia, seen, by()).unwrap();
    assert_eq!(central.token(&fobs[0].serial).unwrap().unwrap().owner, Some(alicia.name.clone()));
    assert_eq!(refusal(redeem(&web1.store(), &alicia, &used)), Reason::Replayed);
    assert!(is_accepted(redeem(&web1.store(), &alicia, &fobs[0].code(1))));
    assert_eq!(central.unassign(&fobs[0].serial, LastCredential::Take, by()).unwrap(), alicia.name);
}

/// A clock that stands at a number.
#[derive(Debug, Clone)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime::from_seconds(self.0.load(Ordering::SeqCst)))
    }
}

/// One of many numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % most
    }
}

/// The outcome of a change, in words.
fn said<T: std::fmt::Debug>(done: Result<T, TokenError>) -> String {
    done.map_or_else(|error| error.to_string(), |done| format!("{done:?}"))
}

/// All that can be seen of the tokens, and what was written down.
fn seen(store: &impl AdministeredStore, at: UnixTime) -> String {
    let mut lines = Vec::new();
    each_token::<StoreError>(store, &TokenFilter::default(), |view| {
        let twofactor_core::store::administration::TokenView {
            serial, parameters, owner, assigned_at, issued, series, stage, drift, last_accepted, near_misses, problem, ..
        } = view;
        lines.push(format!(
            "{serial} {parameters:?} {owner:?} {assigned_at:?} {issued} {series:?} {stage} {drift} {last_accepted:?} {near_misses} {problem:?}"
        ));
        Ok(())
    })
    .unwrap();
    for series in store.all_series().unwrap() {
        let imports: Vec<_> =
            series.imports.iter().map(|import| (import.added, import.unchanged, import.conflicts)).collect();
        lines.push(format!("{} {} {} {} {imports:?}", series.name, series.tokens, series.assigned, series.revoked));
    }
    if let Some(mut history) = store.history(&HistoryPart::default()).unwrap() {
        // The central store has the changes of accounts there, too.
        let is_about_tokens = |line: &PastChange| line.pairs.iter().any(|(key, _)| key == "serial" || key == "series");
        let portions =
            std::iter::from_fn(|| Some(history.next_portion().unwrap()).filter(|portion| !portion.is_empty()));
        for line in portions.flatten().filter(is_about_tokens) {
            lines.push(format!("{} {} {} {:?}", line.at, line.who, line.event.word(), line.pairs));
        }
    }
    for name in ["alice", "bob", "carol"] {
        let held = store.status(&UserName::new(name).unwrap()).unwrap().map(|status| {
            let serials: Vec<String> = status.tokens.iter().map(|token| token.serial.to_string()).collect();
            (serials, status.failures, status.last_accepted.is_some())
        });
        lines.push(format!("{name} {held:?} {at}"));
    }
    lines.join("\n")
}

/// The same random course of changes and logins, on files with SQLite and on PostgreSQL.
struct Course<'a, S> {
    store: &'a S,
    fobs: &'a [Fob],
    /// Of them, the secret of each read as hexadecimal text was meant to be.
    fit: Fit,
}

impl<S: AdministeredStore> Course<'_, S> {
    fn step(&self, dice: &mut Dice, now: UnixTime) -> String {
        let by = Author { who: "root", at: now };
        let fob = &self.fobs[dice.below(self.fobs.len())];
        let other = &self.fobs[dice.below(self.fobs.len())];
        let serial = &fob.serial;
        let names = ["alice", "bob", "carol"];
        let user = dice.below(names.len());
        let person = person(names[user], 1001 + u32::try_from(user).unwrap());
        let last = if dice.below(3) == 0 { LastCredential::Keep } else { LastCredential::Take };
        let kind = dice.below(30);
        let steps = i64::try_from(dice.below(4)).unwrap() - 2;
        let code = |steps: i64| Code::new(Zeroizing::new(fob.code_at(now, steps))).unwrap();
        let done = match kind {
            0..=3 => {
                let series = ["one", "two"][dice.below(2)];
                let offered: Vec<&Fob> = self.fobs.iter().filter(|_| dice.below(2) == 0).collect();
                let mut import = self.store.import().unwrap();
                import.expect(offered.len());
                import.share(if dice.below(2) == 0 { Sharing::Allow } else { Sharing::Refuse });
                let mut findings = Vec::new();
                let counts = import.plan::<StoreError>(|judge| {
                    offered.iter().try_for_each(|fob| judge(&fob.offered()).map(|finding| findings.push(finding)))
                });
                let added = counts.unwrap().added;
                if added > 0 {
                    let origin = twofactor_core::store::administration::Origin { series, file: "f", sha256: [0; 32] };
                    import
                        .write::<StoreError>(origin, 0, by, |take| {
                            offered.iter().try_for_each(|fob| take(&fob.offered()))
                        })
                        .unwrap();
                }
                format!("{findings:?}")
            }
            4..=8 => said(self.store.assign(&[(serial.clone(), person.clone())], Sharing::Refuse, by)),
            9 => {
                let pairs = [(serial.clone(), person.clone()), (other.serial.clone(), person.clone())];
                said(self.store.assign(&pairs, Sharing::Allow, by))
            }
            10 | 11 => said(self.store.unassign(serial, last, by)),
            12..=15 => {
                let change = match dice.below(24) {
                    0 => Change::Revoke,
                    1 | 2 => Change::Disable,
                    3 | 4 => Change::ReportLost,
                    _ => Change::Enable,
                };
                said(self.store.change(&[serial.clone(), other.serial.clone()], change, last, by))
            }
            16 => said(self.store.delete_tokens(std::slice::from_ref(serial), last, by)),
            17 | 18 => said(self.store.resynchronize(serial, [&code(steps), &code(steps + 1)], by)),
            19 if dice.below(3) == 0 => said(self.store.delete_series(["one", "two"][dice.below(2)], last, by)),
            20 if dice.below(3) == 0 => said(self.store.mend_series("one", serial, &self.fit, by)),
            21 => format!("{:?}", self.store.verify_token(serial, &code(steps)).unwrap()),
            _ => {
                let readings = [Answer::parse(fob.code_at(now, steps).as_bytes())];
                let source = Source::from_rhost(Some("192.0.2.7"));
                let attempt = Attempt {
                    readings: &readings,
                    previous: None,
                    source: &source,
                    factors: Factors::ALL,
                    remember: None,
                };
                // Mostly the owner logs in, if there is one.
                let owner = self.store.token(serial).unwrap().and_then(|view| view.owner).filter(|_| dice.below(4) > 0);
                let person = owner.map_or(person.clone(), |owner| Person { name: owner, ..person.clone() });
                let uid = names.iter().position(|name| *name == person.name.as_str()).unwrap();
                let person = Person { uid: Uid(1001 + u32::try_from(uid).unwrap()), ..person };
                self.store.unlock(&person.name).unwrap();
                format!("{:?}", self.store.redeem(&person, &attempt).unwrap())
            }
        };
        format!("{kind} {serial} {} {last:?} {steps}: {done}", person.name)
    }
}

#[test]
fn the_same_changes_leave_the_same_on_one_host_and_on_the_central_store() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let clock = Hand(Arc::new(AtomicU64::new(now().seconds())));
    let keys = read_keys(&fleet.key_file, owner()).unwrap();
    let postgresql = fleet.postgres.connection().parse().unwrap();
    let central = Central::open(postgresql, keys, &Config::default(), clock.clone(), "root".to_owned()).unwrap();
    let host = tempfile::tempdir().unwrap();
    std::fs::set_permissions(host.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let files = Files::new(host.path(), owner(), Duration::from_secs(10), clock.clone());
    // Six tokens, two with one secret, one with the secret of an app; and a second secret and other parameters for some serials.
    let secret = |number: u8| [number; 20];
    let eight = Parameters { digits: Digits::EIGHT, ..Parameters::default() };
    let fobs = [
        Fob::new("S1", &secret(1)),
        Fob::new("S2", &secret(2)),
        Fob::new("S3", &secret(3)),
        Fob::new("S4", &secret(3)),
        Fob::new("S5", &secret(5)),
        Fob::new("S1", &secret(6)),
        Fob { parameters: eight, ..Fob::new("S2", &secret(2)) },
        Fob::new("S7", &[9; 100]),
        Fob::new("S8", &secret(8)),
    ];
    for store in [&central as &dyn Enrolling, &files] {
        store.enroll_app("alice", 1001, &secret(8), clock.now().unwrap());
        store.enroll_app("bob", 1002, &secret(77), clock.now().unwrap());
    }
    let fit = Fit {
        encoding: Encoding::HexText,
        parameters: Parameters { algorithm: Algorithm::Sha256, ..Parameters::default() },
        steps: 0,
    };
    let (here, there) =
        (Course { store: &files, fobs: &fobs, fit: fit.clone() }, Course { store: &central, fobs: &fobs, fit });
    let mut course = Vec::new();
    for number in 0..300 {
        let now = UnixTime::from_seconds(clock.0.fetch_add(if number % 3 == 0 { 30 } else { 0 }, Ordering::SeqCst));
        let now = clock.now().unwrap().max(now);
        let (one, two) = (here.step(&mut Dice(number << 32), now), there.step(&mut Dice(number << 32), now));
        course.push(one.clone());
        assert_eq!(one, two, "step {number}, after\n{}", course.join("\n"));
        if number % 6 == 5 {
            assert_eq!(seen(&files, now), seen(&central, now), "step {number}, after\n{}", course.join("\n"));
        }
    }
    let all = course.join("\n");
    for word in [
        "Redeemed",
        "Replayed",
        "stands twice",
        "is assigned to",
        "is revoked",
        "the same secret as",
        "last credential",
        "OtherSecret",
    ] {
        assert!(all.contains(word), "{word} has not come up in\n{all}");
    }
}

/// Enrolls an app without a code.
trait Enrolling {
    fn enroll_app(&self, name: &str, uid: u32, secret: &[u8], at: UnixTime);
}

impl<S: AdministeredStore> Enrolling for S {
    fn enroll_app(&self, name: &str, uid: u32, secret: &[u8], at: UnixTime) {
        let secret = Secret::from_bytes(Zeroizing::new(secret.to_vec())).unwrap();
        let proposal = twofactor_core::account::enrollment::Proposal::with_secret(
            secret,
            Label::app(),
            Parameters::default(),
            "example.org",
            name,
            at,
        );
        self.enroll(&person(name, uid), proposal.unwrap().vouch(), None, Existing::Keep).unwrap();
    }
}
