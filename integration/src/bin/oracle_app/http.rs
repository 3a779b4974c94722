//! Calls in HTTP/1.0, HTTP/1.1 and HTTP/2, and a websocket's upgrade.

use crate::serve::fields;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use integration::oracle::wire::{Body, Call, Fields, ID, Protocol, Reply};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of an answer that are kept.
const KEPT: usize = 4096;
/// The size of a chunk, and the time between two.
const CHUNK: (usize, Duration) = (16 * 1024, Duration::from_millis(10));
/// What goes through a websocket.
const WORDS: &[u8] = b"one two three";

type Content = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// An open connection.
pub enum Open {
    /// HTTP/1.1.
    Http1(http1::SendRequest<Content>),
    /// HTTP/2.
    Http2(http2::SendRequest<Content>),
}

/// Connections that are kept, by authority and whether they are HTTP/2.
pub type Kept = HashMap<(String, bool), Open>;

impl Open {
    async fn connect(call: &Call, address: SocketAddr) -> Result<Self> {
        let io = TokioIo::new(TcpStream::connect(address).await.context("not connected")?);
        if call.protocol == Protocol::Http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            return Ok(Self::Http2(sender));
        }
        let (sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(Self::Http1(sender))
    }

    async fn send(&mut self, request: Request<Content>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(sender) => sender.send_request(request).await,
        }
    }

    async fn is_usable(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }
}

/// One request, on the kept connection where the call asks for that and there is one.
pub async fn call(call: &Call, address: SocketAddr, kept: Option<&mut Kept>) -> Result<Reply> {
    let mut kept = kept.filter(|_| call.keep);
    let key = (call.authority.clone(), call.protocol == Protocol::Http2);
    let mut open = kept.as_mut().and_then(|kept| kept.remove(&key));
    let reused = match &mut open {
        Some(open) => open.is_usable().await,
        None => false,
    };
    let mut open = match open {
        Some(open) if reused => open,
        _ => Open::connect(call, address).await?,
    };
    let response = open.send(request(call)?).await?;
    let reply = Reply {
        reused,
        ..read(response).await
    };
    if let Some(kept) = kept {
        kept.insert(key, open);
    }
    Ok(reply)
}

fn request(call: &Call) -> Result<Request<Content>> {
    let mut request = Request::builder().method(call.method.as_str());
    request = match call.protocol {
        Protocol::Http2 => request.uri(
            Uri::builder()
                .scheme("http")
                .authority(call.authority.as_str())
                .path_and_query(call.path.as_str())
                .build()?,
        ),
        _ => request
            .uri(call.path.as_str())
            .header("host", &call.authority),
    };
    request = request.header(ID, &call.id).header("user-agent", "oracle");
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    let body: Content = match call.body {
        Body::None => Empty::new().boxed(),
        Body::Sized(length) => Full::new(bytes(length)).boxed(),
        Body::Chunked(number) => {
            let chunks = futures::stream::iter(0..number).then(|_| async {
                tokio::time::sleep(CHUNK.1).await;
                Ok(Frame::data(bytes(CHUNK.0)))
            });
            BodyExt::boxed(StreamBody::new(chunks))
        }
    };
    Ok(request.body(body)?)
}

/// Bytes that repeat with an odd period, so that a piece that is lost or doubled shows in the digest.
fn bytes(length: usize) -> Bytes {
    (0..length)
        .map(|index| (index % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}

async fn read(response: Response<Incoming>) -> Reply {
    let (head, mut body) = response.into_parts();
    let mut reply = Reply {
        status: head.status.as_u16(),
        headers: fields(&head.headers),
        ..Reply::default()
    };
    let mut content = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Some(data) = frame.data_ref() {
                    let room = KEPT - content.len().min(KEPT);
                    content.extend_from_slice(&data[..data.len().min(room)]);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    reply.trailers = fields(trailers);
                }
            }
            Err(error) => {
                reply.error = Some(error.to_string());
                break;
            }
        }
    }
    reply.body = String::from_utf8_lossy(&content).into_owned();
    reply
}

/// An upgrade, some bytes through it, and their echo.
pub async fn websocket(call: &Call, address: SocketAddr) -> Result<Reply> {
    let mut open = Open::connect(call, address).await?;
    let mut request = request(call)?;
    for (name, value) in [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        let value = hyper::http::HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
    }
    let mut response = open.send(request).await?;
    if response.status() != 101 {
        return Ok(read(response).await);
    }
    let mut reply = Reply {
        status: 101,
        headers: fields(response.headers()),
        ..Reply::default()
    };
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut response).await?);
    stream.write_all(WORDS).await?;
    let mut echo = vec![0; WORDS.len()];
    stream.read_exact(&mut echo).await?;
    reply.body = String::from_utf8_lossy(&echo).into_owned();
    Ok(reply)
}

/// HTTP/1.0, which no library speaks any more.
pub async fn old(call: &Call, address: SocketAddr) -> Result<Reply> {
    let mut stream = TcpStream::connect(address).await.context("not connected")?;
    let (method, path, authority) = (&call.method, &call.path, &call.authority);
    let mut text = format!(
        "{method} {path} HTTP/1.0\r\nHost: {authority}\r\n{ID}: {}\r\n",
        call.id
    );
    for (name, value) in &call.headers {
        text += &format!("{name}: {value}\r\n");
    }
    stream.write_all((text + "\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    // Not to the connection's end, which Envoy puts off for a second after it has refused a request.
    while answer.len() < KEPT && !is_whole(&String::from_utf8_lossy(&answer)) {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    parse(&String::from_utf8_lossy(&answer))
}

fn is_whole(answer: &str) -> bool {
    let Ok(reply) = parse(answer) else {
        return false;
    };
    let length = reply
        .headers
        .iter()
        .find(|(name, _)| name == "content-length");
    length.is_some_and(|(_, length)| length.parse() == Ok(reply.body.len()))
}

fn parse(answer: &str) -> Result<Reply> {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        bail!("connection closed without an answer");
    };
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: Fields = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Ok(Reply {
        status: status.context("no status")?,
        headers,
        body: body.to_owned(),
        ..Reply::default()
    })
}
