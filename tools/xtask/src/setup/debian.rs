//! Debian packages without root: `apt-get download` and `dpkg-deb -x` into a folder of our own.

use super::{SetupError, Workshop};
use crate::env::find_program;
use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Kinds of dependency that a program runs without.
const NOT_NEEDED: [&str; 6] = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];

/// Debian's package tools, with package lists that know what is looked for.
pub(super) struct Apt<'a> {
    workshop: &'a Workshop,
    /// Where packages are downloaded to.
    stage: PathBuf,
    /// Options that point apt at private package lists; empty where the system's own serve.
    options: Vec<String>,
}

impl<'a> Apt<'a> {
    /// The tools, if this is a Debian-like system that offers the package.
    ///
    /// Where the system's package lists do not know it (they are empty in a fresh container), lists are fetched
    /// into the stage: that needs no root and leaves the system's own alone.
    pub(super) fn find(workshop: &'a Workshop, stage: &Path, package: &str) -> Result<Option<Apt<'a>>, SetupError> {
        if !["apt-get", "apt-cache", "dpkg-query", "dpkg-deb"].iter().all(|tool| find_program(tool).is_some()) {
            return Ok(None);
        }
        let mut apt = Apt { workshop, stage: stage.into(), options: Vec::new() };
        if !apt.knows(package) {
            apt.fetch_lists()?;
        }
        Ok(apt.knows(package).then_some(apt))
    }

    /// Whether the package can be downloaded; one that is installed may be known and yet have no source.
    fn knows(&self, package: &str) -> bool {
        self.listing(&[package.into()], &self.stage).is_ok_and(|listing| total_bytes(&listing) > 0)
    }

    /// What a download of packages into a folder would fetch.
    fn listing(&self, packages: &[String], folder: &Path) -> Result<String, SetupError> {
        let mut command = self.tool("apt-get");
        output_of(command.args(["-q", "--print-uris", "download"]).args(packages).current_dir(folder))
    }

    fn fetch_lists(&mut self) -> Result<(), SetupError> {
        eprintln!("Debian: fetching package lists");
        let (lists, cache) = (self.stage.join("apt/lists"), self.stage.join("apt/cache"));
        for folder in [lists.join("partial"), cache.join("archives/partial")] {
            fs::create_dir_all(&folder).map_err(SetupError::io(folder))?;
        }
        self.options = [
            format!("Dir::State::Lists={}", lists.display()),
            format!("Dir::Cache={}", cache.display()),
            "APT::Update::Post-Invoke::=".into(),
        ]
        .into_iter()
        .flat_map(|option| ["-o".into(), option])
        .collect();
        self.workshop.run("fetching Debian's package lists", self.tool("apt-get").arg("update"))
    }

    /// One of apt's tools, told to leave the user `_apt` out of it: it could not enter our folder.
    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env("LC_ALL", "C").args(&self.options).args(["-o", "APT::Sandbox::User=root"]);
        command
    }

    /// The packages and all that they depend on and that is not installed.
    pub(super) fn closure(&self, packages: &[&str]) -> Result<Vec<String>, SetupError> {
        let installed = installed()?;
        let mut chosen = BTreeSet::new();
        let mut open: Vec<String> = packages.iter().map(|name| name.to_string()).collect();
        while !open.is_empty() {
            chosen.extend(open.iter().cloned());
            let needed = unmet(&self.depends(&open)?, |name| installed.contains(name) || chosen.contains(name));
            open = needed.into_iter().collect();
        }
        Ok(chosen.into_iter().collect())
    }

    fn depends(&self, packages: &[String]) -> Result<String, SetupError> {
        let mut command = self.tool("apt-cache");
        command.arg("depends").args(NOT_NEEDED.map(|kind| format!("--no-{kind}"))).args(packages);
        output_of(&mut command)
    }

