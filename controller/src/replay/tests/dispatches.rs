use super::*;
use crate::settings::{Dispatch, DispatchTo};

fn mk_dispatch(name: &str, domain: &str, to: DispatchTo) -> Dispatch {
    Dispatch {
        name: name.to_owned(),
        domains: vec![domain.to_owned()],
        domain_regex: None,
        to,
    }
}

fn mk_dispatching() -> Settings {
    let forwarder = DispatchTo::GlobalSidecar {
        namespace: "mesh-operator".to_owned(),
    };
    let passthrough = DispatchTo::Cluster("PassthroughCluster".to_owned());
    let egress = DispatchTo::Cluster("outbound|80||egress.default.svc.cluster.local".to_owned());
    Settings {
        dispatches: vec![
            mk_dispatch("rest", "*", forwarder),
            mk_dispatch("163", "www.163.com", egress),
            mk_dispatch("baidu", "*.baidu.com", passthrough),
        ],
        ..mk_settings()
    }
}

fn rendered(ports: &[u16], settings: &Settings) -> EnvoyFilter {
    render("istio-system", &mk_ports(ports), settings).0
}

/// The routes of the virtual host `catch_all`, in the order in which a sidecar has them, without Istio's own.
fn routes(filter: &EnvoyFilter, catch_all: &str) -> Vec<Value> {
    let mut routes = Vec::new();
    for patch in &filter.spec.config_patches {
        let place = &patch["match"]["routeConfiguration"]["vhost"]["name"];
        if patch["applyTo"] == "HTTP_ROUTE" && place == catch_all {
            assert_eq!(patch["patch"]["operation"], "INSERT_FIRST");
            routes.insert(0, patch["patch"]["value"].clone());
        }
    }
    routes
}

fn names(routes: &[Value]) -> Vec<&str> {
    let names = routes.iter().map(|route| &route["name"]);
    names.filter_map(Value::as_str).collect()
}

#[test]
fn replaying_comes_before_every_dispatch_and_the_most_special_dispatch_before_others() {
    let filter = rendered(&[80], &mk_dispatching());
    for catch_all in CATCH_ALL_ROUTES {
        let expected = [
            "lazyload-probe",
            "lazyload-replay",
            "lazyload-dispatch-out-of-global-sidecar",
            "lazyload-dispatch-163",
            "lazyload-dispatch-baidu",
            catch_all,
        ];
        assert_eq!(names(&routes(&filter, catch_all)), expected);
    }
}

#[test]
fn a_route_to_a_cluster_switches_off_what_sees_misses_and_has_no_time_limit() {
    let filter = rendered(&[80], &mk_dispatching());
    let route = &routes(&filter, "allow_any")[3];
    assert_eq!(
        route["route"],
        json!({
            "cluster": "outbound|80||egress.default.svc.cluster.local",
            "timeout": "0s",
        })
    );
    assert_eq!(
        route["match"],
        json!({
            "prefix": "/",
            "headers": [{
                "name": ":authority",
                "string_match": { "safe_regex": { "regex": r"(?i:www\.163\.com)(?::[0-9]+)?" } },
            }],
        })
    );
    let patches = &filter.spec.config_patches;
    let on = patches
        .iter()
        .find(|patch| patch["applyTo"] == "VIRTUAL_HOST");
    let on = on.unwrap()["patch"]["value"]["typed_per_filter_config"].clone();
    let off = &route["typed_per_filter_config"];
    for filter in on.as_object().unwrap().keys() {
        assert_eq!(off[filter]["disabled"], true, "{filter}");
    }
}

#[test]
fn a_route_to_slimes_forwarder_is_a_miss_with_what_the_forwarder_reads() {
    let filter = rendered(&[80], &mk_dispatching());
    let routes = routes(&filter, "block_all");
    let route = routes.last().unwrap();
    assert_eq!(route["name"], "block_all");
    assert_eq!(route["match"], json!({ "prefix": "/" }));
    assert_eq!(
        route["route"]["cluster"],
        "outbound|80||global-sidecar.mesh-operator.svc.cluster.local"
    );
    assert!(route["typed_per_filter_config"].is_null());
    let header = |key: &str, value: &str| {
        json!({
            "header": { "key": key, "value": value },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        })
    };
    assert_eq!(
        route["request_headers_to_add"],
        json!([
            header("slime-orig-dest", "%DOWNSTREAM_LOCAL_ADDRESS%"),
            header("slime-source-ns", "%ENVIRONMENT(POD_NAMESPACE)%"),
        ])
    );
}

