//! A contact sheet: the same images before and after, a row each, as PNG.

use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use tch::Tensor;

use crate::files::FileError;
use crate::plot;

/// Side of a tile, in pixels; images are enlarged by a whole number to about this.
const TILE: u32 = 96;
const GAP: u32 = 8;
const MARGIN: u32 = 24;
/// Width of the column of names.
const NAMES: u32 = 230;

/// One row of a sheet.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the row shows.
    pub name: String,
    /// A second, smaller line under it.
    pub about: String,
    /// Its images.
    pub images: Vec<RgbImage>,
}

/// An image from values 0 to 255 in order height, width, channel; `channels` is 1 (gray) or 3.
///
/// # Panics
/// If there are fewer values than the image has.
pub fn image_of(values: &[f32], [height, width, channels]: [usize; 3]) -> RgbImage {
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let pixel = &values[(y as usize * width + x as usize) * channels..][..channels];
        let byte = |c: usize| pixel[c.min(channels - 1)].round().clamp(0.0, 255.0) as u8;
        Rgb([byte(0), byte(1), byte(2)])
    })
}

/// Images from values 0 to 255. Shape of `maps`: `[N, C, H, W]`, C being 1 or 3; what has more channels shows its first.
pub(crate) fn images_of(maps: &Tensor) -> Vec<RgbImage> {
    let (_, channels, height, width) = maps.size4().expect("maps of images");
    let shown = maps.narrow(1, 0, if channels >= 3 { 3 } else { 1 });
    let values =
        Vec::<f32>::try_from(shown.permute([0, 2, 3, 1]).contiguous().flatten(0, -1)).expect("flat f32 values");
    let shape = [height, width, shown.size()[1]].map(|n| n as usize);
    values.chunks_exact(shape.iter().product()).map(|image| image_of(image, shape)).collect()
}

/// Draws the rows one above the other and writes the PNG to `path`. All images have one size.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn write(path: &Path, rows: &[Row]) -> Result<(), FileError> {
    let (tile_width, tile_height) = tile_size(rows);
    let columns = rows.iter().map(|row| row.images.len()).max().unwrap_or(0) as u32;
    let width = 2 * MARGIN + NAMES + columns * (tile_width + GAP);
    let height = 2 * MARGIN + rows.len() as u32 * (tile_height + GAP) - GAP;
    let mut sheet = RgbImage::from_pixel(width, height, Rgb([255, 255, 255]));
    let top = |row: usize| MARGIN + row as u32 * (tile_height + GAP);
    for (at, row) in rows.iter().enumerate() {
        for (column, image) in (0..).zip(&row.images) {
            let tile = imageops::resize(image, tile_width, tile_height, imageops::FilterType::Nearest);
            let left = MARGIN + NAMES + column * (tile_width + GAP);
            imageops::replace(&mut sheet, &tile, left.into(), top(at).into());
        }
    }
    let middles: Vec<u32> = (0..rows.len()).map(|row| top(row) + tile_height / 2).collect();
    write_names(&mut sheet, rows, &middles).expect("drawing into memory");
    plot::write_png(path, &sheet)
}

fn tile_size(rows: &[Row]) -> (u32, u32) {
    let (width, height) = rows.iter().flat_map(|row| &row.images).next().map_or((1, 1), RgbImage::dimensions);
    let enlargement = (TILE / width.max(height)).max(1);
    (width * enlargement, height * enlargement)
}

fn write_names(sheet: &mut RgbImage, rows: &[Row], middles: &[u32]) -> Result<(), Box<dyn std::error::Error>> {
    let size = sheet.dimensions();
    let area = BitMapBackend::with_buffer(sheet, size).into_drawing_area();
    for (row, &middle) in rows.iter().zip(middles) {
        let left = MARGIN as i32;
        let above = plot::text(26).pos(Pos::new(HPos::Left, VPos::Bottom));
        let below = plot::text(19).pos(Pos::new(HPos::Left, VPos::Top));
        area.draw(&Text::new(row.name.as_str(), (left, middle as i32), above))?;
        area.draw(&Text::new(row.about.as_str(), (left, middle as i32 + 4), below))?;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_and_colour_become_pixels() {
        assert_eq!(image_of(&[0.4, 300.0], [1, 2, 1]).into_raw(), [0, 0, 0, 255, 255, 255]);
        assert_eq!(image_of(&[1.0, 2.0, 3.0], [1, 1, 3]).into_raw(), [1, 2, 3]);
    }

    #[test]
    fn maps_become_images() {
        let maps = Tensor::arange(12, (tch::Kind::Float, tch::Device::Cpu)).view([1, 3, 2, 2]);
        assert_eq!(images_of(&maps)[0].clone().into_raw(), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
        assert_eq!(images_of(&maps.narrow(1, 0, 2))[0].clone().into_raw()[..6], [0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn a_sheet_is_as_large_as_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        let row = |name: &str| Row { name: name.into(), about: "x".into(), images: vec![RgbImage::new(28, 28); 4] };
        write(&path, &[row("one"), row("two")]).unwrap();
        let sheet = image::open(&path).unwrap();
        assert_eq!((sheet.width(), sheet.height()), (48 + 230 + 4 * 92, 48 + 2 * 92 - 8));
    }
}
