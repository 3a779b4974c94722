//! The admin port: metrics and probes, and what users may ask for.

mod reset;

pub use reset::{Reset, reset_router};

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::registry::Registry;

use crate::readiness::Readiness;

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Admin {
    registry: Arc<Registry>,
    readiness: Readiness,
}

/// `/metrics` in OpenMetrics text, `/livez` (200 as long as the process answers) and `/readyz` (200 once everything has
/// come up, else 503 and what is missing, one per line).
pub fn router(registry: Registry, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(Admin {
            registry: Arc::new(registry),
            readiness,
        })
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &admin.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let missing = admin.readiness.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    let lines: String = missing
        .iter()
        .map(|part| format!("not ready: {part}\n"))
        .collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    async fn body(response: Response) -> (StatusCode, String) {
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 65_536).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_names_what_is_missing() {
        let readiness = Readiness::default();
        let part = readiness.part("watch of services has not synced");
        let admin = Admin {
            registry: Arc::default(),
            readiness,
        };
        assert_eq!(
            body(readyz(State(admin.clone())).await).await,
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: watch of services has not synced\n".to_owned()
            )
        );
        part.mark();
        assert_eq!(
            body(readyz(State(admin)).await).await,
            (StatusCode::OK, "ok\n".to_owned())
        );
    }
}
