//! What the filter and the controller must agree on: the messages of a report and the spelling of host names.
//!
//! Nothing here knows of tokio, Kubernetes clients or proxy-wasm, and nothing here panics: the same code runs inside a
//! sidecar, where a panic silences the filter.
//!
//! Features: none by default (messages only); `server` and `client` add the tonic code of [`v1`]'s `MissService`.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod host;
pub mod text;

/// The messages and the service of `proto/lazyload.proto`, where every field is documented.
#[allow(
    missing_docs,
    rust_2018_idioms,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/istio.lazyload.v1.rs"));
}

/// Full name of the gRPC service that the controller serves.
pub const SERVICE: &str = "istio.lazyload.v1.MissService";

/// Name of the unary method that takes a [`v1::ReportRequest`] and answers a [`v1::ReportResponse`].
pub const REPORT_METHOD: &str = "Report";

/// Request header, set on misses that are passed through alone: where the application's connection was going, as `ip:port` (an IPv6 address in
/// brackets). Named as Slime's global-sidecar reads it; in the lower case that Envoy gives header names.
pub const ORIGINAL_DESTINATION_HEADER: &str = "slime-orig-dest";

/// Request header, set on misses that are passed through alone: the namespace of the calling pod. Named as Slime's global-sidecar reads it.
pub const SOURCE_NAMESPACE_HEADER: &str = "slime-source-ns";

/// Names that Istio gives the route, and the virtual host, that catches what no real route matched.
pub const CATCH_ALL_ROUTES: [&str; 3] = ["allow_any", "block_all", "allow_any_dynamic_dns"];

/// What the names of routes in a catch-all virtual host begin with that somebody has configured for some hosts: no misses.
pub const DISPATCH_ROUTE_PREFIX: &str = "lazyload-dispatch-";

/// Request header that sends a held request through the replay listener that its value names. The filter sets it; it never
/// leaves the sidecar.
pub const REPLAY_HEADER: &str = "x-lazyload-replay";

/// Request header of the filter's own probes, which no application ever sees.
pub const PROBE_HEADER: &str = "x-lazyload-probe";

/// What a probe is answered where a real route has the host.
pub const PROBE_READY: u16 = 299;

/// What a probe is answered where only the catch-all has the host.
pub const PROBE_NOT_READY: u16 = 404;

/// Name of the internal listener that has the route table of `port`, and of the cluster that leads there.
pub fn replay_listener(port: u16) -> String {
    format!("lazyload-replay-{port}")
}
