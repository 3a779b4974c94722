//! What comes, changes and goes while fences stand.

use super::stage::stage;
use crate::on_the_mesh::corner::{Corner, Room, Turn, sees};
use crate::on_the_mesh::world::{World, host, learned, mk_fence};
use integration::until::until;
use lazyload_controller::api::{DomainStatus, ServiceFence, Sidecar};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Waits until the Sidecar of a fence has, or has not, a host.
fn await_host(corner: &Corner, fence: &str, host: &str, wanted: bool, what: &str) {
    corner.await_object(fence, what, |sidecar: Option<&Sidecar>| {
        sidecar.is_some_and(|sidecar| sees(sidecar, host) == wanted)
    });
}

fn mk_labelled(name: &str, labels: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: NAMESPACE, labels: {{{labels}}}}}\n\
        spec: {{ports: [{{name: http, port: 9080}}]}}\n"
    )
}

/// Added case: Service label edit. Slime looks at Services again only when their spec changes.
#[test]
fn a_label_edit_of_a_service_moves_it_into_a_fence_and_out_of_it() {
    let corner = Corner::new("label-edit");
    let group = &corner.namespace;
    corner.apply(&mk_labelled("late", ""));
    let selector = format!("enable: true, labelSelector: [{{selector: {{group: {group}}}}}]");
    corner.apply(&mk_fence("client", &selector));
    let late = format!("late.{group}.svc.cluster.local");
    await_host(&corner, "client", &late, false, "the fence without it");
    corner.kubectl(&["label", "service", "late", &format!("group={group}")]);
    await_host(&corner, "client", &late, true, "the label to count");
    corner.kubectl(&["label", "service", "late", "group-"]);
    await_host(&corner, "client", &late, false, "the label's end to count");
}

