//! The pictures of the documents are what `make pictures` draws: nobody has edited them, and they show what happens today.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;

use twofactor_core::log::reason::Reason;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::private_host::private_host;
use twofactor_tests::{flow_picture, login_picture};

fn file(name: &str) -> String {
    fs::read_to_string(workspace().join("docs/pictures").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_picture_of_a_login_is_what_a_real_login_shows() {
    let committed = file("login.svg");
    private_host(|host| {
        let drawn = login_picture::of_a_login(host);
        assert_eq!(committed, drawn, "run \"make pictures\"");
        assert!(drawn.contains("Verification code: ") && drawn.contains("Permission denied"), "{drawn}");
    });
}

#[test]
fn the_picture_of_the_course_is_what_its_description_makes() {
    assert_eq!(file("flow.svg"), flow_picture::of(&file("flow.txt")), "run \"make pictures\"");
}

#[test]
fn every_reason_that_the_description_of_the_course_names_is_one() {
    let description = file("flow.txt");
    let ends = description.lines().filter_map(|line| line.trim().strip_prefix("-> refused: "));
    let words = ends.flat_map(|why| why.split('.').next().unwrap_or(why).split(", ").map(str::trim));
    let mut named = 0;
    for word in words.filter(|word| word.contains('-') || *word == "throttled" || *word == "replayed") {
        assert!(Reason::ALL.iter().any(|reason| reason.word() == word), "{word} is no reason of the log");
        named += 1;
    }
    assert!(named >= 8, "{named}");
}

#[test]
fn every_picture_is_shown_in_a_document() {
    for name in ["login.svg", "flow.svg"] {
        let shown = ["README.md", "docs/guide/getting-started.md", "ARCHITECTURE.md", "docs/decisions.md"];
        let shown = shown.map(|page| fs::read_to_string(workspace().join(page)).unwrap());
        assert!(shown.iter().any(|text| text.contains(&format!("pictures/{name}"))), "{name} is shown nowhere");
    }
}
