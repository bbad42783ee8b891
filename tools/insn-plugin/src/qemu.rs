//! The part of QEMU's plugin interface that is used here, as `qemu-plugin.h` of QEMU 7.2 declares it.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// The interface's version, which QEMU reads before anything else.
#[unsafe(no_mangle)]
pub(crate) static qemu_plugin_version: c_int = 1;

/// A plugin's number.
pub(crate) type Id = u64;

/// What a callback may do with registers: nothing.
pub(crate) const NO_REGISTERS: c_int = 0;
/// Callbacks for stores alone.
pub(crate) const STORES: c_int = 2;

/// A block of instructions that is translated at once.
#[repr(C)]
pub(crate) struct Block {
    _opaque: [u8; 0],
}

/// An instruction of a block.
#[repr(C)]
pub(crate) struct Instruction {
    _opaque: [u8; 0],
}

/// What is told at the start; more follows that is not needed.
#[repr(C)]
pub(crate) struct Info {
    /// The processor family: `arm`, `riscv32`.
    pub(crate) target_name: *const c_char,
}

/// Called when something runs.
pub(crate) type OnRun = extern "C" fn(vcpu: c_uint, data: *mut c_void);
/// Called when memory is accessed.
pub(crate) type OnAccess = extern "C" fn(vcpu: c_uint, info: u32, address: u64, data: *mut c_void);
/// Called when a block is translated.
pub(crate) type OnTranslate = extern "C" fn(id: Id, block: *mut Block);

unsafe extern "C" {
    pub(crate) fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: OnTranslate);
    pub(crate) fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut Block,
        callback: OnRun,
        flags: c_int,
        data: *mut c_void,
    );
    pub(crate) fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: OnRun,
        flags: c_int,
        data: *mut c_void,
    );
    pub(crate) fn qemu_plugin_register_vcpu_mem_cb(
        instruction: *mut Instruction,
        callback: OnAccess,
        flags: c_int,
        accesses: c_int,
        data: *mut c_void,
    );
    pub(crate) fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    pub(crate) fn qemu_plugin_tb_vaddr(block: *const Block) -> u64;
    pub(crate) fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    pub(crate) fn qemu_plugin_insn_data(instruction: *const Instruction) -> *const c_void;
    pub(crate) fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
}
