use std::io;
use std::path::{Path, PathBuf};

use super::named::Named;

/// Why a SPEC did not become a [`Dataset`](super::Dataset). Every text is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Neither a data set's name nor a path that exists.
    #[error(
        "`{spec}` is no known data set and no such file exists: give one of {}, or a path to {FORMATS}",
        Named::list()
    )]
    UnknownSpec {
        /// The SPEC as given.
        spec: String,
    },

    /// A named data set that set-up has not fetched yet.
    #[error("data set `{name}` is not on this machine ({path} is missing): run `cargo xtask setup`")]
    NotSetUp {
        /// The data set's name.
        name: &'static str,
        /// The file looked for.
        path: PathBuf,
    },

    /// The operating system refused to give the file.
    #[error("cannot read {path}: {reason}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        reason: io::Error,
    },

    /// A file whose name and content belong to none of the formats.
    #[error("{path} is in no format that can be read: give {FORMATS}")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// The content contradicts itself or ends too early.
    #[error("{path} is damaged or incomplete ({problem}): make or fetch it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },

    /// An element type that no network input is made of.
    #[error("{path} holds elements of type {found}: convert it to u8, i16, u16, f32 or f64")]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The type as the file names it.
        found: String,
    },

    /// A number of axes that stands for neither windows nor images.
    #[error(
        "{path} has shape {shape:?}: reshape it to (N,L) or (N,C,L) for windows, (N,H,W) in u8 or (N,C,H,W) for images"
    )]
    Axes {
        /// The file.
        path: PathBuf,
        /// Its shape.
        shape: Vec<usize>,
    },

    /// An axis of length zero.
    #[error("{path} has shape {shape:?}, so there is nothing in it: give at least two items of at least one value")]
    Empty {
        /// The file.
        path: PathBuf,
        /// Its shape.
        shape: Vec<usize>,
    },

    /// An `.npz` whose arrays could mean anything.
    #[error(
        "{path} holds the arrays [{}]: keep a single one, or name two of them `train` and `test` (or `x_train` and `x_test`)",
        keys.join(", ")
    )]
    NpzKeys {
        /// The file.
        path: PathBuf,
        /// Names of the arrays in it.
        keys: Vec<String>,
    },

    /// A `.csv` field that is no number.
    #[error("{path}, line {line}, column {column}: `{text}` is not a number; correct it or remove the line")]
    CsvValue {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: usize,
        /// The field.
        text: String,
    },

    /// A `.csv` row longer or shorter than the rows before it.
    #[error(
        "{path}, line {line} has {found} values where the rows before have {expected}: make every window equally long"
    )]
    CsvRagged {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Values in this row.
        found: usize,
        /// Values in the rows before.
        expected: usize,
    },

    /// A folder without any picture.
    #[error("folder {path} holds no .png, .jpg or .jpeg file: put the pictures directly into it")]
    NoImages {
        /// The folder.
        path: PathBuf,
    },

    /// A picture that does not decode.
    #[error("cannot decode {path} ({problem}): remove it from the folder or replace it")]
    Image {
        /// The picture.
        path: PathBuf,
        /// The decoder's own words.
        problem: String,
    },

    /// A picture of another size or kind than the first one.
    #[error("{path} is {found} but {first} is {expected}: make all pictures of the folder alike")]
    ImageDiffers {
        /// The first picture that differs.
        path: PathBuf,
        /// Its width, height and kind.
        found: String,
        /// The folder's first picture.
        first: PathBuf,
        /// Width, height and kind of the first picture.
        expected: String,
    },

    /// Not enough to learn or to measure anything.
    #[error(
        "the {part} part of `{name}` has {found} items and needs at least {needed}: give more data or change --limit or --holdout"
    )]
    TooFewItems {
        /// The data set.
        name: String,
        /// Training or test.
        part: &'static str,
        /// Items there.
        found: usize,
        /// Items needed.
        needed: usize,
    },

    /// NaN, infinity, or a number too large for f32.
    #[error(
        "item {item} (from 0) of the {part} part of `{name}` holds a value that is no finite 32-bit number: remove or repair that item"
    )]
    NotFinite {
        /// The data set.
        name: String,
        /// Training or test.
        part: &'static str,
        /// Index of the first such item.
        item: usize,
    },

    /// Every channel holds a single value.
    #[error(
        "the training part of `{name}` is constant, so there is nothing to learn: check how it was recorded or exported"
    )]
    Constant {
        /// The data set.
        name: String,
    },

    /// Training and test items that no one network can take.
    #[error(
        "the test part holds items of {found} but the training part of {expected}: give test data of the same kind"
    )]
    TestDiffers {
        /// Element type and shape of the test items.
        found: String,
        /// Element type and shape of the training items.
        expected: String,
    },

    /// A hold-out fraction that leaves one part empty.
    #[error("holdout {fraction} leaves nothing to train or to test on: give a fraction between 0 and 1, such as 0.1")]
    Holdout {
        /// The fraction as given.
        fraction: f64,
    },

    /// A hold-out beside a test part that is there already.
    #[error("`{name}` has a test part already: leave --holdout out")]
    HoldoutUnused {
        /// The data set.
        name: String,
    },

    /// Resizing what are not u8 images, or to nothing.
    #[error("cannot resize {found} to {side}x{side}: only u8 images are resized, to at least 1x1; leave --resize out")]
    Resize {
        /// Element type and shape of the items.
        found: String,
        /// Side asked for.
        side: usize,
    },
}

const FORMATS: &str = "an .npy, .npz, IDX, IDX.gz or .csv file or a folder of PNG/JPEG";

impl DataError {
    /// For `map_err` on file operations.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> DataError {
        move |reason| DataError::Io { path: path.into(), reason }
    }

    pub(super) fn damaged(path: &Path, problem: impl ToString) -> DataError {
        DataError::Damaged { path: path.into(), problem: problem.to_string() }
    }
}
