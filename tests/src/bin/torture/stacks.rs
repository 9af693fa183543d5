//! PAM files by chance and damaged ones: what `service enable` takes lets nobody in who was not let in before, asks for a
//! code, and is taken back to the byte. What it refuses stays as it is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::random::Random;

use crate::deeds::{Household, Snapshot};
use crate::tally::{Budget, Tally};

const FOLDER: &str = "/etc/pam.d";
const SERVICE: &str = "login";

/// Stacks of real modules in random order under random controls.
pub(crate) fn by_chance(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    run(
        host,
        budget,
        |files, random| {
            files.insert(SERVICE.to_owned(), stack(random));
        },
        random,
    )
}

/// Debian's files with a few lines moved, cut, doubled, continued or mistyped.
pub(crate) fn damaged(host: &Host, budget: &Budget, random: &mut Random) -> Tally {
    run(
        host,
        budget,
        |files, random| {
            for _ in 0..=random.below(3) {
                let name = (*random.choose(&[SERVICE, "common-auth", "common-account"])).to_owned();
                let text = files.get(&name).cloned().unwrap_or_default();
                files.insert(name, damage(&text, random));
            }
        },
        random,
    )
}

type Files = std::collections::BTreeMap<String, Vec<u8>>;

fn run(host: &Host, budget: &Budget, change: impl Fn(&mut Files, &mut Random), random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    let household = Household::move_in(host);
    let snapshot = Snapshot::take(host);
    let codes = [0, 1].map(|counter| household.hers.code_of(counter));
    let shipped = shipped();
    while budget.allows(&tally) {
        tally.case();
        snapshot.restore(host);
        let mut files = shipped.clone();
        change(&mut files, random);
        write(&files);
        one(host, &files, &household.wrong_code, &codes, &mut tally);
    }
    tally
}

fn one(host: &Host, files: &Files, wrong_code: &str, [first, second]: &[String; 2], tally: &mut Tally) {
    let open_before = lets_in(host, &Typed::right_password(""));
    let open_to_all = lets_in(host, &Typed::wrong_password(""));
    let enabled = host.run_twofactor(&["service", "enable", SERVICE, "--yes"]);
    let story = |what: &str| story(what, &enabled, files);
    if !enabled.status.success() {
        tally.count("refused");
        tally.check(read(Path::new(FOLDER)) == *files, || story("refused, and yet changed"));
        tally.check(enabled.status.code() != Some(101), || story("panicked"));
        return;
    }
    tally.count("enabled");
    // A service that lets everyone in may do so on purpose, through a module that asks nothing.
    if !open_to_all {
        tally.check(!lets_in(host, &Typed::right_password(wrong_code)), || story("let in with a wrong code"));
        tally.check(!lets_in(host, &Typed::wrong_password(wrong_code)), || story("let in with nothing right"));
        tally.check(!lets_in(host, &Typed::wrong_password(first)), || story("let in with a code alone"));
    }
    let both = lets_in(host, &Typed::right_password(second));
    tally.check(both == open_before, || story("password and code are not as good as the password was before"));
    let disabled = host.run_twofactor(&["service", "disable", SERVICE, "--yes"]);
    let taken_back = disabled.status.success() && read(Path::new(FOLDER)) == *files;
    tally.check(taken_back, || story(&format!("not taken back: {}", said(&disabled))));
}

/// What was found, what the command said, and the files before and after, without comments.
fn story(what: &str, enabled: &Output, before: &Files) -> String {
    let now = read(Path::new(FOLDER));
    let mut story = format!("{what}\n{}", said(enabled));
    for name in [SERVICE, "common-auth", "common-account"] {
        for (when, files) in [("before", before), ("after", &now)] {
            let text = String::from_utf8_lossy(files.get(name).map_or(&[][..], Vec::as_slice)).into_owned();
            let _ = writeln!(story, "--- {name} {when}");
            for line in text.split('\n').filter(|line| !line.starts_with('#') || line.ends_with('\\')) {
                let _ = writeln!(story, "{}", line.escape_debug());
            }
        }
    }
    story
}

/// What alice types: a password, and a code at every other question.
struct Typed<'t> {
    password: &'t str,
    code: &'t str,
}

