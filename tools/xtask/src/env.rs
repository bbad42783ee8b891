//! Where things are: the workspace, its cache, libtorch; and a cargo that knows libtorch.

use std::{
    env::{split_paths, var_os},
    path::{Path, PathBuf},
    process::Command,
};

/// The libtorch version that goes with the `tch` in Cargo.toml.
pub(crate) const LIBTORCH_VERSION: &str = "2.11.0";

/// The workspace has nowhere to keep what it fetches.
#[derive(Debug, thiserror::Error)]
#[error("no folder for the cache: set IRMAE_CACHE to one (neither it, XDG_CACHE_HOME nor HOME is set)")]
pub(crate) struct NoCache;

/// The folders that every verb works in.
#[derive(Debug, Clone)]
pub(crate) struct Env {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// What `setup` fetched: `libtorch-*/`, `qemu/`, `data/*/`.
    pub(crate) cache: PathBuf,
}

/// Which libtorch the trainer is built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Libtorch {
    /// The folder that LIBTORCH names.
    Given(PathBuf),
    /// The one inside the user's Python (LIBTORCH_USE_PYTORCH).
    Python,
    /// The one that `setup` keeps in the cache.
    Cached(PathBuf),
}

impl Env {
    /// Reads the environment.
    pub(crate) fn detect() -> Result<Env, NoCache> {
        let manifest =
            var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.ancestors().nth(2).unwrap_or(&manifest).to_path_buf();
        let cache = cache_dir(|name| var_os(name).map(PathBuf::from)).ok_or(NoCache)?;
        let cache = std::path::absolute(&cache).unwrap_or(cache);
        Ok(Env { root, cache })
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target_dir(&self) -> PathBuf {
        var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), |folder| self.root.join(folder))
    }

    /// The folder of a data set in the cache.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.cache.join("data").join(name)
    }

    /// The libtorch to build with; torch-sys asks in the same order.
    pub(crate) fn libtorch(&self) -> Libtorch {
        let set = |name| var_os(name).filter(|value| !value.is_empty());
        if set("LIBTORCH_USE_PYTORCH").is_some() {
            return Libtorch::Python;
        }
        match set("LIBTORCH") {
            Some(folder) => Libtorch::Given(folder.into()),
            None => Libtorch::Cached(self.cache.join(format!("libtorch-{LIBTORCH_VERSION}"))),
        }
    }

    /// Cargo in the workspace's root, told where libtorch is, so that all builds share their outputs.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        if let Libtorch::Cached(folder) = self.libtorch() {
            cargo.env("LIBTORCH", folder);
        }
        cargo
    }
}

/// The first of `$IRMAE_CACHE`, `$XDG_CACHE_HOME/irmae`, `~/.cache/irmae` whose variable is set and not empty.
fn cache_dir(var: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let set = |name: &str| var(name).filter(|path| !path.as_os_str().is_empty());
    set("IRMAE_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("irmae")))
        .or_else(|| Some(set("HOME")?.join(".cache/irmae")))
}

/// The file that a program's name stands for on PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = var_os("PATH")?;
    split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> Option<PathBuf> {
        cache_dir(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn cache_follows_the_most_specific_variable() {
        let all = [("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("IRMAE_CACHE", "/i")];
        assert_eq!(from(&all), Some("/i".into()));
        assert_eq!(from(&all[..2]), Some("/x/irmae".into()));
        assert_eq!(from(&all[..1]), Some("/h/.cache/irmae".into()));
        assert_eq!(from(&[("IRMAE_CACHE", ""), ("HOME", "/h")]), Some("/h/.cache/irmae".into()));
        assert_eq!(from(&[]), None);
    }

    #[test]
    fn programs_are_found_on_path() {
        assert!(find_program("sh").is_some());
        assert_eq!(find_program("no-such-program-anywhere"), None);
    }
}
