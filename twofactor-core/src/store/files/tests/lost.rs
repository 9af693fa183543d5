//! Credentials that are gone are not absent: their state remembers that there were some.

use std::fs;

use super::*;
use crate::store::administration::{InvitationAdministration as _, StateInspection as _};
use crate::store::{EnrollmentStatus, EnrollmentStore as _, Presence};

impl Fixture {
    fn lose_credentials(&self) {
        fs::remove_file(self.path("secret.toml")).unwrap();
    }

    fn is_enrolled(&self) -> bool {
        matches!(self.store.presence(&self.alice.name).unwrap(), Presence::Enrolled)
    }

    fn is_new(&self) -> bool {
        matches!(self.store.enrollment_status(&self.alice).unwrap(), EnrollmentStatus::New(_)) && !self.is_enrolled()
    }

    fn reset(&self) {
        assert!(self.store.reset(&self.alice.name, Reset::Everything).unwrap());
    }

    /// As older versions left it, or a process that was killed.
    fn forget_that_there_are_credentials(&self) {
        let account = self.store.locked(&self.alice.name).unwrap().unwrap();
        let state = account.state().unwrap();
        assert!(state.has_credentials);
        account.overwrite_state(&State { has_credentials: false, ..state }).unwrap();
    }
}

#[test]
fn whoever_lost_the_credentials_is_refused_everywhere_and_named() {
    let fixture = Fixture::new();
    fixture.lose_credentials();
    let (alice, store) = (&fixture.alice, &fixture.store);
    let refusals = [
        store.presence(&alice.name).err(),
        store.enrollment_status(alice).err(),
        fixture.redeem(&fixture.code(0, NOW), NOW).err(),
        store.status(&alice.name).err(),
        store.newcomer(&alice.name).err(),
        store.unlock(&alice.name).err(),
    ];
    for (number, refusal) in refusals.into_iter().enumerate() {
        assert!(refusal.as_ref().is_some_and(|error| error.loss() == Some(Loss::Credentials)), "{number}: {refusal:?}");
    }
    assert!(store.invite(alice, NOW).is_err(), "an invitation would begin anew beside what was lost");
    assert_eq!(store.users().unwrap(), std::slice::from_ref(&alice.name));
    assert_eq!(store.inspect().flaws.len(), 1, "{:?}", store.inspect());
}

#[test]
fn a_reset_or_an_enrollment_that_replaces_gets_out_of_it() {
    let fixture = Fixture::new();
    let code = fixture.code(0, NOW);
    assert!(matches!(fixture.redeem(&code, NOW).unwrap(), Redemption::Redeemed(_)));
    fixture.lose_credentials();
    fixture.enroll("app", &[]);
    assert!(fixture.is_enrolled());
    let replayed = fixture.redeem(&code, NOW).unwrap();
    assert!(matches!(replayed, Redemption::Refused { reason: Reason::Replayed, .. }), "{replayed:?}");
    fixture.lose_credentials();
    fixture.reset();
    assert!(fixture.is_new());
    assert!(fixture.store.inspect().flaws.is_empty());
}

#[test]
fn an_account_of_an_older_version_learns_it_at_an_accepted_login() {
    let fixture = Fixture::new();
    fixture.forget_that_there_are_credentials();
    assert!(matches!(fixture.redeem(&fixture.code(0, NOW), NOW).unwrap(), Redemption::Redeemed(_)));
    fixture.lose_credentials();
    assert!(fixture.store.presence(&fixture.alice.name).is_err());
}

#[test]
fn a_process_that_was_killed_between_the_two_files_keeps_nobody_out() {
    let fixture = Fixture::new();
    // At an enrollment, after the credentials were written; at a reset, before they are removed.
    fixture.forget_that_there_are_credentials();
    assert!(fixture.is_enrolled() && fixture.store.inspect().flaws.is_empty());
    fixture.reset();
    assert!(fixture.is_new());
    fixture.enroll("app", &[]);
    // At a reset, after they were removed.
    fixture.forget_that_there_are_credentials();
    fixture.lose_credentials();
    assert!(fixture.is_new());
    assert!(fixture.store.inspect().flaws.is_empty());
}
