//! Reads QR codes back as a phone would: from half blocks, from ASCII, from a colour terminal, from PNG and from SVG.

use std::path::Path;

use twofactor_core::text::qr::{Qr, QuietZone};

/// Modules become squares of that many pixels: enough for a scanner to find the code.
const SCALE: usize = 4;

/// A picture of pixels; `true` is light.
#[derive(Debug, Clone)]
struct Picture {
    rows: Vec<Vec<bool>>,
}

impl Picture {
    /// The texts of all codes in the picture.
    fn scan(&self, scale: usize) -> Vec<String> {
        let width = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        if width == 0 {
            return Vec::new();
        }
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * scale, self.rows.len() * scale, |x, y| {
            let light = self.rows.get(y / scale).and_then(|row| row.get(x / scale)).copied().unwrap_or(true);
            if light { 255 } else { 0 }
        });
        image.detect_grids().iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
    }
}

/// Writes the code of `text` as a PNG file, as an app exports it.
pub fn write_png(path: &Path, text: &str) {
    let code = Qr::encode(text, QuietZone::Standard).unwrap();
    let side = code.width() * SCALE;
    let pixel = |at: usize| if code.is_light(at % side / SCALE, at / side / SCALE) { 255 } else { 0 };
    let pixels: Vec<u8> = (0..side * side).map(pixel).collect();
    let pixels_wide = u32::try_from(side).unwrap();
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), pixels_wide, pixels_wide);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
}

/// The code drawn in half blocks somewhere in `text`.
pub fn from_half_blocks(text: &str) -> Option<String> {
    let drawn =
        |line: &&str| line.chars().count() > 20 && line.chars().all(|glyph| matches!(glyph, '█' | '▀' | '▄' | ' '));
    let rows = text.lines().filter(drawn).flat_map(|line| {
        let half = |glyphs: [char; 2]| line.chars().map(|glyph| glyphs.contains(&glyph)).collect::<Vec<bool>>();
        [half(['█', '▀']), half(['█', '▄'])]
    });
    only(&Picture { rows: rows.collect() }.scan(SCALE))
}

/// The code drawn with `##` somewhere in `text`.
pub fn from_ascii(text: &str) -> Option<String> {
    let drawn = |line: &&str| line.len() > 40 && line.bytes().all(|glyph| matches!(glyph, b'#' | b' '));
    let rows = text.lines().filter(drawn).map(|line| line.as_bytes().chunks(2).map(|cell| cell == b"##").collect());
    only(&Picture { rows: rows.collect() }.scan(SCALE))
}

/// The code drawn with colours (SGR sequences) somewhere in what a terminal was sent.
pub fn from_colours(text: &str) -> Option<String> {
    only(&Picture { rows: rows_of_colours(text) }.scan(SCALE))
}

/// The code in a PNG file.
pub fn from_png(path: &Path) -> Option<String> {
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (width, bits) = (usize::try_from(info.width).unwrap(), usize::from(info.bit_depth as u8));
    let samples = info.color_type.samples();
    let row = |line: &[u8]| {
        (0..width)
            .map(|column| {
                let bit = column * samples * bits;
                let byte = line[bit / 8];
                if bits >= 8 { byte >= 128 } else { byte >> (8 - bits - bit % 8) & 1 == 1 }
            })
            .collect()
    };
    only(&Picture { rows: pixels.chunks(info.line_size).map(row).collect() }.scan(1))
}

/// The code in an SVG drawing of the QR library: one path of `M x y h w v h H x V y` rectangles on a light ground.
pub fn from_svg(svg: &str) -> Option<String> {
    let attribute = |name: &str| {
        let rest = svg.split_once(&format!(" {name}=\""))?.1;
        Some(rest.split_once('"')?.0.trim_end_matches("px").to_owned())
    };
    let size: usize = attribute("width")?.parse().ok()?;
    let mut rows = vec![vec![true; size]; size];
    for rectangle in svg.split_once(" d=\"")?.1.split_once('"')?.0.split('M').skip(1) {
        let numbers: Vec<usize> = rectangle
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [x, y, width, height, ..] = numbers[..] else {
            return None;
        };
        for row in rows.iter_mut().skip(y).take(height) {
            row.iter_mut().skip(x).take(width).for_each(|pixel| *pixel = false);
        }
    }
    only(&Picture { rows }.scan(1))
}

fn only(codes: &[String]) -> Option<String> {
    match codes {
        [code] => Some(code.clone()),
        _ => None,
    }
}

/// Interprets SGR colours: every character cell gives two pixels above each other, in the cell's colours.
fn rows_of_colours(text: &str) -> Vec<Vec<bool>> {
    let mut rows = Vec::new();
    for line in text.lines() {
        // Two pixels stand above each other in a cell: the upper and the lower half.
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let mut colours = Colours::default();
        let mut coloured = false;
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match character {
                '\u{1b}' => {
                    let sequence: String = characters.by_ref().skip(1).take_while(|end| *end != 'm').collect();
                    colours.apply(&sequence);
                    coloured = true;
                }
                '\r' => {}
                _ => {
                    let (above, below) = match character {
                        '█' => (colours.ink, colours.ink),
                        '▀' => (colours.ink, colours.ground),
                        '▄' => (colours.ground, colours.ink),
                        _ => (colours.ground, colours.ground),
                    };
                    upper.push(above);
                    lower.push(below);
                }
            }
        }
        if coloured && upper.len() > 20 {
            rows.push(upper);
            rows.push(lower);
        }
    }
    rows
}

/// The colours of the pen: light or dark.
#[derive(Debug, Clone, Copy)]
struct Colours {
    ink: bool,
    ground: bool,
}

impl Default for Colours {
    /// A dark terminal.
    fn default() -> Self {
        Self { ink: true, ground: false }
    }
}

impl Colours {
    fn apply(&mut self, sequence: &str) {
        let mut numbers = sequence.split(';').map(|number| number.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                30 => self.ink = false,
                37 | 97 => self.ink = true,
                39 => self.ink = Self::default().ink,
                40 => self.ground = false,
                47 | 107 => self.ground = true,
                49 => self.ground = Self::default().ground,
                38 | 48 => {
                    let light = match numbers.next() {
                        Some(5) => matches!(numbers.next(), Some(7 | 15 | 231 | 255)),
                        _ => (0..3).filter_map(|_| numbers.next()).sum::<u16>() > 384,
                    };
                    let part = if number == 38 { &mut self.ink } else { &mut self.ground };
                    *part = light;
                }
                _ => {}
            }
        }
    }
}
