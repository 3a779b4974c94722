//! Not pushing to every sidecar of the mesh for a port that is only gone for a moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use super::{PlaceholderPorts, ports::MAX_PORTS};
use crate::{fence::ObjectRef, settings::PortRules};

/// The ports that sidecars have, which may be more than are needed now.
///
/// A change of the placeholder or of the replay EnvoyFilter goes to every sidecar, and a port that nobody uses harms nobody. So
/// a port that has vanished stays until another one has come (that change is pushed anyway), or until none has vanished for the
/// quiet time; and for good if the configuration says that nothing is cleaned up. One memory for both objects, so that they carry
/// the same ports and change together, and istiod makes one push of it. A restart forgets ports that have vanished, which costs
/// one push at most; where they stay for good, the placeholder itself remembers them, as Slime's Service does.
#[derive(Debug)]
pub struct CarriedPorts {
    // None until the first question.
    carried: Option<BTreeSet<u16>>,
    vanished: BTreeSet<u16>,
    since: Instant,
    told: LeftOut,
}

/// HTTP ports that are not carried, and the objects because of which they are not, where it is because of one.
type LeftOut = BTreeMap<u16, Option<ObjectRef>>;

impl Default for CarriedPorts {
    fn default() -> Self {
        Self {
            carried: None,
            vanished: BTreeSet::new(),
            since: Instant::now(),
            told: LeftOut::new(),
        }
    }
}

impl CarriedPorts {
    /// Whether the ports that are left out are others than when this was asked last, so that they are told once.
    pub fn leaves_out_others(&mut self, ports: &PlaceholderPorts) -> bool {
        let conflicts = ports.conflicts.iter();
        let conflicts = conflicts.map(|(port, object)| (*port, Some(object.clone())));
        let surplus = ports.surplus.iter().map(|port| (*port, None));
        let left_out: LeftOut = conflicts.chain(surplus).collect();
        let is_new = self.told != left_out;
        self.told = left_out;
        is_new
    }

    /// The ports to carry `now`, when `ports` are needed, and how long until that has to be asked again. `before`: those of the
    /// placeholder, if there is one of ours, which is looked at once.
    pub fn settle(
        &mut self,
        ports: &PlaceholderPorts,
        before: impl FnOnce() -> BTreeSet<u16>,
        rules: &PortRules,
        now: Instant,
    ) -> (BTreeSet<u16>, Option<Duration>) {
        let carried = self.carried.get_or_insert_with(|| {
            if rules.clean_up {
                BTreeSet::new()
            } else {
                before()
            }
        });
        if !rules.clean_up {
            keep_all(carried, ports);
            self.vanished.clear();
            return (carried.clone(), None);
        }
        let vanished: BTreeSet<u16> = &*carried - &ports.open;
        // A server that speaks first would hang on a port with sniffing, also where no HTTP Service is left to conflict with.
        let is_harmful = !vanished.is_disjoint(&ports.tcp);
        if vanished != self.vanished {
            self.vanished.clone_from(&vanished);
            self.since = now;
        }
        let left = rules.quiet.saturating_sub(now - self.since);
        let is_pushed_anyway = !ports.open.is_subset(carried);
        if is_pushed_anyway || is_harmful || left.is_zero() {
            carried.clone_from(&ports.open);
            self.vanished.clear();
        }
        let wait = (!self.vanished.is_empty()).then_some(left);
        (carried.clone(), wait)
    }
}

