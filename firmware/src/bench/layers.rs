//! Single layers, a row at a time over whole maps, by the kernels that a network would use. Shapes are read at run time.

use core::{hint::black_box, ops::Range};

use half::f16;
use irmae_infer::kernels::{
    Best, ConvGeometry, FloatParams, FloatWeight, IntOutput, IntParams, Ints, IntsMut, Kernels, Rows,
};
use irmae_infer::kernels::{int_weights_len, scratch_len};
use irmae_infer::{Activation, Op, ROWS_SLACK, Shape, Window, format::Element};
use semihosting::println;

use crate::region::region;

/// A layer to be measured.
#[derive(Clone, Copy)]
struct Layer {
    name: &'static str,
    op: Op,
    input: Shape,
    output: Shape,
}

const fn layer(name: &'static str, op: Op, input: [u16; 3], output: [u16; 3]) -> Layer {
    Layer { name, op, input: shape(input), output: shape(output) }
}

const fn shape([height, width, channels]: [u16; 3]) -> Shape {
    Shape::new(height, width, channels)
}

const fn square(kernel: u8, stride: u8, padding: u8) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] }
}

/// Of a signal of width 1.
const fn line(kernel: u8, stride: u8, padding: u8) -> Window {
    Window { kernel: [kernel, 1], stride: [stride, 1], padding: [padding, 0] }
}

const CONV: Op = Op::Conv(square(4, 2, 1));
const TRANSPOSE: Op = Op::ConvTranspose(square(4, 2, 1));

/// In `i8`; windows of 4x4, stride 2 and padding 1, where the name says nothing else.
static LAYERS: [Layer; 13] = [
    layer("conv_16x16x16_8x8x32", CONV, [16, 16, 16], [8, 8, 32]),
    layer("conv_32x32x1_16x16x16", CONV, [32, 32, 1], [16, 16, 16]),
    layer("tconv_8x8x32_16x16x16", TRANSPOSE, [8, 8, 32], [16, 16, 16]),
    layer("tconv_8x8x16_16x16x16", TRANSPOSE, [8, 8, 16], [16, 16, 16]),
    layer("tconv_16x16x16_32x32x1", TRANSPOSE, [16, 16, 16], [32, 32, 1]),
    layer("dense_1024_64", Op::Dense, [1, 1, 1024], [1, 1, 64]),
    layer("conv1d_256x8_128x16", Op::Conv(line(4, 2, 1)), [256, 1, 8], [128, 1, 16]),
    layer("conv_k3s1p1_16x16x16_16x16x16", Op::Conv(square(3, 1, 1)), [16, 16, 16], [16, 16, 16]),
    layer("conv_k5s2p2_28x28x3_14x14x24", Op::Conv(square(5, 2, 2)), [28, 28, 3], [14, 14, 24]),
    layer("conv_k1s1p0_16x16x24_16x16x16", Op::Conv(square(1, 1, 0)), [16, 16, 24], [16, 16, 16]),
    layer("conv1d_k7s4p3_256x1_64x16", Op::Conv(line(7, 4, 3)), [256, 1, 1], [64, 1, 16]),
    layer("tconv_k3s2p1_8x8x24_16x16x8", Op::ConvTranspose(square(3, 2, 1)), [8, 8, 24], [16, 16, 8]),
    layer("tconv1d_64x16_128x8", Op::ConvTranspose(line(4, 2, 1)), [64, 1, 16], [128, 1, 8]),
];

/// Enough for every layer: the dense one's weights, a map of 28x28x3, 4096 real numbers.
const WEIGHT_WORDS: usize = 16_384;
const MAP_WORDS: usize = 4096;
const SCRATCH_WORDS: usize = 4096;
const CHANNELS: usize = 64;

/// All working memory but the stack.
pub struct Memory {
    weights: [u32; WEIGHT_WORDS],
    input: [u32; MAP_WORDS],
    /// The input between zeros.
    map: [u32; MAP_WORDS + MAP_WORDS / 2],
    output: [u32; MAP_WORDS],
    scratch: [u32; SCRATCH_WORDS],
    sums: [i32; CHANNELS],
}

impl Memory {
    /// Zeros.
    pub const fn new() -> Self {
        Self {
            weights: [0; WEIGHT_WORDS],
            input: [0; MAP_WORDS],
            map: [0; MAP_WORDS + MAP_WORDS / 2],
            output: [0; MAP_WORDS],
            scratch: [0; SCRATCH_WORDS],
            sums: [0; CHANNELS],
        }
    }
}

/// Runs all of them.
pub fn run(memory: &mut Memory) {
    let mut state = 1;
    memory.weights.fill_with(|| random(&mut state));
    memory.input.fill_with(|| random(&mut state));
    for layer in &LAYERS {
        run_int(black_box(layer), memory);
    }
    memory.weights.fill_with(|| bytemuck::cast([random_f16(&mut state), random_f16(&mut state)]));
    run_float::<f16>(black_box(&LAYERS[0]), "f16", memory);
    memory.weights.fill_with(|| random_f16(&mut state).to_f32().to_bits());
    run_float::<f32>(black_box(&LAYERS[0]), "f32", memory);
}

