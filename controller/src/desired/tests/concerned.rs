//! Which fences an event wakes, and which it does not. That it wakes every one that it should is among the properties.

use super::*;
use crate::{fence::ObjectRef, queue::Key};

const A: &str = "a.test.svc.cluster.local";

/// Fences by what they are about, and one that is about nothing.
fn mk_fenced_world(scope_form: crate::settings::ScopeForm) -> World {
    let mut world = World::new(Arc::new(Settings {
        scope_form,
        ..Settings::default()
    }));
    for (name, spec) in [
        ("static", json!({ "host": { A: {} } })),
        ("whole", json!({ "host": { "test/*": {} } })),
        (
            "label",
            json!({ "labelSelector": [{ "selector": { "app": "a" } }] }),
        ),
        ("wild", json!({ "host": { "*.example.com": {} } })),
        (
            "other",
            json!({ "host": { "b.test.svc.cluster.local": {} } }),
        ),
    ] {
        let fence = serde_json::to_value(mk_fence(name, spec, &[])).unwrap();
        add::<ServiceFence>(&mut world, fence);
    }
    let fence = serde_json::to_value(mk_fence("learned", json!({}), &[A])).unwrap();
    add::<ServiceFence>(&mut world, fence);
    world
}

fn names(concerned: Vec<Key>) -> Vec<String> {
    let fences = concerned.into_iter().filter_map(|key| match key {
        Key::Fence(name) if name.namespace == "default" => Some(name.name),
        _ => None,
    });
    let mut names: Vec<_> = fences.collect();
    names.sort();
    names
}

fn woken<K: Indexed>(world: &mut World, object: Value) -> Vec<String> {
    names(add::<K>(world, object))
}

fn mk_routes(at: &str, hosts: Value, to: &str) -> Value {
    let http = json!([{ "route": [{ "destination": { "host": to } }] }]);
    mk_object(
        "VirtualService",
        at,
        json!({ "hosts": hosts, "http": http }),
    )
}

#[test]
fn a_service_wakes_by_its_labels_and_where_nothing_was_known() {
    let mut world = mk_fenced_world(Default::default());
    let mk = |labels| mk_service("a", "test", labels);
    assert_eq!(
        woken::<Service>(&mut world, mk(json!({ "app": "b" }))),
        ["static"]
    );
    assert_eq!(
        woken::<Service>(&mut world, mk(json!({ "app": "a" }))),
        ["label"]
    );
    let none: [&str; 0] = [];
    assert_eq!(
        woken::<Service>(&mut world, mk(json!({ "app": "a", "x": "y" }))),
        none
    );
    let mut ported = mk(json!({ "app": "a" }));
    ported["spec"] =
        json!({ "ports": [{ "port": 80 }], "clusterIP": "10.0.0.1", "selector": { "a": "b" } });
    assert_eq!(woken::<Service>(&mut world, ported), none);
    let mut private = mk(json!({ "app": "a" }));
    private["metadata"]["annotations"] = json!({ "networking.istio.io/exportTo": "." });
    assert_eq!(woken::<Service>(&mut world, private), ["label", "static"]);
    let mut concerned = Vec::new();
    let name = ObjectRef::new("test", "a");
    Service::remove(&name, None, &mut world, &mut concerned);
    assert_eq!(names(concerned), none, "nobody could see it any more");
}

#[test]
fn a_virtual_service_wakes_those_whom_it_leads_elsewhere() {
    let mut world = mk_fenced_world(Default::default());
    add::<Service>(&mut world, mk_service("a", "test", json!({ "app": "a" })));
    let by_host = ["label", "learned", "static", "whole"];
    let routes = |to| mk_routes("test/a", json!(["a"]), to);
    assert_eq!(
        woken::<VirtualService>(&mut world, routes("a")),
        ["static"],
        "a route to the host itself adds nothing, but makes a static host known"
    );
    assert_eq!(
        woken::<VirtualService>(&mut world, routes("c.x.y")),
        by_host
    );
    let mut weighted = routes("c.x.y");
    weighted["spec"]["http"][0]["timeout"] = json!("1s");
    assert_eq!(
        woken::<VirtualService>(&mut world, weighted),
        [] as [&str; 0]
    );
    let other = mk_routes("test/w", json!(["shop.example.com"]), "c.x.y");
    assert_eq!(woken::<VirtualService>(&mut world, other), ["wild"]);
    let nobody = mk_routes("test/n", json!(["n.example.org"]), "c.x.y");
    assert_eq!(woken::<VirtualService>(&mut world, nobody), [] as [&str; 0]);
    let mut concerned = Vec::new();
    let name = ObjectRef::new("test", "a");
    VirtualService::remove(&name, None, &mut world, &mut concerned);
    assert_eq!(names(concerned), by_host);
}

