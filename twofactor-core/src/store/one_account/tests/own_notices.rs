//! Notices of users' changes: a fleet keeps none.

use super::*;
use crate::store::self_service::{Change, FirstFactor, Request, SelfService as _, Terms};

#[test]
fn a_change_by_its_user_leaves_no_notice_because_no_login_of_a_fleet_shows_one() {
    let (mut kept, codes) = (Kept::nothing(), enrollment::recovery_codes(3).unwrap());
    let enrolled =
        kept.ask(NOW, |one| one.enroll(&alice(), app(Parameters::default().kind), Some(&codes), Existing::Keep));
    enrolled.unwrap().unwrap();
    let proof = Some(Answer::parse(codes[0].expose().as_bytes()));
    let request = Request { proof, invitation: None, change: Change::Recovery };
    let (accepted, source) = (vec![Factors::ALL], Source::claimed());
    let (first, parameters) = (FirstFactor::Invited, Parameters::default());
    let terms = Terms { factors: Factors::ALL, accepted, first, parameters, recovery_codes: 10, source };
    let made = kept.ask(NOW, |one| one.change_own(&alice(), request, &terms).made);
    assert_eq!(made.unwrap().unwrap().unwrap().recovery.len(), 10);
    assert!(kept.state().notices.is_empty(), "{:?}", kept.state());
}
