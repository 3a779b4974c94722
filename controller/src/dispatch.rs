//! Where misses of some hosts go: Slime's `dispatches`, in the order in which Envoy would look for their domains.
//!
//! Slime makes a virtual host of each, so that two for `*` cost a sidecar its whole route table. Here all of them are routes of the
//! one catch-all virtual host: real Services always come first, any number may name the same host, and the first one counts. Pure,
//! like [`fence`](crate::fence); the routes are rendered by [`replay`](crate::replay).

mod domain;
mod expression;

pub use expression::check as check_expression;

use std::collections::BTreeSet;

use lazyload_protocol::DISPATCH_ROUTE_PREFIX;
use thiserror::Error;

use crate::settings::{Dispatch, DispatchTo};
use domain::{Domain, Rank};

/// Why part of a dispatch cannot be used. Envoy would refuse the whole route table for its sake.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DispatchError {
    /// Nothing says which hosts are meant.
    #[error("it names neither domains nor a domainRegex")]
    NoHosts,
    /// Not a domain of an Envoy virtual host.
    #[error("the domain {0:?} is none: a host, *.<suffix>, <prefix>.* or * is needed")]
    Domain(String),
    /// Not a regular expression that RE2, which is what Envoy has, can be trusted to read in the same way.
    #[error("the domainRegex {expression:?} cannot be used: {problem}")]
    Expression {
        /// The expression.
        expression: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Not the name of a cluster.
    #[error(
        "the cluster {0:?} is none: a name such as outbound|80||egress.default.svc.cluster.local, PassthroughCluster or \
         _GLOBAL_SIDECAR is needed, and templates are not expanded"
    )]
    Cluster(String),
}

/// A part of a dispatch that is left out, in words for an operator.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("dispatches: {name:?}: {error}")]
pub struct Refused {
    /// Name of the dispatch.
    pub name: String,
    /// What is wrong with it.
    pub error: DispatchError,
}

/// One match, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Name of the route, the same for all matches of one dispatch and no others.
    pub route: String,
    /// Regular expression of the whole `:authority`; `None` takes every request.
    pub authority: Option<String>,
    /// Where it leads.
    pub to: &'a DispatchTo,
}

/// The matches of `dispatches`, and what had to be left out.
///
/// In Envoy's order: exact hosts, the longest suffix, the longest prefix, then expressions, and `*` at the end; what is equal stays
/// in the order of the configuration. Hosts are compared without regard to case, and without their port unless a domain has one.
pub fn ordered(dispatches: &[Dispatch]) -> (Vec<Entry<'_>>, Vec<Refused>) {
    let mut taken = BTreeSet::new();
    let mut ranked: Vec<(Rank, Entry<'_>)> = Vec::new();
    let mut refused = Vec::new();
    for dispatch in dispatches {
        let route = unique(&dispatch.name, &mut taken);
        let (domains, errors) = read(dispatch);
        let to = &dispatch.to;
        ranked.extend(domains.into_iter().map(|Domain { rank, authority }| {
            let route = route.clone();
            let entry = Entry {
                route,
                authority,
                to,
            };
            (rank, entry)
        }));
        refused.extend(errors.into_iter().map(|error| Refused {
            name: dispatch.name.clone(),
            error,
        }));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let entries = ranked.into_iter().map(|(_, entry)| entry).collect();
    (entries, refused)
}

/// Whether Envoy takes `text` as a domain of a virtual host.
pub fn is_domain(text: &str) -> bool {
    Domain::parse(text).is_some()
}

fn read(dispatch: &Dispatch) -> (Vec<Domain>, Vec<DispatchError>) {
    if let DispatchTo::Cluster(name) = &dispatch.to
        && !is_cluster(name)
    {
        return (Vec::new(), vec![DispatchError::Cluster(name.clone())]);
    }
    if dispatch.domains.is_empty() && dispatch.domain_regex.is_none() {
        return (Vec::new(), vec![DispatchError::NoHosts]);
    }
    let domains = dispatch.domains.iter().map(|text| {
        let domain = Domain::parse(text);
        domain.ok_or_else(|| DispatchError::Domain(text.clone()))
    });
    let expression = dispatch.domain_regex.iter().map(|expression| {
        expression::check(expression).map_err(|problem| DispatchError::Expression {
            expression: expression.clone(),
            problem,
        })?;
        Ok(Domain::matching(expression))
    });
    let (mut read, mut errors) = (Vec::new(), Vec::new());
    for domain in domains.chain(expression) {
        match domain {
            Ok(domain) => read.push(domain),
            Err(error) => errors.push(error),
        }
    }
    (read, errors)
}

/// Whether `name` can be that of a cluster. Braces are what is left of Slime's templates, and no cluster of Istio's has them.
pub fn is_cluster(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}');
    !name.is_empty() && name.bytes().all(is_plain)
}

fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let first = format!("{DISPATCH_ROUTE_PREFIX}{name}");
    let further = (2_usize..).map(|number| format!("{first}-{number}"));
    let mut free = std::iter::once(first.clone())
        .chain(further)
        .filter(|candidate| !taken.contains(candidate));
    // Some number is free.
    let name = free.next().unwrap_or_default();
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests;
