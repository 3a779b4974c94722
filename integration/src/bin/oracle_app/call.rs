//! The client: a line in, a call, a line out.

use crate::{grpc, http};
use anyhow::{Context, Result};
use integration::oracle::wire::{Call, Protocol, Replies, Reply, Times};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long one call may take, whatever happens.
const CALL_LIMIT: Duration = Duration::from_secs(15);

/// Makes calls until standard input ends.
pub async fn run() -> Result<()> {
    let mut kept = http::Kept::new();
    // Connections have threads of their own: this one may wait.
    for line in std::io::stdin().lines() {
        let call: Call = serde_json::from_str(&line?)?;
        let replies: Replies = match call.times {
            Times::Once => vec![one(&call, Some(&mut kept)).await],
            Times::Parallel(number) => {
                let calls: Vec<Call> = (0..number).map(|index| numbered(&call, index)).collect();
                futures::future::join_all(calls.iter().map(|call| one(call, None))).await
            }
        };
        println!("{}", serde_json::to_string(&replies)?);
    }
    Ok(())
}

fn numbered(call: &Call, index: usize) -> Call {
    Call {
        id: format!("{}.{index}", call.id),
        ..call.clone()
    }
}

async fn one(call: &Call, kept: Option<&mut http::Kept>) -> Reply {
    let start = Instant::now();
    let work = async {
        let address = resolve(call).await?;
        match call.protocol {
            Protocol::Http10 => http::old(call, address).await,
            Protocol::Http11 | Protocol::Http2 => http::call(call, address, kept).await,
            Protocol::Websocket => http::websocket(call, address).await,
            _ => grpc::call(call, address).await,
        }
    };
    let mut reply = match tokio::time::timeout(CALL_LIMIT, work).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => Reply {
            error: Some(format!("{error:#}")),
            ..Reply::default()
        },
        Err(_) => Reply {
            error: Some("no answer in time".into()),
            ..Reply::default()
        },
    };
    reply.milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    reply
}

async fn resolve(call: &Call) -> Result<SocketAddr> {
    let host = match &call.address {
        Some(address) => address.clone(),
        None => {
            let host = call.authority.split(':').next().unwrap_or_default();
            // A hosts file knows no trailing dots, which a resolver takes for the end of the name.
            host.trim_end_matches('.').to_lowercase()
        }
    };
    let mut found = tokio::net::lookup_host((host.as_str(), call.port))
        .await
        .with_context(|| format!("no address for {host}"))?;
    found
        .next()
        .with_context(|| format!("no address for {host}"))
}
