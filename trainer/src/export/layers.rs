//! From torch's order of axes to the device's: channels last, and 1-D data with its samples as rows.

use irmae_infer as device;
use tch::Tensor;

use super::ExportError;
use crate::layer::{Activation, Op, Shape, Window};
use crate::model::TorchLayer;

/// A layer as the device runs it, weights still real.
#[derive(Debug, Clone)]
pub(super) struct DeviceLayer {
    /// The linear part.
    pub(super) op: device::Op,
    /// What follows it.
    pub(super) activation: device::Activation,
    /// Shape of the input.
    pub(super) input: device::Shape,
    /// Shape of the output.
    pub(super) output: device::Shape,
    /// Weights in the order of [`device::Op::weights_len`].
    pub(super) weights: Vec<f32>,
    /// Biases in the order of [`device::Op::bias_len`].
    pub(super) bias: Vec<f32>,
}

/// Brings layers to the device's order.
///
/// # Errors
/// Sizes beyond what a model file can say, named by layer.
pub(super) fn device_layers(
    part: &'static str,
    layers: &[TorchLayer],
    one_dimensional: bool,
) -> Result<Vec<DeviceLayer>, ExportError> {
    let layer = |(index, layer)| device_layer(layer, one_dimensional).ok_or(ExportError::TooLarge { part, index });
    layers.iter().enumerate().map(layer).collect()
}

fn device_layer(layer: &TorchLayer, one_dimensional: bool) -> Option<DeviceLayer> {
    let output = layer.layer.output_shape(layer.input).ok()?;
    let order = Order { one_dimensional };
    Some(DeviceLayer {
        op: match layer.layer.op {
            Op::Dense(_) => device::Op::Dense,
            Op::Conv(window) => device::Op::Conv(order.window(window)?),
            Op::ConvTranspose(window) => device::Op::ConvTranspose(order.window(window)?),
        },
        activation: match layer.layer.activation {
            Activation::None => device::Activation::None,
            Activation::Relu => device::Activation::Relu,
            Activation::Tanh => device::Activation::Tanh,
            Activation::Sigmoid => device::Activation::Sigmoid,
        },
        input: order.shape(layer.input)?,
        output: order.shape(output)?,
        weights: to_vec(&order.weights(layer, output)),
        bias: to_vec(&order.bias(layer, output)),
    })
}

/// Shape of a window of samples on the device.
pub(super) fn frame_shape(shape: Shape, one_dimensional: bool) -> Option<device::Shape> {
    Order { one_dimensional }.shape(shape)
}

/// A batch of maps (N,C,H,W) in the device's order. Shape: `[N, H * W * C]`.
pub fn to_frames(maps: &Tensor, one_dimensional: bool) -> Tensor {
    let [rows, columns] = Order { one_dimensional }.rows_columns([2, 3]);
    maps.permute([0, rows, columns, 1]).contiguous().flatten(1, -1)
}

/// The device's order of axes: 1-D data (height 1) is turned, so that a row is one sample.
#[derive(Clone, Copy)]
struct Order {
    one_dimensional: bool,
}

impl Order {
    fn rows_columns<T: Copy>(self, [vertical, horizontal]: [T; 2]) -> [T; 2] {
        if self.one_dimensional { [horizontal, vertical] } else { [vertical, horizontal] }
    }

    fn shape(self, shape: Shape) -> Option<device::Shape> {
        let [height, width] = self.rows_columns([shape.height, shape.width]);
        Some(device::Shape::new(height.try_into().ok()?, width.try_into().ok()?, shape.channels.try_into().ok()?))
    }

    fn window(self, window: Window) -> Option<device::Window> {
        let pair = |pair: [usize; 2]| -> Option<[u8; 2]> {
            let [vertical, horizontal] = self.rows_columns(pair);
            Some([vertical.try_into().ok()?, horizontal.try_into().ok()?])
        };
        Some(device::Window {
            kernel: pair(window.kernel)?,
            stride: pair(window.stride)?,
            padding: pair(window.padding)?,
        })
    }

    /// Torch has (out, in) flattened channels first, (out, in, kh, kw), and (in, out, kh, kw) for the transposed ones.
    fn weights(self, layer: &TorchLayer, output: Shape) -> Tensor {
        let weight = &layer.weight;
        match layer.layer.op {
            Op::Dense(_) => {
                let ([y_rows, y_columns], [x_rows, x_columns]) = (self.rows_columns([1, 2]), self.rows_columns([4, 5]));
                let axes = [output, layer.input].map(|s| [s.channels, s.height, s.width].map(|n| n as i64)).concat();
                weight.view(axes.as_slice()).permute([y_rows, y_columns, 0, x_rows, x_columns, 3])
            }
            Op::Conv(_) => {
                let [rows, columns] = self.rows_columns([2, 3]);
                weight.permute([0, rows, columns, 1])
            }
            Op::ConvTranspose(_) => {
                let [rows, columns] = self.rows_columns([2, 3]);
                weight.permute([1, rows, columns, 0])
            }
        }
    }

    fn bias(self, layer: &TorchLayer, output: Shape) -> Tensor {
        match layer.layer.op {
            Op::Dense(_) => {
                let [rows, columns] = self.rows_columns([1, 2]);
                let axes = [output.channels, output.height, output.width].map(|n| n as i64);
                layer.bias.view(axes).permute([rows, columns, 0])
            }
            Op::Conv(_) | Op::ConvTranspose(_) => layer.bias.shallow_clone(),
        }
    }
}

fn to_vec(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(tch::Device::Cpu).contiguous().flatten(0, -1);
    Vec::try_from(flat).expect("parameters are f32")
}
