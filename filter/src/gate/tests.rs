use super::*;
use crate::{envoy::CasMismatch, memory::Memory};
use wasm_bindgen_test::wasm_bindgen_test;

const REPEAT: u32 = 10_000;

fn mk_key() -> Key {
    Key::new("reviews", 9080)
}

#[wasm_bindgen_test(unsupported = test)]
fn a_host_is_reported_once_until_the_interval_ends() {
    let envoy = Memory::default();
    envoy.now.set(1_000);
    assert!(admit(&envoy, mk_key(), REPEAT));
    assert!(!admit(&envoy, mk_key(), REPEAT));
    envoy.now.set(10_999);
    assert!(!admit(&envoy, mk_key(), REPEAT));
    envoy.now.set(11_000);
    assert!(admit(&envoy, mk_key(), REPEAT));
}

#[wasm_bindgen_test(unsupported = test)]
fn another_worker_knows_what_was_reported() {
    let one = Memory::default();
    let other = Memory {
        shared: one.shared.clone(),
        ..Memory::default()
    };
    assert!(admit(&one, mk_key(), REPEAT));
    assert!(!admit(&other, mk_key(), REPEAT));
}

#[wasm_bindgen_test(unsupported = test)]
fn preparing_makes_every_slot_and_takes_back_no_claim() {
    let envoy = Memory::default();
    assert!(admit(&envoy, mk_key(), REPEAT));
    prepare(&envoy);
    assert_eq!(envoy.shared.borrow().len(), 256);
    assert!(!admit(&envoy, mk_key(), REPEAT));
}

#[wasm_bindgen_test(unsupported = test)]
fn of_two_workers_that_look_at_a_prepared_slot_at_once_one_wins() {
    let envoy = Memory::default();
    prepare(&envoy);
    let (held, seen_by_both) = envoy.shared_data(&mk_key().slot());
    let written = claim(held.as_deref(), mk_key(), 0, REPEAT).unwrap();
    let write = || envoy.set_shared_data(&mk_key().slot(), &written, seen_by_both);
    assert_eq!((write(), write()), (Ok(()), Err(CasMismatch)));
}

#[wasm_bindgen_test(unsupported = test)]
fn another_port_is_another_miss() {
    let envoy = Memory::default();
    assert!(admit(&envoy, mk_key(), REPEAT));
    assert!(admit(&envoy, Key::new("reviews", 9081), REPEAT));
}

#[wasm_bindgen_test(unsupported = test)]
fn whatever_applications_ask_for_the_slots_stay_few() {
    let envoy = Memory::default();
    for index in 0..20_000 {
        assert!(admit(&envoy, Key::new(&format!("host-{index}"), 80), REPEAT) || index > 0);
    }
    let shared = envoy.shared.borrow();
    assert!(shared.len() <= 256, "{}", shared.len());
    assert!(shared.values().all(|(value, _)| value.len() == 16));
}

#[wasm_bindgen_test(unsupported = test)]
fn hosts_that_share_a_slot_only_cost_reports() {
    let other = (0u32..)
        .map(|index| Key::new(&format!("host-{index}"), 80))
        .find(|key| key.slot() == mk_key().slot())
        .unwrap();
    let envoy = Memory::default();
    assert!(admit(&envoy, mk_key(), REPEAT));
    assert!(admit(&envoy, other, REPEAT));
    assert!(admit(&envoy, mk_key(), REPEAT));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_lost_race_is_run_again_and_never_for_ever() {
    let envoy = Memory::default();
    envoy.lost_races.set(2);
    assert!(admit(&envoy, mk_key(), REPEAT));
    assert!(!admit(&envoy, mk_key(), REPEAT));
    envoy.now.set(20_000);
    envoy.lost_races.set(usize::MAX);
    assert!(admit(&envoy, mk_key(), REPEAT));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failed_report_may_be_repeated_sooner() {
    let envoy = Memory::default();
    assert!(admit(&envoy, mk_key(), REPEAT));
    postpone(&envoy, mk_key(), 1_000);
    envoy.now.set(999);
    assert!(!admit(&envoy, mk_key(), REPEAT));
    envoy.now.set(1_000);
    assert!(admit(&envoy, mk_key(), REPEAT));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failure_neither_touches_another_host_nor_delays_its_own() {
    let envoy = Memory::default();
    postpone(&envoy, mk_key(), 1_000);
    assert!(envoy.shared.borrow().is_empty());
    assert!(admit(&envoy, mk_key(), 100));
    postpone(&envoy, mk_key(), 1_000);
    envoy.now.set(100);
    assert!(admit(&envoy, mk_key(), 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_clock_that_is_set_back_silences_nothing() {
    let envoy = Memory::default();
    envoy.now.set(1_000_000);
    assert!(admit(&envoy, mk_key(), REPEAT));
    envoy.now.set(5);
    assert!(admit(&envoy, mk_key(), REPEAT));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_slot_with_garbage_is_a_free_slot() {
    for held in [&b""[..], b"x", &[0; 15], &[0xff; 17]] {
        assert!(claim(Some(held), mk_key(), 0, REPEAT).is_some(), "{held:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_claim_reads_back_as_it_was_written() {
    let claim = Claim {
        key: mk_key(),
        until: 1_790_000_000_123,
    };
    assert_eq!(Claim::decode(&claim.encode()), Some(claim));
}
