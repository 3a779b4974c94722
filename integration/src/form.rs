//! The two forms in which a Sidecar names hosts.

use clap::ValueEnum;
use serde::Serialize;

/// How hosts are written: `sidecarHosts` of the controller's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `*/<host>`, and whole namespaces, as Slime writes them.
    Compatible,
    /// `<namespace>/<host>` alone.
    Exact,
}

impl Form {
    /// Both, in the order in which they take turns.
    pub const BOTH: [Self; 2] = [Self::Compatible, Self::Exact];

    /// Its name in the controller's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Exact => "exact",
        }
    }
}
