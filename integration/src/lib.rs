//! The real mesh on one machine: a real control plane, real sidecars and this repository's own manifests, in a namespace of
//! its own that leaves nothing behind.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access_log;
pub mod arguments;
pub mod bulk;
pub mod demo;
pub mod envoy;
pub mod form;
pub mod http;
pub mod mesh;
pub mod netns;
pub mod node;
pub mod oracle;
pub mod parts;
pub mod progress;
pub mod scopes;
pub mod supervisor;
pub mod until;
pub mod workload;
