//! The text of services: what the real libpam reads in damaged files, and what becomes of a file that it reads in two ways.

use std::fs;
use std::path::PathBuf;

use twofactor_core::pam_service::Reading;
use twofactor_tests::artifacts::{pam_reader, workspace};
use twofactor_tests::debian::{Release, fresh};
use twofactor_tests::pam_text::{Libpam, STUB_SOURCE};
use twofactor_tests::private_host::{private_host, said};
use twofactor_tests::random::Random;

use crate::layout::{compiled_from, on};

/// What is damaged: every way a line can be written.
const TEXTS: [&str; 4] = [
    "#%PAM-1.0\nauth\trequired\tSTUB one\n\n# why\nauth [success=1 default=ignore] STUB two three # four\n\
     auth requisite pam_nowhere.so\nauth required STUB [five six] [a\\]b]\naccount required STUB\nsession optional STUB x\n",
    "auth required \\\n  STUB a \\\n\tb\n-auth optional pam_nowhere.so\nAUTH Sufficient STUB c\nauth required STUB d\n\
     account [success=ok \\\n default=bad] STUB e\naccount sufficient STUB f\nsession required STUB",
    "@include /etc/pam.d/inner\nauth substack inner\naccount include inner\nsession include inner\n\
     auth [default=die success=done] STUB last\n",
    "auth include nowhere\naccount substack nowhere\naccount required STUB\nsession [success=reset] STUB\n\
     session [default=99999999999] STUB\nsession required STUB end\n",
];

/// What damages do their harm with.
const PIECES: [&[u8]; 24] = [
    b"\\\n",
    b"\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\r",
    b"\r\n",
    b"\x0b",
    b"\x0c",
    b"\0",
    b"#",
    b"\\",
    b"[",
    b"]",
    b"\\]",
    b"-",
    b"=",
    "\u{a0}".as_bytes(),
    "\u{2003}".as_bytes(),
    b"\xff",
    b" \\ \t\n",
    b"\n# c \\\n",
    b"@include",
    b"auth required STUB new\n",
];

#[test]
fn damaged_texts_are_read_as_libpam_reads_them() {
    let program = fs::read(pam_reader()).unwrap();
    let stub = stub();
    private_host(|_| {
        let libpam = Libpam::start_with(&program, &stub, "/etc/pam.d".as_ref());
        assert_agrees_on_damaged_texts(libpam);
    });
}

/// It ends a continued line at a blank line, which that of Debian 12 does not.
#[test]
fn damaged_texts_are_read_as_the_libpam_of_debian_13_reads_them() {
    let program = fs::read(pam_reader()).unwrap();
    let stub = stub();
    fresh(Release::Trixie, |_| {
        let libpam = Libpam::start_with(&program, &stub, "/etc/pam.d".as_ref());
        assert_eq!(libpam.reading(), Reading::New);
        assert_agrees_on_damaged_texts(libpam);
    });
}

/// The stub. To be called outside of a private host, which may have no compiler.
fn stub() -> Vec<u8> {
    compiled_from(STUB_SOURCE)
}

#[track_caller]
fn assert_agrees_on_damaged_texts(mut libpam: Libpam) {
    let seed = Random::seed();
    let mut random = Random::new(seed);
    for number in 0..4000 {
        let text = damaged(&mut random);
        if let Some(disagreement) = libpam.disagreement(&text) {
            panic!("seed {seed}, text {number}: {disagreement}");
        }
    }
}

#[test]
fn what_the_fuzz_target_starts_from_is_read_as_libpam_reads_it() {
    let program = fs::read(pam_reader()).unwrap();
    let corpus = workspace().join("tests/fuzz/corpus/pam_text");
    let paths = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<(PathBuf, Vec<u8>)> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(texts.len() >= 19, "{texts:?}");
    let stub = stub();
    private_host(|_| {
        let mut libpam = Libpam::start_with(&program, &stub, "/etc/pam.d".as_ref());
        for (path, text) in texts {
            assert_eq!(libpam.disagreement(&text), None, "{}", path.display());
        }
    });
}

fn damaged(random: &mut Random) -> Vec<u8> {
    let mut text = random.choose(&TEXTS).as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let length = u64::try_from(text.len()).unwrap();
        let at = usize::try_from(random.below(length + 1)).unwrap();
        match random.below(5) {
            0 => drop(text.drain(at..text.len().min(at + 1 + usize::try_from(random.below(12)).unwrap()))),
            1 if at < text.len() => text[at] ^= 1 << random.below(8),
            2 => {
                let long = usize::try_from(900 + random.below(250)).unwrap();
                drop(text.splice(at..at, std::iter::repeat_n(*random.choose(b"x #"), long)));
            }
            _ => drop(text.splice(at..at, random.choose(&PIECES).iter().copied())),
        }
    }
    text
}

