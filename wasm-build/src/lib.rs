//! Builds the filter into the module that Envoy loads, and measures it.
//!
//! The build is an ordinary `cargo build` of `lazyload-filter` with the workspace's profile `wasm`, in a target directory of its
//! own, so that it can run inside another cargo (a test, the mesh rig) without waiting for that one's lock for ever. Then
//! every export goes that Envoy need not call.

mod build;
mod error;
mod exports;
mod measure;

pub use build::{Options, build_filter};
pub use error::BuildError;
pub use exports::EXPORTS;
pub use measure::{Measure, measure};

/// The target that Envoy's proxy-wasm host runs.
pub const TARGET: &str = "wasm32-wasip1";
