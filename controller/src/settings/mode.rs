//! What is wished for first requests.

use serde::Deserialize;

/// What a sidecar does with a request whose route is on its way. In the order of care, so that of several the greatest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Never hold.
    PassThrough,
    /// Hold where the host needs the mesh.
    Adaptive,
    /// Always hold: the first request cannot be told from any other.
    #[default]
    Hold,
}

impl Mode {
    /// The names, as configuration and fences state them.
    pub const NAMES: [&str; 3] = ["hold", "passthrough", "adaptive"];

    /// The mode of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "hold" => Some(Self::Hold),
            "passthrough" => Some(Self::PassThrough),
            "adaptive" => Some(Self::Adaptive),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_careful_is_the_greatest() {
        let modes = [Mode::PassThrough, Mode::Hold, Mode::Adaptive];
        assert_eq!(modes.into_iter().max(), Some(Mode::Hold));
        assert!(Mode::Adaptive > Mode::PassThrough);
    }

    #[test]
    fn configuration_and_fences_use_the_same_names() {
        for name in Mode::NAMES {
            let read: Mode = serde_json::from_value(name.into()).unwrap();
            assert_eq!(Mode::named(name), Some(read), "{name}");
        }
        assert_eq!(Mode::named("Hold"), None);
    }
}
