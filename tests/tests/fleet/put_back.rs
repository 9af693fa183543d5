//! A database administrator who puts an account back to the state before the last wrong codes.

use twofactor_core::log::reason::Reason;

use super::{Enrolled, Fleet, is_accepted, redeem, refusal};

#[test]
fn who_puts_the_state_back_after_each_wrong_code_guesses_little_more_than_the_throttle_allows() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let host = fleet.host("web1");
    let [alice, bob] = ["alice", "bob"].map(|name| Enrolled::at(&host, name));
    fleet.postgres.sql("create table twofactor.saved as select * from twofactor.state where name = 'alice'");
    let mut guesses = 0;
    for (number, typed) in alice.app.wrong_codes().enumerate() {
        match redeem(&host.store(), &alice.person, &typed) {
            Ok(looked_at) => assert_eq!(refusal(Ok(looked_at)), Reason::WrongCode),
            Err(error) => {
                assert!(error.to_string().contains("the database was put back"), "{error}");
                break;
            }
        }
        guesses = number + 1;
        fleet.postgres.sql(
            "update twofactor.state set (key, sealed) = (select key, sealed from twofactor.saved) where name = 'alice'",
        );
        fleet.postgres.sql("delete from twofactor.quota");
        fleet.postgres.sql("delete from twofactor.audit");
    }
    assert_eq!(guesses, 9 * (11 + 4), "as many as the throttles of an account let through within an hour");
    assert!(redeem(&host.store(), &alice.person, &alice.code(0)).is_err(), "nor is a right code told from others");
    assert!(is_accepted(redeem(&host.store(), &bob.person, &bob.code(0))));
    let anew = fleet.another_server();
    let elsewhere = super::relay::Asking::new("web2", false, &[anew], &fleet.runtime);
    assert!(is_accepted(redeem(&elsewhere.store(), &alice.person, &alice.code(0))), "a server that is started anew");
}
