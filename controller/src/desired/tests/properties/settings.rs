//! Any settings that change what Sidecars name.

use proptest::{option, prelude::*, sample::select};

use super::super::*;
use crate::settings::{Alias, Dispatch, DispatchTo, Forgetting, ScopeForm};

pub fn mk_settings() -> impl Strategy<Value = Settings> {
    let forms = select(vec![ScopeForm::Compatible, ScopeForm::Exact]);
    let stable = option::of(select(vec![
        "other/*",
        "./*",
        "b.example.com",
        "*/*",
        "*.example.com",
    ]));
    let cluster = option::of(Just("outbound|80||b.test.svc.cluster.local"));
    let forgets = any::<bool>();
    (forms, any::<bool>(), stable, cluster, forgets).prop_map(
        |(scope_form, aliases, stable, cluster, is_on)| {
            let alias = Alias {
                pattern: r"^(\w)\.(\w+)\.svc\.cluster\.local$".to_owned(),
                templates: ["$2.$1.alias", "$1"].map(str::to_owned).into(),
            };
            let dispatch = |cluster: &str| Dispatch {
                name: "d".to_owned(),
                domains: Vec::new(),
                domain_regex: None,
                to: DispatchTo::Cluster(cluster.to_owned()),
            };
            Settings {
                scope_form,
                aliases: aliases.then_some(alias).into_iter().collect(),
                stable_hosts: stable.map(str::to_owned).into_iter().collect(),
                dispatches: cluster.map(dispatch).into_iter().collect(),
                forgetting: Forgetting {
                    is_on,
                    ..Forgetting::default()
                },
                ..Settings::default()
            }
        },
    )
}
