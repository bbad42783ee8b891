//! Which device to compute on. CUDA comes in at run time, so one binary serves machines with and without it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use tch::{Cuda, Device};

/// The library whose loading makes libtorch see CUDA devices.
const CUDA_LIBRARY: &str = "libtorch_cuda.so";

/// What `--device` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
}

/// Why a device cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No such device name.
    #[error("there is no device `{0}`; give auto, cpu, cuda or cuda:N")]
    Unknown(String),
    /// The CUDA part of libtorch is not installed.
    #[error(
        "CUDA was asked for, but {CUDA_LIBRARY} {why}; install the CUDA build of libtorch {version} \
         (pip install torch=={version}) and name its folder in LIBTORCH, or give --device cpu",
        version = crate::config::LIBTORCH_VERSION
    )]
    NoLibrary {
        /// What was tried.
        why: String,
    },
    /// The library is there, a device is not.
    #[error(
        "CUDA device {index} was asked for, but {count} CUDA devices are visible; check `nvidia-smi`, or give --device cpu"
    )]
    NoDevice {
        /// Which was asked for.
        index: usize,
        /// How many there are.
        count: i64,
    },
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.into());
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").and_then(|index| index.parse().ok());
                index.map(DeviceChoice::Cuda).ok_or_else(unknown)
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// Makes the chosen device ready. Call it before anything else asks libtorch about CUDA: it looks only once.
///
/// # Errors
/// When CUDA is asked for and cannot be had; the line says what to install.
pub fn open(choice: DeviceChoice) -> Result<Device, DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto => {
            let found = load_cuda().is_ok() && Cuda::device_count() > 0;
            Ok(if found { Device::Cuda(0) } else { Device::Cpu })
        }
        DeviceChoice::Cuda(index) => {
            load_cuda().map_err(|why| DeviceError::NoLibrary { why })?;
            let count = Cuda::device_count();
            if (index as i64) < count { Ok(Device::Cuda(index)) } else { Err(DeviceError::NoDevice { index, count }) }
        }
    }
}

/// What a device is called in reports.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Opens the CUDA library for the rest of the process.
fn load_cuda() -> Result<(), String> {
    // Beside the libtorch that this process runs on, or wherever the system's search path leads.
    let candidates = library_folders().into_iter().map(|folder| folder.join(CUDA_LIBRARY)).filter(|path| path.exists());
    let mut failure = "was not found".to_string();
    for path in candidates.chain([PathBuf::from(CUDA_LIBRARY)]) {
        // SAFETY: the library's initialisers only register its kernels with libtorch, which is loaded already.
        match unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(library) => {
                // Its kernels stay registered, so it must never be unloaded.
                std::mem::forget(library);
                return Ok(());
            }
            Err(error) if path.parent() != Some(Path::new("")) => {
                failure = format!("could not be loaded ({})", error.to_string().replace('\n', " "));
            }
            Err(_) => {}
        }
    }
    Err(failure)
}

/// `LIBTORCH/lib` of this process, then the folder that the binary was linked against.
fn library_folders() -> Vec<PathBuf> {
    let named = std::env::var_os("LIBTORCH").map(|folder| Path::new(&folder).join("lib"));
    let linked = option_env!("TRAINER_LIBTORCH_LIB").map(PathBuf::from);
    named.into_iter().chain(linked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        for name in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("gpu".parse::<DeviceChoice>(), Err(DeviceError::Unknown("gpu".into())));
    }

    #[test]
    fn what_to_install_is_said_in_one_line() {
        let line = DeviceError::NoLibrary { why: "was not found".into() }.to_string();
        assert!(line.contains("pip install torch==2.11.0") && !line.contains('\n'), "{line}");
    }
}
