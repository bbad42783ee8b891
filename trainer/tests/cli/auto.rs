//! `trainer train --auto`, as far as it is heard of before it trains.

use std::path::Path;

use super::{Folder, error, waves};

#[test]
fn auto_says_what_it_cannot_do_and_writes_nothing() {
    let folder = Folder::new();
    let (data, out) = (folder.path("waves.npy"), folder.path("run"));
    ndarray_npy::write_npy(&data, &waves()).expect("an array");
    let train = ["train", "--auto", "--data", &data, "--out", &out];
    let line = error(&train);
    assert!(line.contains("--auto needs 50 training items or more to try settings on, and there are 36"), "{line}");
    let line = error(&[&train[..], &["--lr", "0.1"]].concat());
    assert!(line.contains("'--auto' cannot be used with '--lr <RATE>'"), "{line}");
    let line = error(&["train", "--bytes", "8", "--data", &data, "--out", &out]);
    assert!(line.contains("required arguments were not provided"), "{line}");
    assert!(!Path::new(&out).exists(), "nothing is left");
}
