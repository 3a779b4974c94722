//! How runs end.

use std::time::Duration;

use super::Learned;

/// How a run ended.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Done, as far as was known when it started.
    Done,
    /// Failed: run it again later, with these hosts.
    Retry(Learned),
    /// Not due yet: run it again after this time, or at once when a host is learned.
    Later(Duration),
}

impl Outcome {
    /// The same, but for another run after `wait` at the latest, if there is such a time and the run did not fail.
    pub fn at_latest_in(self, wait: Option<Duration>) -> Self {
        match (self, wait) {
            (Self::Done, Some(wait)) => Self::Later(wait),
            (Self::Later(before), Some(wait)) => Self::Later(before.min(wait)),
            (outcome, _) => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_earlier_counts_and_a_failure_has_a_delay_of_its_own() {
        let seconds = Duration::from_secs;
        let hour = Some(seconds(3_600));
        assert_eq!(Outcome::Done.at_latest_in(None), Outcome::Done);
        assert_eq!(
            Outcome::Done.at_latest_in(hour),
            Outcome::Later(seconds(3_600))
        );
        for (own, later) in [(9, 9), (9_999, 3_600)] {
            let outcome = Outcome::Later(seconds(own)).at_latest_in(hour);
            assert_eq!(outcome, Outcome::Later(seconds(later)));
        }
        let failed = || Outcome::Retry(Learned::new());
        assert_eq!(failed().at_latest_in(hour), failed());
    }
}
