//! Which ports the placeholder carries.

use std::{collections::BTreeSet, time::Duration};

/// The rules by which ports are carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRules {
    /// Ports carried in any case, unless a Service declares a TCP protocol there (`wormholePort`).
    pub wormhole_ports: BTreeSet<u16>,
    /// Whether every port that some Service declares as HTTP is carried as well (`autoPort`; without any `wormholePort` it is).
    pub auto_port: bool,
    /// Whether ports declared as HTTP/2 or gRPC count as HTTP (`supportH2`).
    pub support_h2: bool,
    /// Whether ports that have vanished are ever taken out (`cleanupWormholePort`).
    pub clean_up: bool,
    /// How long no port may have vanished before those that have are taken out.
    pub quiet: Duration,
}

impl Default for PortRules {
    fn default() -> Self {
        Self {
            wormhole_ports: BTreeSet::new(),
            auto_port: true,
            support_h2: true,
            clean_up: true,
            quiet: Duration::from_secs(300),
        }
    }
}
