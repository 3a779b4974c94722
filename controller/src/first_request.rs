//! Whether a first request is held until the route to its host has come.
//!
//! The filter waits only when it is told so, and it is told so only where waiting leads somewhere: a fence is about to make the
//! host visible, and the port has a route table that a held request can be sent through. Pure: no clock, no cluster, no locks.

mod host_rules;
mod need;
mod peers;
mod selects;

pub use host_rules::HostRules;
pub use need::{MeshRules, Need, Target};
pub use peers::{MtlsMode, PeerPolicy};

use thiserror::Error;

use crate::{placeholder::Protocol, replay::Installed, settings::Mode};

/// What is known of one first request to a host of the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstRequest {
    /// The most careful mode of the fences that select the workload.
    pub mode: Mode,
    /// Whether the workload's sidecar has the listeners that held requests are sent through.
    pub installed: Installed,
    /// Why no fence is going to make the host visible, if none is.
    pub blocked: Option<Blocked>,
    /// The port that was called, where it is known.
    pub port: Option<u16>,
    /// What the host declares about that port; `None` if it declares no port at all.
    pub protocol: Option<Protocol>,
    /// Whether that port is one of the placeholder's.
    pub is_port_open: bool,
}

/// A fence whose Sidecar does not take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The fence.
    pub fence: String,
    /// The reason of its `Ready` condition.
    pub reason: &'static str,
}

/// Why a first request is not held, in words that an operator can act on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PassThrough {
    /// The host is not in the mesh, or the miss was refused: the verdict says it all.
    #[error("not held: the host is not about to get a route")]
    NotAbout,
    /// That is what is wished.
    #[error("not held: firstRequest is passthrough")]
    Configured,
    /// The sidecar cannot send a held request anywhere.
    #[error(
        "not held: no replay EnvoyFilter is for this namespace (configuration keys replay.enabled and replay.namespaces)"
    )]
    NotInstalled,
    /// It is about to.
    #[error("not held: the EnvoyFilter lazyload-replay is not there (yet)")]
    ReplayMissing,
    /// The controller does not touch what it has not made.
    #[error(
        "not held: an EnvoyFilter lazyload-replay that this controller has not made is in the place of its own; delete or rename it, or, if another installation made it, set replay.namespaces"
    )]
    ReplayForeign,
    /// No fence is going to make the host visible.
    #[error("not held: the Sidecar of ServiceFence {} is not in force ({})", .0.fence, .0.reason)]
    NotInForce(Blocked),
    /// Istio makes a route for a port alone.
    #[error("not held: the host declares no port that was called, so that it gets no route")]
    NoPort,
    /// Istio makes no HTTP route.
    #[error(
        "not held: the host declares another protocol than HTTP on port {0}, so that it gets no HTTP route"
    )]
    NotHttp(u16),
    /// There is no replay listener for the port.
    #[error(
        "not held: port {0} is not one of the placeholder's: nothing declares HTTP on it, something declares TCP, or the configuration does not ask for it"
    )]
    PortNotOpen(u16),
    /// The host is reached as well without a route.
    #[error(
        "not held: firstRequest is adaptive, and nothing in the mesh configuration concerns the host"
    )]
    NotNeeded,
}

impl PassThrough {
    /// The reason as the metric's label.
    pub fn metric_label(&self) -> &'static str {
        match self {
            Self::NotAbout => "not_about",
            Self::Configured => "configured",
            Self::NotInstalled => "not_installed",
            Self::ReplayMissing => "replay_missing",
            Self::ReplayForeign => "replay_foreign",
            Self::NotInForce(_) => "not_in_force",
            Self::NoPort => "no_port",
            Self::NotHttp(_) => "not_http",
            Self::PortNotOpen(_) => "port_not_open",
            Self::NotNeeded => "not_needed",
        }
    }
}

impl FirstRequest {
    /// Whether to hold, and why: what asks for it, or what speaks against it. `need` is asked only if the mode is adaptive.
    ///
    /// An undeclared protocol is as good as HTTP: besides the listener of its own that Istio gives such a port, the table of the
    /// port number has the route too.
    ///
    /// # Errors
    /// Why not.
    pub fn decide(self, need: impl FnOnce() -> Option<Need>) -> Result<Need, PassThrough> {
        if self.mode == Mode::PassThrough {
            return Err(PassThrough::Configured);
        }
        match self.installed {
            Installed::Yes => {}
            Installed::NotConfigured => return Err(PassThrough::NotInstalled),
            Installed::Missing => return Err(PassThrough::ReplayMissing),
            Installed::Foreign => return Err(PassThrough::ReplayForeign),
        }
        if let Some(blocked) = self.blocked {
            return Err(PassThrough::NotInForce(blocked));
        }
        let (Some(port), Some(protocol)) = (self.port, self.protocol) else {
            return Err(PassThrough::NoPort);
        };
        match protocol {
            Protocol::Http | Protocol::Http2 | Protocol::Undeclared => {}
            Protocol::Tcp | Protocol::Other => return Err(PassThrough::NotHttp(port)),
        }
        if !self.is_port_open {
            return Err(PassThrough::PortNotOpen(port));
        }
        if self.mode == Mode::Hold {
            return Ok(Need::Configured);
        }
        need().ok_or(PassThrough::NotNeeded)
    }
}

#[cfg(test)]
mod tests;
