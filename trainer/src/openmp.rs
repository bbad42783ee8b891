//! How libtorch's CPU threads wait for each other.
//!
//! libgomp's threads spin at the end of every parallel loop. Beside another busy program they spin away the time that
//! the thread they wait for would need: on two cores with two busy programs, an epoch of `micro-image` took 68.6 s
//! spinning and 5.0 s sleeping.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Sleep at once rather than spin.
const POLICY: (&str, &str) = ("OMP_WAIT_POLICY", "passive");

/// Starts this program again with threads that sleep while they wait, unless the user has said how they shall.
///
/// libgomp reads its settings while it is being loaded, before `main`: they cannot be changed from within.
pub(crate) fn wait_without_spinning() {
    let said = [POLICY.0, "GOMP_SPINCOUNT"].iter().any(|name| std::env::var_os(name).is_some());
    if said {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // Comes back only if it fails, and then all goes on as it would have.
        let _ = Command::new(program).args(std::env::args_os().skip(1)).env(POLICY.0, POLICY.1).exec();
    }
}
