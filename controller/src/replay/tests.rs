use regex::Regex;
use serde_json::{Value, json};

use super::*;
use crate::fence::ObjectRef;

fn mk_replay() -> Replay {
    Replay {
        namespaces: BTreeSet::from(["istio-system".to_owned()]),
        root_namespace: "istio-system".to_owned(),
        proxy_version: r"^1\.3".to_owned(),
        plugin: ObjectRef::new("istio-system", "lazyload"),
        ..Replay::default()
    }
}

fn mk_ports(ports: &[u16]) -> BTreeSet<u16> {
    ports.iter().copied().collect()
}

fn mk_settings() -> Settings {
    Settings {
        replay: Arc::new(mk_replay()),
        ..Settings::default()
    }
}

fn mk_existing(ports: &[u16]) -> EnvoyFilter {
    let (mut existing, _) = render("istio-system", &mk_ports(ports), &mk_settings());
    existing.metadata.uid = Some("e1".to_owned());
    existing
}

fn installed(
    replay: &Replay,
    namespace: &str,
    existing: impl Fn(&str) -> Option<Arc<EnvoyFilter>>,
) -> Installed {
    replay.installed(namespace, "mesh-operator", existing)
}

/// What is patched and how, in short: `CLUSTER ADD lazyload-replay-80`.
fn summary(filter: &EnvoyFilter) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let patches = filter.spec.config_patches.iter();
    patches
        .map(|patch| {
            format!(
                "{} {} {} {}",
                text(&patch["applyTo"]),
                text(&patch["patch"]["operation"]),
                text(&patch["match"]["routeConfiguration"]["vhost"]["name"]),
                text(&patch["patch"]["value"]["name"])
            )
        })
        .collect()
}

#[test]
fn every_port_has_a_listener_and_a_cluster_and_everything_else_is_there_once() {
    let since_1_30 =
        "extensions.istio.io/trafficextension/istio-system.lazyload~istio-translated-wasmplugin";
    assert_eq!(
        summary(&mk_existing(&[9080, 80])),
        [
            "CLUSTER ADD - lazyload-replay-80",
            "LISTENER ADD - lazyload-replay-80",
            "CLUSTER ADD - lazyload-replay-9080",
            "LISTENER ADD - lazyload-replay-9080",
            "HTTP_ROUTE INSERT_FIRST allow_any lazyload-replay",
            "HTTP_ROUTE INSERT_FIRST allow_any lazyload-probe",
            "HTTP_ROUTE INSERT_FIRST block_all lazyload-replay",
            "HTTP_ROUTE INSERT_FIRST block_all lazyload-probe",
            "HTTP_ROUTE INSERT_FIRST allow_any_dynamic_dns lazyload-replay",
            "HTTP_ROUTE INSERT_FIRST allow_any_dynamic_dns lazyload-probe",
            "HTTP_FILTER INSERT_BEFORE - lazyload-original-destination",
            &format!("HTTP_FILTER REPLACE - {since_1_30}"),
            "HTTP_FILTER REPLACE - extensions.istio.io/wasmplugin/istio-system.lazyload",
            "VIRTUAL_HOST MERGE allow_any -",
            "VIRTUAL_HOST MERGE block_all -",
            "VIRTUAL_HOST MERGE allow_any_dynamic_dns -",
        ]
    );
}

#[test]
fn every_patch_is_for_outbound_configuration_of_the_configured_versions() {
    for patch in mk_existing(&[80]).spec.config_patches {
        assert_eq!(patch["match"]["context"], "SIDECAR_OUTBOUND");
        assert_eq!(patch["match"]["proxy"], json!({ "proxyVersion": r"^1\.3" }));
    }
}

#[test]
fn the_names_are_those_that_the_filter_uses() {
    let text = serde_json::to_string(&mk_existing(&[80]).spec).unwrap();
    for name in [
        lazyload_protocol::replay_listener(80),
        lazyload_protocol::REPLAY_HEADER.to_owned(),
        lazyload_protocol::PROBE_HEADER.to_owned(),
    ] {
        assert!(text.contains(&format!("{name:?}")), "{name}");
    }
}

