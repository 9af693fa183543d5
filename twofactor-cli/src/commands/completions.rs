//! `twofactor completions SHELL`: a script for the shell to load.

use crate::args::{self, Completions};
use crate::error::Failure;
use crate::output;

pub(crate) fn run(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut args::command_line(), "twofactor", &mut script);
    Ok(output::raw(&String::from_utf8_lossy(&script))?)
}
