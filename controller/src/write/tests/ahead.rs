use super::*;
use crate::api::Sidecar;

fn mk_own_sidecar() -> Value {
    let mut sidecar = mk_sidecar(json!({ "app": "web" }));
    sidecar["metadata"]["ownerReferences"] = json!([{
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "name": "web", "uid": "u1", "controller": true, "blockOwnerDeletion": true,
    }]);
    sidecar["spec"]["egress"] = json!([{ "hosts": ["istio-system/*", "mesh-operator/*"] }]);
    sidecar
}

/// An API server that takes everything, forgets no learned host, and answers nothing about a status before it is asked for the
/// Sidecar.
fn mk_patient_writer() -> (Writer, Asked) {
    let answer = |method: &str, last: &str, body: &Value| match (method, last) {
        ("PATCH", "status") => {
            let mut fence = mk_fence("u1", "6", true);
            fence["status"] = body["status"].clone();
            fence["status"]["metricStatus"] = json!({ metric_key("x.b"): "1" });
            fence["status"]["domains"] = json!({ "x.b": { "hosts": ["x.b"] } });
            (200, fence)
        }
        _ => {
            let mut sidecar = mk_own_sidecar();
            sidecar["spec"] = body["spec"].clone();
            sidecar["metadata"]["resourceVersion"] = json!("10");
            (200, sidecar)
        }
    };
    mk_holding_writer(Arc::default(), answer, |last, asked| {
        last != "status" || asked.iter().any(|asked| asked == "PATCH web")
    })
}

#[tokio::test]
async fn a_learned_host_goes_into_status_and_sidecar_at_the_same_time_and_once() {
    let (writer, asked) = mk_patient_writer();
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    add::<Sidecar>(&writer, mk_own_sidecar());
    // As if fifty reports had come: before the run, during it and after it.
    for _ in 0..3 {
        let run = tokio::time::timeout(Duration::from_secs(2), async {
            writer.fence(&web(), mk_learned()).await
        });
        let outcome = run.await.expect("one waits for the other");
        assert_eq!(outcome, Outcome::Done);
    }
    let mut asked: Vec<_> = asked.lock().drain(..).collect();
    asked.sort_by_key(|(_, last, body)| (last.clone(), body["status"]["conditions"].is_array()));
    let writes: Vec<_> = asked
        .iter()
        .map(|(_, last, body)| (last.as_str(), body["status"]["metricStatus"].is_object()))
        .collect();
    assert_eq!(
        writes,
        [("status", true), ("status", false), ("web", false)],
        "the host, the first conditions of the fence, and the Sidecar"
    );
    let hosts = asked[2].2["spec"]["egress"][0]["hosts"].to_string();
    assert!(hosts.contains("*/x.b"), "{hosts}");
    assert_eq!(writer.metrics.sidecar_writes("update").get(), 1);
}

#[tokio::test]
async fn a_sidecar_that_went_ahead_of_a_status_that_failed_is_not_written_again() {
    let (writer, asked) = mk_writer(|method, last, body| match (method, last) {
        ("PATCH", "status") => failure(500),
        _ => {
            let mut sidecar = mk_own_sidecar();
            sidecar["spec"] = body["spec"].clone();
            (200, sidecar)
        }
    });
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    add::<Sidecar>(&writer, mk_own_sidecar());
    let outcome = writer.fence(&web(), mk_learned()).await;
    assert!(
        matches!(&outcome, Outcome::Retry(hosts) if hosts.len() == 1),
        "{outcome:?}"
    );
    writer.fence(&web(), mk_learned()).await;
    let of_sidecar = |asked: &Asked| methods(asked).iter().filter(|m| *m == "PATCH web").count();
    assert_eq!(of_sidecar(&asked), 1);

    // The hosts are lost with the process: the status counts.
    let outcome = writer.fence(&web(), Learned::new()).await;
    assert_eq!(outcome, Outcome::Retry(Learned::new()), "its conditions");
    assert_eq!(of_sidecar(&asked), 2);
    let sidecar = writer.index.read(|world| world.sidecar(&web())).unwrap();
    let hosts = &sidecar.spec.egress[0].hosts;
    assert!(!hosts.iter().any(|host| host == "*/x.b"), "{hosts:?}");
}

#[tokio::test]
async fn a_change_of_the_fence_in_between_is_made_good_at_once() {
    let (writer, asked) = mk_writer(|method, last, body| match (method, last) {
        ("PATCH", "status") if body["metadata"]["resourceVersion"] == "5" => failure(409),
        ("PATCH", "status") => {
            let mut fence = mk_fence("u1", "8", false);
            fence["status"] = body["status"].clone();
            (200, fence)
        }
        ("GET", _) => (200, mk_fence("u1", "7", false)),
        ("DELETE", _) => (200, json!({ "kind": "Status", "status": "Success" })),
        _ => {
            let mut sidecar = mk_own_sidecar();
            sidecar["spec"] = body["spec"].clone();
            (200, sidecar)
        }
    });
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    add::<Sidecar>(&writer, mk_own_sidecar());
    writer.fence(&web(), mk_learned()).await;
    assert!(methods(&asked).contains(&"DELETE web".to_owned()));
    let asked = asked.lock();
    let after = asked.iter().skip_while(|(method, _, _)| method != "GET");
    let mut status = after.map(|(_, _, body)| &body["status"]);
    assert!(
        !status.any(|status| status["metricStatus"].is_object()),
        "a fence that was switched off learns nothing: {asked:?}"
    );
    let dropped = |reason| writer.metrics.dropped_hosts(reason).get();
    assert_eq!((dropped("fence_disabled"), dropped("fence_full")), (1, 0));
    assert_eq!(writer.metrics.learned_hosts.get(), 0);
}
