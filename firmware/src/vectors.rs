//! The part of the vector table that the device, not the core, decides: no interrupt is used.

/// MPS2 and MPS3 have these and more; none is ever enabled.
const INTERRUPTS: usize = 32;

#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [usize; INTERRUPTS] = [0; INTERRUPTS];