#[test]
fn the_replay_route_takes_the_names_of_replay_listeners_and_nothing_else() {
    let patches = mk_existing(&[80]).spec.config_patches;
    let mut routes = patches.iter().map(|patch| &patch["patch"]["value"]);
    let route = routes.find(|value| value["route"]["cluster_header"].is_string());
    let header = &route.unwrap()["match"]["headers"][0];
    assert_eq!(header["name"], lazyload_protocol::REPLAY_HEADER);
    let pattern = header["string_match"]["safe_regex"]["regex"].as_str();
    // Envoy matches the whole value.
    let whole = Regex::new(&format!("^(?:{})$", pattern.unwrap())).unwrap();
    for port in [1, 80, 65_535] {
        let name = lazyload_protocol::replay_listener(port);
        assert!(whole.is_match(&name), "{name}");
    }
    for name in [
        "PassthroughCluster",
        "lazyload-replay-",
        "lazyload-replay-80x",
        "x-lazyload-replay-80",
        "outbound|80||lazyload-replay-80",
    ] {
        assert!(!whole.is_match(name), "{name}");
    }
}

#[test]
fn the_callers_address_is_given_in_a_form_for_either_family() {
    let patches = mk_existing(&[80]).spec.config_patches;
    let mut values = patches.iter().map(|patch| &patch["patch"]["value"]);
    let origin = values.find(|value| value["name"] == origin::ORIGIN_FILTER);
    let addresses = &origin.unwrap()["typed_config"]["on_request_headers"];
    let of = |key: &str| -> Vec<&str> {
        let key = format!("envoy.filters.listener.original_dst.{key}");
        let entries = addresses.as_array().unwrap().iter();
        entries
            .filter(|entry| entry["object_key"] == key.as_str())
            .filter_map(|entry| {
                entry["format_string"]["text_format_source"]["inline_string"].as_str()
            })
            .collect()
    };
    assert_eq!(of("local_ip"), ["%DOWNSTREAM_LOCAL_ADDRESS%"]);
    let parsed = |address: &str| {
        let texts = of("remote_ip").into_iter().map(|format| {
            format.replace("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", address)
        });
        let parsed = texts.filter_map(|text| text.parse::<std::net::SocketAddr>().ok());
        parsed
            .map(|parsed| parsed.ip().to_string())
            .collect::<Vec<_>>()
    };
    for address in ["10.0.0.7", "fd00::7"] {
        assert_eq!(parsed(address), [address], "one form each");
    }
}

