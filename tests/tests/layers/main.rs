//! The architecture's rules that a compiler does not check.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use imports::{Arrow, Imports};
use twofactor_tests::artifacts::{self, debug, workspace};
use twofactor_tests::checkout::files_below;

/// The crates.
const PACKAGES: [&str; 10] = [
    "twofactor-core",
    "twofactor-admin",
    "twofactor-rehearsal",
    "pam_twofactor",
    "twofactor-cli",
    "twofactord",
    "twofactor-server",
    "twofactor-link",
    "twofactor-net",
    "tests",
];
/// The libraries that have rules and know neither libpam nor a terminal.
const LIBRARIES: [&str; 2] = ["twofactor-core", "twofactor-admin"];

/// The text without comments, so that words of an explanation do not count.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

/// The rooms of a library with their place in the list of `lib.rs`, which is ordered from the ground up.
fn rooms(library: &str) -> BTreeMap<String, usize> {
    let list = fs::read_to_string(workspace().join(library).join("src/lib.rs")).unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.enumerate().map(|(place, name)| (name.to_owned(), place)).collect()
}

fn room_of(file: &Path) -> String {
    file.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn imports_of(package: &str) -> Imports {
    let imports = Imports::of(&workspace().join(package).join("src"));
    assert!(imports.files() > 0, "{package} was read");
    imports
}

#[test]
fn no_file_imports_a_file_that_imports_it_or_the_file_of_a_folder_it_lies_in() {
    let mut wrong = Vec::new();
    for package in PACKAGES {
        let imports = imports_of(package);
        let arrows = imports.circles().into_iter().chain(imports.upward());
        wrong.extend(arrows.map(|arrow| format!("{package}/src/{arrow}")));
    }
    assert!(wrong.is_empty(), "imports in a circle, or up inside a folder:\n{}", wrong.join("\n"));
}

#[test]
fn a_room_of_a_library_imports_only_rooms_above_it_in_the_list() {
    for library in LIBRARIES {
        let rooms = rooms(library);
        assert!(rooms.len() >= 5, "the list was read: {rooms:?}");
        for arrow in imports_of(library).all() {
            let (from, to) = (room_of(&arrow.from), room_of(&arrow.to));
            assert!(rooms[&to] <= rooms[&from], "{library}/src/{arrow}");
        }
    }
}

/// Digits that stand in a test meet a step outside the window once in thousands of runs, and then an unexpected prompt follows.
#[test]
fn no_test_types_six_digits_that_were_not_chosen_to_be_wrong() {
    // A number of recovery codes.
    const NO_CODES: [&str; 1] = ["100001"];
    let (mut files, mut found) = (0, Vec::new());
    for folder in ["tests/tests", "twofactor-core/src/login/tests", "twofactor-core/src/store/files/tokens/tests"] {
        for path in files_below(&workspace().join(folder), "rs") {
            files += 1;
            for (line, number) in code(&path).lines().zip(1..) {
                let is_typed = |text: &&str| {
                    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) && !NO_CODES.contains(text)
                };
                found.extend(line.split('"').find(is_typed).map(|_| format!("{}:{number}: {line}", path.display())));
            }
        }
    }
    assert!(files > 100, "{files} files were read");
    assert!(found.is_empty(), "use wrong_code or ANY_CODE (CONTRIBUTING):\n{}", found.join("\n"));
}

/// A test of the test: sources that break the rules are found, by their line.
#[test]
fn imports_are_found_wherever_they_stand() {
    let folder = tempfile();
    let source = folder.join("src");
    for (name, text) in [
        ("lib.rs", "mod a;\nmod b;\nmod c;\npub struct Root;\n"),
        ("a.rs", "mod inner;\nuse crate::b::B;\npub struct A(B);\npub use inner::Inner;\n"),
        ("a/inner.rs", "pub struct Inner;\nfn f() { let _ = super::A::new(); }\n"),
        ("b.rs", "pub struct B;\nfn f() { println!(\"{}\", crate::c::word()); }\n"),
        ("c.rs", "use crate::a;\npub fn word() { a::go() }\n#[cfg(test)]\nmod tests { use crate::Root; }\n"),
    ] {
        fs::create_dir_all(source.join(name).parent().unwrap()).unwrap();
        fs::write(source.join(name), text).unwrap();
    }
    let imports = Imports::of(&source);
    let lines = |arrows: Vec<&Arrow>| {
        arrows.iter().map(|arrow| format!("{}:{}", arrow.from.display(), arrow.line)).collect::<Vec<_>>()
    };
    assert_eq!(lines(imports.circles()), ["a.rs:4", "a.rs:2", "a/inner.rs:2", "b.rs:2", "c.rs:1"]);
    assert_eq!(lines(imports.upward()), ["a/inner.rs:2"]);
    fs::remove_dir_all(folder).unwrap();
}

