//! Stories of logins that hold for every central store, wherever its accounts are.

use twofactor_core::account::enrollment::Proposal;
use twofactor_core::codes::otp::Parameters;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::Label;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::wire::Message;
use twofactor_core::store::{
    EnrollmentStore as _, Factor, Pending, PendingFactor, Presence, Redemption, SecretOrigin, Store as _,
};

use super::relay::Asking;
use super::{Enrolled, is_accepted, now, question, redeem, redeem_from, refusal};

fn bob() -> Person {
    // Another uid than on any other host.
    Person { name: UserName::new("bob").unwrap(), uid: Uid(1002) }
}

/// An account that is enrolled at one host opens sessions on both, and each code opens one. The two know the user under other uids.
pub(crate) fn one_account(web1: &Asking, web2: &Asking) {
    let user = UserName::new("alice").unwrap();
    assert!(matches!(web1.store().presence(&user).unwrap(), Presence::Absent(_)));
    let alice = Enrolled::at(web1, "alice");
    assert!(matches!(web2.store().presence(&alice.person.name).unwrap(), Presence::Enrolled));
    let elsewhere = Person { uid: Uid(2002), ..alice.person.clone() };
    let code = alice.code(0);
    assert!(is_accepted(redeem(&web2.store(), &elsewhere, &code)));
    for host in [web1, web2] {
        assert_eq!(refusal(redeem(&host.store(), &alice.person, &code)), Reason::Replayed);
        assert_eq!(refusal(redeem(&host.store(), &elsewhere, &alice.wrong())), Reason::WrongCode);
    }
    let recovery = alice.recovery[0].expose().to_owned();
    let Redemption::Redeemed(redeemed) = redeem(&web1.store(), &alice.person, &recovery).unwrap() else {
        panic!("a recovery code was refused")
    };
    assert_eq!(redeemed.factor(), &Factor::Recovery { left: 2 });
    assert_eq!(refusal(redeem(&web2.store(), &elsewhere, &recovery)), Reason::Replayed);
    assert_eq!(refusal(redeem(&web1.store(), &bob(), &code)), Reason::NotEnrolled);
}

/// The answer to an attempt is given again under its number, for as long as `age` has not made it old.
pub(crate) fn lost_answer(
    alice: &Enrolled,
    ask: impl Fn(&str, &[u8]) -> Message,
    ask_elsewhere: impl Fn(&str, &[u8]) -> Message,
    age: impl FnOnce(),
) {
    let code = alice.code(0);
    let first = ask("web1", &question(alice, &code, 7)).in_short();
    assert!(first.starts_with("redeemed"), "{first}");
    assert_eq!(ask("web1", &question(alice, &code, 7)).in_short(), first);
    assert_eq!(ask_elsewhere("web1", &question(alice, &code, 7)).in_short(), first);
    let another = Enrolled { person: bob(), app: alice.app.clone(), recovery: Vec::new() };
    for (host, user, code, number) in [
        ("web1", alice, &code, 8),
        ("web2", alice, &code, 7),
        ("web1", alice, &alice.wrong(), 7),
        ("web1", &another, &code, 7),
    ] {
        let refused = ask(host, &question(user, code, number)).in_short();
        assert!(refused.starts_with("refused"), "{refused}");
    }
    age();
    let late = ask("web1", &question(alice, &code, 7)).in_short();
    assert!(!late.starts_with("redeemed"), "{late}");
}

/// A host that may ask about logins alone enrolls no user.
pub(crate) fn enrolls_no_user(web1: &Asking, web2: &Asking) {
    let alice = Enrolled::at(web1, "alice");
    let app =
        Proposal::with_secret(Secret::generate(20).unwrap(), Label::app(), Parameters::default(), "x", "bob", now());
    let factor = PendingFactor::App { app: app.unwrap().vouch(), recovery: Vec::new(), secret: SecretOrigin::New };
    let refused = web2.store().store_pending(Pending { user: bob(), factor, invitation: None }).unwrap_err();
    assert!(refused.to_string().contains("this host may enroll no user"), "{refused}");
    assert!(matches!(web1.store().presence(&bob().name).unwrap(), Presence::Absent(_)));
    assert!(is_accepted(redeem(&web2.store(), &alice.person, &alice.code(0))), "it may ask about logins");
    let own = web1.store().own_account(&alice.person).unwrap_err();
    assert!(own.to_string().contains("cannot be seen or changed on this host"), "{own}");
}

/// Wrong codes at one host do not delay the user at the host where she logged in last, also from another address.
pub(crate) fn guesses_delay_no_login_at_home(home: &Asking, hostile: &Asking) {
    let alice = Enrolled::at(home, "alice");
    assert!(is_accepted(redeem(&home.store(), &alice.person, &alice.code(0))));
    // The hostile host claims her address, too.
    let mut guesses = alice.app.wrong_codes().take(12);
    let throttled = guesses.any(|typed| refusal(redeem(&hostile.store(), &alice.person, &typed)) == Reason::Throttled);
    assert!(throttled, "guesses are slowed");
    assert!(is_accepted(redeem_from("203.0.113.5", &home.store(), &alice.person, &alice.code(1))));
}

/// A host names the service of a login as it likes, and says for how long it is remembered. However often it does so, the account has
/// room, the memory is short, and its user logs in elsewhere.
pub(crate) fn no_host_fills_an_account(home: &Asking, ask: impl Fn(&str, &[u8]) -> Message) {
    let alice = Enrolled::at(home, "alice");
    let service = "s".repeat(14_000);
    let asked = |verb: &str, more: &str, number: usize| {
        let line = format!(
            " version=1 ask={verb} user=alice uid=1001{more} factors=app,recovery service={number}{service} \
             address=192.0.2.7 seconds={}",
            u64::MAX
        );
        ask("hostile", line.as_bytes()).in_short()
    };
    for (number, code) in alice.recovery.iter().enumerate() {
        let answer = asked("redeem", &format!(" reading={} source=192.0.2.7", code.expose()), number);
        assert!(answer.starts_with("redeemed"), "{number}: {answer}");
    }
    assert_eq!(asked("remembers", "", 2), "remembered", "what it has named is remembered for it");
    assert_ne!(asked("remembers", "", 3), "remembered");
    assert!(is_accepted(redeem(&home.store(), &alice.person, &alice.code(0))), "she is locked out");
}
