//! From data to a compressor: train an IRMAE autoencoder with libtorch, collapse its linear stack, tune what is left.
//!
//! The way of a run:
//!
//! 1. [`data`] loads a data set; [`draft`] makes a [`config::RunConfig`] of it and of what was asked for.
//! 2. [`train`] fits the [`model`] that [`network`] describes and keeps it in a run folder ([`run`], [`files`]).
//! 3. [`spectrum`] finds the rank that training left in the code; [`rank`] says it as a number.
//! 4. [`collapse`] folds the linear stack into one matrix, rotates the code onto its principal axes and cuts it.
//! 5. [`tune`] trains what is left at its rank, with the code's quantiser ([`code`]) in the loop.
//!
//! [`packet_run`] goes from 2 to 5 in one go, and [`auto`] finds the settings as well. [`baseline`] has linear codes to compare with, [`methods`] other ways to train an autoencoder.
//! [`generate`] makes new items of codes, [`downstream`] classifies them, [`reproduce`] puts it all into a [`report`].

pub mod auto;
pub mod baseline;
pub mod batches;
pub mod bench;
pub mod code;
pub mod collapse;
pub mod config;
pub mod cut;
pub mod data;
pub mod deployed;
pub mod device;
pub mod downstream;
pub mod draft;
pub mod eval;
pub mod exchange;
pub mod export;
pub mod files;
pub mod fit;
pub mod generate;
pub mod golden;
mod init;
pub mod interrupt;
pub mod layer;
pub mod layer_toml;
pub mod methods;
pub mod model;
pub mod network;
pub mod optim;
mod pace;
pub mod packet_run;
pub mod params;
pub mod plot;
pub mod presets;
mod prices;
pub mod progress;
pub mod quality;
pub mod rank;
pub mod rd;
pub mod report;
pub mod reproduce;
pub mod run;
pub mod sheet;
pub mod spectrum;
pub mod sweep;
pub mod tensors;
#[cfg(test)]
mod testing;
pub mod traces;
pub mod train;
pub mod tune;
mod tuning;
