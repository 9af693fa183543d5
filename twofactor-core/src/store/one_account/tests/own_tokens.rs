//! A physical token that a user registers without a login.

use super::*;
use crate::codes::token::Serial;
use crate::store::Listing;
use crate::store::self_service::{Change, FirstFactor, NotChanged, OwnedToken, Request, SelfService as _, Terms};

#[test]
fn a_proof_of_a_user_without_a_factor_is_refused_and_registers_no_token() {
    let serial = Serial::new("T1").unwrap();
    let codes = ["123456", "654321"].map(|digits| Code::new(Zeroizing::new(digits.to_owned())).unwrap());
    let change = Change::Token(OwnedToken { serial: serial.clone(), codes });
    let request = Request { proof: Some(Answer::parse(b"123456")), invitation: None, change };
    let (accepted, source) = (vec![Factors::ALL], Source::claimed());
    let (first, parameters) = (FirstFactor::Open, Parameters::default());
    let terms = Terms { factors: Factors::ALL, accepted, first, parameters, recovery_codes: 10, source };
    let mut kept = Kept::nothing();
    let made = kept.ask(NOW, |one| {
        one.knows(serial, Listing::Unknown);
        (one.change_own(&alice(), request, &terms).made, one.registered().is_some())
    });
    assert!(matches!(made, Ok((Ok(Err(NotChanged::NotEnrolled)), false))), "{made:?}");
    assert!(kept.read.state.is_none(), "nothing is written");
}
