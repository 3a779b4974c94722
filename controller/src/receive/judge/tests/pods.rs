use super::*;

fn add_headless(world: &mut World, namespace: &str, name: &str) {
    let spec = json!({ "clusterIP": "None", "ports": [{ "name": "http", "port": 80 }] });
    let service = json!({ "metadata": mk_meta(namespace, name), "spec": spec });
    add::<Service>(world, service);
}

#[test]
fn every_spelling_of_a_pod_of_a_headless_service_is_that_service() {
    let mut world = mk_world();
    add_headless(&mut world, "default", "db");
    let db = "db.default.svc.cluster.local".to_owned();
    for spelling in [
        "db-0.db",
        "DB-0.db.default:80",
        "db-0.db.default.svc",
        "db-0.db.default.svc.cluster.local:80",
        "db-0.db.default.svc.cluster.local.",
    ] {
        assert_eq!(
            host_in(&world, spelling),
            (Verdict::InMesh, db.clone()),
            "{spelling}"
        );
    }
    add_headless(&mut world, "other", "queue");
    let queue = "queue.other.svc.cluster.local".to_owned();
    assert_eq!(
        host_in(&world, "queue-1.queue.other"),
        (Verdict::InMesh, queue)
    );
    for spelling in [
        "queue-1.queue",
        "db-0.x.db",
        "x.details",
        "x.details.default.svc.cluster.local",
    ] {
        assert_eq!(host_in(&world, spelling).0, Verdict::External, "{spelling}");
    }
}

#[test]
fn a_service_or_host_of_a_name_comes_before_a_pod_of_that_name() {
    let mut world = mk_world();
    for name in ["other", "example"] {
        add_headless(&mut world, "default", name);
    }
    let api = "api.other.svc.cluster.local".to_owned();
    assert_eq!(host_in(&world, "api.other"), (Verdict::InMesh, api));
    add_entry(&mut world, mk_meta("other", "two"), "pay.example");
    let pay = "pay.example".to_owned();
    assert_eq!(host_in(&world, "pay.example"), (Verdict::InMesh, pay));
    let other = "other.default.svc.cluster.local".to_owned();
    assert_eq!(host_in(&world, "db.other"), (Verdict::InMesh, other));
}
