//! Not pushing to every sidecar of the mesh for a port that is only gone for a moment.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::PlaceholderPorts;

/// The ports that sidecars have, which may be more than are needed now.
///
/// A change of the placeholder or of the replay EnvoyFilter goes to every sidecar, and a port that nobody uses harms nobody. So
/// a port that has vanished stays until another one has come (that change is pushed anyway), or until none has vanished for the
/// quiet time. One memory for both objects, so that they carry the same ports and change together, and istiod makes one push of
/// it. It is not kept over a restart: the ports are then those that are needed, which costs one push at most.
#[derive(Debug)]
pub struct CarriedPorts {
    quiet: Duration,
    carried: BTreeSet<u16>,
    vanished: BTreeSet<u16>,
    since: Instant,
}

impl CarriedPorts {
    /// Keeps vanished ports for the time `quiet`.
    pub fn new(quiet: Duration) -> Self {
        Self {
            quiet,
            carried: BTreeSet::new(),
            vanished: BTreeSet::new(),
            since: Instant::now(),
        }
    }

    /// Keeps vanished ports for the time `quiet` from now on.
    pub fn keep_for(&mut self, quiet: Duration) {
        self.quiet = quiet;
    }

    /// The ports to carry `now`, when `ports` are needed, and how long until that has to be asked again.
    pub fn settle(
        &mut self,
        ports: &PlaceholderPorts,
        now: Instant,
    ) -> (BTreeSet<u16>, Option<Duration>) {
        let vanished: BTreeSet<u16> = &self.carried - &ports.open;
        // A server that speaks first would hang on a port with sniffing, also where no HTTP Service is left to conflict with.
        let is_harmful = !vanished.is_disjoint(&ports.tcp);
        if vanished != self.vanished {
            self.vanished.clone_from(&vanished);
            self.since = now;
        }
        let left = self.quiet.saturating_sub(now - self.since);
        let is_pushed_anyway = !ports.open.is_subset(&self.carried);
        if is_pushed_anyway || is_harmful || left.is_zero() {
            self.carried.clone_from(&ports.open);
            self.vanished.clear();
        }
        let wait = (!self.vanished.is_empty()).then_some(left);
        (self.carried.clone(), wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fence::ObjectRef,
        placeholder::{Protocol, ServicePort, placeholder_ports},
    };

    const QUIET: Duration = Duration::from_secs(300);

    fn mk_ports(open: &[u16]) -> PlaceholderPorts {
        PlaceholderPorts {
            open: open.iter().copied().collect(),
            ..PlaceholderPorts::default()
        }
    }

    fn settle(carried: &mut CarriedPorts, open: &[u16]) -> (Vec<u16>, Option<u64>) {
        let (ports, wait) = carried.settle(&mk_ports(open), Instant::now());
        (ports.into_iter().collect(), wait.map(|wait| wait.as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_port_is_carried_at_once_and_takes_vanished_ones_out() {
        let mut carried = CarriedPorts::new(QUIET);
        assert_eq!(settle(&mut carried, &[80, 81]), (vec![80, 81], None));
        assert_eq!(settle(&mut carried, &[80]), (vec![80, 81], Some(300)));
        assert_eq!(settle(&mut carried, &[80, 82]), (vec![80, 82], None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_vanished_port_goes_after_a_quiet_time() {
        let mut carried = CarriedPorts::new(QUIET);
        settle(&mut carried, &[80, 81, 82]);
        settle(&mut carried, &[80, 81]);
        tokio::time::advance(Duration::from_secs(200)).await;
        assert_eq!(settle(&mut carried, &[80]), (vec![80, 81, 82], Some(300)));
        tokio::time::advance(QUIET).await;
        assert_eq!(settle(&mut carried, &[80]), (vec![80], None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_comes_back_in_time_changes_nothing() {
        let mut carried = CarriedPorts::new(QUIET);
        settle(&mut carried, &[80, 81]);
        settle(&mut carried, &[80]);
        tokio::time::advance(QUIET / 2).await;
        assert_eq!(settle(&mut carried, &[80, 81]), (vec![80, 81], None));
        assert_eq!(settle(&mut carried, &[80]), (vec![80, 81], Some(300)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_a_tcp_protocol_has_taken_goes_at_once_whether_or_not_http_is_left_on_it() {
        let service = |name, ports: &[(u16, Protocol)]| {
            let ports = ports.iter();
            let ports = ports.map(|&(number, protocol)| ServicePort { number, protocol });
            (ObjectRef::new("default", name), ports.collect::<Vec<_>>())
        };
        let web = service("web", &[(80, Protocol::Http)]);
        let admin = service("admin", &[(3306, Protocol::Http)]);
        let db = service("db", &[(3306, Protocol::Tcp)]);
        let before = [web.clone(), admin.clone()];
        for after in [vec![web.clone(), admin, db.clone()], vec![web, db]] {
            let mut carried = CarriedPorts::new(QUIET);
            let mut settle = |services: &[(ObjectRef, Vec<ServicePort>)]| {
                let services = services.iter();
                let ports =
                    placeholder_ports(services.map(|(name, ports)| (name, ports.as_slice())));
                carried.settle(&ports, Instant::now())
            };
            assert_eq!(settle(&before), (BTreeSet::from([80, 3306]), None));
            assert_eq!(settle(&after), (BTreeSet::from([80]), None), "{after:?}");
        }
    }
}
