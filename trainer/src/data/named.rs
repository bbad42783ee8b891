//! The data sets with a name, where set-up has put them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::arrange::Source;
use super::{DataError, Labels, idx, sensors, shapes};

/// Where Debian's package `dataset-fashion-mnist` installs.
const DEBIAN_FASHION_MNIST: &str = "/usr/share/datasets/fashion-mnist";
const IDX_TRAIN: &str = "train-images-idx3-ubyte";
const IDX_TEST: &str = "t10k-images-idx3-ubyte";
const IDX_TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const IDX_TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Named {
    FashionMnist,
    Mnist,
    Shapes,
    EcgMitbih208,
    ImuWatch,
}

impl Named {
    const ALL: [Named; 5] = [Named::FashionMnist, Named::Mnist, Named::Shapes, Named::EcgMitbih208, Named::ImuWatch];

    fn name(self) -> &'static str {
        match self {
            Named::FashionMnist => "fashion-mnist",
            Named::Mnist => "mnist",
            Named::Shapes => "shapes",
            Named::EcgMitbih208 => "ecg-mitbih208",
            Named::ImuWatch => "imu-watch",
        }
    }

    pub(super) fn parse(spec: &str) -> Option<Named> {
        Named::ALL.into_iter().find(|named| named.name() == spec)
    }

    /// All names, for messages.
    pub(super) fn list() -> String {
        Named::ALL.map(Named::name).join(", ")
    }

    pub(super) fn read(self) -> Result<Source, DataError> {
        let folder = cache().join("data").join(self.name());
        self.read_from(&folder)
    }

    fn read_from(self, folder: &Path) -> Result<Source, DataError> {
        match self {
            Named::FashionMnist => self.idx_pair(&[folder, Path::new(DEBIAN_FASHION_MNIST)]),
            Named::Mnist => self.idx_pair(&[folder]),
            Named::Shapes => Ok(shapes::generate()),
            Named::EcgMitbih208 => sensors::read_ecg(&self.first_file(&[folder], &["ecg.dat"])?),
            Named::ImuWatch => sensors::read_imu(&self.first_file(&[folder], &["watch.npz"])?),
        }
    }

    /// Labels of both parts, where the set has any.
    pub(super) fn read_labels(self) -> Result<Option<Labels>, DataError> {
        let folder = cache_folder(|key| env::var_os(key), env::home_dir()).join("data").join(self.name());
        let folders: &[&Path] = match self {
            Named::FashionMnist => &[&folder, Path::new(DEBIAN_FASHION_MNIST)],
            Named::Mnist => &[&folder],
            Named::Shapes => {
                let [train, test] = shapes::classes();
                return Ok(Some(Labels { classes: shapes::CLASSES, train, test }));
            }
            Named::EcgMitbih208 | Named::ImuWatch => return Ok(None),
        };
        let read = |stem: &str| idx::read_labels(&self.first_file(folders, &[stem, &format!("{stem}.gz")])?);
        Ok(Some(Labels { classes: 10, train: read(IDX_TRAIN_LABELS)?, test: read(IDX_TEST_LABELS)? }))
    }

    fn idx_pair(self, folders: &[&Path]) -> Result<Source, DataError> {
        let file = |stem: &str| self.first_file(folders, &[stem, &format!("{stem}.gz")]);
        let test = idx::read(&file(IDX_TEST)?)?;
        Ok(Source { test: Some(test.items), ..idx::read(&file(IDX_TRAIN)?)? })
    }

    /// The first of `names` in the first of `folders` that has one.
    fn first_file(self, folders: &[&Path], names: &[&str]) -> Result<PathBuf, DataError> {
        let mut candidates = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        let path = candidates.find(|path| path.is_file());
        path.ok_or_else(|| DataError::NotSetUp { name: self.name(), path: folders[0].join(names[0]) })
    }
}

/// Where `cargo xtask setup` keeps what it fetched: `$IRMAE_CACHE`, else `$XDG_CACHE_HOME/irmae`, else `~/.cache/irmae`.
pub fn cache() -> PathBuf {
    cache_folder(|key| env::var_os(key), env::home_dir())
}

fn cache_folder(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> PathBuf {
    let set = |key| variable(key).filter(|value| !value.is_empty()).map(PathBuf::from);
    let under_cache = || set("XDG_CACHE_HOME").unwrap_or_else(|| home.unwrap_or_default().join(".cache"));
    set("IRMAE_CACHE").unwrap_or_else(|| under_cache().join("irmae"))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::raw::from_values;
    use super::*;

    #[test]
    fn names_parse_back() {
        assert!(Named::ALL.into_iter().all(|named| Named::parse(named.name()) == Some(named)));
        assert_eq!(Named::parse("MNIST"), None);
    }

    #[test]
    fn the_cache_follows_the_environment() {
        let folder = |set: &[(&str, &str)]| {
            let variable = |key: &str| set.iter().find(|(name, _)| *name == key).map(|(_, value)| value.into());
            cache_folder(variable, Some("/home/me".into())).to_str().unwrap().to_owned()
        };
        assert_eq!(folder(&[("IRMAE_CACHE", "/a"), ("XDG_CACHE_HOME", "/b")]), "/a");
        assert_eq!(folder(&[("IRMAE_CACHE", ""), ("XDG_CACHE_HOME", "/b")]), "/b/irmae");
        assert_eq!(folder(&[]), "/home/me/.cache/irmae");
    }

    #[test]
    fn reads_a_pair_of_idx_files() {
        let folder = TempDir::new().unwrap();
        let one_pixel =
            |count: u8| [&[0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 1], &vec![7; count.into()][..]].concat();
        std::fs::write(folder.path().join(IDX_TRAIN), one_pixel(3)).unwrap();
        let line = Named::Mnist.read_from(folder.path()).unwrap_err().to_string();
        assert!(line.contains("t10k-images-idx3-ubyte is missing): run `cargo xtask setup`"), "{line}");

        std::fs::write(folder.path().join(IDX_TEST), one_pixel(1)).unwrap();
        let source = Named::Mnist.read_from(folder.path()).unwrap();
        assert_eq!(source.items.len(), 3);
        assert_eq!(source.test, Some(from_values([1, 1, 1, 1], vec![7u8])));
    }

    #[test]
    fn what_is_not_set_up_says_so() {
        let folder = TempDir::new().unwrap();
        for named in [Named::Mnist, Named::EcgMitbih208, Named::ImuWatch] {
            let line = named.read_from(folder.path()).unwrap_err().to_string();
            let start = format!("data set `{}` is not on this machine (", named.name());
            assert!(line.starts_with(&start) && line.ends_with("run `cargo xtask setup`"), "{line}");
        }
    }
}
