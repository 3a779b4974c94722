//! What an edit costs istiod under both forms of a Sidecar's hosts: `*/<host>` with whole namespaces, as Slime writes them, and
//! exact `<namespace>/<host>` alone. istiod works out a Sidecar only for a proxy that is connected, so as many are.

pub mod client;
pub mod edits;
mod form;
pub mod measure;
pub mod run;
pub mod tell;
pub mod world;

/// How large the world is.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Size {
    /// Sidecars, each with one connected proxy.
    pub sidecars: usize,
    /// Services.
    pub services: usize,
    /// Namespaces, over which Services and Sidecars are spread evenly.
    pub namespaces: usize,
    /// Hosts that each Sidecar names, besides those that every one has.
    pub hosts: usize,
}
