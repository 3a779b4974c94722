//! What goes is unknown before it is out of sight.

use super::*;

fn mk_learned_y() -> Learned {
    Learned::from([("y.b".to_owned(), Instant::now())])
}

/// A writer whose first patch of the status meets a conflict, so that what goes ahead of the second one shows.
fn mk_contended(mut fence: Value) -> (Writer, Asked) {
    let (writer, asked) = mk_keeper(fence.clone(), &[]);
    fence["metadata"]["resourceVersion"] = json!("6");
    add::<ServiceFence>(&writer, fence);
    (writer, asked)
}

/// The hosts of the Sidecar in its only write, which comes after that of the status.
fn hosts_after_status(asked: &Asked) -> String {
    let expected = ["PATCH status", "GET web", "PATCH status", "PATCH web"];
    assert_eq!(methods(asked)[..4], expected);
    asked.lock()[3].2["spec"]["egress"][0]["hosts"].to_string()
}

#[tokio::test]
async fn what_is_learned_does_not_go_ahead_of_what_is_dropped() {
    let (writer, asked) = mk_contended(mk_aged_fence(2, 2_000));
    writer.fence(&web(), mk_learned_y()).await;
    let hosts = hosts_after_status(&asked);
    assert!(
        hosts.contains("*/y.b") && !hosts.contains("*/x.b"),
        "{hosts}"
    );
}

#[tokio::test]
async fn what_is_learned_does_not_go_ahead_of_what_goes_because_there_is_one_more() {
    // Of 19 hosts one may go, and one is gone; of 20 two may go.
    let mut fence = mk_aged_fence(2, 2_000);
    for number in 0..18 {
        let (host, status) = (format!("h{number}.b"), i32::from(number == 0));
        fence["status"]["metricStatus"][metric_key(&host)] = json!("1");
        fence["status"]["domains"][host] =
            json!({ "status": status, "RecentlyCalled": { "seconds": now() - 5 } });
    }
    let (writer, asked) = mk_contended(fence);
    writer.fence(&web(), mk_learned_y()).await;
    assert_eq!(domain(&writer).0, DomainStatus::Expire);
    let hosts = hosts_after_status(&asked);
    assert!(
        hosts.contains("*/y.b") && !hosts.contains("*/x.b"),
        "{hosts}"
    );
}

#[tokio::test]
async fn what_nothing_names_any_more_is_unknown_before_it_is_out_of_sight() {
    // As after somebody took it out of `spec.host`, or a Service lost the label that a selector asks for.
    let mut fence = mk_fence("u1", "5", true);
    fence["status"]["domains"] = json!({ "x.b": { "hosts": ["x.b"] } });
    for learned in [Learned::new(), mk_learned_y()] {
        let (writer, asked) = mk_contended(fence.clone());
        writer.fence(&web(), learned).await;
        assert!(!hosts_after_status(&asked).contains("*/x.b"));
        let gone = asked.lock()[2].2["status"]["domains"].clone();
        assert!(gone.is_null() || gone["x.b"].is_null(), "{gone}");
    }
}

#[tokio::test]
async fn what_the_status_never_showed_leaves_the_sidecar_without_ado() {
    let (writer, asked) = mk_keeper(mk_fence("u1", "5", true), &[]);
    writer.fence(&web(), Learned::new()).await;
    assert_eq!(methods(&asked), ["PATCH web", "PATCH status"]);
}
