//! When the filter is woken: one timer of the proxy for all that waits.

use crate::envoy::Envoy;

/// A moment to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Moment {
    set: u64,
    due: u64,
}

impl Moment {
    /// So many milliseconds after `now`.
    pub(crate) fn after(now: u64, milliseconds: u32) -> Self {
        Self {
            set: now,
            due: now.saturating_add(u64::from(milliseconds)),
        }
    }

    /// Also true where the clock was set back: nothing may wait for the clock to catch up.
    pub(crate) fn reached(self, now: u64) -> bool {
        now < self.set || now >= self.due
    }

    /// How many milliseconds there are to go.
    pub(crate) fn left(self, now: u64) -> u64 {
        if self.reached(now) {
            0
        } else {
            self.due.saturating_sub(now)
        }
    }
}

/// How late a wake-up may be, in milliseconds, before it is taken for lost: a busy proxy is late, and a clock that is set forward
/// makes the proxy's timer seem so.
const LATE: u64 = 1_000;

/// The timer. Asking the proxy for a wake-up starts its timer anew, so that asking again and again would put it off for ever: it
/// is asked only for one that comes sooner than the one ahead. One that comes too soon asks for the next.
#[derive(Default)]
pub(crate) struct Alarm {
    ahead: Option<Moment>,
    ticking: bool,
}

impl Alarm {
    /// The proxy's wake-up came; it repeats until told otherwise.
    pub(crate) fn rang(&mut self) {
        self.ahead = None;
        self.ticking = true;
    }

    /// Sees to it that the filter is woken in `left` milliseconds at the latest; with nothing, that it is not.
    pub(crate) fn set(&mut self, envoy: &dyn Envoy, left: Option<u64>) {
        let now = envoy.now();
        match left {
            None if self.ticking => {
                self.ticking = false;
                self.ahead = None;
                envoy.wake_every(0);
            }
            None => {}
            Some(left) => {
                let left = left.max(1);
                let soon_enough = |ahead: Moment| {
                    // Where the clock was set back, nobody knows when it comes.
                    let lost = now < ahead.set || now.saturating_sub(ahead.due) > LATE;
                    ahead.left(now) <= left && !lost
                };
                if !self.ahead.is_some_and(soon_enough) {
                    let period = u32::try_from(left).unwrap_or(u32::MAX);
                    self.ahead = Some(Moment::after(now, period));
                    self.ticking = true;
                    envoy.wake_every(period);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn a_clock_that_is_set_back_puts_nothing_off() {
        let moment = Moment::after(1_000, 10);
        assert!(!moment.reached(1_009) && moment.reached(1_010));
        assert_eq!((moment.left(1_003), moment.left(2_000)), (7, 0));
        assert!(moment.reached(999));
        assert_eq!(moment.left(5), 0);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_earliest_wish_wins_and_a_later_one_does_not_put_it_off() {
        let envoy = Memory::default();
        let mut alarm = Alarm::default();
        alarm.set(&envoy, Some(100));
        alarm.set(&envoy, Some(200));
        assert_eq!((envoy.wake_period.get(), envoy.wakes_asked.get()), (100, 1));
        alarm.set(&envoy, Some(5));
        assert_eq!((envoy.wake_period.get(), envoy.wakes_asked.get()), (5, 2));
        envoy.now.set(3);
        alarm.set(&envoy, Some(2));
        assert_eq!(envoy.wakes_asked.get(), 2);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_late_wake_up_is_not_put_off_but_a_lost_one_is_asked_for_again() {
        let envoy = Memory::default();
        let mut alarm = Alarm::default();
        alarm.set(&envoy, Some(5));
        for now in [4, 5, 6, 50] {
            envoy.now.set(now);
            alarm.set(&envoy, Some(0));
        }
        assert_eq!(envoy.wakes_asked.get(), 1);
        envoy.now.set(1_006);
        alarm.set(&envoy, Some(20));
        assert_eq!(envoy.wake_period.get(), 20);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_clock_that_is_set_back_has_the_wake_up_asked_for_again() {
        let envoy = Memory::default();
        envoy.now.set(1_000_000);
        let mut alarm = Alarm::default();
        alarm.set(&envoy, Some(60_000));
        envoy.now.set(5);
        alarm.set(&envoy, Some(20));
        assert_eq!((envoy.wake_period.get(), envoy.wakes_asked.get()), (20, 2));
        alarm.set(&envoy, Some(20));
        assert_eq!(envoy.wakes_asked.get(), 2);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn it_repeats_for_as_long_as_something_waits() {
        let envoy = Memory::default();
        let mut alarm = Alarm::default();
        alarm.set(&envoy, Some(0));
        assert_eq!(envoy.wake_period.get(), 1);
        alarm.rang();
        alarm.set(&envoy, Some(30));
        assert_eq!(envoy.wake_period.get(), 30);
        alarm.rang();
        alarm.set(&envoy, None);
        assert_eq!(envoy.wake_period.get(), 0);
        alarm.set(&envoy, None);
        assert_eq!(envoy.wakes_asked.get(), 2);
    }
}
