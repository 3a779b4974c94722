//! Fences that make themselves.

use k8s_openapi::api::core::v1::{Namespace, Service};

use super::*;
use crate::settings::AutoFence;

/// An API server that answers `answer`, of a cluster with the namespace `default`, and settings that fence everything.
fn mk_fencing(answer: fn(&str, &str, &Value) -> (u16, Value)) -> (Writer, Asked) {
    let settings = Settings {
        auto_fence: AutoFence {
            is_on: true,
            default_fence: true,
            ..AutoFence::default()
        },
        ..Settings::default()
    };
    let (writer, asked) = mk_holding_writer(Arc::new(settings), answer, |_, _| true);
    add::<Namespace>(&writer, json!({ "metadata": { "name": "default" } }));
    (writer, asked)
}

fn add_service(writer: &Writer) {
    add::<Service>(
        writer,
        json!({
            "metadata": { "namespace": "default", "name": "web" },
            "spec": { "selector": { "app": "web" } },
        }),
    );
}

fn mk_labelled(labels: Value) -> Value {
    let mut fence = mk_fence("u1", "5", true);
    fence["metadata"]["labels"] = labels;
    fence
}

fn ours() -> Value {
    json!({ "app.kubernetes.io/created-by": "fence-controller" })
}

#[tokio::test]
async fn a_fence_that_should_be_is_made_once() {
    let (writer, asked) = mk_fencing(|_, _, body| {
        let mut fence = body.clone();
        fence["metadata"]["uid"] = json!("u1");
        (201, fence)
    });
    add_service(&writer);
    assert_eq!(writer.fence(&web(), Learned::new()).await, Outcome::Done);
    assert_eq!(methods(&asked), ["POST servicefences"]);
    let (_, _, made) = asked.lock().remove(0);
    assert_eq!(made["metadata"]["labels"], ours());
    assert_eq!(writer.metrics.fence_writes("create").get(), 1);

    add::<ServiceFence>(&writer, mk_labelled(ours()));
    writer.fence(&web(), Learned::new()).await;
    let made_again = methods(&asked)
        .iter()
        .filter(|asked| *asked == "POST servicefences")
        .count();
    assert_eq!(made_again, 0, "it is there");
}

#[tokio::test]
async fn a_fence_that_somebody_made_meanwhile_is_looked_at_and_left() {
    let (writer, asked) = mk_fencing(|method, _, _| match method {
        "POST" => failure(409),
        _ => {
            let mut unreadable = mk_fence("u2", "6", true);
            unreadable["spec"]["host"] = json!("none");
            (200, unreadable)
        }
    });
    add_service(&writer);
    assert_eq!(writer.fence(&web(), Learned::new()).await, Outcome::Done);
    assert_eq!(methods(&asked), ["POST servicefences", "GET web"]);
    assert_eq!(writer.metrics.fence_writes("create").get(), 0);
    assert_eq!(writer.metrics.creation_failures("fence").get(), 1);
}

#[tokio::test]
async fn a_create_that_fails_is_repeated() {
    let (writer, _) = mk_fencing(|_, _, _| failure(500));
    add_service(&writer);
    let outcome = writer.fence(&web(), Learned::new()).await;
    assert_eq!(outcome, Outcome::Retry(Learned::new()));
    assert_eq!(writer.metrics.creation_failures("fence").get(), 1);
    assert_eq!(
        writer.metrics.write_failures("fence", "unavailable").get(),
        1
    );
}

#[tokio::test]
async fn a_fence_that_should_not_be_is_deleted_as_it_was_seen_with_what_it_was_to_learn() {
    let (writer, asked) =
        mk_fencing(|_, _, _| (200, json!({ "kind": "Status", "status": "Success" })));
    add::<ServiceFence>(&writer, mk_labelled(ours()));
    assert_eq!(writer.fence(&web(), mk_learned()).await, Outcome::Done);
    assert_eq!(methods(&asked), ["DELETE web"]);
    let (_, _, options) = asked.lock().remove(0);
    assert_eq!(
        options["preconditions"],
        json!({ "uid": "u1", "resourceVersion": "5" })
    );
    assert_eq!(writer.metrics.fence_writes("delete").get(), 1);
    assert_eq!(writer.metrics.dropped_hosts("fence_gone").get(), 1);
}

