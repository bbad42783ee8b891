//! Runs a network row by row. Every layer holds only the input rows that its next output rows need, in order and between zeros:
//! kernels read a patch of any pixel as it lies.
//!
//! Where a row has one pixel, as in a one-dimensional signal, a layer makes a [block](crate::Op::block_rows) of them at a time.

use core::marker::PhantomData;
use core::ops::Range;

use bytemuck::Pod;

use crate::format::MAX_LAYERS;
use crate::kernels::Kernels;
use crate::layer::Op;
use crate::model::{Layer, Model};
use crate::stage;

/// Network and buffer, and how far each layer has come in the present frame. Only what `DECODES` has transposed convolutions: a
/// program that encodes is not linked with their kernels.
#[derive(Debug)]
pub(crate) struct Pipeline<'m, 'b, K, const DECODES: bool> {
    pub(crate) model: &'m Model<'m>,
    buffer: &'b mut [u8],
    progress: [Progress; MAX_LAYERS],
    /// Rows of the last layer's output that [`Pipeline::run`] has announced.
    announced: u16,
    kernels: PhantomData<K>,
}

/// How far a layer has come. Its input rows are counted from the first row of zeros above them.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// The first row that is held.
    held: usize,
    /// Rows that have arrived.
    arrived: usize,
    /// Output rows that have been made.
    emitted: u16,
}

impl<'m, 'b, K: Kernels, const DECODES: bool> Pipeline<'m, 'b, K, DECODES> {
    /// `buffer` is aligned and long enough.
    pub(crate) fn new(model: &'m Model<'m>, buffer: &'b mut [u8]) -> Self {
        let progress = [Progress::default(); MAX_LAYERS];
        let mut pipeline = Self { model, buffer, progress, announced: 0, kernels: PhantomData };
        pipeline.restart();
        pipeline
    }

    /// Forgets what has been put in of the present frame.
    pub(crate) fn restart(&mut self) {
        // Zeros above and beside the rows of all layers.
        self.buffer.fill(0);
        for (progress, layer) in self.progress.iter_mut().zip(self.model.layers()) {
            *progress = Progress { held: 0, arrived: layer.region.margins.above, emitted: 0 };
        }
        self.announced = 0;
    }

    /// Where the next input row goes; [`Pipeline::run`] takes it from there.
    pub(crate) fn input_row<T: Pod>(&mut self) -> &mut [T] {
        let layer = &self.model.layers()[0];
        let range = self.progress[0].places(layer, self.progress[0].arrived, 1);
        view_mut(&mut self.buffer[range])
    }

    /// The input row is complete.
    pub(crate) fn commit_input_row(&mut self) {
        self.accept(0, 1);
    }

