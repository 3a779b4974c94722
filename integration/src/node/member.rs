//! One program of a pod over its restarts.

use super::container::{Container, Start};
use super::probe::Probe;
use super::status::ContainerState;
use anyhow::Result;
use std::time::{Duration, Instant};

/// Before a container that ended is started again: doubled each time, up to the second.
const RESTART: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// One program of the pod, running or about to.
pub struct Member {
    /// How it is started, and started again.
    pub start: Start,
    /// What tells whether it is ready; without one it is.
    pub probe: Option<Probe>,
    /// The container, while it runs.
    pub container: Option<Container>,
    /// What is reported of it.
    pub state: ContainerState,
    due: Option<Instant>,
}

impl Member {
    /// A program that was just started.
    pub fn new(start: Start, image: String, probe: Option<Probe>) -> Result<Self> {
        let container = Some(Container::start(&start)?);
        let state = ContainerState {
            name: start.name.clone(),
            image,
            ready: false,
            restarts: 0,
            waiting: None,
        };
        Ok(Self {
            start,
            probe,
            container,
            state,
            due: None,
        })
    }

    /// Starts the container again if it has ended, and asks its probe if it runs.
    pub async fn look(&mut self) {
        let ended = match &mut self.container {
            Some(container) => tokio::time::timeout(Duration::ZERO, container.ended())
                .await
                .is_ok(),
            None => true,
        };
        if ended {
            self.start_again().await;
            return;
        }
        self.state.ready = match &self.probe {
            Some(probe) => probe.succeeds(&self.start.place.network).await,
            None => true,
        };
    }

    /// Starts the container again once its delay is over; until then it is reported as what it is.
    async fn start_again(&mut self) {
        self.state.ready = false;
        if let Some(ended) = self.container.take() {
            // What is left of its process group holds its ports: Envoy outlives its agent.
            ended.stop(Duration::ZERO).await;
        }
        let doublings = self.state.restarts.min(6);
        let pause = RESTART.0.saturating_mul(1 << doublings).min(RESTART.1);
        if Instant::now() < *self.due.get_or_insert_with(|| Instant::now() + pause) {
            return;
        }
        self.due = None;
        self.state.restarts += 1;
        self.state.waiting = match Container::start(&self.start) {
            Ok(container) => {
                self.container = Some(container);
                None
            }
            Err(error) => Some(format!("{error:#}")),
        };
    }
}
