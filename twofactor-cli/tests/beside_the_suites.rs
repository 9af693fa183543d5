//! `cargo test --workspace` builds the tool because of this file, with the features that the suites have built already; alone it
//! would compile the core once more. `tests/run` says that it is there (`tests/src/artifacts.rs`).

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::process::Command;

#[test]
fn the_tool_is_built_with_the_suites_and_runs() {
    let output = Command::new(env!("CARGO_BIN_EXE_twofactor")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("twofactor {}\n", env!("CARGO_PKG_VERSION")));
}
