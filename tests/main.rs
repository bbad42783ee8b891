//! Device code against trainer output: golden files, damaged files, packets over a bad link, and, with the feature `libtorch`,
//! libtorch itself and onnxruntime.

mod cases;
mod corrupt;
mod golden;
#[cfg(feature = "libtorch")]
mod live;
#[cfg(feature = "libtorch")]
mod onnx;
mod packets;
