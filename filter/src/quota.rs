use crate::alarm::Moment;

/// How often a kind of log line may still be written: applications choose how often there is reason to.
#[derive(Default)]
pub(crate) struct Quota {
    ends: Option<Moment>,
    told: u32,
}

impl Quota {
    /// Whether one more may be written, of `most` in `interval` milliseconds. A clock that is set back begins another interval.
    pub(crate) fn allows(&mut self, now: u64, interval: u32, most: u32) -> bool {
        if self.ends.is_none_or(|ends| ends.reached(now)) {
            self.ends = Some(Moment::after(now, interval));
            self.told = 0;
        }
        self.told = self.told.saturating_add(1);
        self.told <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn so_many_are_written_per_interval() {
        let mut quota = Quota::default();
        let allowed = [0, 1, 2, 999, 1_000].map(|now| quota.allows(now, 1_000, 2));
        assert_eq!(allowed, [true, true, false, false, true]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_clock_that_is_set_back_silences_nobody() {
        let mut quota = Quota::default();
        assert!(quota.allows(1_000_000, 1_000, 1));
        assert!(!quota.allows(1_000_001, 1_000, 1));
        assert!(quota.allows(5, 1_000, 1));
        assert!(!quota.allows(6, 1_000, 1));
    }
}
