//! The server: says who it is and what it got, and remembers what it saw.

use anyhow::Result;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use integration::oracle::wire::{FAIL, Fields, ID, RECORDS_PORT, SLEEP, Seen};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Requests that are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 20_000;
/// Messages of a gRPC server stream, and the time between them.
const MESSAGES: (usize, Duration) = (5, Duration::from_millis(20));

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// What the server is and has seen.
struct Server {
    version: String,
    seen: Mutex<VecDeque<Arc<Mutex<Seen>>>>,
}

/// Serves until SIGTERM.
pub async fn serve(version: String, ports: &[u16]) -> Result<()> {
    let server = Arc::new(Server {
        version,
        seen: Mutex::default(),
    });
    for port in ports.iter().chain([&RECORDS_PORT]) {
        let listener = TcpListener::bind(("0.0.0.0", *port)).await?;
        tokio::spawn(accept(server.clone(), listener, *port));
    }
    let mut ends = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    ends.recv().await;
    Ok(())
}

async fn accept(server: Arc<Server>, listener: TcpListener, port: u16) {
    while let Ok((stream, _)) = listener.accept().await {
        let server = server.clone();
        tokio::spawn(async move {
            let answer = hyper::service::service_fn(move |request| {
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.answer(request, port).await) }
            });
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let io = TokioIo::new(stream);
            let _ = builder.serve_connection_with_upgrades(io, answer).await;
        });
    }
}

