//! The layers of each preset, for items of any shape.

use super::{Layers, Unfit};
use crate::config::DecoderKind;
use crate::layer::{Activation, Layer, Op, Shape, Window};

pub(super) fn micro_image(input: Shape, latent: usize, decoder: DecoderKind) -> Result<Layers, Unfit> {
    let sizes = halvings(input, 2)?;
    let encoder = [halve(16, &sizes[0]), halve(32, &sizes[1]), dense(Shape::vector(latent))];
    Ok((encoder.into(), small_decoder(&sizes, decoder)))
}

pub(super) fn micro_1d(input: Shape, latent: usize, decoder: DecoderKind) -> Result<Layers, Unfit> {
    let sizes = halvings(input, 3)?;
    let encoder = [halve(16, &sizes[0]), halve(32, &sizes[1]), halve(32, &sizes[2]), dense(Shape::vector(latent))];
    Ok((encoder.into(), small_decoder(&sizes, decoder)))
}

pub(super) fn radio_image(input: Shape, latent: usize, decoder: DecoderKind) -> Result<Layers, Unfit> {
    let sizes = halvings(input, 2)?;
    let third = Window { out_channels: 24, kernel: [3, 3], stride: [2, 2], padding: [1, 1], output_padding: [0, 0] };
    let encoder =
        [halve(16, &sizes[0]), halve(32, &sizes[1]), relu(linear(Op::Conv(third))), dense(Shape::vector(latent))];
    Ok((encoder.into(), small_decoder(&sizes, decoder)))
}

/// From the code back up to `sizes`.
fn small_decoder(sizes: &[Shape], kind: DecoderKind) -> Vec<Layer> {
    match kind {
        DecoderKind::Mirror => plain_decoder(sizes, [16, 32, 32]),
        DecoderKind::Gateway if sizes[0].height > 1 => image_decoder(sizes),
        // Windows gain nothing from a hidden layer, which takes most of the time of a step.
        DecoderKind::Gateway => plain_decoder(sizes, [32, 64, 64]),
    }
}

/// Doublings with these channels, those of the largest map first.
fn plain_decoder(sizes: &[Shape], channels: [usize; 3]) -> Vec<Layer> {
    let (input, last) = (sizes[0], sizes.len() - 1);
    let mut layers = vec![relu(dense(Shape { channels: channels[last - 1], ..sizes[last] }))];
    layers.extend((1..last).rev().map(|at| relu(double(channels[at - 1], &sizes[at]))));
    layers.push(double(input.channels, &input));
    layers
}

/// A hidden layer behind the code, so that coarse codes can be read otherwise than fine ones, and a 3x3 convolution before each doubling. On
/// Fashion-MNIST the former is worth 0.6 dB in packets of 4 bytes, the latter 0.1 to 0.2 dB in all.
fn image_decoder(sizes: &[Shape]) -> Vec<Layer> {
    const HIDDEN: usize = 384;
    const CHANNELS: [usize; 2] = [32, 64];
    let [input, half, quarter] = [sizes[0], sizes[1], sizes[2]];
    vec![
        relu(dense(Shape::vector(HIDDEN))),
        relu(dense(Shape { channels: CHANNELS[1], ..quarter })),
        relu(linear(Op::Conv(same_size(CHANNELS[1])))),
        relu(double(CHANNELS[1], &half)),
        relu(linear(Op::Conv(same_size(CHANNELS[0])))),
        double(input.channels, &input),
    ]
}

pub(super) fn paper_shapes(input: Shape, latent: usize, _: DecoderKind) -> Result<Layers, Unfit> {
    let sizes = halvings(input, 4)?;
    let mut encoder = four_halvings([32, 64, 128, 256], &sizes);
    // 2x2 for 32x32 images: the last convolution takes the whole map.
    let whole = |out_channels| Window {
        out_channels,
        kernel: [sizes[4].height, sizes[4].width],
        stride: [1, 1],
        padding: [0, 0],
        output_padding: [0, 0],
    };
    encoder.push(linear(Op::Conv(whole(latent))));
    let decoder = vec![
        relu(linear(Op::ConvTranspose(whole(256)))),
        relu(double(128, &sizes[3])),
        relu(double(64, &sizes[2])),
        relu(double(32, &sizes[1])),
        tanh(double(input.channels, &sizes[0])),
    ];
    Ok((encoder, decoder))
}

