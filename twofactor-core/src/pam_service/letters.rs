//! Letters that look like a blank or like nothing, and that libpam takes for a part of a word: the module of such a line is not
//! found, and what is put beside it is taken for one of them.

use std::fmt;
use std::path::PathBuf;

/// Such a letter, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub number: usize,
    /// The letter.
    pub letter: char,
}

impl fmt::Display for Letter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.letter {
            '\r' => formatter.write_str("a carriage return"),
            '\u{a0}' => formatter.write_str("a no-break space"),
            letter => write!(formatter, "the letter U+{:04X}", u32::from(letter)),
        }
    }
}

/// The first such letter of a word.
pub fn unfit_in(word: &str) -> Option<char> {
    word.chars().find(|letter| is_unfit(*letter))
}

/// True when a letter looks like a blank or like nothing, and is a part of a word to libpam.
pub fn is_unfit(letter: char) -> bool {
    match letter {
        ' ' | '\t' | '\n' => false,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => true,
        letter => letter.is_control() || letter.is_whitespace(),
    }
}
