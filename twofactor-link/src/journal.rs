//! The journal of the unit.

/// Says something there, or to the terminal of who starts the link by hand.
#[expect(clippy::print_stderr, reason = "the journal of the unit, and the terminal of who starts it by hand")]
pub(crate) fn complain(problem: &str) {
    eprintln!("twofactor-link: {problem}");
}

/// Prints the result of a command.
#[expect(clippy::print_stdout, reason = "the result of a command")]
pub(crate) fn result(line: &str) {
    println!("{line}");
}
