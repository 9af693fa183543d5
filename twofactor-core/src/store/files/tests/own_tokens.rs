//! A physical token that a user registers without a login.

use super::*;
use crate::codes::otp::Code;
use crate::store::self_service::{Change, FirstFactor, NotChanged, OwnedToken, Request, SelfService as _, Terms};

#[test]
fn a_proof_of_a_user_without_a_factor_is_refused_and_registers_no_token() {
    let fixture = Fixture::new();
    let codes = ["123456", "654321"].map(|digits| Code::new(Zeroizing::new(digits.to_owned())).unwrap());
    let change = Change::Token(OwnedToken { serial: Serial::new("T1").unwrap(), codes });
    let request = Request { proof: Some(Answer::parse(b"123456")), invitation: None, change };
    let (factors, first, parameters) = (Factors::ALL, FirstFactor::Open, fixture.parameters);
    let (accepted, source) = (vec![Factors::ALL], Source::claimed());
    let terms = Terms { factors, accepted, first, parameters, recovery_codes: 10, source };
    let made = fixture.store.change_own(&person("newcomer", 1009), request, &terms).made;
    assert!(matches!(made, Ok(Err(NotChanged::NotEnrolled))), "{made:?}");
}