pub(super) fn paper_mnist(input: Shape, latent: usize, _: DecoderKind) -> Result<Layers, Unfit> {
    let sizes = halvings(input, 4)?;
    let mut encoder = four_halvings([32, 64, 128, 256], &sizes);
    encoder.push(dense(Shape::vector(latent)));
    let decoder = vec![
        relu(dense(Shape { channels: 128, ..sizes[2] })),
        relu(double(64, &sizes[1])),
        relu(double(32, &sizes[0])),
        tanh(linear(pointwise(input.channels))),
    ];
    Ok((encoder, decoder))
}

pub(super) fn paper_celeba(input: Shape, latent: usize, _: DecoderKind) -> Result<Layers, Unfit> {
    let sizes = halvings(input, 4)?;
    let mut encoder = four_halvings([128, 256, 512, 1024], &sizes);
    encoder.push(dense(Shape::vector(latent)));
    let decoder = vec![
        // The paper's code has no ReLU here, unlike in its model for MNIST.
        dense(Shape { channels: 1024, ..sizes[3] }),
        relu(double(512, &sizes[2])),
        relu(double(256, &sizes[1])),
        relu(double(128, &sizes[0])),
        tanh(linear(pointwise(input.channels))),
    ];
    Ok((encoder, decoder))
}

fn linear(op: Op) -> Layer {
    Layer { op, activation: Activation::None }
}

fn relu(layer: Layer) -> Layer {
    Layer { activation: Activation::Relu, ..layer }
}

fn tanh(layer: Layer) -> Layer {
    Layer { activation: Activation::Tanh, ..layer }
}

fn dense(out: Shape) -> Layer {
    linear(Op::Dense(out))
}

/// The transposed 1x1 convolution that ends the paper's decoders.
fn pointwise(out_channels: usize) -> Op {
    Op::ConvTranspose(Window { out_channels, kernel: [1, 1], stride: [1, 1], padding: [0, 0], output_padding: [0, 0] })
}

/// The sizes on the way down: `input`, its half, its quarter, ... (rounded down; height 1 stays).
fn halvings(input: Shape, count: u32) -> Result<Vec<Shape>, Unfit> {
    let mut sizes = vec![input];
    for _ in 0..count {
        let last = sizes[sizes.len() - 1];
        let height = if input.height == 1 { 1 } else { last.height / 2 };
        let next = Shape { height, width: last.width / 2, ..input };
        if next.count() == 0 {
            return Err(Unfit { halvings: count });
        }
        sizes.push(next);
    }
    Ok(sizes)
}

fn four_halvings(channels: [usize; 4], sizes: &[Shape]) -> Vec<Layer> {
    channels.iter().zip(sizes).map(|(&out, size)| halve(out, size)).collect()
}

/// Convolution k4 s2 p1 with ReLU that takes a map of `size` to half of it.
fn halve(out_channels: usize, size: &Shape) -> Layer {
    relu(linear(Op::Conv(window(out_channels, size))))
}

/// Convolution k3 s1 p1.
fn same_size(out_channels: usize) -> Window {
    Window { out_channels, kernel: [3, 3], stride: [1, 1], padding: [1, 1], output_padding: [0, 0] }
}

/// Transposed convolution k4 s2 p1 that gives a map of exactly `size`.
fn double(out_channels: usize, size: &Shape) -> Layer {
    let mut window = window(out_channels, size);
    window.output_padding = [if size.height == 1 { 0 } else { size.height % 2 }, size.width % 2];
    linear(Op::ConvTranspose(window))
}

fn window(out_channels: usize, size: &Shape) -> Window {
    let (kernel, stride, padding) = if size.height == 1 { ([1, 4], [1, 2], [0, 1]) } else { ([4, 4], [2, 2], [1, 1]) };
    Window { out_channels, kernel, stride, padding, output_padding: [0, 0] }
}
