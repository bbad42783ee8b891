//! Runs a network row by row. Every layer holds only the input rows that its next output rows need, in order and between zeros:
//! kernels read a patch of any pixel as it lies.
//!
//! Where a row has one pixel, as in a one-dimensional signal, a layer makes a [block](crate::Op::block_rows) of them at a time.

use core::marker::PhantomData;
use core::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::kernels::Kernels;
use crate::layer::Op;
use crate::model::{Layer, Model};
use crate::stage::{self, Parts};

/// Network and buffer, and how far each layer has come in the present frame. Only what `DECODES` has transposed convolutions: a
/// program that encodes is not linked with their kernels.
#[derive(Debug)]
pub(crate) struct Pipeline<'m, 'b, K, const DECODES: bool> {
    pub(crate) model: &'m Model<'m>,
    /// One a layer.
    progress: &'b mut [Progress],
    buffer: &'b mut [u8],
    /// Rows of the last layer's output that [`Pipeline::run`] has announced.
    announced: u32,
    kernels: PhantomData<K>,
}

/// How far a layer has come. Its input rows are counted from the first row of zeros above them.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Progress {
    /// The first row that is held.
    held: u32,
    /// Rows that have arrived.
    arrived: u32,
    /// Output rows that have been made.
    emitted: u32,
    /// Rows that must have arrived before the next ones can be.
    needed: u32,
}

impl<'m, 'b, K: Kernels, const DECODES: bool> Pipeline<'m, 'b, K, DECODES> {
    /// `buffer` is aligned and long enough.
    pub(crate) fn new(model: &'m Model<'m>, buffer: &'b mut [u8]) -> Self {
        let (progress, buffer) = buffer.split_at_mut(size_of::<Progress>() * model.layers().len());
        let progress = view_mut(progress);
        let mut pipeline = Self { model, progress, buffer, announced: 0, kernels: PhantomData };
        pipeline.restart();
        pipeline
    }

    /// Forgets what has been put in of the present frame.
    #[inline(never)]
    pub(crate) fn restart(&mut self) {
        // Zeros above and beside the rows of all layers.
        clear(self.buffer);
        for (progress, layer) in self.progress.iter_mut().zip(self.model.layers()) {
            *progress = Progress { held: 0, arrived: layer.region.margins.above as u32, emitted: 0, needed: 0 };
            progress.needed = progress.rows_needed(layer);
        }
        self.announced = 0;
    }

    /// Where the next input row goes; [`Pipeline::run`] takes it from there.
    pub(crate) fn input_row<T: Pod>(&mut self) -> &mut [T] {
        let layer = &self.model.layers()[0];
        let range = self.progress[0].arriving(layer, 1);
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
            let ready = self.progress.iter().rposition(|progress| progress.needed <= progress.arrived);
            let Some(index) = ready else { return false };
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
            let row = (self.announced as usize - 1) % layer.block_rows();
            view(&self.buffer[layer.region.end + row * row_bytes..][..row_bytes])
        })
    }

    /// Whether all rows of the frame have been made.
    pub(crate) fn is_complete(&self) -> bool {
        let mut layers = self.model.layers().iter().zip(&*self.progress);
        layers.all(|(layer, progress)| progress.emitted == layer.output.height.into())
    }

    /// `rows` rows have arrived at layer `index`. A dense layer on many rows adds them up at once, and does not hold them.
    fn accept(&mut self, index: usize, rows: usize) {
        let (layer, progress) = (&self.model.layers()[index], &mut self.progress[index]);
        if !layer.sums_rows() {
            progress.arrived += rows as u32;
            return;
        }
        for _ in 0..rows {
            let range = progress.arriving(layer, 1);
            let (parts, scratch) = self.buffer.split_at_mut(self.model.scratch());
            let (input, accumulators) = parts[..layer.region.end].split_at_mut(layer.region.accumulators);
            let row = progress.arrived as usize;
            stage::accumulate_row::<K>(layer, row, &input[range], accumulators, view_mut(scratch));
            progress.arrived += 1;
        }
        progress.held = progress.arrived;
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
                (progress.arriving(next, rows.len()), next.region.margins.row_step)
            }
            None => {
                let start = layer.region.end;
                (start..start + rows.len() * layer.output.row_len() * size, layer.output.row_len())
            }
        };
        let progress = &mut self.progress[index];
        let first = (progress.held as usize).wrapping_sub(layer.region.margins.above) as isize;
        let (parts, scratch) = self.buffer.split_at_mut(self.model.scratch());
        let (input, output) = parts.split_at_mut(layer.region.end);
        let (input, accumulators) = input.split_at_mut(layer.region.accumulators);
        let parts = Parts {
            rows: &input[layer.region.rows..],
            first,
            accumulators,
            scratch: view_mut(scratch),
            output: &mut output[range.start - layer.region.end..range.end - layer.region.end],
            row_step,
        };
        stage::make_rows::<K, DECODES>(layer, rows.clone(), parts);
        progress.emitted = rows.end as u32;
        progress.needed = progress.rows_needed(layer);
        self.drop_rows(index);
        rows.len()
    }

    /// Puts rows of zeros behind the input of layer `index`, as far as its next output rows need them.
    fn add_zeros(&mut self, index: usize, end: usize) {
        let (layer, progress) = (&self.model.layers()[index], &mut self.progress[index]);
        while (progress.arrived as usize) < end {
            let range = progress.arriving(layer, 1);
            clear(&mut self.buffer[range]);
            progress.arrived += 1;
        }
    }

    /// Drops the rows that no output of layer `index` needs any more: the others move to the front.
    fn drop_rows(&mut self, index: usize) {
        let (layer, progress) = (&self.model.layers()[index], &mut self.progress[index]);
        let next = (layer.op.first(0, progress.emitted as usize) as u32).min(progress.arrived);
        if next > progress.held {
            let row_bytes = layer.region.margins.row_step * layer.input_element.size();
            let end = layer.region.rows + progress.rows() * row_bytes;
            move_to_front(&mut self.buffer[layer.region.rows..end], (next - progress.held) as usize * row_bytes);
            progress.held = next;
        }
    }
}

