//! The QR code: on a screen as large as the screen allows, and as a PNG or SVG file.
//!
//! A terminal of 80 columns and 24 rows is what a console has. The quiet zone is the widest that leaves room for the text
//! around the code, or at least for the secret and the prompt below it; a code that is wider than the screen is not drawn
//! at all, because a wrapped code is garbage.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use qr2term::matrix::Matrix;
use qr2term::render::{Color, Renderer};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use twofactor_core::text::qr::{Glyphs, Qr, QuietZone};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::output::{Palette, Screen, Unwritten};

/// `--qr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QrChoice {
    // As the terminal and the locale allow.
    Auto,
    // Half blocks, without colour.
    Utf8,
    // Number signs, twice as wide.
    Ascii,
    // Not at all.
    None,
}

/// The result of the wish for a drawing.
pub(crate) enum Drawing {
    /// None was wanted.
    None,
    /// The screen has fewer columns than it takes.
    TooNarrow {
        /// The columns it takes.
        columns: usize,
        /// The columns it would take in half blocks, when that fits.
        in_half_blocks: Option<usize>,
    },
    /// It was drawn.
    Drawn {
        /// Lines that end in newlines. They may hold escape sequences.
        text: Zeroizing<String>,
        /// The rows it takes with the text below it, when the screen has fewer.
        too_tall: Option<usize>,
    },
}

/// Rows that the text around a code takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    /// The rows that may scroll away.
    pub(crate) above: usize,
    /// The rows that must be in view together with the code.
    pub(crate) below: usize,
}

/// Draws the code of `uri` for a screen that shows a text around it.
pub(crate) fn draw(uri: &str, choice: QrChoice, screen: Screen, around: Around) -> Result<Drawing, Failure> {
    let pen = match (choice, screen.palette) {
        (QrChoice::None, _) => return Ok(Drawing::None),
        (QrChoice::Ascii, _) | (QrChoice::Auto, Palette::Ascii) => Pen::Plain(Glyphs::Ascii),
        (QrChoice::Utf8, _) | (QrChoice::Auto, Palette::Utf8) => Pen::Plain(Glyphs::HalfBlocks),
        (QrChoice::Auto, Palette::Color) => Pen::Color,
    };
    let mut symbols = Vec::with_capacity(QuietZone::ALL.len());
    for zone in QuietZone::ALL {
        symbols.push(Symbol { qr: Qr::encode(uri, zone).map_err(|_| Failure::QrTooLong)?, pen });
    }
    let [complete, .., smallest] = &symbols[..] else { return Ok(Drawing::None) };
    let Some((columns, rows)) = screen.size else {
        return Ok(Drawing::Drawn { text: complete.draw(), too_tall: None });
    };
    let leaves = |symbol: &&Symbol, room: usize| symbol.columns() <= columns && symbol.rows() + room <= rows;
    let with_all = symbols.iter().find(|symbol| leaves(symbol, around.above + around.below));
    if let Some(symbol) = with_all.or_else(|| symbols.iter().find(|symbol| leaves(symbol, around.below))) {
        return Ok(Drawing::Drawn { text: symbol.draw(), too_tall: None });
    }
    if smallest.columns() > columns {
        return Ok(Drawing::TooNarrow {
            columns: smallest.columns(),
            in_half_blocks: Some(smallest.qr.width()).filter(|width| *width <= columns),
        });
    }
    Ok(Drawing::Drawn { text: smallest.draw(), too_tall: Some(smallest.rows() + around.below) })
}

/// The material of the drawing.
#[derive(Debug, Clone, Copy)]
enum Pen {
    Color,
    Plain(Glyphs),
}

impl Pen {
    /// The glyphs that take as much room.
    fn glyphs(self) -> Glyphs {
        match self {
            Self::Color => Glyphs::HalfBlocks,
            Self::Plain(glyphs) => glyphs,
        }
    }
}

/// A code as it would stand on the screen.
struct Symbol {
    qr: Qr,
    pen: Pen,
}

impl Symbol {
    fn columns(&self) -> usize {
        self.qr.columns(self.pen.glyphs())
    }

    fn rows(&self) -> usize {
        self.qr.rows(self.pen.glyphs())
    }

    fn draw(&self) -> Zeroizing<String> {
        match self.pen {
            Pen::Plain(glyphs) => self.qr.draw(glyphs),
            Pen::Color => self.draw_in_color().unwrap_or_else(|| self.qr.draw(Glyphs::HalfBlocks)),
        }
    }

