//! The texts of a service and of all it includes, kept with the places where modules, their arguments and the names of included
//! files stand, so that they can be written anew with others.

use std::ops::Range;

/// The name of the service in the folder of copies.
pub const SERVICE: &str = "service";

/// Every text that was read, each time it was.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// In the order in which they were read: what is included comes behind what includes it.
    pub copies: Vec<Copy>,
}

/// A text. One that is included twice has two copies, so that its lines can do one thing here and another there.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Its name in a folder of copies.
    pub name: String,
    /// The text.
    pub text: Vec<u8>,
    /// The parts that can be replaced in it, in their order.
    pub holes: Vec<Hole>,
}

/// A place of a text.
#[derive(Debug, Clone)]
pub struct Hole {
    /// Its place.
    pub span: Range<usize>,
    /// Its content.
    pub what: What,
}

/// The content of a place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The module of a line, by the line's number among all that were read.
    Module(usize),
    /// The module of a line that libpam does not load.
    Idle,
    /// An argument.
    Argument,
    /// The name of an included file, by its copy; `None` where it is not read.
    Include(Option<usize>),
}

impl Script {
    /// The number of copies: the number of the next one.
    pub(super) fn len(&self) -> usize {
        self.copies.len()
    }

    /// Begins the next copy, whose name in the folder is `name` or else one of its own.
    pub(super) fn begin(&mut self, name: Option<&str>, text: &[u8]) -> usize {
        let number = self.copies.len();
        let name = name.map_or_else(|| format!("included-{number}"), str::to_owned);
        self.copies.push(Copy { name, text: text.to_vec(), holes: Vec::new() });
        number
    }

    /// Remembers a place, in the order of the text.
    pub(super) fn mark(&mut self, copy: usize, span: Range<usize>, what: What) {
        if let Some(copy) = self.copies.get_mut(copy) {
            copy.holes.push(Hole { span, what });
        }
    }
}