/// Adds what is needed and takes out nothing but what harms, and what one ServiceEntry has no room for.
fn keep_all(carried: &mut BTreeSet<u16>, ports: &PlaceholderPorts) {
    let room = MAX_PORTS.saturating_sub(ports.open.len());
    let vanished: Vec<u16> = carried
        .difference(&ports.open)
        .filter(|port| !ports.tcp.contains(port))
        .take(room)
        .copied()
        .collect();
    carried.clone_from(&ports.open);
    carried.extend(vanished);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placeholder::{Protocol, ServicePort, placeholder_ports};

    const QUIET: Duration = Duration::from_secs(300);

    fn mk_ports(open: &[u16]) -> PlaceholderPorts {
        PlaceholderPorts {
            open: open.iter().copied().collect(),
            ..PlaceholderPorts::default()
        }
    }

    fn mk_rules(quiet: Duration) -> PortRules {
        PortRules {
            quiet,
            ..PortRules::default()
        }
    }

    fn settle(carried: &mut CarriedPorts, open: &[u16]) -> (Vec<u16>, Option<u64>) {
        settle_by(&mk_rules(QUIET), carried, open)
    }

    fn settle_by(
        rules: &PortRules,
        carried: &mut CarriedPorts,
        open: &[u16],
    ) -> (Vec<u16>, Option<u64>) {
        let before = || BTreeSet::from([70, 71]);
        let (ports, wait) = carried.settle(&mk_ports(open), before, rules, Instant::now());
        (ports.into_iter().collect(), wait.map(|wait| wait.as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_port_is_carried_at_once_and_takes_vanished_ones_out() {
        let mut carried = CarriedPorts::default();
        assert_eq!(settle(&mut carried, &[80, 81]), (vec![80, 81], None));
        assert_eq!(settle(&mut carried, &[80]), (vec![80, 81], Some(300)));
        assert_eq!(settle(&mut carried, &[80, 82]), (vec![80, 82], None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_vanished_port_goes_after_a_quiet_time() {
        let mut carried = CarriedPorts::default();
        settle(&mut carried, &[80, 81, 82]);
        settle(&mut carried, &[80, 81]);
        tokio::time::advance(Duration::from_secs(200)).await;
        assert_eq!(settle(&mut carried, &[80]), (vec![80, 81, 82], Some(300)));
        tokio::time::advance(QUIET).await;
        assert_eq!(settle(&mut carried, &[80]), (vec![80], None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_comes_back_in_time_changes_nothing() {
        let mut carried = CarriedPorts::default();
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
            let mut carried = CarriedPorts::default();
            let mut settle = |services: &[(ObjectRef, Vec<ServicePort>)]| {
                let services = services.iter();
                let services = services.map(|(name, ports)| (name, ports.as_slice()));
                let rules = mk_rules(QUIET);
                let ports = placeholder_ports(&rules, services);
                carried.settle(&ports, BTreeSet::new, &rules, Instant::now())
            };
            assert_eq!(settle(&before), (BTreeSet::from([80, 3306]), None));
            assert_eq!(settle(&after), (BTreeSet::from([80]), None), "{after:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_is_cleaned_up_ports_stay_over_restarts_and_go_only_where_they_harm() {
        let rules = PortRules {
            clean_up: false,
            ..mk_rules(QUIET)
        };
        let mut carried = CarriedPorts::default();
        let all = vec![70, 71, 80, 81];
        let first = settle_by(&rules, &mut carried, &[80, 81]);
        assert_eq!(first, (all.clone(), None), "those of the placeholder");
        assert_eq!(settle_by(&rules, &mut carried, &[80]), (all, None));
        tokio::time::advance(QUIET * 2).await;
        let later = settle_by(&rules, &mut carried, &[80, 82]);
        assert_eq!(later, (vec![70, 71, 80, 81, 82], None));

        let taken = PlaceholderPorts {
            tcp: BTreeSet::from([70, 81]),
            ..mk_ports(&[80])
        };
        let (ports, _) = carried.settle(&taken, BTreeSet::new, &rules, Instant::now());
        assert_eq!(ports, BTreeSet::from([71, 80, 82]));
    }

    #[test]
    fn what_is_left_out_is_told_when_it_changes() {
        let service = |name: &str| ObjectRef::new("default", name);
        let conflict = |name: &str| PlaceholderPorts {
            conflicts: [(80, service(name))].into(),
            ..mk_ports(&[81])
        };
        let surplus = PlaceholderPorts {
            surplus: [80].into(),
            ..mk_ports(&[81])
        };
        let mut carried = CarriedPorts::default();
        for (ports, is_new) in [
            (mk_ports(&[81]), false),
            (conflict("a"), true),
            (conflict("a"), false),
            (conflict("b"), true),
            (surplus, true),
            (mk_ports(&[81]), true),
        ] {
            assert_eq!(carried.leaves_out_others(&ports), is_new, "{ports:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rules_that_change_hold_at_once() {
        let keeping = PortRules {
            clean_up: false,
            ..mk_rules(QUIET)
        };
        let mut carried = CarriedPorts::default();
        assert_eq!(settle(&mut carried, &[80, 81]), (vec![80, 81], None));
        assert_eq!(settle(&mut carried, &[80]), (vec![80, 81], Some(300)));
        let kept = settle_by(&keeping, &mut carried, &[80]);
        assert_eq!(kept, (vec![80, 81], None));
        assert_eq!(settle(&mut carried, &[80]), (vec![80, 81], Some(300)));
        let hasty = mk_rules(Duration::ZERO);
        assert_eq!(settle_by(&hasty, &mut carried, &[80]), (vec![80], None));
    }

    #[tokio::test(start_paused = true)]
    async fn ports_that_are_needed_come_before_those_that_only_stay() {
        let rules = PortRules {
            clean_up: false,
            ..mk_rules(QUIET)
        };
        let mut carried = CarriedPorts::default();
        settle_by(&rules, &mut carried, &[]);
        let many: Vec<u16> = (1_000..1_255).collect();
        let (ports, _) = settle_by(&rules, &mut carried, &many);
        assert_eq!((ports.len(), ports.first()), (MAX_PORTS, Some(&70)));
    }
}
