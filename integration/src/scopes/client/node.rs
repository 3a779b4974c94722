//! Who a proxy says it is.

use crate::scopes::Size;
use crate::scopes::world::{namespace_of, workload};
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

/// What pilot-agent says of a sidecar.
pub fn mk_node(size: Size, number: usize) -> Node {
    let (namespace, name) = (namespace_of(size, number), workload(number));
    let address = format!("10.128.{}.{}", number / 250, number % 250 + 1);
    let metadata = [
        ("NAMESPACE", text(&namespace)),
        ("LABELS", object([("app", text(&name))])),
        ("ISTIO_VERSION", text("1.32.0")),
        ("CLUSTER_ID", text("Kubernetes")),
        ("INTERCEPTION_MODE", text("REDIRECT")),
        ("SERVICE_ACCOUNT", text("default")),
        ("INSTANCE_IPS", text(&address)),
    ];
    Node {
        id: format!("sidecar~{address}~{name}.{namespace}~{namespace}.svc.cluster.local"),
        cluster: format!("{name}.{namespace}"),
        metadata: Some(fields(metadata)),
        ..Default::default()
    }
}

fn text(value: &str) -> Value {
    Value {
        kind: Some(Kind::StringValue(value.to_owned())),
    }
}

fn object<const N: usize>(values: [(&str, Value); N]) -> Value {
    Value {
        kind: Some(Kind::StructValue(fields(values))),
    }
}

fn fields<const N: usize>(values: [(&str, Value); N]) -> Struct {
    let fields = values.map(|(name, value)| (name.to_owned(), value));
    Struct {
        fields: fields.into_iter().collect(),
    }
}