    /// Downloads packages and unpacks them under `prefix`.
    pub(super) fn unpack(&mut self, what: &str, packages: &[String], prefix: &Path) -> Result<(), SetupError> {
        let folder = self.stage.join("deb");
        for dir in [folder.as_path(), prefix] {
            fs::create_dir_all(dir).map_err(SetupError::io(dir))?;
        }
        if let Err(why) = self.download(what, packages, &folder) {
            // The system's package lists may be so old that they name versions which are gone.
            let stale = self.options.is_empty();
            if !stale || self.fetch_lists().and_then(|()| self.download(what, packages, &folder)).is_err() {
                return Err(why);
            }
        }
        for entry in fs::read_dir(&folder).map_err(SetupError::io(&folder))? {
            let package = entry.map_err(SetupError::io(&folder))?.path();
            let mut dpkg = Command::new("dpkg-deb");
            self.workshop.run(&format!("unpacking {what}"), dpkg.arg("-x").arg(package).arg(prefix))?;
        }
        Ok(())
    }

    fn download(&self, what: &str, packages: &[String], folder: &Path) -> Result<(), SetupError> {
        let bytes = total_bytes(&self.listing(packages, folder)?);
        let mut download = self.tool("apt-get");
        download.args(["-q", "download"]).args(packages).current_dir(folder);
        self.workshop.download(what, bytes, folder, &mut download)
    }
}

fn output_of(command: &mut Command) -> Result<String, SetupError> {
    let output = command.output().map_err(|source| SetupError::start(command, source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let what = format!("an answer of `{}` about packages", command.get_program().to_string_lossy());
    Err(SetupError::missing(what, "run `apt-get update` as root, then `cargo xtask setup` again"))
}

fn installed() -> Result<HashSet<String>, SetupError> {
    let mut command = Command::new("dpkg-query");
    command.args(["-W", "-f=${Package} ${db:Status-Status}\n"]);
    let listing = output_of(&mut command)?;
    Ok(listing.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_string).collect())
}

/// From `apt-cache depends`: for every dependency that nothing of `have` meets, its first package.
///
/// `|` marks all but the last of a row of alternatives; `<name>` is a virtual package; lines that are indented
/// deeper name packages that provide the one above.
fn unmet(listing: &str, have: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut unmet = BTreeSet::new();
    let mut choices: Vec<&str> = Vec::new();
    let mut row_goes_on = false;
    let mut settle = |choices: &mut Vec<&str>| {
        if !choices.iter().any(|name| have(name)) {
            unmet.extend(choices.iter().find(|name| !name.starts_with('<')).map(|name| name.to_string()));
        }
        choices.clear();
    };
    for line in listing.lines() {
        if line.starts_with("    ") {
            choices.push(line.trim());
            continue;
        }
        if !row_goes_on {
            settle(&mut choices);
        }
        row_goes_on = line.starts_with(" |");
        choices.extend(line.split_once("Depends: ").map(|(_, name)| name.trim()));
    }
    settle(&mut choices);
    unmet
}

/// The sum of the sizes in `apt-get --print-uris` lines: 'URI' FILE BYTES HASH.
fn total_bytes(listing: &str) -> u64 {
    listing.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "\
qemu-system-arm
  Depends: libc6
  PreDepends: libslirp0
 |Depends: alternative-a
  Depends: alternative-b
  Depends: <virtual-jack>
    libjack0
    libjack-jackd2-0
  Depends: libmissing
    libmissing-t64
libslirp0
  Depends: libc6
";

    #[test]
    fn only_what_nothing_installed_meets_is_needed() {
        let needed = |have: &[&str]| unmet(LISTING, |name| have.contains(&name));
        let none: Vec<String> = needed(&[]).into_iter().collect();
        assert_eq!(none, ["alternative-a", "libc6", "libjack0", "libmissing", "libslirp0"]);
        let some = needed(&["libc6", "alternative-b", "libjack-jackd2-0", "libmissing-t64"]);
        assert_eq!(some, BTreeSet::from(["libslirp0".to_string()]));
    }

    #[test]
    fn sizes_are_summed() {
        let listing = "'uri' hello_2.10-3_amd64.deb 53080 SHA256:2e\n'uri' gcc_12.deb 5216 SHA256:bb\n";
        assert_eq!(total_bytes(listing), 58296);
        assert_eq!(total_bytes(""), 0);
    }
}
