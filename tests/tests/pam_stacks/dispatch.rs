//! Stacks by chance: the real libpam ends them as `pam_service::flow` says.

use std::fmt::Write as _;
use std::path::Path;

use twofactor_core::pam_service::flow::{self, Assumed, SoFar};
use twofactor_core::pam_service::{Kind, Phase, Service};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::random::Random;

const STACKS: usize = 400;

#[test]
fn stacks_by_chance_end_in_libpam_as_we_say() {
    private_host(|host| {
        host.add_user("alice");
        let seed = Random::seed();
        let mut random = Random::new(seed);
        let mut successes = 0;
        for number in 0..STACKS {
            let files = stack(&mut random);
            for (name, text) in &files {
                host.system_service(name, text);
            }
            let (ours, theirs) = (as_we_say(), as_libpam_does(host));
            assert_eq!(ours, theirs, "seed {seed}, stack {number}:\n{files:#?}");
            successes += usize::from(theirs);
        }
        assert!((STACKS / 20..STACKS * 19 / 20).contains(&successes), "both ends occur: {successes} of {STACKS}");
    });
}

/// Three files, of which each may include the next ones.
fn stack(random: &mut Random) -> Vec<(&'static str, String)> {
    let files = [("chance", &["inner", "deeper"][..]), ("inner", &["deeper"][..]), ("deeper", &[][..])];
    let text = |random: &mut Random, others: &[&str]| {
        let mut text = String::new();
        for _ in 0..=random.below(5) {
            match random.below(4) {
                0 if !others.is_empty() => {
                    let how = random.choose(&["include", "substack"]);
                    let _ = writeln!(text, "auth {how} {}", random.choose(others));
                }
                _ => {
                    let outcome = random.choose(&["success", "success", "auth_err"]);
                    let _ = writeln!(text, "auth {} pam_debug.so auth={outcome}", control(random));
                }
            }
        }
        text
    };
    files.map(|(name, others)| (name, text(random, others))).to_vec()
}

fn control(random: &mut Random) -> String {
    let word = random.choose(&["required", "requisite", "sufficient", "optional", "[]"]);
    if *word != "[]" {
        return (*word).to_owned();
    }
    let actions = ["ok", "done", "bad", "die", "reset", "ignore", "1", "2", "3"];
    format!("[success={} default={}]", random.choose(&actions), random.choose(&actions))
}

fn as_we_say() -> bool {
    let service = Service::read("chance", &[Path::new("/etc/pam.d")]).unwrap();
    let assumed = |_: usize, line: &twofactor_core::pam_service::Line| {
        if line.arguments.iter().any(|argument| argument == "auth=success") {
            Assumed::Passes
        } else {
            Assumed::Refuses
        }
    };
    let lines = service.phase(Phase::Auth);
    assert!(lines.iter().all(|line| matches!(line.kind, Kind::Module | Kind::Substack)));
    let endings = flow::endings_assuming(&lines, &assumed).unwrap();
    assert_eq!(endings.len(), 1, "nothing is left to chance: {endings:?}");
    endings[0].so_far == SoFar::Success
}

fn as_libpam_does(host: &Host) -> bool {
    host.login("alice").of_the_system().service("chance").answering(&[]).code() == ReturnCode::SUCCESS
}
