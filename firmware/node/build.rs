//! Writes the linker script that gives the model a memory region, and puts the file that `IRMAE_MODEL` names into the program.

use std::path::PathBuf;
use std::{env, fs, io};

/// The board's `memory.x` says where MODEL is.
const LINKER_SCRIPT: &str = "\
__model_start = ORIGIN(MODEL);
__model_end = ORIGIN(MODEL) + LENGTH(MODEL);
SECTIONS
{
  .model ORIGIN(MODEL) : { KEEP(*(.model)) } > MODEL
}
INSERT AFTER .rodata;
";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=IRMAE_MODEL");
    println!("cargo::rustc-check-cfg=cfg(model)");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("model.x"), LINKER_SCRIPT)?;
    println!("cargo::rustc-link-search={}", out.display());
    let Some(model) = env::var_os("IRMAE_MODEL").map(PathBuf::from) else { return Ok(()) };
    if !(model.is_absolute() && model.is_file()) {
        println!("cargo::error=IRMAE_MODEL={}: no file; give the absolute path of an encoder.irmae", model.display());
        return Ok(());
    }
    println!("cargo::rerun-if-changed={}", model.display());
    println!("cargo::rustc-cfg=model");
    println!("cargo::rustc-env=IRMAE_MODEL_FILE={}", model.display());
    Ok(())
}
