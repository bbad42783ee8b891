//! Pictures: a folder of PNG and JPEG files, and resizing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, ImageReader, Luma};

use super::DataError;
use super::arrange::Source;
use super::raw::{RawItems, from_values};

/// Reads the pictures that lie directly in `folder`, in the order of their names.
///
/// Gray pictures have one channel, all others three; alpha is dropped and 16-bit samples become 8-bit. With `crop`, the square of that side
/// in the middle of each is taken, or all of a side that is shorter. With `side`, each is resized as soon as it is decoded,
/// so that a large collection never lies in memory in full size.
pub(super) fn read_folder(folder: &Path, crop: Option<usize>, side: Option<usize>) -> Result<Source, DataError> {
    let paths = picture_paths(folder)?;
    let first = Picture::read(&paths[0], crop)?;
    let mut values = Vec::new();
    for path in &paths {
        let picture = Picture::read(path, crop)?;
        if picture.kind() != first.kind() {
            return Err(DataError::ImageDiffers {
                path: path.clone(),
                found: picture.kind(),
                first: paths[0].clone(),
                expected: first.kind(),
            });
        }
        values.extend(picture.resized(side)?.planes);
    }
    let [channels, height, width] = first.resized(side)?.axes;
    let items = from_values([paths.len(), channels, height, width], values);
    Ok(Source { items, test: None, one_dimensional: false })
}

/// Resizes u8 images to `side` x `side` pixels: linear interpolation, averaging over the source pixels when shrinking.
pub(super) fn resize(items: RawItems, side: usize) -> Result<RawItems, DataError> {
    match items {
        RawItems::U8(array) if side > 0 => {
            let (n, channels, height, width) = array.dim();
            let resized = array.exact_chunks((1, 1, height, width)).into_iter().flat_map(|plane| {
                resize_plane(plane.to_slice().expect("planes lie in memory order"), [height, width], side)
            });
            Ok(from_values([n, channels, side, side], resized.collect()))
        }
        other => Err(DataError::Resize { found: other.describe(), side }),
    }
}

/// The square of `side` in the middle, or all of a side that is shorter.
fn middle(picture: &DynamicImage, side: u32) -> DynamicImage {
    let (width, height) = (picture.width().min(side), picture.height().min(side));
    picture.crop_imm((picture.width() - width) / 2, (picture.height() - height) / 2, width, height)
}

fn resize_plane(plane: &[u8], [height, width]: [usize; 2], side: usize) -> Vec<u8> {
    let view = ImageBuffer::<Luma<u8>, _>::from_raw(width as u32, height as u32, plane).expect("a whole plane");
    imageops::resize(&view, side as u32, side as u32, FilterType::Triangle).into_raw()
}

fn picture_paths(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = std::fs::read_dir(folder).map_err(DataError::io(folder))?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(DataError::io(folder))?;
    paths.retain(|path| path.extension().is_some_and(is_picture));
    paths.sort();
    if paths.is_empty() {
        return Err(DataError::NoImages { path: folder.into() });
    }
    Ok(paths)
}

