//! The journal of the unit.

/// Says something there, or to the terminal of a sysadmin who starts the server by hand.
#[expect(
    clippy::print_stderr,
    reason = "the journal of the unit, and the terminal of a sysadmin who starts it by hand"
)]
pub(crate) fn complain(problem: &str) {
    eprintln!("twofactor-server: {problem}");
}
