//! Any events of a small cluster, in which much meets.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::super::*;
use crate::queue::Key;

pub const NAMESPACES: [&str; 3] = ["default", "test", "other"];
const HOSTS: [&str; 12] = [
    "a.default.svc.cluster.local",
    "b.default.svc.cluster.local",
    "a.test.svc.cluster.local",
    "b.test.svc.cluster.local",
    "*.test.svc.cluster.local",
    "a.other.svc.cluster.local",
    // A pod's, where that Service is headless.
    "pod.a.test.svc.cluster.local",
    "a.example.com",
    "b.example.com",
    "*.example.com",
    "test.a.alias",
    "*.alias",
];
/// What somebody may write as a host, or Istio elsewhere take for one, and no Sidecar may have.
const NO_HOSTS: [&str; 9] = [
    "Bad key",
    "short",
    "10.0.0.1",
    "a.123",
    "*a.example.com",
    "a.*.example.com",
    "-a.example.com",
    "a..example.com",
    "a.example.com:80",
];

/// One event of a watch: the object, or its end.
#[derive(Clone, Debug)]
pub struct Event {
    pub kind: &'static str,
    pub namespace: &'static str,
    pub name: &'static str,
    pub object: Option<Value>,
}

impl Event {
    pub fn apply(&self, world: &mut World) -> Vec<Key> {
        match self.kind {
            "Service" => self.apply_as::<Service>(world),
            "ServiceEntry" => self.apply_as::<ServiceEntry>(world),
            "VirtualService" => self.apply_as::<VirtualService>(world),
            "DestinationRule" => self.apply_as::<DestinationRule>(world),
            "ConfigMap" => self.apply_as::<ConfigMap>(world),
            _ => self.apply_as::<ServiceFence>(world),
        }
    }

    fn apply_as<K: Indexed>(&self, world: &mut World) -> Vec<Key> {
        let Some(object) = &self.object else {
            let mut concerned = Vec::new();
            let name = ObjectRef::new(self.namespace, self.name);
            K::remove(&name, None, world, &mut concerned);
            return concerned;
        };
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(self.namespace);
        object["metadata"]["name"] = json!(self.name);
        object["metadata"]["uid"] = json!("u1");
        let core = ["Service", "ConfigMap"].contains(&self.kind);
        if !core {
            let is_fence = self.kind == crate::api::FENCE_KIND;
            let version = if is_fence {
                crate::api::FENCE_API_VERSION
            } else {
                "networking.istio.io/v1"
            };
            object["apiVersion"] = json!(version);
            object["kind"] = json!(self.kind);
        }
        add::<K>(world, object)
    }

    pub fn id(&self) -> (&'static str, &'static str, &'static str) {
        (self.kind, self.namespace, self.name)
    }
}

pub fn mk_labels() -> impl Strategy<Value = Value> {
    (option::of(select(vec!["x", "y"])), option::of(Just("1")))
        .prop_map(|(app, tier)| {
            let pairs = app.map(|app| ("app", app)).into_iter();
            pairs
                .chain(tier.map(|tier| ("tier", tier)))
                .collect::<BTreeMap<_, _>>()
        })
        .prop_map(|labels| json!(labels))
}

fn mk_export() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "*", ".", "default", "~"])
}

fn mk_list(text: &str) -> Value {
    let list: Vec<&str> = Some(text)
        .filter(|text| !text.is_empty())
        .into_iter()
        .collect();
    json!(list)
}

fn mk_hosts_of(at_most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    vec(mk_any_host(), 0..=at_most)
}

/// One of them now and then, among hosts.
fn mk_any_host() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => select(HOSTS.to_vec()), 1 => select(NO_HOSTS.to_vec())]
}

fn mk_any_service() -> impl Strategy<Value = Value> {
    let addresses = select(vec!["10.0.0.1", "None"]);
    (mk_labels(), mk_export(), addresses).prop_map(|(labels, export, address)| {
        json!({
            "metadata": { "labels": labels, "annotations": { "networking.istio.io/exportTo": export } },
            "spec": { "selector": { "app": "a" }, "clusterIP": address },
        })
    })
}

fn mk_any_entry() -> impl Strategy<Value = Value> {
    let hosts = select(vec![
        "a.example.com",
        "*.example.com",
        "b.example.com",
        "a.default.svc.cluster.local",
        "short",
    ]);
    (vec(hosts, 1..3), mk_export()).prop_map(
        |(hosts, export)| json!({ "spec": { "hosts": hosts, "exportTo": mk_list(export) } }),
    )
}

