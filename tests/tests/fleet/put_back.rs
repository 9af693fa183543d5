//! A database administrator who puts an account back to the state before the last wrong codes.

use std::thread;

use twofactor_core::log::reason::Reason;

use super::meanwhile::until;
use super::{Enrolled, Fleet, is_accepted, question, redeem, refusal};

/// As many guesses as the throttles of an account let through within an hour.
const MOST: usize = 9 * (11 + 4);

/// Keeps the account as it is, to be put back.
fn save(fleet: &Fleet) {
    fleet.postgres.sql("create table twofactor.saved as select * from twofactor.state where name = 'alice'");
}

/// Puts the account back, and takes away what else tells of wrong codes. The answers stay.
fn put_back(fleet: &Fleet) {
    fleet.postgres.sql(
        "update twofactor.state set (key, sealed) = (select key, sealed from twofactor.saved) where name = 'alice';
         delete from twofactor.quota; delete from twofactor.audit",
    );
}

#[test]
fn who_puts_the_state_back_after_each_wrong_code_guesses_little_more_than_the_throttle_allows() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let host = fleet.host("web1");
    let [alice, bob] = ["alice", "bob"].map(|name| Enrolled::at(&host, name));
    save(&fleet);
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
        put_back(&fleet);
    }
    assert_eq!(guesses, MOST);
    assert!(redeem(&host.store(), &alice.person, &alice.code(0)).is_err(), "nor is a right code told from others");
    assert!(is_accepted(redeem(&host.store(), &bob.person, &bob.code(0))));
    let anew = fleet.another_server();
    let elsewhere = super::relay::Asking::new("web2", false, &[anew], &fleet.runtime);
    assert!(is_accepted(redeem(&elsewhere.store(), &alice.person, &alice.code(0))), "a server that is started anew");
}

#[test]
fn a_question_that_is_asked_again_and_a_write_that_came_late_are_counted_once_whatever_is_put_back() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let alice = Enrolled::at(&fleet.host("web1"), "alice");
    save(&fleet);
    let typed: Vec<(u128, String)> = (0..).zip(alice.app.wrong_codes().take(MOST + 2)).collect();
    let ask = |(number, code): &(u128, String)| fleet.answer("web1", &question(&alice, code, *number)).in_short();
    let wrong = "refused wrong-code";
    // From now on the host has a row of its wrong codes.
    assert_eq!(ask(&typed[0]), wrong);

    // The server gives the writes of two more up, and the host hears nothing of the codes. It asks one of them again.
    let row = "do $$ begin perform from twofactor.quota where host = 'web1' for update; end $$";
    for guess in &typed[1..3] {
        let holding = fleet.postgres.transaction(row);
        thread::scope(|scope| {
            let late = scope.spawn(|| ask(guess));
            fleet.postgres.until_waiting(1);
            assert_eq!(late.join().unwrap(), "failed store-unavailable");
        });
        fleet.postgres.until_waiting(0);
        holding.commit();
    }
    put_back(&fleet);
    let mut last = String::new();
    until("the server has seen that the database does not hang", || {
        last = ask(&typed[2]);
        !last.starts_with("failed")
    });
    assert_eq!(last, wrong);

    // The others are asked again, too, as by a link whose connection was lost: one is answered from its record, and one whose record was
    // taken away is judged again.
    let mut guesses = 3;
    for guess in &typed[guesses..] {
        let said = ask(guess);
        if said != wrong {
            assert_eq!(said, "failed store-unavailable");
            break;
        }
        guesses += 1;
        put_back(&fleet);
        if guesses % 2 == 0 {
            fleet.postgres.sql("delete from twofactor.answer");
        }
        // Behind the last one nothing is judged or looked up.
        let again = if guesses < MOST { wrong } else { "failed store-unavailable" };
        assert_eq!(ask(guess), again, "{guesses}");
    }
    assert_eq!(guesses, MOST);
}
