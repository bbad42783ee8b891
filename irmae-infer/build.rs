//! Tells the crate which instructions the target has. `cfg(target_feature)` knows neither `dsp` nor `mve` on stable Rust.

use std::env;

/// Cores of Armv8.1-M with vectors of integers.
const MVE_CPUS: [&str; 3] = ["cortex-m52", "cortex-m55", "cortex-m85"];
/// Cores of Armv8-M with the DSP extension and without vectors.
const DSP_CPUS: [&str; 3] = ["cortex-m33", "cortex-m35p", "star-mc1"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    println!("cargo:rustc-check-cfg=cfg(irmae_dsp)");
    println!("cargo:rustc-check-cfg=cfg(irmae_mve)");
    println!("cargo:rustc-check-cfg=cfg(irmae_v8m)");
    println!("cargo:rustc-check-cfg=cfg(irmae_fpu)");
    println!("cargo:rustc-check-cfg=cfg(irmae_v6m)");
    println!("cargo:rustc-check-cfg=cfg(irmae_avx2)");
    println!("cargo:rustc-check-cfg=cfg(irmae_neon)");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let has_cpu = |cpus: &[&str]| cpus.iter().any(|cpu| flags.contains(&format!("target-cpu={cpu}")));
    let has_feature = |name: &str| flags.contains(&format!("+{name}"));
    let is_v8m = target.starts_with("thumbv8m.main");
    // Every Armv7E-M core has the DSP extension: that is the E.
    if target.starts_with("thumbv7em") || is_v8m && (has_cpu(&DSP_CPUS) || has_cpu(&MVE_CPUS) || has_feature("dsp")) {
        println!("cargo:rustc-cfg=irmae_dsp");
        // Their floating-point units, where there is one, convert half precision.
        if target.ends_with("eabihf") {
            println!("cargo:rustc-cfg=irmae_fpu");
        }
    }
    if target.starts_with("thumbv6m") {
        println!("cargo:rustc-cfg=irmae_v6m");
    }
    if is_v8m {
        println!("cargo:rustc-cfg=irmae_v8m");
    }
    if is_v8m && (has_cpu(&MVE_CPUS) || has_feature("mve")) {
        println!("cargo:rustc-cfg=irmae_mve");
    }
    // Not where there are no vectors at all; whether the CPU has AVX2 is asked later.
    let target_features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if target.starts_with("x86_64") && target_features.contains("sse2") {
        println!("cargo:rustc-cfg=irmae_avx2");
    }
    // The same of dot products.
    if target.starts_with("aarch64") && target_features.contains("neon") {
        println!("cargo:rustc-cfg=irmae_neon");
    }
}
