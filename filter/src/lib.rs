//! The proxy-wasm filter of the client's own sidecar: it sees requests that no real route matched, stamps them and reports
//! them to the controller.
//!
//! Everything is free of the wasm host but `host.rs`, which is compiled for `wasm32-wasip1` alone. The rest asks its proxy
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

mod caller;
mod config;
mod destination;
mod envoy;
mod gate;
mod grpc_service;
mod labels;
mod metric;
mod miss;
mod plugin;
mod reporter;

#[cfg(target_os = "wasi")]
mod host;
#[cfg(test)]
mod memory;

pub use config::{Config, ConfigError};
pub use envoy::{CallRefused, CasMismatch, Envoy, Level};
pub use metric::Metric;
pub use plugin::Plugin;
