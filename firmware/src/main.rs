//! Carries golden cases in flash; encodes, sends, decodes and checks every window of them, and exits with 1 where anything
//! differs. [`app`] is the program, [`board`] is glue, [`cases`] is the data.

#![no_std]
#![no_main]

mod app;
#[allow(dead_code, reason = "nothing is received or timed")]
mod board;
mod cases;
mod failure;
mod fault;
#[cfg(target_arch = "arm")]
mod vectors;

// Linked for its critical section.
#[cfg(target_arch = "arm")]
use cortex_m as _;
use defmt_semihosting as _;
use semihosting::process;
use static_cell::ConstStaticCell;

static MEMORY: ConstStaticCell<app::Memory> = ConstStaticCell::new(app::Memory::new());

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let board::Board { mut busy, mut link, .. } = board::start();
    let tally = app::run(cases::CASES, &mut busy, &mut link, MEMORY.take());
    process::exit(i32::from(tally.failed > 0));
}
