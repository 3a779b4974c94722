//! Clearing what fences have learned, as Slime's `svfReset` does.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use serde::Deserialize;

use crate::{
    fence::ObjectRef,
    index::Index,
    queue::{Key, Queue},
    readiness::Readiness,
    write::Resets,
};

/// How long an answer waits for the reset to be written.
const PATIENCE: Duration = Duration::from_secs(5);

/// What it takes to reset fences.
#[derive(Clone, Debug)]
pub struct Reset {
    /// Which fences there are.
    pub index: Arc<Index>,
    /// Where the runs are asked for that do it.
    pub queue: Queue,
    /// Where the wishes are put.
    pub resets: Resets,
    /// Whether all fences are known yet.
    pub readiness: Readiness,
}

/// What is asked for. Slime's text says `svc`, its code reads `name`; both do.
#[derive(Debug, Deserialize)]
struct Wish {
    ns: Option<String>,
    name: Option<String>,
    svc: Option<String>,
}

/// `/<module>/debug/svfReset` and `/debug/svfReset`, with `ns` and perhaps `name` or `svc`, by GET and POST: clears what the fence, or
/// every fence of the namespace, has learned. 200 once that is written, 202 if it still is not after some seconds, 400 without a
/// namespace, 404 if there is no such fence, or if it is another controller's by its Istio revision, 503 before all fences are known.
pub fn reset_router(reset: Reset) -> Router {
    let route = get(svf_reset).post(svf_reset);
    Router::new()
        .route("/debug/svfReset", route.clone())
        .route("/{module}/debug/svfReset", route)
        .with_state(reset)
}

