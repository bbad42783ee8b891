//! Gives the linker the board's memory layout, the place for a model, and the logger's script.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=memory.x");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::copy("memory.x", out.join("memory.x"))?;
    println!("cargo::rustc-link-search={}", out.display());
    for script in ["link.x", "model.x", "defmt.x"] {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
    // Otherwise sections are spread over pages that no microcontroller has.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    Ok(())
}
