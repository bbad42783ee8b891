//! The workspace's own programs, built and called as a user calls them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::env::Env;

/// Why a program failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// It does not build.
    #[error("the tools do not build; see what cargo says above")]
    Build,
    /// It cannot be started.
    #[error("cannot run {program}: {why}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// It failed, and has said why.
    #[error("`{command}` failed; see what it says above")]
    Failed {
        /// The call.
        command: String,
    },
    /// It gave something else than one JSON object.
    #[error("`{command}` did not print a JSON object: {why}")]
    Output {
        /// The call.
        command: String,
        /// What is wrong with it.
        why: serde_json::Error,
    },
}

/// `trainer` and `irmae`.
pub(super) struct Tools {
    trainer: PathBuf,
    irmae: PathBuf,
}

impl Tools {
    /// Builds both.
    pub(super) fn build(env: &Env) -> Result<Self, ToolError> {
        println!("== build trainer and irmae");
        let mut cargo = env.cargo();
        cargo.args(["build", "--release", "--package", "trainer", "--package", "irmae-tools"]);
        let status = cargo.status().map_err(|why| ToolError::Start { program: "cargo".into(), why })?;
        if !status.success() {
            return Err(ToolError::Build);
        }
        let release = env.target_dir().join("release");
        Ok(Self { trainer: release.join("trainer"), irmae: release.join("irmae") })
    }

    /// Where `irmae` is.
    pub(super) fn irmae_path(&self) -> &Path {
        &self.irmae
    }

    /// `trainer VERB BEFORE... PATH... AFTER... --json`, and the object that it prints.
    pub(super) fn trainer(
        &self,
        verb: &str,
        before: &[&str],
        paths: &[&Path],
        after: &[&str],
    ) -> Result<Value, ToolError> {
        let mut command = Command::new(&self.trainer);
        command.arg(verb).args(before).args(paths).args(after).arg("--json");
        run(command)
    }

    /// `trainer VERB RUN AFTER...`, and the text that it prints.
    pub(super) fn trainer_text(&self, verb: &str, run: &Path, after: &[&str]) -> Result<String, ToolError> {
        let mut command = Command::new(&self.trainer);
        command.arg(verb).arg(run).args(after);
        Ok(String::from_utf8_lossy(&stdout(&mut command)?).into_owned())
    }

    /// `irmae VERB --model MODEL --input INPUT --output OUTPUT AFTER... --json`, and the object that it prints.
    pub(super) fn irmae(
        &self,
        verb: &str,
        model: &Path,
        input: &Path,
        output: &Path,
        after: &[&str],
    ) -> Result<Value, ToolError> {
        let mut command = Command::new(&self.irmae);
        command.arg(verb).arg("--model").arg(model).arg("--input").arg(input).arg("--output").arg(output);
        command.args(after).arg("--json");
        run(command)
    }
}

/// Runs a call whose result is a JSON object.
fn run(mut command: Command) -> Result<Value, ToolError> {
    let json = stdout(&mut command)?;
    serde_json::from_slice(&json).map_err(|why| ToolError::Output { command: shown(&command), why })
}

/// Shows the call, lets its progress through, and takes its result.
fn stdout(command: &mut Command) -> Result<Vec<u8>, ToolError> {
    let text = shown(command);
    println!("$ {text}");
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stderr(Stdio::inherit()).output().map_err(|why| ToolError::Start { program, why })?;
    if output.status.success() { Ok(output.stdout) } else { Err(ToolError::Failed { command: text }) }
}

/// The call as a user would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let here = std::env::current_dir().unwrap_or_default();
    let arguments = command.get_args().map(|argument| {
        let path = Path::new(argument);
        path.strip_prefix(&here).unwrap_or(path).display().to_string()
    });
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}
