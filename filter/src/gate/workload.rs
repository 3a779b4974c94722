//! Whether this workload waits for verdicts at all, agreed on by all workers of a sidecar.

use crate::envoy::Envoy;
use lazyload_protocol::v1::FirstRequest;

const KEY: &str = "lazyload.first-request";
const PASS_THROUGH: &[u8] = b"pass";
const HOLD: &[u8] = b"hold";

/// Whether the controller said that nothing of this workload is ever held.
pub(crate) fn passes_through(envoy: &dyn Envoy) -> bool {
    envoy.shared_data(KEY).0.as_deref() == Some(PASS_THROUGH)
}

/// Takes what a response says of the workload; one that does not say leaves it as it was.
pub(crate) fn learn(envoy: &dyn Envoy, told: FirstRequest) {
    let value = match told {
        FirstRequest::PassThrough => PASS_THROUGH,
        FirstRequest::Hold => HOLD,
        FirstRequest::Unspecified => return,
    };
    // Each response carries it, so what is written rarely changes.
    if passes_through(envoy) != (value == PASS_THROUGH) {
        let _ = envoy.set_shared_data(KEY, value, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn every_worker_knows_that_nothing_is_held_until_told_otherwise() {
        let envoy = Memory::default();
        let other = Memory {
            shared: envoy.shared.clone(),
            ..Memory::default()
        };
        learn(&envoy, FirstRequest::Hold);
        assert!(envoy.shared.borrow().is_empty());
        learn(&envoy, FirstRequest::PassThrough);
        learn(&envoy, FirstRequest::Unspecified);
        assert!(passes_through(&other));
        learn(&other, FirstRequest::Hold);
        assert!(!passes_through(&envoy));
    }
}
