//! Bakes libtorch's folder into every binary of this crate, so that they run without LD_LIBRARY_PATH.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    // Where `device.rs` looks for libtorch_cuda.so.
    println!("cargo:rustc-env=TRAINER_LIBTORCH_LIB={lib}");
    println!("cargo:rustc-link-arg=-Wl,-rpath={lib}");
    // libtorch registers its kernels from static initialisers, so it must load even where no symbol of it is named.
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
    println!("cargo:rustc-link-arg=-ltorch");
}