#[test]
fn a_service_that_versions_of_libpam_read_differently_is_refused_by_name_and_is_never_taken_for_well() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let long = format!("# {}auth required pam_permit.so\n@include common-auth\n", "x".repeat(1021));
        for (number, before) in [
            (1, "auth required pam_unix.so \\\n\n@include common-auth\n".to_owned()),
            (2, "# \nauth required pam_unix.so \\\n# why\n@include common-auth\n".to_owned()),
            (1, "auth required pam_unix.so \\\n \t\n  nullok\n@include common-auth\n".to_owned()),
            (1, long),
        ] {
            let text = format!("{before}@include common-account\n");
            fs::write("/etc/pam.d/odd", &text).unwrap();
            let enabled = host.run_twofactor(&["service", "enable", "odd", "--yes"]);
            assert_eq!(enabled.status.code(), Some(7), "{}", said(&enabled));
            assert!(
                said(&enabled).contains(&format!("odd: /etc/pam.d/odd:{number} is read differently")),
                "{}",
                said(&enabled)
            );
            assert_eq!(fs::read_to_string("/etc/pam.d/odd").unwrap(), text);
        }
        // What an older twofactor made of it: to one libpam our lines, to the other arguments of pam_unix.
        let swallowed = "auth required pam_unix.so \\\n\nauth required pam_twofactor.so\naccount required pam_twofactor.so\n\
                         account required pam_unix.so\n";
        fs::write("/etc/pam.d/odd", swallowed).unwrap();
        let list = host.succeed("twofactor", ["service", "list"]);
        assert!(list.contains("odd") && list.contains("read differently"), "{list}");
        let disabled = host.run_twofactor(&["service", "disable", "odd", "--yes"]);
        assert_eq!(disabled.status.code(), Some(7), "{}", said(&disabled));
        assert!(said(&disabled).contains("/etc/pam.d/odd:1 is read differently"), "{}", said(&disabled));
        assert_eq!(fs::read_to_string("/etc/pam.d/odd").unwrap(), swallowed);
        let doctor = host.run_twofactor(&["--json", "doctor"]);
        assert!(said(&doctor).contains("\"service-ambiguous\""), "{}", said(&doctor));
    });
}

/// Whether the module runs there or not: to one libpam the password's line may be another's argument.
#[test]
fn every_service_of_the_host_that_is_read_in_two_ways_is_a_problem_that_doctor_names() {
    on("debian-12", |host, _| {
        let ambiguous = |expected: &[&str]| {
            let doctor = host.run_twofactor(&["--json", "doctor"]);
            let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
            let found = report["findings"].as_array().unwrap().iter();
            let found: Vec<String> = found
                .filter(|finding| finding["id"] == "service-ambiguous")
                .map(|finding| finding["what"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{expected:?}: {found}");
            }
        };
        ambiguous(&[]);
        let continued =
            "auth required pam_unix.so\nsession required pam_env.so \\\n# why\nsession required pam_permit.so\n";
        fs::write("/etc/pam.d/shared", continued).unwrap();
        for name in ["one", "two"] {
            fs::write(format!("/etc/pam.d/{name}"), "@include shared\naccount required pam_unix.so\n").unwrap();
        }
        ambiguous(&["the PAM services one, shared, two: /etc/pam.d/shared:2 is read differently"]);
        for name in ["one", "two", "shared"] {
            fs::remove_file(format!("/etc/pam.d/{name}")).unwrap();
        }
        fs::create_dir_all("/usr/lib/pam.d").unwrap();
        fs::write("/usr/lib/pam.d/vendors", "auth required pam_unix.so \\\n\naccount required pam_unix.so\n").unwrap();
        ambiguous(&["the PAM service \"vendors\": /usr/lib/pam.d/vendors:1 is read differently"]);
    });
}

#[test]
fn a_letter_in_the_name_of_an_included_file_is_named_and_so_is_a_backslash_at_the_end() {
    on("debian-12", |host, _| {
        let rest = "account required pam_unix.so\n";
        fs::write("/etc/pam.d/inner", "# why\n@include common-auth\r\n").unwrap();
        for (text, words, hint) in [
            (format!("@include common-auth\r\n{rest}"), "/etc/pam.d/odd:1 has a carriage return", "sed -i"),
            (format!("@include common-auth\u{a0}\n{rest}"), "/etc/pam.d/odd:1 has a no-break space", "plain blanks"),
            (format!("@include inner\n{rest}"), "/etc/pam.d/inner:2 has a carriage return", "/etc/pam.d/inner"),
            (
                format!("auth required pam_unix.so\n{rest}session required pam_env.so \\"),
                "odd:3 ends with a",
                "odd:3, then",
            ),
            (format!("@include nowhere\n{rest}"), "cannot read /etc/pam.d/nowhere", "restore /etc/pam.d/nowhere"),
        ] {
            fs::write("/etc/pam.d/odd", &text).unwrap();
            let enabled = host.run_twofactor(&["service", "enable", "odd", "--yes"]);
            assert_eq!(enabled.status.code(), Some(7), "{}", said(&enabled));
            let shown = said(&enabled).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(shown.contains(words) && shown.contains(hint), "{words:?}, {hint:?} in {shown}");
            assert!(!shown.contains("pam_twofactor.so\" into"), "{shown}");
            assert_eq!(fs::read_to_string("/etc/pam.d/odd").unwrap(), text);
        }
    });
}
