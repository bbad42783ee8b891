//! What the verbs that make pictures have in common.

use std::path::Path;

use trainer::batches::DeviceData;
use trainer::generate::Gallery;
use trainer::run::Run;
use trainer::sheet::Row;

use super::{Common, data_of};

/// Rows of pictures that `rows` makes with the network in `folder` and its data.
pub(super) fn with_gallery(
    folder: &Path,
    common: &Common,
    rows: impl FnOnce(&Gallery<'_>) -> Vec<Row>,
) -> anyhow::Result<Vec<Row>> {
    let device = common.device()?;
    let (run, dataset) = (Run::load(folder, device)?, data_of(folder)?);
    let [train, test] =
        [&dataset.train, &dataset.test].map(|items| DeviceData::upload(items, &run.config.normalization, device));
    Ok(rows(&Gallery::new(&dataset, &run.model, [&train, &test])?))
}
