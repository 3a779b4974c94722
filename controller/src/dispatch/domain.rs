//! The domains of Envoy's virtual hosts.

use std::cmp::Reverse;

/// Longest name that DNS has.
const MAX_BYTES: usize = 255;

/// Where a match stands among others: the smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// This very host; one with a port, which is longer, before the one without.
    Exact(Reverse<usize>),
    /// `*.<suffix>`, the longest first.
    Suffix(Reverse<usize>),
    /// `<prefix>.*`, the longest first.
    Prefix(Reverse<usize>),
    /// A regular expression.
    Expression,
    /// `*`.
    Any,
}

/// What one domain matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Where it stands.
    pub rank: Rank,
    /// Regular expression (RE2) of the whole `:authority`; `None` for all.
    pub authority: Option<String>,
}

impl Domain {
    /// Reads a domain as Envoy's virtual hosts have them: at most one `*`, at either end, that stands for at least one character.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self {
                rank: Rank::Any,
                authority: None,
            });
        }
        let length = Reverse(text.len());
        let (rank, name) = match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(suffix), None) => (Rank::Suffix(length), suffix),
            (None, Some(prefix)) => (Rank::Prefix(length), prefix),
            (None, None) => (Rank::Exact(length), text),
            (Some(_), Some(_)) => return None,
        };
        if !is_name(name) || text.len() > MAX_BYTES {
            return None;
        }
        let name = regex::escape(name);
        let port = if has_port(text) { "" } else { PORT };
        let authority = match rank {
            Rank::Suffix(_) => format!("(?i:.+{name}){port}"),
            // Whatever follows may be a port as well.
            Rank::Prefix(_) => format!("(?i:{name}.+)"),
            _ => format!("(?i:{name}){port}"),
        };
        Some(Self {
            rank,
            authority: Some(authority),
        })
    }

    /// Hosts that match `expression`, which has been checked.
    pub fn matching(expression: &str) -> Self {
        Self {
            rank: Rank::Expression,
            authority: Some(format!("(?i:{expression}){PORT}")),
        }
    }
}

/// istiod makes Envoy ignore the port when it looks for a virtual host.
const PORT: &str = "(?::[0-9]+)?";

fn is_name(name: &str) -> bool {
    let is_of_host = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
    };
    !name.is_empty() && name.bytes().all(is_of_host)
}

/// `[::1]` has none, though it has colons.
fn has_port(text: &str) -> bool {
    let port = text.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}
