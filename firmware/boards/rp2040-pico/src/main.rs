//! Raspberry Pi Pico: acceleration and angular rate from a BMI160 on SPI, frames over UART0.

#![no_std]
#![no_main]

use bmi160::{AccelerometerRange, GyroscopeRange};
use defmt_rtt as _;
use embedded_hal::spi::MODE_0;
use embedded_hal_bus::spi::ExclusiveDevice;
use irmae_node::sensor::bmi160::Imu;
use irmae_node::{Clock, Memory, Node, NodeError, Settings, Tally, model};
use panic_probe as _;
use rp2040_hal::fugit::RateExtU32 as _;
use rp2040_hal::gpio::{FunctionSpi, FunctionUart, PinState, Pins};
use rp2040_hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use rp2040_hal::{Clock as _, Sio, Spi, Timer, Watchdog, clocks, entry, pac};
use static_cell::ConstStaticCell;

type NodeMemory = Memory<0x1_0000, 0x400>;

static MEMORY: ConstStaticCell<NodeMemory> = ConstStaticCell::new(NodeMemory::new());

/// Packets as large as a LoRaWAN uplink at the slowest data rate.
const SETTINGS: Settings = Settings { max_packet_len: 51, poll_us: 500, silence_ms: 1_000 };

/// Of the Pico's crystal.
const CRYSTAL_HZ: u32 = 12_000_000;

/// What the chip's own boot loader starts: it makes the flash readable at full speed.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

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
    let Some(mut chip) = pac::Peripherals::take() else { defmt::unreachable!("peripherals are taken once") };
    let mut watchdog = Watchdog::new(chip.WATCHDOG);
    let clocks = clocks::init_clocks_and_plls(
        CRYSTAL_HZ,
        chip.XOSC,
        chip.CLOCKS,
        chip.PLL_SYS,
        chip.PLL_USB,
        &mut chip.RESETS,
        &mut watchdog,
    );
    let Ok(clocks) = clocks else { defmt::panic!("the crystal does not start") };
    let mut timer = Timer::new(chip.TIMER, &mut chip.RESETS, &clocks);
    let pins = Pins::new(chip.IO_BANK0, chip.PADS_BANK0, Sio::new(chip.SIO).gpio_bank0, &mut chip.RESETS);
    let peripheral_clock = clocks.peripheral_clock.freq();

    let spi_pins = (
        pins.gpio19.into_function::<FunctionSpi>(),
        pins.gpio16.into_function::<FunctionSpi>(),
        pins.gpio18.into_function::<FunctionSpi>(),
    );
    let spi = Spi::<_, _, _, 8>::new(chip.SPI0, spi_pins).init(&mut chip.RESETS, peripheral_clock, 8.MHz(), MODE_0);
    let select = pins.gpio17.into_push_pull_output_in_state(PinState::High);
    let Ok(device) = ExclusiveDevice::new(spi, select, timer);
    let sensor = Imu::new(device, AccelerometerRange::G4, GyroscopeRange::Scale1000, &mut timer)?;

    let uart_pins = (pins.gpio0.into_function::<FunctionUart>(), pins.gpio1.into_function::<FunctionUart>());
    let uart_settings = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = UartPeripheral::new(chip.UART0, uart_pins, &mut chip.RESETS).enable(uart_settings, peripheral_clock);
    let Ok(link) = uart else { defmt::unreachable!("the baud rate is one that the UART has") };

    Node { sensor, link, delay: timer, clock: Microseconds(timer), settings: SETTINGS }
        .boot(model::region(), MEMORY.take())
}

/// The chip's timer, which counts microseconds.
struct Microseconds(Timer);

impl Clock for Microseconds {
    fn ticks(&self) -> u32 {
        self.0.get_counter_low()
    }

    fn ticks_per_us(&self) -> u32 {
        1
    }
}
