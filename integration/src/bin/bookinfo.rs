//! One program that plays the four services of Bookinfo, and the client that asks them.

use anyhow::{Context, Result, bail};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::{Json, Router};
use clap::{Parser, Subcommand};
use integration::http::{Reply, Served};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// The port that every Bookinfo service listens on.
const PORT: u16 = 9080;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Serve as one of the services.
    Serve(Identity),
    /// Make one GET and print the reply as JSON.
    Get {
        /// What to get.
        url: String,
        /// A header, as NAME: VALUE.
        #[arg(long)]
        header: Vec<String>,
    },
    /// GET until the answer is 200, say when the first one was not, and at last when that was, in microseconds since 1970.
    Await {
        /// What to get.
        url: String,
    },
}

/// Who this is.
#[derive(Clone, clap::Args)]
struct Identity {
    /// The service's name.
    #[arg(long)]
    service: String,
    /// Its version.
    #[arg(long)]
    version: String,
}

impl Identity {
    /// The services that this one asks, in Bookinfo's call graph.
    fn calls(&self) -> &'static [&'static str] {
        match (self.service.as_str(), self.version.as_str()) {
            ("productpage", _) => &["details", "reviews"],
            ("reviews", "v2" | "v3") => &["ratings"],
            _ => &[],
        }
    }
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Task::Get { url, header } => {
            let headers: Result<Vec<_>> = header
                .iter()
                .map(|header| {
                    header
                        .split_once(": ")
                        .with_context(|| format!("{header:?} is not NAME: VALUE"))
                })
                .collect();
            println!("{}", serde_json::to_string(&get(&url, &headers?))?);
            Ok(())
        }
        Task::Await { url } => await_success(&url),
        Task::Serve(identity) => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?
            .block_on(serve(identity)),
    }
}

async fn serve(identity: Identity) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", PORT)).await?;
    let ends = async {
        if let Ok(mut signal) =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        {
            signal.recv().await;
        }
    };
    Ok(axum::serve(
        listener,
        Router::new().fallback(answer).with_state(identity),
    )
    .with_graceful_shutdown(ends)
    .await?)
}

async fn answer(State(identity): State<Identity>, uri: Uri, headers: HeaderMap) -> Json<Served> {
    let headers: BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let asked = identity.calls().iter().map(|service| {
        let url = format!("http://{service}:{PORT}{uri}");
        tokio::task::spawn_blocking(move || ((*service).to_owned(), get(&url, &[])))
    });
    let calls = futures::future::join_all(asked)
        .await
        .into_iter()
        .flatten()
        .collect();
    let caller = headers
        .get("x-forwarded-client-cert")
        .and_then(|certificates| spiffe(certificates));
    Json(Served {
        service: identity.service,
        version: identity.version,
        caller,
        headers,
        calls,
    })
}

/// The identity in the last element: the one that this pod's own sidecar added.
fn spiffe(certificates: &str) -> Option<String> {
    let own = certificates.rsplit(',').next()?;
    own.split(';')
        .find_map(|pair| pair.strip_prefix("URI="))
        .map(str::to_owned)
}

/// Between two tries of [`await_success`]: short beside what is measured with it, long beside what a try costs.
const TRY_AGAIN: Duration = Duration::from_millis(1);

/// Tries until an answer is 200, on a connection that is open by then, for at most [`CALL_LIMIT`].
fn await_success(url: &str) -> Result<()> {
    let start = Instant::now();
    let agent = agent();
    let mut is_told = false;
    while start.elapsed() < CALL_LIMIT {
        let answer = agent.get(url).call();
        if answer.is_ok_and(|answer| answer.status() == 200) {
            println!(
                "{}",
                SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros()
            );
            return Ok(());
        }
        if !std::mem::replace(&mut is_told, true) {
            println!("not yet");
        }
        std::thread::sleep(TRY_AGAIN);
    }
    bail!("no answer of {url} was 200 in {} s", CALL_LIMIT.as_secs())
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(CALL_LIMIT))
        .build();
    config.into()
}

fn get(url: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = agent().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let start = Instant::now();
    let answered = request.call().and_then(|mut response| {
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| {
                (
                    name.to_string(),
                    value.to_str().unwrap_or_default().to_owned(),
                )
            })
            .collect();
        let body = response.body_mut().read_to_vec()?;
        Ok((response.status().as_u16(), headers, body))
    });
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    match answered {
        Ok((status, headers, body)) => Reply {
            status,
            error: None,
            headers,
            body: serde_json::from_slice(&body).ok(),
            milliseconds,
        },
        Err(error) => Reply {
            status: 0,
            error: Some(error.to_string()),
            headers: BTreeMap::new(),
            body: None,
            milliseconds,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_the_identity_that_the_last_hop_proved() {
        let header = "By=spiffe://a;URI=spiffe://forged,By=spiffe://b;Hash=1;Subject=\"\";URI=spiffe://cluster.local/ns/n/sa/s";
        assert_eq!(
            spiffe(header).as_deref(),
            Some("spiffe://cluster.local/ns/n/sa/s")
        );
    }
}
