//! The architecture's rules that a compiler does not check.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use imports::Imports;
use twofactor_tests::artifacts::{debug, workspace};

/// The crates.
const PACKAGES: [&str; 5] = ["twofactor-core", "twofactor-rehearsal", "pam_twofactor", "twofactor-cli", "tests"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What cargo builds for the fuzz targets is no source of ours.
        if path.is_dir() && !path.ends_with("target") {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The text without comments, so that words of an explanation do not count.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

/// The modules of the core with the number of their layer: a group of the list in `lib.rs`, which is ordered from the
/// bottom up. Within a group rustfmt sorts.
fn layers() -> BTreeMap<String, usize> {
    let list = fs::read_to_string(workspace().join("twofactor-core/src/lib.rs")).unwrap();
    let mut layers = BTreeMap::new();
    for (layer, group) in list.split("\n\n").enumerate() {
        let names = group.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        layers.extend(names.map(|name| (name.to_owned(), layer)));
    }
    layers
}

/// Which modules of the core each module uses. A test may look at everything, so tests do not count.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let source = workspace().join("twofactor-core/src");
    let mut by_module: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(&source) {
        let relative = path.strip_prefix(&source).unwrap();
        let module = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if module == "lib" || relative.components().any(|part| part.as_os_str().to_str().unwrap().starts_with("tests"))
        {
            continue;
        }
        let text = code(&path);
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let word = |rest: &str| {
            rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned)
        };
        let used = text.split("crate::").skip(1).filter_map(word).filter(|name| !name.is_empty() && *name != module);
        by_module.entry(module.clone()).or_default().extend(used);
    }
    by_module
}

#[test]
fn a_module_of_the_core_uses_nothing_of_a_layer_below_it() {
    let layers = layers();
    assert!(layers.len() > 10, "the list was read: {layers:?}");
    for (module, used) in uses() {
        for name in used {
            let layer =
                layers.get(&name).unwrap_or_else(|| panic!("{module} uses crate::{name}, which is not in the list"));
            assert!(*layer <= layers[&module], "{module} uses {name}, which stands in a layer below it");
        }
    }
}

#[test]
fn no_modules_of_the_core_use_each_other_in_a_circle() {
    let mut uses = uses();
    // What uses nothing that is left cannot be part of a circle.
    while let Some(free) = uses.iter().find(|(_, used)| used.iter().all(|name| !uses.contains_key(name))) {
        let free = free.0.clone();
        uses.remove(&free);
    }
    assert!(uses.is_empty(), "these use each other in a circle, or use such: {uses:?}");
}

#[test]
fn every_module_of_the_core_is_in_the_list() {
    let source = workspace().join("twofactor-core/src");
    let listed: BTreeSet<String> = layers().into_keys().collect();
    let present: BTreeSet<String> = fs::read_dir(source)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib")
        .collect();
    assert_eq!(listed, present);
}

#[test]
fn unsafe_stands_in_the_files_that_speak_to_libpam_wipe_memory_and_fork_and_nowhere_else() {
    let mut found = BTreeSet::new();
    for package in PACKAGES {
        for path in sources(&workspace().join(package)) {
            let code = code(&path);
            let word = |part: &str| {
                part.split(|character: char| !character.is_alphanumeric() && character != '_')
                    .any(|word| word == "unsafe")
            };
            // A string or an identifier that speaks of it is not it.
            if code.lines().any(|line| word(line.split('"').next().unwrap())) {
                found.insert(path.strip_prefix(workspace()).unwrap().display().to_string());
            }
        }
    }
    // The test programs are applications of libpam; everything else of the tests is a harness and safe.
    found.retain(|path| !path.starts_with("tests/src/bin/"));
    let allowed = [
        "pam_twofactor/src/child.rs",
        "pam_twofactor/src/libpam.rs",
        "pam_twofactor/src/wiping.rs",
        "twofactor-rehearsal/src/lib.rs",
    ];
    assert_eq!(found, allowed.map(str::to_owned).into());
}

#[test]
fn every_file_says_what_it_is_for() {
    for package in PACKAGES {
        for path in sources(&workspace().join(package)) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
        }
    }
}

