//! Where log lines go, and which of them.

mod housekeeping;
mod rotating;

use std::{io, path::PathBuf, sync::Mutex};

use thiserror::Error;
use tracing::{Subscriber, warn};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::ParseError, fmt, fmt::writer::BoxMakeWriter,
    layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::{args::LogFormat, config::LogConfig};
use rotating::RotatingFile;

/// What is logged where nothing says so.
const DEFAULT_LEVEL: &str = "info";

/// Why logs cannot be written as they are wished.
#[derive(Debug, Error)]
pub enum LogError {
    /// The command line asks for something else than a level or directives.
    #[error("--log-level (or LAZYLOAD_LOG) {text:?}: {source}")]
    Filter {
        /// What it asks for.
        text: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The log file cannot be written.
    #[error(
        "log file {} (global.log.logRotateConfig.filePath): {source}; mount a volume that the controller may write to there, or set logRotate to false",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Logging has begun already.
    #[error("cannot log: {0}")]
    Begun(#[from] tracing_subscriber::util::TryInitError),
}

/// The level of the log, which may change while the controller runs.
#[derive(Clone, Debug)]
pub struct LogLevel {
    filter: reload::Handle<EnvFilter, Registry>,
    is_pinned: bool,
}

impl LogLevel {
    /// Takes over the level of the configuration, unless the command line has one.
    pub fn follow(&self, config: &LogConfig) {
        if self.is_pinned {
            return;
        }
        let filter = EnvFilter::new(config.level.unwrap_or(DEFAULT_LEVEL));
        if let Err(error) = self.filter.reload(filter) {
            warn!(%error, "the log level stays as it was");
        }
    }

    /// What is logged at present, as directives.
    pub fn present(&self) -> String {
        self.filter
            .with_current(ToString::to_string)
            .unwrap_or_default()
    }
}

/// Starts logging for the whole process. `asked`, the command line's wish, comes before the level of `config`.
///
/// # Errors
/// If `asked` cannot be read or the log file cannot be written.
pub fn start(
    asked: Option<&str>,
    format: LogFormat,
    config: &LogConfig,
) -> Result<LogLevel, LogError> {
    let (subscriber, level) = subscriber(asked, format, config)?;
    subscriber.try_init()?;
    Ok(level)
}

/// What takes log lines, and the handle of its level.
///
/// # Errors
/// As [`start`].
pub fn subscriber(
    asked: Option<&str>,
    format: LogFormat,
    config: &LogConfig,
) -> Result<(impl Subscriber + Send + Sync + 'static, LogLevel), LogError> {
    let wished = asked.or(config.level).unwrap_or(DEFAULT_LEVEL);
    let filter = EnvFilter::try_new(wished).map_err(|source| LogError::Filter {
        text: wished.to_owned(),
        source,
    })?;
    let (filter, handle) = reload::Layer::new(filter);
    let (writer, is_terminal) = match &config.file {
        None => (BoxMakeWriter::new(io::stderr), true),
        Some(file) => {
            let opened = RotatingFile::open(file.clone()).map_err(|source| LogError::File {
                path: file.path.clone(),
                source,
            })?;
            (BoxMakeWriter::new(Mutex::new(opened)), false)
        }
    };
    let layer = fmt::layer().with_writer(writer);
    let layer = match format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Plain if is_terminal => layer.boxed(),
        LogFormat::Plain => layer.with_ansi(false).boxed(),
    };
    let level = LogLevel {
        filter: handle,
        is_pinned: asked.is_some(),
    };
    Ok((Registry::default().with(filter).with(layer), level))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFile;

    fn mk_config(level: Option<&'static str>) -> LogConfig {
        LogConfig { level, file: None }
    }

    #[test]
    fn the_command_line_comes_before_the_configuration_and_stays() {
        for (asked, configured, before, after) in [
            (None, None, "info", "debug"),
            (None, Some("warn"), "warn", "debug"),
            (Some("error"), Some("warn"), "error", "error"),
            (
                Some("info,kube=debug"),
                None,
                "kube=debug,info",
                "kube=debug,info",
            ),
        ] {
            let (_subscriber, level) =
                subscriber(asked, LogFormat::Json, &mk_config(configured)).unwrap();
            assert_eq!(level.present(), before);
            level.follow(&mk_config(Some("debug")));
            assert_eq!(level.present(), after);
        }
    }

    #[test]
    fn lines_go_to_the_file_from_the_level_on_that_is_wished_at_present() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/slime.log");
        let config = LogConfig {
            level: Some("warn"),
            file: Some(LogFile {
                path: path.clone(),
                ..LogFile::default()
            }),
        };
        for format in [LogFormat::Json, LogFormat::Plain] {
            let (subscriber, level) = subscriber(None, format, &config).unwrap();
            tracing::subscriber::with_default(subscriber, || {
                tracing::info!("too quiet");
                warn!("loud enough");
                level.follow(&mk_config(None));
                tracing::info!("quiet but wished");
            });
        }
        let lines = std::fs::read_to_string(path).unwrap();
        assert_eq!(lines.lines().count(), 4, "{lines}");
        assert!(
            !lines.contains("too quiet") && !lines.contains('\u{1b}'),
            "{lines}"
        );
        assert_eq!(lines.matches("quiet but wished").count(), 2, "{lines}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_that_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let file = LogFile {
            // A directory stands in the place of the file.
            path: directory.path().to_owned(),
            ..LogFile::default()
        };
        let config = LogConfig {
            level: None,
            file: Some(file),
        };
        let error = subscriber(None, LogFormat::Json, &config)
            .err()
            .unwrap()
            .to_string();
        for part in ["filePath", "mount a volume", "logRotate"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_wish_that_is_no_level_is_an_error() {
        let error = subscriber(Some("a=b=c"), LogFormat::Json, &mk_config(None)).err();
        assert!(error.unwrap().to_string().contains("--log-level"));
    }
}
