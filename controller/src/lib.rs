//! The lazyload controller: turns misses that sidecars report into learned hosts of ServiceFences, and fences into Istio
//! Sidecars.
//!
//! Data flows one way: watches feed the [`index`]; [`receive`] judges reports against it and puts learned hosts into the
//! [`queue`]; [`write`](mod@write) takes work from the queue, asks the pure rooms [`fence`], [`placeholder`] and [`replay`] what
//! should be, and writes the difference. [`run`](mod@run) puts the parts together.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admin;
pub mod api;
pub mod args;
pub mod auto_fence;
pub mod config;
pub mod desired;
pub mod dispatch;
pub mod fence;
pub mod first_request;
pub mod index;
pub mod kept;
pub mod leader;
pub mod log;
pub mod metrics;
pub mod placeholder;
pub mod queue;
pub mod readiness;
pub mod receive;
pub mod reload;
pub mod replay;
pub mod run;
pub mod settings;
pub mod write;
