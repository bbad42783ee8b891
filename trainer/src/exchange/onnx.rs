//! A half of a network as an ONNX graph, from `x` to `y`.
//!
//! Items are `N,C,H,W`, or `N,C,L` where they are 1-D: convolutions then have one spatial axis. Codes are `N,r`. Maps are
//! flattened and restored channels first, as in PyTorch.

use prost::Message;
use tch::Tensor;

use super::proto::{self, Size, attribute_type, data_type};
use crate::layer::{Activation, Layer, Op, Shape, Window};
use crate::model::{Model, TorchLayer};
use crate::network::NetworkSpec;
use crate::tensors;

/// Old enough for every runtime in use.
const OPSET: i64 = 13;
/// The version of the file format that came with it.
const IR_VERSION: i64 = 7;
const INPUT: &str = "x";
const OUTPUT: &str = "y";

/// The encoder of `model`: normalised items to codes.
///
/// # Panics
/// If the model still has its linear stack.
pub fn encoder(model: &Model) -> Vec<u8> {
    assert!(model.stack().is_empty(), "a collapsed network");
    let axes = Axes::of(model.spec());
    let (item, code) = (axes.map(model.spec().item_shape()), axes.vector(model.spec().latent));
    Graph::new("encoder", axes, item).through(model.encoder()).file(&code)
}

/// The decoder of `model`: codes to normalised items.
pub fn decoder(model: &Model) -> Vec<u8> {
    let axes = Axes::of(model.spec());
    let (code, item) = (axes.vector(model.spec().latent), axes.map(model.spec().item_shape()));
    Graph::new("decoder", axes, code).through(model.decoder()).file(&item)
}

/// Which axes maps have beside that of the batch.
#[derive(Clone, Copy)]
struct Axes {
    /// Height is left out.
    one_dimensional: bool,
}

impl Axes {
    /// Those of 1-D items are one fewer, unless a layer of theirs reaches beyond their height of 1.
    fn of(spec: &NetworkSpec) -> Self {
        let is_flat = |layer: &Layer| match layer.op {
            Op::Dense(out) => out.height == 1,
            Op::Conv(window) | Op::ConvTranspose(window) => {
                let Window { kernel, stride, padding, output_padding, .. } = window;
                [kernel[0], stride[0], padding[0], output_padding[0]] == [1, 1, 0, 0]
            }
        };
        let one_dimensional = spec.input.one_dimensional && spec.encoder.iter().chain(&spec.decoder).all(is_flat);
        Axes { one_dimensional }
    }

    fn map(self, shape: Shape) -> Vec<i64> {
        let mut sizes = vec![shape.channels as i64];
        sizes.extend(self.spatial([shape.height, shape.width]));
        sizes
    }

    fn vector(self, count: usize) -> Vec<i64> {
        vec![count as i64]
    }

    fn spatial(self, [vertical, horizontal]: [usize; 2]) -> Vec<i64> {
        let both = [vertical as i64, horizontal as i64];
        both[usize::from(self.one_dimensional)..].to_vec()
    }
}

/// A graph that grows node by node, each of which takes what the last one gives.
struct Graph {
    axes: Axes,
    graph: proto::Graph,
    /// Sizes of what the last node gives, without the batch's.
    sizes: Vec<i64>,
}

impl Graph {
    fn new(name: &str, axes: Axes, sizes: Vec<i64>) -> Self {
        let graph = proto::Graph { name: name.into(), input: vec![value(INPUT, &sizes)], ..Default::default() };
        Graph { axes, graph, sizes }
    }

    fn through(mut self, layers: &[TorchLayer]) -> Self {
        for (index, layer) in layers.iter().enumerate() {
            let path = format!("{}.{index}", self.graph.name);
            match layer.layer.op {
                Op::Dense(out) => self.dense(&path, layer, out),
                Op::Conv(window) => self.window(&path, "Conv", layer, &window),
                Op::ConvTranspose(window) => self.window(&path, "ConvTranspose", layer, &window),
            }
            match layer.layer.activation {
                Activation::None => {}
                Activation::Relu => self.node(&path, "Relu", &[], Vec::new()),
                Activation::Tanh => self.node(&path, "Tanh", &[], Vec::new()),
                Activation::Sigmoid => self.node(&path, "Sigmoid", &[], Vec::new()),
            }
        }
        self
    }

