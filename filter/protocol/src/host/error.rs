use crate::text::excerpt;
use thiserror::Error;

/// Why an authority is not one that any host could have. Its text shows at most a short, escaped part of the input.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("authority \"{shown}\": {kind}")]
pub struct AuthorityError {
    kind: AuthorityErrorKind,
    shown: String,
}

impl AuthorityError {
    pub(super) fn new(kind: AuthorityErrorKind, input: &str) -> Self {
        Self {
            kind,
            shown: excerpt(input),
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> &AuthorityErrorKind {
        &self.kind
    }
}

/// What is wrong with an authority.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum AuthorityErrorKind {
    /// There is no host at all.
    #[error("the host is empty")]
    Empty,
    /// Longer than any DNS name.
    #[error("the host is {bytes} bytes long, a name has at most 253")]
    TooLong {
        /// Length of what was given, in bytes.
        bytes: usize,
    },
    /// Two dots in a row, or a dot at the start.
    #[error("a label between dots is empty")]
    EmptyLabel,
    /// A label longer than DNS allows.
    #[error("a label is {bytes} bytes long, at most 63 are allowed")]
    LongLabel {
        /// Length of the label, in bytes.
        bytes: usize,
    },
    /// A control character, white space or anything else outside of letters, digits, `-`, `_` and `.`.
    #[error("character {0:?} cannot stand in a host name")]
    Character(char),
    /// A port that is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// Brackets or several colons, but no IPv6 address.
    #[error("not an IPv6 address, or text after its bracket")]
    Ipv6,
}
