//! What is counted while the program runs.

use std::{
    fmt,
    ops::{AddAssign, Sub},
};

use crate::cortex_m4::REFILL;

/// What instructions cost.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Cost {
    /// How many there are.
    pub(crate) instructions: u64,
    /// Their modelled cycles; 0 for other processors than Arm's.
    pub(crate) cycles: u64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.instructions += other.instructions;
        self.cycles += other.cycles;
    }
}

impl Sub for Cost {
    type Output = Cost;

    fn sub(self, other: Cost) -> Cost {
        Cost { instructions: self.instructions - other.instructions, cycles: self.cycles - other.cycles }
    }
}

/// A translated block, which runs from its start to its end.
#[derive(Debug)]
pub(crate) struct Block {
    /// Address of its first instruction.
    pub(crate) start: u64,
    /// Address after its last instruction.
    pub(crate) end: u64,
    /// All its instructions.
    pub(crate) cost: Cost,
}

/// An instruction by which the program says that a region begins after it or ends before it.
#[derive(Debug)]
pub(crate) struct Marker {
    /// Begins, or else ends.
    pub(crate) begins: bool,
    /// What lies between this point and the end of the block, which has been counted as a whole when the marker runs.
    pub(crate) rest: Cost,
}

/// A region that has run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Region {
    cost: Cost,
    /// From the lowest byte of the stack that was written to the stack's start.
    stack_bytes: u64,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.cost.instructions, self.cost.cycles, self.stack_bytes)
    }
}

/// Counters since the start.
#[derive(Debug)]
pub(crate) struct Counters {
    total: Cost,
    /// Where the last block ended: a block that starts elsewhere was branched to.
    next: u64,
    /// The total where the region began.
    begin: Cost,
    /// The lowest address of the stack, and the one after its highest, where it starts.
    stack: [u64; 2],
    /// The lowest address of the stack that was written since the region began.
    lowest: u64,
}

impl Counters {
    /// Zeros.
    pub(crate) fn new(stack: [u64; 2]) -> Counters {
        Counters { total: Cost::default(), next: 0, begin: Cost::default(), stack, lowest: stack[1] }
    }

    /// A block begins to run.
    pub(crate) fn run(&mut self, block: &Block) {
        self.total += block.cost;
        if block.start != self.next {
            self.total.cycles += REFILL;
        }
        self.next = block.end;
    }

    /// The program writes to memory.
    pub(crate) fn store(&mut self, address: u64) {
        if (self.stack[0]..self.lowest).contains(&address) {
            self.lowest = address;
        }
    }

    /// A marker runs; gives the region that ends there.
    pub(crate) fn mark(&mut self, marker: &Marker) -> Option<Region> {
        let here = self.total - marker.rest;
        if marker.begins {
            (self.begin, self.lowest) = (here, self.stack[1]);
            return None;
        }
        Some(Region { cost: here - self.begin, stack_bytes: self.stack[1] - self.lowest })
    }
}
