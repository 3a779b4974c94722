//! What the oracle and its program tell each other: a line of JSON each way.

use serde::{Deserialize, Serialize};

/// The port on which the program tells what it has seen, to whoever is in its pod's network.
pub const RECORDS_PORT: u16 = 8999;
/// Marks a request, so that what the upstreams saw of it can be found. Never compared.
pub const ID: &str = "x-oracle-id";
/// Asks the upstream to fail so many attempts of a request, each with 503.
pub const FAIL: &str = "x-oracle-fail";
/// Asks the upstream to wait so many milliseconds before it answers.
pub const SLEEP: &str = "x-oracle-sleep";

/// Header or trailer fields in the order in which they came.
pub type Fields = Vec<(String, String)>;

/// How a call speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// An HTTP/1.1 upgrade, and an echo through it.
    Websocket,
    /// One gRPC message each way.
    GrpcUnary,
    /// Several messages to the server, one back.
    GrpcClientStream,
    /// One message to the server, several back.
    GrpcServerStream,
    /// Each message is sent when the one before it was echoed.
    GrpcBidirectional,
}

/// The body of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Body {
    /// None.
    None,
    /// So many bytes, their number told in advance.
    Sized(usize),
    /// So many chunks of 16 kB, a moment between them, their number not told.
    Chunked(usize),
}

/// How calls of one request follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Times {
    /// One.
    Once,
    /// So many at once, each on a connection of its own.
    Parallel(usize),
}

/// One request for a client to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// What it is known by at the upstream.
    pub id: String,
    /// How it speaks.
    pub protocol: Protocol,
    /// Host and, if it is to be sent, port, as in `Host` or `:authority`.
    pub authority: String,
    /// The port to connect to.
    pub port: u16,
    /// The address to connect to; that of the authority's host if none.
    pub address: Option<String>,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Further headers.
    pub headers: Fields,
    /// The body.
    pub body: Body,
    /// How often.
    pub times: Times,
    /// Whether the connection is kept, and used again by the next such call.
    pub keep: bool,
}

/// What came back for one request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The status; 0 where there was no answer.
    pub status: u16,
    /// Why there was no answer, or no whole one.
    pub error: Option<String>,
    /// Headers.
    pub headers: Fields,
    /// The body, or what gRPC messages and websocket bytes came, as text, cut after some kB.
    pub body: String,
    /// Trailers.
    pub trailers: Fields,
    /// Whether an open connection was used again.
    pub reused: bool,
    /// From sending to the last byte of the answer.
    pub milliseconds: f64,
}

/// What a client makes of a line.
pub type Replies = Vec<Reply>;

/// One request as an upstream saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// What it is known by.
    pub id: String,
    /// The upstream's version.
    pub version: String,
    /// The port that it came in on.
    pub port: u16,
    /// HTTP version.
    pub protocol: String,
    /// Method.
    pub method: String,
    /// `Host` or `:authority`.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Headers, without the authority.
    pub headers: Fields,
    /// Bytes of the body.
    pub length: usize,
    /// SHA-256 of the body.
    pub digest: String,
    /// Trailers.
    pub trailers: Fields,
    /// Whether the body came to its end.
    pub whole: bool,
}
