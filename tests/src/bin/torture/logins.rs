//! Every system call of a login fails, in a stack whose other modules succeed: nobody is let in with a wrong code, and no
//! code is good twice.

use std::process::Command;

use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;
use twofactor_tests::twofactor::Enrollment;

use crate::attempt::{End, at_chain, chain, last_words};
use crate::strace::{Fault, failing, faults, shuffle, trace, traced};
use crate::tally::{Budget, Tally};

/// A policy under which alice, who is enrolled and types a wrong code, must not get in.
const POLICIES: [(&str, &str); 5] = [
    ("required", "[default]\nsecond_factor = \"required\"\n"),
    ("optional", "[default]\nsecond_factor = \"optional\"\n"),
    ("enroll", "[default]\nsecond_factor = \"enroll\"\n"),
    (
        "off for others",
        "[default]\nsecond_factor = \"required\"\n[[rule]]\ngroups = [\"waived\"]\nsecond_factor = \"off\"\n",
    ),
    (
        "required for a user and a group",
        "[default]\nsecond_factor = \"off\"\n[[rule]]\nusers = [\"alice\"]\ngroups = [\"asked\"]\n\
         second_factor = \"required\"\n",
    ),
];

/// Wrong codes of this trial are no reason to be delayed.
const PATIENT: &str = "[throttle]\nfree_attempts = 1000\n";

/// A login that is tried with each of its calls failing.
struct Case {
    policy: usize,
    code: Code,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Code {
    Right,
    Wrong,
}

pub(crate) fn run(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    chain(host);
    let alice = host.user_with_fob("alice");
    for group in ["waived", "asked"] {
        host.succeed("groupadd", [group]);
    }
    host.succeed("usermod", ["--append", "--groups", "asked", "alice"]);
    let wrong = alice.wrong_code();
    let mut cases = cases(host, &alice, &wrong, random);
    while budget.allows(&tally) {
        let Some(case) = cases.pop() else { break };
        tally.case();
        one(host, &alice, &wrong, &case, &mut tally);
    }
    if cases.is_empty() {
        tally.count("cases are all there are");
    }
    host.configure(&format!("{}{PATIENT}", POLICIES[0].1));
    let last = at_chain(host, host.command("pam-login"), "alice", &alice.next_code());
    tally.check(last == End::Accepted, || format!("alice is shut out afterwards: {last:?}"));
    tally
}

fn cases(host: &Host, alice: &Enrollment, wrong: &str, random: &mut Random) -> Vec<Case> {
    let mut cases = Vec::new();
    for (policy, (_, text)) in POLICIES.iter().enumerate() {
        host.configure(&format!("{text}{PATIENT}"));
        for code in [Code::Wrong, Code::Right] {
            // The right code burns in the same calls whatever the policy says.
            if code == Code::Right && policy > 0 {
                continue;
            }
            let typed = if code == Code::Right { alice.next_code() } else { wrong.to_owned() };
            at_chain(host, traced(host, "pam-login"), "alice", &typed);
            let faults = faults(&trace(host), random).into_iter();
            cases.extend(faults.map(|fault| Case { policy, code, fault }));
        }
    }
    shuffle(&mut cases, random);
    cases
}

fn one(host: &Host, alice: &Enrollment, wrong: &str, case: &Case, tally: &mut Tally) {
    let (name, text) = POLICIES[case.policy];
    host.configure(&format!("{text}{PATIENT}"));
    let failing: Command = failing(host, "pam-login", &case.fault);
    let story = |what: &str| format!("{what}, policy {name}, {:?}\n{}", case.fault, last_words(host));
    if case.code == Code::Wrong {
        let end = at_chain(host, failing, "alice", wrong);
        tally.check(end != End::Accepted, || story("a wrong code was accepted"));
        tally.check(end != End::Hung, || story("the login hangs"));
        return;
    }
    let code = alice.next_code();
    let first = at_chain(host, failing, "alice", &code);
    let second = at_chain(host, host.command("pam-login"), "alice", &code);
    let third = at_chain(host, host.command("pam-login"), "alice", &code);
    if first == End::Accepted {
        tally.count("accepted all the same");
        tally.check(second == End::Refused, || story("a code was accepted twice"));
    }
    tally.check(first != End::Hung, || story("the login hangs"));
    tally.check(second != End::Silent, || story("the login after it ended without a word"));
    tally.check(third == End::Refused, || story("a code was accepted a second time"));
}
