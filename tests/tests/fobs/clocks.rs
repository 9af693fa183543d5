//! Clocks that are off and buttons that were pressed too often: what is learned, what is refused, what sets it right.

use std::process::Output;

use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, said};

use crate::{assert_accepted, assert_denied, assert_last_logged, host};

const NOW: Moment = Moment::SOME;
/// Seconds that a code is shown.
const PERIOD: u64 = 30;

/// What the sysadmin sees of a token.
fn shown(host: &Host, fob: &Fob) -> Value {
    host.json(&["token", "show", &fob.serial])
}

fn resync(host: &Host, moment: Moment, fob: &Fob, codes: [&str; 2]) -> Output {
    host.run_twofactor_at(moment, &["token", "resync", &fob.serial, codes[0], codes[1]])
}

/// The token with this number, used once at [`NOW`] with its clock right.
fn in_use(host: &Host, user: &str, number: u64) -> Fob {
    let fob = Fob::clock(number);
    host.user_with(user, &fob);
    assert_accepted(&host.login_at(NOW, user).typing(NOW.code(&fob.authenticator, 0)));
    fob
}

#[test]
fn two_consecutive_codes_set_a_clock_right_however_far_off_and_are_used_up() {
    host(|host| {
        for (number, drift) in (1..).zip([-40, 0, 900, -2870]) {
            let user = format!("user{number}");
            let fob = Fob::clock(number);
            host.user_with(&user, &fob);
            let [first, second, third] = [0, 1, 2].map(|steps| NOW.after(PERIOD * steps));
            let codes = [first, second, third].map(|moment| moment.code(&fob.authenticator, drift));
            if drift != 0 {
                assert_denied(&host.login_at(first, &user).typing(&codes[0]));
                assert_last_logged(host, &["reason=wrong-code"]);
            }
            let output = resync(host, second, &fob, [&codes[0], &codes[1]]);
            assert!(output.status.success(), "{drift}: {}", said(&output));
            assert_eq!(shown(host, &fob)["drift"], drift);
            for used in &codes[..2] {
                assert_denied(&host.login_at(second, &user).typing(used));
                assert_last_logged(host, &["reason=replayed"]);
            }
            assert_accepted(&host.login_at(third, &user).typing(&codes[2]));
            assert_last_logged(host, &[&format!("token={} drift={drift}", fob.serial)]);
            let again = resync(host, third, &fob, [&codes[1], &codes[2]]);
            assert_eq!(again.status.code(), Some(5), "used codes: {}", said(&again));
        }
    });
}

#[test]
fn one_code_never_sets_a_clock_right_and_neither_do_two_that_are_not_consecutive() {
    host(|host| {
        let fob = in_use(host, "alice", 1);
        let [first, second, later] = [50, 51, 53].map(|steps| NOW.code(&fob.authenticator, steps));
        for codes in [[&first, &first], [&second, &first], [&first, &later], [&second, &later]] {
            let output = resync(host, NOW, &fob, codes.map(String::as_str));
            assert_eq!(output.status.code(), Some(5), "{}", said(&output));
            assert!(String::from_utf8_lossy(&output.stderr).contains("not two consecutive"), "{}", said(&output));
        }
        let alone = host.run_twofactor_at(NOW, &["token", "resync", &fob.serial, &first]);
        assert_eq!(alone.status.code(), Some(2), "{}", said(&alone));
        let beyond = [2882, 2883].map(|steps| NOW.code(&fob.authenticator, steps));
        assert_eq!(resync(host, NOW, &fob, [&beyond[0], &beyond[1]]).status.code(), Some(5), "more than a day");
        assert_eq!(shown(host, &fob)["drift"], 0);
        // Nothing of it was used up.
        assert_accepted(&host.login_at(NOW, "alice").typing(NOW.code(&fob.authenticator, 1)));
        assert!(resync(host, NOW, &fob, [&first, &second]).status.success());
    });
}