impl Progress {
    /// The output rows that are made next.
    #[cfg_attr(not(irmae_avx2), inline(never))]
    #[cfg_attr(irmae_avx2, inline)]
    fn next_rows(&self, layer: &Layer<'_>) -> Range<usize> {
        let start = self.emitted as usize;
        start..(start + layer.block_rows()).min(layer.output.height.into())
    }

    /// The rows that must have arrived before [the next rows](Progress::next_rows) can be made: zeros below the input never do. More than
    /// there are, where all have been made.
    fn rows_needed(&self, layer: &Layer<'_>) -> u32 {
        let rows = self.next_rows(layer);
        let all = layer.region.margins.above + usize::from(layer.input.height);
        if rows.is_empty() {
            u32::MAX
        } else if layer.op == Op::Dense {
            all as u32
        } else {
            rows_end(layer, &rows).min(all) as u32
        }
    }

    /// Input rows that are held.
    #[cfg_attr(irmae_avx2, inline)]
    fn rows(&self) -> usize {
        (self.arrived - self.held) as usize
    }

    /// The bytes of the `rows` input rows that arrive next, but for the zeros around them.
    #[cfg_attr(irmae_avx2, inline)]
    fn arriving(&self, layer: &Layer<'_>, rows: usize) -> Range<usize> {
        let (region, size) = (&layer.region, layer.input_element.size());
        let start = region.rows + (self.rows() * region.margins.row_step + region.margins.before) * size;
        start..start + ((rows - 1) * region.margins.row_step + layer.input.row_len()) * size
    }
}

/// Behind the input rows, zeros among them, that a layer makes `rows` of.
#[cfg_attr(irmae_avx2, inline)]
fn rows_end(layer: &Layer<'_>, rows: &Range<usize>) -> usize {
    layer.op.first(0, rows.end.saturating_sub(1)) + layer.op.span(0)
}

/// Zeros. Not inlined: what the compiler makes of it by alignment are functions of their own.
#[inline(never)]
pub(crate) fn clear(bytes: &mut [u8]) {
    bytes.fill(0);
}

/// Moves what lies from `start` on to the front. By hand: the library's way is 1.6 KB of code.
fn move_to_front(bytes: &mut [u8], start: usize) {
    if let Ok(words) = bytemuck::try_cast_slice_mut::<u8, u32>(bytes)
        && start.is_multiple_of(4)
    {
        return shift(words, start / 4);
    }
    shift(bytes, start);
}

fn shift<T: Copy>(values: &mut [T], by: usize) {
    for n in by..values.len() {
        values[n - by] = values[n];
    }
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