#[test]
fn the_core_reads_no_clock_environment_or_terminal() {
    let source = workspace().join("twofactor-core/src");
    for path in sources(&source) {
        let text = code(&path);
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        let name = path.strip_prefix(&source).unwrap().display().to_string();
        for word in
            ["std::env", "println!", "eprintln!", "print!(", "std::process", "io::stdin", "io::stdout", "std::net::Tcp"]
        {
            assert!(!text.contains(word), "{name} uses {word}");
        }
        // The one place where the host's clock is wrapped; the programs hand it in.
        assert!(!text.contains("SystemTime::now") || name == "clock.rs", "{name} reads the clock");
    }
}

/// A login has nothing to run, and the command starts where there is no libpam.
#[test]
fn the_module_does_not_need_the_crate_that_runs_libpam_and_the_command_is_not_linked_with_it() {
    let manifest = fs::read_to_string(workspace().join("pam_twofactor/Cargo.toml")).unwrap();
    assert!(!manifest.contains("twofactor-rehearsal"));
    let output =
        Command::new("readelf").args(["--dynamic", "--wide"]).arg(&debug().tool).output().expect("readelf runs");
    let sections = String::from_utf8_lossy(&output.stdout);
    let needs = |name: &str| sections.lines().any(|line| line.contains("(NEEDED)") && line.contains(name));
    assert!(needs("libc.so.6") && !needs("libpam"), "{sections}");
}

#[test]
fn the_module_needs_none_of_the_crates_that_read_seed_files() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = |arguments: &[&str]| {
        let mut command = Command::new(&cargo);
        command.args(["tree", "--locked", "--edges", "normal", "--prefix", "none"]).args(arguments);
        let output = command.current_dir(workspace()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    let importer = tree(&["--package", "twofactor-core", "--features", "seed-files"]);
    let module = tree(&["--package", "pam_twofactor"]);
    for name in ["zip", "quick-xml", "aes", "cbc", "pbkdf2"] {
        assert!(importer.contains(name), "the importer no longer needs {name}");
        assert!(!module.contains(name), "the module needs {name}");
    }
}

/// How a command begins that somebody is told to run.
const COMMANDS: [&str; 16] = [
    "twofactor enroll",
    "twofactor status",
    "twofactor verify",
    "twofactor reset",
    "twofactor recovery",
    "twofactor unlock",
    "twofactor invite",
    "twofactor explain",
    "twofactor token",
    "twofactor series",
    "twofactor service",
    "twofactor state",
    "getent passwd",
    "ls -l",
    "findmnt -T",
    "install -d",
];

/// The functions that quote for a shell.
const QUOTING: [&str; 5] = ["quoted(", "shell::value(", "shell::path(", "in_shell(", ", quoted)"];

#[test]
fn whatever_stands_in_a_command_that_somebody_pastes_is_quoted_for_the_shell() {
    let (mut found, mut bare) = (0, Vec::new());
    for package in ["twofactor-core", "pam_twofactor", "twofactor-cli"] {
        for path in sources(&workspace().join(package).join("src")) {
            let text = code(&path);
            if path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("tests")) {
                continue;
            }
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for (number, line) in lines.iter().enumerate() {
                let Some(hole) = COMMANDS.iter().find_map(|command| hole_behind(line, command)) else { continue };
                found += 1;
                // What is put in stands in the arguments below, or has a name, which stands above.
                let below = &lines[number..lines.len().min(number + 5)];
                let names = below.iter().find_map(|line| line.split_once(".join(")?.0.rsplit(['(', ' ']).next());
                let name = if hole.is_empty() { names } else { Some(hole) };
                let is_quoted = match name {
                    Some(name) => {
                        let above = &lines[number.saturating_sub(30)..lines.len().min(number + 5)];
                        above.iter().any(|line| line.contains(name) && quotes(line))
                    }
                    None => below.iter().any(|line| quotes(line)),
                };
                // The number of a process, the name of a command.
                let is_harmless = ["process", "verb"].contains(&hole);
                if !is_quoted && !is_harmless {
                    bare.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(found > 30, "{found} commands were looked at");
    assert!(bare.is_empty(), "not through shell::quoted:\n{}", bare.join("\n"));
}

fn quotes(line: &str) -> bool {
    QUOTING.iter().any(|function| line.contains(function))
}

/// The name in the first `{}` of a command that a text of this line begins.
fn hole_behind<'l>(line: &'l str, command: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(command)?;
    let rest = rest.split(['"', ';']).next()?.trim_end_matches('\\');
    let (before, hole) = rest.split_once('{')?;
    // Behind a full stop or a colon the sentence goes on.
    (!before.contains(": ") && !before.contains(". ")).then(|| hole.split(['}', ':']).next().unwrap_or_default())
}