#[test]
fn the_internal_listener_uses_the_ports_own_route_table() {
    let patches = mk_existing(&[9080]).spec.config_patches;
    let manager = &patches[1]["patch"]["value"]["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["rds"]["route_config_name"], "9080");
    assert_eq!(manager["normalize_path"], false, "done in front");
    assert_eq!(manager["server_header_transformation"], "PASS_THROUGH");
    let filters = manager["http_filters"].as_array().unwrap();
    let names: Vec<_> = filters
        .iter()
        .filter_map(|filter| filter["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "lazyload-probe",
            "istio.alpn",
            "envoy.filters.http.fault",
            "envoy.filters.http.cors",
            "envoy.filters.http.router"
        ]
    );
    assert_eq!(filters[0]["typed_config"]["abort"]["http_status"], 299);
}

#[test]
fn the_plugin_is_off_in_the_chain_and_on_in_the_catch_all_under_both_names() {
    let patches = mk_existing(&[80]).spec.config_patches;
    let of = |apply_to: &str| {
        let matching = patches.iter().filter(|patch| patch["applyTo"] == apply_to);
        matching.cloned().collect::<Vec<_>>()
    };
    let virtual_hosts = of("VIRTUAL_HOST");
    let on = virtual_hosts[0]["patch"]["value"]["typed_per_filter_config"].clone();
    for filter in of("HTTP_FILTER") {
        let value = &filter["patch"]["value"];
        assert_eq!(value["disabled"], true);
        let name = value["name"].as_str().unwrap();
        assert_eq!(on[name]["is_optional"], true, "{name} in {on}");
        assert!(on[name]["config"]["@type"].is_string(), "{name} in {on}");
    }
    assert_eq!(on.as_object().unwrap().len(), 3);
}

#[test]
fn it_is_written_only_when_something_changes() {
    let settings = mk_settings();
    let plan_for = |ports: &[u16], existing: Option<&EnvoyFilter>| {
        plan("istio-system", &mk_ports(ports), &settings, existing)
    };
    assert!(matches!(plan_for(&[80], None), ReplayAction::Apply(_)));
    assert_eq!(
        plan_for(&[80], Some(&mk_existing(&[80]))),
        ReplayAction::Keep
    );
    let mut edited = mk_existing(&[80]);
    edited.spec.config_patches.pop();
    for existing in [mk_existing(&[80, 81]), edited] {
        let action = plan_for(&[80], Some(&existing));
        assert!(matches!(action, ReplayAction::Apply(_)), "{action:?}");
    }
}

#[test]
fn it_goes_with_the_last_port_and_where_the_configuration_does_not_want_it() {
    let existing = mk_existing(&[80]);
    let deleted = ReplayAction::Delete {
        uid: "e1".to_owned(),
    };
    let plan_in = |namespace: &str, ports: &[u16], existing| {
        plan(namespace, &mk_ports(ports), &mk_settings(), existing)
    };
    assert_eq!(plan_in("istio-system", &[], Some(&existing)), deleted);
    assert_eq!(plan_in("other", &[80], Some(&existing)), deleted);
    assert_eq!(plan_in("other", &[80], None), ReplayAction::Keep);
    assert_eq!(plan_in("istio-system", &[], None), ReplayAction::Keep);
}

#[test]
fn somebody_elses_envoy_filter_of_the_same_name_is_left_alone() {
    let mut existing = mk_existing(&[80]);
    existing.metadata.labels = None;
    let plan_in = |namespace| plan(namespace, &mk_ports(&[81]), &mk_settings(), Some(&existing));
    assert_eq!(plan_in("istio-system"), ReplayAction::Foreign);
    assert_eq!(plan_in("other"), ReplayAction::Keep);
}

mod dispatches;

#[test]
fn an_envoy_filter_of_ours_in_the_root_namespace_is_for_every_sidecar_and_another_one_for_its_own()
{
    let ours = mk_existing(&[80]);
    let mut foreign = ours.clone();
    foreign.metadata.labels = None;
    let (ours, foreign) = (Arc::new(ours), Arc::new(foreign));
    let mut replay = mk_replay();
    let only = |at: &'static str, filter: &Arc<EnvoyFilter>| {
        let filter = filter.clone();
        move |namespace: &str| (namespace == at).then(|| filter.clone())
    };
    let in_root = |filter| only("istio-system", filter);
    assert_eq!(
        installed(&replay, "default", in_root(&ours)),
        Installed::Yes
    );
    let mut theirs = EnvoyFilter::clone(&ours);
    let installation = (kept::INSTALLATION_LABEL.to_owned(), "other".to_owned());
    theirs
        .metadata
        .labels
        .get_or_insert_default()
        .extend([installation]);
    let theirs = Arc::new(theirs);
    let theirs_in_root = installed(&replay, "default", in_root(&theirs));
    assert_eq!(theirs_in_root, Installed::Foreign, "another installation's");
    let foreign_in_root = installed(&replay, "default", in_root(&foreign));
    assert_eq!(foreign_in_root, Installed::Foreign);
    assert_eq!(installed(&replay, "default", |_| None), Installed::Missing);

    let some = ["default".to_owned(), "istio-system".to_owned()];
    replay.namespaces = some.into();
    assert_eq!(
        installed(&replay, "default", in_root(&ours)),
        Installed::Yes
    );
    let namespaces = ["default".to_owned()];
    replay.namespaces = namespaces.into();
    let in_default = only("default", &ours);
    assert_eq!(installed(&replay, "default", &in_default), Installed::Yes);
    let other = installed(&replay, "other", &in_default);
    assert_eq!(other, Installed::NotConfigured);
    let left_over = installed(&replay, "default", in_root(&ours));
    assert_eq!(left_over, Installed::Missing, "one that is about to go");
}
