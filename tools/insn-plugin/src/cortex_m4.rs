//! A model of the cycles that a Cortex-M4 takes: the table "Processor instruction set summary" of Arm's Technical Reference
//! Manual, memory without wait states.
//!
//! | instruction | cycles |
//! |---|---|
//! | arithmetic, also every integer multiplication | 1 |
//! | load | 2; 1 after another load, as they are pipelined |
//! | store | 1; with a register as offset 2, after a load 1 |
//! | load or store of N registers | 1 + N |
//! | integer division | 2 to 12: 7 is assumed |
//! | branch | 1, and [`REFILL`] where it is taken, which shows only when it runs |
//! | table branch | 2, and the refill |
//! | FPU arithmetic; multiplication with addition; division, square root | 1; 3; 14 |
//! | FPU load or store of N words | 1 + N |
//!
//! Not modelled: stalls on an address that the instruction before computed, on the FPU's result, and on the fetch unit;
//! IT, which may be folded, takes 1; an instruction whose condition fails takes what it takes otherwise.
//! So it serves to compare programs; it is no measurement.

/// Cycles to refill the pipeline: 1 to 3 says Arm, 2 is assumed.
pub(crate) const REFILL: u64 = 2;

/// Assumed of 2 to 12.
const INTEGER_DIVISION: u64 = 7;

/// The pipeline between two instructions.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Pipeline {
    /// The last instruction loaded one register, so that a load or store overlaps with it.
    after_load: bool,
}

/// What an instruction does, as far as its time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Takes that long whatever is around it.
    Fixed(u64),
    Load,
    StoreAtImmediate,
    StoreAtRegister,
}

impl Pipeline {
    /// Cycles of an instruction, given as its one or two halfwords; without the refill of a branch.
    pub(crate) fn cycles(&mut self, first: u16, second: Option<u16>) -> u64 {
        let class = second.map_or_else(|| narrow(first), |second| wide(first, second));
        let overlap = u64::from(self.after_load);
        self.after_load = class == Class::Load;
        match class {
            Class::Fixed(cycles) => cycles,
            Class::Load | Class::StoreAtRegister => 2 - overlap,
            Class::StoreAtImmediate => 1,
        }
    }
}

/// A load or store of one register.
fn single(is_load: bool, at_register: bool) -> Class {
    match (is_load, at_register) {
        (true, _) => Class::Load,
        (false, true) => Class::StoreAtRegister,
        (false, false) => Class::StoreAtImmediate,
    }
}

/// A load or store of `n` registers or words.
fn multiple(n: u32) -> Class {
    Class::Fixed(1 + u64::from(n))
}

/// A 16-bit instruction.
fn narrow(op: u16) -> Class {
    match op >> 11 {
        // LDR (literal)
        0b01001 => Class::Load,
        // By register: STR, STRH, STRB, LDRSB; LDR, LDRH, LDRB, LDRSH
        0b01010 | 0b01011 => single((op >> 9) & 0b111 >= 0b011, true),
        // By immediate, halfwords, by stack pointer
        0b01100..=0b10011 => single(op & 0x0800 != 0, false),
        // PUSH, POP; the ninth bit is LR or PC
        0b10110 | 0b10111 if op & 0x0600 == 0x0400 => multiple((op & 0x01ff).count_ones()),
        // STM, LDM
        0b11000 | 0b11001 => multiple((op & 0x00ff).count_ones()),
        _ => Class::Fixed(1),
    }
}

/// A 32-bit instruction.
fn wide(first: u16, second: u16) -> Class {
    let is_load = first & 0x0010 != 0;
    match first & 0xff00 {
        0xe800 | 0xe900 if first & 0x0040 == 0 => multiple(second.count_ones()),
        0xe800 | 0xe900 => dual_or_exclusive(first, second),
        0xec00 | 0xed00 => fpu_transfer(first, second),
        0xee00 => fpu_arithmetic(first, second),
        // The address is an immediate where bit 7 of the first or bit 11 of the second halfword is set, or a literal.
        0xf800 | 0xf900 => single(is_load, first & 0x0080 == 0 && second & 0x0800 == 0),
        // SDIV, UDIV
        0xfb00 if matches!(first & 0x00f0, 0x0090 | 0x00b0) => Class::Fixed(INTEGER_DIVISION),
        _ => Class::Fixed(1),
    }
}

