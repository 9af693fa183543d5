//! What was found: how bad it is, where it is, and the command that corrects it.

use super::catalogue::Id;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which kind of thing.
    pub id: Id,
    /// What it is on this host.
    pub what: String,
    /// The way out.
    pub mend: Mend,
}

/// What mends something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// A command.
    Run(String),
    /// A command, when what is said of it is what somebody wants.
    Consider {
        /// What to think about first.
        advice: String,
        /// The command.
        command: String,
    },
    /// Something that no command does alone: an edit, usually.
    Do(String),
}

impl Mend {
    /// What to think about or to do, unless a command says it all.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Run(_) => None,
            Self::Consider { advice, .. } | Self::Do(advice) => Some(advice),
        }
    }

    /// What can be pasted into a root shell.
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

    /// Something that somebody has to mend by hand.
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