#[test]
fn the_forwarders_own_sidecar_does_not_send_to_itself_and_no_other_is_spared() {
    let mut settings = mk_dispatching();
    let spared = |settings: &Settings| {
        let patches = rendered(&[80], settings).spec.config_patches;
        let metadata = patches.iter().map(|patch| {
            assert_eq!(patch["match"]["proxy"]["proxyVersion"], r"^1\.3");
            (
                patch["match"]["proxy"]["metadata"].clone(),
                patch["patch"]["value"]["name"].clone(),
            )
        });
        metadata
            .filter(|(metadata, _)| !metadata.is_null())
            .collect::<Vec<_>>()
    };
    let once = (
        json!({ "SLIME_APP": "LAZYLOAD_GLOBAL_SIDECAR" }),
        json!("lazyload-dispatch-out-of-global-sidecar"),
    );
    assert_eq!(spared(&settings), vec![once; 3]);
    settings.dispatches.remove(0);
    assert_eq!(spared(&settings), []);
}

#[test]
fn where_nothing_is_replayed_dispatches_stand_alone_and_nothing_is_said_to_be_installed() {
    let mut settings = mk_dispatching();
    let off = Replay {
        namespaces: BTreeSet::new(),
        ..mk_replay()
    };
    settings.replay = Arc::new(off);
    for ports in [&[][..], &[80]] {
        let filter = rendered(ports, &settings);
        let kinds: BTreeSet<_> = filter
            .spec
            .config_patches
            .iter()
            .map(|patch| patch["applyTo"].clone().to_string())
            .collect();
        assert_eq!(kinds, BTreeSet::from([r#""HTTP_ROUTE""#.to_owned()]));
        assert_eq!(routes(&filter, "allow_any").len(), 4);
        let action = plan("istio-system", &mk_ports(ports), &settings, None);
        assert_eq!(action, ReplayAction::Apply(Box::new(filter.clone())));
        let elsewhere = plan("default", &mk_ports(ports), &settings, None);
        assert_eq!(elsewhere, ReplayAction::Keep);
        let existing = Arc::new(filter);
        let installed = settings
            .replay
            .installed("default", "mesh-operator", |_| Some(existing.clone()));
        assert_eq!(installed, Installed::NotConfigured);
    }
}

#[test]
fn dispatches_go_where_replaying_goes_if_that_is_only_some_namespaces() {
    let mut settings = mk_dispatching();
    let some = Replay {
        namespaces: BTreeSet::from(["default".to_owned()]),
        ..mk_replay()
    };
    settings.replay = Arc::new(some);
    let action = plan("istio-system", &mk_ports(&[80]), &settings, None);
    assert_eq!(action, ReplayAction::Keep);
    let ReplayAction::Apply(filter) = plan("default", &mk_ports(&[80]), &settings, None) else {
        panic!("no EnvoyFilter");
    };
    assert_eq!(routes(&filter, "allow_any").len(), 6);
}

#[test]
fn a_dispatch_that_cannot_be_used_is_told_and_leaves_no_empty_envoy_filter_behind() {
    let nowhere = mk_dispatch("a", "a", DispatchTo::Cluster(String::new()));
    let settings = Settings {
        dispatches: vec![nowhere],
        ..mk_settings()
    };
    let (filter, refused) = render("istio-system", &mk_ports(&[]), &settings);
    assert_eq!(filter.spec.config_patches, Vec::<Value>::new());
    assert_eq!(refused.len(), 1);
    let action = plan("istio-system", &mk_ports(&[]), &settings, None);
    assert_eq!(action, ReplayAction::Keep);
}
