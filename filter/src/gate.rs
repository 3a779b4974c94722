//! Which misses are worth a report, agreed on by all workers of a sidecar.
//!
//! Shared data of the proxy is never freed, and applications choose authorities: so there is a fixed number of slots, each
//! holding the last host that was reported through it and when it may be reported again. Two hosts in one slot only
//! cost extra reports.

use crate::envoy::Envoy;

/// Number of slots, that is the most keys the filter ever writes.
const SLOTS: u64 = 256;

/// How often a lost race is run again. The winner mostly reported the same host, which ends it.
const ATTEMPTS: u32 = 4;

/// Identifies a host and port among all that were reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Key(u64);

impl Key {
    /// FNV-1a, 64 bits: short, and the same in every worker.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let bytes = host.bytes().chain(port.to_be_bytes());
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    fn slot(self) -> String {
        slot(self.0 % SLOTS)
    }
}

fn slot(number: u64) -> String {
    format!("lazyload.miss.{number}")
}

/// Makes every slot, before requests come: the proxy compares only what is there, so two workers that found the same slot
/// missing would both win it.
pub(crate) fn prepare(envoy: &dyn Envoy) {
    for slot in (0..SLOTS).map(slot) {
        if let (None, None) = envoy.shared_data(&slot) {
            // Lost only against another worker that prepares, or has claimed, the same slot.
            let _ = envoy.set_shared_data(&slot, &[], None);
        }
    }
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Claim {
    key: Key,
    /// Wall clock, in milliseconds: until then the host is not reported again.
    until: u64,
}

impl Claim {
    fn encode(self) -> [u8; 16] {
        let bits = u128::from(self.key.0) << 64 | u128::from(self.until);
        bits.to_be_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 16] = bytes.try_into().ok()?;
        let bits = u128::from_be_bytes(bytes);
        Some(Self {
            key: Key(u64::try_from(bits >> 64).ok()?),
            until: u64::try_from(bits & u128::from(u64::MAX)).ok()?,
        })
    }
}

/// Whether `key` should be reported now: then the claim to write, else nothing.
///
/// A claim that reaches further than `repeat_after` from now was made before the clock was set back, and does not count.
pub(crate) fn claim(
    held: Option<&[u8]>,
    key: Key,
    now: u64,
    repeat_after: u32,
) -> Option<[u8; 16]> {
    let until = now.saturating_add(u64::from(repeat_after));
    let fresh = |claim: Claim| claim.key == key && now < claim.until && claim.until <= until;
    match held.and_then(Claim::decode) {
        Some(claim) if fresh(claim) => None,
        _ => Some(Claim { key, until }.encode()),
    }
}

/// Claims `key` for the caller: true where the caller should report it.
pub(crate) fn admit(envoy: &dyn Envoy, key: Key, repeat_after: u32) -> bool {
    let slot = key.slot();
    let now = envoy.now();
    for _ in 0..ATTEMPTS {
        let (held, cas) = envoy.shared_data(&slot);
        let Some(claim) = claim(held.as_deref(), key, now, repeat_after) else {
            return false;
        };
        if envoy.set_shared_data(&slot, &claim, cas).is_ok() {
            return true;
        }
    }
    // Hosts that share the slot keep changing it: one report too many is better than none.
    true
}

/// Lets `key` be reported again `after` milliseconds from now, unless another host took its slot meanwhile.
pub(crate) fn postpone(envoy: &dyn Envoy, key: Key, after: u32) {
    let slot = key.slot();
    let (held, cas) = envoy.shared_data(&slot);
    let Some(claim) = held.as_deref().and_then(Claim::decode) else {
        return;
    };
    let until = envoy.now().saturating_add(u64::from(after));
    if claim.key == key && until < claim.until {
        // Lost only against a newer claim, which then counts.
        let _ = envoy.set_shared_data(&slot, &Claim { key, until }.encode(), cas);
    }
}

#[cfg(test)]
mod tests;
