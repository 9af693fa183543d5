//! Texts by chance, with our lines put in: the real libpam opens no way that was closed, and closes none that was open.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use twofactor_admin::pam_editing::placing::{self, Answers, Target};
use twofactor_core::pam_service::first_factor;
use twofactor_tests::pam::{Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::random::Random;

/// Texts that are given our lines and run, at least.
const ENOUGH: usize = 100;
/// One text of four is given lines, and of those our line hears of a failure in one of 33: in none of so many with a chance below 1e-30.
const MOST: usize = 10_000;

/// The lines that a module may stand in, and what it returns by its nature.
const AUTH: [(&str, &[&str]); 9] = [
    ("pam_unix.so", &["success", "auth_err"]),
    ("pam_unix.so", &["success", "auth_err"]),
    ("pam_sss.so", &["success", "auth_err"]),
    ("pam_fprintd.so", &["success", "ignore", "auth_err"]),
    ("pam_succeed_if.so", &["success", "auth_err"]),
    ("pam_faillock.so", &["success", "ignore", "auth_err"]),
    ("pam_env.so", &["success", "ignore"]),
    ("pam_unheard_of.so", &["success", "ignore", "auth_err"]),
    ("pam_deny.so", &[]),
];
const ACCOUNT: [(&str, &[&str]); 6] = [
    ("pam_unix.so", &["success", "new_authtok_reqd", "acct_expired"]),
    ("pam_unix.so", &["success", "new_authtok_reqd", "acct_expired"]),
    ("pam_access.so", &["success", "perm_denied"]),
    ("pam_localuser.so", &["success", "perm_denied"]),
    ("pam_unheard_of.so", &["success", "acct_expired"]),
    ("pam_deny.so", &[]),
];
const CONTROLS: [&str; 12] = [
    "required",
    "required",
    "requisite",
    "sufficient",
    "sufficient",
    "optional",
    "[success=1 default=ignore]",
    "[success=2 default=ignore]",
    "[success=ok new_authtok_reqd=ok ignore=ignore user_unknown=bad default=die]",
    "[success=done new_authtok_reqd=done default=die]",
    "[default=die]",
    "[default=1 ignore=ignore success=ok]",
];

/// A text and the file that it may include, whose lines each have a number of their own.
struct Chance {
    phase: &'static str,
    text: String,
    inner: String,
    /// What the module of each line returns; `None` for one that stays what it is.
    returned: Vec<(String, Option<&'static str>)>,
}

impl Chance {
    fn new(random: &mut Random) -> Self {
        let phase = *random.choose(&["auth", "auth", "account"]);
        let mut chance = Self { phase, text: String::new(), inner: String::new(), returned: Vec::new() };
        chance.inner = chance.lines(random, 3);
        chance.text = chance.lines(random, 4);
        if random.below(2) == 0 {
            let how = random.choose(&["include", "substack"]);
            let _ = writeln!(chance.text, "{phase} {how} chance-inner");
            let rest = chance.lines(random, 2);
            chance.text += &rest;
        }
        chance.text += match phase {
            "auth" => "account required pam_permit.so\n",
            _ => "auth required pam_permit.so\nauth required pam_unix.so\n",
        };
        chance
    }

    fn lines(&mut self, random: &mut Random, most: u64) -> String {
        let mut text = String::new();
        for _ in 0..=random.below(most) {
            let modules: &[(&str, &[&str])] = if self.phase == "auth" { &AUTH } else { &ACCOUNT };
            let (module, results) = *random.choose(modules);
            let named = format!("{module} line{}", self.returned.len());
            let control = random.choose(&CONTROLS);
            let _ = writeln!(text, "{} {control} {named}", self.phase);
            let returned = (!results.is_empty()).then(|| *random.choose(results));
            self.returned.push((named, returned));
        }
        text
    }

    /// The text with a stub in the place of each module, which returns what it is to return, and ours `ours`.
    fn stubbed(&self, text: &str, ours: &str) -> String {
        let stub = |result: &str| format!("pam_debug.so auth={result} acct={result}");
        let mut stubbed = text.replace("pam_twofactor.so", &stub(ours));
        for (named, returned) in self.returned.iter().filter(|(named, _)| !named.starts_with("pam_deny")) {
            stubbed = stubbed.replace(&format!("{named}\n"), &format!("{}\n", stub(returned.unwrap())));
        }
        stubbed.replace("pam_unix.so\n", &format!("{}\n", stub("success")))
    }

    /// Whether libpam lets alice through the phase.
    fn lets_in(&self, host: &Host, text: &str, ours: &str) -> bool {
        let outcome = self.run(host, text, ours);
        matches!(outcome.code_of(self.call()), ReturnCode::SUCCESS | ReturnCode::NEW_AUTHTOK_REQD)
    }

    /// Whether our line hears of a failure.
    fn is_told(&self, host: &Host, text: &str) -> bool {
        self.run(host, text, "success").texts().contains(&"auth=cred_err")
    }

    fn call(&self) -> &'static str {
        if self.phase == "auth" { "authenticate" } else { "account" }
    }

    fn run(&self, host: &Host, text: &str, ours: &str) -> Outcome {
        // What is noted runs under `optional`: no code of a stub there is anything to libpam.
        let telling = first_factor::TEXT
            .replace("pam_twofactor.so first_factor=unknown", "pam_debug.so auth=ignore")
            .replace("pam_twofactor.so first_factor=failed", "pam_debug.so auth=cred_err");
        host.system_service(first_factor::NAME, &telling);
        host.system_service("chance-inner", &self.stubbed(&self.inner, ours));
        host.system_service("chance", &self.stubbed(text, ours));
        host.login("alice").of_the_system().service("chance").calls(self.call()).answering(&[])
    }

    /// The same text where nobody passes a first factor.
    fn without_a_first_factor(&self) -> Self {
        let is_first_factor =
            |named: &str| !["pam_succeed_if", "pam_faillock", "pam_env"].iter().any(|one| named.starts_with(one));
        let refused = |(named, returned): &(String, Option<&'static str>)| {
            let returned = if is_first_factor(named) { returned.map(|_| "auth_err") } else { *returned };
            (named.clone(), returned)
        };
        let returned = self.returned.iter().map(refused).collect();
        Self { phase: self.phase, text: self.text.clone(), inner: self.inner.clone(), returned }
    }
}

fn placed(chance: &Chance) -> Option<placing::Placed> {
    let folder = Path::new("/etc/pam.d");
    fs::write(folder.join("chance-inner"), &chance.inner).unwrap();
    let file = folder.join("chance");
    let folders = [folder];
    let target =
        Target { name: "chance", file: &file, folders: &folders, answers: Answers::Apart, is_missing: |_| false };
    placing::enabled(&target, &chance.text).ok().flatten()
}

#[test]
fn what_is_put_in_opens_no_way_and_closes_none_in_libpam() {
    private_host(|host| {
        host.add_user("alice");
        let seed = Random::seed();
        let mut random = Random::new(seed);
        let (mut run, mut let_in, mut told) = (0, 0, 0);
        for number in 0..MOST {
            let chance = Chance::new(&mut random);
            let Some(placed) = placed(&chance) else { continue };
            let story = || {
                format!(
                    "seed {seed}, text {number}:\n{}chance-inner:\n{}became\n{}with {:?}",
                    chance.text, chance.inner, placed.text, chance.returned
                )
            };
            let before = chance.lets_in(host, &chance.text, "ignore");
            let passed = chance.lets_in(host, &placed.text, "success");
            let waived = chance.lets_in(host, &placed.text, "ignore");
            let refused = chance.lets_in(host, &placed.text, "perm_denied");
            assert!(before || !passed, "a right code opens what was closed: {}", story());
            // Who got in without a first factor is not asked for a code either.
            let without = chance.without_a_first_factor();
            let was_exempt = chance.phase == "auth" && without.lets_in(host, &chance.text, "ignore");
            assert!(!refused || was_exempt, "a wrong code lets in: {}", story());
            assert!(passed || !before, "a right code does not let in: {}", story());
            assert!(before || !waived, "who is asked for no code gets in where it was closed: {}", story());
            let is_kept = chance.phase == "auth" || waived == before;
            assert!(is_kept, "our account line, without anything to do, changes who gets in: {}", story());
            let is_told = chance.phase == "auth" && chance.is_told(host, &placed.text);
            assert!(!is_told || !before, "who gets in is refused, as if a first factor had failed: {}", story());
            told += usize::from(is_told);
            run += 1;
            let_in += usize::from(passed);
            if run >= ENOUGH && told > 0 {
                break;
            }
        }
        assert!(run >= ENOUGH, "enough texts are given lines");
        assert!(told > 0, "our line is told of failures in some");
        assert!((run / 20..run * 19 / 20).contains(&let_in), "both ends occur: {let_in} of {run}");
    });
}
