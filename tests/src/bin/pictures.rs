//! `make pictures`: draws the pictures of the documents anew. The login is a real one, in a private host.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a program of the build reports, and fails loudly")]

use std::fs;
use std::process::ExitCode;

use twofactor_tests::artifacts::{self, workspace};
use twofactor_tests::private_host::run;
use twofactor_tests::{flow_picture, login_picture, requirements};

fn main() -> ExitCode {
    if !requirements::met() {
        return ExitCode::FAILURE;
    }
    let folder = workspace().join("docs/pictures");
    let description = fs::read_to_string(folder.join("flow.txt")).expect("the description of the course");
    let login = run(artifacts::debug(), login_picture::of_a_login);
    for (name, picture) in [("login.svg", login), ("flow.svg", flow_picture::of(&description))] {
        let path = folder.join(name);
        fs::write(&path, picture).expect("docs/pictures can be written");
        println!("{}", path.display());
    }
    ExitCode::SUCCESS
}
