//! Waiting for what nobody announces: a line in a log, the state of an Envoy.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long any one thing may take on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until there is something to see, and returns it. `what` completes "waited for …".
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if start.elapsed() > LIMIT {
            bail!("waited {} s for {what}, in vain", LIMIT.as_secs());
        }
        std::thread::sleep(LOOK);
    }
}