#[test]
fn a_delegate_wakes_those_whom_its_roots_concern() {
    let mut world = mk_fenced_world(Default::default());
    let spec =
        json!({ "hosts": [A], "http": [{ "delegate": { "name": "d", "namespace": "far" } }] });
    add_routes(&mut world, "test/root", spec);
    let delegate = mk_routes("far/d", json!([]), "c.x.y");
    let expected = ["learned", "static"];
    assert_eq!(woken::<VirtualService>(&mut world, delegate), expected);
    let mut concerned = Vec::new();
    let name = ObjectRef::new("far", "d");
    VirtualService::remove(&name, None, &mut world, &mut concerned);
    assert_eq!(names(concerned), expected);
}

#[test]
fn where_hosts_are_named_one_by_one_owners_and_rules_wake_and_otherwise_they_do_not() {
    use crate::settings::ScopeForm::{Compatible, Exact};
    let rule = |host: &str| mk_object("DestinationRule", "r/r", json!({ "host": host }));
    let entry = |host: &str| mk_object("ServiceEntry", "e/e", json!({ "hosts": [host] }));
    let none: &[&str] = &[];
    for (form, service, by_rule, by_entry) in [
        (Compatible, &["label", "static"][..], none, none),
        (
            Exact,
            &["label", "learned", "static", "whole"],
            &["label", "learned", "static", "whole"],
            &["wild"],
        ),
    ] {
        let mut world = mk_fenced_world(form);
        let object = mk_service("a", "test", json!({ "app": "a" }));
        assert_eq!(woken::<Service>(&mut world, object), service, "{form:?}");
        assert_eq!(
            woken::<DestinationRule>(&mut world, rule(A)),
            by_rule,
            "{form:?}"
        );
        assert_eq!(
            woken::<DestinationRule>(&mut world, rule(A)),
            none,
            "{form:?}"
        );
        assert_eq!(
            woken::<ServiceEntry>(&mut world, entry("x.example.com")),
            by_entry,
            "{form:?}"
        );
        assert_eq!(
            woken::<ServiceEntry>(&mut world, entry("x.example.com")),
            none,
            "{form:?}"
        );
    }
}

#[test]
fn where_hosts_are_named_one_by_one_what_routes_lead_to_wakes_as_well() {
    let mut world = mk_fenced_world(crate::settings::ScopeForm::Exact);
    add_routes(
        &mut world,
        "test/a",
        mk_routes("test/a", json!([A]), "c.far.svc.cluster.local")["spec"].clone(),
    );
    let object = mk_service("c", "far", json!({}));
    assert_eq!(woken::<Service>(&mut world, object), ["learned", "static"]);
}

#[test]
fn a_virtual_service_about_a_further_name_of_a_selected_service_wakes() {
    let mut world = mk_fenced_world(Default::default());
    let settings = Settings {
        aliases: vec![crate::settings::Alias {
            pattern: r"^(\w+)\.test\.svc\.cluster\.local$".to_owned(),
            templates: vec!["$1.alias".to_owned()],
        }],
        ..Settings::default()
    };
    world.configure(Arc::new(settings), &mut Vec::new());
    add::<Service>(&mut world, mk_service("a", "test", json!({ "app": "a" })));
    let routes = mk_routes("test/alias", json!(["a.alias"]), "c.x.y");
    let expected = ["label", "learned", "static"];
    assert_eq!(
        woken::<VirtualService>(&mut world, routes.clone()),
        expected
    );
    add::<Service>(&mut world, mk_service("a", "test", json!({})));
    let elsewhere = mk_routes("test/alias", json!(["a.alias"]), "d.x.y");
    assert_eq!(
        woken::<VirtualService>(&mut world, elsewhere),
        ["learned", "static"]
    );
}

#[test]
fn where_each_namespace_is_visible_to_itself_its_own_services_wake() {
    let settings = |stable: &[&str]| {
        Arc::new(Settings {
            scope_form: crate::settings::ScopeForm::Exact,
            stable_hosts: stable.iter().map(|&host| host.to_owned()).collect(),
            ..Settings::default()
        })
    };
    let mut world = World::new(settings(&["./*"]));
    let fence = serde_json::to_value(mk_fence("foo", json!({}), &[])).unwrap();
    add::<ServiceFence>(&mut world, fence);
    let wake = |world: &mut World, name, namespace| {
        let woken = woken::<Service>(world, mk_service(name, namespace, json!({})));
        woken.contains(&"foo".to_owned())
    };
    assert!(wake(&mut world, "a", "default"));
    assert!(!wake(&mut world, "a", "test"));
    world.configure(settings(&[]), &mut Vec::new());
    assert!(!wake(&mut world, "b", "default"));
}
