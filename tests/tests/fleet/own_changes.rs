//! Users' changes of their own accounts in the central store: of PostgreSQL and of files, and what belongs to tokens.

use std::thread;

use twofactor_core::account::Confirmation;
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::Code;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::ssh_key::SshKey;
use twofactor_core::codes::token::{Label, Serial};
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::administration::TokenViews as _;
use twofactor_core::store::self_service::{Change, KeyNotChanged, NewApp, NotChanged, OwnedToken, Permitted, Request};
use twofactor_server::Host;
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::security_key::public_line;
use zeroize::Zeroizing;

use super::relay::Asking;
use super::tokens::{Fob, central, stock};
use super::{Enrolled, Fleet, is_accepted, now, redeem, refusal};

/// A host whose users may change their second factor there, and enroll.
pub(crate) fn letting(name: &str) -> Host {
    Host { may_enroll: true, may_self: true, enrollments_per_hour: 1_000_000, ..Host::named(name) }
}

fn person(name: &str) -> Person {
    Person { name: UserName::new(name).unwrap(), uid: Uid(2002) }
}

fn asking(proof: Option<&str>, change: Change) -> Request {
    Request { proof: proof.map(|code| Answer::parse(code.as_bytes())), invitation: None, change }
}

/// A new phone, and the change that sets it up under a code `steps` from now.
fn phone(steps: i64, change: fn(NewApp) -> Change) -> (Authenticator, Change) {
    let secret = Secret::generate(20).unwrap();
    let base32 = secret.expose_base32().to_string();
    let app = Authenticator { secret: base32, algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) };
    let code = Code::new(Zeroizing::new(code(&app, steps))).unwrap();
    (app, change(NewApp { label: Label::app(), secret, code }))
}

fn code(app: &Authenticator, steps: i64) -> String {
    app.codes_from(now().seconds().checked_add_signed(steps * 30).unwrap(), 1).remove(0)
}

/// A user changes the account at one host, known there by another uid, and it holds at the other.
pub(crate) fn users_change_their_own(web1: &Asking, web2: &Asking) {
    let (alice, own) = (Enrolled::at(web2, "alice"), web1.store());
    let user = person("alice");
    let (account, offer) = own.own_account(&user).unwrap();
    assert_eq!((account.apps.len(), account.recovery_left), (1, 3));
    assert_eq!(account.apps[0].confirmation, Confirmation::Confirmed);
    assert_eq!((offer.change, offer.enroll), (Permitted::Yes, Permitted::Yes));
    let change = |proof: Option<&str>, change| own.change_own(&user, &asking(proof, change)).unwrap();
    let not = |changed: Result<Vec<_>, NotChanged>| changed.err().unwrap();

    assert_eq!(not(change(None, Change::Recovery)), NotChanged::NeedsProof);
    assert_eq!(not(change(Some(&alice.wrong()), Change::Recovery)), NotChanged::Proof(Reason::WrongCode));
    // A change that cannot be made costs no code.
    let burned = alice.code(0);
    let (_, unconfirmed) = phone(-100, Change::Replace);
    assert_eq!(not(change(Some(&burned), unconfirmed)), NotChanged::Unconfirmed);
    let (_, enroll) = phone(0, Change::Enroll);
    assert_eq!(not(change(None, enroll)), NotChanged::Enrolled);
    assert_eq!(change(Some(&burned), Change::Recovery).unwrap().len(), 10);
    assert_eq!(not(change(Some(&burned), Change::Recovery)), NotChanged::Proof(Reason::Replayed));
    assert_eq!(refusal(redeem(&web2.store(), &alice.person, &burned)), Reason::Replayed);
    let old = alice.recovery[0].expose();
    assert_eq!(refusal(redeem(&web2.store(), &alice.person, old)), Reason::WrongCode);

    let (new, replace) = phone(0, Change::Replace);
    let recovery = change(Some(&alice.code(1)), replace).unwrap();
    assert_eq!(refusal(redeem(&web2.store(), &alice.person, &code(&new, 0))), Reason::Replayed, "it has confirmed");
    assert!(is_accepted(redeem(&web2.store(), &alice.person, &code(&new, 1))));

    let line = public_line(1, "");
    let words: Vec<&str> = line.split_whitespace().collect();
    let key = SshKey::parse(words[0], words[1]).unwrap();
    let key_change = |proof, change| own.change_own_ssh_key(&user, &asking(proof, change)).unwrap().unwrap_err();
    let fingerprint = key.fingerprint();
    for proof in [None, Some(recovery[0].expose())] {
        let add = Change::AddSshKey { key: key.clone(), label: Label::app() };
        assert_eq!(key_change(proof, add), NotChanged::SshKey(KeyNotChanged::CountsNowhere));
    }
    assert_eq!(own.own_account(&user).unwrap().1.ssh_keys, Permitted::No);
    assert!(own.own_ssh_keys(&user).unwrap().is_empty());
    // The refusal has used no code up, and neither does this one.
    let remove = Change::RemoveSshKey(fingerprint);
    assert_eq!(key_change(Some(recovery[0].expose()), remove), NotChanged::SshKey(KeyNotChanged::NoKey));
    let recovery = change(Some(recovery[0].expose()), Change::Recovery).unwrap();

    assert!(change(Some(recovery[2].expose()), Change::Reset).unwrap().is_empty());
    assert_eq!(refusal(redeem(&web2.store(), &alice.person, recovery[3].expose())), Reason::NotEnrolled);
    assert!(!own.own_account(&user).unwrap().0.has_factors());
    assert_eq!(not(change(Some(recovery[3].expose()), Change::Recovery)), NotChanged::NotEnrolled);
    let (again, enroll) = phone(0, Change::Enroll);
    assert_eq!(change(None, enroll).unwrap().len(), 10);
    assert!(is_accepted(redeem(&web2.store(), &alice.person, &code(&again, 1))));
}

