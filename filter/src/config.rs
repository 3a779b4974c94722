//! The plugin configuration: `spec.pluginConfig` of the WasmPlugin, which reaches the filter as JSON.

use crate::{gate::Waits, grpc_service::MAX_FIELD_BYTES, hold::Limits};
use lazyload_protocol::host::Authority;
use serde::Deserialize;
use thiserror::Error;

/// How much of a JSON error is shown: its text repeats names that somebody else chose.
const SHOWN_BYTES: usize = 500;

/// How the filter behaves. Every key is optional, unknown keys are errors.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Envoy's name of the controller's cluster.
    pub controller_cluster: String,
    /// `:authority` of report calls. A cluster name will not do: the receiving sidecar refuses its `|`.
    pub controller_authority: String,
    /// After how many milliseconds a report call is given up.
    pub report_timeout_milliseconds: u32,
    /// For how many milliseconds a host that was reported is not reported again by any worker of this sidecar.
    pub repeat_after_milliseconds: u32,
    /// The same, where the controller called the host external, and never less than the above. A Service that is made
    /// for such a host is learned of after this time at most.
    pub quiet_after_milliseconds: u32,
    /// The same, where the report did not reach the controller; and for how long a worker then waits to report anything.
    pub retry_after_milliseconds: u32,
    /// For how many milliseconds a first miss waits for others to share its report.
    pub batch_delay_milliseconds: u32,
    /// How many misses one report carries at most.
    pub max_batch: u32,
    /// How many misses wait in one worker at most; more are dropped and counted.
    pub max_pending: u32,
    /// What a request does whose host has no route yet.
    pub first_request: FirstRequest,
    /// For how many milliseconds at most a request waits to hear whether it should wait for its route.
    pub verdict_timeout_milliseconds: u32,
    /// For how many milliseconds at most a request is held, from when it came.
    pub hold_timeout_milliseconds: u32,
    /// How many requests one worker holds at most; more pass through and are counted.
    pub max_held_streams: u32,
    /// How many bytes of request bodies one worker lets the proxy buffer at most for the requests it holds.
    pub max_held_bytes: u32,
    /// How many milliseconds after the verdict the first probe for the route is sent.
    pub first_probe_milliseconds: u32,
    /// The longest time between two probes, in milliseconds.
    pub max_probe_interval_milliseconds: u32,
}

/// What a request does whose host has no route yet.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum FirstRequest {
    /// It waits for the route, if the controller says that there will be one.
    #[default]
    Hold,
    /// It goes on at once, to where it would have gone.
    Passthrough,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            controller_cluster: "outbound|8082||lazyload.mesh-operator.svc.cluster.local"
                .to_owned(),
            controller_authority: "lazyload.mesh-operator.svc.cluster.local:8082".to_owned(),
            report_timeout_milliseconds: 2_000,
            repeat_after_milliseconds: 10_000,
            quiet_after_milliseconds: 60_000,
            retry_after_milliseconds: 1_000,
            batch_delay_milliseconds: 1,
            max_batch: 100,
            max_pending: 256,
            first_request: FirstRequest::Hold,
            verdict_timeout_milliseconds: 1_000,
            // istiod puts a push off for 10 s at most, in a mesh that never rests.
            hold_timeout_milliseconds: 10_000,
            max_held_streams: 1_000,
            max_held_bytes: 256 << 20,
            first_probe_milliseconds: 5,
            max_probe_interval_milliseconds: 250,
        }
    }
}

/// Why a plugin configuration cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ConfigError {
    /// Not JSON, not of the right types, or with an unknown key.
    #[error("{0}")]
    Json(String),
    /// A number outside of its range.
    #[error("{key} is {value}, it must be from 1 to {most}")]
    Range {
        /// The key in the configuration.
        key: &'static str,
        /// What it holds.
        value: u32,
        /// The largest value allowed.
        most: u32,
    },
    /// A text that is empty or too long to hand to Envoy.
    #[error("{key} is {bytes} bytes long, it must be from 1 to {MAX_FIELD_BYTES}")]
    Length {
        /// The key in the configuration.
        key: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// `controllerAuthority` is not a host with or without a port.
    #[error("controllerAuthority: {0}")]
    Authority(#[from] lazyload_protocol::host::AuthorityError),
}

impl Config {
    /// Reads the configuration; none, or nothing but white space, is the default one.
    ///
    /// # Errors
    /// What is wrong and where, in words for whoever wrote the WasmPlugin.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        if json.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let config: Self = serde_json::from_slice(json).map_err(|error| {
            let mut message = error.to_string();
            if message.len() > SHOWN_BYTES {
                message = message.chars().take(SHOWN_BYTES).chain(['…']).collect();
            }
            ConfigError::Json(message)
        })?;
        config.check()?;
        Ok(config)
    }

    pub(crate) fn waits(&self) -> Waits {
        Waits {
            repeat: self.repeat_after_milliseconds,
            longest: self
                .repeat_after_milliseconds
                .max(self.quiet_after_milliseconds),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            verdict: self.verdict_timeout_milliseconds,
            hold: self.hold_timeout_milliseconds,
            streams: self.max_held_streams,
            bytes: self.max_held_bytes,
            first_probe: self.first_probe_milliseconds,
            longest_probe_interval: self.max_probe_interval_milliseconds,
            retry: self.retry_after_milliseconds,
            waits: self.waits(),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        for (key, text) in [
            ("controllerCluster", &self.controller_cluster),
            ("controllerAuthority", &self.controller_authority),
        ] {
            let bytes = text.len();
            if bytes == 0 || bytes > MAX_FIELD_BYTES {
                return Err(ConfigError::Length { key, bytes });
            }
        }
        Authority::parse(&self.controller_authority)?;
        for (key, value, most) in [
            (
                "reportTimeoutMilliseconds",
                self.report_timeout_milliseconds,
                60_000,
            ),
            (
                "repeatAfterMilliseconds",
                self.repeat_after_milliseconds,
                3_600_000,
            ),
            (
                "quietAfterMilliseconds",
                self.quiet_after_milliseconds,
                3_600_000,
            ),
            (
                "retryAfterMilliseconds",
                self.retry_after_milliseconds,
                3_600_000,
            ),
            (
                "batchDelayMilliseconds",
                self.batch_delay_milliseconds,
                1_000,
            ),
            ("maxBatch", self.max_batch, 1_000),
            ("maxPending", self.max_pending, 10_000),
            (
                "verdictTimeoutMilliseconds",
                self.verdict_timeout_milliseconds,
                60_000,
            ),
            (
                "holdTimeoutMilliseconds",
                self.hold_timeout_milliseconds,
                60_000,
            ),
            ("maxHeldStreams", self.max_held_streams, 10_000),
            ("maxHeldBytes", self.max_held_bytes, 1 << 30),
            (
                "firstProbeMilliseconds",
                self.first_probe_milliseconds,
                1_000,
            ),
            (
                "maxProbeIntervalMilliseconds",
                self.max_probe_interval_milliseconds,
                10_000,
            ),
        ] {
            if value == 0 || value > most {
                return Err(ConfigError::Range { key, value, most });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
