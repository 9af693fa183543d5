//! Every system call of every command that changes something fails: afterwards the state is the old one or the new one,
//! the command says which, and doing it again, or `doctor --fix`, brings the new one.

use std::collections::BTreeMap;

use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

use crate::deeds::{DEEDS, Household, Snapshot, seen};
use crate::strace::{failing_command, faults, trace, traced};
use crate::tally::{Budget, Tally};

pub(crate) fn run(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let _household = Household::move_in(host);
    let snapshot = Snapshot::take(host);
    let before = seen(host);
    let (mut cases, mut after) = (BTreeMap::new(), BTreeMap::new());
    for (deed, arguments) in DEEDS.iter().enumerate() {
        snapshot.restore(host);
        let done = traced(host, "twofactor").args(*arguments).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", twofactor_tests::private_host::said(&done));
        after.insert(deed, seen(host));
        cases.insert(deed, faults(&trace(host), random));
    }
    while budget.allows(&tally) && !cases.is_empty() {
        // Each as often as the others: some make a hundred times as many calls.
        let deeds: Vec<usize> = cases.keys().copied().collect();
        let deed = *random.choose(&deeds);
        let Some(fault) = cases.get_mut(&deed).and_then(Vec::pop) else {
            cases.remove(&deed);
            continue;
        };
        tally.case();
        snapshot.restore(host);
        let arguments = DEEDS[deed];
        let ended = failing_command(host, &fault).args(arguments).output().unwrap();
        let now = seen(host);
        let (well, done) = (ended.status.success(), now == after[&deed]);
        let story = |what: &str| {
            let said = twofactor_tests::private_host::said(&ended);
            format!("{what}: {}, {fault:?}\n{said}\nbefore:\n{before}\nnow:\n{now}", arguments.join(" "))
        };
        tally.count(if well { "done all the same" } else { "refused" });
        if well {
            tally.check(done, || story("a command said it was done and was not"));
        } else if !done && now != before {
            tally.count("left half way");
            let _ = host.run_twofactor(arguments);
            if seen(host) != after[&deed] {
                let _ = host.run_twofactor(&["doctor", "--fix"]);
            }
            tally.check(seen(host) == after[&deed], || {
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
