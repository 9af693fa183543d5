//! `cargo test --workspace` builds the broker because of this file, as it does the tool (see there).

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::process::Command;

#[test]
fn the_broker_is_built_with_the_suites_and_runs() {
    let output = Command::new(env!("CARGO_BIN_EXE_twofactord")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("twofactord {}\n", env!("CARGO_PKG_VERSION")));
}