#[test]
fn a_user_changes_the_own_account_in_postgresql_and_it_holds_on_all_hosts() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let web1 = Asking::of(letting("web1"), &fleet.servers, &fleet.runtime);
    users_change_their_own(&web1, &fleet.host("web2"));
    let changes = "select string_agg(distinct event, ' ' order by event) from twofactor.audit
        where host = 'web1' and detail like 'changed%'";
    let words = "self-enroll self-recovery self-replace self-reset";
    assert_eq!(fleet.postgres.sql(changes), words);
    assert_eq!(fleet.postgres.sql("select wrong + before from twofactor.quota where host = 'web1'"), "1");
}

#[test]
fn of_simultaneous_changes_with_one_code_exactly_one_is_made() {
    let Some(fleet) = Fleet::with_servers(3) else { return };
    let hosts = ["web1", "web2", "web3"].map(|name| Asking::of(letting(name), &fleet.servers, &fleet.runtime));
    let alice = Enrolled::at(&hosts[0], "alice");
    let code = alice.code(0);
    let made = thread::scope(|scope| {
        let asking: Vec<_> = (0..9)
            .map(|number| {
                let (store, code) = (hosts[number % 3].store(), &code);
                scope.spawn(move || {
                    let request = asking(Some(code), Change::Recovery);
                    store.change_own(&person("alice"), &request).unwrap().is_ok()
                })
            })
            .collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).filter(|made| *made).count()
    });
    assert_eq!(made, 1);
}

fn shown(codes: &[String], serial: &str, steps: [usize; 2]) -> Change {
    let codes = steps.map(|step| Code::new(Zeroizing::new(codes[step].clone())).unwrap());
    Change::Token(OwnedToken { serial: Serial::new(serial).unwrap(), codes })
}

