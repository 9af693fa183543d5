//! Servers that are late, and links that wait for them.

use std::time::{Duration, Instant};

use super::joining::WEB1;
use super::renewal::{Activated, central, end};
use super::{Enrolled, Fleet, is_accepted, redeem};

#[test]
fn a_server_that_is_late_with_one_question_is_asked_the_next_one() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let host = Activated::joined(&machine, WEB1);
    let mut link = host.link();
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let alice = Enrolled::at(&fleet.host("web9"), "alice");
    // Its connection is kept.
    assert!(is_accepted(redeem(&host.store(), &alice.person, &alice.code(-1))));
    let holding = machine.postgres.transaction("lock table twofactor.audit in exclusive mode");
    let began = Instant::now();
    assert!(redeem(&host.store(), &alice.person, &alice.code(0)).is_err());
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    holding.commit();
    assert!(is_accepted(redeem(&host.store(), &alice.person, &alice.code(1))), "the server was not asked");
    end(&mut link);
}
