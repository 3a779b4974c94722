//! One program of a pod over its restarts.

use super::container::{Container, Start};
use super::probe::Probe;
use super::status::ContainerState;
use std::time::Duration;

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
}

impl Member {
    /// Starts the container again if it has ended, and asks its probe if it runs.
    pub async fn look(&mut self) {
        let ended = match &mut self.container {
            Some(container) => tokio::time::timeout(Duration::ZERO, container.ended())
                .await
                .is_ok(),
            None => true,
        };
        if ended {
            self.container = None;
            self.state.ready = false;
            let pause = RESTART
                .0
                .saturating_mul(1 << self.state.restarts.min(6))
                .min(RESTART.1);
            tokio::time::sleep(pause).await;
            self.state.restarts += 1;
            self.state.waiting = match Container::start(&self.start) {
                Ok(container) => {
                    self.container = Some(container);
                    None
                }
                Err(error) => Some(format!("{error:#}")),
            };
            return;
        }
        self.state.ready = match &self.probe {
            Some(probe) => probe.succeeds(&self.start.place.network).await,
            None => true,
        };
    }
}
