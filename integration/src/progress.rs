//! What the rig is doing, for the person who waits: one line a step on standard error, with the seconds since the start.

use std::io::Write;
use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Prints one step.
pub fn step(message: impl AsRef<str>) {
    let elapsed = START.get_or_init(Instant::now).elapsed();
    // Not `eprintln`: a test's captured output would keep it from whoever waits.
    let _ = writeln!(
        std::io::stderr(),
        "[{:6.1}s] {}",
        elapsed.as_secs_f64(),
        message.as_ref()
    );
}
