//! The gRPC service that takes reports.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use k8s_openapi::jiff;
use lazyload_protocol::v1::{
    FirstRequest, Outcome, ReportRequest, ReportResponse, Verdict, miss_service_server::MissService,
};
use tokio::time::Instant;
use tonic::{Request, Response, Status, metadata::MetadataMap};
use tracing::{debug, info, warn};

use super::{
    Identity, IdentityError, Judged, Judgement, Pods, Reason, Rules, Sender, check_sender,
    identity::CLIENT_CERTIFICATE_HEADER, is_own_sidecar, judge, peer_identity, proven_labels,
};
use crate::{
    fence::{Labels, ObjectRef},
    index::Index,
    metrics::Metrics,
    queue::Queue,
    readiness::Readiness,
    settings::Mode,
};

/// Most misses of one report; the filter sends far fewer.
pub const MAX_MISSES: usize = 1_000;

/// Serves `MissService`.
pub struct Receiver {
    /// What is known of the cluster.
    pub index: Arc<Index>,
    /// Where learned hosts go.
    pub queue: Queue,
    /// Who reporting pods really are; `None` believes the labels that a report claims.
    pub pods: Option<Pods>,
    /// Whether the cluster is known well enough to judge.
    pub readiness: Readiness,
    /// Counts answers.
    pub metrics: Arc<Metrics>,
    /// How to judge.
    pub rules: Rules,
}

#[tonic::async_trait]
impl MissService for Receiver {
    async fn report(
        &self,
        request: Request<ReportRequest>,
    ) -> Result<Response<ReportResponse>, Status> {
        if !self.readiness.is_ready() {
            return Err(Status::unavailable(
                "the controller has not read the whole cluster yet",
            ));
        }
        let (received, received_at) = (Instant::now(), SystemTime::now());
        self.check_size(request.get_ref())?;
        let peer = request.remote_addr();
        let sender = Sender {
            identity: identity_of(request.metadata()),
            is_own_sidecar: peer.is_some_and(|peer| is_own_sidecar(peer.ip())),
        };
        let request = request.into_inner();
        let labels = self.labels(&request, &sender).await?;
        let now = seconds(received_at);
        let Judged { misses, mode } = self.index.read(|world| {
            let rules = self.rules.under(world.settings());
            judge(world, &request, &labels, &rules, now)
        });
        let mut learned: BTreeMap<ObjectRef, Vec<String>> = BTreeMap::new();
        let outcomes = misses
            .into_iter()
            .map(|judgement| self.act(judgement, received, &mut learned))
            .collect();
        for (fence, hosts) in &learned {
            let at = received_at.duration_since(UNIX_EPOCH).unwrap_or_default();
            info!(
                received_at = %timestamp(received_at),
                received_at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
                fence = %fence,
                hosts = hosts.join(","),
                "report received"
            );
        }
        Ok(Response::new(ReportResponse {
            outcomes,
            first_request: overall(mode).into(),
        }))
    }
}

impl Receiver {
    /// Refuses a report of too many misses as a whole, before anything is built for each.
    fn check_size(&self, request: &ReportRequest) -> Result<(), Status> {
        let misses = request.misses.len();
        if misses <= MAX_MISSES {
            return Ok(());
        }
        self.metrics
            .misses("refused", "too_many")
            .inc_by(misses as u64);
        Err(Status::invalid_argument(format!(
            "a report may hold {MAX_MISSES} misses and this one holds {misses}: send them in several reports"
        )))
    }

    /// The labels of the reporting pod, or why the report is not believed.
    async fn labels(
        &self,
        request: &ReportRequest,
        sender: &Sender,
    ) -> Result<Result<Labels, Reason>, Status> {
        let workload = request.workload.clone().unwrap_or_default();
        let checked = self
            .index
            .read(|world| check_sender(world, &workload, sender, &self.rules));
        if let Err(reason) = checked {
            return Ok(Err(reason));
        }
        let Some(pods) = &self.pods else {
            return Ok(Ok(workload.labels));
        };
        let name = ObjectRef::new(workload.namespace.as_str(), workload.name.as_str());
        match pods.get(&name).await {
            Ok(pod) => Ok(proven_labels(&workload, pod.as_deref())),
            Err(error) => {
                self.metrics.pod_lookup_failures.inc();
                warn!(pod = %name, %error, "a report could not be verified; the sender tries again");
                Err(Status::unavailable(error.to_string()))
            }
        }
    }

    /// Hands a judgement's host to the fences that do not know it, and makes the answer.
    fn act(
        &self,
        judgement: Judgement,
        received: Instant,
        learned: &mut BTreeMap<ObjectRef, Vec<String>>,
    ) -> Outcome {
        let Judgement {
            mut reason,
            mut host,
            alias_of,
            learners,
            first_request,
        } = judgement;
        if matches!(reason, Reason::FenceFull { .. }) {
            self.metrics.dropped_hosts("fence_full").inc();
        }
        for fence in learners {
            // A host and what it is a name of are of no use without each other.
            let names = || std::iter::once(&host).chain(&alias_of);
            let mut all = names().map(|name| self.queue.learn(fence.clone(), name, received));
            if all.any(|learned| learned.is_err()) {
                self.metrics.dropped_hosts("queue_full").inc();
                reason = Reason::QueueFull;
                continue;
            }
            let hosts = learned.entry(fence).or_default();
            for name in names() {
                if !hosts.contains(name) {
                    hosts.push(name.clone());
                }
            }
        }
        self.metrics
            .misses(reason.verdict_label(), reason.metric_label())
            .inc();
        let verdict = reason.verdict();
        debug!(verdict = reason.verdict_label(), host, %reason, "miss judged");
        if verdict != Verdict::InMesh {
            host.clear();
            return Outcome {
                verdict: verdict.into(),
                host,
                reason: reason.to_string(),
                first_request: FirstRequest::Unspecified.into(),
            };
        }
        let (decision, why) = match first_request {
            Ok(need) => {
                let label = need.metric_label();
                self.metrics.first_requests("hold", label).inc();
                (FirstRequest::Hold, String::new())
            }
            Err(pass) => {
                let label = pass.metric_label();
                self.metrics.first_requests("pass_through", label).inc();
                (FirstRequest::PassThrough, pass.to_string())
            }
        };
        Outcome {
            verdict: verdict.into(),
            host,
            reason: why,
            first_request: decision.into(),
        }
    }
}

/// What is true of every first request of the workload.
fn overall(mode: Option<Mode>) -> FirstRequest {
    match mode {
        None => FirstRequest::Unspecified,
        Some(Mode::PassThrough) => FirstRequest::PassThrough,
        Some(Mode::Adaptive | Mode::Hold) => FirstRequest::Hold,
    }
}

fn identity_of(metadata: &MetadataMap) -> Result<Option<Identity>, IdentityError> {
    let values = metadata.get_all(CLIENT_CERTIFICATE_HEADER);
    // A value that is not text counts as a value, so that it cannot make an earlier one the last.
    peer_identity(values.iter().map(|value| value.to_str().unwrap_or("?")))
}

fn seconds(time: SystemTime) -> i64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC, with microseconds.
fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map(|time| format!("{time:.6}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