    /// With qr2term, whose own `print_qr` panics when the reader has gone away. From our matrix, because qr2term's is of
    /// error-correction level M and larger.
    fn draw_in_color(&self) -> Option<Zeroizing<String>> {
        let side = self.qr.width();
        let modules = (0..side).flat_map(|row| (0..side).map(move |column| (column, row)));
        let color = |(column, row)| {
            if self.qr.is_light(column, row) { Color::Light } else { Color::Dark }
        };
        let matrix = Matrix::new(modules.map(color).collect());
        let mut drawing = Zeroizing::new(Vec::with_capacity(128 * 1024));
        Renderer::default().render(&matrix, &mut *drawing).ok()?;
        String::from_utf8(std::mem::take(&mut *drawing)).ok().map(Zeroizing::new)
    }
}

/// `--qr-file`: a file that does not exist yet.
#[derive(Debug, Clone)]
pub(crate) struct QrFile {
    path: PathBuf,
    format: ImageFormat,
}

/// The form of a QR code in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageFormat {
    Png,
    Svg,
}

impl ImageFormat {
    /// The ending of such a file's name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }
}

impl FromStr for QrFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase).as_deref() {
            Some("png") => ImageFormat::Png,
            Some("svg") => ImageFormat::Svg,
            _ => return Err("the name of the file ends in .png or .svg"),
        };
        Ok(Self { path, format })
    }
}

impl QrFile {
    /// Writes the code of `uri`, for its owner only. The file holds a secret: it goes away again unless it is kept.
    pub(crate) fn write(self, uri: &str) -> Result<Written, Failure> {
        let image = match self.format {
            ImageFormat::Png => png(uri)?,
            ImageFormat::Svg => svg(uri)?,
        };
        create(self.path, &image)
    }

    /// The file with that name and form.
    pub(crate) fn of(path: PathBuf, format: ImageFormat) -> Self {
        Self { path, format }
    }
}

/// Writes a new file, for its owner only. It holds secrets: it goes away again unless it is kept.
pub(crate) fn create(path: PathBuf, content: &[u8]) -> Result<Written, Failure> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(Failure::FileExists(path)),
        created => created.map_err(|error| Failure::OutputFile { path: path.clone(), error })?,
    };
    let written = Written { path, fate: Fate::Removed };
    match file.write_all(content).and_then(|()| file.sync_all()) {
        Ok(()) => Ok(written),
        Err(error) => Err(Failure::OutputFile { path: written.path.clone(), error }),
    }
}

/// A file with a QR code or recovery codes that is removed when its secret comes to nothing.
#[derive(Debug)]
pub(crate) struct Written {
    path: PathBuf,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Removed,
    Kept,
}

