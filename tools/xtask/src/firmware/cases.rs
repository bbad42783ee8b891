//! A folder of golden cases, as the firmware will carry it.

use super::FirmwareError;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Files of a case that the firmware carries.
pub(crate) const FILES: [&str; 5] = ["encoder.irmae", "decoder.irmae", "input.bin", "packets.irp", "output.bin"];

/// What is known of a folder of cases before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cases {
    /// The folder; absolute, as cargo is started elsewhere.
    pub(super) root: PathBuf,
    /// The cases' names, in the order in which they run.
    pub(super) names: Vec<String>,
    /// All packets of all cases, which is what must go over the wire.
    pub(super) packets: Vec<u8>,
    /// Bytes of all files, which is what they take of the flash.
    pub(super) bytes: u64,
}

impl Cases {
    /// Reads the folder's sub folders that hold an encoder.
    pub(super) fn read(root: &Path) -> Result<Cases, FirmwareError> {
        let no_cases = || FirmwareError::NoCases { root: root.to_path_buf() };
        let absolute = fs::canonicalize(root).map_err(|_| no_cases())?;
        let entries = fs::read_dir(&absolute).map_err(|_| no_cases())?;
        let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        folders.retain(|folder| folder.join(FILES[0]).is_file());
        folders.sort();
        if folders.is_empty() {
            return Err(no_cases());
        }
        let mut cases = Cases { root: absolute, names: Vec::new(), packets: Vec::new(), bytes: 0 };
        for folder in folders {
            cases.add(&folder)?;
        }
        Ok(cases)
    }

    fn add(&mut self, folder: &Path) -> Result<(), FirmwareError> {
        for file in FILES.map(|name| folder.join(name)) {
            let content = fs::read(&file).map_err(FirmwareError::io(&file))?;
            self.bytes += content.len() as u64;
            if file.ends_with("packets.irp") {
                self.packets.extend(content);
            }
        }
        self.names.push(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_follow_each_other_in_order_of_name() {
        let root = tempfile::tempdir().unwrap();
        for (name, packet) in [("b", [1, 20]), ("a", [1, 10])] {
            fs::create_dir(root.path().join(name)).unwrap();
            for file in FILES {
                fs::write(root.path().join(name).join(file), packet).unwrap();
            }
        }
        fs::create_dir(root.path().join("no-case")).unwrap();
        let cases = Cases::read(root.path()).unwrap();
        assert_eq!((cases.names, cases.packets, cases.bytes), (vec!["a".into(), "b".into()], vec![1, 10, 1, 20], 20));
    }

    #[test]
    fn a_folder_without_cases_and_a_case_without_a_file_are_named() {
        let root = tempfile::tempdir().unwrap();
        assert!(Cases::read(root.path()).unwrap_err().to_string().contains("no golden cases"));
        fs::create_dir(root.path().join("half")).unwrap();
        fs::write(root.path().join("half/encoder.irmae"), b"").unwrap();
        assert!(Cases::read(root.path()).unwrap_err().to_string().contains("half/decoder.irmae"));
    }
}
