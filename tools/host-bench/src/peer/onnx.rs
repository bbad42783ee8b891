//! The ONNX files that `onnx_files.py` wrote.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use irmae_infer::format::{Kind, Precision};
use serde::Deserialize;
use tch::Tensor;
use trainer::eval::precision_name;

use crate::network::{half_name, to_vec};

/// A graph with an input `x` and an output `y`.
pub(super) struct Graph {
    pub(super) file: PathBuf,
    /// What its bytes stand for; reals stand for themselves.
    pub(super) bytes: Option<Ends>,
}

/// The two ends of a graph of integers.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Ends {
    x: Scale,
    pub(super) y: Scale,
}

/// `value = scale * (byte - zero_point)`
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Scale {
    scale: f32,
    zero_point: u8,
}

#[derive(Deserialize)]
struct Scales {
    encoder: Ends,
    decoder: Ends,
}

impl Graph {
    pub(super) fn read(folder: &Path, half: Kind, precision: Precision) -> Result<Self> {
        let file = folder.join(format!("{}-{}.onnx", half_name(half), precision_name(precision)));
        if precision != Precision::I8 {
            return Ok(Graph { file, bytes: None });
        }
        let path = folder.join("onnx.json");
        let scales = fs::read(&path).with_context(|| path.display().to_string())?;
        let scales: Scales = serde_json::from_slice(&scales).with_context(|| path.display().to_string())?;
        let ends = match half {
            Kind::Encoder => scales.encoder,
            Kind::Decoder => scales.decoder,
        };
        Ok(Graph { file, bytes: Some(ends) })
    }
}

impl Ends {
    /// The input as bytes.
    pub(super) fn input(&self, x: &Tensor) -> Vec<u8> {
        let Scale { scale, zero_point } = self.x;
        let byte = |value: f32| ((value / scale).round() as i32 + i32::from(zero_point)).clamp(0, 255) as u8;
        to_vec(x).into_iter().map(byte).collect()
    }
}

impl Scale {
    /// The reals that bytes stand for.
    pub(super) fn reals(&self, bytes: &[u8]) -> Vec<f32> {
        bytes.iter().map(|&byte| self.scale * f32::from(i16::from(byte) - i16::from(self.zero_point))).collect()
    }
}
