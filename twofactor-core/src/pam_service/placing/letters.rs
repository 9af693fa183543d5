//! Letters that look like a blank or like nothing, and that libpam takes for a part of a word: the module of such a line is not
//! found, and what is put beside it is taken for one of them.

use std::fmt;
use std::path::PathBuf;

use super::super::service::Service;

/// Such a letter, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub number: usize,
    /// Which.
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

/// The first such letter in a service: of `text`, which is its own file's, or of what it includes. A carriage return counts in a
/// comment too: what wrote one writes more.
pub(super) fn unfit(service: &Service, text: &str) -> Option<Letter> {
    let own = text.split('\n').zip(1..).find_map(|(line, number)| {
        let read = line.split('#').next().unwrap_or_default();
        let letter =
            line.chars().find(|letter| *letter == '\r').or_else(|| read.chars().find(|letter| is_unfit(*letter)))?;
        Some(Letter { file: service.file.clone(), number, letter })
    });
    own.or_else(|| {
        service.lines.iter().find_map(|line| {
            let words = [&line.control, &line.module].into_iter().chain(&line.arguments);
            let letter = words.into_iter().flat_map(|word| word.chars()).find(|letter| is_unfit(*letter))?;
            Some(Letter { file: line.file.clone(), number: line.number, letter })
        })
    })
}

/// The first such letter of a word.
pub(in super::super) fn unfit_in(word: &str) -> Option<char> {
    word.chars().find(|letter| is_unfit(*letter))
}

fn is_unfit(letter: char) -> bool {
    match letter {
        ' ' | '\t' | '\n' => false,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => true,
        letter => letter.is_control() || letter.is_whitespace(),
    }
}
