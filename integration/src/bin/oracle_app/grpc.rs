//! Calls in gRPC, by tonic, with messages that are plain bytes.

use anyhow::Result;
use bytes::{Buf, BufMut, Bytes};
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use integration::oracle::wire::{Call, Fields, ID, Protocol, Reply};
use std::net::SocketAddr;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, KeyAndValueRef, MetadataKey, MetadataMap};
use tonic::transport::Endpoint;
use tonic::{Request, Status, Streaming};

/// Messages of a stream.
const MESSAGES: usize = 4;

#[derive(Clone, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// One call of the kind that the protocol names. A refusal by status is a reply with that status among its trailers.
pub async fn call(call: &Call, address: SocketAddr) -> Result<Reply> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .origin(format!("http://{}", call.authority).parse()?);
    let channel = endpoint.connect().await?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    match exchange(call, &mut client).await {
        Ok(reply) => Ok(reply),
        Err(status) => Ok(Reply {
            status: 200,
            trailers: vec![("grpc-status".into(), format!("{:?}", status.code()))],
            body: status.message().to_owned(),
            headers: fields(status.metadata()),
            ..Reply::default()
        }),
    }
}

async fn exchange(
    call: &Call,
    client: &mut tonic::client::Grpc<tonic::transport::Channel>,
) -> Result<Reply, Status> {
    let (kind, messages) = match call.protocol {
        Protocol::GrpcClientStream => ("ClientStream", MESSAGES),
        Protocol::GrpcServerStream => ("ServerStream", 1),
        Protocol::GrpcBidirectional => ("Bidirectional", 1),
        _ => ("Unary", 1),
    };
    let path = format!("/oracle.Probe/{kind}")
        .parse()
        .map_err(|_| Status::internal("no path"))?;
    let (mut sender, receiver) = mpsc::channel(MESSAGES);
    for number in 0..messages {
        let _ = sender.send(message(number)).await;
    }
    let mut request = Request::new(receiver);
    let mut mark = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (
            MetadataKey::<Ascii>::from_bytes(name.as_bytes()),
            value.parse(),
        ) {
            request.metadata_mut().insert(name, value);
        }
    };
    mark(ID, &call.id);
    for (name, value) in &call.headers {
        mark(name, value);
    }
    let mut sender = Some(sender);
    if call.protocol != Protocol::GrpcBidirectional {
        sender = None;
    }
    let response = client.streaming(request, path, Plain).await?;
    let headers = fields(response.metadata());
    let mut answers = response.into_inner();
    let mut texts = Vec::new();
    while let Some(answer) = answers.next().await {
        texts.push(String::from_utf8_lossy(&answer?).into_owned());
        // Each message waits for the echo of the one before it.
        match &mut sender {
            Some(open) if texts.len() < MESSAGES => drop(open.send(message(texts.len())).await),
            _ => sender = None,
        }
    }
    let trailers = ended(&mut answers).await?;
    Ok(Reply {
        status: 200,
        headers,
        body: texts.join("\n"),
        trailers,
        ..Reply::default()
    })
}

async fn ended(answers: &mut Streaming<Bytes>) -> Result<Fields, Status> {
    let trailers = answers.trailers().await?;
    let mut trailers = trailers.as_ref().map(fields).unwrap_or_default();
    // tonic keeps the status to itself: a stream that ends without an error has ended with this one.
    trailers.push(("grpc-status".into(), "Ok".into()));
    Ok(trailers)
}

fn message(number: usize) -> Bytes {
    format!("message {number}").into()
}

fn fields(metadata: &MetadataMap) -> Fields {
    metadata
        .iter()
        .filter_map(|entry| match entry {
            KeyAndValueRef::Ascii(name, value) => Some((
                name.to_string(),
                value.to_str().unwrap_or_default().to_owned(),
            )),
            KeyAndValueRef::Binary(..) => None,
        })
        .collect()
}
