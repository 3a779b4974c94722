//! Following the configuration file while the controller runs.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use tracing::{error, info, warn};

use crate::{
    config::{Config, ConfigError},
    index::Index,
    log::LogLevel,
    metrics::Metrics,
};

/// How often the file is read. Its content is compared, since a mounted ConfigMap is changed by swapping a link above it.
const PERIOD: Duration = Duration::from_secs(2);

/// What the file holds, or why that cannot be read.
type Finding = Result<String, io::ErrorKind>;

/// Where the configuration came from, and the level of the log, which follows it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// The level of the log.
    pub level: LogLevel,
}

/// Takes over what the configuration file says anew.
#[derive(Debug)]
pub struct Reloader {
    source: Source,
    running: Config,
    /// What was last found, so that each finding is told once.
    seen: Option<Finding>,
    // What was found last, which counts when it is found again.
    latest: Option<Finding>,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
}

impl Reloader {
    /// Of a controller that runs with `running`.
    pub fn new(source: Source, running: Config, index: Arc<Index>, metrics: Arc<Metrics>) -> Self {
        Self {
            source,
            running,
            seen: None,
            latest: None,
            index,
            metrics,
        }
    }

    /// Follows the file for good.
    pub async fn run(mut self) {
        loop {
            self.look().await;
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Reads the file once. A mistake in it, or its absence, leaves everything as it is.
    ///
    /// A file that is edited in place may be found empty or by half, and to say nothing of `autoFence` is to delete fences: what
    /// is found counts when the next look finds the same.
    async fn look(&mut self) {
        let path = self.source.path.clone();
        let read = tokio::task::spawn_blocking(move || fs::read_to_string(path)).await;
        let Ok(read) = read else {
            return;
        };
        let found = read.as_ref().map_err(io::Error::kind).cloned();
        let is_settled = self.latest.as_ref() == Some(&found);
        self.latest = Some(found.clone());
        if !is_settled || self.seen.as_ref() == Some(&found) {
            return;
        }
        let is_first = self.seen.replace(found).is_none();
        let path = self.source.path.clone();
        let wished = match read {
            Ok(text) => Config::parse(&text, &path),
            Err(source) => Err(ConfigError::Read { path, source }),
        };
        match wished {
            Ok(wished) => self.take_over(wished, is_first),
            Err(error) => {
                self.metrics.config_reloads("rejected").inc();
                error!(%error, "the changed configuration cannot be used: the former one stays in force");
            }
        }
    }

    fn take_over(&mut self, wished: Config, is_first: bool) {
        let change = self.running.becoming(wished);
        for warning in change.next.warnings() {
            if !self.running.warnings().contains(warning) {
                warn!("configuration: {warning}");
            }
        }
        let (before, after) = (self.running.settings(), change.next.settings());
        let is_new = self.running != change.next;
        self.running = change.next;
        self.source.level.follow(&self.running.log);
        if before != after {
            let after = Arc::new(after);
            self.index
                .write(|world, concerned| world.configure(after, concerned));
        }
        if !change.needs_restart.is_empty() {
            self.metrics.config_reloads("needs_restart").inc();
            warn!(
                keys = change.needs_restart.join(", "),
                "the configuration has changed; these keys keep their values until the controller is restarted"
            );
        } else if is_new {
            self.metrics.config_reloads("applied").inc();
            info!(config = ?self.running, "the configuration has changed and is in force");
        } else if !is_first {
            info!("the configuration file has changed and says what is in force already");
        }
    }
}

#[cfg(test)]
mod tests;