/// Added case: VS add/delete after learning. Slime never forgets a VirtualService, nor looks at fences again when one comes.
#[test]
fn a_virtual_service_that_comes_or_goes_after_learning_moves_its_backends_into_the_fence_and_out_of_it()
 {
    let corner = Corner::new("late-vs");
    corner.apply(&[mk_labelled("front", ""), mk_labelled("back", "")].join("---\n"));
    let named = |name: &str| format!("{name}.{}.svc.cluster.local", corner.namespace);
    corner.apply(&mk_fence("client", "enable: true"));
    corner.await_object("client", "the Sidecar", |sidecar: Option<&Sidecar>| {
        sidecar.is_some()
    });
    let key = format!("{{destination_service=\"{}\"}}", named("front"));
    let learned = json!({"status": {"metricStatus": {key: "1"}}}).to_string();
    let patch = [
        "patch",
        "servicefence",
        "client",
        "--subresource=status",
        "--type=merge",
        "-p",
    ];
    corner.kubectl(&[patch.as_slice(), &[&learned]].concat());
    await_host(&corner, "client", &named("front"), true, "what was learned");
    assert!(!sees(&corner.sidecar_now("client"), &named("back")));
    corner.apply(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: front, namespace: NAMESPACE}\n\
        spec: {hosts: [front], http: [{route: [{destination: {host: back}}]}]}\n",
    );
    await_host(&corner, "client", &named("back"), true, "the backend");
    let hosts = || {
        let shown = corner.kubectl(&["get", "servicefence", "client", "-o", "json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown["status"]["domains"][named("front")]["hosts"].clone()
    };
    until("the backend in the status", || {
        let mut both = [named("front"), named("back")];
        both.sort();
        let mut seen: Vec<String> = serde_json::from_value(hosts())?;
        seen.sort();
        Ok((seen == both).then_some(()))
    })
    .unwrap();
    corner.kubectl(&["delete", "virtualservice", "front"]);
    await_host(
        &corner,
        "client",
        &named("back"),
        false,
        "the backend to go",
    );
    await_host(
        &corner,
        "client",
        &named("front"),
        true,
        "what was learned to stay",
    );
}

/// How long before it a deadline is set: long enough for the controller to have seen it by then, on a busy machine too.
const AHEAD: u64 = 15;
/// How late a busy machine may be with what a timer does in the second after the deadline, and we with seeing it: less than any
/// other occasion on which a fence is looked at by itself would take.
const LATE: u64 = 15;

/// Seconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// Added case: deadline firing on time. Slime looks at a deadline only when something else happens to the fence.
#[test]
fn a_deadline_fires_in_time_without_anybody_touching_the_fence() {
    let corner = Corner::new("deadline");
    let host = "details.default.svc.cluster.local";
    let set = |strategy: &str| {
        let spec = format!("enable: true, host: {{{host}: {{{strategy}}}}}");
        corner.apply(&mk_fence("client", &spec));
    };
    set("");
    await_host(&corner, "client", host, true, "the host without a deadline");
    let expire = now() + AHEAD;
    set(&format!("deadline: {{expire: {{seconds: {expire}}}}}"));
    let set = corner.await_object(
        "client",
        "the controller to know of the deadline",
        |fence: Option<&ServiceFence>| {
            fence.is_some_and(|fence| {
                let seen = fence
                    .status
                    .as_ref()
                    .and_then(|status| status.observed_generation);
                seen == fence.metadata.generation && fence.metadata.generation > Some(1)
            })
        },
    );
    let generation = set.unwrap().metadata.generation;
    assert!(now() < expire, "set up too late to see anything");
    assert!(sees(&corner.sidecar_now("client"), host), "not before it");
    await_host(&corner, "client", host, false, "the deadline to fire");
    let gone = now();
    assert!(
        (expire..=expire + LATE).contains(&gone),
        "{gone} for {expire}"
    );
    let shown = corner.await_object(
        "client",
        "EXPIRE in the status",
        |fence: Option<&ServiceFence>| state(fence, host) == Some(DomainStatus::Expire),
    );
    assert_eq!(
        shown.unwrap().metadata.generation,
        generation,
        "nobody has touched it"
    );
}

/// How a host stands in the status of a fence.
fn state(fence: Option<&ServiceFence>, host: &str) -> Option<DomainStatus> {
    let status = fence?.status.as_ref()?;
    Some(status.domains.get(host)?.status)
}

/// Asked for in Slime (lazyload's issue 37): time-sensitive deletion of what was learned.
#[test]
fn a_learned_host_that_is_not_missed_any_more_goes_by_itself_and_comes_back_with_the_next_call() {
    let world = World::new("forgetting");
    world.fence_with(
        "enable: true, forgetting: {enabled: true, timeToLive: 8s, grace: 10s, probation: 1h}",
    );
    let call = || {
        world
            .get("http://details.default:9080/")
            .body
            .unwrap()
            .caller
    };
    let own = Some(format!(
        "spiffe://cluster.local/ns/{}/sa/client",
        world.namespace
    ));
    assert_eq!(call(), own);
    world.await_learned("client", &[host("details")]);
    let generation = world.fence_now("client").metadata.generation;
    let going = world.await_object(
        "client",
        "the host's grace",
        |fence: Option<&ServiceFence>| {
            state(fence, &host("details")) == Some(DomainStatus::ExpireWait)
        },
    );
    let told = going.unwrap().status.unwrap().conditions;
    let told = told
        .iter()
        .find(|condition| condition.type_ == "Expiring")
        .unwrap();
    assert_eq!(
        (&*told.status, &*told.reason),
        ("True", "HostsAboutToGo"),
        "{told:?}"
    );
    assert!(told.message.contains(&host("details")), "{told:?}");
    assert!(
        sees(&world.sidecar_now("client"), &host("details")),
        "visible until its end"
    );
    await_host(
        &world,
        "client",
        &host("details"),
        false,
        "the host to be dropped",
    );
    await_event(&world, "client", "Dropped", &host("details"));
    world.await_narrow();
    let dropped = world.fence_now("client");
    assert_eq!(
        dropped.metadata.generation, generation,
        "nobody has touched it"
    );
    assert!(
        learned(Some(&dropped)).contains(&host("details")),
        "remembered, on probation"
    );
    assert_eq!(call(), own, "held again");
    await_host(
        &world,
        "client",
        &host("details"),
        true,
        "the host to be back",
    );
    let key = format!("{{destination_service=\"{}\"}}", host("details"));
    let again = world.fence_now("client").status.unwrap();
    assert_eq!(again.metric_status[&key], "2");
    await_event(&world, "client", "LearnedAgain", &host("details"));
}

/// Waits until the one event of a fence that has this reason is there, and asserts that it names a host.
fn await_event(room: &Room, fence: &str, reason: &str, host: &str) {
    let selected = format!(
        "--field-selector=involvedObject.kind=ServiceFence,involvedObject.name={fence},reason={reason}"
    );
    let notes = until(&format!("the event {reason}"), || {
        let notes = room.kubectl(&[
            "get",
            "events",
            &selected,
            "-o=jsonpath={.items[*].message}",
        ]);
        Ok((!notes.is_empty()).then_some(notes))
    });
    let notes = notes.unwrap();
    assert_eq!(notes.matches(host).count(), 1, "once: {notes}");
}

/// Added case: reset, by Slime's own path.
#[test]
fn a_reset_forgets_what_was_learned_and_it_is_learned_again() {
    let (_turn, stage) = (Turn::alone(), stage());
    stage.service("again");
    let url = format!("http://{}:7000/", stage.host("again"));
    stage.served(&url, &[]);
    stage.await_learned("source", &[stage.host("again")]);
    let path = format!("lazyload/debug/svfReset?ns={}&name=source", stage.namespace);
    let answer = super::replicas::post(&super::replicas::controllers()[0], &path);
    assert!(
        answer.contains("source"),
        "it says what was reset: {answer}"
    );
    stage.await_object(
        "source",
        "the fence to be empty",
        |fence: Option<&ServiceFence>| learned(fence).is_empty(),
    );
    until("the sidecar to forget", || {
        let knows =
            crate::on_the_mesh::world::mesh().knows(&stage.source, &stage.host("again"), 7000)?;
        Ok((!knows).then_some(()))
    })
    .unwrap();
    assert_eq!(stage.served(&url, &[]).caller, stage.identity("source"));
    stage.await_learned("source", &[stage.host("again")]);
}

/// Added case: port never seen before. Without a listener there is no miss to be seen.
#[test]
fn a_port_that_no_service_had_before_is_learned_from_like_any_other() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.apply(&super::manifests::mk_service(
        "novel",
        "app: web, version: v1",
        "{name: http, port: 7373, targetPort: 9080}",
    ));
    stage.await_listener(7373);
    let seen = stage.served(&format!("http://{}:7373/", stage.host("novel")), &[]);
    assert_eq!(seen.caller, stage.identity("source"));
    stage.await_learned("source", &[stage.host("novel")]);
}
