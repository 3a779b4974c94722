//! Slime's envtest, which has one case.

use super::configured::{Configured, as_slime};
use super::labels::{automatic, await_fences, services};
use crate::on_the_mesh::corner::Corner;
use lazyload_controller::api::Sidecar;
use serde_json::{Value, json};

/// Slime's envtest: `autoFence` and `defaultFence`, a Service `foo` whose selector is `app: foo`.
#[test]
fn a_service_that_is_fenced_of_itself_gets_the_sidecar_of_slimes_envtest() {
    let corner = Corner::alone("envtest");
    let _configured = Configured::new(as_slime(automatic(&corner, true)));
    services(&corner, &["foo"]);
    await_fences(&corner, "the Service", &["foo"]);
    let shown = |kind: &str| -> Value {
        serde_json::from_str(&corner.kubectl(&["get", kind, "foo", "-o", "json"])).unwrap()
    };
    let fence = shown("servicefence");
    let expected = json!({"enable": true, "workloadSelector": {"fromService": true}});
    assert_eq!(fence["spec"], expected);
    let labels = json!({"app.kubernetes.io/created-by": "fence-controller"});
    assert_eq!(fence["metadata"]["labels"], labels);
    corner.await_object("foo", "the Sidecar", |sidecar: Option<&Sidecar>| {
        sidecar.is_some()
    });
    let sidecar = shown("sidecar");
    let spec = json!({
        "egress": [{"hosts": ["istio-system/*", "mesh-operator/*"]}],
        "workloadSelector": {"labels": {"app": "foo"}},
    });
    assert_eq!(sidecar["spec"], spec);
    for field in ["labels", "annotations"] {
        assert_eq!(sidecar["metadata"][field], Value::Null, "{field}");
    }
}
