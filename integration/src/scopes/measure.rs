//! istiod's processor time, from one quiet moment to the next.

use crate::mesh::Mesh;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long istiod must be quiet.
const QUIET: Duration = Duration::from_secs(1);
/// What it may use in that time and still be quiet: housekeeping for a thousand connections.
const HOUSEKEEPING: Duration = Duration::from_millis(20);
/// How long it may take to become quiet.
const LIMIT: Duration = Duration::from_secs(180);

/// istiod's processor time since its start.
pub fn cpu(mesh: &Mesh) -> Result<Duration> {
    Ok(mesh.usage("pilot-discovery")?.cpu)
}

/// Waits until istiod has nothing to do, and returns its processor time then, without that of the quiet moment.
pub fn when_quiet(mesh: &Mesh) -> Result<Duration> {
    let start = Instant::now();
    let mut last = cpu(mesh)?;
    loop {
        std::thread::sleep(QUIET);
        let now = cpu(mesh)?;
        if now.saturating_sub(last) <= HOUSEKEEPING {
            return Ok(last);
        }
        if start.elapsed() > LIMIT {
            bail!("istiod is still busy after {} s", LIMIT.as_secs());
        }
        last = now;
    }
}

/// What `work` and all that follows from it cost istiod.
pub fn cost(mesh: &Mesh, work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let before = cpu(mesh)?;
    work()?;
    Ok(when_quiet(mesh)?.saturating_sub(before))
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_no_outlier() {
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), 3.0);
    }
}
