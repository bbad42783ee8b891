//! Layers and networks of `irmae-infer` against libtorch itself, on random shapes.

use half::f16;
use irmae_infer::format::Element;
use irmae_infer::kernels::{
    Best, ConvGeometry, FloatParams, FloatWeight, IntOutput, IntParams, Ints, IntsMut, Kernels, Rows,
};
use irmae_infer::kernels::{pack_float, pack_int, scratch_len};
use irmae_infer::{Activation, Margins, Op, Shape, Window, quant};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};
use trainer::batches::DeviceData;
use trainer::collapse::Collapse;
use trainer::config::StackInit;
use trainer::data::{DataShape, RawItems};
use trainer::deployed::Deployed;
use trainer::model::Model;
use trainer::{eval, golden, presets};

/// Relative to the largest output: rounding of sums of up to a few hundred terms.
const LAYER_TOLERANCE: f64 = 1e-5;
/// The collapse is computed in f64 and stored in f32.
const COLLAPSE_TOLERANCE: f64 = 1e-5;
const CASES: u64 = 60;

/// A random convolution or transposed convolution; in one dimension every other time.
struct Layer {
    geometry: ConvGeometry,
    transposed: bool,
    output_padding: [i64; 2],
}

impl Layer {
    fn random(random: &mut ChaCha8Rng) -> Self {
        loop {
            let one_dimensional = random.random();
            let mut pair = |range: std::ops::Range<u8>, flat: u8| {
                [random.random_range(range.clone()), if one_dimensional { flat } else { random.random_range(range) }]
            };
            let (kernel, stride, padding, extra) = (pair(1..8, 1), pair(1..5, 1), pair(0..4, 0), pair(0..4, 0));
            let size = pair(1..14, 1).map(u16::from);
            let input = Shape::new(size[0], size[1], random.random_range(1..20));
            let channels = random.random_range(1..20);
            let transposed = random.random();
            let window = Window { kernel, stride, padding };
            let out = |i: usize| -> Option<u16> {
                let (k, s, p) = (i32::from(kernel[i]), i32::from(stride[i]), i32::from(padding[i]));
                let n = i32::from(size[i]);
                let out =
                    if transposed { (n - 1) * s - 2 * p + k + i32::from(extra[i]) } else { (n + 2 * p - k) / s + 1 };
                let reaches = transposed || n + 2 * p >= k;
                (out > 0 && reaches && p < k && extra[i] < stride[i]).then_some(out as u16)
            };
            if let (Some(height), Some(width)) = (out(0), out(1)) {
                let geometry = ConvGeometry { input, output: Shape::new(height, width, channels), window };
                return Self { geometry, transposed, output_padding: extra.map(i64::from) };
            }
        }
    }

    fn op(&self) -> Op {
        if self.transposed { Op::ConvTranspose(self.geometry.window) } else { Op::Conv(self.geometry.window) }
    }

    fn weights_len(&self) -> usize {
        let ConvGeometry { input, output, window } = self.geometry;
        window.taps() * usize::from(input.channels) * usize::from(output.channels)
    }

    fn margins(&self) -> Margins {
        self.op().margins(self.geometry.input, self.geometry.output)
    }

    /// The input between zeros, as kernels take it.
    fn surround<X: Copy + Default>(&self, x: &[X]) -> Vec<X> {
        let mut whole = vec![X::default(); self.margins().whole_len(self.geometry.input)];
        self.margins().surround(self.geometry.input, x, &mut whole);
        whole
    }

    /// Libtorch's sums, bias included, in the device's order.
    fn torch(&self, x: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
        let ConvGeometry { input, output, window } = self.geometry;
        let [h, w, c_in, c_out] = [input.height, input.width, input.channels, output.channels].map(i64::from);
        let [kh, kw] = window.kernel.map(i64::from);
        let x = Tensor::from_slice(x).view([1, h, w, c_in]).permute([0, 3, 1, 2]);
        let weights = Tensor::from_slice(weights).view([c_out, kh, kw, c_in]);
        let bias = Tensor::from_slice(bias);
        let (stride, padding) = (window.stride.map(i64::from), window.padding.map(i64::from));
        let y = if self.transposed {
            let weights = weights.permute([3, 0, 1, 2]);
            x.conv_transpose2d(&weights, Some(bias), stride, padding, self.output_padding, 1, [1, 1])
        } else {
            x.conv2d(&weights.permute([0, 3, 1, 2]), Some(bias), stride, padding, [1, 1], 1)
        };
        Vec::try_from(y.permute([0, 2, 3, 1]).contiguous().flatten(0, -1)).unwrap()
    }
}

fn reals(random: &mut ChaCha8Rng, n: usize) -> Vec<f32> {
    (0..n).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn wide<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&v| v.into()).collect()
}

#[test]
fn real_layers_agree_with_libtorch() {
    for seed in 0..CASES {
        check_real::<f32>(seed, |w| w);
        check_real::<f16>(seed, f16::from_f32);
    }
}

