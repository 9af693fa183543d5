//! A screen: its size, and the characters and colours that it takes.

/// The abilities of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Columns and rows; `None` when it is no terminal, so there is no limit.
    pub(crate) size: Option<(usize, usize)>,
    /// The characters and colours it takes.
    pub(crate) palette: Palette,
}

/// The characters and colours that a screen takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Palette {
    /// UTF-8 and colours.
    Color,
    /// UTF-8.
    Utf8,
    /// Neither.
    Ascii,
}

/// The colour of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tint {
    Plain,
    Red,
    Yellow,
    Green,
    Cyan,
}

/// A word in bold and in colour, where the screen has colours.
pub(crate) fn tinted(word: &str, tint: Tint, screen: Screen) -> String {
    let number = match tint {
        Tint::Plain => return word.to_owned(),
        Tint::Red => 31,
        Tint::Green => 32,
        Tint::Yellow => 33,
        Tint::Cyan => 36,
    };
    match screen.palette {
        Palette::Color => format!("\u{1b}[1;{number}m{word}\u{1b}[0m"),
        Palette::Utf8 | Palette::Ascii => word.to_owned(),
    }
}
