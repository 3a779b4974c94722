//! The envelope around each piece of Envoy configuration.

use serde_json::{Value, json};

/// Name of the network filter that every HTTP listener has.
pub const CONNECTION_MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// A list of patches, all of them for outbound configuration of the same proxy versions: a sidecar that is too old for one part
/// must get none, since the parts make no sense without each other.
#[derive(Debug)]
pub struct Patches {
    proxy_version: String,
    list: Vec<Value>,
}

impl Patches {
    /// An empty list for proxies whose version matches the regular expression.
    pub fn for_version(proxy_version: &str) -> Self {
        Self {
            proxy_version: proxy_version.to_owned(),
            list: Vec::new(),
        }
    }

    /// Adds a patch. `place`: the part of the match that says where, which may be empty.
    pub fn push(&mut self, apply_to: &str, place: Value, operation: &str, value: Value) {
        self.push_for(&[], apply_to, place, operation, value);
    }

    /// Adds a patch for those proxies alone whose node metadata has all of `metadata`.
    pub fn push_for(
        &mut self,
        metadata: &[(&str, &str)],
        apply_to: &str,
        place: Value,
        operation: &str,
        value: Value,
    ) {
        let mut matched = place;
        matched["context"] = json!("SIDECAR_OUTBOUND");
        matched["proxy"] = json!({ "proxyVersion": self.proxy_version });
        for (key, value) in metadata {
            matched["proxy"]["metadata"][key] = json!(value);
        }
        self.list.push(json!({
            "applyTo": apply_to,
            "match": matched,
            "patch": { "operation": operation, "value": value },
        }));
    }

    /// The patches as `spec.configPatches` holds them.
    pub fn into_list(self) -> Vec<Value> {
        self.list
    }
}

/// The virtual host of this name, in the route table of every port.
pub fn virtual_host(name: &str) -> Value {
    json!({ "routeConfiguration": { "vhost": { "name": name } } })
}

/// The HTTP filter of this name, in every HTTP listener.
pub fn http_filter(name: &str) -> Value {
    let filter = json!({ "name": CONNECTION_MANAGER, "subFilter": { "name": name } });
    json!({ "listener": { "filterChain": { "filter": filter } } })
}

/// A message of Envoy's type `type_name` with the fields of `fields`, which is an object.
pub fn typed(type_name: &str, mut fields: Value) -> Value {
    fields["@type"] = json!(format!("type.googleapis.com/{type_name}"));
    fields
}