fn tempfile() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("twofactor-layers-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn unsafe_stands_in_the_files_that_speak_to_libpam_wipe_memory_and_fork_and_nowhere_else() {
    let mut found = BTreeSet::new();
    for package in PACKAGES {
        for path in files_below(&workspace().join(package), "rs") {
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
    // The test programs are applications of libpam, and the security key is C's; everything else of the tests is a harness and
    // safe.
    found.retain(|path| !path.starts_with("tests/src/bin/") && !path.starts_with("tests/security-key/"));
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
        for path in files_below(&workspace().join(package), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
        }
    }
}

#[test]
fn the_libraries_read_no_clock_environment_or_terminal() {
    for path in LIBRARIES.iter().flat_map(|library| files_below(&workspace().join(library).join("src"), "rs")) {
        let text = code(&path);
        // The architecture is a constant of the compiler.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().replace("std::env::consts::ARCH", "");
        let name = path.strip_prefix(workspace()).unwrap().display().to_string();
        for word in
            ["std::env", "println!", "eprintln!", "print!(", "std::process", "io::stdin", "io::stdout", "std::net::Tcp"]
        {
            assert!(!text.contains(word), "{name} uses {word}");
        }
        // The one place where the host's clock is wrapped; the programs hand it in.
        assert!(
            !text.contains("SystemTime::now") || name == "twofactor-core/src/host/clock.rs",
            "{name} reads the clock"
        );
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

/// The crates that a package needs to run.
fn needed_by(package: &str) -> BTreeSet<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", package]);
    let output = command.current_dir(workspace()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

#[test]
fn the_module_needs_neither_the_crate_of_administration_nor_those_that_read_seed_files() {
    let (importer, module) = (needed_by("twofactor-admin"), needed_by("pam_twofactor"));
    for name in ["twofactor-admin", "zip", "quick-xml", "aes", "cbc", "pbkdf2"] {
        assert!(importer.contains(name), "the importer no longer needs {name}");
        assert!(!module.contains(name), "the module needs {name}");
    }
}

#[test]
fn the_module_needs_neither_sqlite_nor_the_crates_that_it_brings() {
    let module = needed_by("pam_twofactor");
    for name in ["rusqlite", "libsqlite3-sys"] {
        assert!(needed_by("twofactord").contains(name), "the broker no longer needs {name}");
        assert!(!module.contains(name), "the module needs {name}");
    }
}

#[test]
fn the_module_needs_no_crate_of_networks_and_asks_libc_for_no_address() {
    let (module, link, server) =
        (needed_by("pam_twofactor"), needed_by("twofactor-link"), needed_by("twofactor-server"));
    for (users, name) in [
        (&link, "rustls"),
        (&link, "ring"),
        (&link, "twofactor-net"),
        (&server, "tokio"),
        (&server, "tokio-postgres"),
        (&server, "mio"),
        (&server, "socket2"),
    ] {
        assert!(users.contains(name), "the fleet no longer needs {name}");
        assert!(!module.contains(name), "the module needs {name}");
    }
    // It connects to a socket of this host, and so does the link, which looks up names beside that.
    let (module, link) = (imported_by(&debug().module), imported_by(artifacts::link()));
    assert!(module.contains("connect") && link.contains("connect"));
    assert!(link.contains("getaddrinfo"), "{link:?}");
    for function in ["getaddrinfo", "gethostbyname", "bind", "listen", "accept4"] {
        assert!(!module.contains(function), "the module calls {function}");
    }
}

/// The functions that a program or library takes from others.
fn imported_by(file: &Path) -> BTreeSet<String> {
    let output = Command::new("readelf").args(["--dyn-syms", "--wide"]).arg(file).output().expect("readelf runs");
    let symbols = String::from_utf8(output.stdout).unwrap();
    let undefined = symbols.lines().filter_map(|line| line.split_once(" UND ")?.1.split(['@', ' ']).next());
    undefined.map(str::to_owned).collect()
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
    for package in ["twofactor-core", "twofactor-admin", "pam_twofactor", "twofactor-cli"] {
        for path in files_below(&workspace().join(package).join("src"), "rs") {
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
