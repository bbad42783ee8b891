//! A small data set and its run, for unit tests.

use ndarray::Array4;
use rand::{Rng, SeedableRng};

use crate::config::RunConfig;
use crate::data::{DataShape, Dataset, Normalization, RawItems};
use crate::draft::{DataDraft, Draft, NetworkDraft, TrainingDraft};

/// Bright rectangles on black, 1 x 9 x 12 (an odd size).
pub(crate) fn dataset() -> Dataset {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let mut items = |count: usize| {
        let mut pixels = Array4::zeros([count, 1, 9, 12]);
        for mut item in pixels.outer_iter_mut() {
            let (y, x, level) = (random.random_range(0..6), random.random_range(0..8), random.random_range(80..=255));
            item.slice_mut(ndarray::s![0, y..y + 3, x..x + 4]).fill(level);
        }
        RawItems::U8(pixels)
    };
    Dataset {
        name: "rectangles".into(),
        shape: DataShape { channels: 1, height: 9, width: 12, one_dimensional: false },
        train: items(70),
        test: items(20),
        normalization: Normalization { offset: vec![0.0], scale: vec![255.0] },
        peak: 255.0,
    }
}

/// Three epochs of `micro-image` with a code of 6 values behind 2 linear layers, on one thread.
pub(crate) fn config(dataset: &Dataset) -> RunConfig {
    let data = DataDraft { data: Some("rectangles".into()), ..DataDraft::default() };
    let training = TrainingDraft {
        epochs: Some(3),
        batch_size: Some(16),
        threads: Some(1),
        learning_rate: Some(3e-3),
        ..TrainingDraft::default()
    };
    let network = NetworkDraft::sizes(Some(6), Some(2));
    Draft::new(Some("micro-image".into()), data, training, network).resolve(dataset).expect("it fits")
}
