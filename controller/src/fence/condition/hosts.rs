//! What there is to say about the hosts of a fence, in words that change only when the facts do.

use k8s_openapi::jiff::Timestamp;

use super::{EXPIRING, HOSTS_RESOLVED, Wanted};
use crate::{
    api::DomainStatus,
    fence::{Aging, Held},
};

/// Hosts named for each origin; all of them are in `status.domains`.
const NAMED: usize = 5;
/// Problems told in full; more of them are merely counted.
const TOLD: usize = 20;

/// What was found out about the hosts of a fence.
#[derive(Debug)]
pub struct Findings<'a> {
    /// How many hosts are visible.
    pub visible: usize,
    /// Visible hosts by where they come from, in words such as `learned` or `by label`.
    pub origins: Vec<(&'a str, Vec<&'a str>)>,
    /// Static hosts that nobody in the mesh declares.
    pub unknown: Vec<&'a str>,
    /// What else is wrong with what makes hosts visible, in words.
    pub problems: Vec<&'a str>,
    /// How static and learned hosts stand.
    pub aging: &'a Aging,
}

impl Findings<'_> {
    /// Where hosts come from, and whether something is wrong with that.
    pub(super) fn resolved(&self) -> Wanted {
        let mut parts: Vec<String> = self
            .origins
            .iter()
            .filter(|(_, hosts)| !hosts.is_empty())
            .map(|(origin, hosts)| format!("{origin} {}", some(hosts)))
            .collect();
        let hosts = self.aging.hosts.iter();
        let on_probation: Vec<&str> = hosts
            .filter(|(_, aged)| aged.status == DomainStatus::Expire && aged.since.is_some())
            .map(|(host, _)| host.as_str())
            .collect();
        if !on_probation.is_empty() {
            parts.push(format!(
                "dropped until missed again {}",
                some(&on_probation)
            ));
        }
        if !self.unknown.is_empty() {
            parts.push(format!(
                "declared by no Service or ServiceEntry {}",
                some(&self.unknown)
            ));
        }
        parts.extend(
            self.problems
                .iter()
                .take(TOLD)
                .map(|&problem| problem.to_owned()),
        );
        if self.problems.len() > TOLD {
            parts.push(format!("{} more problems", self.problems.len() - TOLD));
        }
        let reason = match (self.problems.is_empty(), self.unknown.is_empty()) {
            (false, _) => "Problems",
            (true, false) => "UnknownHosts",
            (true, true) => "AllResolved",
        };
        let hosts = if self.visible == 1 { "host" } else { "hosts" };
        let mut message = format!("{} {hosts}", self.visible);
        if !parts.is_empty() {
            message = format!("{message}: {}", parts.join("; "));
        }
        Wanted {
            type_: HOSTS_RESOLVED,
            status: reason == "AllResolved",
            reason,
            message,
        }
    }

    /// Which hosts are about to go, and when, if any is.
    pub(super) fn expiring(&self, is_enabled: bool) -> Option<Wanted> {
        let hosts = self.aging.hosts.iter();
        let mut leaving: Vec<_> = hosts
            .filter(|(_, aged)| aged.status == DomainStatus::ExpireWait)
            .map(|(host, aged)| (aged.until, host))
            .collect();
        if leaving.is_empty() {
            return None;
        }
        leaving.sort();
        let named = leaving.iter().take(NAMED).map(|(until, host)| {
            let until = until.and_then(|until| Timestamp::from_second(until).ok());
            until.map_or_else(|| (*host).clone(), |until| format!("{host} at {until}"))
        });
        let mut message = named.collect::<Vec<_>>().join(", ");
        if leaving.len() > NAMED {
            message = format!("{message} and {} more", leaving.len() - NAMED);
        }
        let held = self.aging.held.map(|held| match held {
            Held::Deaf if !is_enabled => "the fence is disabled",
            Held::Deaf => {
                "no replica is known to hear reports, so that nobody would learn them back"
            }
            Held::Share => "only so many are dropped within one window",
        });
        if let Some(held) = held {
            message = format!("{message}; those that are due stay for now: {held}");
        }
        Some(Wanted {
            type_: EXPIRING,
            status: true,
            reason: "HostsAboutToGo",
            message,
        })
    }
}

/// The first few of `hosts`, and how many more there are.
pub fn some(hosts: &[&str]) -> String {
    let named = hosts[..hosts.len().min(NAMED)].join(", ");
    match hosts.len().checked_sub(NAMED) {
        None | Some(0) => named,
        Some(more) => format!("{named} and {more} more"),
    }
}
