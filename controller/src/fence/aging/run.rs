//! One computation of how the hosts of a fence stand.

use std::collections::BTreeMap;

use super::{Aged, Aging, Held};
use crate::{
    api::{Destinations, DomainStatus},
    fence::memory::Memory,
    settings::Forgetting,
};

/// [`Forgetting`] in whole seconds.
struct Rules {
    time_to_live: i64,
    longest: i64,
    grace: i64,
    probation: i64,
    max_share_percent: usize,
    window: i64,
}

impl From<&Forgetting> for Rules {
    fn from(forgetting: &Forgetting) -> Self {
        let seconds =
            |length: std::time::Duration| i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        Self {
            time_to_live: seconds(forgetting.time_to_live).max(1),
            longest: seconds(forgetting.longest_time_to_live),
            grace: seconds(forgetting.grace),
            probation: seconds(forgetting.probation),
            max_share_percent: forgetting.max_share_percent.into(),
            window: seconds(forgetting.window),
        }
    }
}

impl Rules {
    /// `time_to_live`, doubled once for each time that the host came back.
    fn lengthened(&self, time_to_live: i64, doublings: u32) -> i64 {
        time_to_live
            .saturating_mul(1 << doublings.min(31))
            .min(self.longest.max(time_to_live))
    }
}

/// One computation under way.
pub(super) struct Run {
    rules: Rules,
    now: i64,
    /// The answer so far.
    pub(super) aging: Aging,
    /// Hosts that go unless they are called, and whether each came back after it had gone.
    mortal: Vec<(String, bool)>,
}

impl Run {
    pub(super) fn new(forgetting: &Forgetting, now: i64) -> Self {
        Self {
            rules: Rules::from(forgetting),
            now,
            aging: Aging::default(),
            mortal: Vec::new(),
        }
    }

    /// How long a host stays that was learned once, in seconds.
    pub(super) fn time_to_live(&self) -> i64 {
        self.rules.time_to_live
    }

    /// Says that the answer changes at `time`.
    fn changes_at(&mut self, time: i64) {
        let time = time.max(self.now.saturating_add(1));
        self.aging.next = Some(self.aging.next.map_or(time, |next| next.min(time)));
    }

    /// A host that goes at a point in time: it is there in the second of the deadline itself, as in Slime.
    pub(super) fn deadline(&mut self, expire: i64) -> Aged {
        let until = expire.saturating_add(1);
        let wait = until.saturating_sub(self.rules.grace);
        let (status, next) = match self.now {
            now if now >= until => (DomainStatus::Expire, None),
            now if now >= wait => (DomainStatus::ExpireWait, Some(until)),
            _ => (DomainStatus::Active, Some(wait)),
        };
        if let Some(next) = next {
            self.changes_at(next);
        }
        Aged {
            status,
            is_static: true,
            since: None,
            until: next.map(|_| until),
        }
    }

    /// A host that stays for a time after it was last called, as far as that is known: from the status, or from the spec if
    /// `called` is later. The time is so many seconds, doubled so many times. Whether it is dropped is decided when all are known.
    pub(super) fn mortal(
        &mut self,
        host: &str,
        is_static: bool,
        stored: Option<&Destinations>,
        called: Option<i64>,
        (seconds, doublings): (i64, u32),
    ) -> Aged {
        self.mortal.push((host.to_owned(), doublings > 0));
        let time_to_live = self.rules.lengthened(seconds, doublings);
        let now = self.now;
        let since = stored.and_then(|stored| stored.recently_called);
        let since = since.map(|since| since.seconds.0);
        let before = stored.map_or(DomainStatus::Active, |stored| stored.status);
        let aged = |status, since, until| Aged {
            status,
            is_static,
            since: Some(since),
            until,
        };
        if before == DomainStatus::Expire && called.is_none_or(|called| since >= Some(called)) {
            return aged(DomainStatus::Expire, since.unwrap_or(now), None);
        }
        let since = since.max(called).unwrap_or(now);
        let grace = self.rules.grace.min(time_to_live / 2);
        let end = since.saturating_add(time_to_live);
        let wait = end.saturating_sub(grace);
        if now < wait {
            self.changes_at(wait);
            return aged(DomainStatus::Active, since, Some(end));
        }
        if before == DomainStatus::ExpireWait {
            return aged(DomainStatus::ExpireWait, since, Some(end));
        }
        // Nobody has seen it about to go, perhaps because no controller was there: the grace begins now, and as the end is
        // computed from it, the beginning moves with the end.
        let end = end.max(now.saturating_add(grace));
        let since = end.saturating_sub(time_to_live);
        aged(DomainStatus::ExpireWait, since, Some(end))
    }

    /// Drops what is due, the oldest first, as far as that may be.
    ///
    /// It is drops that are counted, not hosts that are gone: one that was missed and is back would else make room for the next,
    /// and all that is due and needed would go at once. When such a host had gone is not known any more, but since when it is back.
    pub(super) fn drop_due(&mut self, may_drop: bool) {
        let (now, window) = (self.now, self.rules.window);
        let mut due = Vec::new();
        // When each of the drops that still count ceases to.
        let mut recent = Vec::new();
        let mut crowd = 0_usize;
        // A time far ahead is no time at which this happened.
        let is_recent = |since: i64| now.abs_diff(since) < window.unsigned_abs();
        for (host, came_back) in std::mem::take(&mut self.mortal) {
            let Some(aged) = self.aging.hosts.get(&host) else {
                continue;
            };
            let is_gone = aged.status == DomainStatus::Expire;
            let dropped = aged.since.filter(|_| is_gone || came_back);
            let dropped = dropped.filter(|since| is_recent(*since));
            recent.extend(dropped.map(|since| since.saturating_add(window)));
            crowd += usize::from(!is_gone || dropped.is_some());
            match (aged.status, aged.until) {
                (DomainStatus::ExpireWait, Some(until)) if until <= now => due.push((until, host)),
                (DomainStatus::ExpireWait, Some(until)) => self.changes_at(until),
                _ => {}
            }
        }
        if due.is_empty() {
            return;
        }
        if !may_drop {
            self.aging.held = Some(Held::Deaf);
            return;
        }
        due.sort();
        let share = crowd * self.rules.max_share_percent / 100;
        let free = share.max(1).saturating_sub(recent.len()).min(due.len());
        for (_, host) in &due[..free] {
            recent.push(now.saturating_add(window));
            if let Some(aged) = self.aging.hosts.get_mut(host) {
                aged.status = DomainStatus::Expire;
                aged.since = Some(now);
                aged.until = None;
            }
        }
        if free < due.len() {
            self.aging.held = Some(Held::Share);
            if let Some(first) = recent.iter().min() {
                self.changes_at(*first);
            }
        }
    }

    /// Forgets how often hosts were learned that have not been missed for as long as they are on probation.
    pub(super) fn forget(&mut self, memory: &BTreeMap<&str, Memory<'_>>) {
        for (host, learned) in memory {
            let Some(aged) = self.aging.hosts.get(*host) else {
                continue;
            };
            // A deadline has no such time: what has passed it is not learned back.
            let (DomainStatus::Expire, Some(since)) = (aged.status, aged.since) else {
                continue;
            };
            let end = since.saturating_add(self.rules.probation);
            if end > self.now || since >= self.now {
                self.changes_at(end);
                continue;
            }
            let is_static = aged.is_static;
            let keys = learned.keys.iter().map(|key| (*key).to_owned());
            self.aging.forgotten.extend(keys);
            if !is_static {
                self.aging.hosts.remove(*host);
            }
        }
    }
}
