//! Questions before a change that cannot be undone, and what happens where no person can be asked.

use twofactor_core::store::administration::{LastCredential, TokenError};

use crate::args;
use crate::error::Failure;
use crate::terminal::{self, Yes};

/// The possibility to ask a person a yes-or-no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// At a terminal, and `--yes` was not given.
    Possible,
    /// No person is at a terminal.
    Impossible,
    /// `--yes`.
    Unwanted,
}

impl Asking {
    /// For commands without `--yes`.
    pub(crate) fn at_a_terminal() -> Self {
        if terminal::is_interactive() { Self::Possible } else { Self::Impossible }
    }

    /// For commands with it.
    pub(crate) fn unless(yes: &args::tokens::Yes) -> Self {
        if yes.yes { Self::Unwanted } else { Self::at_a_terminal() }
    }

    /// Asks before something that cannot be undone.
    pub(crate) fn confirm(self, question: &str) -> Result<(), Failure> {
        match self {
            Self::Unwanted => Ok(()),
            Self::Impossible => Err(Failure::CannotAsk),
            Self::Possible => ask(question),
        }
    }

    /// Does `act`, which may refuse to take a user's last credential: at a terminal that is a question.
    pub(crate) fn act<T>(
        self,
        last: LastCredential,
        mut act: impl FnMut(LastCredential) -> Result<T, TokenError>,
    ) -> Result<T, Failure> {
        match act(last) {
            Err(error @ TokenError::LastCredential(_)) if self == Self::Possible => {
                let what = error.to_string().replacen("token", "Token", 1);
                ask(&format!("{what}. Take it all the same? [y/N] "))?;
                Ok(act(LastCredential::Take)?)
            }
            result => Ok(result?),
        }
    }
}

fn ask(question: &str) -> Result<(), Failure> {
    match terminal::ask_yes(question)? {
        Yes::Yes => Ok(()),
        Yes::No => Err(Failure::Declined),
    }
}