/// A xorshift generator.
fn random(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

/// Within +-1.
fn random_f16(state: &mut u32) -> f16 {
    f16::from_f32((random(state) >> 16) as f32 / 32_768.0 - 1.0)
}

fn run_int(layer: &Layer, memory: &mut Memory) {
    let &Layer { name, op, input, output } = layer;
    let params = IntParams {
        weights: &memory.weights[..int_weights_len(op, input, output).expect("it fits")],
        bias: &black_box([1000; CHANNELS])[..op.bias_len(output)],
        acc_shift: 0,
        multiplier: &black_box([1 << 24; CHANNELS])[..usize::from(output.channels)],
        post: [&[]; 2],
        activation: Activation::Relu,
        clamp: black_box([0, 255]),
    };
    let scratch_bytes = scratch_len(op, input, Element::U8);
    let scratch = &mut memory.scratch[..scratch_bytes.div_ceil(4)];
    let margins = op.margins(input, output);
    let map: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut memory.map)[..margins.whole_len(input)];
    map.fill(0);
    margins.surround(input, &bytemuck::cast_slice(&memory.input)[..input.len()], map);
    let x = Rows::whole(Ints::U8(black_box(map)), &margins, input);
    let y = &mut bytemuck::cast_slice_mut(&mut memory.output)[..output.len()];
    let mut sums_bytes = 0;
    match op {
        Op::Conv(window) => region(|| conv_int(&ConvGeometry { input, output, window }, &x, &params, scratch, y)),
        Op::ConvTranspose(window) => {
            region(|| conv_transpose_int(&ConvGeometry { input, output, window }, &x, &params, scratch, y));
        }
        Op::Dense => {
            let sums = &mut memory.sums[..output.len()];
            sums_bytes = size_of_val(sums);
            region(|| dense_int(&x, &params, scratch, sums, y));
        }
    }
    black_box(y);
    let rows_bytes = op.rows_held(input, output, 1) * margins.row_step + ROWS_SLACK;
    println!("layer {} {} {}", name, op.macs(input, output), rows_bytes + scratch_bytes + sums_bytes);
}

fn run_float<W: FloatWeight>(layer: &Layer, precision: &str, memory: &mut Memory) {
    let &Layer { name, op, input, output } = layer;
    let Op::Conv(window) = op else { unreachable!("it is a convolution") };
    let weights: &[W] = bytemuck::cast_slice(&memory.weights);
    let params = FloatParams {
        weights: &weights[..op.weights_len(input, output)],
        bias: &black_box([0.5; CHANNELS])[..op.bias_len(output)],
        activation: Activation::Relu,
    };
    for (x, &word) in bytemuck::cast_slice_mut(&mut memory.output[..input.len()]).iter_mut().zip(&memory.input) {
        *x = (word >> 24) as f32;
    }
    let margins = op.margins(input, output);
    let map: &mut [f32] = &mut bytemuck::cast_slice_mut(&mut memory.map)[..margins.whole_len(input)];
    map.fill(0.0);
    margins.surround(input, bytemuck::cast_slice(&memory.output[..input.len()]), map);
    let x = Rows::whole(&*black_box(map), &margins, input);
    let y = &mut bytemuck::cast_slice_mut(&mut memory.output)[..output.len()];
    region(|| conv_float(&ConvGeometry { input, output, window }, &x, &params, y));
    black_box(y);
    let rows_bytes = (op.rows_held(input, output, 1) * margins.row_step + ROWS_SLACK) * size_of::<f32>();
    println!("layer {}_{} {} {}", name, precision, op.macs(input, output), rows_bytes);
}

#[inline(never)]
fn conv_int(geometry: &ConvGeometry, x: &Rows<Ints<'_>>, params: &IntParams<'_>, scratch: &mut [u32], y: &mut [u8]) {
    for (rows, y) in blocks(Op::Conv(geometry.window), geometry.output, y) {
        Best::conv_rows_int(geometry, rows, x, params, scratch, &mut output(geometry, y));
    }
}

#[inline(never)]
fn conv_transpose_int(
    geometry: &ConvGeometry,
    x: &Rows<Ints<'_>>,
    params: &IntParams<'_>,
    scratch: &mut [u32],
    y: &mut [u8],
) {
    for (rows, y) in blocks(Op::ConvTranspose(geometry.window), geometry.output, y) {
        Best::conv_transpose_rows_int(geometry, rows, x, params, scratch, &mut output(geometry, y));
    }
}

fn output<'a>(geometry: &ConvGeometry, y: &'a mut [u8]) -> IntOutput<'a> {
    IntOutput { values: IntsMut::U8(y), row_step: geometry.output.row_len() }
}

/// The output in the blocks of rows in which a network makes it.
fn blocks(op: Op, output: Shape, y: &mut [u8]) -> impl Iterator<Item = (Range<usize>, &mut [u8])> {
    let (step, row_len) = (op.block_rows(output), output.row_len());
    y.chunks_mut(step * row_len).enumerate().map(move |(block, y)| {
        let start = block * step;
        (start..start + y.len() / row_len, y)
    })
}

/// As a network does it: sums, then outputs.
#[inline(never)]
fn dense_int(x: &Rows<Ints<'_>>, params: &IntParams<'_>, scratch: &mut [u32], sums: &mut [i32], y: &mut [u8]) {
    sums.copy_from_slice(params.bias);
    Best::dense_accumulate_int(x.values.up_to(x.row_len), params.weights, scratch, sums);
    for (channel, (y, &sum)) in y.iter_mut().zip(&*sums).enumerate() {
        *y = params.finish(channel, sum) as u8;
    }
}

#[inline(never)]
fn conv_float<W: FloatWeight>(geometry: &ConvGeometry, x: &Rows<&[f32]>, params: &FloatParams<'_, W>, y: &mut [f32]) {
    for (row, y) in y.chunks_exact_mut(geometry.output.row_len()).enumerate() {
        Best::conv_row_float(geometry, row, x, params, y);
    }
}
