//! Device code against trainer output: golden files, damaged files, and, with the feature `libtorch`, libtorch itself.

mod cases;
mod corrupt;
mod golden;
#[cfg(feature = "libtorch")]
mod live;
