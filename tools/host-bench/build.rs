//! Bakes libtorch's folder into the binary, as `trainer/build.rs` does for its own.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // microflow's macro reads it, unseen by cargo.
    println!("cargo:rerun-if-changed=encoder.tflite");
    let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    println!("cargo:rustc-link-arg=-Wl,-rpath={lib}");
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
    println!("cargo:rustc-link-arg=-ltorch");
}
