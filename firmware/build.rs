//! Picks the board's memory layout, and lists the golden cases that the program carries.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Feature, as cargo names it to build scripts, and the board's memory layout.
const BOARDS: [(&str, &str); 3] = [
    ("CARGO_FEATURE_BOARD_MPS2", "memory/mps2.x"),
    ("CARGO_FEATURE_BOARD_MPS3_AN547", "memory/mps3_an547.x"),
    ("CARGO_FEATURE_BOARD_RISCV_VIRT", "memory/riscv_virt.x"),
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    link(&out)?;
    list_cases(&out)
}

fn link(out: &Path) -> io::Result<()> {
    // None or several: `main.rs` says so.
    let Some((_, layout)) = BOARDS.iter().find(|(feature, _)| env::var_os(feature).is_some()) else { return Ok(()) };
    println!("cargo::rerun-if-changed={layout}");
    fs::copy(layout, out.join("memory.x"))?;
    // Names of interrupts' handlers: there are none.
    fs::write(out.join("device.x"), "")?;
    println!("cargo::rustc-link-search={}", out.display());
    let is_riscv = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "riscv32");
    // cortex-m-rt's script includes memory.x itself.
    let scripts = if is_riscv { &["memory.x", "link.x", "defmt.x"][..] } else { &["link.x", "defmt.x"] };
    for script in scripts {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
    // Its place for a model, see `irmae_node::model`.
    println!("cargo::rustc-link-arg-bin=stream=-Tmodel.x");
    // Otherwise sections are spread over pages that no microcontroller has.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    Ok(())
}

/// Writes `CASES`, one for each folder that holds an encoder, in order of name.
fn list_cases(out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=IRMAE_CASES");
    let root = PathBuf::from(env::var_os("IRMAE_CASES").unwrap_or_else(|| "../tests/golden".into()));
    println!("cargo::rerun-if-changed={}", root.display());
    let root = fs::canonicalize(&root).map_err(|why| {
        io::Error::new(why.kind(), format!("no folder of cases at {}: {why}; set IRMAE_CASES to one", root.display()))
    })?;
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)?.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("encoder.irmae").is_file());
    folders.sort();
    assert!(!folders.is_empty(), "no folder in {} holds an encoder.irmae: set IRMAE_CASES", root.display());
    let mut list = String::from("[\n");
    for folder in folders {
        println!("cargo::rerun-if-changed={}", folder.display());
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        writeln!(list, "case!({name:?}, {:?}),", folder.display().to_string()).expect("writing to a string succeeds");
    }
    fs::write(out.join("cases.rs"), list + "]\n")
}
