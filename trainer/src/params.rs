//! All trainable numbers of a model in one flat tensor, and the named parameters that look into it.
//!
//! The optimiser then needs a handful of operations a step, however many layers there are.

use tch::{Device, Kind, Tensor};

/// A parameter's name and shape, before it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterShape {
    /// Path name, e.g. `encoder.0.weight`.
    pub name: String,
    /// Shape, in PyTorch's order.
    pub shape: Vec<i64>,
    /// The axis that counts outputs.
    pub output_axis: i64,
}

/// The parameters of one model.
#[derive(Debug)]
pub struct Parameters {
    /// Every value, in order. Shape: `[count]`.
    flat: Tensor,
    shapes: Vec<ParameterShape>,
    /// Leaves of the autograd graph that share `flat`'s memory.
    leaves: Vec<Tensor>,
}

impl Parameters {
    /// Zeros of the given shapes.
    pub fn zeros(shapes: &[ParameterShape], device: Device) -> Self {
        let counts: Vec<i64> = shapes.iter().map(|p| p.shape.iter().product()).collect();
        let flat = Tensor::zeros([counts.iter().sum::<i64>()], (Kind::Float, device));
        let mut start = 0;
        let leaf = |(parameter, &count): (&ParameterShape, &i64)| {
            let view = flat.narrow(0, start, count).view(parameter.shape.as_slice());
            start += count;
            view.detach().set_requires_grad(true)
        };
        let leaves = shapes.iter().zip(&counts).map(leaf).collect();
        Parameters { leaves, shapes: shapes.to_vec(), flat }
    }

    /// Every value, in order; writing to it changes the parameters.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// The parameters that gradients are taken of, in order.
    pub fn leaves(&self) -> &[Tensor] {
        &self.leaves
    }

    /// Name and shape of each parameter, in order.
    pub fn shapes(&self) -> &[ParameterShape] {
        &self.shapes
    }

    /// Name and value of each parameter, in order.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.shapes.iter().map(|parameter| parameter.name.as_str()).zip(&self.leaves)
    }
}