impl Server {
    async fn answer(&self, request: Request<Incoming>, port: u16) -> Response<Body> {
        if port == RECORDS_PORT {
            return plain(self.records(request.uri().query().unwrap_or_default()));
        }
        let seen = self.remember(&request, port);
        if self.is_to_fail(request.headers()) {
            drain(request.into_body(), &seen).await;
            let mut refused = plain("not yet".into());
            *refused.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return refused;
        }
        if let Some(wait) = number(request.headers(), SLEEP) {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        let header = |name| request.headers().get(name).map(|value| value.as_bytes());
        if header("content-type").is_some_and(|kind| kind.starts_with(b"application/grpc")) {
            return self.grpc(request, seen).await;
        }
        if header("upgrade").is_some() {
            return upgrade(request);
        }
        let wants_trailers = header("te").is_some();
        drain(request.into_body(), &seen).await;
        let seen = lock(&seen);
        let (method, path, length) = (&seen.method, &seen.path, seen.length);
        let (version, digest) = (&self.version, &seen.digest);
        let text = format!("{version} answered {method} {path} with {length} bytes of {digest}\n");
        if !wants_trailers {
            return plain(text);
        }
        let mut trailers = HeaderMap::new();
        trailers.insert(
            "x-oracle-trailer",
            hyper::http::HeaderValue::from_static("end"),
        );
        let frames = [Frame::data(Bytes::from(text)), Frame::trailers(trailers)];
        let body = StreamBody::new(futures::stream::iter(frames.map(Ok)));
        Response::new(BodyExt::boxed(body))
    }

    fn remember(&self, request: &Request<Incoming>, port: u16) -> Arc<Mutex<Seen>> {
        let host = request.headers().get("host");
        let authority = match request.uri().authority() {
            Some(authority) => authority.to_string(),
            None => host.map(text).unwrap_or_default(),
        };
        let path = request.uri().path_and_query();
        let seen = Arc::new(Mutex::new(Seen {
            id: request.headers().get(ID).map(text).unwrap_or_default(),
            version: self.version.clone(),
            port,
            protocol: format!("{:?}", request.version()),
            method: request.method().to_string(),
            authority,
            path: path.map(ToString::to_string).unwrap_or_default(),
            headers: fields(request.headers()),
            ..Seen::default()
        }));
        let mut remembered = lock(&self.seen);
        remembered.push_back(seen.clone());
        if remembered.len() > REMEMBERED {
            remembered.pop_front();
        }
        seen
    }

    /// Counts the attempts of a request by how often its id was seen.
    fn is_to_fail(&self, headers: &HeaderMap) -> bool {
        let Some(failures) = number(headers, FAIL) else {
            return false;
        };
        let id = headers.get(ID).map(text).unwrap_or_default();
        let remembered = lock(&self.seen);
        let attempts = remembered.iter().filter(|seen| lock(seen).id == id);
        attempts.count() as u64 <= failures
    }

    fn records(&self, prefix: &str) -> String {
        let remembered = lock(&self.seen);
        let records = remembered.iter().map(|seen| lock(seen).clone());
        let wanted: Vec<Seen> = records.filter(|seen| seen.id.starts_with(prefix)).collect();
        serde_json::to_string(&wanted).unwrap_or_default()
    }

    async fn grpc(&self, request: Request<Incoming>, seen: Arc<Mutex<Seen>>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let mut body = Some(request.into_body());
        // An answer that begins before the request ends is for echoes alone: elsewhere Envoy adds to its headers how long it took
        // from one to the other, and would do so by chance.
        if !path.ends_with("/Bidirectional")
            && let Some(body) = body.take()
        {
            drain(body, &seen).await;
        }
        let (mut sender, frames) = futures::channel::mpsc::channel::<Frame<Bytes>>(8);
        let version = self.version.clone();
        tokio::spawn(async move {
            if let Some(body) = body {
                let mut body = body.into_data_stream();
                // Frames of messages are not looked at: what comes is what goes.
                while let Some(Ok(bytes)) = body.next().await {
                    lock(&seen).length += bytes.len();
                    if sender.send(Frame::data(bytes)).await.is_err() {
                        return;
                    }
                }
                lock(&seen).whole = true;
            } else {
                let got = lock(&seen).length;
                let messages = if path.ends_with("/ServerStream") {
                    MESSAGES.0
                } else {
                    1
                };
                for number in 0..messages {
                    let message = format!("{version} sends {number} for {got} bytes");
                    if sender
                        .send(Frame::data(message_frame(&message)))
                        .await
                        .is_err()
                    {
                        return;
                    }
                    tokio::time::sleep(MESSAGES.1).await;
                }
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", hyper::http::HeaderValue::from_static("0"));
            let _ = sender.send(Frame::trailers(trailers)).await;
        });
        let mut response = Response::new(BodyExt::boxed(StreamBody::new(frames.map(Ok))));
        let kind = hyper::http::HeaderValue::from_static("application/grpc");
        response.headers_mut().insert("content-type", kind);
        response
    }
}

/// gRPC's frame: not compressed, length, message.
fn message_frame(message: &str) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or_default();
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend(message.as_bytes());
    frame.into()
}

/// Answers a websocket upgrade, and echoes what comes through it.
fn upgrade(mut request: Request<Incoming>) -> Response<Body> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let mut stream = TokioIo::new(upgraded);
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    });
    let mut response = plain(String::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [("upgrade", "websocket"), ("connection", "Upgrade")] {
        let value = hyper::http::HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

async fn drain(mut body: Incoming, seen: &Mutex<Seen>) {
    let mut hash = Sha256::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            hash.update(data);
            lock(seen).length += data.len();
        }
        if let Some(trailers) = frame.trailers_ref() {
            lock(seen).trailers = fields(trailers);
        }
    }
    let mut seen = lock(seen);
    let digest = hash.finalize();
    seen.digest = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    seen.whole = hyper::body::Body::is_end_stream(&body);
}

fn plain(text: String) -> Response<Body> {
    Response::new(BodyExt::boxed(Full::new(Bytes::from(text))))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// A header's value as text.
pub fn text(value: &hyper::http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Headers in their order, the authority left out, which is told by itself.
pub fn fields(headers: &HeaderMap) -> Fields {
    let named = headers.iter().filter(|(name, _)| *name != "host");
    named
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