async fn svf_reset(State(reset): State<Reset>, Query(wish): Query<Wish>) -> (StatusCode, String) {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let Some(namespace) = given(wish.ns) else {
        let words = "the parameter ns is needed: svfReset?ns=<namespace>[&name=<fence>]\n";
        return (StatusCode::BAD_REQUEST, words.to_owned());
    };
    if !reset.readiness.is_ready() {
        let words = "not all fences are known yet: ask again when /readyz says ok\n";
        return (StatusCode::SERVICE_UNAVAILABLE, words.to_owned());
    }
    let name = given(wish.name).or(given(wish.svc));
    let fences: Vec<ObjectRef> = reset.index.read(|world| {
        let fences = world.fences_of(&namespace);
        fences
            .filter(|(fence, _)| name.as_ref().is_none_or(|name| fence.name == *name))
            .filter(|(_, fence)| world.is_ours(fence))
            .map(|(name, _)| name.clone())
            .collect()
    });
    if fences.is_empty() {
        let scope = "of this controller's Istio revision";
        let words = match name {
            Some(name) => format!("there is no ServiceFence {namespace}/{name} {scope}\n"),
            None => format!("there is no ServiceFence {scope} in namespace {namespace}\n"),
        };
        return (StatusCode::NOT_FOUND, words);
    }
    for fence in &fences {
        reset.resets.wish(fence.clone());
        reset.queue.touch(Key::Fence(fence.clone()));
    }
    let is_done = tokio::time::timeout(PATIENCE, reset.resets.closed(&fences)).await;
    let names: Vec<String> = fences.iter().map(ObjectRef::to_string).collect();
    let names = names.join(", ");
    match is_done {
        Ok(()) => (StatusCode::OK, format!("reset: {names}\n")),
        Err(_) => (
            StatusCode::ACCEPTED,
            format!("to be reset as soon as the API server takes it: {names}\n"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::ServiceFence,
        index::{Indexed, World},
    };
    use axum::http::{Method, Request};
    use kube::{Client, client::Body};
    use serde_json::json;

    fn mk_reset(fences: &[(&str, &str)]) -> Reset {
        let mut world = World::default();
        for (namespace, name) in fences {
            let fence: ServiceFence = serde_json::from_value(json!({
                "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
                "metadata": { "namespace": namespace, "name": name }, "spec": { "enable": true },
            }))
            .unwrap();
            fence.upsert(&mut world, &mut Vec::new());
        }
        let queue = Queue::default();
        Reset {
            index: Arc::new(Index::new(world, queue.clone())),
            queue,
            resets: Resets::default(),
            readiness: Readiness::default(),
        }
    }

    async fn ask(reset: &Reset, method: Method, uri: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(uri);
        let request = request.body(Body::empty()).unwrap();
        let client = Client::new(reset_router(reset.clone()), "default");
        let response = client.send(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect_bytes().await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Fulfils wishes as they come, as the writer does.
    fn fulfil(reset: &Reset) {
        let reset = reset.clone();
        tokio::spawn(async move {
            loop {
                let job = reset.queue.next().await;
                if let Key::Fence(name) = &job.key
                    && let Some(wish) = reset.resets.open(name)
                {
                    reset.resets.close(name, wish);
                }
                reset.queue.finish(job.key, crate::queue::Outcome::Done);
            }
        });
    }

    #[tokio::test]
    async fn a_fence_or_all_of_a_namespace_are_reset_under_any_module_name() {
        let reset = mk_reset(&[("a", "x"), ("a", "y"), ("b", "x")]);
        fulfil(&reset);
        for (method, uri, answer) in [
            (
                Method::GET,
                "/lazyload/debug/svfReset?ns=a&name=x",
                "reset: a/x\n",
            ),
            (
                Method::POST,
                "/any/debug/svfReset?ns=a&svc=y",
                "reset: a/y\n",
            ),
            (
                Method::GET,
                "/debug/svfReset?ns=a&name=",
                "reset: a/x, a/y\n",
            ),
        ] {
            assert_eq!(
                ask(&reset, method, uri).await,
                (200, answer.to_owned()),
                "{uri}"
            );
        }
    }

    #[tokio::test]
    async fn what_cannot_be_meant_is_refused_in_words() {
        let reset = mk_reset(&[("a", "x")]);
        for (uri, status, words) in [
            ("/debug/svfReset", 400, "ns is needed"),
            ("/debug/svfReset?ns=&name=x", 400, "ns is needed"),
            ("/debug/svfReset?ns=a&name=z", 404, "no ServiceFence a/z"),
            ("/debug/svfReset?ns=c", 404, "in namespace c"),
        ] {
            let (found, answer) = ask(&reset, Method::GET, uri).await;
            assert_eq!(found, status, "{uri}");
            assert!(answer.contains(words), "{answer}");
        }
    }

    #[tokio::test]
    async fn nothing_is_said_not_to_exist_before_all_fences_are_known() {
        let reset = mk_reset(&[("a", "x")]);
        let watch = reset
            .readiness
            .part("watch of servicefences has not synced");
        for uri in ["/debug/svfReset?ns=a&name=z", "/debug/svfReset?ns=a"] {
            let (status, answer) = ask(&reset, Method::GET, uri).await;
            assert_eq!(status, 503, "{answer}");
        }
        watch.mark();
        let (status, answer) = ask(&reset, Method::GET, "/debug/svfReset?ns=a&name=z").await;
        assert_eq!(status, 404, "{answer}");
    }

    #[tokio::test]
    async fn fences_of_another_controller_are_left_alone() {
        let reset = mk_reset(&[("a", "ours")]);
        let theirs: ServiceFence = serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
            "metadata": { "namespace": "a", "name": "theirs", "labels": { "istio.io/rev": "b" } }, "spec": {},
        }))
        .unwrap();
        let mut settings = crate::settings::Settings::default();
        settings.revisions.in_scope.insert("a".to_owned());
        reset.index.write(|world, concerned| {
            world.configure(Arc::new(settings), concerned);
            theirs.upsert(world, concerned);
        });
        fulfil(&reset);
        let all = ask(&reset, Method::GET, "/debug/svfReset?ns=a").await;
        assert_eq!(all, (200, "reset: a/ours\n".to_owned()));
        let one = ask(&reset, Method::GET, "/debug/svfReset?ns=a&name=theirs").await;
        assert_eq!(one.0, 404, "{}", one.1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_that_takes_long_is_promised() {
        let reset = mk_reset(&[("a", "x")]);
        let (status, answer) = ask(&reset, Method::GET, "/debug/svfReset?ns=a").await;
        assert_eq!(status, 202, "{answer}");
        assert!(reset.resets.open(&ObjectRef::new("a", "x")).is_some());
    }
}
