//! What the stage is made of.

/// A Service's HTTP port that leads to the servers'.
pub const HTTP: &str = "{name: http, port: 7000, targetPort: 9080}";

/// A Service of the stage.
pub fn mk_service(name: &str, selector: &str, ports: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: NAMESPACE}}\n\
        spec: {{selector: {{{selector}}}, ports: [{ports}]}}\n"
    )
}

/// A Deployment with one pod, which answers as one of Bookinfo's services would, under its own ServiceAccount.
pub fn mk_deployment(name: &str, labels: &str, image: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: NAMESPACE}}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: NAMESPACE}}\nspec:\n  \
        selector: {{matchLabels: {{{labels}}}}}\n  template:\n    \
        metadata: {{labels: {{{labels}}}, annotations: {{{annotations}}}}}\n    spec:\n      \
        serviceAccountName: {name}\n      terminationGracePeriodSeconds: 1\n      \
        containers: [{{name: app, image: examples-bookinfo-{image}, ports: [{{containerPort: 9080}}]}}]\n"
    )
}

/// A sidecar as an Istio of some versions ago has it.
pub const OLDER: &str =
    "proxy.istio.io/config: '{\"proxyMetadata\": {\"ISTIO_META_ISTIO_VERSION\": \"1.28.0\"}}'";

/// Who may call `guarded`, and how.
pub const OBJECTS: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec: {selector: {app: web, version: v1}, ports: [{name: http, port: 7000, targetPort: 9080}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: guarded, namespace: NAMESPACE}
spec: {selector: {matchLabels: {app: guarded}}, mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: guarded, namespace: NAMESPACE}
spec:
  selector: {matchLabels: {app: guarded}}
  action: ALLOW
  rules: [{from: [{source: {principals: [cluster.local/ns/NAMESPACE/sa/source]}}]}]
";
