//! Codes read off a token: from the command line, a prompt, or a script's standard input.

use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::Code;
use zeroize::Zeroizing;

use crate::args::tokens::Codes;
use crate::error::Failure;
use crate::terminal::{self, Unanswered};

/// One code.
pub(super) fn one(typed: Option<String>, question: &str) -> Result<Code, Failure> {
    let typed = match typed {
        Some(typed) => Zeroizing::new(typed.into_bytes()),
        None => terminal::ask_hidden(question).map_err(|unanswered| match unanswered {
            Unanswered::EndOfInput => Failure::NoCode,
            other => other.into(),
        })?,
    };
    match Answer::parse(&typed) {
        Answer::Code(code) => Ok(code),
        Answer::Temporary(_) | Answer::Recovery(_) | Answer::Unintelligible => Err(Failure::NotACode),
    }
}

/// Two consecutive codes.
pub(crate) fn two(typed: Codes) -> Result<[Code; 2], Failure> {
    let first = one(typed.code1, "Code on the token: ")?;
    let second = one(typed.code2, "The next code: ")?;
    Ok([first, second])
}
