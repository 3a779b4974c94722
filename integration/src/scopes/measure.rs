//! istiod's processor time, from one quiet moment to the next.

use super::client::Received;
use crate::mesh::Mesh;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Between two looks at a busy istiod.
const LOOK: Duration = Duration::from_secs(1);
/// How many looks in a row must find it quiet: on a busy machine it may not get to run for one.
const QUIET_LOOKS: usize = 2;
/// What it may use between two looks and still be quiet: housekeeping for a thousand connections.
const HOUSEKEEPING: Duration = Duration::from_millis(30);
/// How long it may take to become quiet.
const LIMIT: Duration = Duration::from_secs(180);

/// istiod's processor time since its start.
pub fn cpu(mesh: &Mesh) -> Result<Duration> {
    Ok(mesh.usage("pilot-discovery")?.cpu)
}

/// Waits until istiod has nothing to do and the proxies get nothing more, and returns its processor time at the beginning of that
/// quiet.
pub fn when_quiet(mesh: &Mesh, received: &Received) -> Result<Duration> {
    let start = Instant::now();
    let mut last = (cpu(mesh)?, received.so_far());
    let (mut since, mut looks) = (last.0, 0);
    while looks < QUIET_LOOKS {
        if start.elapsed() > LIMIT {
            bail!("istiod is still busy after {} s", LIMIT.as_secs());
        }
        std::thread::sleep(LOOK);
        let now = (cpu(mesh)?, received.so_far());
        if now.1 == last.1 && now.0.saturating_sub(last.0) <= HOUSEKEEPING {
            looks += 1;
        } else {
            (since, looks) = (now.0, 0);
        }
        last = now;
    }
    Ok(since)
}

/// What `work` and all that follows from it cost istiod.
pub fn cost(
    mesh: &Mesh,
    received: &Received,
    work: impl FnOnce() -> Result<()>,
) -> Result<Duration> {
    let before = cpu(mesh)?;
    work()?;
    Ok(when_quiet(mesh, received)?.saturating_sub(before))
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