fn check_real<W: FloatWeight>(seed: u64, narrow: impl Fn(f32) -> W) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let layer = Layer::random(&mut random);
    let geometry = &layer.geometry;
    let x = reals(&mut random, geometry.input.len());
    let weights: Vec<W> = reals(&mut random, layer.weights_len()).into_iter().map(narrow).collect();
    let bias = reals(&mut random, geometry.output.channels.into());
    let packed = pack_float(layer.op(), geometry.input, geometry.output, &weights);
    let params = FloatParams { weights: &packed, bias: &bias, activation: Activation::None };
    let whole = layer.surround(&x);
    let rows = Rows::whole(&*whole, &layer.margins(), geometry.input);
    let mut y = vec![0.0; geometry.output.len()];
    for (row, y) in y.chunks_mut(geometry.output.row_len()).enumerate() {
        if layer.transposed {
            Best::conv_transpose_row_float(geometry, row, &rows, &params, y);
        } else {
            Best::conv_row_float(geometry, row, &rows, &params, y);
        }
    }
    let weights: Vec<f64> = weights.iter().map(|w| w.to_f32().into()).collect();
    let theirs = layer.torch(&wide(&x), &weights, &wide(&bias));
    let largest = theirs.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    for (ours, theirs) in y.iter().zip(theirs) {
        assert!((f64::from(*ours) - theirs).abs() <= LAYER_TOLERANCE * largest, "{ours} for {theirs}, {geometry:?}");
    }
}

#[test]
fn integer_layers_equal_libtorch_to_the_bit() {
    for seed in 0..CASES {
        let mut random = ChaCha8Rng::seed_from_u64(1000 + seed);
        let layer = Layer::random(&mut random);
        let geometry = &layer.geometry;
        let channels = usize::from(geometry.output.channels);
        let x: Vec<u8> = (0..geometry.input.len()).map(|_| random.random()).collect();
        let weights: Vec<i8> = (0..layer.weights_len()).map(|_| random.random_range(-127..=127)).collect();
        let bias: Vec<i32> = (0..channels).map(|_| random.random_range(-100_000..100_000)).collect();
        let multiplier: Vec<i32> = (0..channels).map(|_| random.random_range(1 << 12..1 << 22)).collect();
        let (op, packed) = (layer.op(), pack_int(layer.op(), geometry.input, geometry.output, &weights));
        let scratch_bytes = scratch_len(op, geometry.input, Element::U8);
        let mut scratch = vec![u32::MAX; scratch_bytes.div_ceil(4)];
        let params = IntParams {
            weights: &packed,
            bias: &bias,
            acc_shift: 0,
            multiplier: &multiplier,
            post: [&[], &[]],
            activation: Activation::None,
            clamp: [-32_768, 32_767],
        };
        let whole = layer.surround(&x);
        let x_rows = Rows::whole(Ints::U8(&whole), &layer.margins(), geometry.input);
        let mut y = vec![0_i16; geometry.output.len()];
        let rows = 0..usize::from(geometry.output.height);
        let output = &mut IntOutput { values: IntsMut::I16(&mut y), row_step: geometry.output.row_len() };
        if layer.transposed {
            Best::conv_transpose_rows_int(geometry, rows, &x_rows, &params, &mut scratch, output);
        } else {
            Best::conv_rows_int(geometry, rows, &x_rows, &params, &mut scratch, output);
        }
        // Sums of integers this small are exact in f64.
        let sums = layer.torch(&wide(&x), &wide(&weights), &wide(&bias));
        for (at, (&ours, sum)) in y.iter().zip(sums).enumerate() {
            let theirs = quant::requantize(sum as i32, multiplier[at % channels]).clamp(-32_768, 32_767);
            assert_eq!(i32::from(ours), theirs, "value {at} of {geometry:?}");
        }
    }
}

#[test]
fn whole_networks_agree_with_libtorch() {
    for name in golden::NAMES {
        let subject = golden::build(name, 3);
        for (precision, [code_tolerance, output_tolerance]) in
            golden::PRECISIONS.into_iter().zip([[1e-5, 1e-5], [5e-3, 5e-3], [0.0, 0.03]])
        {
            let exported = subject.export(precision).unwrap();
            let deployed = Deployed::from(&exported);
            let report = eval::deployed(&deployed, &subject, &subject.data, usize::MAX, usize::MAX).unwrap();
            assert!(report.max_rel_diff <= output_tolerance, "{name} {precision:?}: {}", report.max_rel_diff);
            assert!(report.code_max_rel_diff.unwrap_or(0.0) <= code_tolerance, "{name} {precision:?}: code");
        }
    }
}

#[test]
fn a_collapsed_network_is_the_trained_one() {
    let shape = DataShape { channels: 1, height: 13, width: 12, one_dimensional: false };
    let spec = presets::find("micro-image").unwrap().network(shape, 8, 4).unwrap();
    let model = Model::initialise(&spec, StackInit::Orthogonal, 5, Device::Cpu);
    let items =
        RawItems::U8(ndarray::Array4::from_shape_fn((64, 1, 13, 12), |(n, _, y, x)| (n * 31 + y * x * 7) as u8));
    let (normalization, _) = trainer::data::measure(&items, "made up").unwrap();
    let data = DeviceData::upload(&items, &normalization, Device::Cpu);
    let collapsed = Collapse::new(&model, &data).cut(8);
    let x = data.batch(&Tensor::arange(64, (Kind::Int64, Device::Cpu)));
    tch::no_grad(|| {
        let (before, after) = (model.forward(&x), collapsed.forward(&x));
        let difference = (&before - &after).abs().max().double_value(&[]);
        let largest = before.abs().max().double_value(&[]);
        assert!(difference <= COLLAPSE_TOLERANCE * largest, "{difference} of {largest}");
        // The code is centred, and its coefficients are uncorrelated and ordered.
        let code = collapsed.encode(&x).to_kind(Kind::Double);
        let covariance = (&code - code.mean_dim(0, true, Kind::Double)).tr().mm(&code) / 63.0;
        let variances: Vec<f64> = Vec::try_from(covariance.diag(0)).unwrap();
        assert!(variances.is_sorted_by(|a, b| a >= b), "{variances:?}");
        let off_diagonal = &covariance - covariance.diag(0).diag(0);
        assert!(off_diagonal.abs().max().double_value(&[]) <= 1e-5 * variances[0]);
    });
}
