//! STM32F411 (Black Pill) or F407 (Discovery): an ECG from an ADS1115 behind an AD8232, frames over USART2.

#![no_std]
#![no_main]

mod glue;

use ads1x1x::{DataRate16Bit, FullScaleRange, TargetAddr};
use cortex_m_rt::entry;
use defmt_rtt as _;
use irmae_node::sensor::ads1115::Converter;
use irmae_node::{Cycles, Memory, Node, NodeError, Settings, SpinDelay, Tally, model};
use panic_probe as _;
use static_cell::ConstStaticCell;
use stm32f4xx_hal::gpio::{Edge, ExtiPin};
use stm32f4xx_hal::i2c::I2c;
use stm32f4xx_hal::pac;
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;

use glue::{Falling, Link};

type NodeMemory = Memory<0x8000, 0x400>;

static MEMORY: ConstStaticCell<NodeMemory> = ConstStaticCell::new(NodeMemory::new());

/// Packets as large as a LoRaWAN uplink at the slowest data rate.
const SETTINGS: Settings = Settings { max_packet_len: 51, poll_us: 200, silence_ms: 1_000 };

/// Of the core, by the internal oscillator.
const CORE_MHZ: u32 = 84;

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
    let (Some(mut chip), Some(mut core)) = (pac::Peripherals::take(), cortex_m::Peripherals::take()) else {
        defmt::unreachable!("peripherals are taken once");
    };
    let mut rcc = chip.RCC.freeze(Config::hsi().sysclk(CORE_MHZ.MHz()));
    let clock = Cycles::start(&mut core.DCB, &mut core.DWT, rcc.clocks.hclk().raw());
    let (port_a, port_b) = (chip.GPIOA.split(&mut rcc), chip.GPIOB.split(&mut rcc));
    let mut interrupts = chip.SYSCFG.constrain(&mut rcc);

    let i2c = I2c::new(chip.I2C1, (port_b.pb8, port_b.pb9), 400.kHz(), &mut rcc);
    let mut ready = port_a.pa1.into_pull_up_input();
    ready.make_interrupt_source(&mut interrupts);
    ready.trigger_on_edge(&mut chip.EXTI, Edge::Falling);
    ready.enable_interrupt(&mut chip.EXTI);
    let range = FullScaleRange::Within2_048V;
    let sensor = Converter::new(i2c, TargetAddr::default(), DataRate16Bit::Sps250, range, Falling(ready))?;

    let uart = chip.USART2.tx(port_a.pa2, 115_200.bps(), &mut rcc);
    let Ok(uart) = uart else { defmt::unreachable!("the baud rate is one that the UART has") };

    Node { sensor, link: Link(uart), delay: SpinDelay(clock), clock, settings: SETTINGS }
        .boot(model::region(), MEMORY.take())
}
