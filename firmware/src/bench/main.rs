//! Runs every layer and every network once, each in a [`region`] of its own, and writes a line for each on standard output:
//! what it was, then what is known of it. The counter that watches counts the regions in the same order.

#![no_std]
#![no_main]

#[path = "../cases.rs"]
mod cases;
#[path = "../fault.rs"]
mod fault;
mod layers;
mod networks;
#[path = "../region.rs"]
mod region;
#[cfg(target_arch = "arm")]
#[path = "../vectors.rs"]
mod vectors;

// Linked for its critical section.
#[cfg(target_arch = "arm")]
use cortex_m as _;
use semihosting::{println, process};
use static_cell::ConstStaticCell;

static LAYERS: ConstStaticCell<layers::Memory> = ConstStaticCell::new(layers::Memory::new());
static NETWORKS: ConstStaticCell<networks::Memory> = ConstStaticCell::new(networks::Memory::new());

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    region::empty();
    println!("empty");
    region::known_loop();
    println!("known_loop");
    layers::run(LAYERS.take());
    networks::run(NETWORKS.take());
    process::exit(0);
}
