//! The quick form of `make torture`: a little of every trial, the same cases each time, and no failure.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails loudly and shows the table"
)]

use std::process::Command;

#[test]
fn a_little_of_every_torture_finds_no_failure() {
    let output = Command::new(env!("CARGO_BIN_EXE_torture"))
        .arg("--quick")
        .env("TWOFACTOR_TESTS_SEED", "1")
        .output()
        .expect("torture runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    if complaints.contains("skipped: ") {
        eprint!("{complaints}");
        return;
    }
    assert!(output.status.success(), "{said}\n{complaints}");
    assert!(said.contains("\nlogins ") && said.contains("\ndamage "), "a table with every trial: {said}");
}
