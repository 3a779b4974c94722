//! mTLS and AuthorizationPolicies. The policies themselves belong to the servers.

use crate::oracle::case::{ALLOWED_PORT, Case, DENIED_PORT, STRICT_HTTP2_PORT, STRICT_PORT};
use crate::oracle::wire::{Body, Protocol};
use serde_json::json;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("strict").port(STRICT_PORT),
        Case::new("strict-post-10m")
            .port(STRICT_PORT)
            .body(Body::Sized(10 * 1024 * 1024)),
        Case::new("strict-parallel").port(STRICT_PORT).parallel(50),
        Case::new("strict-bidirectional")
            .grpc(Protocol::GrpcBidirectional)
            .port(STRICT_HTTP2_PORT),
        Case::new("strict-websocket")
            .protocol(Protocol::Websocket)
            .port(STRICT_PORT),
        Case::new("authorization-allowed").port(ALLOWED_PORT),
        Case::new("authorization-denied").port(DENIED_PORT),
        Case::new("server-without-sidecar")
            .service(json!({"selector": {"app": "plain", "version": null}})),
    ]
}
