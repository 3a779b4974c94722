//! Fences that are gone, or on their way out, or another's.

use k8s_openapi::api::core::v1::Namespace;

use super::*;
use crate::api::Sidecar;

#[tokio::test]
async fn hosts_of_a_disabled_fence_are_dropped_once_and_told_from_those_of_one_that_is_gone() {
    let (writer, _) = mk_writer(|_, _, _| failure(500));
    add::<ServiceFence>(&writer, mk_fence("u1", "5", false));
    assert_eq!(
        writer.fence(&web(), mk_learned()).await,
        Outcome::Retry(Learned::new())
    );
    let gone = ObjectRef::new("default", "gone");
    assert_eq!(writer.fence(&gone, mk_learned()).await, Outcome::Done);
    let dropped = |reason| writer.metrics.dropped_hosts(reason).get();
    assert_eq!([dropped("fence_disabled"), dropped("fence_gone")], [1, 1]);
}

#[tokio::test]
async fn no_sidecar_is_made_anew_in_a_namespace_on_its_way_out() {
    let (writer, asked) = mk_writer(|_, _, _| (200, mk_fence("u1", "6", true)));
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    let metadata = json!({ "name": "default", "deletionTimestamp": "2026-01-01T00:00:00Z" });
    add::<Namespace>(&writer, json!({ "metadata": metadata }));
    assert_eq!(writer.fence(&web(), mk_learned()).await, Outcome::Done);
    assert_eq!(methods(&asked), [""; 0]);
    add::<Sidecar>(&writer, mk_sidecar(json!({ "app": "web" })));
    _ = writer.fence(&web(), mk_learned()).await;
    assert_eq!(methods(&asked)[0], "PATCH status", "as long as it has one");
}

#[tokio::test]
async fn a_host_learned_for_a_fence_that_is_gone_does_not_land_in_its_namesake() {
    let (writer, asked) = mk_writer(|method, _, _| match method {
        "PATCH" => failure(409),
        _ => (200, mk_fence("u2", "8", true)),
    });
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    assert_eq!(writer.fence(&web(), mk_learned()).await, Outcome::Done);
    assert_eq!(methods(&asked), ["PATCH status", "GET web"]);
    let (_, _, patch) = asked.lock().remove(0);
    assert_eq!(
        patch["metadata"],
        json!({ "uid": "u1", "resourceVersion": "5" })
    );
    assert_eq!(
        patch["status"]["metricStatus"],
        json!({ metric_key("x.b"): "1" })
    );
}

#[tokio::test]
async fn a_fence_that_is_given_away_or_deleted_during_a_run_is_left_alone() {
    for change in [
        json!({ "labels": { "istio.io/rev": "theirs" } }),
        json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" }),
    ] {
        let mut settings = Settings::default();
        settings.revisions.in_scope = ["ours".to_owned()].into();
        let answer = move |method: &str, _: &str, _: &Value| match method {
            "PATCH" => failure(409),
            _ => {
                let mut fence = mk_fence("u1", "8", true);
                let change = change.as_object().cloned().unwrap();
                let metadata = fence["metadata"].as_object_mut();
                metadata.unwrap().extend(change);
                (200, fence)
            }
        };
        let (writer, asked) = mk_holding_writer(Arc::new(settings), answer, |_, _| true);
        add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
        assert_eq!(writer.fence(&web(), mk_learned()).await, Outcome::Done);
        assert_eq!(methods(&asked), ["PATCH status", "GET web"]);
        assert_eq!(writer.metrics.dropped_hosts("fence_gone").get(), 1);
    }
}
