//! `global.log`: what is logged, and where to.

use std::{path::PathBuf, time::Duration};

use super::{error::Problem, global::LogKeys};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const MIB: u64 = 1024 * 1024;

/// What the configuration says about logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// The level, in the words of `tracing`; the command line comes before.
    pub level: Option<&'static str>,
    /// The file that logs go to instead of standard error (`logRotate`).
    pub file: Option<LogFile>,
}

/// A log file that is rotated, with Slime's defaults (`logRotateConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The file that is written.
    pub path: PathBuf,
    /// Size in bytes that it does not grow beyond.
    pub max_bytes: u64,
    /// How many older files are kept; `None` keeps all.
    pub max_backups: Option<usize>,
    /// How long older files are kept; `None` keeps them whatever their age.
    pub max_age: Option<Duration>,
    /// Whether older files are compressed (gzip).
    pub compress: bool,
}

impl Default for LogFile {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/tmp/log/slime.log"),
            max_bytes: 100 * MIB,
            max_backups: Some(10),
            max_age: Some(DAY * 10),
            compress: true,
        }
    }
}

/// Reads `global.log`. As in Slime, 0 means no limit for `maxBackups` and `maxAgeDay`, and the default for `maxSizeMB`.
pub(super) fn log(keys: LogKeys, warnings: &mut Vec<String>) -> Result<LogConfig, Problem> {
    let level = keys.log_level.filter(|level| !level.is_empty());
    let level = level.map(|name| {
        level_named(&name).ok_or_else(|| {
            Problem::new(
                "global.log.logLevel",
                format!("{name:?} is not a level: trace, debug, info, warning or error is needed"),
            )
        })
    });
    let rotates = keys.log_rotate.unwrap_or_default();
    if keys.log_rotate_config.is_some() && !rotates {
        warnings.push(
            "global.log.logRotateConfig has no effect: logs go to standard error unless logRotate is true"
                .to_owned(),
        );
    }
    let rotation = keys.log_rotate_config.unwrap_or_default();
    let default = LogFile::default();
    let file = LogFile {
        path: rotation.file_path.map_or(default.path, PathBuf::from),
        max_bytes: match rotation.max_size_mb {
            None | Some(0) => default.max_bytes,
            Some(megabytes) => u64::from(megabytes) * MIB,
        },
        max_backups: match rotation.max_backups {
            None => default.max_backups,
            Some(0) => None,
            Some(count) => usize::try_from(count).ok(),
        },
        max_age: match rotation.max_age_day {
            None => default.max_age,
            Some(0) => None,
            Some(days) => Some(DAY * days),
        },
        compress: rotation.compress.unwrap_or(default.compress),
    };
    if rotates && (!file.path.is_absolute() || file.path.file_name().is_none()) {
        return Err(Problem::new(
            "global.log.logRotateConfig.filePath",
            format!("{:?} is not the full path of a file", file.path),
        ));
    }
    Ok(LogConfig {
        level: level.transpose()?,
        file: rotates.then_some(file),
    })
}

/// The level of this name in the words of `tracing`. Slime's logger has further ones.
fn level_named(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug",
        "info" => "info",
        "warn" | "warning" => "warn",
        "error" | "fatal" | "panic" => "error",
        _ => return None,
    })
}
