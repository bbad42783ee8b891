//! `cargo xtask demo`: the product's main job on Fashion-MNIST.

use crate::{
    env::Env,
    setup::{self, DataSet, Need},
};

/// What the demo cannot do without.
const NEEDS: [Need; 5] = [Need::Compiler, Need::Libtorch, Need::Rust, Need::Qemu, Need::Data(DataSet::FashionMnist)];

/// Why a demo failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A needed thing is missing.
    #[error(transparent)]
    Setup(#[from] setup::SetupError),
    /// The steps after set-up do not exist yet.
    #[error("the demo{} is not written yet; only its set-up ran", if *quick { " --quick" } else { "" })]
    Unwritten {
        /// Whether the short form was asked for.
        quick: bool,
    },
}

/// Sets up, then runs the demo.
pub(crate) fn run(env: &Env, quick: bool) -> Result<(), DemoError> {
    setup::ensure(env, &NEEDS)?;
    Err(DemoError::Unwritten { quick })
}
