//! Which pods a fence applies to.

use super::Labels;
use crate::api::ServiceFenceSpec;

/// The labels that a pod must have for the fence called `name` to apply to it, or `None` when it applies to no pod.
///
/// Slime's precedence: `spec.workloadSelector.labels` if there are any; else, with `fromService`, the selector of the
/// Service of the fence's name (`service_selector`; missing or empty means no pod, since an empty selector would narrow the
/// whole namespace); else the pods whose `workload_label` is the fence's name.
pub fn effective_selector(
    name: &str,
    spec: &ServiceFenceSpec,
    service_selector: Option<&Labels>,
    workload_label: &str,
) -> Option<Labels> {
    match &spec.workload_selector {
        Some(selector) if !selector.labels.is_empty() => Some(selector.labels.clone()),
        Some(selector) if selector.from_service => service_selector
            .filter(|labels| !labels.is_empty())
            .cloned(),
        _ => Some(Labels::from([(workload_label.to_owned(), name.to_owned())])),
    }
}

/// Whether a pod with `labels` has all that `selector` asks for. An empty selector matches nothing here.
pub fn matches(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty()
        && selector
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::WorkloadSelector;

    fn mk_labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn mk_spec(from_service: bool, labels: &[(&str, &str)]) -> ServiceFenceSpec {
        ServiceFenceSpec {
            workload_selector: Some(WorkloadSelector {
                from_service,
                labels: mk_labels(labels),
            }),
            ..ServiceFenceSpec::default()
        }
    }

    #[test]
    fn explicit_labels_win_over_the_service() {
        let service = mk_labels(&[("app", "service")]);
        let spec = mk_spec(true, &[("app", "explicit")]);
        assert_eq!(
            effective_selector("foo", &spec, Some(&service), "app"),
            Some(mk_labels(&[("app", "explicit")]))
        );
    }

    #[test]
    fn from_service_takes_the_services_selector() {
        let service = mk_labels(&[("run", "foo"), ("tier", "web")]);
        let spec = mk_spec(true, &[]);
        assert_eq!(
            effective_selector("foo", &spec, Some(&service), "app"),
            Some(service)
        );
    }

    #[test]
    fn from_service_without_a_usable_service_selects_nothing() {
        let spec = mk_spec(true, &[]);
        assert_eq!(effective_selector("foo", &spec, None, "app"), None);
        assert_eq!(
            effective_selector("foo", &spec, Some(&Labels::new()), "app"),
            None
        );
    }

    #[test]
    fn without_a_selector_the_fences_name_is_the_value_of_the_workload_label() {
        let expected = Some(mk_labels(&[("svc", "foo")]));
        assert_eq!(
            effective_selector("foo", &ServiceFenceSpec::default(), None, "svc"),
            expected
        );
        assert_eq!(
            effective_selector("foo", &mk_spec(false, &[]), None, "svc"),
            expected
        );
    }

    #[test]
    fn a_selector_needs_all_its_labels_and_an_empty_one_matches_nothing() {
        let pod = mk_labels(&[("app", "foo"), ("version", "v1")]);
        assert!(matches(&mk_labels(&[("app", "foo")]), &pod));
        assert!(!matches(
            &mk_labels(&[("app", "foo"), ("version", "v2")]),
            &pod
        ));
        assert!(!matches(&mk_labels(&[("absent", "foo")]), &pod));
        assert!(!matches(&Labels::new(), &pod));
    }
}
