//! Rows of one output channel of a transposed convolution.

use core::arch::{asm, naked_asm};

/// Weights as [`add_columns`] reads them, from those of column 0 and then of column 1. 11 instructions for two words.
pub(in crate::kernels) fn expand_columns(weights: &[u32], expanded: &mut [u32]) {
    let words = weights.len() / 2;
    if words == 0 {
        return;
    }
    assert!(expanded.len() >= 4 * words);
    // SAFETY: reads `2 * words` words and writes `4 * words`, which have been checked to be there.
    unsafe {
        asm!(
            "2:",
            "ldr r4, [{second}, {first}]",
            "ldr r2, [{first}], #4",
            "sxtb16 r5, r4, ror #8",
            "eor r4, r4, {offset}",
            "sxtb16 r3, r2, ror #8",
            "eor r2, r2, {offset}",
            "sxtb16 r4, r4",
            "sxtb16 r2, r2",
            "stm {to}!, {{r2-r5}}",
            "subs {n}, {n}, #1",
            "bne 2b",
            first = inout(reg) weights.as_ptr() => _,
            second = in(reg) 4 * words,
            to = inout(reg) expanded.as_mut_ptr() => _,
            n = inout(reg) words => _,
            offset = in(reg) 0x0080_0080_u32,
            out("r2") _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
            options(nostack),
        );
    }
}

/// See [`Tile::add_columns`](crate::kernels::tile::Tile::add_columns). `weights` are eight words for each four of channels: for
/// both halves, the lanes of column 0's two phases, then of column 1's. 13 instructions for 16 multiplications.
pub(in crate::kernels) fn add_columns(x: &[u8], weights: &[u32], sums: &mut [[i32; 2]]) {
    let quads = weights.len() / 8;
    let columns = sums.len().saturating_sub(1);
    if quads == 0 || columns == 0 {
        return;
    }
    assert!(x.len() >= 4 * quads * columns);
    let mut job =
        ColumnsJob { x: x.as_ptr(), weights: weights.as_ptr(), quads, columns, sums: sums.as_mut_ptr().cast() };
    // SAFETY: lengths have been checked.
    unsafe { add_columns_u8(&mut job) };
}

/// What [`add_columns_u8`] works on. The code knows the offsets of the fields.
#[repr(C)]
struct ColumnsJob {
    x: *const u8,
    weights: *const u32,
    quads: usize,
    columns: usize,
    sums: *mut i32,
}

/// Four channels of a column: r4 and r5 are the sums of column 0's phases, r6 and r7 of column 1's.
macro_rules! column_quad {
    () => {
        "ldr r12, [r0], #4
         ldm r1!, {{r8-r11}}
         uxtb16 lr, r12, ror #8
         uxtb16 r12, r12
         smlad r4, r8, r12, r4
         smlad r5, r9, r12, r5
         smlad r6, r10, r12, r6
         smlad r7, r11, r12, r7
         ldm r1!, {{r8-r11}}
         smlad r4, r8, lr, r4
         smlad r5, r9, lr, r5
         smlad r6, r10, lr, r6
         smlad r7, r11, lr, r7
        "
    };
}

/// See [`add_columns`].
///
/// # Safety
/// `x` has `4 * quads * columns` bytes, `weights` `8 * quads` words, `sums` `2 * columns + 2` words; `quads` and `columns` are at
/// least 1.
#[unsafe(naked)]
unsafe extern "C" fn add_columns_u8(job: &mut ColumnsJob) {
    naked_asm!(
        cpu!(),
        "push {{r0, r4-r11, lr}}",
        "ldr r3, [r0, #16]",
        "mov r12, r0",
        "ldr r0, [r12]",
        // The sums to the left of a column are those to the right of the one before.
        "ldrd r4, r5, [r3]",
        "10:",
        "ldr r12, [sp]",
        "mov r6, r4",
        "mov r7, r5",
        "ldrd r4, r5, [r3, #8]",
        "ldr r1, [r12, #4]",
        "ldr r2, [r12, #8]",
        "lsrs r2, r2, #1",
        "bcc 20f",
        column_quad!(),
        "20:",
        "subs r2, r2, #1",
        "blo 40f",
        "30:",
        column_quad!(),
        column_quad!(),
        "subs r2, r2, #1",
        "bhs 30b",
        "40:",
        "strd r6, r7, [r3], #8",
        "ldr r12, [sp]",
        "ldr r1, [r12, #12]",
        "subs r1, r1, #1",
        "str r1, [r12, #12]",
        "bne 10b",
        "strd r4, r5, [r3]",
        "pop {{r0, r4-r11, pc}}",
    );
}
