//! Many processes try one code at the same time while an administrator works on everything: one of them wins.

use std::process::{Child, Stdio};

use twofactor_tests::pam::{Event, ReturnCode};
use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

use crate::attempt::last_words;
use crate::deeds::Household;
use crate::tally::{Budget, Tally};

const PROCESSES: usize = 12;

pub(crate) fn run(host: &Host, budget: &Budget, _random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let household = Household::move_in(host);
    let administrator = administrator(host);
    let mut counter = 0;
    while budget.allows(&tally) {
        tally.case();
        let code = household.hers.code_of(counter);
        counter += 1;
        let mut logins: Vec<_> = (0..PROCESSES).map(|_| host.login("alice").start()).collect();
        for login in &mut logins {
            assert!(matches!(login.advance(), Event::Prompt(_)), "the code is asked for");
        }
        for login in &mut logins {
            login.answer(&(&code).into());
        }
        let mut codes = Vec::new();
        for mut login in logins {
            while let Event::Prompt(_) = login.advance() {
                login.answer(&"".into());
            }
            codes.push(login.outcome().code());
        }
        let winners = codes.iter().filter(|code| **code == ReturnCode::SUCCESS).count();
        tally.check(winners == 1, || format!("{winners} winners with one code: {codes:?}\n{}", last_words(host)));
        if counter == 200 {
            // A button is pressed as often as its window allows; begin again with the next state.
            host.sysadmin(&["unlock", "alice"]);
        }
    }
    host.kill(administrator);
    tally
}

/// An administrator who does not stop, but never takes from alice what she logs in with.
fn administrator(host: &Host) -> Child {
    let script = "while :; do
        twofactor recovery alice --count 3; twofactor unlock alice; twofactor status alice
        twofactor token assign T0000003 alice; twofactor token unassign T0000003
        twofactor token assign T0000004 bob; twofactor token disable T0000004; twofactor token enable T0000004
        twofactor token unassign T0000004 --force; twofactor invite bob; twofactor verify alice 123456
    done";
    let mut command = host.command("sh");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a shell starts")
}
