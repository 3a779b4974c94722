//! Telling users what becomes of their objects: Kubernetes events, which can neither delay nor fail anything else.
//!
//! kube's recorder is not used: it counts a repeated reason under the words of the first, and these words name the hosts.

use std::{future::Future, sync::Arc};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
    runtime::events::EventType,
};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::{
    FIELD_MANAGER,
    error::{WriteError, call},
};
use crate::metrics::Metrics;

/// Events that wait for the API server. Beyond this they are lost, and counted.
const MAX_WAITING: usize = 1_000;
/// What the API server takes as an event's note, in bytes.
const LONGEST_NOTE: usize = 1_024;

/// Where events are put. The default one loses them all.
#[derive(Clone, Debug, Default)]
pub struct Events(Option<Sender>);

#[derive(Clone, Debug)]
struct Sender {
    waiting: mpsc::Sender<Event>,
    metrics: Arc<Metrics>,
    reporter: Arc<str>,
}

impl Events {
    /// Where to put events, and what writes them, for ever.
    pub fn new(client: Client, metrics: Arc<Metrics>) -> (Self, impl Future<Output = ()>) {
        let (waiting, events) = mpsc::channel(MAX_WAITING);
        // In a pod, its name.
        let reporter = std::env::var("HOSTNAME").unwrap_or_else(|_| FIELD_MANAGER.to_owned());
        let sender = Sender {
            waiting,
            metrics: metrics.clone(),
            reporter: reporter.into(),
        };
        (Self(Some(sender)), write(client, metrics, events))
    }

    /// Tells of `regarding` that `reason` (a word in PascalCase) has happened, with more words in `message`, which is cut where it is
    /// too long. Returns at once; if too many events wait already, this one is lost.
    pub fn emit(
        &self,
        regarding: ObjectReference,
        type_: EventType,
        reason: &str,
        message: String,
    ) {
        let Some(sender) = &self.0 else {
            return;
        };
        let event = event(regarding, type_, reason, message, &sender.reporter);
        if sender.waiting.try_send(event).is_err() {
            sender.metrics.lost_events("queue_full").inc();
        }
    }
}

fn event(
    regarding: ObjectReference,
    type_: EventType,
    reason: &str,
    mut message: String,
    reporter: &str,
) -> Event {
    let now = Timestamp::now();
    message.truncate(message.floor_char_boundary(LONGEST_NOTE));
    let mut name = regarding.name.clone().unwrap_or_default();
    // Together with the time in hexadecimal digits, a name that Kubernetes takes.
    name.truncate(name.floor_char_boundary(200));
    Event {
        metadata: ObjectMeta {
            namespace: regarding.namespace.clone(),
            name: Some(format!("{name}.{:x}", now.as_nanosecond())),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        type_: Some(
            match type_ {
                EventType::Normal => "Normal",
                EventType::Warning => "Warning",
            }
            .to_owned(),
        ),
        reason: Some(reason.to_owned()),
        action: Some(reason.to_owned()),
        note: Some(message),
        regarding: Some(regarding),
        reporting_controller: Some(FIELD_MANAGER.to_owned()),
        reporting_instance: Some(reporter.to_owned()),
        ..Event::default()
    }
}

async fn write(client: Client, metrics: Arc<Metrics>, mut events: mpsc::Receiver<Event>) {
    let mut is_told = false;
    while let Some(event) = events.recv().await {
        let namespace = event.metadata.namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(client.clone(), namespace);
        let Err(error) = call(api.create(&PostParams::default(), &event)).await else {
            continue;
        };
        metrics.lost_events("failed").inc();
        if matches!(error, WriteError::Refused(_)) && !is_told {
            is_told = true;
            warn!(%error, "events cannot be written; if RBAC forbids it, apply the RBAC of manifests/base anew");
        } else {
            debug!(%error, "an event is lost");
        }
    }
    // Every sender is gone: on the way down.
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Json, Router, body::Bytes, http::StatusCode};
    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn mk_reference() -> ObjectReference {
        ObjectReference {
            namespace: Some("default".to_owned()),
            name: Some("web".to_owned()),
            ..ObjectReference::default()
        }
    }

    #[tokio::test]
    async fn an_event_is_about_its_object_and_a_refused_one_costs_nothing_else() {
        let posted = Arc::new(Mutex::new(Vec::<Value>::new()));
        let log = posted.clone();
        let handler = move |body: Bytes| async move {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let mut log = log.lock();
            log.push(body.clone());
            if log.len() == 1 {
                let refusal = json!({ "kind": "Status", "status": "Failure", "code": 403 });
                return (StatusCode::FORBIDDEN, Json(refusal));
            }
            (StatusCode::CREATED, Json(body))
        };
        let client = Client::new(Router::new().fallback(handler), "default");
        let metrics = Arc::new(Metrics::default());
        let (events, writing) = Events::new(client, metrics.clone());
        tokio::spawn(writing);
        for message in ["one".to_owned(), "ä".repeat(LONGEST_NOTE)] {
            events.emit(mk_reference(), EventType::Warning, "Dropped", message);
        }
        while posted.lock().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let posted = posted.lock();
        assert_eq!(posted[0]["regarding"]["name"], "web");
        assert_eq!(posted[0]["metadata"]["namespace"], "default");
        assert_eq!(posted[0]["note"], "one");
        assert_eq!(
            (&posted[1]["type"], &posted[1]["reason"]),
            (&json!("Warning"), &json!("Dropped"))
        );
        assert_eq!(posted[1]["note"].as_str().unwrap().len(), LONGEST_NOTE);
        assert_eq!(metrics.lost_events("failed").get(), 1);
    }

    #[tokio::test]
    async fn where_nobody_writes_events_they_are_lost_and_hold_nobody_up() {
        let metrics = Arc::new(Metrics::default());
        let client = Client::new(Router::new(), "default");
        let (events, _writing) = Events::new(client, metrics.clone());
        for _ in 0..=MAX_WAITING {
            events.emit(mk_reference(), EventType::Normal, "Learned", String::new());
        }
        assert_eq!(metrics.lost_events("queue_full").get(), 1);
    }
}
