//! `twofactor`: the command as a program. All of it is the library, which `twofactor-server administer` runs, too.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    twofactor_cli::run(&std::env::args_os().collect::<Vec<_>>())
}
