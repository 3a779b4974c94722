//! Why the configuration cannot be used.

use std::{io, path::PathBuf};

use thiserror::Error;

use super::locate::{KeyPath, line_of};

/// Why the configuration cannot be used. The text names the file and, where there is one, the line and the key.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is not YAML.
    #[error("configuration file {}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_norway::Error,
    },
    /// A key does not exist, or has a value that makes no sense.
    #[error("configuration file {}{}: {key}: {problem}", path.display(), in_line(*line))]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: Option<usize>,
        /// The key, from the top of the file, or `the whole file`.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

fn in_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

/// What is wrong with a key. Where the key stands in the file is found out later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub at: KeyPath,
    pub text: String,
}

impl Problem {
    /// At `key`, written as in `general.dispatches[0].cluster`.
    pub fn new(key: &str, text: impl Into<String>) -> Self {
        Self {
            at: KeyPath::of(key),
            text: text.into(),
        }
    }

    /// With its place in the file: `text`, of which the `document`-th document is meant.
    pub fn within(self, path: PathBuf, text: &str, document: usize) -> ConfigError {
        ConfigError::Value {
            path,
            line: line_of(text, document, &self.at),
            key: match self.at.to_string() {
                key if key.is_empty() => "the whole file".to_owned(),
                key => key,
            },
            problem: self.text,
        }
    }
}
