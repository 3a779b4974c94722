use super::*;
use crate::{
    api::ServiceEntry,
    placeholder::{PlaceholderPorts, render},
    settings::PortRules,
};

#[tokio::test]
async fn a_replica_that_does_not_lead_writes_what_was_learned_and_nothing_else() {
    let (mut writer, asked) = mk_writer(|method, _, _| match method {
        "PATCH" => (200, mk_fence("u1", "6", true)),
        _ => failure(500),
    });
    writer.leading = tokio::sync::watch::channel(false).1;
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    let work = async |key, learned| writer.work(Job { key, learned }).await;
    let fence = || Key::Fence(web());

    assert_eq!(work(fence(), Learned::new()).await, Outcome::Done);
    assert_eq!(work(Key::Placeholder, Learned::new()).await, Outcome::Done);
    assert_eq!(methods(&asked), [""; 0]);
    assert_eq!(work(fence(), mk_learned()).await, Outcome::Done);
    assert_eq!(methods(&asked), ["PATCH status"], "no Sidecar is made");
    let (_, _, patch) = asked.lock().remove(0);
    assert_eq!(
        patch["status"]["metricStatus"],
        json!({ metric_key("x.b"): "1" })
    );
}

#[tokio::test]
async fn a_replica_that_leads_again_keeps_the_ports_that_another_one_has_opened_meanwhile() {
    let settings = Settings {
        ports: PortRules {
            clean_up: false,
            ..PortRules::default()
        },
        ..Settings::default()
    };
    let (mut writer, asked) = mk_holding_writer(
        Arc::new(settings),
        |_, _, body| (200, body.clone()),
        |_, _| true,
    );
    let (leading, is_leading) = tokio::sync::watch::channel(true);
    writer.leading = is_leading;
    let work = async || {
        let (key, learned) = (Key::Placeholder, Learned::new());
        writer.work(Job { key, learned }).await
    };
    work().await;
    leading.send_replace(false);
    let ports = PlaceholderPorts {
        open: [81].into(),
        ..PlaceholderPorts::default()
    };
    let theirs = serde_json::to_value(render(&ports, &Settings::default())).unwrap();
    add::<ServiceEntry>(&writer, theirs);
    work().await;
    leading.send_replace(true);
    work().await;
    assert_eq!(methods(&asked), [""; 0], "port 81 stays");
}

#[tokio::test]
async fn a_replica_that_does_not_lead_forgets_fences_that_are_gone() {
    let (mut writer, asked) = mk_writer(|_, _, _| failure(500));
    writer.leading = tokio::sync::watch::channel(false).1;
    let rest = json!({ "status": { "conditions": [] } });
    writer.unkept.written(&web(), Some("u1"), Some(&rest));
    writer.metrics.set_fence(&web(), Some("SidecarApplied"));
    writer.resets.wish(web());
    assert_eq!(writer.fence(&web(), Learned::new()).await, Outcome::Done);
    assert!(!writer.unkept.is_vain(&web(), Some("u1"), &rest));
    assert!(!writer.metrics.set_fence(&web(), None), "nothing is left");
    assert_eq!(writer.resets.open(&web()), None);
    assert_eq!(methods(&asked), [""; 0]);
}
