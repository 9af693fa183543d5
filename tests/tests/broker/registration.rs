//! A physical token registered at login: the login of root asks the broker, which has the registry.

use std::path::Path;

use nix::unistd::geteuid;
use twofactor_core::account::factors::Factors;
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::otp::Code;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::broker::{Broker, PATIENCE};
use twofactor_core::store::{
    Attempt, EnrollmentStatus, EnrollmentStore as _, NotRegistered, Pending, PendingFactor, Registration, Superseded,
};
use twofactor_tests::broker::SOCKET;
use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::private_host;

use crate::{ask, uid_of};

/// The broker, as a login of root asks it.
fn broker() -> Broker {
    Broker::new(Path::new(SOCKET), Owner(geteuid().as_raw()), PATIENCE)
}

fn person(name: &str) -> Person {
    Person { name: UserName::new(name).unwrap(), uid: Uid(uid_of(name)) }
}

fn check(name: &str, serial: &str, codes: &[String; 2]) -> Result<Registration, NotRegistered> {
    let (serial, source) = (Serial::new(serial).unwrap(), Source::from_rhost(Some("192.0.2.7")));
    let codes = codes.clone().map(|code| Code::new(code.into()).unwrap());
    let attempt = Attempt { readings: &[], previous: None, source: &source, factors: Factors::ALL, remember: None };
    broker().check_registration(&person(name), &serial, [&codes[0], &codes[1]], &attempt).unwrap()
}

fn store(name: &str, registration: Registration) -> Result<(), Superseded> {
    let factor = PendingFactor::Token(registration);
    broker().store_pending(Pending { user: person(name), factor, invitation: None })
}

fn codes(fob: &Fob) -> [String; 2] {
    fob.authenticator.two_codes()
}

#[test]
fn a_login_of_root_registers_a_token_through_the_broker_once() {
    private_host(|host| {
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        host.add_user("alice");
        host.add_user("bob");
        let _broker = host.broker();
        let shown = codes(&fob);
        let (first, second) = (check("alice", &fob.serial, &shown), check("bob", &fob.serial, &shown));
        store("alice", first.unwrap()).unwrap();
        assert!(matches!(store("bob", second.unwrap()), Err(Superseded::TokenTaken)), "bob saw the same codes");
        assert!(matches!(broker().enrollment_status(&person("alice")), Ok(EnrollmentStatus::Enrolled)));
        assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "alice");
        assert_ne!(host.login("alice").typing(&shown[1]).code(), ReturnCode::SUCCESS, "both codes are burned");
        assert_eq!(host.login("alice").typing(fob.authenticator.code(2)).code(), ReturnCode::SUCCESS);
        assert!(matches!(check("bob", &fob.serial, &codes(&fob)), Err(NotRegistered::NotFree(_))));
    });
}

#[test]
fn wrong_codes_of_a_token_are_counted_and_name_the_reason_to_root_alone() {
    private_host(|host| {
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        host.add_user("alice");
        let _broker = host.broker();
        let mut wrong = fob.authenticator.wrong_codes();
        let pair = [wrong.next().unwrap(), wrong.next().unwrap()];
        assert!(matches!(check("alice", &fob.serial, &pair), Err(NotRegistered::WrongCodes(_))));
        assert!(matches!(check("alice", "T999", &pair), Err(NotRegistered::NoSuchToken)));
        for _ in 0..4 {
            let _ = check("alice", &fob.serial, &[wrong.next().unwrap(), wrong.next().unwrap()]);
        }
        assert!(matches!(check("alice", &fob.serial, &codes(&fob)), Err(NotRegistered::Throttled)));
        // A program of the user sets nothing up.
        let [first, second] = codes(&fob);
        let question = format!(
            " version=1 ask=register user=alice uid={uid} serial={serial} code={first} code={second} source=\"\"",
            uid = uid_of("alice"),
            serial = fob.serial,
        );
        let answer = ask(host, uid_of("alice"), &question);
        assert!(answer.contains("answer=failed error=not-root"), "{answer}");
        assert!(host.json(&["token", "show", &fob.serial])["user"].is_null());
    });
}

#[test]
fn without_a_broker_the_registration_says_how_to_start_it() {
    private_host(|host| {
        host.add_user("alice");
        let (serial, source) = (Serial::new("T0000001").unwrap(), Source::from_rhost(None));
        let code = Code::new(ANY_CODE.to_owned().into()).unwrap();
        let attempt = Attempt { readings: &[], previous: None, source: &source, factors: Factors::ALL, remember: None };
        let error = broker().check_registration(&person("alice"), &serial, [&code, &code], &attempt).unwrap_err();
        assert_eq!(error.hint(), "systemctl enable --now twofactord.socket");
        assert!(error.to_string().contains("a physical token is registered through the broker"), "{error}");
    });
}
