//! How hosts are written into Sidecars.

/// The form of `spec.egress[].hosts`. The configuration's default is the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScopeForm {
    /// Slime's: `*/<host>`, and `<istioNamespace>/*` and `<slimeNamespace>/*` whole.
    #[default]
    Compatible,
    /// Exact entries alone, `<namespace>/<host>`, from which istiod (1.31 and newer) builds a scope in a fraction of the time:
    /// the namespace of the host and those of the VirtualServices and DestinationRules that concern it.
    Exact,
}

impl ScopeForm {
    /// The names of all forms, as the configuration writes them.
    pub const NAMES: [&'static str; 2] = ["compatible", "exact"];

    /// The form of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "compatible" => Some(Self::Compatible),
            "exact" => Some(Self::Exact),
            _ => None,
        }
    }
}
