//! Who sent a report, as the controller's own sidecar proved it.

use thiserror::Error;

/// Header in which the controller's sidecar states the client certificate of the connection.
pub const CLIENT_CERTIFICATE_HEADER: &str = "x-forwarded-client-cert";

/// The workload identity of the sender: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Trust domain of the mesh that issued the certificate.
    pub trust_domain: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Kubernetes service account.
    pub service_account: String,
}

/// Why a certificate header proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// A quote is not closed.
    #[error("the last element of {CLIENT_CERTIFICATE_HEADER} has an open quote")]
    OpenQuote,
    /// The certificate has no URI, or several.
    #[error("the last element of {CLIENT_CERTIFICATE_HEADER} has {0} URIs where one is needed")]
    Uris(usize),
    /// The URI is not that of a mesh workload.
    #[error(
        "the URI in {CLIENT_CERTIFICATE_HEADER} is not spiffe://<trust domain>/ns/<namespace>/sa/<service account>"
    )]
    NotAWorkload,
}

/// The identity in the values of the header, in the order in which they were received; `None` if there is none.
///
/// Only the last element counts: the controller's sidecar appends the one it has verified, and whatever stands before was
/// sent by the client.
///
/// # Errors
/// If the last element is there but does not name exactly one workload.
pub fn peer_identity<'a>(
    values: impl IntoIterator<Item = &'a str>,
) -> Result<Option<Identity>, IdentityError> {
    let Some(last) = values.into_iter().last() else {
        return Ok(None);
    };
    let Some(element) = split_unquoted(last, ',')?
        .pop()
        .filter(|element| !element.trim().is_empty())
    else {
        return Ok(None);
    };
    let mut uris = Vec::new();
    for pair in split_unquoted(element, ';')? {
        if let Some((key, value)) = pair.split_once('=')
            && key.trim().eq_ignore_ascii_case("uri")
        {
            uris.push(unquote(value.trim()));
        }
    }
    match uris.as_slice() {
        [uri] => workload(uri).ok_or(IdentityError::NotAWorkload).map(Some),
        other => Err(IdentityError::Uris(other.len())),
    }
}

/// Splits at `separator` outside of double quotes, in which a backslash escapes the next character.
fn split_unquoted(text: &str, separator: char) -> Result<Vec<&str>, IdentityError> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    if quoted {
        return Err(IdentityError::OpenQuote);
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn unquote(value: &str) -> String {
    let Some(inner) = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
    else {
        return value.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' {
            characters.next()
        } else {
            Some(character)
        });
    }
    plain
}

fn workload(uri: &str) -> Option<Identity> {
    let mut parts = uri.strip_prefix("spiffe://")?.split('/');
    let (trust_domain, ns, namespace, sa, service_account) = (
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
    );
    let is_complete = parts.next().is_none()
        && (ns, sa) == ("ns", "sa")
        && ![trust_domain, namespace, service_account].contains(&"");
    is_complete.then(|| Identity {
        trust_domain: trust_domain.to_owned(),
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "By=spiffe://cluster.local/ns/mesh-operator/sa/lazyload;Hash=ab12";

    fn mk_identity(namespace: &str, service_account: &str) -> Identity {
        Identity {
            trust_domain: "cluster.local".to_owned(),
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
        }
    }

    #[test]
    fn the_uri_of_the_only_element_is_the_sender() {
        let value = format!("{OWN};Subject=\"\";URI=spiffe://cluster.local/ns/default/sa/web");
        assert_eq!(
            peer_identity([value.as_str()]),
            Ok(Some(mk_identity("default", "web")))
        );
    }

    #[test]
    fn elements_that_the_client_sent_are_not_believed() {
        let spoofed = "By=x;URI=spiffe://cluster.local/ns/victim/sa/admin";
        let real = format!("{OWN};URI=spiffe://cluster.local/ns/default/sa/web");
        let appended = format!("{spoofed},{real}");
        let expected = Ok(Some(mk_identity("default", "web")));
        assert_eq!(peer_identity([appended.as_str()]), expected);
        assert_eq!(peer_identity([spoofed, real.as_str()]), expected);
    }

    #[test]
    fn separators_inside_quotes_separate_nothing() {
        let value = format!(
            "{OWN};Subject=\"CN=a,O=b;URI=spiffe://cluster.local/ns/victim/sa/admin\\\",x\";\
             URI=spiffe://cluster.local/ns/default/sa/web"
        );
        assert_eq!(
            peer_identity([value.as_str()]),
            Ok(Some(mk_identity("default", "web")))
        );
    }

    #[test]
    fn a_quoted_uri_is_read_without_its_quotes() {
        let value = "URI=\"spiffe://cluster.local/ns/a/sa/b\"";
        assert_eq!(peer_identity([value]), Ok(Some(mk_identity("a", "b"))));
    }

    #[test]
    fn no_header_means_no_identity() {
        assert_eq!(peer_identity([]), Ok(None));
        assert_eq!(peer_identity([""]), Ok(None));
    }

    #[test]
    fn an_element_without_exactly_one_workload_uri_proves_nothing() {
        for (value, error) in [
            (OWN, IdentityError::Uris(0)),
            (
                "URI=spiffe://td/ns/a/sa/b;URI=spiffe://td/ns/c/sa/d",
                IdentityError::Uris(2),
            ),
            ("URI=https://td/ns/a/sa/b", IdentityError::NotAWorkload),
            (
                "URI=spiffe://td/ns/a/sa/b/extra",
                IdentityError::NotAWorkload,
            ),
            ("URI=spiffe://td/ns//sa/b", IdentityError::NotAWorkload),
            ("URI=spiffe://td/sa/a/ns/b", IdentityError::NotAWorkload),
            (
                "Subject=\"open;URI=spiffe://td/ns/a/sa/b",
                IdentityError::OpenQuote,
            ),
        ] {
            assert_eq!(peer_identity([value]), Err(error), "{value}");
        }
    }

    #[test]
    fn an_open_quote_in_what_the_client_sent_cannot_swallow_the_proved_element() {
        // The sidecar joins with a comma; an open quote before it makes the whole value unreadable, never misread.
        let value = format!("Subject=\"x,{OWN};URI=spiffe://cluster.local/ns/default/sa/web");
        assert_eq!(
            peer_identity([value.as_str()]),
            Err(IdentityError::OpenQuote)
        );
    }
}
