//! Findings: severity, place, and the command that corrects them.

use super::catalogue::Id;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub id: Id,
    /// Its details on this host.
    pub what: String,
    /// The way out.
    pub mend: Mend,
}

/// The way to fix a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// A command.
    Run(String),
    /// A command, for a reader who agrees with the advice.
    Consider {
        /// The advice to consider first.
        advice: String,
        /// The command.
        command: String,
    },
    /// Something that no command does alone: an edit, usually.
    Do(String),
}

impl Mend {
    /// The advice, unless a command says it all.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Run(_) => None,
            Self::Consider { advice, .. } | Self::Do(advice) => Some(advice),
        }
    }

    /// The command, to be pasted into a root shell.
    pub fn command(&self) -> Option<&str> {
        match self {
            Self::Run(command) | Self::Consider { command, .. } => Some(command),
            Self::Do(_) => None,
        }
    }
}

impl Finding {
    /// Something that one command mends.
    pub fn run(id: Id, what: impl Into<String>, command: impl Into<String>) -> Self {
        Self { id, what: what.into(), mend: Mend::Run(command.into()) }
    }

    /// Something that a command mends, when `advice` is heeded.
    pub fn consider(id: Id, what: impl Into<String>, advice: impl Into<String>, command: impl Into<String>) -> Self {
        Self { id, what: what.into(), mend: Mend::Consider { advice: advice.into(), command: command.into() } }
    }

    /// A finding that has to be fixed by hand.
    pub fn by_hand(id: Id, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { id, what: what.into(), mend: Mend::Do(advice.into()) }
    }
}

/// Names for a sentence: all of a few, the first of many.
pub fn some_of<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const MOST: usize = 8;
    let names: Vec<&str> = names.into_iter().collect();
    match names.len().checked_sub(MOST) {
        Some(more @ 1..) => {
            format!("{} and {more} more", names.iter().take(MOST).copied().collect::<Vec<_>>().join(", "))
        }
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_the_first_are_told() {
        assert_eq!(some_of(["a", "b"]), "a, b");
        let many: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        assert_eq!(some_of(many.iter().map(String::as_str)), "0, 1, 2, 3, 4, 5, 6, 7 and 3 more");
    }
}
