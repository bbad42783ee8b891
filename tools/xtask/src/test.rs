//! `cargo xtask test`: the whole gate, cheapest first. CI calls nothing else.

use crate::{
    env::Env,
    firmware,
    qemu::Qemu,
    setup::{self, BARE_EDGE_TARGETS, BARE_TARGETS, EDGE_TARGET, Need, SetupError, WASM_TARGET},
};
use std::{
    io::{self, BufRead, BufReader},
    ops::AddAssign,
    process::{Command, Stdio},
    time::Instant,
};

/// A CPU of aarch64 with dot products, and one without.
const DOT_CPU: &str = "cortex-a76";
const PLAIN_CPU: &str = "cortex-a53";

/// Why the gate is shut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    /// A needed thing is missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Steps failed.
    #[error("failed: {steps}")]
    Failed {
        /// Their titles.
        steps: String,
    },
}

/// One line of the gate.
struct Step {
    title: String,
    command: Command,
}

impl Step {
    fn new(title: impl Into<String>, env: &Env, arguments: &str) -> Step {
        let mut command = env.cargo();
        command.args(arguments.split_whitespace());
        Step { title: title.into(), command }
    }

    /// For aarch64, whose programs run on an emulated CPU.
    fn on_edge(title: impl Into<String>, env: &Env, cpu: &str, arguments: &str) -> Step {
        let mut command = env.cargo();
        // Without a C compiler for it, and in the environment, so that users' own builds are as they set them up.
        let variable = EDGE_TARGET.to_uppercase().replace('-', "_");
        let flags = "-C linker=rust-lld -C link-self-contained=yes";
        command.env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), flags).env("CARGO_BUILD_TARGET", EDGE_TARGET);
        if let Some(qemu) = Qemu::find(env) {
            // A list, whose words may have blanks.
            let runner = format!("target.{EDGE_TARGET}.runner = {:?}", qemu.aarch64_runner(cpu));
            command.args(["--config", &runner]);
        }
        command.args(arguments.split_whitespace());
        Step { title: title.into(), command }
    }
}

