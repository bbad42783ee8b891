//! ESP32-C3: acceleration from an LIS3DH on I2C, frames over UART1, logs over USB or UART0.

#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::delay::Delay;
use esp_hal::gpio::{Input, InputConfig, Pull};
use esp_hal::i2c::master::{self, I2c};
use esp_hal::peripherals::FLASH;
use esp_hal::time::{Instant, Rate};
use esp_hal::uart::{self, UartTx};
use esp_println as _;
use esp_storage::FlashStorage;
use irmae_infer::Aligned;
use irmae_node::sensor::lis3dh::Accelerometer;
use irmae_node::{Clock, Memory, Node, NodeError, Settings, Tally, model};
use lis3dh::{DataRate, Range, SlaveAddr};
use static_cell::ConstStaticCell;

esp_bootloader_esp_idf::esp_app_desc!();

type NodeMemory = Memory<0x8000, 0x400>;

static MEMORY: ConstStaticCell<NodeMemory> = ConstStaticCell::new(NodeMemory::new());

/// The model's partition, as `partitions.csv` has it.
const MODEL_OFFSET: u32 = 0x20_0000;
const MODEL_LEN: usize = 0x2_0000;

/// The flash is no memory that a program can read from, but where its own code and constants are; so the model is copied.
static MODEL: ConstStaticCell<Aligned<[u8; MODEL_LEN]>> = ConstStaticCell::new(Aligned([0; MODEL_LEN]));

/// Packets as large as a LoRaWAN uplink at the slowest data rate.
const SETTINGS: Settings = Settings { max_packet_len: 51, poll_us: 200, silence_ms: 1_000 };

#[esp_hal::main]
fn main() -> ! {
    if let Err(why) = start() {
        defmt::error!("the node stops: {}", why);
    }
    loop {
        core::hint::spin_loop();
    }
}

fn start() -> Result<Tally, NodeError> {
    let chip = esp_hal::init(esp_hal::Config::default());

    let i2c_settings = master::Config::default().with_frequency(Rate::from_khz(400));
    let Ok(i2c) = I2c::new(chip.I2C0, i2c_settings) else { defmt::unreachable!("the I2C bus has this frequency") };
    let i2c = i2c.with_sda(chip.GPIO5).with_scl(chip.GPIO6);
    let ready = Input::new(chip.GPIO7, InputConfig::default().with_pull(Pull::Down));
    let sensor = Accelerometer::new(i2c, SlaveAddr::Default, DataRate::Hz_100, Range::G4, ready)?;

    let uart = UartTx::new(chip.UART1, uart::Config::default().with_baudrate(115_200));
    let Ok(uart) = uart else { defmt::unreachable!("the UART has this baud rate") };
    let link = uart.with_tx(chip.GPIO4);

    let model = model::embedded().unwrap_or_else(|| flashed(chip.FLASH));
    Node { sensor, link, delay: Delay::new(), clock: Microseconds, settings: SETTINGS }.boot(model, MEMORY.take())
}

/// What lies in the model's partition; zeros, which are no model, where it cannot be read.
fn flashed(flash: FLASH<'static>) -> &'static [u8] {
    let bytes = MODEL.take();
    if let Err(why) = FlashStorage::new(flash).read(MODEL_OFFSET, &mut **bytes) {
        defmt::error!("the model's partition at {=u32:#x} cannot be read: {}", MODEL_OFFSET, why);
        bytes.fill(0);
    }
    &**bytes
}

/// The system timer, in microseconds.
struct Microseconds;

impl Clock for Microseconds {
    fn ticks(&self) -> u32 {
        Instant::now().duration_since_epoch().as_micros() as u32
    }

    fn ticks_per_us(&self) -> u32 {
        1
    }
}
