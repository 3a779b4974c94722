//! A case: what is put into the mesh, and the call that is made.

use super::NAMESPACE;
use super::wire::{Body, Call, Fields, Protocol, Times};
use serde_json::{Value, json};

/// The port of most Services: HTTP, mTLS as the mesh has it.
pub const PORT: u16 = 8000;
/// The same, but the servers take mTLS only.
pub const STRICT_PORT: u16 = 8001;
/// The same, but the servers take the callers' identity only.
pub const ALLOWED_PORT: u16 = 8002;
/// The same, but the servers refuse the callers' identity.
pub const DENIED_PORT: u16 = 8003;
/// On this port no Service declares a protocol.
pub const UNDECLARED_PORT: u16 = 8004;
/// On this port Services declare TCP.
pub const TCP_PORT: u16 = 8005;
/// The same, but the servers take mTLS only.
pub const STRICT_TCP_PORT: u16 = 8008;
/// HTTP/2 and gRPC: the sidecar of a server speaks one protocol to each of its ports, whatever Services lead there.
pub const HTTP2_PORT: u16 = 8006;
/// The same, but the servers take mTLS only.
pub const STRICT_HTTP2_PORT: u16 = 8007;
/// HTTP's own port, which nobody writes into a URL; the servers have it as [`PORT`].
pub const HTTP_PORT: u16 = 80;

/// What is done to the mesh around a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing: `outboundTrafficPolicy` is `ALLOW_ANY`.
    AllowAny,
    /// `outboundTrafficPolicy` is `REGISTRY_ONLY`.
    RegistryOnly,
    /// istiod is ended and started again while the first call waits.
    IstiodRestarted,
    /// The controller is stopped.
    ControllerStopped,
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name, and that of its Service.
    pub name: String,
    /// Around it.
    pub phase: Phase,
    /// What is put into the mesh for it, with [`V1_ADDRESS`] for the address of the first server.
    pub objects: Vec<Value>,
    /// The name by which a route table has it; none where none ever will.
    pub host: Option<String>,
    /// The call; its `authority` and `address` may hold [`CLUSTER_ADDRESS`], [`V1_ADDRESS`] and [`PLAIN_ADDRESS`].
    pub call: Call,
    /// Whether chance decides which upstream answers, so that values count and their numbers do not.
    pub spread: bool,
    /// Whether the upstream that answers may be another for another caller, but not another for another call.
    pub sticky: bool,
    service: Value,
}

/// Stands for the address of the case's Service.
pub const CLUSTER_ADDRESS: &str = "CLUSTER_ADDRESS";
/// Stands for the address of the first server.
pub const V1_ADDRESS: &str = "V1_ADDRESS";
/// Stands for the address of the server without a sidecar.
pub const PLAIN_ADDRESS: &str = "PLAIN_ADDRESS";

/// Stands for what the call is known by.
pub const CALL_ID: &str = "CALL_ID";

