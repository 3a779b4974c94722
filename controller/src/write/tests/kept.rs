use super::*;
use crate::{
    api::ServiceEntry,
    placeholder::{PlaceholderPorts, render},
};

/// The placeholder of an older port, as the index wrongly believes in it.
fn mk_placeholder(port: u16) -> Value {
    let ports = PlaceholderPorts {
        open: [port].into(),
        ..PlaceholderPorts::default()
    };
    let mut entry = serde_json::to_value(render(&ports, &Settings::default())).unwrap();
    entry["metadata"]["uid"] = json!("gone");
    entry
}

fn not_found() -> (u16, Value) {
    let (code, mut status) = failure(404);
    status["reason"] = json!("NotFound");
    (code, status)
}

fn mk_http_service(name: &str, port: u16) -> Value {
    let metadata = json!({ "namespace": "default", "name": name });
    json!({ "metadata": metadata, "spec": { "ports": [{ "port": port, "name": "http" }] } })
}

#[tokio::test]
async fn a_placeholder_that_is_gone_after_all_is_made_anew() {
    for code in [404, 409, 422] {
        let answer = move |method: &str, _: &str, body: &Value| match method {
            "PATCH" => failure(code),
            "GET" => not_found(),
            _ => (201, body.clone()),
        };
        let (writer, asked) = mk_holding_writer(Arc::default(), answer, |_, _| true);
        add::<k8s_openapi::api::core::v1::Service>(&writer, mk_http_service("a", 80));
        add::<ServiceEntry>(&writer, mk_placeholder(81));
        let again = Outcome::Retry(Learned::new());
        assert_eq!(writer.placeholder().await, again);
        assert_eq!(writer.placeholder().await, Outcome::Done);
        let (patch, get) = ("PATCH lazyload-placeholder", "GET lazyload-placeholder");
        assert_eq!(methods(&asked), [patch, get, "POST serviceentries"]);
    }
}

#[tokio::test]
async fn a_placeholder_that_is_gone_when_it_is_to_be_deleted_is_forgotten() {
    let (writer, asked) = mk_writer(|_, _, _| not_found());
    add::<ServiceEntry>(&writer, mk_placeholder(81));
    for _ in 0..2 {
        writer.placeholder().await;
    }
    assert!(writer.index.read(World::placeholder).is_none());
    let (delete, get) = ("DELETE lazyload-placeholder", "GET lazyload-placeholder");
    assert_eq!(methods(&asked), [delete, get]);
}
