//! Rows of small pictures in data URIs, one a row: PNG, or JPEG where noise would make that large.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, imageops};

use super::escape;
use crate::sheet::Row;

/// Pixels between pictures.
const GAP: u32 = 1;
/// A row of so many bytes as PNG is none of drawings.
const LARGE: usize = 8 << 10;
const JPEG_QUALITY: u8 = 90;

/// A figure with a line of pictures for each row.
pub(super) fn to_html(caption: &str, rows: &[Row]) -> String {
    let line = |row: &Row| {
        let strip = strip(&row.images);
        let (width, height) = strip.dimensions();
        let (kind, file) = encode(strip);
        let [name, about] = [&row.name, &row.about].map(|text| escape(text));
        format!(
            "<div class=\"strip\"><span><b>{name}</b> {about}</span>\
             <img alt=\"{name}\" width=\"{width}\" height=\"{height}\" src=\"data:image/{kind};base64,{}\"></div>\n",
            STANDARD.encode(file)
        )
    };
    let lines: String = rows.iter().filter(|row| !row.images.is_empty()).map(line).collect();
    format!("<figure class=\"pictures\">\n{lines}<figcaption>{}</figcaption>\n</figure>\n", escape(caption))
}

/// The images side by side on white.
fn strip(images: &[RgbImage]) -> RgbImage {
    let (width, height) = images.first().map_or((1, 1), RgbImage::dimensions);
    let total = images.len() as u32 * (width + GAP) - GAP;
    let mut strip = RgbImage::from_pixel(total, height, Rgb([255; 3]));
    for (column, image) in (0..).zip(images) {
        imageops::replace(&mut strip, image, (column * (width + GAP)).into(), 0);
    }
    strip
}

/// The strip's file and the kind of it, in shades of gray where there is no colour: a third of the bytes.
fn encode(strip: RgbImage) -> (&'static str, Vec<u8>) {
    let is_gray = strip.pixels().all(|Rgb([r, g, b])| r == g && g == b);
    let image = DynamicImage::from(strip);
    let image = if is_gray { DynamicImage::from(image.into_luma8()) } else { image };
    let (mut png, mut jpeg) = (Cursor::new(Vec::new()), Vec::new());
    image.write_to(&mut png, ImageFormat::Png).expect("encoding into memory");
    if png.get_ref().len() <= LARGE {
        return ("png", png.into_inner());
    }
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)).expect("encoding into memory");
    if jpeg.len() < png.get_ref().len() { ("jpeg", jpeg) } else { ("png", png.into_inner()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_holds_its_pictures_side_by_side() {
        let gray = |level| RgbImage::from_pixel(2, 3, Rgb([level; 3]));
        let strip = strip(&[gray(10), gray(90)]);
        assert_eq!(strip.dimensions(), (5, 3));
        assert_eq!([strip[(1, 0)], strip[(2, 0)], strip[(3, 2)]], [[10; 3], [255; 3], [90; 3]].map(Rgb));
        let (kind, file) = encode(strip.clone());
        let decoded = image::load_from_memory(&file).unwrap();
        assert_eq!(kind, "png");
        assert!(!decoded.color().has_color());
        assert_eq!(decoded.into_rgb8(), strip);
    }

    #[test]
    fn noise_is_compressed() {
        let noise = |x: u32, y: u32| Rgb([x * 7919 + y * 104_729, x * y, x + 31 * y].map(|v| (v * v % 251) as u8));
        let (kind, file) = encode(strip(&vec![RgbImage::from_fn(64, 64, noise); 10]));
        assert_eq!((kind, image::guess_format(&file).unwrap()), ("jpeg", ImageFormat::Jpeg));
    }

    #[test]
    fn a_row_without_pictures_is_left_out() {
        let row = |images| Row { name: "x".into(), about: String::new(), images };
        let html = to_html("c", &[row(vec![]), row(vec![RgbImage::new(1, 1)])]);
        assert_eq!(html.matches("<img").count(), 1);
    }
}