    /// Computes until an output row is there (true), or until another input row is needed (false).
    ///
    /// The deepest layer that can work does so first. So a row is made only when the layer behind has used up what it
    /// has, and no layer ever holds more rows than there is room for.
    pub(crate) fn run(&mut self) -> bool {
        let last = self.model.layers().len() - 1;
        while self.announced == self.progress[last].emitted {
            let Some(index) = (0..=last).rev().find(|&index| self.is_ready(index)) else { return false };
            let rows = self.compute(index);
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
        self.model.layers().iter().zip(self.progress).all(|(layer, progress)| progress.emitted == layer.output.height)
    }

    /// Whether a layer has the rows of which it makes the next.
    fn is_ready(&self, index: usize) -> bool {
        let (layer, progress) = (&self.model.layers()[index], &self.progress[index]);
        let rows = progress.next_rows(layer);
        let all = layer.region.margins.above + usize::from(layer.input.height);
        let needed = if layer.op == Op::Dense { all } else { rows_end(layer, &rows).min(all) };
        !rows.is_empty() && needed <= progress.arrived
    }

    /// `rows` rows have arrived at layer `index`. A dense layer on many rows adds them up at once, and does not hold them.
    fn accept(&mut self, index: usize, rows: usize) {
        let (layer, progress) = (&self.model.layers()[index], &mut self.progress[index]);
        let first = progress.arrived;
        progress.arrived += rows;
        if layer.sums_rows() {
            for row in first..first + rows {
                let range = progress.places(layer, row, 1);
                let (parts, scratch) = self.buffer.split_at_mut(self.model.scratch());
                let (input, accumulators) = parts[..layer.region.end].split_at_mut(layer.region.accumulators);
                stage::accumulate_row::<K>(layer, row, &input[range], accumulators, view_mut(scratch));
            }
            progress.held = progress.arrived;
        }
    }

    /// Makes the next output rows of layer `index`, for the layer behind or at the buffer's end. Gives their number.
    fn compute(&mut self, index: usize) -> usize {
        let layers = self.model.layers();
        let layer = &layers[index];
        let rows = self.progress[index].next_rows(layer);
        self.add_zeros(index, rows_end(layer, &rows));
        let size = layer.output_element.size();
        let (range, row_step) = match layers.get(index + 1) {
            Some(next) => {
                let progress = &self.progress[index + 1];
                (progress.places(next, progress.arrived, rows.len()), next.region.margins.row_step)
            }
            None => {
                let start = layer.region.end;
                (start..start + rows.len() * layer.output.row_len() * size, layer.output.row_len())
            }
        };
        let progress = &mut self.progress[index];
        let first = progress.held.wrapping_sub(layer.region.margins.above) as isize;
        let (parts, scratch) = self.buffer.split_at_mut(self.model.scratch());
        let (input, output) = parts.split_at_mut(layer.region.end);
        let (input, accumulators) = input.split_at_mut(layer.region.accumulators);
        stage::make_rows::<K, DECODES>(
            layer,
            rows.clone(),
            first,
            &input[layer.region.rows..],
            accumulators,
            view_mut(scratch),
            &mut output[range.start - layer.region.end..range.end - layer.region.end],
            row_step,
        );
        progress.emitted = rows.end as u16;
        self.drop_rows(index);
        rows.len()
    }

    /// Puts rows of zeros behind the input of layer `index`, as far as its next output rows need them.
    fn add_zeros(&mut self, index: usize, end: usize) {
        let (layer, progress) = (&self.model.layers()[index], &mut self.progress[index]);
        while progress.arrived < end {
            let range = progress.places(layer, progress.arrived, 1);
            self.buffer[range].fill(0);
            progress.arrived += 1;
        }
    }

    /// Drops the rows that no output of layer `index` needs any more: the others move to the front.
    fn drop_rows(&mut self, index: usize) {
        let (layer, progress) = (&self.model.layers()[index], &mut self.progress[index]);
        let next = layer.op.first(0, progress.emitted.into()).min(progress.arrived);
        if next > progress.held {
            let row_bytes = layer.region.margins.row_step * layer.input_element.size();
            let rows = &mut self.buffer[layer.region.rows..];
            rows.copy_within((next - progress.held) * row_bytes..(progress.arrived - progress.held) * row_bytes, 0);
            progress.held = next;
        }
    }
}

impl Progress {
    /// The output rows that are made next.
    fn next_rows(&self, layer: &Layer<'_>) -> Range<usize> {
        let start = usize::from(self.emitted);
        start..(start + layer.block_rows()).min(layer.output.height.into())
    }

    /// The bytes of `rows` input rows from `row` on, but for the zeros around them.
    fn places(&self, layer: &Layer<'_>, row: usize, rows: usize) -> Range<usize> {
        let (region, size) = (&layer.region, layer.input_element.size());
        let start = region.rows + ((row - self.held) * region.margins.row_step + region.margins.before) * size;
        start..start + ((rows - 1) * region.margins.row_step + layer.input.row_len()) * size
    }
}

/// Behind the input rows, zeros among them, that a layer makes `rows` of.
fn rows_end(layer: &Layer<'_>, rows: &Range<usize>) -> usize {
    layer.op.first(0, rows.end.saturating_sub(1)) + layer.op.span(0)
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
