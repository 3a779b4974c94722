//! Lengths of time as people write them.

use std::time::Duration;

/// Reads a length of time such as `90s`, `168h`, `1h30m` or `7d`.
///
/// # Errors
/// In words, if it is none.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| {
        format!("{text:?} is not a length of time such as 90s, 168h or 7d: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_written_as_go_and_people_write_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("168h", 604_800),
            ("1h30m", 5_400),
            ("7d", 604_800),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in ["", "5", "soon", "-5s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
