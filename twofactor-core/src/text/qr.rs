//! A QR code as text, without escape sequences: for pipes, for terminals without colour, and for a PAM conversation,
//! where ssh prints ESC as `\033`.
//!
//! Drawn for a dark terminal: light modules are drawn, dark ones are left blank. Error-correction level L and a quiet zone
//! that the screen has room for keep it small enough for a console of 80 columns and 24 rows.

use qrcode::{Color, EcLevel, QrCode};
use thiserror::Error;
use zeroize::Zeroizing;

/// The light modules around a symbol. Each of them decodes on a dark screen; the wider, the farther off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuietZone {
    /// Four modules, as the standard says (ISO/IEC 18004 §5.3.8).
    Standard,
    /// Two modules.
    Half,
    /// One module: with less, a dark screen runs into the finder patterns.
    Least,
}

impl QuietZone {
    /// All, the widest first.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Half, Self::Least];

    fn modules(self) -> usize {
        match self {
            Self::Standard => 4,
            Self::Half => 2,
            Self::Least => 1,
        }
    }
}

/// Rows of a console.
const CONSOLE_ROWS: usize = 24;

/// A text is too long for a QR code.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the text is too long for a QR code")]
pub struct TooLong;

/// The glyphs a QR code is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// `█ ▀ ▄`: two modules in a character, for UTF-8 terminals.
    HalfBlocks,
    /// `##` and blanks: one module in two characters, for everything else.
    Ascii,
}

/// The modules of a QR code with its quiet zone.
pub struct Qr {
    /// Row by row; `true` is a light module.
    light: Zeroizing<Vec<bool>>,
    width: usize,
}

impl Qr {
    /// Encodes `text` at error-correction level L.
    pub fn encode(text: &str, zone: QuietZone) -> Result<Self, TooLong> {
        let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| TooLong)?;
        let inner = code.width();
        let zone = zone.modules();
        let width = inner + 2 * zone;
        let mut light = Zeroizing::new(vec![true; width * width]);
        for (index, color) in code.to_colors().into_iter().enumerate() {
            let (row, column) = (index / inner + zone, index % inner + zone);
            if let Some(module) = light.get_mut(row * width + column) {
                *module = color == Color::Light;
            }
        }
        Ok(Self { light, width })
    }

    /// Encodes `text` for a screen of unknown size: with the wider quiet zone when a console has room for that and for a
    /// prompt below it, else as small as it decodes.
    pub fn encode_small(text: &str, glyphs: Glyphs) -> Result<Self, TooLong> {
        let wider = Self::encode(text, QuietZone::Half)?;
        if wider.rows(glyphs) < CONSOLE_ROWS { Ok(wider) } else { Self::encode(text, QuietZone::Least) }
    }

    /// Modules on a side, with the quiet zone.
    pub fn width(&self) -> usize {
        self.width
    }

    /// True when the module is light; everything outside the symbol is.
    pub fn is_light(&self, column: usize, row: usize) -> bool {
        column >= self.width || self.light.get(row * self.width + column).copied().unwrap_or(true)
    }

    /// Columns that a drawing takes.
    pub fn columns(&self, glyphs: Glyphs) -> usize {
        match glyphs {
            Glyphs::HalfBlocks => self.width,
            Glyphs::Ascii => self.width * 2,
        }
    }

    /// Rows that a drawing takes.
    pub fn rows(&self, glyphs: Glyphs) -> usize {
        match glyphs {
            Glyphs::HalfBlocks => self.width.div_ceil(2),
            Glyphs::Ascii => self.width,
        }
    }

    /// Draws the code; every line ends in a newline.
    pub fn draw(&self, glyphs: Glyphs) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(self.width * (self.width * 3 + 1)));
        match glyphs {
            Glyphs::HalfBlocks => {
                for row in (0..self.width).step_by(2) {
                    for column in 0..self.width {
                        text.push(match (self.is_light(column, row), self.is_light(column, row + 1)) {
                            (true, true) => '█',
                            (true, false) => '▀',
                            (false, true) => '▄',
                            (false, false) => ' ',
                        });
                    }
                    text.push('\n');
                }
            }
            Glyphs::Ascii => {
                for row in 0..self.width {
                    for column in 0..self.width {
                        text.push_str(if self.is_light(column, row) { "##" } else { "  " });
                    }
                    text.push('\n');
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "otpauth://totp/example.org:alice@web1?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\
                       &issuer=example.org";

    /// Reads a drawing back as a phone would: turns characters into pixels and lets rqrr find the code.
    fn scan(drawing: &str, glyphs: Glyphs) -> String {
        const SCALE: usize = 4;
        let rows: Vec<Vec<bool>> = drawing
            .lines()
            .flat_map(|line| {
                let cells: Vec<char> = line.chars().collect();
                match glyphs {
                    Glyphs::Ascii => vec![cells.chunks(2).map(|cell| cell == ['#', '#']).collect()],
                    Glyphs::HalfBlocks => vec![
                        cells.iter().map(|cell| matches!(cell, '█' | '▀')).collect(),
                        cells.iter().map(|cell| matches!(cell, '█' | '▄')).collect::<Vec<bool>>(),
                    ],
                }
            })
            .collect();
        let width = rows[0].len();
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * SCALE, rows.len() * SCALE, |x, y| {
            if rows[y / SCALE][x / SCALE] { 255 } else { 0 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code is visible");
        grids[0].decode().unwrap().1
    }

    #[test]
    fn half_blocks_and_ascii_decode_to_the_exact_uri_on_a_dark_screen() {
        for zone in QuietZone::ALL {
            let qr = Qr::encode(URI, zone).unwrap();
            for glyphs in [Glyphs::HalfBlocks, Glyphs::Ascii] {
                let drawing = qr.draw(glyphs);
                assert_eq!(drawing.lines().count(), qr.rows(glyphs));
                assert_eq!(scan(&drawing, glyphs), URI, "{zone:?}");
                let dark = format!("{:200}\n", "").repeat(4);
                let beside: Vec<String> = drawing.lines().map(|line| format!("{:8}{line:192}\n", "")).collect();
                assert_eq!(scan(&format!("{dark}{}{dark}", beside.concat()), glyphs), URI, "{zone:?}");
            }
        }
    }

    /// `web1.example.org` and `alice`, and a shorter host with a longer name.
    #[test]
    fn the_uri_of_a_usual_host_fits_a_console_with_the_prompt_below_it() {
        for (host, user) in [("web1", "alice"), ("web1.example.org", "alice"), ("testhost", "firstname.lastname")] {
            let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
            let uri = format!("otpauth://totp/{host}:{user}@{host}?secret={secret}&issuer={host}");
            let qr = Qr::encode_small(&uri, Glyphs::HalfBlocks).unwrap();
            assert!(qr.rows(Glyphs::HalfBlocks) < CONSOLE_ROWS, "{} rows: {uri}", qr.rows(Glyphs::HalfBlocks));
            assert!(qr.columns(Glyphs::HalfBlocks) <= 80);
        }
    }

    #[test]
    fn a_drawing_has_straight_sides_and_no_escape_sequences() {
        let qr = Qr::encode(URI, QuietZone::Standard).unwrap();
        let drawing = qr.draw(Glyphs::HalfBlocks);
        assert!(drawing.lines().all(|line| line.chars().count() == qr.columns(Glyphs::HalfBlocks)));
        assert!(!drawing.contains('\u{1b}'));
    }

    #[test]
    fn a_text_beyond_version_40_is_refused() {
        assert!(matches!(Qr::encode(&"x".repeat(3000), QuietZone::Standard), Err(TooLong)));
    }
}
