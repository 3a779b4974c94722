//! Whether a report is believed, and which labels its workload really has. Pure.

use std::net::{IpAddr, Ipv6Addr};

use lazyload_protocol::v1::Workload;

use super::{Identity, IdentityError, PodFacts, Reason, Rules};
use crate::{fence::Labels, index::World};

/// Where Istio's inbound clusters call the application from, besides 127.0.0.6.
const SIDECAR_IPV6: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6);

/// What the connection says about who sent a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Whom the mesh proved, if anybody.
    pub identity: Result<Option<Identity>, IdentityError>,
    /// Whether the connection came from this pod's own sidecar, without which the identity is hearsay.
    pub is_own_sidecar: bool,
}

/// Whether a connection from `peer` stays within this pod, as one from its own sidecar does.
pub fn is_own_sidecar(peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    peer.is_loopback() || peer == IpAddr::V6(SIDECAR_IPV6)
}

/// Whether the sender is who the report says, and somebody whom a fence can select at all.
///
/// # Errors
/// The reason why nothing in the report is believed.
pub fn check_sender(
    world: &World,
    workload: &Workload,
    sender: &Sender,
    rules: &Rules,
) -> Result<(), Reason> {
    if rules.require_identity && !sender.is_own_sidecar {
        return Err(Reason::NotOwnSidecar);
    }
    let proven = match &sender.identity {
        Ok(proven) => proven.as_ref(),
        Err(error) => return Err(Reason::IdentityInvalid(error.clone())),
    };
    if proven.is_none() && rules.require_identity {
        return Err(Reason::IdentityMissing);
    }
    if !world.has_namespace(&workload.namespace) {
        return Err(Reason::NamespaceUnknown(workload.namespace.clone()));
    }
    if let Some(proven) = proven {
        if proven.trust_domain != rules.trust_domain {
            return Err(Reason::TrustDomain {
                proven: proven.trust_domain.clone(),
                expected: rules.trust_domain.clone(),
            });
        }
        for (field, claimed, proven) in [
            ("namespace", &workload.namespace, &proven.namespace),
            (
                "service account",
                &workload.service_account,
                &proven.service_account,
            ),
        ] {
            if claimed != proven {
                return Err(Reason::IdentityMismatch {
                    field,
                    claimed: claimed.clone(),
                    proven: proven.clone(),
                });
            }
        }
    }
    if workload.labels.is_empty() {
        return Err(Reason::LabelsEmpty);
    }
    Ok(())
}

/// The labels of the reporting pod, from what the API server says of it. Its service account must be the one that
/// [`check_sender`] has found to be the sender's.
///
/// # Errors
/// The reason why nothing in the report is believed.
pub fn proven_labels(workload: &Workload, pod: Option<&PodFacts>) -> Result<Labels, Reason> {
    let Some(pod) = pod else {
        return Err(Reason::PodUnknown {
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
        });
    };
    if pod.service_account != workload.service_account {
        return Err(Reason::PodMismatch {
            name: workload.name.clone(),
            actual: pod.service_account.clone(),
            proven: workload.service_account.clone(),
        });
    }
    Ok(pod.labels.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_pod(service_account: &str) -> PodFacts {
        PodFacts {
            service_account: service_account.to_owned(),
            labels: Labels::from([("app".to_owned(), "real".to_owned())]),
        }
    }

    #[test]
    fn only_this_pods_own_sidecar_is_near() {
        for (peer, near) in [
            ("127.0.0.6", true),
            ("127.0.0.1", true),
            ("::ffff:127.0.0.6", true),
            ("::1", true),
            ("::6", true),
            ("10.0.0.6", false),
            ("::7", false),
            ("fd00::6", false),
        ] {
            assert_eq!(is_own_sidecar(peer.parse().unwrap()), near, "{peer}");
        }
    }

    #[test]
    fn labels_are_those_of_the_pod_and_not_those_of_the_report() {
        let workload = Workload {
            service_account: "web".to_owned(),
            labels: [("app".to_owned(), "claimed".to_owned())].into(),
            ..Workload::default()
        };
        let pod = mk_pod("web");
        assert_eq!(proven_labels(&workload, Some(&pod)), Ok(pod.labels));
        for (pod, label) in [
            (None, "pod_unknown"),
            (Some(mk_pod("other")), "pod_mismatch"),
        ] {
            let reason = proven_labels(&workload, pod.as_ref()).unwrap_err();
            assert_eq!(reason.metric_label(), label);
        }
    }
}
