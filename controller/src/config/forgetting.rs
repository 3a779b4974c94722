//! `general.forgetting`: when learned hosts are dropped.

use std::time::Duration;

use serde::Deserialize;

use super::{error::Problem, scalar::Scalar};
use crate::settings::{Forgetting, parse_duration};

/// `forgetting` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ForgettingKeys {
    enabled: Option<bool>,
    time_to_live: Option<Scalar>,
    longest_time_to_live: Option<Scalar>,
    grace: Option<Scalar>,
    probation: Option<Scalar>,
    max_share_percent: Option<u8>,
    window: Option<Scalar>,
}

impl ForgettingKeys {
    /// What is meant.
    pub fn checked(self) -> Result<Forgetting, Problem> {
        let default = Forgetting::default();
        let time_to_live = length("timeToLive", self.time_to_live, default.time_to_live)?;
        let forgetting = Forgetting {
            is_on: self.enabled.unwrap_or(default.is_on),
            time_to_live,
            longest_time_to_live: match self.longest_time_to_live {
                None => default.longest_time_to_live.max(time_to_live),
                stated => length("longestTimeToLive", stated, Duration::ZERO)?,
            },
            grace: match self.grace {
                None => default.grace.min(time_to_live),
                stated => length("grace", stated, Duration::ZERO)?,
            },
            probation: length("probation", self.probation, default.probation)?,
            max_share_percent: self.max_share_percent.unwrap_or(default.max_share_percent),
            window: length("window", self.window, default.window)?,
        };
        for (is_wrong, key, text) in [
            (
                forgetting.time_to_live.is_zero(),
                "timeToLive",
                "no host would live; to forget nothing say `enabled: false`",
            ),
            (
                forgetting.longest_time_to_live < time_to_live,
                "longestTimeToLive",
                "shorter than timeToLive",
            ),
            (
                forgetting.grace > time_to_live,
                "grace",
                "longer than timeToLive",
            ),
            (
                !(1..=100).contains(&forgetting.max_share_percent),
                "maxSharePercent",
                "1 to 100 is needed",
            ),
            (
                forgetting.window.is_zero(),
                "window",
                "a length of time greater than none is needed",
            ),
        ] {
            if is_wrong {
                return Err(Problem::new(&format!("general.forgetting.{key}"), text));
            }
        }
        Ok(forgetting)
    }
}

fn length(key: &str, text: Option<Scalar>, default: Duration) -> Result<Duration, Problem> {
    match text {
        None => Ok(default),
        Some(Scalar(text)) => parse_duration(&text)
            .map_err(|problem| Problem::new(&format!("general.forgetting.{key}"), problem)),
    }
}
