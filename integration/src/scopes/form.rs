//! A Sidecar's hosts in both forms.

use crate::form::Form;

/// Namespaces that the compatible form shows whole.
const WHOLE: [&str; 2] = ["istio-system", "mesh-operator"];
/// What of them a narrowed sidecar needs: the placeholder, and where it reports to.
const NEEDED: [&str; 2] = [
    "mesh-operator/placeholder.lazyload.internal",
    "mesh-operator/lazyload.mesh-operator.svc.cluster.local",
];

impl Form {
    /// `spec.egress[0].hosts` for these Services, given as namespace and host.
    pub(super) fn hosts(self, services: &[(String, String)]) -> Vec<String> {
        let mut hosts: Vec<String> = match self {
            Self::Compatible => {
                let whole = WHOLE.iter().map(|namespace| format!("{namespace}/*"));
                let each = services.iter().map(|(_, host)| format!("*/{host}"));
                whole.chain(each).collect()
            }
            Self::Exact => {
                let needed = NEEDED.iter().map(ToString::to_string);
                let each = services
                    .iter()
                    .map(|(namespace, host)| format!("{namespace}/{host}"));
                needed.chain(each).collect()
            }
        };
        hosts.sort();
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_form_has_no_wildcard() {
        let services = [("a".to_owned(), "s.a.svc.cluster.local".to_owned())];
        let hosts = Form::Exact.hosts(&services);
        assert!(hosts.iter().all(|host| !host.contains('*')), "{hosts:?}");
        assert!(hosts.contains(&"a/s.a.svc.cluster.local".to_owned()));
        let compatible = Form::Compatible.hosts(&services);
        assert!(compatible.contains(&"*/s.a.svc.cluster.local".to_owned()));
        assert!(compatible.contains(&"istio-system/*".to_owned()));
    }
}