fn mk_any_routes() -> impl Strategy<Value = Value> {
    let gateways = select(vec!["", "", "edge", "mesh"]);
    let delegate = option::of(select(NAMESPACES.to_vec()));
    let targets = vec(
        select(vec![
            "a",
            "b",
            "a.test.svc.cluster.local",
            "a.example.com",
            "10.0.0.1",
        ]),
        0..3,
    );
    (mk_hosts_of(2), targets, delegate, gateways, mk_export()).prop_map(
        |(hosts, targets, delegate, gateways, export)| {
            let route = |host: &&str| json!({ "route": [{ "destination": { "host": host } }] });
            let mut http: Vec<Value> = targets.iter().map(route).collect();
            let leave = |namespace| json!({ "delegate": { "name": "b", "namespace": namespace } });
            http.extend(delegate.map(leave));
            json!({ "spec": {
                "hosts": hosts, "gateways": mk_list(gateways), "exportTo": mk_list(export), "http": http,
            } })
        },
    )
}

fn mk_any_rule() -> impl Strategy<Value = Value> {
    (mk_any_host(), mk_export())
        .prop_map(|(host, export)| json!({ "spec": { "host": host, "exportTo": mk_list(export) } }))
}

fn mk_any_config() -> impl Strategy<Value = Value> {
    select(vec![
        "defaultConfig: { zipkinAddress: 'a.test:9411' }",
        "extensionProviders: [{ name: x, zipkin: { service: other/b.example.com } }]",
        "extensionProviders: [{ name: x, zipkin: { service: b.default.svc.cluster.local } }]",
        "extensionProviders: [{ name: x, zipkin: { service: other/short } }]",
        "extensionProviders: [{ name: x, zipkin: { service: short } }]",
        "{ defaultServiceExportTo: ['.'], defaultDestinationRuleExportTo: ['.'] }",
        "{ defaultServiceExportTo: [test], defaultVirtualServiceExportTo: ['.', other] }",
        "",
    ])
    .prop_map(|mesh| json!({ "data": { "mesh": mesh } }))
}

fn mk_any_fence() -> impl Strategy<Value = Value> {
    let past = json!({ "deadline": { "expire": { "seconds": 1 } } });
    let keys = select(vec!["test/*", "./*", "*/*", "nobody.has"]);
    let auto = json!({ "auto": { "duration": { "seconds": 9 } } });
    let strategy = select(vec![json!({}), json!(null), past, auto]);
    let own = select(vec![true, true, false]);
    // Called lately or long ago, about to go, and gone.
    let aged = select(vec![(0, NOW - 1), (0, 1), (2, 1), (1, NOW - 1)]);
    let forgetting = select(vec![json!(null), json!(null), json!({ "enabled": true })]);
    (
        (mk_hosts_of(3), vec(keys, 0..2), strategy),
        (mk_hosts_of(2), aged, forgetting),
        vec(mk_labels(), 0..2),
        vec(select(vec!["test", "other", "Bad"]), 0..2),
        own,
    )
        .prop_map(
            |(
                (hosts, keys, strategy),
                (learned, (state, called), forgetting),
                labels,
                namespaces,
                enable,
            )| {
                let keys = hosts.iter().chain(&keys);
                let host: BTreeMap<_, _> = keys.map(|&key| (key, strategy.clone())).collect();
                let domain = json!({ "status": state, "RecentlyCalled": { "seconds": called } });
                let domains: BTreeMap<_, _> = learned.iter().map(|host| (host, &domain)).collect();
                let times: BTreeMap<_, _> =
                    learned.iter().map(|host| (metric_key(host), "1")).collect();
                let labels: Vec<_> = labels
                    .iter()
                    .map(|labels| json!({ "selector": labels }))
                    .collect();
                json!({
                    "spec": {
                        "enable": enable, "host": host, "labelSelector": labels,
                        "namespaceSelector": namespaces, "forgetting": forgetting,
                    },
                    "status": { "metricStatus": times, "domains": domains },
                })
            },
        )
}

fn mk_event_of(kind: &'static str, object: BoxedStrategy<Value>) -> BoxedStrategy<Event> {
    let namespaces = if kind == "ConfigMap" {
        vec!["istio-system"]
    } else {
        NAMESPACES.to_vec()
    };
    let names = if kind == "ConfigMap" {
        vec!["istio"]
    } else {
        vec!["a", "b"]
    };
    (
        select(namespaces),
        select(names),
        option::weighted(0.8, object),
    )
        .prop_map(move |(namespace, name, object)| Event {
            kind,
            namespace,
            name,
            object,
        })
        .boxed()
}

pub fn mk_event() -> BoxedStrategy<Event> {
    prop_oneof![
        3 => mk_event_of("Service", mk_any_service().boxed()),
        2 => mk_event_of("ServiceEntry", mk_any_entry().boxed()),
        4 => mk_event_of("VirtualService", mk_any_routes().boxed()),
        2 => mk_event_of("DestinationRule", mk_any_rule().boxed()),
        1 => mk_event_of("ConfigMap", mk_any_config().boxed()),
        3 => mk_event_of(crate::api::FENCE_KIND, mk_any_fence().boxed()),
    ]
    .boxed()
}
