//! Encodes a recording that comes in over the UART, sample by sample as it arrives, and sends frames of packets back: the
//! application of real boards, with the UART for a sensor. The model lies in a memory region of its own, so that it can be replaced
//! without a build. Exits with 1 where the node stops before the recording ends.

#![no_std]
#![no_main]

#[allow(dead_code, reason = "nothing says that it is busy")]
#[path = "../board/mod.rs"]
mod board;
#[path = "../fault.rs"]
mod fault;
#[cfg(target_arch = "arm")]
#[path = "../vectors.rs"]
mod vectors;

use bytemuck::Pod;
// Linked for its critical section.
#[cfg(target_arch = "arm")]
use cortex_m as _;
use defmt_semihosting as _;
use embedded_io::{Read, ReadReady, Write, WriteReady};
use irmae_infer::{Model, RawType, Sample};
use irmae_node::sensor::stream::{Header, Recording};
use irmae_node::{Clock, Memory, Node, NodeError, Settings, SpinDelay, Tally, model};
use semihosting::process;
use static_cell::ConstStaticCell;

/// Larger than what a microcontroller would give, as any model may come.
type LargeMemory = Memory<0x8_0000, 0x4000>;

static MEMORY: ConstStaticCell<LargeMemory> = ConstStaticCell::new(LargeMemory::new());

/// The host may take its time.
const SILENCE_MS: u32 = 60_000;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let board::Board { link, receiver, clock, .. } = board::start();
    let outcome = receive(link, receiver, clock, MEMORY.take());
    if let Err(why) = outcome {
        defmt::error!("{}", why);
    }
    process::exit(i32::from(outcome.is_err()));
}

fn receive<L: Write + WriteReady, R: Read + ReadReady, C: Clock + Copy>(
    link: L,
    mut receiver: R,
    clock: C,
    memory: &mut LargeMemory,
) -> Result<Tally, NodeError> {
    let model = model::load(model::region())?;
    let header = Header::read(&mut receiver)?;
    let settings = Settings { max_packet_len: header.max_packet_len.into(), poll_us: 1, silence_ms: SILENCE_MS };
    let node = Node { sensor: receiver, link, delay: SpinDelay(clock), clock, settings };
    match model.raw_type() {
        RawType::U8 => run::<u8, _, _, _>(node, header, &model, memory),
        RawType::I16 => run::<i16, _, _, _>(node, header, &model, memory),
        RawType::U16 => run::<u16, _, _, _>(node, header, &model, memory),
        RawType::F32 => run::<f32, _, _, _>(node, header, &model, memory),
    }
}

/// Makes the receiver a sensor of samples of one type, and runs.
fn run<S: Sample + Default + Pod, L: Write + WriteReady, R: Read + ReadReady, C: Clock>(
    node: Node<R, L, SpinDelay<C>, C>,
    header: Header,
    model: &Model<'_>,
    memory: &mut LargeMemory,
) -> Result<Tally, NodeError> {
    let Node { sensor, link, delay, clock, settings } = node;
    let sensor = Recording::<R, S>::new(sensor, header, model.frame().row_len());
    Node { sensor, link, delay, clock, settings }.run(model, memory)
}