#[test]
fn a_right_code_outside_the_window_is_counted_as_a_guess_and_hinted_at() {
    host(|host| {
        let fob = in_use(host, "alice", 1);
        for (number, steps) in (1..).zip([15, 100, 31]) {
            assert_denied(&host.login_at(NOW, "alice").typing(NOW.code(&fob.authenticator, steps)));
            // How far off it is, nobody learns who reads the log; and one in four thousand guesses is a near miss too.
            let remedy = format!("is the clock of token {0} off? twofactor token resync {0}", fob.serial);
            let hint = if number == 3 { remedy.as_str() } else { "reason=wrong-code" };
            assert_last_logged(host, &["denied user=alice", "reason=wrong-code", hint]);
            assert!(number == 3 || !host.module_log().last().unwrap().contains("hint="));
            assert_eq!(host.failures("alice"), number);
            assert_eq!(shown(host, &fob)["near_misses"], number);
        }
        let later = NOW.after(60 * PERIOD);
        assert_denied(&host.login_at(later, "alice").typing(later.code(&fob.authenticator, -20)));
        assert_last_logged(host, &["reason=wrong-code", "token resync"]);
        assert_accepted(&host.login_at(later, "alice").typing(later.code(&fob.authenticator, 0)));
        assert_eq!(shown(host, &fob)["near_misses"], 0);
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn the_first_login_may_be_twenty_steps_out_and_later_ones_may_not() {
    host(|host| {
        for (number, drift) in (1..).zip([-20, 20]) {
            let user = format!("user{number}");
            let fob = Fob::clock(number);
            host.user_with(&user, &fob);
            let further = drift + i64::signum(drift);
            assert_denied(&host.login_at(NOW, &user).typing(NOW.code(&fob.authenticator, further)));
            assert_last_logged(host, &["reason=wrong-code"]);
            assert_accepted(&host.login_at(NOW, &user).typing(NOW.code(&fob.authenticator, drift)));
            assert_last_logged(host, &[&format!("drift={drift}")]);

            let later = NOW.after(60 * PERIOD);
            for steps in [drift - 3, drift + 3] {
                assert_denied(&host.login_at(later, &user).typing(later.code(&fob.authenticator, steps)));
                assert_last_logged(host, &["reason=wrong-code"]);
            }
            assert_accepted(&host.login_at(later, &user).typing(later.code(&fob.authenticator, drift)));
        }
    });
}

#[test]
fn a_clock_that_is_right_again_is_not_locked_out_by_what_was_learned() {
    host(|host| {
        let fob = Fob::clock(1);
        host.user_with("alice", &fob);
        assert_accepted(&host.login_at(NOW, "alice").typing(NOW.code(&fob.authenticator, -20)));
        let later = NOW.after(PERIOD);
        assert_accepted(&host.login_at(later, "alice").typing(later.code(&fob.authenticator, 0)));
        assert_last_logged(host, &["drift=-19"]);
    });
}

/// The clock of the real module is set forward for every login, so this takes seconds and not five hours.
#[test]
fn the_oldest_valid_code_of_two_hundred_logins_never_moves_the_window_past_the_cap() {
    const LOGINS: u64 = 200;
    const CAP: i64 = 10;
    host(|host| {
        let fob = in_use(host, "alice", 1);
        let mut drift = 0;
        for login in 1..=LOGINS {
            let now = NOW.after(login * 4 * PERIOD);
            let typed = now.code(&fob.authenticator, drift - 2);
            assert_accepted(&host.login_at(now, "alice").typing(typed));
            drift = (drift - 1).max(-CAP);
            assert_last_logged(host, &[&format!("drift={drift}")]);
        }
        assert_eq!(drift, -CAP);
        let now = NOW.after((LOGINS + 1) * 4 * PERIOD);
        assert_denied(&host.login_at(now, "alice").typing(now.code(&fob.authenticator, -CAP - 3)));
        assert_last_logged(host, &["reason=wrong-code"]);
        // Around the true time it never stopped listening.
        assert_accepted(&host.login_at(now, "alice").typing(now.code(&fob.authenticator, 2)));
    });
}

#[test]
fn a_button_pressed_in_a_pocket_is_followed_ten_codes_and_two_codes_bring_back_a_thousand() {
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        let log_in = |counter| host.login("alice").typing(fob.code_of(counter)).code();
        assert_eq!(log_in(11), ReturnCode::AUTH_ERR);
        assert_last_logged(host, &["reason=wrong-code"]);
        assert_eq!(log_in(10), ReturnCode::SUCCESS);
        for used in [10, 9, 0] {
            assert_eq!(log_in(used), ReturnCode::AUTH_ERR);
            assert_last_logged(host, &["reason=replayed"]);
        }
        // That code was a guess when it came too early, and alone it stays one.
        assert_eq!(log_in(11), ReturnCode::AUTH_ERR);
        assert_eq!(log_in(12), ReturnCode::SUCCESS);

        let codes = [700, 701].map(|counter| fob.code_of(counter));
        assert_eq!(log_in(700), ReturnCode::AUTH_ERR);
        assert_eq!(resync(host, NOW, &fob, [&codes[0], &codes[0]]).status.code(), Some(5));
        assert_eq!(resync(host, NOW, &fob, [&codes[1], &codes[0]]).status.code(), Some(5));
        let output = resync(host, NOW, &fob, [&codes[0], &codes[1]]);
        assert!(output.status.success(), "{}", said(&output));
        for used in [700, 701, 13] {
            assert_eq!(log_in(used), ReturnCode::AUTH_ERR);
        }
        assert_eq!(log_in(702), ReturnCode::SUCCESS);
        let beyond = [1800, 1801].map(|counter| fob.code_of(counter));
        assert_eq!(resync(host, NOW, &fob, [&beyond[0], &beyond[1]]).status.code(), Some(5));
    });
}
