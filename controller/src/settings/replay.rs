//! Where held requests are sent through.

use std::collections::BTreeSet;

use crate::fence::ObjectRef;

/// What the configuration says about replaying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Namespaces that have an EnvoyFilter; none where replaying is switched off.
    pub namespaces: BTreeSet<String>,
    /// Namespaces that the configuration names, replaying or not: where it names any, nothing stands or holds anywhere else.
    pub named: BTreeSet<String>,
    /// The namespace whose EnvoyFilter holds for every sidecar of the mesh.
    pub root_namespace: String,
    /// Regular expression of the proxy versions that are patched.
    pub proxy_version: String,
    /// The WasmPlugin.
    pub plugin: ObjectRef,
}
