//! Panics and hardware faults: a line on standard error, then exit status 101.

use core::panic::PanicInfo;

use semihosting::{eprintln, process};

/// What a Rust program exits with when it panics.
const STATUS: i32 = 101;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{info}");
    process::exit(STATUS);
}

#[cfg(target_arch = "arm")]
#[cortex_m_rt::exception]
// SAFETY: it never returns to the code whose invariants the fault may have broken.
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    eprintln!("hard fault at {:#010x}", frame.pc());
    process::exit(STATUS);
}

#[cfg(target_arch = "riscv32")]
#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler(_frame: &riscv_rt::TrapFrame) -> ! {
    use riscv::register::{mcause, mepc};
    eprintln!("exception {} at {:#010x}", mcause::read().code(), mepc::read());
    process::exit(STATUS);
}
