use std::ffi::OsStr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::DataError;
use super::arrange::Source;
use super::named::Named;
use super::{csv, idx, images, npy};

/// Which data to load and how to part it: the data section of a run's configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// A data set's name or a path. A name wins: write `./shapes` for a folder of that name.
    pub data: String,
    /// SPEC of the test items: its own test part if it has one, else all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_data: Option<String>,
    /// Fraction of the items, taken from the end, to test on where no test part is given; 0.1 if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// Train on so many items at most, the first ones. The test part stays whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Side in pixels of the square that is cut out of the middle of each picture of a folder, before it is resized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<usize>,
    /// Side in pixels to which u8 images are resized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
}

impl DataSpec {
    /// All of `data` with the default hold-out.
    pub fn new(data: impl Into<String>) -> DataSpec {
        DataSpec { data: data.into(), ..DataSpec::default() }
    }
}

/// Reads whatever `spec` names; images are resized to `side` where given, those of a folder cut to `crop` before.
pub(super) fn read_source(spec: &str, crop: Option<usize>, side: Option<usize>) -> Result<Source, DataError> {
    let path = Path::new(spec);
    let source = match Named::parse(spec) {
        Some(named) => named.read()?,
        None if path.is_dir() => return images::read_folder(path, crop, side),
        None if path.exists() => read_file(path)?,
        None => return Err(DataError::UnknownSpec { spec: spec.into() }),
    };
    match side {
        Some(side) => resized(source, side),
        None => Ok(source),
    }
}

fn read_file(path: &Path) -> Result<Source, DataError> {
    match path.extension().and_then(OsStr::to_str).map(str::to_lowercase).as_deref() {
        Some("npy") => npy::read_npy(path),
        Some("npz") => npy::read_npz(path),
        Some("csv") => csv::read(path),
        _ => idx::read(path),
    }
}

fn resized(source: Source, side: usize) -> Result<Source, DataError> {
    if source.one_dimensional {
        return Err(DataError::Resize { found: source.items.describe(), side });
    }
    let items = images::resize(source.items, side)?;
    let test = source.test.map(|test| images::resize(test, side)).transpose()?;
    Ok(Source { items, test, ..source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_list_the_known_ones() {
        let line = read_source("mnits", None, None).unwrap_err().to_string();
        assert!(line.contains("`mnits` is no known data set and no such file exists"), "{line}");
        assert!(line.contains("fashion-mnist, mnist, shapes, ecg-mitbih208, imu-watch"), "{line}");
        assert!(line.contains("a path to an .npy, .npz, IDX"), "{line}");
    }

    #[test]
    fn the_format_follows_the_name_then_the_content() {
        let folder = tempfile::TempDir::new().unwrap();
        for (name, content, part) in [
            ("a.CSV", "1,2\n3,x\n", "`x` is not a number"),
            ("a.npy", "GIF89a", "damaged"),
            ("a.npz", "GIF89a", "damaged"),
            ("a.gif", "GIF89a", "is in no format that can be read"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let line = read_source(path.to_str().unwrap(), None, None).unwrap_err().to_string();
            assert!(line.contains(part) && line.contains(name), "{line}");
        }
    }

    #[test]
    fn windows_are_not_resized() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "1,2\n3,4\n").unwrap();
        let line = read_source(path.to_str().unwrap(), None, Some(8)).unwrap_err().to_string();
        assert!(line.contains("cannot resize f32 1x1x2 to 8x8"), "{line}");
    }

    #[test]
    fn a_spec_survives_toml() {
        let spec = DataSpec { limit: Some(9), ..DataSpec::new("shapes") };
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(text, "data = \"shapes\"\nlimit = 9\n");
        assert_eq!(toml::from_str::<DataSpec>(&text).unwrap(), spec);
    }
}
