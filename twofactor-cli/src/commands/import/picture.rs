//! The text of the QR codes in a picture, as phones show them: PNG, of any colours.

use std::io::{self, Cursor};

use png::{ColorType, Decoder, Limits, Transformations};
use zeroize::Zeroizing;

/// The most pixels of a picture: more than any screen has.
const MOST_PIXELS: usize = 32_000_000;

/// True when bytes are a picture in this form.
pub(super) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// The text of all QR codes in a picture, a line each.
pub(super) fn text(bytes: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: 8 * MOST_PIXELS });
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(io::Error::other)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width.checked_mul(height).is_none_or(|pixels| pixels > MOST_PIXELS) {
        return Err(io::Error::other("the picture is too large"));
    }
    let size = reader.output_buffer_size().ok_or_else(|| io::Error::other("the picture is too large"))?;
    let mut pixels = Zeroizing::new(vec![0; size]);
    let frame = reader.next_frame(&mut pixels).map_err(io::Error::other)?;
    let (line, color) = (frame.line_size, frame.color_type);
    let shade = |x: usize, y: usize| {
        let at = y * line + x * color.samples();
        let samples = pixels.get(at..at + color.samples()).unwrap_or_default();
        luminance(color, samples)
    };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
    let mut text = Zeroizing::new(Vec::new());
    for grid in image.detect_grids() {
        let (_, content) = grid.decode().map_err(|_| io::Error::other("a QR code in the picture cannot be read"))?;
        text.extend_from_slice(Zeroizing::new(content).as_bytes());
        text.push(b'\n');
    }
    if text.is_empty() { Err(io::Error::other("no QR code is found in the picture")) } else { Ok(text) }
}

/// The brightness of a pixel. What is transparent is white.
fn luminance(color: ColorType, samples: &[u8]) -> u8 {
    let (shade, alpha) = match (color, samples) {
        (ColorType::Grayscale, [shade]) => (u32::from(*shade), 255),
        (ColorType::GrayscaleAlpha, [shade, alpha]) => (u32::from(*shade), u32::from(*alpha)),
        (_, [red, green, blue]) => (mean(*red, *green, *blue), 255),
        (_, [red, green, blue, alpha]) => (mean(*red, *green, *blue), u32::from(*alpha)),
        _ => (255, 255),
    };
    u8::try_from((shade * alpha + 255 * (255 - alpha)) / 255).unwrap_or(255)
}

fn mean(red: u8, green: u8, blue: u8) -> u32 {
    (u32::from(red) + u32::from(green) + u32::from(blue)) / 3
}

#[cfg(test)]
mod tests {
    use qrcode::{Color, EcLevel, QrCode};

    use super::*;

    /// A picture of texts beside each other, each module four pixels wide, in the colours of `dark` and `light`.
    fn picture(texts: &[&str], color: ColorType, dark: &[u8], light: &[u8]) -> Vec<u8> {
        let codes: Vec<QrCode> =
            texts.iter().map(|text| QrCode::with_error_correction_level(text, EcLevel::L).unwrap()).collect();
        let wide = codes.iter().map(QrCode::width).max().unwrap() + 8;
        let (width, height) = (4 * wide * codes.len(), 4 * wide);
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let (code, x, y) = (&codes[x / (4 * wide)], (x % (4 * wide)) / 4, y / 4);
                let inside = |at: usize| (4..4 + code.width()).contains(&at);
                let is_dark = inside(x) && inside(y) && code[(x - 4, y - 4)] == Color::Dark;
                pixels.extend_from_slice(if is_dark { dark } else { light });
            }
        }
        png_of(width, height, color, &pixels)
    }

    fn png_of(width: usize, height: usize, color: ColorType, pixels: &[u8]) -> Vec<u8> {
        let mut image = Vec::new();
        let mut encoder = png::Encoder::new(&mut image, u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        image
    }

    #[test]
    fn a_picture_with_damaged_squares_is_read_right_or_refused() {
        let uri = "otpauth://totp/Example:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEH&issuer=Example";
        let code = QrCode::with_error_correction_level(uri, EcLevel::L).unwrap();
        let side = 4 * (code.width() + 8);
        let (mut random, mut read, mut refused) = (1_u64, 0, 0);
        let mut below = |most: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % most
        };
        for damage in 0..200 {
            let dark = |at: usize| {
                let (x, y) = (at % side / 4, at / side / 4);
                let inside = |at: usize| (4..4 + code.width()).contains(&at);
                inside(x) && inside(y) && code[(x - 4, y - 4)] == Color::Dark
            };
            let mut pixels: Vec<u8> = (0..side * side).map(|at| if dark(at) { 0 } else { 255 }).collect();
            for _ in 0..damage / 4 {
                let (x, y, shade) = (below(side - 8), below(side - 8), if below(2) == 0 { 0 } else { 255 });
                for row in y..y + 8 {
                    pixels[row * side + x..row * side + x + 8].fill(shade);
                }
            }
            match text(&png_of(side, side, ColorType::Grayscale, &pixels)) {
                Ok(text) => {
                    assert_eq!(text.as_slice(), format!("{uri}\n").as_bytes());
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(read > 10 && refused > 10, "{read} read, {refused} refused");
    }

    #[test]
    fn codes_of_any_colours_are_read_and_a_picture_without_one_is_refused() {
        let uri =
            "otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZTAC";
        for (color, dark, light) in [
            (ColorType::Grayscale, &[0][..], &[255][..]),
            (ColorType::Rgb, &[0, 0, 96], &[255, 250, 240]),
            (ColorType::Rgba, &[0, 0, 0, 255], &[0, 0, 0, 0]),
            (ColorType::GrayscaleAlpha, &[20, 255], &[240, 255]),
        ] {
            let image = picture(&[uri], color, dark, light);
            assert!(is_png(&image));
            assert_eq!(text(&image).unwrap().as_slice(), format!("{uri}\n").as_bytes(), "{color:?}");
        }
        let two = text(&picture(&[uri, "otpauth://totp/a?secret=B"], ColorType::Grayscale, &[0], &[255])).unwrap();
        assert_eq!(two.split(|byte| *byte == b'\n').count(), 3, "two lines");
        let empty = picture(&[uri], ColorType::Grayscale, &[255], &[255]);
        assert!(text(&empty).unwrap_err().to_string().contains("no QR code"));
        let whole = picture(&[uri], ColorType::Grayscale, &[0], &[255]);
        assert!(text(&whole[..whole.len() / 2]).is_err());
    }
}
