use k8s_openapi::api::core::v1::Service;

use super::*;
use crate::{api::EnvoyFilter, settings::Replay};

fn mk_replay() -> Arc<Settings> {
    let replay = Replay {
        namespaces: ["istio-system".to_owned()].into(),
        root_namespace: "istio-system".to_owned(),
        proxy_version: "1".to_owned(),
        plugin: ObjectRef::new("istio-system", "lazyload"),
        ..Replay::default()
    };
    Arc::new(Settings {
        replay: Arc::new(replay),
        ..Settings::default()
    })
}

fn add_port(writer: &Writer, number: u16) {
    let metadata = json!({ "namespace": "default", "name": format!("on-{number}") });
    let spec = json!({ "ports": [{ "port": number, "name": "http" }] });
    add::<Service>(writer, json!({ "metadata": metadata, "spec": spec }));
}

#[tokio::test(start_paused = true)]
async fn the_replay_envoy_filter_follows_the_ports_and_comes_back_when_it_is_deleted() {
    let answer: fn(&str, &str, &Value) -> (u16, Value) = |method, _, body| match method {
        "DELETE" => (200, json!({ "kind": "Status", "status": "Success" })),
        _ => {
            let mut filter = body.clone();
            filter["metadata"]["uid"] = json!("e1");
            (200, filter)
        }
    };
    let (writer, asked) = mk_holding_writer(mk_replay(), answer, |_, _| true);
    let run = async || writer.replay("istio-system").await;

    assert_eq!(run().await, Outcome::Done, "without ports there is none");
    add_port(&writer, 80);
    add_port(&writer, 81);
    for _ in 0..2 {
        assert_eq!(run().await, Outcome::Done);
    }
    let made = ["POST envoyfilters"];
    assert_eq!(methods(&asked), made, "the same is not written twice");

    let remove = |number: u16| {
        let name = ObjectRef::new("default", format!("on-{number}"));
        let change = |world: &mut World, _: &mut Vec<Key>| {
            Service::remove(&name, None, world, &mut Vec::new());
        };
        writer.index.write(change);
    };
    remove(81);
    assert_eq!(run().await, Outcome::Later(Duration::from_secs(300)));
    assert_eq!(
        methods(&asked),
        made,
        "a port that is gone stays for a while"
    );
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(run().await, Outcome::Done);
    assert_eq!(methods(&asked)[1..], ["PATCH lazyload-replay"]);

    writer.index.write(|world, _| {
        let name = ObjectRef::new("istio-system", "lazyload-replay");
        EnvoyFilter::remove(&name, None, world, &mut Vec::new());
    });
    assert_eq!(run().await, Outcome::Done);
    assert_eq!(methods(&asked)[2..], ["POST envoyfilters"]);

    remove(80);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(run().await, Outcome::Later(_)));
    tokio::time::advance(Duration::from_secs(300)).await;
    run().await;
    assert_eq!(methods(&asked)[3..], ["DELETE lazyload-replay"]);
}

#[tokio::test]
async fn somebody_elses_replay_envoy_filter_is_left_alone_and_counted() {
    let (writer, asked) =
        mk_holding_writer(mk_replay(), |_, _, body| (200, body.clone()), |_, _| true);
    add_port(&writer, 80);
    let filter = json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "spec": {},
        "metadata": { "namespace": "istio-system", "name": "lazyload-replay", "uid": "theirs" },
    });
    add::<EnvoyFilter>(&writer, filter);
    assert_eq!(writer.replay("istio-system").await, Outcome::Done);
    assert_eq!(methods(&asked), [""; 0]);
    assert_eq!(writer.metrics.foreign_objects("envoyfilter").get(), 1);
}

#[tokio::test]
async fn the_replay_envoy_filter_of_another_installation_is_left_alone_wanted_or_not() {
    let refuse = |_: &str, _: &str, _: &Value| failure(403);
    let (writer, asked) = mk_holding_writer(mk_replay(), refuse, |_, _| true);
    add_port(&writer, 80);
    for namespace in ["istio-system", "team-b"] {
        let labels = json!({
            "app.kubernetes.io/managed-by": "lazyload", "lazyload.internal/installation": "other",
        });
        let metadata = json!({ "namespace": namespace, "name": "lazyload-replay", "uid": "theirs", "labels": labels });
        let filter = json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "spec": {}, "metadata": metadata,
        });
        add::<EnvoyFilter>(&writer, filter);
        assert_eq!(writer.replay(namespace).await, Outcome::Done, "{namespace}");
    }
    assert_eq!(methods(&asked), [""; 0]);
    assert_eq!(writer.metrics.foreign_objects("envoyfilter").get(), 1);
}

#[tokio::test]
async fn the_revision_of_what_is_kept_follows_the_configuration() {
    let answer = |_: &str, _: &str, body: &Value| {
        let mut object = body.clone();
        object["metadata"]["uid"] = json!("e1");
        (200, object)
    };
    let (writer, asked) = mk_holding_writer(mk_replay(), answer, |_, _| true);
    add_port(&writer, 80);
    for revision in [None, Some("canary"), Some("canary"), Some("stable")] {
        let mut settings = Settings::clone(&mk_replay());
        settings.revisions.own = revision.map(str::to_owned);
        writer.index.write(|world, concerned| {
            world.configure(Arc::new(settings), concerned);
        });
        assert_eq!(writer.replay("istio-system").await, Outcome::Done);
        assert_eq!(writer.placeholder().await, Outcome::Done);
    }
    let asked = asked.lock();
    let of = |object: &str| {
        let kinds = asked.iter().filter(|(_, _, body)| body["kind"] == object);
        let revisions = kinds.map(|(_, _, body)| &body["metadata"]["labels"]["istio.io/rev"]);
        revisions.cloned().collect::<Vec<_>>()
    };
    let followed = [Value::Null, json!("canary"), json!("stable")];
    assert_eq!(of("EnvoyFilter"), followed);
    assert_eq!(of("ServiceEntry"), followed);
}
