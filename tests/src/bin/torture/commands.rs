//! Every system call of every command that changes something fails: afterwards the state is the old one or the new one,
//! the command says which, and doing it again, or `doctor --fix`, brings the new one.

use std::collections::BTreeMap;

use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

use crate::deadline;
use crate::deeds::{Household, Snapshot, deeds, seen};
use crate::strace::{failing_command, faults, trace, traced};
use crate::tally::{Budget, Tally};

/// Commands of which all is to be [`seen`]; what others make new looks like the old.
const VISIBLE: [&str; 5] = ["token", "series", "state", "service", "doctor"];

pub(crate) fn run(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let _household = Household::move_in(host);
    let snapshot = Snapshot::take(host);
    let deeds = deeds();
    let (mut cases, mut before, mut after) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (number, deed) in deeds.iter().enumerate() {
        deed.prepare(host, &snapshot);
        before.insert(number, seen(host));
        let done = traced(host, "twofactor").args(&deed.arguments).output().unwrap();
        let said = || format!("{:?}: {}", deed.arguments, twofactor_tests::private_host::said(&done));
        assert!(done.status.success() || !deed.claims, "{}", said());
        cases.insert(number, faults(&trace(host), random));
        after.insert(number, seen(host));
        assert!(before[&number] != after[&number] || !VISIBLE.contains(&deed.words()[0]), "it is seen: {}", said());
    }
    while budget.allows(&tally) && !cases.is_empty() {
        // Each as often as the others: some make a hundred times as many calls.
        let numbers: Vec<usize> = cases.keys().copied().collect();
        let number = *random.choose(&numbers);
        let Some(fault) = cases.get_mut(&number).and_then(Vec::pop) else {
            cases.remove(&number);
            continue;
        };
        tally.case();
        let deed = &deeds[number];
        deed.prepare(host, &snapshot);
        let (arguments, before, after) = (deed.words(), &before[&number], &after[&number]);
        let mut command = failing_command(host, &fault);
        command.args(&arguments);
        let Ok(ended) = deadline::output(command) else {
            tally.check(false, || format!("it hangs: {}, {fault:?}", arguments.join(" ")));
            continue;
        };
        let now = seen(host);
        let (well, done) = (deed.claims && ended.status.success(), now == *after);
        let story = |what: &str| {
            let said = twofactor_tests::private_host::said(&ended);
            format!("{what}: {}, {fault:?}\n{said}\nbefore:\n{before}\nnow:\n{now}", arguments.join(" "))
        };
        tally.count(if well { "done all the same" } else { "refused" });
        if well {
            tally.check(done, || story("a command said it was done and was not"));
        } else if !done && now != *before {
            tally.count("left half way");
            let _ = host.run_twofactor(&arguments);
            if seen(host) != *after {
                let _ = host.run_twofactor(&["doctor", "--fix"]);
            }
            tally.check(seen(host) == *after, || {
                story("a command left a state that neither repeating it nor doctor --fix finishes")
            });
        }
        // The standard library gives up by itself where it cannot set up its own stack, before our first line, and where
        // closing a folder fails, which no file system does.
        let complaints = String::from_utf8_lossy(&ended.stderr);
        let panicked = complaints.contains("panicked")
            && !["stack_overflow.rs", "error during closedir"].iter().any(|its| complaints.contains(its));
        tally.check(!panicked, || story("a command panicked"));
    }
    tally
}