impl Written {
    /// The secret is in use: the file stays.
    pub(crate) fn keep(mut self) {
        self.fate = Fate::Kept;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if self.fate == Fate::Removed {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Pixels on a side of a module: a byte of a PNG with one bit a pixel.
const PIXELS: u32 = u8::BITS;

fn png(uri: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let qr = Qr::encode(uri, QuietZone::Standard).map_err(|_| Failure::QrTooLong)?;
    let mut pixels = Zeroizing::new(Vec::with_capacity(qr.width() * qr.width() * 8));
    for row in 0..qr.width() {
        let line = (0..qr.width()).map(|column| if qr.is_light(column, row) { u8::MAX } else { 0 });
        for _ in 0..PIXELS {
            pixels.extend(line.clone());
        }
    }
    let mut image = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let side = u32::try_from(qr.width()).unwrap_or(u32::MAX).saturating_mul(PIXELS);
    let mut encoder = png::Encoder::new(&mut *image, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let finished = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    finished.map_err(|error| Unwritten(io::Error::other(error)))?;
    Ok(image)
}

fn svg(uri: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let code = QrCode::with_error_correction_level(uri, EcLevel::L).map_err(|_| Failure::QrTooLong)?;
    Ok(Zeroizing::new(code.render::<svg::Color<'_>>().build().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "otpauth://totp/web1:alice@web1?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\
                       &issuer=web1";

    /// A text of four rows above the code, the secret and the prompt below it.
    fn drawn(choice: QrChoice, palette: Palette, size: Option<(usize, usize)>) -> Drawing {
        draw(URI, choice, Screen { size, palette }, Around { above: 4, below: 2 }).unwrap()
    }

    #[test]
    fn a_code_is_as_large_as_the_screen_allows() {
        for palette in [Palette::Color, Palette::Utf8] {
            for (rows, drawn_rows) in [(60, 21), (27, 21), (26, 19), (25, 19), (24, 18), (23, 21), (21, 19), (20, 18)] {
                let Drawing::Drawn { text, too_tall: None } = drawn(QrChoice::Auto, palette, Some((80, rows))) else {
                    panic!("it does not fit into {rows} rows")
                };
                assert_eq!(text.lines().count(), drawn_rows, "{rows}");
            }
        }
    }

    #[test]
    fn a_screen_too_narrow_gets_no_code_and_a_short_one_learns_what_it_lacks() {
        let narrow = drawn(QrChoice::Auto, Palette::Utf8, Some((34, 24)));
        assert!(matches!(narrow, Drawing::TooNarrow { columns: 35, in_half_blocks: None }));
        let ascii = drawn(QrChoice::Auto, Palette::Ascii, Some((69, 60)));
        assert!(matches!(ascii, Drawing::TooNarrow { columns: 70, in_half_blocks: Some(35) }));
        let short = drawn(QrChoice::Auto, Palette::Utf8, Some((80, 19)));
        assert!(matches!(short, Drawing::Drawn { too_tall: Some(20), .. }));
    }

    #[test]
    fn only_a_color_palette_gets_escape_sequences() {
        for (choice, palette) in [(QrChoice::Auto, Palette::Utf8), (QrChoice::Utf8, Palette::Color)] {
            let Drawing::Drawn { text, .. } = drawn(choice, palette, None) else { panic!("nothing was drawn") };
            assert!(text.contains('\u{2580}') && !text.contains('\u{1b}'));
        }
        let Drawing::Drawn { text, .. } = drawn(QrChoice::Ascii, Palette::Color, None) else {
            panic!("nothing was drawn")
        };
        assert!(text.is_ascii() && !text.contains('\u{1b}'));
    }

    /// Reads modules as a phone would: `light` answers for a pixel.
    fn scan(width: usize, height: usize, light: impl Fn(usize, usize) -> bool) -> String {
        const SCALE: usize = 4;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * SCALE, height * SCALE, |x, y| {
            if light(x / SCALE, y / SCALE) { 255 } else { 0 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code is visible");
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_small_drawing_decodes_on_a_dark_screen() {
        let Drawing::Drawn { text, .. } = drawn(QrChoice::Utf8, Palette::Utf8, Some((80, 20))) else {
            panic!("nothing was drawn")
        };
        let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        let light = |column: usize, row: usize| match rows[row / 2][column] {
            '\u{2588}' => true,
            '\u{2580}' => row.is_multiple_of(2),
            '\u{2584}' => !row.is_multiple_of(2),
            _ => false,
        };
        assert_eq!(scan(rows[0].len(), rows.len() * 2, light), URI);
    }

    #[test]
    fn a_drawing_in_color_decodes_by_its_colors() {
        if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            // Whoever runs the tests wants no colours, and qr2term obeys.
            return;
        }
        let Drawing::Drawn { text, .. } = drawn(QrChoice::Auto, Palette::Color, Some((80, 24))) else {
            panic!("nothing was drawn")
        };
        // A character is its background above and, if it is a half block, its foreground below.
        let mut rows: Vec<Vec<(bool, bool)>> = Vec::new();
        for line in text.lines() {
            let (mut above, mut below, mut row) = (false, false, Vec::new());
            for (position, part) in line.split('\u{1b}').enumerate() {
                let (code, rest) = if position == 0 { ("", part) } else { part.split_once('m').unwrap() };
                match code {
                    "[48;5;15" => above = true,
                    "[48;5;0" => above = false,
                    "[38;5;15" => below = true,
                    "[38;5;0" => below = false,
                    _ => {}
                }
                row.extend(rest.chars().map(|glyph| (above, if glyph == ' ' { above } else { below })));
            }
            rows.push(row);
        }
        let light = |column: usize, row: usize| {
            let (above, below) = rows[row / 2][column];
            if row.is_multiple_of(2) { above } else { below }
        };
        assert_eq!(scan(rows[0].len(), rows.len() * 2, light), URI);
    }

    #[test]
    fn a_png_decodes() {
        let image = png(URI).unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(image.as_slice())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.width, info.height);
        let side = usize::try_from(info.width).unwrap() / 8;
        // The decoder leaves one bit a pixel: a byte is a row of a module.
        assert_eq!(scan(side, side, |column, row| pixels[row * 8 * side + column] == u8::MAX), URI);
    }

    #[test]
    fn an_svg_decodes() {
        let image = svg(URI).unwrap();
        let text = std::str::from_utf8(&image).unwrap();
        let side = Qr::encode(URI, QuietZone::Standard).unwrap().width();
        assert!(text.contains(&format!("width=\"{}\"", side * 8)));
        let dark: Vec<(usize, usize)> = text
            .split('M')
            .filter_map(|step| step.split_once('h')?.0.split_once(' '))
            .filter_map(|(x, y)| Some((x.parse::<usize>().ok()? / 8, y.parse::<usize>().ok()? / 8)))
            .collect();
        assert_eq!(scan(side, side, |column, row| !dark.contains(&(column, row))), URI);
    }

    #[test]
    fn only_png_and_svg_are_written() {
        assert!("a.png".parse::<QrFile>().is_ok() && "dir/b.SVG".parse::<QrFile>().is_ok());
        assert!("c.gif".parse::<QrFile>().is_err() && "png".parse::<QrFile>().is_err());
    }
}
