//! What goes over the wire.

use crate::oracle::case::{CALL_ID, Case, HTTP2_PORT, STRICT_TCP_PORT, TCP_PORT, UNDECLARED_PORT};
use crate::oracle::wire::{Body, Protocol};
use serde_json::json;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("get"),
        Case::new("post-nothing").body(Body::Sized(0)),
        Case::new("post-64k").body(Body::Sized(64 * 1024)),
        Case::new("post-10m").body(Body::Sized(10 * 1024 * 1024)),
        Case::new("chunked-upload").body(Body::Chunked(20)),
        Case::new("head").method("HEAD"),
        Case::new("http10").protocol(Protocol::Http10),
        Case::new("h2-prior-knowledge").protocol(Protocol::Http2),
        Case::new("h2-trailers")
            .port(HTTP2_PORT)
            .service_port(json!({"name": "http2"}))
            .protocol(Protocol::Http2)
            .header("te", "trailers"),
        Case::new("h2-post-64k")
            .protocol(Protocol::Http2)
            .body(Body::Sized(64 * 1024)),
        Case::new("grpc-unary").grpc(Protocol::GrpcUnary),
        Case::new("grpc-client-stream").grpc(Protocol::GrpcClientStream),
        Case::new("grpc-server-stream").grpc(Protocol::GrpcServerStream),
        Case::new("grpc-bidirectional").grpc(Protocol::GrpcBidirectional),
        Case::new("websocket").protocol(Protocol::Websocket),
        Case::new("keep-alive").keep(),
        Case::new("h2-keep-alive").protocol(Protocol::Http2).keep(),
        Case::new("parallel").parallel(50),
        Case::new("port-app-http").service_port(json!({"name": "web", "appProtocol": "http"})),
        Case::new("port-app-h2c")
            .port(HTTP2_PORT)
            .service_port(json!({"name": "web", "appProtocol": "kubernetes.io/h2c"}))
            .protocol(Protocol::Http2),
        Case::new("port-app-grpc")
            .grpc(Protocol::GrpcUnary)
            .service_port(json!({"name": "web", "appProtocol": "grpc"})),
        Case::new("port-undeclared")
            .port(UNDECLARED_PORT)
            .service_port(json!({"name": "web"})),
        Case::new("port-undeclared-beside-http").service_port(json!({"name": "web"})),
        Case::new("port-tcp")
            .port(TCP_PORT)
            .service_port(json!({"name": "tcp-web"})),
        Case::new("port-tcp-strict")
            .port(STRICT_TCP_PORT)
            .service_port(json!({"name": "tcp-web"})),
        Case::new("app-headers")
            .header("slime-orig-dest", "10.9.8.7:6")
            .header("x-request-id", CALL_ID)
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
            .header("x-forwarded-for", "192.0.2.7")
            .header("x-envoy-retry-on", "5xx")
            .header("x-envoy-upstream-rq-timeout-ms", "9000"),
        Case::new("app-reserved-headers")
            .header("x-lazyload-replay", "lazyload-replay-8000")
            .header("x-lazyload-probe", "1"),
    ]
}
