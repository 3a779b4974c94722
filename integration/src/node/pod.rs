//! The life of one pod: network, volumes, sidecar, containers; readiness while it runs; an orderly end.

use super::container::{Start, log_path};
use super::member::Member;
use super::plan::plan;
use super::probe::Probe;
use super::sandbox::Sandbox;
use super::shared::Shared;
use super::status::{ContainerState, PodState, report};
use super::{sidecar, volumes};
use crate::netns::{Bind, Place};
use crate::supervisor::run_path;
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1 as core;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Preconditions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Between two looks at a pod that is not ready, and at one that is.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// Before a pod that could not be started, or not be deleted, is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long the sidecar may take to get its certificate and its first configuration.
const SIDECAR_LIMIT: Duration = Duration::from_secs(120);

/// Runs `pod` until `stop` is notified, then removes every trace of it and lets the API server forget it.
pub async fn run(shared: Arc<Shared>, pod: core::Pod, stop: Arc<Notify>) {
    let mut life = Life {
        shared,
        pod,
        sandbox: None,
        members: Vec::new(),
    };
    loop {
        let lived = tokio::select! {
            () = stop.notified() => break,
            lived = life.live() => lived,
        };
        if let Err(error) = lived {
            life.report_failure(&format!("{error:#}")).await;
            life.clear(Duration::ZERO).await;
        }
        tokio::select! {
            () = stop.notified() => break,
            () = tokio::time::sleep(TRY_AGAIN) => {}
        }
    }
    life.clear(life.grace()).await;
    forget(&life.shared, &life.pod).await;
}

/// Removes a deleted pod from the API server.
pub async fn forget(shared: &Shared, pod: &core::Pod) {
    let pods: Api<core::Pod> =
        Api::namespaced(shared.client.clone(), &pod.namespace().unwrap_or_default());
    let at_once = DeleteParams::default()
        .grace_period(0)
        .preconditions(Preconditions {
            uid: pod.uid(),
            resource_version: None,
        });
    loop {
        match pods.delete(&pod.name_any(), &at_once).await {
            // Gone, or another pod by now.
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => return,
            Ok(_) => return,
            Err(_) => tokio::time::sleep(TRY_AGAIN).await,
        }
    }
}

struct Life {
    shared: Arc<Shared>,
    pod: core::Pod,
    sandbox: Option<Sandbox>,
    members: Vec<Member>,
}

impl Life {
    async fn live(&mut self) -> Result<()> {
        let injected = sidecar::wanted(&self.shared.client, &self.pod).await?;
        if injected {
            sidecar::label(&self.shared.client, &self.pod).await?;
        }
        self.make_network(injected).await?;
        std::fs::create_dir_all(self.folder())?;
        volumes::write(
            &self.shared.client,
            &self.pod,
            &self.folder().join("volumes"),
        )
        .await?;
        if injected {
            self.start_sidecar().await?;
        }
        self.start_containers()?;
        let (shared, pod) = (self.shared.clone(), self.pod.clone());
        let volumes = self.folder().join("volumes");
        tokio::select! {
            ended = self.keep_running() => ended,
            ended = volumes::follow(&shared.client, &pod, &volumes) => ended,
        }
    }

    fn network_name(&self) -> String {
        format!(
            "{}.{}",
            self.pod.namespace().unwrap_or_default(),
            self.pod.name_any()
        )
    }

    fn folder(&self) -> PathBuf {
        run_path("pods").join(self.network_name())
    }

    async fn make_network(&mut self, injected: bool) -> Result<()> {
        let name = self.network_name();
        // Kept before it is made: whatever is half made is removed.
        let sandbox = self
            .sandbox
            .insert(Sandbox::new(&self.shared.addresses, &name));
        sandbox.make().await.context("no network for the pod")?;
        if injected {
            sidecar::intercept(&name).await?;
        }
        Ok(())
    }

    /// What every container of the pod sees besides its volumes.
    fn names(&self) -> Result<Bind> {
        let source = self
            .shared
            .names
            .file(&self.pod.namespace().unwrap_or_default())?;
        Ok(Bind {
            source,
            target: "/etc/hosts".into(),
        })
    }