fn is_picture(extension: &OsStr) -> bool {
    ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// A decoded picture, one plane a channel.
struct Picture {
    /// Channels, height, width.
    axes: [usize; 3],
    planes: Vec<u8>,
}

impl Picture {
    fn read(path: &Path, crop: Option<usize>) -> Result<Picture, DataError> {
        let open = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
        let decoded = open.map_err(DataError::io(path))?.decode();
        let decoded = decoded.map_err(|e| DataError::Image { path: path.into(), problem: e.to_string() })?;
        Ok(Picture::from_decoded(match crop {
            Some(side) => middle(&decoded, side as u32),
            None => decoded,
        }))
    }

    fn from_decoded(decoded: DynamicImage) -> Picture {
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        if !decoded.color().has_color() {
            return Picture { axes: [1, height, width], planes: decoded.into_luma8().into_raw() };
        }
        let interleaved = decoded.into_rgb8().into_raw();
        let planes = (0..3).flat_map(|channel| interleaved.iter().skip(channel).step_by(3).copied()).collect();
        Picture { axes: [3, height, width], planes }
    }

    fn resized(self, side: Option<usize>) -> Result<Picture, DataError> {
        let Some(side) = side else { return Ok(self) };
        let [channels, height, width] = self.axes;
        let items = resize(from_values([1, channels, height, width], self.planes), side)?;
        let RawItems::U8(items) = items else { unreachable!("resizing keeps the type") };
        Ok(Picture { axes: [channels, side, side], planes: items.into_raw_vec_and_offset().0 })
    }

    /// Width, height and kind, for messages and comparison.
    fn kind(&self) -> String {
        let [channels, height, width] = self.axes;
        format!("{width}x{height} {}", if channels == 1 { "gray" } else { "colour" })
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, GrayImage, RgbImage, RgbaImage};
    use tempfile::TempDir;

    use super::*;

    /// A folder with a 2x2 picture for each name: colour where the name says so, else gray.
    fn folder_of(names: &[&str]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (name, first) in names.iter().zip([10u8, 50, 90]) {
            let path = folder.path().join(name);
            if name.contains("colour") {
                RgbImage::from_fn(2, 2, |x, y| image::Rgb([first + x as u8, 100 + y as u8, 7])).save(path).unwrap();
            } else {
                GrayImage::from_vec(2, 2, (first..first + 4).collect()).unwrap().save(path).unwrap();
            }
        }
        folder
    }

    #[test]
    fn gray_pictures_in_order_of_their_names() {
        let folder = folder_of(&["b.png", "a.PNG"]);
        std::fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
        let source = read_folder(folder.path(), None, None).unwrap();
        let expected = from_values([2, 1, 2, 2], vec![50u8, 51, 52, 53, 10, 11, 12, 13]);
        assert_eq!((source.items, source.one_dimensional), (expected, false));
    }

    #[test]
    fn colours_become_planes() {
        let folder = folder_of(&["colour.png"]);
        let planes = vec![10u8, 11, 10, 11, 100, 100, 101, 101, 7, 7, 7, 7];
        assert_eq!(read_folder(folder.path(), None, None).unwrap().items, from_values([1, 3, 2, 2], planes));
    }

    #[test]
    fn alpha_is_dropped() {
        let gray = GrayAlphaImage::from_pixel(1, 1, image::LumaA([5, 0]));
        let picture = Picture::from_decoded(gray.into());
        assert_eq!((picture.axes, picture.planes), ([1, 1, 1], vec![5]));
        let colour = RgbaImage::from_pixel(1, 1, image::Rgba([1, 2, 3, 0]));
        let picture = Picture::from_decoded(colour.into());
        assert_eq!((picture.axes, picture.planes), ([3, 1, 1], vec![1, 2, 3]));
    }

    #[test]
    fn the_middle_is_cut_out() {
        let picture = DynamicImage::from(GrayImage::from_fn(5, 3, |x, y| Luma([(10 * y + x) as u8])));
        assert_eq!(middle(&picture, 3).into_luma8().into_raw(), [1, 2, 3, 11, 12, 13, 21, 22, 23]);
        assert_eq!(middle(&picture, 1).into_luma8().into_raw(), [12]);
        let source = read_folder(folder_of(&["a.png"]).path(), Some(1), None).unwrap();
        assert_eq!(source.items.axes(), [1, 1, 1, 1]);
    }

    #[test]
    fn jpeg_is_read() {
        let folder = TempDir::new().unwrap();
        GrayImage::from_pixel(8, 8, Luma([128])).save(folder.path().join("a.jpg")).unwrap();
        let items = read_folder(folder.path(), None, None).unwrap().items;
        assert_eq!(items, from_values([1, 1, 8, 8], vec![128u8; 64]));
    }

    #[test]
    fn each_fault_has_its_line() {
        let line = |folder: &TempDir| read_folder(folder.path(), None, None).unwrap_err().to_string();
        assert!(line(&folder_of(&[])).contains("holds no .png, .jpg or .jpeg file"));

        let folder = folder_of(&["a.png", "b.png", "colour.png"]);
        let differs = line(&folder);
        assert!(differs.contains("colour.png is 2x2 colour but"), "{differs}");
        assert!(differs.contains("a.png is 2x2 gray: make all"), "{differs}");

        GrayImage::new(3, 2).save(folder.path().join("b.png")).unwrap();
        assert!(line(&folder).contains("b.png is 3x2 gray but"));

        std::fs::write(folder.path().join("b.png"), "no picture").unwrap();
        let unreadable = line(&folder);
        assert!(unreadable.starts_with("cannot decode") && unreadable.contains("b.png ("), "{unreadable}");
    }

    #[test]
    fn resizing_averages_and_interpolates() {
        let checks: Vec<u8> = (0..16).map(|i| if (i % 4) < 2 { 0 } else { 200 }).collect();
        let half = resize(from_values([1, 1, 4, 4], checks), 2).unwrap();
        let RawItems::U8(half) = half else { panic!("resizing keeps the type") };
        assert_eq!(half[[0, 0, 0, 0]] + half[[0, 0, 0, 1]], 200);

        let flat = from_values([2, 3, 2, 5], vec![9u8; 60]);
        assert_eq!(resize(flat, 4).unwrap(), from_values([2, 3, 4, 4], vec![9u8; 96]));
        let folder = folder_of(&["a.png", "b.png"]);
        assert_eq!(read_folder(folder.path(), None, Some(5)).unwrap().items.axes(), [2, 1, 5, 5]);
    }

    #[test]
    fn only_u8_images_are_resized_and_not_to_nothing() {
        let line = resize(from_values([1, 1, 2, 2], vec![1f32; 4]), 4).unwrap_err().to_string();
        assert!(line.starts_with("cannot resize f32 1x2x2 to 4x4: only u8 images"), "{line}");
        let line = resize(from_values([1, 1, 2, 2], vec![1u8; 4]), 0).unwrap_err().to_string();
        assert!(line.starts_with("cannot resize u8 1x2x2 to 0x0"), "{line}");
    }
}
