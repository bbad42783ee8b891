//! Runs a network row by row. Every layer keeps only the input rows that its next output rows need.
//!
//! Where a row has one pixel, as in a one-dimensional signal, a layer makes a [block](crate::Op::block_rows) of them at a time.

use core::marker::PhantomData;

use bytemuck::Pod;

use crate::format::MAX_LAYERS;
use crate::kernels::Kernels;
use crate::model::{Layer, Model};
use crate::stage;

/// Network and buffer, and how far each layer has come in the present frame. Only what `DECODES` has transposed convolutions: a
/// program that encodes is not linked with their kernels.
#[derive(Debug)]
pub(crate) struct Pipeline<'m, 'b, K, const DECODES: bool> {
    pub(crate) model: &'m Model<'m>,
    buffer: &'b mut [u8],
    /// Input rows that have arrived at each layer.
    received: [u16; MAX_LAYERS],
    /// Output rows that each layer has made.
    emitted: [u16; MAX_LAYERS],
    /// Rows of the last layer's output that [`Pipeline::run`] has announced.
    announced: u16,
    kernels: PhantomData<K>,
}

impl<'m, 'b, K: Kernels, const DECODES: bool> Pipeline<'m, 'b, K, DECODES> {
    /// `buffer` is aligned and long enough.
    pub(crate) fn new(model: &'m Model<'m>, buffer: &'b mut [u8]) -> Self {
        Self { model, buffer, received: [0; MAX_LAYERS], emitted: [0; MAX_LAYERS], announced: 0, kernels: PhantomData }
    }

    /// Forgets what has been put in of the present frame.
    pub(crate) fn restart(&mut self) {
        self.received = [0; MAX_LAYERS];
        self.emitted = [0; MAX_LAYERS];
        self.announced = 0;
    }

    /// Where the next input row goes; [`Pipeline::run`] takes it from there.
    pub(crate) fn input_row<T: Pod>(&mut self) -> &mut [T] {
        let layer = &self.model.layers()[0];
        let start = layer.region.ring + ring_slot(layer, usize::from(self.received[0]));
        view_mut(&mut self.buffer[start..][..layer.input.row_len() * layer.input_element.size()])
    }

    /// The input row is complete.
    pub(crate) fn commit_input_row(&mut self) {
        self.accept(0, 1);
    }

    /// Computes until an output row is there (true), or until another input row is needed (false).
    ///
    /// The deepest layer that can work does so first. So a row is made only when the layer behind has used up what it
    /// has, and no ring is ever overrun.
    pub(crate) fn run(&mut self) -> bool {
        let last = self.model.layers().len() - 1;
        while self.announced == self.emitted[last] {
            let Some(index) = (0..=last).rev().find(|&index| self.is_ready(index)) else { return false };
            let rows = self.compute(index);
            self.emitted[index] += rows;
            if index < last {
                self.accept(index + 1, rows);
            }
        }
        self.announced += 1;
        true
    }

    /// The output row that [`Pipeline::run`] has announced.
    pub(crate) fn output_row<T: Pod>(&self) -> &[T] {
        self.model.layers().last().map_or(&[], |layer| {
            let row_bytes = layer.output.row_len() * layer.output_element.size();
            let row = (usize::from(self.announced) - 1) % layer.block_rows();
            view(&self.buffer[layer.region.end + row * row_bytes..][..row_bytes])
        })
    }

    /// Whether all rows of the frame have been made.
    pub(crate) fn is_complete(&self) -> bool {
        self.model.layers().iter().zip(self.emitted).all(|(layer, emitted)| emitted == layer.output.height)
    }

    fn is_ready(&self, index: usize) -> bool {
        let layer = &self.model.layers()[index];
        let emitted = usize::from(self.emitted[index]);
        let end = (emitted + layer.block_rows()).min(usize::from(layer.output.height));
        emitted < end && layer.op.rows_needed(layer.input, end - 1) <= usize::from(self.received[index])
    }

    /// `rows` rows have arrived at layer `index`. A dense layer on many rows adds them up at once.
    fn accept(&mut self, index: usize, rows: u16) {
        let layer = &self.model.layers()[index];
        let first = self.received[index];
        self.received[index] += rows;
        if layer.sums_rows() {
            let row_bytes = layer.input.row_len() * layer.input_element.size();
            let (parts, scratch) = self.buffer.split_at_mut(self.model.scratch());
            let (ring, accumulators) = split_input(parts, layer);
            for row in first..first + rows {
                let x = &ring[ring_slot(layer, row.into())..][..row_bytes];
                stage::accumulate_row::<K>(layer, row.into(), x, accumulators, view_mut(scratch));
            }
        }
    }

    /// Makes the next output rows of layer `index`, in the ring of the layer behind or at the buffer's end. Gives their number.
    fn compute(&mut self, index: usize) -> u16 {
        let layers = self.model.layers();
        let layer = &layers[index];
        let (parts, scratch) = self.buffer.split_at_mut(self.model.scratch());
        let (input, output) = parts.split_at_mut(layer.region.end);
        let (ring, accumulators) = split_input(input, layer);
        let slot = layers.get(index + 1).map_or(0, |next| ring_slot(next, usize::from(self.received[index + 1])));
        let first = usize::from(self.emitted[index]);
        let rows = first..(first + layer.block_rows()).min(layer.output.height.into());
        let block_bytes = rows.len() * layer.output.row_len() * layer.output_element.size();
        let count = rows.len() as u16;
        stage::make_rows::<K, DECODES>(
            layer,
            rows,
            ring,
            accumulators,
            view_mut(scratch),
            &mut output[slot..slot + block_bytes],
        );
        count
    }
}

/// Byte offset of input row `row` in the layer's ring.
fn ring_slot(layer: &Layer<'_>, row: usize) -> usize {
    (row % layer.region.ring_rows) * layer.input.row_len() * layer.input_element.size()
}

/// Ring and accumulators of a layer.
fn split_input<'a>(buffer: &'a mut [u8], layer: &Layer<'_>) -> (&'a [u8], &'a mut [u8]) {
    let region = layer.region;
    let (ring, accumulators) = buffer[region.ring..region.end].split_at_mut(region.accumulators - region.ring);
    // Without the bytes that align the accumulators: kernels take all they are given for samples.
    let ring_len = layer.region.ring_rows * layer.input.row_len() * layer.input_element.size();
    (&ring[..ring_len], accumulators)
}

/// Bytes as values; the buffer's layout keeps every part aligned.
pub(crate) fn view<T: Pod>(bytes: &[u8]) -> &[T] {
    let len = bytes.len() / size_of::<T>() * size_of::<T>();
    bytemuck::try_cast_slice(&bytes[..len]).unwrap_or_default()
}

/// Bytes as values to be written; see [`view`].
pub(crate) fn view_mut<T: Pod>(bytes: &mut [u8]) -> &mut [T] {
    let len = bytes.len() / size_of::<T>() * size_of::<T>();
    bytemuck::try_cast_slice_mut(&mut bytes[..len]).unwrap_or_default()
}
