//! Putting the controller together, and taking it down in order.

mod replica;
mod tasks;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Service},
    discovery::v1::EndpointSlice,
};
use kube::Client;
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    admin,
    api::{
        AuthorizationPolicy, DestinationRule, EnvoyFilter, PeerAuthentication, ServiceEntry,
        ServiceFence, Sidecar, VirtualService,
    },
    config::Config,
    index::{Index, Indexed, World, watch, watch_pods},
    leader::{Candidate, elect},
    metrics::Metrics,
    queue::Queue,
    readiness::Readiness,
    receive::{Pods, Receiver, Rules, serve},
    reload::{Reloader, Source},
    write::{Events, Resets, Writer},
};
use replica::{identity, take_over, when_ready};
use tasks::Tasks;

/// How long learned hosts may take to be written, and open calls to be answered, after the signal to stop.
const SHUTDOWN_TIME: Duration = Duration::from_secs(5);

/// Why the controller cannot start, or had to stop.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is no cluster to talk to.
    #[error("no access to a Kubernetes API server is configured: {0}")]
    Client(#[source] Box<kube::Error>),
    /// A port is taken or not ours to take.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The configuration key that says so.
        key: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signal(#[source] io::Error),
    /// The report port broke.
    #[error("the report port broke: {0}")]
    Reports(#[source] tonic::transport::Error),
    /// The admin port broke.
    #[error("the admin port broke: {0}")]
    Admin(#[source] io::Error),
    /// A part that never ends has ended, or panicked.
    #[error("{0}")]
    Ended(String),
}

/// Runs the controller until SIGTERM or SIGINT, and follows `source`, the file that `config` came from, if there is one. An API
/// server that is away is waited for.
///
/// # Errors
/// If it cannot start (no kubeconfig or service account, or a port that is taken), and if any part of it ends by itself:
/// better started anew than answering from a picture of the cluster that no longer moves.
pub async fn run(config: Config, source: Option<Source>) -> Result<(), RunError> {
    let stop = stop_signal()?;
    let client = Client::try_default()
        .await
        .map_err(|error| RunError::Client(Box::new(error)))?;
    let readiness = Readiness::default();
    let metrics = Arc::new(Metrics::default());
    let mut registry = Registry::default();
    metrics.register(&mut registry);

    let queue = Queue::default();
    let settings = Arc::new(config.settings());
    let index = Arc::new(Index::new(World::new(settings.clone()), queue.clone()));
    // What the configuration alone asks for is wanted before anything has changed.
    index.write(|world, concerned| world.configure(settings.clone(), concerned));

    let mut background = JoinSet::<String>::new();
    let watches = Watches {
        client: client.clone(),
        index: index.clone(),
        metrics: metrics.clone(),
        readiness: readiness.clone(),
    };
    watches.spawn::<Namespace>(&mut background);
    watches.spawn::<Service>(&mut background);
    watches.spawn::<ServiceEntry>(&mut background);
    watches.spawn::<ServiceFence>(&mut background);
    watches.spawn::<Sidecar>(&mut background);
    watches.spawn::<EnvoyFilter>(&mut background);
    watches.spawn::<ConfigMap>(&mut background);
    watches.spawn::<VirtualService>(&mut background);
    watches.spawn::<DestinationRule>(&mut background);
    watches.spawn::<PeerAuthentication>(&mut background);
    watches.spawn::<AuthorizationPolicy>(&mut background);
    let pods_watch = watch_pods(client.clone(), index.clone(), metrics.clone());
    background.spawn(async move {
        pods_watch.await;
        "the watch of pods".to_owned()
    });
    watches.spawn::<EndpointSlice>(&mut background);

    let admin_listener = listen(config.admin_addr, "adminAddr").await?;
    let report_port = readiness.part("the report port is not open");
    let report_listener = listen(config.report_addr, "reportAddr").await?;
    report_port.mark();

    let pods = config.verify_pods.then(|| Pods::new(client.clone()));
    let (events, telling) = Events::new(client.clone(), metrics.clone());
    background.spawn(async move {
        telling.await;
        "the writer of events".to_owned()
    });
    let resets = Resets::default();
    let (leading, is_leading) = sync::watch::channel(false);
    // Given back only when all is written.
    let resign = CancellationToken::new();
    let candidate = Candidate {
        namespace: settings.slime_namespace.clone(),
        identity: identity(),
    };
    let election = elect(client.clone(), candidate, leading, resign.clone());
    let election = tokio::spawn(when_ready(readiness.clone(), resign.clone(), election));
    let taking_over = take_over(index.clone(), metrics.clone(), is_leading.clone());
    background.spawn(async move {
        taking_over.await;
        "the election of the replica that writes".to_owned()
    });
    let writer = Writer {
        client,
        index: index.clone(),
        queue: queue.clone(),
        metrics: metrics.clone(),
        ports: Arc::default(),
        corrections: Arc::default(),
        fence_corrections: Arc::default(),
        resets: resets.clone(),
        unkept: Arc::default(),
        foreign: Arc::default(),
        explained: Arc::default(),
        events,
        leading: is_leading,
    };
    if let Some(source) = source {
        let reloader = Reloader::new(source, config.clone(), index.clone(), metrics.clone());
        background.spawn(async move {
            reloader.run().await;
            "the following of the configuration file".to_owned()
        });
    }
    let writing = write_when_ready(writer, readiness.clone());
    background.spawn(async move {
        writing.await;
        "the writer".to_owned()
    });

    if !config.require_identity {
        warn!("requireIdentity is false: whoever reaches the report port can widen any fence");
    }
    if !config.verify_pods {
        warn!(
            "verifyPods is false: a sender can claim any labels, and so widen any fence of its namespace"
        );
    }
    let reset = admin::reset_router(admin::Reset {
        index: index.clone(),
        queue: queue.clone(),
        resets,
        readiness: readiness.clone(),
    });
    let receiver = Receiver {
        index,
        queue: queue.clone(),
        pods,
        readiness: readiness.clone(),
        metrics,
        rules: Rules {
            cluster_domain: settings.cluster_domain.clone(),
            require_identity: config.require_identity,
            trust_domain: config.trust_domain.clone(),
            first_request: settings.first_request,
            replay: settings.replay.clone(),
        },
    };
    let reports = serve(receiver, report_listener, stop.clone().cancelled_owned());
    let admin = admin::router(registry, readiness).merge(reset);
    let admin = axum::serve(admin_listener, admin).into_future();

    info!(reports = %config.report_addr, admin = %config.admin_addr, "started");
    let mut tasks = Tasks {
        reports: tokio::spawn(reports),
        admin: tokio::spawn(admin),
        background,
    };
    tasks.until(&stop).await?;
    info!("stopping: no more reports are taken");
    let flushed = tokio::time::timeout(SHUTDOWN_TIME, async {
        // Sidecars keep their connections open; a call under way is answered all the same.
        let _ = tokio::time::timeout(SHUTDOWN_TIME / 5, &mut tasks.reports).await;
        queue.flushed().await;
    });
    match flushed.await {
        Ok(()) => info!("stopped"),
        Err(_) => warn!(
            "stopped with learned hosts unwritten; they are learned again when they are next missed"
        ),
    }
    tasks.abort();
    resign.cancel();
    let _ = tokio::time::timeout(SHUTDOWN_TIME / 5, election).await;
    Ok(())
}

struct Watches {
    client: Client,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    readiness: Readiness,
}

impl Watches {
    fn spawn<K: Indexed>(&self, tasks: &mut JoinSet<String>) {
        let synced = self.readiness.part(format!(
            "the {} of the cluster have not been listed",
            K::PLURAL
        ));
        let watch = watch::<K>(
            self.client.clone(),
            self.index.clone(),
            self.metrics.clone(),
            synced,
        );
        tasks.spawn(async move {
            watch.await;
            format!("the watch of {}", K::PLURAL)
        });
    }
}

/// Nothing may be written from half a picture: a Service not listed yet would cost the placeholder a port.
async fn write_when_ready(writer: Writer, readiness: Readiness) {
    readiness.ready().await;
    let fences = writer.index.read(World::fence_count);
    writer.metrics.loaded_fences.observe(fences as f64);
    info!(fences, "ready");
    writer.run().await;
}

async fn listen(address: SocketAddr, key: &'static str) -> Result<TcpListener, RunError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| RunError::Listen {
            address,
            key,
            source,
        })
}

/// Cancelled by the first SIGTERM or SIGINT.
fn stop_signal() -> Result<CancellationToken, RunError> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).map_err(RunError::Signal)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(stop)
}
