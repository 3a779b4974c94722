use super::*;
use crate::{envoy::CasMismatch, memory::Memory};
use wasm_bindgen_test::wasm_bindgen_test;

const WAITS: Waits = Waits {
    repeat: 10_000,
    longest: 60_000,
};

/// Whether the caller is the one to report.
fn admitted(envoy: &Memory, key: Key, waits: Waits) -> bool {
    admit(envoy, key, waits) == Admission::Report
}

fn postpone(envoy: &Memory, key: Key, milliseconds: u32) {
    settle(envoy, key, Standing::Unreported, End::Within(milliseconds));
}

fn extend(envoy: &Memory, key: Key, milliseconds: u32) {
    settle(envoy, key, Standing::Pass, End::NotBefore(milliseconds));
}

fn mk_key() -> Key {
    Key::new("reviews", 9080)
}

/// Hosts of one slot.
fn mk_neighbours<const N: usize>() -> [Key; N] {
    let hosts = (0u32..).map(|index| Key::new(&format!("host-{index}"), 80));
    let of_slot = hosts.filter(|key| key.slot() == mk_key().slot());
    of_slot.take(N).collect::<Vec<_>>().try_into().unwrap()
}

#[wasm_bindgen_test(unsupported = test)]
fn a_host_is_reported_once_until_the_interval_ends() {
    let envoy = Memory::default();
    envoy.now.set(1_000);
    assert!(admitted(&envoy, mk_key(), WAITS));
    assert!(!admitted(&envoy, mk_key(), WAITS));
    envoy.now.set(10_999);
    assert!(!admitted(&envoy, mk_key(), WAITS));
    envoy.now.set(11_000);
    assert!(admitted(&envoy, mk_key(), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn another_worker_knows_what_was_reported() {
    let one = Memory::default();
    let other = Memory {
        shared: one.shared.clone(),
        ..Memory::default()
    };
    assert!(admitted(&one, mk_key(), WAITS));
    assert!(!admitted(&other, mk_key(), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn preparing_makes_every_slot_and_takes_back_no_claim() {
    let envoy = Memory::default();
    assert!(admitted(&envoy, mk_key(), WAITS));
    prepare(&envoy);
    assert_eq!(envoy.shared.borrow().len(), 256);
    assert!(!admitted(&envoy, mk_key(), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn of_two_workers_that_look_at_a_prepared_slot_at_once_one_wins() {
    let envoy = Memory::default();
    prepare(&envoy);
    let (held, seen_by_both) = envoy.shared_data(&mk_key().slot());
    let written = claim(held.as_deref(), mk_key(), 0, WAITS).unwrap();
    let write = || envoy.set_shared_data(&mk_key().slot(), &written, seen_by_both);
    assert_eq!((write(), write()), (Ok(()), Err(CasMismatch)));
}

#[wasm_bindgen_test(unsupported = test)]
fn another_port_is_another_miss() {
    let envoy = Memory::default();
    assert!(admitted(&envoy, mk_key(), WAITS));
    assert!(admitted(&envoy, Key::new("reviews", 9081), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn whatever_applications_ask_for_the_slots_stay_few() {
    let envoy = Memory::default();
    for index in 0..20_000 {
        assert!(admitted(&envoy, Key::new(&format!("host-{index}"), 80), WAITS) || index > 0);
    }
    let shared = envoy.shared.borrow();
    assert!(shared.len() <= 256, "{}", shared.len());
    assert!(shared.values().all(|(value, _)| value.len() <= 64));
}

#[wasm_bindgen_test(unsupported = test)]
fn four_hosts_that_share_a_slot_are_each_reported_once() {
    let envoy = Memory::default();
    for key in mk_neighbours::<4>() {
        assert!(admitted(&envoy, key, WAITS));
    }
    for key in mk_neighbours::<4>() {
        assert!(!admitted(&envoy, key, WAITS));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn in_a_full_slot_a_host_takes_the_place_of_the_one_that_ends_first() {
    let envoy = Memory::default();
    let [first, second, third, fourth, fifth] = mk_neighbours();
    for key in [first, second, third, fourth] {
        assert!(admitted(&envoy, key, WAITS));
        envoy.now.set(envoy.now.get() + 1);
    }
    extend(&envoy, first, 60_000);
    assert!(admitted(&envoy, fifth, WAITS));
    for key in [first, third, fourth, fifth] {
        assert!(!admitted(&envoy, key, WAITS));
    }
    assert!(admitted(&envoy, second, WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn in_a_full_slot_a_host_takes_the_place_of_one_that_has_ended() {
    let envoy = Memory::default();
    let [ended, kept, other, another, late] = mk_neighbours();
    for key in [ended, kept, other, another] {
        assert!(admitted(&envoy, key, WAITS));
    }
    for key in [kept, other, another] {
        extend(&envoy, key, 60_000);
    }
    envoy.now.set(10_000);
    assert!(admitted(&envoy, late, WAITS));
    for key in [kept, other, another] {
        assert!(!admitted(&envoy, key, WAITS));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_lost_race_is_run_again_and_never_for_ever() {
    let envoy = Memory::default();
    envoy.lost_races.set(2);
    assert!(admitted(&envoy, mk_key(), WAITS));
    assert!(!admitted(&envoy, mk_key(), WAITS));
    envoy.now.set(20_000);
    envoy.lost_races.set(usize::MAX);
    assert!(admitted(&envoy, mk_key(), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failed_report_may_be_repeated_sooner() {
    let envoy = Memory::default();
    assert!(admitted(&envoy, mk_key(), WAITS));
    postpone(&envoy, mk_key(), 1_000);
    envoy.now.set(999);
    assert!(!admitted(&envoy, mk_key(), WAITS));
    envoy.now.set(1_000);
    assert!(admitted(&envoy, mk_key(), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failure_neither_touches_another_host_nor_delays_its_own() {
    let envoy = Memory::default();
    postpone(&envoy, mk_key(), 1_000);
    assert!(envoy.shared.borrow().is_empty());
    let short = Waits {
        repeat: 100,
        ..WAITS
    };
    assert!(admitted(&envoy, mk_key(), short));
    postpone(&envoy, mk_key(), 1_000);
    envoy.now.set(100);
    assert!(admitted(&envoy, mk_key(), short));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failure_leaves_the_neighbours_alone_whoever_else_writes_the_slot() {
    let envoy = Memory::default();
    let [failed, neighbour] = mk_neighbours();
    assert!(admitted(&envoy, failed, WAITS) && admitted(&envoy, neighbour, WAITS));
    envoy.lost_races.set(3);
    postpone(&envoy, failed, 1_000);
    envoy.now.set(1_000);
    assert!(!admitted(&envoy, neighbour, WAITS));
    assert!(admitted(&envoy, failed, WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_extended_claim_holds_to_its_new_end() {
    let envoy = Memory::default();
    assert!(admitted(&envoy, mk_key(), WAITS));
    envoy.lost_races.set(3);
    extend(&envoy, mk_key(), 60_000);
    envoy.now.set(59_999);
    assert!(!admitted(&envoy, mk_key(), WAITS));
    envoy.now.set(60_000);
    assert!(admitted(&envoy, mk_key(), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn extending_neither_shortens_a_claim_nor_makes_one_nor_runs_for_ever() {
    let envoy = Memory::default();
    extend(&envoy, mk_key(), 60_000);
    assert!(envoy.shared.borrow().is_empty());
    assert!(admitted(&envoy, mk_key(), WAITS));
    extend(&envoy, mk_key(), 1);
    envoy.lost_races.set(usize::MAX);
    extend(&envoy, mk_key(), 60_000);
    envoy.now.set(9_999);
    assert!(!admitted(&envoy, mk_key(), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_clock_that_is_set_back_silences_nothing() {
    let envoy = Memory::default();
    envoy.now.set(1_000_000);
    assert!(admitted(&envoy, mk_key(), WAITS));
    envoy.now.set(5);
    assert!(admitted(&envoy, mk_key(), WAITS));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_slot_with_garbage_is_a_free_slot() {
    for held in [&b""[..], b"x", &[0; 15], &[0xff; 17], &[0xff; 80]] {
        assert!(claim(Some(held), mk_key(), 0, WAITS).is_ok(), "{held:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn claims_read_back_as_they_were_written() {
    let claim = Claim {
        key: mk_key(),
        standing: Standing::Unreported,
        until: 1_790_000_000_123,
    };
    assert_eq!(decode(Some(&encode(&[claim; 4]))), [claim; 4]);
}

#[wasm_bindgen_test(unsupported = test)]
fn every_worker_knows_the_standing_until_the_claim_ends() {
    let one = Memory::default();
    let other = Memory {
        shared: one.shared.clone(),
        ..Memory::default()
    };
    assert_eq!(standing(&other, mk_key(), WAITS), None);
    assert!(admitted(&one, mk_key(), WAITS));
    assert_eq!(
        admit(&other, mk_key(), WAITS),
        Admission::Known(Standing::Awaiting)
    );
    settle(&one, mk_key(), Standing::Hold, End::Kept);
    assert_eq!(standing(&other, mk_key(), WAITS), Some(Standing::Hold));
    extend(&one, mk_key(), 60_000);
    other.now.set(59_999);
    assert_eq!(standing(&other, mk_key(), WAITS), Some(Standing::Pass));
    other.now.set(60_000);
    assert_eq!(standing(&other, mk_key(), WAITS), None);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_standing_is_that_of_one_host_alone() {
    let envoy = Memory::default();
    let [one, neighbour] = mk_neighbours();
    assert!(admitted(&envoy, one, WAITS) && admitted(&envoy, neighbour, WAITS));
    settle(&envoy, one, Standing::Hold, End::Kept);
    assert_eq!(standing(&envoy, neighbour, WAITS), Some(Standing::Awaiting));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_host_that_is_to_pass_passes_for_an_interval_though_its_claim_has_ended() {
    let envoy = Memory::default();
    assert!(admitted(&envoy, mk_key(), WAITS));
    envoy.now.set(10_000);
    pass(&envoy, mk_key(), WAITS.repeat);
    envoy.now.set(19_999);
    assert_eq!(
        admit(&envoy, mk_key(), WAITS),
        Admission::Known(Standing::Pass)
    );
    envoy.now.set(20_000);
    assert!(admitted(&envoy, mk_key(), WAITS));
}