/// Tests that ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Sets up, then runs every step and reports all that failed.
pub(crate) fn run(env: &Env) -> Result<(), TestError> {
    setup::ensure(env, &Need::ALL)?;
    let mut total = Counts::default();
    let mut failures = Vec::new();
    for mut step in steps(env) {
        println!("\n== {}", step.title);
        let start = Instant::now();
        let (mut counts, ok) = run_counted(&mut step.command).unwrap_or_else(|why| {
            println!("cannot run it: {why}");
            (Counts::default(), false)
        });
        if !ok {
            // A step without tests of its own, or one that did not get as far, counts as one.
            counts.failed = counts.failed.max(1);
            failures.push(step.title);
        }
        println!("-- {} in {:.0} s", if ok { "ok" } else { "FAILED" }, start.elapsed().as_secs_f64());
        total += counts;
    }
    println!();
    for title in &failures {
        println!("FAILED: {title}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if failures.is_empty() { Ok(()) } else { Err(TestError::Failed { steps: failures.join(", ") }) }
}

/// The gate, cheapest first. `--release` throughout: libtorch's wrapper is then compiled once.
fn steps(env: &Env) -> Vec<Step> {
    let mut steps = vec![
        Step::new("formatting", env, "fmt --all --check"),
        Step::new("clippy", env, "clippy --release --workspace --all-targets -- -D warnings"),
    ];
    steps.extend(firmware::lints(env).into_iter().map(|(title, command)| Step { title, command }));
    // On its own each: a build of the whole workspace would unify `std` onto irmae-infer.
    for target in BARE_TARGETS {
        for (name, flag) in [("", ""), (" with defmt", "--features defmt")] {
            let title = format!("irmae-infer for {target}{name}");
            steps.push(Step::new(title, env, &format!("check -p irmae-infer --target {target} {flag}")));
        }
    }
    let least = "clippy -p irmae-infer --no-default-features --target thumbv7em-none-eabihf -- -D warnings";
    steps.push(Step::new("irmae-infer that only encodes integers", env, least));
    for target in BARE_EDGE_TARGETS {
        let title = format!("irmae-infer for {target}");
        steps.push(Step::new(title, env, &format!("clippy -p irmae-infer --target {target} -- -D warnings")));
    }
    let tests = "clippy --release -p irmae-infer --all-targets --features std -- -D warnings";
    steps.push(Step::on_edge("clippy for aarch64", env, DOT_CPU, tests));
    steps.extend([
        Step::new("irmae-infer for wasm", env, &format!("check -p irmae-infer --target {WASM_TARGET}")),
        documentation("documentation for devices", env, "-p irmae-infer"),
        documentation("documentation", env, "--workspace --all-features"),
        Step::new("tests without libtorch", env, "test --release --no-fail-fast"),
        Step::on_edge(
            format!("tests on an emulated {DOT_CPU}"),
            env,
            DOT_CPU,
            "test --release --no-fail-fast -p irmae-infer -p irmae-tests --lib --tests",
        ),
        Step::on_edge(
            format!("the choice of kernels on an emulated {PLAIN_CPU}"),
            env,
            PLAIN_CPU,
            "test --release --no-fail-fast -p irmae-infer -p irmae-tests --lib --tests -- dispatch golden",
        ),
        Step::new("firmware on emulated boards", env, "run --quiet -p xtask -- firmware"),
        Step::new("firmware for real boards", env, "run --quiet -p xtask -- boards"),
        Step::new("recordings through emulated boards", env, "run --quiet -p xtask -- stream"),
        Step::new("firmware with wrong bytes", env, "test --release -p xtask -- --ignored a_wrong_byte"),
        Step::new("the counter's model of cycles", env, "test --release -p insn-plugin"),
        Step::new("instructions and sizes within the budget", env, "run --quiet -p xtask -- bench --check"),
        Step::new("tests of the trainer", env, "test --release --no-fail-fast -p trainer"),
        Step::new("tests against libtorch", env, "test --release --no-fail-fast -p irmae-tests --features libtorch"),
    ]);
    steps
}

fn documentation(title: &str, env: &Env, packages: &str) -> Step {
    let mut step = Step::new(title, env, &format!("doc --release --no-deps {packages}"));
    step.command.env("RUSTDOCFLAGS", "-D warnings");
    step
}

/// Runs a command, its standard output passed on line by line and read for test results.
fn run_counted(command: &mut Command) -> io::Result<(Counts, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            counts += test_result(&line).unwrap_or_default();
        }
    }
    Ok((counts, child.wait()?.success()))
}

/// Reads `test result: ok. 5 passed; 0 failed; 1 ignored; ...`, and the plain `9 passed, 0 failed` of the boards.
fn test_result(line: &str) -> Option<Counts> {
    let Some(result) = line.strip_prefix("test result: ") else {
        let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
        return Some(Counts { passed: passed.parse().ok()?, failed: failed.parse().ok()? });
    };
    let (_, result) = result.split_once(". ")?;
    let number = |name: &str| {
        let part = result.split("; ").find_map(|part| part.strip_suffix(name))?;
        part.trim().parse().ok()
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_the_test_runner_are_read() {
        let ok = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(test_result(ok), Some(Counts { passed: 12, failed: 0 }));
        let bad = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(test_result(bad), Some(Counts { passed: 3, failed: 2 }));
        assert_eq!(test_result("9 passed, 1 failed"), Some(Counts { passed: 9, failed: 1 }));
        assert_eq!(test_result("test some::name ... ok"), None);
        assert_eq!(test_result("test result: ok."), None);
    }

    #[test]
    fn counts_are_summed_over_runners_and_the_exit_status_is_kept() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; \
                      echo 'test result: FAILED. 1 passed; 3 failed; 0 ignored'; exit 101";
        let (counts, ok) = run_counted(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!((counts, ok), (Counts { passed: 3, failed: 3 }, false));
    }

    #[test]
    fn every_bare_target_is_checked_with_and_without_defmt() {
        let env = Env { root: "/".into(), cache: "/".into() };
        let steps = steps(&env);
        for target in BARE_TARGETS {
            let of_target = steps.iter().filter(|step| {
                let arguments: Vec<_> = step.command.get_args().collect();
                arguments.contains(&"irmae-infer".as_ref())
                    && arguments.contains(&target.as_ref())
                    && !arguments.contains(&"--no-default-features".as_ref())
            });
            assert_eq!(of_target.count(), 2, "{target}");
        }
    }
}
