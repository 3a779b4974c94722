//! A case that was played: the calls of both callers, before anything is known of what the servers saw.

use super::documented::{Row, Which};
use super::facts::TIME;
use super::facts::normal::time_class;
use super::wire::Replies;
use std::collections::BTreeMap;

/// One call by one caller, made.
pub struct Made {
    /// What the call was known by.
    pub id: String,
    /// What came back.
    pub replies: Replies,
    /// Whether the caller's sidecar has a route of its own for the host afterwards.
    pub has_route: bool,
}

/// Both calls of both callers: full and lazy.
pub struct Played {
    /// The first calls.
    pub first: [Made; 2],
    /// The second calls.
    pub second: [Made; 2],
}

impl Played {
    /// Whether one caller was slower than the other without a documented cause. On a busy machine that happens to either of
    /// them by chance, so such a case is played once more.
    pub fn took_differently(&self, case: &str, list: &[Row]) -> bool {
        let calls = [(Which::First, &self.first), (Which::Second, &self.second)];
        calls.into_iter().any(|(which, [full, lazy])| {
            times(&full.replies) != times(&lazy.replies)
                && !list.iter().any(|row| row.applies(case, which, TIME))
        })
    }
}

fn times(replies: &Replies) -> BTreeMap<&'static str, usize> {
    let mut times = BTreeMap::new();
    for reply in replies {
        *times.entry(time_class(reply.milliseconds)).or_default() += 1;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::super::documented::LIST;
    use super::super::wire::Reply;
    use super::*;

    fn mk_made(milliseconds: f64) -> Made {
        let reply = Reply {
            milliseconds,
            ..Reply::default()
        };
        Made {
            id: "id".into(),
            replies: vec![reply],
            has_route: true,
        }
    }

    fn mk_played(first: [f64; 2], second: [f64; 2]) -> Played {
        Played {
            first: first.map(mk_made),
            second: second.map(mk_made),
        }
    }

    #[test]
    fn a_case_whose_callers_waited_equally_long_is_not_played_again() {
        let played = mk_played([1200.0, 2100.0], [12.0, 800.0]);
        assert!(!played.took_differently("get", LIST));
    }

    #[test]
    fn a_case_in_which_one_caller_waited_longer_is_played_again() {
        assert!(mk_played([900.0, 1100.0], [5.0, 5.0]).took_differently("get", LIST));
        assert!(mk_played([5.0, 5.0], [3100.0, 5.0]).took_differently("get", LIST));
    }

    #[test]
    fn a_documented_wait_is_no_reason_to_play_again() {
        let played = mk_played([5.0, 5000.0], [5.0, 5.0]);
        assert!(!played.took_differently("istiod-restarted", LIST));
    }
}