impl<'t> Typed<'t> {
    fn right_password(code: &'t str) -> Self {
        Self { password: PASSWORD, code }
    }

    fn wrong_password(code: &'t str) -> Self {
        Self { password: "not the password", code }
    }
}

/// Whether alice gets through authentication and account phase.
fn lets_in(host: &Host, typed: &Typed<'_>) -> bool {
    let login = host.login("alice").of_the_system().service(SERVICE).calls("authenticate,account");
    let outcome = login.conversing(|prompt, _| {
        if prompt.to_lowercase().contains("password") { typed.password.to_owned() } else { typed.code.to_owned() }
    });
    outcome.results.iter().all(|(_, code)| *code == ReturnCode::SUCCESS)
}

/// Debian's files, in memory: a private host may have something else where the checkout lies.
fn shipped() -> Files {
    macro_rules! fixtures {
        ($($name:literal)*) => {
            [$(($name, include_bytes!(concat!("../../../tests/pam_stacks/fixtures/debian-12/pam.d/", $name)).as_slice())),*]
        };
    }
    let files = fixtures! {
        "common-account" "common-auth" "common-password" "common-session" "common-session-noninteractive"
        "gdm-password" "login" "other" "sshd" "su" "su-l" "sudo" "sudo-i"
    };
    files.map(|(name, text)| (name.to_owned(), text.to_vec())).into()
}

fn read(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn write(files: &Files) {
    for entry in fs::read_dir(FOLDER).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, text) in files {
        fs::write(Path::new(FOLDER).join(name), text).unwrap();
    }
}

fn stack(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..=random.below(6) {
        let _ = match random.below(7) {
            0 => writeln!(text, "@include common-auth"),
            1 => writeln!(text, "auth {} common-auth", random.choose(&["include", "substack"])),
            2 => writeln!(text, "auth {} pam_unix.so nodelay try_first_pass", control(random)),
            3 => writeln!(text, "auth {} pam_deny.so", control(random)),
            4 => writeln!(text, "auth {} pam_permit.so", control(random)),
            5 => writeln!(text, "auth {} pam_succeed_if.so quiet user != nobody", control(random)),
            _ => writeln!(text, "auth {} pam_unix.so nodelay", control(random)),
        };
    }
    let _ = writeln!(text, "account {} pam_unix.so", random.choose(&["required", "requisite", "sufficient"]));
    if random.below(2) == 0 {
        text += "@include common-account\n";
    }
    text += "session required pam_permit.so\n";
    text.into_bytes()
}

fn control(random: &mut Random) -> String {
    let word = *random.choose(&["required", "requisite", "sufficient", "optional", "[]"]);
    if word != "[]" {
        return word.to_owned();
    }
    let actions = ["ok", "done", "bad", "die", "reset", "ignore", "1", "2"];
    format!("[success={} default={}]", random.choose(&actions), random.choose(&actions))
}

/// One slip of an editor or a script.
fn damage(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let place = |random: &mut Random, lines: &[Vec<u8>]| {
        usize::try_from(random.below(u64::try_from(lines.len()).unwrap())).unwrap()
    };
    let at = place(random, &lines);
    match random.below(12) {
        0 => lines[at].extend_from_slice(b" \\"),
        1 => lines[at].push(b'\r'),
        2 => lines.insert(at, Vec::new()),
        3 => lines.insert(at, b"# a comment \\".to_vec()),
        4 => lines.insert(at, b" \t ".to_vec()),
        5 => {
            lines.remove(at);
        }
        6 => {
            let line = lines[at].clone();
            lines.insert(at, line);
        }
        7 => {
            let other = place(random, &lines);
            lines.swap(at, other);
        }
        8 => lines[at] = String::from_utf8_lossy(&lines[at]).replace("required", "sufficient").into_bytes(),
        9 => lines[at] = String::from_utf8_lossy(&lines[at]).replace("success=1", "success=2").into_bytes(),
        10 => {
            let byte = random.bytes(1)[0];
            lines[at].insert(0, byte);
        }
        _ => lines[at] = String::from_utf8_lossy(&lines[at]).replace(' ', "\u{a0}").into_bytes(),
    }
    lines.join(&b'\n')
}