#[tokio::test]
async fn a_fence_that_changed_meanwhile_is_not_deleted_but_looked_at_again() {
    let (writer, _) = mk_fencing(|_, _, _| failure(409));
    add::<ServiceFence>(&writer, mk_labelled(ours()));
    let outcome = writer.fence(&web(), mk_learned()).await;
    assert!(
        matches!(&outcome, Outcome::Retry(hosts) if hosts.len() == 1),
        "{outcome:?}"
    );
    assert_eq!(writer.metrics.fence_writes("delete").get(), 0);
}

#[tokio::test]
async fn a_hand_made_fence_is_never_deleted() {
    let (writer, asked) = mk_fencing(|method, _, body| match method {
        "POST" => (201, mk_sidecar(json!({ "app": "web" }))),
        _ => {
            let mut fence = mk_fence("u1", "6", true);
            fence["status"] = body["status"].clone();
            (200, fence)
        }
    });
    add::<ServiceFence>(&writer, mk_labelled(json!({})));
    assert_eq!(writer.fence(&web(), Learned::new()).await, Outcome::Done);
    assert_eq!(methods(&asked), ["POST sidecars", "PATCH status"]);
}

#[tokio::test]
async fn a_fence_that_may_not_be_deleted_goes_on_to_learn() {
    let (writer, asked) = mk_fencing(|method, _, body| match method {
        "DELETE" => failure(403),
        "POST" => (201, mk_sidecar(json!({ "app": "web" }))),
        _ => {
            let mut fence = mk_labelled(ours());
            fence["metadata"]["resourceVersion"] = json!("6");
            fence["status"] = body["status"].clone();
            (200, fence)
        }
    });
    add::<ServiceFence>(&writer, mk_labelled(ours()));
    assert_eq!(writer.fence(&web(), mk_learned()).await, Outcome::Done);
    assert_eq!(methods(&asked)[..2], ["DELETE web", "PATCH status"]);
    assert_eq!(writer.metrics.learned_hosts.get(), 1);
    assert_eq!(writer.metrics.write_failures("fence", "refused").get(), 1);
}

#[tokio::test]
async fn nothing_is_written_for_a_fence_of_another_revision() {
    let (writer, asked) = mk_fencing(|_, _, _| failure(500));
    add::<ServiceFence>(
        &writer,
        mk_labelled(json!({
            "app.kubernetes.io/created-by": "fence-controller", "istio.io/rev": "b",
        })),
    );
    writer.index.write(|world, concerned| {
        let mut settings = Settings::clone(world.settings());
        settings.revisions.in_scope = ["a".to_owned()].into();
        world.configure(Arc::new(settings), concerned);
    });
    assert_eq!(writer.fence(&web(), mk_learned()).await, Outcome::Done);
    assert_eq!(methods(&asked), [""; 0]);
    assert_eq!(writer.metrics.dropped_hosts("fence_gone").get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_somebody_keeps_deleting_is_made_less_and_less_often() {
    let (writer, asked) = mk_fencing(|_, _, body| (201, body.clone()));
    add_service(&writer);
    for _ in 0..50 {
        writer.fence(&web(), Learned::new()).await;
    }
    let outcome = writer.fence(&web(), Learned::new()).await;
    assert!(matches!(outcome, Outcome::Later(_)), "{outcome:?}");
    assert_eq!(methods(&asked), ["POST servicefences"; 4]);
    assert_eq!(writer.metrics.damped_corrections("fence").get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_label_that_is_set_to_and_fro_is_followed_at_once() {
    let (writer, asked) = mk_fencing(|method, _, body| match method {
        "POST" => (201, body.clone()),
        _ => (200, json!({ "kind": "Status", "status": "Success" })),
    });
    let name = web();
    for _ in 0..10 {
        add_service(&writer);
        writer.fence(&name, Learned::new()).await;
        add::<ServiceFence>(&writer, mk_labelled(ours()));
        writer.index.write(|world, concerned| {
            Service::remove(&name, None, world, concerned);
        });
        writer.fence(&name, Learned::new()).await;
        writer.index.write(|world, concerned| {
            ServiceFence::remove(&name, None, world, concerned);
        });
    }
    let expected = ["POST servicefences", "DELETE web"].repeat(10);
    assert_eq!(methods(&asked), expected);
}
