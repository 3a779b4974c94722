//! When learned hosts are dropped.

use std::time::Duration;

/// When a learned host that may not be needed any more is dropped, on probation: what misses again comes back, and stays
/// twice as long as before.
#[derive(Clone, Debug, PartialEq)]
pub struct Forgetting {
    /// Whether anything learned is dropped at all.
    pub is_on: bool,
    /// How long a host that was learned once stays.
    pub time_to_live: Duration,
    /// How long a host stays at most, however often it came back.
    pub longest_time_to_live: Duration,
    /// How long before its end a host is shown as about to go (`EXPIREWAIT`), still visible.
    pub grace: Duration,
    /// How long a dropped host is remembered, so that one that misses again is known to be a steady dependency.
    pub probation: Duration,
    /// The largest share of a fence's learned hosts, in percent, that is dropped within one `window`. One host may always go.
    pub max_share_percent: u8,
    /// The window of `max_share_percent`.
    pub window: Duration,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

impl Default for Forgetting {
    fn default() -> Self {
        Self {
            is_on: false,
            time_to_live: DAY * 7,
            longest_time_to_live: DAY * 112,
            grace: HOUR,
            probation: DAY * 14,
            max_share_percent: 10,
            window: HOUR,
        }
    }
}
