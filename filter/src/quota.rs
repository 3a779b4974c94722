/// How often a kind of log line may still be written: applications choose how often there is reason to.
#[derive(Default)]
pub(crate) struct Quota {
    until: u64,
    told: u32,
}

impl Quota {
    /// Whether one more may be written, of `most` in `interval` milliseconds.
    pub(crate) fn allows(&mut self, now: u64, interval: u32, most: u32) -> bool {
        if now >= self.until {
            self.until = now.saturating_add(u64::from(interval));
            self.told = 0;
        }
        self.told = self.told.saturating_add(1);
        self.told <= most
    }
}
