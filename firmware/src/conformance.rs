//! Runs the tests that every implementation of the kernels must pass, with this target's own: what they compute with its
//! own instructions can be tested nowhere else.

#![no_std]
#![no_main]

mod fault;
#[cfg(target_arch = "arm")]
mod vectors;

use core::mem::MaybeUninit;

// Linked for its critical section.
#[cfg(target_arch = "arm")]
use cortex_m as _;
use embedded_alloc::LlffHeap;
use irmae_infer::kernels::{Best, conformance};
use semihosting::{println, process};

/// The tests keep maps in memory; no kernel does.
const HEAP_LEN: usize = 1 << 20;

static mut MEMORY: [MaybeUninit<u8>; HEAP_LEN] = [MaybeUninit::uninit(); HEAP_LEN];

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    // SAFETY: this is done once, before anything is allocated, and nothing else uses the memory.
    unsafe { HEAP.init((&raw mut MEMORY).addr(), HEAP_LEN) };
    conformance::check_integers::<Best>();
    conformance::check_reals::<Best>();
    conformance::check_real_bits::<Best>();
    conformance::check_halves::<Best>();
    conformance::check_dense::<Best>();
    // A test that fails panics, which ends the program with another status.
    println!("5 passed, 0 failed");
    process::exit(0);
}
