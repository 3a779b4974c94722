//! The proxy-wasm filter of the client's own sidecar: it sees requests that no real route matched, reports them to the
//! controller, holds them until their route is there, and stamps those that it passes through.
//!
//! Everything is free of the wasm host but `host`, which is compiled for `wasm32-wasip1` alone. The rest asks its proxy
//! through the [`Envoy`] trait and is tested natively against a proxy in memory.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::string_slice
    )
)]

mod alarm;
mod caller;
mod config;
mod destination;
mod envoy;
mod gate;
mod grpc_service;
mod hold;
mod labels;
mod metric;
mod miss;
mod plugin;
mod quota;
mod reporter;
mod stamps;

#[cfg(target_os = "wasi")]
mod host;
#[cfg(test)]
mod memory;

pub use config::{Config, ConfigError, FirstRequest};
pub use envoy::{CallRefused, CasMismatch, Envoy, Level, NO_CLUSTER, Resumed, Way};
pub use metric::{HOLD_MILLISECONDS, Metric};
pub use plugin::{Flow, Plugin, Stream};
pub use stamps::Stamps;
