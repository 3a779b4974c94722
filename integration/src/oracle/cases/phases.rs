//! What is called while the mesh itself is other than usual.

use crate::oracle::case::{Case, PLAIN_ADDRESS, PORT, Phase, STRICT_PORT};
use crate::oracle::wire::{Body, Protocol};
use serde_json::json;

pub fn cases() -> Vec<Case> {
    let registry_only = [
        Case::new("registry-get"),
        Case::new("registry-post-64k").body(Body::Sized(64 * 1024)),
        Case::new("registry-strict").port(STRICT_PORT),
        Case::new("registry-h2").protocol(Protocol::Http2),
        Case::new("registry-parallel").parallel(50),
        {
            let case = Case::new("registry-vs").subsets();
            let http = json!([{"route": [{"destination": case.subset("v2")}]}]);
            case.virtual_service(http)
        },
        Case::new("registry-unknown")
            .without_service()
            .without_host()
            .authority(&format!("nowhere.example.test:{PORT}"))
            .address(PLAIN_ADDRESS),
    ];
    let restarted = [Case::new("istiod-restarted").port(STRICT_PORT)];
    let stopped = [
        Case::new("controller-stopped"),
        Case::new("controller-stopped-strict").port(STRICT_PORT),
    ];
    let within = |cases: Vec<Case>, phase| cases.into_iter().map(move |case| case.phase(phase));
    within(registry_only.into(), Phase::RegistryOnly)
        .chain(within(restarted.into(), Phase::IstiodRestarted))
        .chain(within(stopped.into(), Phase::ControllerStopped))
        .collect()
}
