//! A QEMU plugin that counts the instructions that a program executes in the regions which it marks, exactly, and models
//! the cycles that a Cortex-M4 would take for them (`cortex_m4`).
//!
//! `-plugin libinsn_plugin.so,out=FILE,stack=LOW-HIGH` writes a line for each region that ends: instructions, modelled
//! cycles, and how deep the stack was written, whose addresses are given in hexadecimal.
//!
//! A translated block is counted when it begins to run, with one call. A marker inside a block takes back what follows it.

mod cortex_m4;
mod count;
mod qemu;
mod translate;

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    fs::File,
    io::Write,
    slice,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use cortex_m4::Pipeline;
use count::{Block, Cost, Counters, Marker};
use translate::Family;

/// What the callbacks share.
struct Plugin {
    family: Family,
    out: File,
    counters: Counters,
}

/// A callback at translation takes no data. With one emulated processor the lock is never waited for.
static PLUGIN: OnceLock<Mutex<Plugin>> = OnceLock::new();

/// The plugin, which is there before any callback.
fn plugin() -> MutexGuard<'static, Plugin> {
    let plugin = PLUGIN.get().expect("it is installed");
    plugin.lock().unwrap_or_else(PoisonError::into_inner)
}

/// QEMU's entry; gives 0 for success.
#[unsafe(no_mangle)]
extern "C" fn qemu_plugin_install(
    id: qemu::Id,
    info: *const qemu::Info,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: QEMU gives a description of itself and `argc` strings.
    let (family, arguments) = unsafe {
        let arguments = (0..argc as usize).map(|i| CStr::from_ptr(*argv.add(i)).to_string_lossy());
        (Family::named(CStr::from_ptr((*info).target_name)), arguments.collect::<Vec<_>>())
    };
    let argument = |name| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let out = argument("out=").and_then(|path| File::create(path).ok());
    let (Some(family), Some(out), Some(stack)) = (family, out, argument("stack=").and_then(range)) else {
        eprintln!("insn-plugin: needs Arm or RISC-V, out=FILE that can be written, and stack=LOW-HIGH in hexadecimal");
        return 1;
    };
    let installed = PLUGIN.set(Mutex::new(Plugin { family, out, counters: Counters::new(stack) }));
    // SAFETY: the callback is a function, which lives for ever.
    unsafe { qemu::qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate) };
    c_int::from(installed.is_err())
}

fn range(text: &str) -> Option<[u64; 2]> {
    let (low, high) = text.split_once('-')?;
    Some([u64::from_str_radix(low, 16).ok()?, u64::from_str_radix(high, 16).ok()?])
}

/// Has a block counted whenever it runs, its markers obeyed and its stores watched.
extern "C" fn on_translate(_id: qemu::Id, block: *mut qemu::Block) {
    let family = plugin().family;
    // SAFETY: the block is QEMU's for the time of this call; data of callbacks lives for ever.
    unsafe {
        let start = qemu::qemu_plugin_tb_vaddr(block);
        let (mut end, mut cost, mut pipeline, mut markers) = (start, Cost::default(), Pipeline::default(), Vec::new());
        for index in 0..qemu::qemu_plugin_tb_n_insns(block) {
            let instruction = qemu::qemu_plugin_tb_get_insn(block, index);
            let size = qemu::qemu_plugin_insn_size(instruction);
            let code = family.first(slice::from_raw_parts(qemu::qemu_plugin_insn_data(instruction).cast(), size));
            let before = cost;
            cost += Cost { instructions: 1, cycles: family.cycles(&mut pipeline, code) };
            end += code.len() as u64;
            match family.marker(code) {
                Some(begins) => markers.push((instruction, begins, if begins { cost } else { before })),
                None => qemu::qemu_plugin_register_vcpu_mem_cb(
                    instruction,
                    on_store,
                    qemu::NO_REGISTERS,
                    qemu::STORES,
                    std::ptr::null_mut(),
                ),
            }
        }
        for (instruction, begins, before) in markers {
            let marker = forever(Marker { begins, rest: cost - before });
            qemu::qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_marker, qemu::NO_REGISTERS, marker);
        }
        let counted = forever(Block { start, end, cost });
        qemu::qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, qemu::NO_REGISTERS, counted);
    }
}

/// Data of a callback. QEMU does not say when it has forgotten a block, and a run is short.
fn forever<T>(data: T) -> *mut c_void {
    Box::into_raw(Box::new(data)).cast()
}

extern "C" fn on_block(_vcpu: c_uint, block: *mut c_void) {
    // SAFETY: `on_translate` gave a `Block`.
    plugin().counters.run(unsafe { &*block.cast::<Block>() });
}

extern "C" fn on_store(_vcpu: c_uint, _info: u32, address: u64, _data: *mut c_void) {
    plugin().counters.store(address);
}

extern "C" fn on_marker(_vcpu: c_uint, marker: *mut c_void) {
    let mut plugin = plugin();
    // SAFETY: `on_translate` gave a `Marker`.
    if let Some(region) = plugin.counters.mark(unsafe { &*marker.cast::<Marker>() }) {
        // A line that is lost is missed by whoever reads the file.
        let _ = writeln!(plugin.out, "{region}");
    }
}
