//! The report port, and what keeps it from taking more memory than it should.

use lazyload_protocol::v1::miss_service_server::MissServiceServer;
use tokio::net::TcpListener;
use tonic::transport::{Error, Server, server::TcpIncoming};

use super::Receiver;

/// Largest report that is read, far more than the filter sends. Reading can take some eighty times as much for an instant: a
/// miss that says nothing is two bytes on the wire.
const MAX_REQUEST_BYTES: usize = 512 * 1024;
/// Most calls of one connection that are worked on at the same time; the others wait. The controller's own sidecar brings
/// the reports of many over a few connections.
const CALLS_PER_CONNECTION: usize = 32;

/// Takes reports on `listener` until `stop`, then answers those under way.
///
/// # Errors
/// If the port breaks.
pub async fn serve(
    receiver: Receiver,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let service = MissServiceServer::new(receiver).max_decoding_message_size(MAX_REQUEST_BYTES);
    // Answers are small and somebody's request may be waiting for them.
    let connections = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .concurrency_limit_per_connection(CALLS_PER_CONNECTION)
        .add_service(service)
        .serve_with_incoming_shutdown(connections, stop)
        .await
}
