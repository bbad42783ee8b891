//! libtorch for the CPU, cut out of the wheels that Python users get.

use super::{
    SetupError, Workshop,
    python::{Python, Wheel},
};
use crate::env::{Env, LIBTORCH_VERSION, Libtorch};
use std::{fs, path::Path, process::Command};

/// torch, and the two CUDA libraries that libtorch_cpu.so names even on the CPU.
const WHEELS: [Wheel; 3] = [
    Wheel {
        requirement: "torch==2.11.0",
        sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
        bytes: 530_604_548,
    },
    Wheel {
        requirement: "nvidia-cuda-runtime==13.5.37",
        sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
        bytes: 2_504_024,
    },
    Wheel {
        requirement: "nvidia-cuda-cupti==13.5.25",
        sha256: "9dcca41c12a734192b14e7128ae116bc9ce1b9da686e2ebf48ae7a4415f76650",
        bytes: 12_592_974,
    },
];

const FILES: [&str; 6] = [
    "torch/include/=include/",
    "torch/lib/libtorch_cpu.so=lib/libtorch_cpu.so",
    "torch/lib/libc10.so=lib/libc10.so",
    "torch/lib/libgomp.so.1=lib/libgomp.so.1",
    "nvidia/cu13/lib/libcudart.so.13=lib/libcudart.so.13",
    "nvidia/cu13/lib/libcupti.so.13=lib/libcupti.so.13",
];

/// Where libtorch is, if it is there.
pub(super) fn ready(env: &Env) -> Option<String> {
    match env.libtorch() {
        Libtorch::Given(folder) => folder.join("lib").is_dir().then(|| format!("{} (LIBTORCH)", folder.display())),
        Libtorch::Python => (python_torch()? == LIBTORCH_VERSION).then(|| "in Python (LIBTORCH_USE_PYTORCH)".into()),
        Libtorch::Cached(folder) => is_whole(&folder).then(|| folder.display().to_string()),
    }
}

fn is_whole(folder: &Path) -> bool {
    let parts = ["include/torch", "lib/libtorch.so", "lib/libtorch_cpu.so", "lib/libcupti.so.13"];
    parts.iter().all(|part| folder.join(part).exists())
}

/// The version of the user's torch, read without the seconds that importing it takes.
fn python_torch() -> Option<String> {
    let script = "from importlib.metadata import version; print(version('torch').split('+')[0])";
    // The interpreter that torch-sys will ask.
    let program = if std::env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let output = Command::new(program).args(["-c", script]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

pub(super) fn obtain(workshop: &Workshop) -> Result<(), SetupError> {
    let goal = match workshop.env().libtorch() {
        Libtorch::Cached(folder) => folder,
        Libtorch::Given(folder) => {
            let what = format!("a libtorch in {} (LIBTORCH)", folder.display());
            return Err(SetupError::missing(what, "correct LIBTORCH, or unset it to have one fetched"));
        }
        Libtorch::Python => {
            let what = format!("torch {LIBTORCH_VERSION} in Python (LIBTORCH_USE_PYTORCH)");
            let remedy =
                format!("run `pip install torch=={LIBTORCH_VERSION}`, or unset the variable to have it fetched");
            return Err(SetupError::missing(what, remedy));
        }
    };
    if !cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        let remedy = format!(
            "set LIBTORCH to the folder of libtorch {LIBTORCH_VERSION}, or run `pip install torch=={LIBTORCH_VERSION}` and \
             set LIBTORCH_USE_PYTORCH=1"
        );
        return Err(SetupError::missing("a ready-made libtorch for this machine", remedy));
    }
    let stage = workshop.stage()?;
    let python = Python::find(workshop, stage.path())?;
    let wheels = python.download("libtorch", &WHEELS)?;
    let out = stage.path().join("libtorch");
    eprintln!("libtorch: unpacking");
    python.unpack(&wheels, &out, &FILES)?;
    finish(&out)?;
    workshop.publish(&out, &goal)
}

/// Adds what the wheels lack: the name that torch-sys links, and the version that it checks.
fn finish(folder: &Path) -> Result<(), SetupError> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(SetupError::io(path))
    };
    // A linker script: the real libtorch.so would pull libtorch_cuda.so in.
    write("lib/libtorch.so", "INPUT(-ltorch_cpu)\n")?;
    write("build-version", &format!("{LIBTORCH_VERSION}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_whole_only_with_every_part() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["include/torch", "lib"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in ["libtorch_cpu.so", "libcupti.so.13"] {
            fs::write(dir.path().join("lib").join(file), b"").unwrap();
        }
        assert!(!is_whole(dir.path()));
        finish(dir.path()).unwrap();
        assert!(is_whole(dir.path()));
        assert_eq!(fs::read(dir.path().join("build-version")).unwrap(), b"2.11.0\n");
    }

    #[test]
    fn the_wheel_is_of_the_version_that_is_checked() {
        assert_eq!(WHEELS[0].requirement, format!("torch=={LIBTORCH_VERSION}"));
    }
}
