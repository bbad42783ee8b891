//! nRF52840-DK: acceleration from an LIS3DH on I2C, frames over the debugger's virtual COM port.

#![no_std]
#![no_main]

mod link;

use cortex_m_rt::entry;
use defmt_rtt as _;
use irmae_node::sensor::lis3dh::Accelerometer;
use irmae_node::{Cycles, Memory, Node, NodeError, Settings, SpinDelay, Tally, model};
use lis3dh::{DataRate, Range, SlaveAddr};
use nrf52840_hal::gpio::{Level, p0};
use nrf52840_hal::uarte::{self, Baudrate, Parity, Uarte};
use nrf52840_hal::{Clocks, Twim, clocks, pac, twim};
use panic_probe as _;
use static_cell::ConstStaticCell;

use link::Link;

type NodeMemory = Memory<0x8000, 0x400>;

static MEMORY: ConstStaticCell<NodeMemory> = ConstStaticCell::new(NodeMemory::new());

/// Packets as large as a LoRaWAN uplink at the slowest data rate.
const SETTINGS: Settings = Settings { max_packet_len: 51, poll_us: 200, silence_ms: 1_000 };

#[entry]
fn main() -> ! {
    if let Err(why) = start() {
        defmt::error!("the node stops: {}", why);
    }
    loop {
        cortex_m::asm::wfi();
    }
}

fn start() -> Result<Tally, NodeError> {
    let (Some(chip), Some(mut core)) = (pac::Peripherals::take(), cortex_m::Peripherals::take()) else {
        defmt::unreachable!("peripherals are taken once");
    };
    Clocks::new(chip.CLOCK).enable_ext_hfosc();
    let clock = Cycles::start(&mut core.DCB, &mut core.DWT, clocks::HFCLK_FREQ);
    let pins = p0::Parts::new(chip.P0);

    let i2c_pins =
        twim::Pins { scl: pins.p0_27.into_floating_input().degrade(), sda: pins.p0_26.into_floating_input().degrade() };
    let i2c = Twim::new(chip.TWIM0, i2c_pins, twim::Frequency::K400);
    let ready = pins.p0_03.into_pulldown_input();
    let sensor = Accelerometer::new(i2c, SlaveAddr::Default, DataRate::Hz_100, Range::G4, ready)?;

    let uart_pins = uarte::Pins {
        txd: pins.p0_06.into_push_pull_output(Level::High).degrade(),
        rxd: pins.p0_08.into_floating_input().degrade(),
        cts: None,
        rts: None,
    };
    let link = Link(Uarte::new(chip.UARTE0, uart_pins, Parity::EXCLUDED, Baudrate::BAUD115200));

    Node { sensor, link, delay: SpinDelay(clock), clock, settings: SETTINGS }.boot(model::region(), MEMORY.take())
}
