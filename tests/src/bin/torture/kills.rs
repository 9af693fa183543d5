//! Logins and commands are killed at random moments: no used code is good again, and the state is old or new.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

use crate::attempt::{CHAIN, End, at_chain, chain, ended, line};
use crate::deeds::{Deed, Household, Snapshot, deeds, seen};
use crate::tally::{Budget, Tally};

pub(crate) fn run(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    chain(host);
    let household = Household::move_in(host);
    let snapshot = Snapshot::take(host);
    let deeds = deeds();
    let mut counter = 0;
    let (mut usual, mut usual_command) = (Duration::from_millis(30), Duration::from_millis(60));
    while budget.allows(&tally) {
        tally.case();
        snapshot.restore(host);
        if random.below(2) == 0 {
            let code = household.carols.code_of(counter);
            counter = (counter + 1) % 5;
            login(host, &code, random, &mut usual, &mut tally);
        } else {
            let deed = random.choose(&deeds);
            deed.prepare(host, &snapshot);
            command(host, deed, (random, &mut usual_command), &mut tally);
        }
    }
    tally
}

fn login(host: &Host, code: &str, random: &mut Random, usual: &mut Duration, tally: &mut Tally) {
    let answers = host.place("answers");
    fs::write(&answers, line(code)).unwrap();
    let report = host.place("report");
    let mut command = host.command("pam-login");
    command.args(["--confdir", &host.confdir(), "--service", CHAIN, "--user", "carol"]);
    command.args(["--calls", "authenticate,account"]);
    command.stdin(File::open(&answers).unwrap()).stdout(File::create(&report).unwrap()).stderr(Stdio::null());
    let finished = kill(command, usual, random);
    let first = ended(&fs::read(&report).unwrap()).unwrap_or(End::Silent);
    let again = at_chain(host, host.command("pam-login"), "carol", code);
    let third = at_chain(host, host.command("pam-login"), "carol", code);
    tally.count(if finished { "ended before the kill" } else { "killed" });
    tally.check(first != End::Accepted || again == End::Refused, || format!("a code was accepted twice: {code}"));
    tally.check(again != End::Silent, || "the login after a kill ended without a word".to_owned());
    tally.check(third == End::Refused, || format!("a code was accepted a second time: {code}"));
}

fn command(host: &Host, deed: &Deed, (random, usual): (&mut Random, &mut Duration), tally: &mut Tally) {
    let (arguments, before) = (deed.words(), seen(host));
    let mut command = host.twofactor(&arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let finished = kill(command, usual, random);
    tally.count(if finished { "ended before the kill" } else { "killed" });
    let now = seen(host);
    if finished || now == before {
        return;
    }
    // Doing it again must end well, or find that it is done.
    let again = host.run_twofactor(&arguments);
    let story = || format!("{} was killed and cannot be done again: {again:?}\n{now}", arguments.join(" "));
    // Codes that were used before the kill are refused as used.
    let is_used = deed.arguments[1] == "resync" && again.status.code() == Some(5);
    tally.check(!deed.claims || matches!(again.status.code(), Some(0 | 3 | 7)) || is_used, story);
}

/// Starts a program and kills it at a random moment of its usual time, which it learns. Says whether it had ended.
fn kill(mut command: Command, usual: &mut Duration, random: &mut Random) -> bool {
    let started = Instant::now();
    let mut process = command.spawn().expect("it starts");
    let moment = *usual * u32::try_from(random.below(1300)).unwrap() / 1000;
    while started.elapsed() < moment {
        std::hint::spin_loop();
    }
    let finished = process.try_wait().unwrap().is_some();
    let _ = process.kill();
    let _ = process.wait();
    *usual = if finished { *usual * 8 / 10 } else { *usual * 11 / 10 };
    finished
}