    async fn start_sidecar(&mut self) -> Result<()> {
        let sandbox = self.sandbox.as_ref().context("the pod has no network")?;
        let (address, network) = (sandbox.address, sandbox.path());
        let mut start = sidecar::start(
            &self.shared.client,
            &self.pod,
            &self.folder(),
            address,
            network.clone(),
        )
        .await?;
        start.place.binds.push(self.names()?);
        let probe = Probe::of_sidecar();
        let member = Member::new(start, "istio/proxyv2".into(), Some(probe.clone()))?;
        self.members.push(member);
        let ready = async {
            while !probe.succeeds(&network).await {
                tokio::time::sleep(LOOK.0).await;
            }
        };
        tokio::time::timeout(SIDECAR_LIMIT, ready)
            .await
            .context("the sidecar did not become ready")
    }

    fn start_containers(&mut self) -> Result<()> {
        let sandbox = self.sandbox.as_ref().context("the pod has no network")?;
        let (address, network) = (sandbox.address, sandbox.path());
        for container in self.pod.spec.iter().flat_map(|spec| &spec.containers) {
            let plan = plan(&self.pod, container, address)?;
            let mut binds = volumes::binds(container, &self.folder().join("volumes"))?;
            binds.push(self.names()?);
            let start = Start {
                log: log_path(&self.folder(), &plan.name),
                name: plan.name,
                program: plan.program,
                arguments: plan.arguments,
                environment: plan.environment,
                user: plan.user,
                folder: "/".into(),
                place: Place {
                    network: network.clone(),
                    mounts: None,
                    processes: None,
                    binds,
                },
            };
            let image = container.image.clone().unwrap_or_default();
            self.members
                .push(Member::new(start, image, Probe::of(container))?);
        }
        Ok(())
    }

    /// Probes, restarts and reports, for as long as the pod lives.
    async fn keep_running(&mut self) -> Result<()> {
        let mut reported = None;
        loop {
            let mut ready = true;
            for member in &mut self.members {
                member.look().await;
                ready &= member.state.ready;
            }
            let state = self.state();
            // A report that fails is due again at the next look.
            if reported.as_ref() != Some(&state)
                && report(&self.shared.client, &self.pod, &state).await.is_ok()
            {
                reported = Some(state);
            }
            let pause = tokio::time::sleep(if ready { LOOK.1 } else { LOOK.0 });
            let ends = self
                .members
                .iter_mut()
                .filter_map(|member| member.container.as_mut());
            let ends: Vec<_> = ends.map(|container| Box::pin(container.ended())).collect();
            if ends.is_empty() {
                pause.await;
            } else {
                tokio::select! {
                    () = pause => {}
                    _ = futures::future::select_all(ends) => {}
                }
            }
        }
    }

    fn state(&self) -> PodState {
        let containers = self
            .members
            .iter()
            .map(|member| member.state.clone())
            .collect();
        PodState {
            address: self.sandbox.as_ref().map(|sandbox| sandbox.address),
            containers,
        }
    }

    /// Says why the pod does not run, as its containers' waiting reason.
    async fn report_failure(&self, reason: &str) {
        let containers = self.pod.spec.iter().flat_map(|spec| &spec.containers);
        let containers = containers.map(|container| ContainerState {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            ready: false,
            restarts: 0,
            waiting: Some(reason.to_owned()),
        });
        let state = PodState {
            address: None,
            containers: containers.collect(),
        };
        let _ = report(&self.shared.client, &self.pod, &state).await;
    }

    fn grace(&self) -> Duration {
        let spec = self.pod.spec.as_ref();
        let seconds = spec.and_then(|spec| spec.termination_grace_period_seconds);
        Duration::from_secs(
            seconds
                .and_then(|seconds| u64::try_from(seconds).ok())
                .unwrap_or(30),
        )
    }

    /// Ends the containers, then the sidecar that carries their last requests, and removes every trace of them.
    async fn clear(&mut self, grace: Duration) {
        let stops = |members: Vec<Member>, grace| {
            let running = members.into_iter().filter_map(|member| member.container);
            futures::future::join_all(running.map(move |container| container.stop(grace)))
        };
        let (sidecar, others): (Vec<_>, Vec<_>) = self
            .members
            .drain(..)
            .partition(|member| member.start.name == sidecar::NAME);
        stops(others, grace).await;
        stops(sidecar, Duration::ZERO).await;
        if let Some(sandbox) = self.sandbox.take() {
            let _ = sandbox.remove().await;
        }
        let _ = std::fs::remove_dir_all(self.folder());
    }
}
