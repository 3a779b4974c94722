use super::error::{AuthorityError, AuthorityErrorKind};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Longest DNS name, in bytes and without its trailing dot.
pub const MAX_NAME_BYTES: usize = 253;

/// Longest label of a DNS name, in bytes.
pub const MAX_LABEL_BYTES: usize = 63;

/// What `:authority` says: a host and perhaps a port, in one canonical spelling.
///
/// Names are in lower case and without a trailing dot; an IPv4 address that is mapped into IPv6 is an IPv4 address.
/// Displays as canonical text that parses to the same value.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Authority {
    host: Host,
    port: Option<u16>,
}

/// The host part of an [`Authority`].
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Host {
    /// A DNS name, canonical.
    Name(String),
    /// An address literal.
    Ip(IpAddr),
}

impl Authority {
    /// Reads any spelling of an authority.
    ///
    /// # Errors
    /// Whatever cannot be a host, as [`AuthorityErrorKind`] lists it. The error never holds more than a short part of
    /// the input.
    pub fn parse(input: &str) -> Result<Self, AuthorityError> {
        parse(input).map_err(|kind| AuthorityError::new(kind, input))
    }

    /// The host, without the port.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The DNS name, unless the host is an address.
    pub fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            Host::Ip(_) => None,
        }
    }

    /// The address, unless the host is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host {
            Host::Name(_) => None,
            Host::Ip(ip) => Some(ip),
        }
    }

    /// The port, where one was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for Authority {
    type Err = AuthorityError;

    fn from_str(input: &str) -> Result<Self, AuthorityError> {
        Self::parse(input)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => formatter.write_str(name),
            Host::Ip(ip) => ip.fmt(formatter),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (host, None) => host.fmt(formatter),
            (Host::Ip(IpAddr::V6(ip)), Some(port)) => write!(formatter, "[{ip}]:{port}"),
            (host, Some(port)) => write!(formatter, "{host}:{port}"),
        }
    }
}

fn parse(input: &str) -> Result<Authority, AuthorityErrorKind> {
    // The longest name, its trailing dot and a port: whatever is longer is not looked at.
    if input.len() > MAX_NAME_BYTES.saturating_add(":65535.".len()) {
        return Err(AuthorityErrorKind::TooLong { bytes: input.len() });
    }
    if let Some(bracketed) = input.strip_prefix('[') {
        let (ip, rest) = bracketed.split_once(']').ok_or(AuthorityErrorKind::Ipv6)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(parse_port(port)?),
            None if rest.is_empty() => None,
            None => return Err(AuthorityErrorKind::Ipv6),
        };
        return Ok(Authority {
            host: parse_ipv6(ip)?,
            port,
        });
    }
    match input.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Ok(Authority {
            host: parse_ipv6(input)?,
            port: None,
        }),
        Some((host, port)) => Ok(Authority {
            host: parse_name(host)?,
            port: Some(parse_port(port)?),
        }),
        None => Ok(Authority {
            host: parse_name(input)?,
            port: None,
        }),
    }
}

fn parse_ipv6(text: &str) -> Result<Host, AuthorityErrorKind> {
    let ip: Ipv6Addr = text.parse().map_err(|_| AuthorityErrorKind::Ipv6)?;
    Ok(Host::Ip(IpAddr::V6(ip).to_canonical()))
}

fn parse_port(text: &str) -> Result<u16, AuthorityErrorKind> {
    // `parse` alone would take a plus sign.
    if text.is_empty() || text.len() > 5 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AuthorityErrorKind::Port);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(AuthorityErrorKind::Port),
        Ok(port) => Ok(port),
    }
}

fn parse_name(text: &str) -> Result<Host, AuthorityErrorKind> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() {
        return Err(AuthorityErrorKind::Empty);
    }
    let allowed =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if let Some(character) = name.chars().find(|character| !allowed(*character)) {
        return Err(AuthorityErrorKind::Character(character));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(AuthorityErrorKind::TooLong { bytes: name.len() });
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(AuthorityErrorKind::EmptyLabel);
        }
        if label.len() > MAX_LABEL_BYTES {
            return Err(AuthorityErrorKind::LongLabel { bytes: label.len() });
        }
    }
    if let Ok(ip) = name.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(IpAddr::V4(ip)));
    }
    Ok(Host::Name(name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
