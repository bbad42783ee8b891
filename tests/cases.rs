//! The golden cases of `tests/golden`, as `trainer golden` wrote them.

use std::path::{Path, PathBuf};

use irmae_infer::Model;
use irmae_infer::format::AlignedBytes;

/// One case with its files.
pub(crate) struct Case {
    pub(crate) name: String,
    folder: PathBuf,
    pub(crate) encoder: AlignedBytes,
    pub(crate) decoder: AlignedBytes,
}

impl Case {
    fn read(folder: PathBuf) -> Self {
        let read = |name| AlignedBytes::new(&std::fs::read(folder.join(name)).expect("a golden file"));
        let (encoder, decoder) = (read("encoder.irmae"), read("decoder.irmae"));
        let name = folder.file_name().expect("a folder").to_string_lossy().into_owned();
        Self { name, folder, encoder, decoder }
    }

    /// The case called `name`.
    pub(crate) fn named(name: &str) -> Self {
        Self::read(folder().join(name))
    }

    pub(crate) fn models(&self) -> [Model<'_>; 2] {
        let encoder = Model::load(self.encoder.as_slice()).expect("a sound encoder");
        let decoder = Model::load(self.decoder.as_slice()).expect("a sound decoder");
        let id = encoder.id();
        [encoder, decoder.expect_id(id).expect("the encoder's own decoder")]
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(name)).expect("a golden file")
    }

    pub(crate) fn f32s(&self, name: &str) -> Vec<f32> {
        self.bytes(name).chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"))
}

/// All cases, by name.
pub(crate) fn all() -> Vec<Case> {
    let entries = std::fs::read_dir(folder()).expect("tests/golden");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    let cases: Vec<Case> = folders.into_iter().map(Case::read).collect();
    assert_eq!(cases.len(), 15, "five networks in three precisions");
    cases
}