/// LDRD, STRD, LDREX, STREX, TBB, TBH.
fn dual_or_exclusive(first: u16, second: u16) -> Class {
    let is_table_branch = first & 0xfff0 == 0xe8d0 && second & 0xffe0 == 0xf000;
    let is_exclusive = first & 0xff60 == 0xe840 || first & 0xffe0 == 0xe8c0;
    if is_table_branch || is_exclusive { Class::Fixed(2) } else { multiple(2) }
}

/// VLDR, VSTR, VLDM, VSTM, VPUSH, VPOP, and VMOV of two registers.
fn fpu_transfer(first: u16, second: u16) -> Class {
    if first & 0xffe0 == 0xec40 {
        return Class::Fixed(2);
    }
    let is_single = first & 0x0120 == 0x0100;
    let words_of_single = if second & 0x0100 != 0 { 2 } else { 1 };
    multiple(if is_single { words_of_single } else { u32::from(second & 0x00ff) })
}

/// VMUL, VADD, VFMA, VDIV and so on; VMOV of one register.
fn fpu_arithmetic(first: u16, second: u16) -> Class {
    let is_move = second & 0x0010 != 0;
    let is_square_root = first & 0x000f == 1 && second & 0x00c0 == 0x00c0;
    Class::Fixed(match first & 0x00b0 {
        _ if is_move => 1,
        // VMLA, VMLS, VNMLA, VNMLS, VFMA, VFMS, VFNMA, VFNMS
        0x0000 | 0x0010 | 0x0090 | 0x00a0 => 3,
        0x0080 => 14,
        0x00b0 if is_square_root => 14,
        _ => 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(first: u16, second: Option<u16>) -> u64 {
        Pipeline::default().cycles(first, second)
    }

    #[test]
    fn narrow_instructions() {
        let expected = [
            (0x1840, 1, "adds r0, r0, r1"),
            (0x4348, 1, "muls r0, r1, r0"),
            (0x4770, 1, "bx lr"),
            (0xd1fc, 1, "bne"),
            (0xb100, 1, "cbz r0"),
            (0xbf08, 1, "it eq"),
            (0xb2c0, 1, "uxtb r0, r0"),
            (0xb082, 1, "sub sp, #8"),
            (0x4801, 2, "ldr r0, [pc, #4]"),
            (0x6808, 2, "ldr r0, [r1]"),
            (0x7808, 2, "ldrb r0, [r1]"),
            (0x8808, 2, "ldrh r0, [r1]"),
            (0x9801, 2, "ldr r0, [sp, #4]"),
            (0x5688, 2, "ldrsb r0, [r1, r2]"),
            (0x5e88, 2, "ldrsh r0, [r1, r2]"),
            (0x6008, 1, "str r0, [r1]"),
            (0x9001, 1, "str r0, [sp, #4]"),
            (0x5088, 2, "str r0, [r1, r2]"),
            (0x5488, 2, "strb r0, [r1, r2]"),
            (0xb5f0, 6, "push {r4-r7, lr}"),
            (0xbdf0, 6, "pop {r4-r7, pc}"),
            (0xc803, 3, "ldmia r0!, {r0, r1}"),
            (0xc10c, 3, "stmia r1!, {r2, r3}"),
        ];
        for (op, cycles, text) in expected {
            assert_eq!(alone(op, None), cycles, "{text}");
        }
    }

    #[test]
    fn wide_instructions() {
        let expected = [
            (0xf100, 0x0064, 1, "add.w r0, r0, #100"),
            (0xeb00, 0x0041, 1, "add.w r0, r0, r1, lsl #1"),
            (0xfa2f, 0xf180, 1, "sxtb16 r1, r0"),
            (0xfb20, 0x3001, 1, "smlad r0, r0, r1, r3"),
            (0xfb50, 0x3011, 1, "smmlar r0, r0, r1, r3"),
            (0xfbc2, 0x0101, 1, "smlal r0, r1, r2, r1"),
            (0xfb90, 0xf0f1, 7, "sdiv r0, r0, r1"),
            (0xfbb0, 0xf0f1, 7, "udiv r0, r0, r1"),
            (0xf000, 0xf800, 1, "bl"),
            (0xf850, 0x1b04, 2, "ldr r1, [r0], #4"),
            (0xf8d0, 0x1100, 2, "ldr.w r1, [r0, #256]"),
            (0xf850, 0x1022, 2, "ldr.w r1, [r0, r2, lsl #2]"),
            (0xf990, 0x1001, 2, "ldrsb.w r1, [r0, #1]"),
            (0xf840, 0x1b04, 1, "str r1, [r0], #4"),
            (0xf8a0, 0x1100, 1, "strh.w r1, [r0, #256]"),
            (0xf840, 0x1022, 2, "str.w r1, [r0, r2, lsl #2]"),
            (0xe9d0, 0x1200, 3, "ldrd r1, r2, [r0]"),
            (0xe8f0, 0x1202, 3, "ldrd r1, r2, [r0], #8"),
            (0xe9c0, 0x1200, 3, "strd r1, r2, [r0]"),
            (0xe850, 0x1f00, 2, "ldrex r1, [r0]"),
            (0xe8d0, 0x1f4f, 2, "ldrexb r1, [r0]"),
            (0xe8df, 0xf000, 2, "tbb [pc, r0]"),
            (0xe8df, 0xf010, 2, "tbh [pc, r0, lsl #1]"),
            (0xe92d, 0x4ff0, 10, "push.w {r4-r11, lr}"),
            (0xe8bd, 0x8ff0, 10, "pop.w {r4-r11, pc}"),
        ];
        for (first, second, cycles, text) in expected {
            assert_eq!(alone(first, Some(second)), cycles, "{text}");
        }
    }

    #[test]
    fn fpu_instructions() {
        let expected = [
            (0xed90, 0x0a00, 2, "vldr s0, [r0]"),
            (0xed90, 0x0b00, 3, "vldr d0, [r0]"),
            (0xed80, 0x0a00, 2, "vstr s0, [r0]"),
            (0xecb0, 0x0a04, 5, "vldmia r0!, {s0-s3}"),
            (0xed2d, 0x8b04, 5, "vpush {d8-d9}"),
            (0xec51, 0x0b10, 2, "vmov r0, r1, d0"),
            (0xee10, 0x0a10, 1, "vmov r0, s0"),
            (0xee30, 0x0a20, 1, "vadd.f32 s0, s0, s1"),
            (0xee20, 0x0a20, 1, "vmul.f32 s0, s0, s1"),
            (0xee00, 0x0a20, 3, "vmla.f32 s0, s0, s1"),
            (0xee40, 0x0a20, 3, "vmla.f32 s1, s0, s1"),
            (0xeea0, 0x0a20, 3, "vfma.f32 s0, s0, s1"),
            (0xee90, 0x0a20, 3, "vfnms.f32 s0, s0, s1"),
            (0xee80, 0x0a20, 14, "vdiv.f32 s0, s0, s1"),
            (0xeeb1, 0x0ac0, 14, "vsqrt.f32 s0, s0"),
            (0xeeb1, 0x0a40, 1, "vneg.f32 s0, s0"),
            (0xeeb0, 0x0ac0, 1, "vabs.f32 s0, s0"),
            (0xeeb2, 0x0a60, 1, "vcvtb.f32.f16 s0, s1"),
            (0xeeb8, 0x0ac0, 1, "vcvt.f32.s32 s0, s0"),
            (0xeef1, 0xfa10, 1, "vmrs apsr_nzcv, fpscr"),
        ];
        for (first, second, cycles, text) in expected {
            assert_eq!(alone(first, Some(second)), cycles, "{text}");
        }
    }

    #[test]
    fn loads_and_what_follows_them_overlap() {
        let (load, store, store_at_register, add, two) = (0x6808, 0x6008, 0x5088, 0x1840, 0xc803);
        let expected = [
            (&[load, load, load][..], 4),
            (&[load, store], 3),
            (&[load, store_at_register], 3),
            (&[store, load], 3),
            (&[load, add, load], 5),
            (&[load, two, load], 7),
        ];
        for (program, cycles) in expected {
            let mut pipeline = Pipeline::default();
            assert_eq!(program.iter().map(|&op| pipeline.cycles(op, None)).sum::<u64>(), cycles, "{program:04x?}");
        }
    }

    #[test]
    fn a_loop_refills_the_pipeline_but_for_the_last_time() {
        let (subs, bne) = (0x3801, 0xd1fd);
        let turn = alone(subs, None) + alone(bne, None);
        assert_eq!(100 * turn + 99 * REFILL, 398);
    }
}
