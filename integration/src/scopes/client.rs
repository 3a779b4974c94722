//! Proxies as istiod sees them: delta ADS streams that subscribe to what a sidecar does, and acknowledge it.

mod names;
mod node;

use super::Size;
use super::world::workload;
use crate::mesh::Mesh;
use crate::netns;
use crate::supervisor::NODE_ADDRESS;
use anyhow::{Context, Result, anyhow};
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource,
};
use futures::stream;
use names::{endpoints_of, routes_of};
use node::mk_node;
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tonic::transport::Endpoint;

const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ENDPOINTS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const LISTENERS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/// istiod's plaintext port.
const PORT: u16 = 15010;

/// What all proxies together have received.
#[derive(Debug, Default)]
pub struct Received {
    responses: AtomicU64,
    bytes: AtomicU64,
    with_routes: AtomicU64,
}

impl Received {
    /// Responses and their bytes so far.
    pub fn so_far(&self) -> (u64, u64) {
        (
            self.responses.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }

    /// How many proxies have routes, which come last.
    pub fn complete(&self) -> u64 {
        self.with_routes.load(Ordering::Relaxed)
    }
}

/// Connected proxies. They go when this is dropped.
pub struct Proxies {
    /// What they receive.
    pub received: Arc<Received>,
    failed: oneshot::Receiver<anyhow::Error>,
    _stop: oneshot::Sender<()>,
}

impl Proxies {
    /// Connects one proxy for each Sidecar.
    pub fn connect(mesh: &Mesh, size: Size) -> Result<Self> {
        let received = Arc::<Received>::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let (fail, failed) = oneshot::channel();
        let (network, counted) = (mesh.network(), received.clone());
        std::thread::Builder::new()
            .name("proxies".into())
            .spawn(move || {
                let outcome = netns::enter(&network).and_then(|()| {
                    let runtime = tokio::runtime::Builder::new_multi_thread()
                        .enable_all()
                        .build()?;
                    runtime.block_on(async {
                        tokio::select! {
                            _ = stopped => Ok(()),
                            ended = run_all(size, &counted) => ended,
                        }
                    })
                });
                // Whoever has gone does not ask.
                let _ = outcome.map_err(|error| fail.send(error));
            })?;
        Ok(Self {
            received,
            failed,
            _stop: stop,
        })
    }

    /// Fails once any of them has lost its stream: the measured load is then another.
    pub fn check(&mut self) -> Result<()> {
        match self.failed.try_recv() {
            Ok(error) => Err(error.context("a proxy has gone")),
            Err(oneshot::error::TryRecvError::Empty) => Ok(()),
            Err(oneshot::error::TryRecvError::Closed) => Err(anyhow!("the proxies have gone")),
        }
    }
}

async fn run_all(size: Size, received: &Arc<Received>) -> Result<()> {
    let mut proxies = JoinSet::new();
    for number in 0..size.sidecars {
        let received = received.clone();
        proxies.spawn(async move {
            let ended = Proxy::default().run(mk_node(size, number), &received).await;
            ended.with_context(|| workload(number))
        });
    }
    // None ends but by an error.
    while let Some(ended) = proxies.join_next().await {
        ended??;
    }
    Ok(())
}

/// What one proxy knows.
#[derive(Default)]
struct Proxy {
    /// Clusters and listeners that have been looked into.
    known: BTreeSet<String>,
    endpoints: BTreeSet<String>,
    routes: BTreeSet<String>,
    has_listeners: bool,
    has_routes: bool,
}

impl Proxy {
    async fn run(mut self, node: Node, received: &Received) -> Result<()> {
        let channel = Endpoint::from_shared(format!("http://{NODE_ADDRESS}:{PORT}"))?
            // Hundreds connect at one moment.
            .connect_timeout(std::time::Duration::from_secs(60))
            .connect()
            .await?;
        let mut client =
            AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(64 << 20);
        let (send, requests) = mpsc::unbounded_channel::<DeltaDiscoveryRequest>();
        let requests = stream::unfold(requests, async |mut requests| {
            Some((requests.recv().await?, requests))
        });
        send.send(DeltaDiscoveryRequest {
            node: Some(node),
            type_url: CLUSTERS.to_owned(),
            ..Default::default()
        })?;
        let mut responses = client
            .delta_aggregated_resources(requests)
            .await?
            .into_inner();
        while let Some(response) = responses.message().await? {
            received.responses.fetch_add(1, Ordering::Relaxed);
            received
                .bytes
                .fetch_add(response.encoded_len() as u64, Ordering::Relaxed);
            for request in self.answer(&response)? {
                send.send(request)?;
            }
            if !self.has_routes && response.type_url == ROUTES {
                self.has_routes = true;
                received.with_routes.fetch_add(1, Ordering::Relaxed);
            }
        }
        Err(anyhow!("istiod has ended the stream"))
    }

    /// The resources that were never received before: only these are looked into, for all proxies share one machine with istiod,
    /// which hangs up on whoever is slow to answer.
    fn unknown<'r>(
        &mut self,
        response: &'r DeltaDiscoveryResponse,
    ) -> std::vec::IntoIter<&'r Resource> {
        let mut new: Vec<&Resource> = response.resources.iter().collect();
        new.retain(|resource| {
            self.known
                .insert(format!("{} {}", response.type_url, resource.name))
        });
        new.into_iter()
    }

    /// The acknowledgement, and what the response makes a sidecar subscribe to.
    fn answer(&mut self, response: &DeltaDiscoveryResponse) -> Result<Vec<DeltaDiscoveryRequest>> {
        let mut answers = vec![DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            ..Default::default()
        }];
        match response.type_url.as_str() {
            CLUSTERS => {
                let named = self.unknown(response).map(endpoints_of);
                let named: BTreeSet<String> =
                    named.filter_map(Result::transpose).collect::<Result<_>>()?;
                answers.extend(subscribe(ENDPOINTS, &mut self.endpoints, named));
                // As Envoy does: listeners once there are clusters.
                if !std::mem::replace(&mut self.has_listeners, true) {
                    answers.push(DeltaDiscoveryRequest {
                        type_url: LISTENERS.to_owned(),
                        ..Default::default()
                    });
                }
            }
            LISTENERS => {
                let named = self.unknown(response).map(routes_of);
                let named = named
                    .collect::<Result<Vec<_>>>()?
                    .into_iter()
                    .flatten()
                    .collect();
                answers.extend(subscribe(ROUTES, &mut self.routes, named));
            }
            _ => {}
        }
        Ok(answers)
    }
}

fn subscribe(
    type_url: &str,
    known: &mut BTreeSet<String>,
    named: BTreeSet<String>,
) -> Option<DeltaDiscoveryRequest> {
    let new: Vec<String> = named.difference(known).cloned().collect();
    known.extend(named);
    (!new.is_empty()).then(|| DeltaDiscoveryRequest {
        type_url: type_url.to_owned(),
        resource_names_subscribe: new,
        ..Default::default()
    })
}