impl Case {
    /// A GET of a Service of its own, which leads to the first server.
    pub fn new(name: &str) -> Self {
        let host = format!("{name}.{NAMESPACE}.svc.cluster.local");
        Self {
            name: name.to_owned(),
            phase: Phase::AllowAny,
            objects: Vec::new(),
            host: Some(host),
            call: Call {
                id: String::new(),
                protocol: Protocol::Http11,
                authority: format!("{name}:{PORT}"),
                port: PORT,
                address: None,
                method: "GET".into(),
                path: "/answer".into(),
                headers: Fields::new(),
                body: Body::None,
                times: Times::Once,
                keep: false,
            },
            spread: false,
            sticky: false,
            service: json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {
                    "selector": {"app": "server", "version": "v1"},
                    "ports": [{"name": "http", "port": PORT, "targetPort": PORT}],
                },
            }),
        }
    }

    /// The Service and whatever else the case needs.
    pub fn all_objects(&self) -> impl Iterator<Item = &Value> {
        [&self.service]
            .into_iter()
            .filter(|service| !service.is_null())
            .chain(&self.objects)
    }

    /// Whether the full configuration has a route for its host in the table that all Services of the port share.
    pub fn has_shared_route(&self) -> bool {
        let port = &self.service["spec"]["ports"][0];
        let name = port["name"].as_str().unwrap_or("http");
        self.host.is_some()
            && (["http", "http2-web", "grpc"].contains(&name) || port["appProtocol"].is_string())
    }

    /// In another phase.
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// In another protocol.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.call.protocol = protocol;
        self
    }

    /// In gRPC.
    pub fn grpc(self, protocol: Protocol) -> Self {
        self.port(HTTP2_PORT)
            .service_port(json!({"name": "grpc"}))
            .protocol(protocol)
    }

    /// On another port.
    pub fn port(mut self, port: u16) -> Self {
        let target = if port == HTTP_PORT { PORT } else { port };
        self.service["spec"]["ports"][0]["port"] = json!(port);
        self.service["spec"]["ports"][0]["targetPort"] = json!(target);
        self.call.port = port;
        self.call.authority = match port {
            HTTP_PORT => self.name.clone(),
            _ => format!("{}:{port}", self.name),
        };
        self
    }

    /// With other fields in its Service's port.
    pub fn service_port(mut self, fields: Value) -> Self {
        merge(&mut self.service["spec"]["ports"][0], fields);
        self
    }

    /// With other fields in its Service's spec.
    pub fn service(mut self, fields: Value) -> Self {
        merge(&mut self.service["spec"], fields);
        self
    }

    /// To both servers.
    pub fn to_both(self) -> Self {
        self.service(json!({"selector": {"app": "server", "version": null}}))
    }

    /// Without a Service.
    pub fn without_service(mut self) -> Self {
        self.service = Value::Null;
        self
    }

    /// Known to route tables by another name.
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Known to no route table.
    pub fn without_host(mut self) -> Self {
        self.host = None;
        self
    }

    /// With a VirtualService of these HTTP routes.
    pub fn virtual_service(self, http: Value) -> Self {
        let spec = json!({"hosts": [self.host], "http": http});
        self.object("networking.istio.io/v1", "VirtualService", spec)
    }

    /// With a DestinationRule of these fields.
    pub fn destination_rule(self, mut spec: Value) -> Self {
        spec["host"] = json!(self.host);
        self.object("networking.istio.io/v1", "DestinationRule", spec)
    }

    /// With the subsets v1 and v2.
    pub fn subsets(self) -> Self {
        let subset = |version: &str| json!({"name": version, "labels": {"version": version}});
        self.to_both()
            .destination_rule(json!({"subsets": [subset("v1"), subset("v2")]}))
    }

    /// A destination of a route.
    pub fn subset(&self, subset: &str) -> Value {
        json!({"host": self.host, "subset": subset})
    }

    /// With one more object, which has the case's name.
    pub fn object(mut self, version: &str, kind: &str, spec: Value) -> Self {
        self.objects.push(json!({
            "apiVersion": version, "kind": kind, "spec": spec,
            "metadata": {"name": self.name, "namespace": NAMESPACE},
        }));
        self
    }

    /// With another method.
    pub fn method(mut self, method: &str) -> Self {
        self.call.method = method.into();
        self
    }

    /// With a header more.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.call.headers.push((name.into(), value.into()));
        self
    }

    /// A POST of a body.
    pub fn body(mut self, body: Body) -> Self {
        self.call.body = body;
        self.method("POST")
    }

    /// By another name.
    pub fn authority(mut self, authority: &str) -> Self {
        self.call.authority = authority.into();
        self
    }

    /// To an address that the name does not tell.
    pub fn address(mut self, address: &str) -> Self {
        self.call.address = Some(address.into());
        self
    }

    /// Several calls at once.
    pub fn parallel(mut self, calls: usize) -> Self {
        self.call.times = Times::Parallel(calls);
        self
    }

    /// First and second call on one connection.
    pub fn keep(mut self) -> Self {
        self.call.keep = true;
        self
    }

    /// The same, and what matters is whether all calls came to one upstream.
    pub fn sticky(mut self) -> Self {
        self.sticky = true;
        self
    }

    /// With the authority in capitals.
    pub fn upper_case(mut self) -> Self {
        self.call.authority = self.call.authority.to_uppercase();
        self
    }

    /// Chance decides who answers.
    pub fn spread(mut self) -> Self {
        self.spread = true;
        self
    }
}

fn merge(into: &mut Value, fields: Value) {
    match (into, fields) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, value) in fields {
                match value {
                    Value::Null => drop(into.remove(&name)),
                    value => merge(into.entry(name).or_insert(Value::Null), value),
                }
            }
        }
        (into, value) => *into = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_keeps_what_is_not_changed() {
        let case = Case::new("a").to_both().port(HTTP_PORT);
        let service = case.all_objects().next().unwrap();
        assert_eq!(service["spec"]["selector"], json!({"app": "server"}));
        assert_eq!(
            service["spec"]["ports"],
            json!([{"name": "http", "port": 80, "targetPort": 8000}])
        );
        assert_eq!(case.call.authority, "a");
    }
}