#[test]
fn a_token_is_registered_by_its_owner_with_a_code_of_what_the_owner_has() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let web1 = Asking::of(letting("web1"), &fleet.servers, &fleet.runtime);
    let (own, web2) = (web1.store(), fleet.host("web2"));
    let central = central(&fleet);
    let fobs = [Fob::random("A1"), Fob::random("A2")];
    stock(&central, "acme", &fobs);
    let alice = Enrolled::at(&web2, "alice");
    let (user, bob) = (person("alice"), person("bob"));
    let register = |user: &Person, proof: Option<&str>, change| own.change_own(user, &asking(proof, change)).unwrap();
    let owner = |serial: &Fob| central.token(&serial.serial).unwrap().unwrap().owner;

    let code = alice.code(0);
    let codes = fobs.each_ref().map(|fob| fob.authenticator().codes(5));
    let without = register(&user, None, shown(&codes[0], "A1", [0, 1])).err();
    assert_eq!(without, Some(NotChanged::NeedsProof));
    // A slip in the serial, or in the codes, costs no code of the app.
    for wrong in [shown(&codes[0], "A9", [0, 1]), shown(&codes[0], "A1", [0, 3]), shown(&codes[0], "A2", [0, 1])] {
        assert_eq!(register(&user, Some(&code), wrong).err(), Some(NotChanged::TokenRefused));
    }
    let wrong = register(&user, Some(&alice.wrong()), shown(&codes[0], "A1", [0, 1])).err();
    assert_eq!((wrong, owner(&fobs[0])), (Some(NotChanged::Proof(Reason::WrongCode)), None));
    assert!(fleet.postgres.sql("select count(*) from twofactor.audit where event = 'self-token'") == "4");
    assert!(central_unlock(&central, &user), "her wrong codes are forgotten");

    assert!(register(&user, Some(&code), shown(&codes[0], "A1", [0, 1])).unwrap().is_empty());
    assert_eq!(owner(&fobs[0]), Some(user.name.clone()));
    for burned in [&code, &codes[0][0], &codes[0][1]] {
        assert_eq!(refusal(redeem(&web2.store(), &alice.person, burned)), Reason::Replayed);
    }
    assert!(is_accepted(redeem(&web2.store(), &alice.person, &codes[0][2])));
    assert!(is_accepted(redeem(&web2.store(), &alice.person, &alice.code(1))), "the app stays");
    assert_eq!(own.own_account(&user).unwrap().0.tokens.len(), 1);

    // As a first factor; of a token that is hers by now, none.
    assert_eq!(register(&bob, None, shown(&codes[0], "A1", [3, 4])).err(), Some(NotChanged::TokenRefused));
    assert!(register(&bob, None, shown(&codes[1], "A2", [0, 1])).is_ok());
    assert_eq!(owner(&fobs[1]), Some(bob.name.clone()));
    assert!(is_accepted(redeem(&web2.store(), &bob, &codes[1][2])));
    let changed = "select count(*) from twofactor.audit where event = 'self-token' and detail = 'changed'";
    assert_eq!(fleet.postgres.sql(changed), "2");
}

fn central_unlock(central: &twofactor_server::Central, user: &Person) -> bool {
    use twofactor_core::store::administration::AccountAdministration as _;
    central.unlock(&user.name).unwrap().is_some()
}

#[test]
fn a_first_factor_takes_a_host_that_may_enroll_or_stays_unset() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let host = Host { may_enroll: false, ..letting("web1") };
    let asked = Asking::of(host, &fleet.servers, &fleet.runtime);
    let own = asked.store();
    let (_, offer) = own.own_account(&person("bob")).unwrap();
    assert_eq!((offer.enroll, offer.tokens), (Permitted::No, Permitted::No));
    let (_, enroll) = phone(0, Change::Enroll);
    assert_eq!(own.change_own(&person("bob"), &asking(None, enroll)).unwrap().err(), Some(NotChanged::SwitchedOff));
    // At a host that may, as many as its quota says.
    let host = Host { enrollments_per_hour: 1, ..letting("web2") };
    let asked = Asking::of(host, &fleet.servers, &fleet.runtime);
    for (name, expected) in [("bob", true), ("carol", false)] {
        let (_, enroll) = phone(0, Change::Enroll);
        let enrolled = asked.store().change_own(&person(name), &asking(None, enroll));
        assert_eq!(enrolled.is_ok_and(|changed| changed.is_ok()), expected, "{name}");
    }
}
