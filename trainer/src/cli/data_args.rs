//! Which data to take: the options that verbs have in common.

use clap::Args;
use trainer::draft::DataDraft;

/// Data, and which part of it.
#[derive(Args)]
pub(super) struct DataArgs {
    /// A data set's name, or a .npy, .npz, IDX, .csv file or a folder of images
    #[arg(long, value_name = "SPEC")]
    data: Option<String>,
    /// The test part, if it is not in --data
    #[arg(long, value_name = "SPEC")]
    test_data: Option<String>,
    /// Share of the data to hold out for the test, from its end
    #[arg(long, value_name = "SHARE")]
    holdout: Option<f64>,
    /// Take at most so many training items
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Scale images to N x N
    #[arg(long, value_name = "N")]
    resize: Option<usize>,
}

impl DataArgs {
    /// What the command line says.
    pub(super) fn draft(&self) -> DataDraft {
        DataDraft {
            data: self.data.clone(),
            test_data: self.test_data.clone(),
            holdout: self.holdout,
            limit: self.limit,
            resize: self.resize,
            crop: None,
        }
    }
}