    fn dense(&mut self, path: &str, layer: &TorchLayer, out: Shape) {
        self.arrange(path, self.axes.vector(layer.input.count()));
        let parameters = [
            self.parameter(path, "weight", &layer.weight, layer.weight.size()),
            self.parameter(path, "bias", &layer.bias, layer.bias.size()),
        ];
        self.node(path, "Gemm", &parameters, vec![integer("transB", 1)]);
        self.sizes = self.axes.vector(out.count());
        if out != Shape::vector(out.channels) {
            self.arrange(path, self.axes.map(out));
        }
    }

    fn window(&mut self, path: &str, operator: &str, layer: &TorchLayer, window: &Window) {
        self.arrange(path, self.axes.map(layer.input));
        let [a, b, ..] = layer.weight.size()[..] else { unreachable!("a kernel has four axes") };
        let mut sizes = vec![a, b];
        sizes.extend(self.axes.spatial(window.kernel));
        let parameters = [
            self.parameter(path, "weight", &layer.weight, sizes),
            self.parameter(path, "bias", &layer.bias, layer.bias.size()),
        ];
        let spatial = |pair| self.axes.spatial(pair);
        let mut attributes = vec![
            integers("kernel_shape", spatial(window.kernel)),
            integers("strides", spatial(window.stride)),
            integers("pads", spatial(window.padding).repeat(2)),
        ];
        if operator == "ConvTranspose" {
            attributes.push(integers("output_padding", spatial(window.output_padding)));
        }
        self.node(path, operator, &parameters, attributes);
        self.sizes = self.axes.map(layer.layer.output_shape(layer.input).expect("a built network"));
    }

    /// Brings what the last node gives to other `sizes`, of as many values.
    fn arrange(&mut self, path: &str, sizes: Vec<i64>) {
        if self.sizes == sizes {
            return;
        }
        // A zero keeps the size of the batch.
        let shape: Vec<i64> = [0].iter().chain(&sizes).copied().collect();
        let name = format!("{path}.shape{}", self.graph.initializer.len());
        self.graph.initializer.push(proto::Tensor {
            dims: vec![shape.len() as i64],
            data_type: data_type::INT64,
            name: name.clone(),
            raw_data: shape.iter().flat_map(|size| size.to_le_bytes()).collect(),
        });
        self.node(path, "Reshape", &[name], Vec::new());
        self.sizes = sizes;
    }

    fn parameter(&mut self, path: &str, what: &str, tensor: &Tensor, sizes: Vec<i64>) -> String {
        let name = format!("{path}.{what}");
        self.graph.initializer.push(proto::Tensor {
            dims: sizes,
            data_type: data_type::FLOAT,
            name: name.clone(),
            raw_data: tensors::bytes(tensor),
        });
        name
    }

    fn node(&mut self, path: &str, operator: &str, parameters: &[String], attribute: Vec<proto::Attribute>) {
        let last = self.graph.node.last().map_or(INPUT, |node| &node.output[0]).to_string();
        let name = format!("{path}.{operator}{}", self.graph.node.len());
        self.graph.node.push(proto::Node {
            input: [last].iter().chain(parameters).cloned().collect(),
            output: vec![name.clone()],
            name,
            op_type: operator.into(),
            attribute,
        });
    }

    /// The bytes of the file of a graph that gives `sizes`.
    fn file(mut self, sizes: &[i64]) -> Vec<u8> {
        self.arrange("end", sizes.to_vec());
        let last = self.graph.node.last_mut().expect("a network has layers");
        last.output = vec![OUTPUT.into()];
        self.graph.output = vec![value(OUTPUT, sizes)];
        let model = proto::Model {
            ir_version: IR_VERSION,
            producer_name: "irmae trainer".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.graph),
            opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPSET }],
        };
        model.encode_to_vec()
    }
}

/// A real input or output for batches of any size.
fn value(name: &str, sizes: &[i64]) -> proto::ValueInfo {
    let batch = Size::Parameter("N".into());
    let sizes = [batch].into_iter().chain(sizes.iter().map(|&size| Size::Value(size)));
    let dim = sizes.map(|size| proto::Dimension { size: Some(size) }).collect();
    let tensor = proto::TensorType { elem_type: data_type::FLOAT, shape: Some(proto::Shape { dim }) };
    proto::ValueInfo { name: name.into(), value_type: Some(proto::Type { tensor_type: Some(tensor) }) }
}

fn integer(name: &str, value: i64) -> proto::Attribute {
    proto::Attribute { name: name.into(), i: Some(value), kind: attribute_type::INT, ..Default::default() }
}

fn integers(name: &str, values: Vec<i64>) -> proto::Attribute {
    proto::Attribute { name: name.into(), ints: values, kind: attribute_type::INTS, ..Default::default() }
}
