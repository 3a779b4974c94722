//! Which misses are worth a report, agreed on by all workers of a sidecar.
//!
//! Shared data of the proxy is never freed, and applications choose authorities: so there is a fixed number of slots, each
//! holding the last few hosts that were reported through it and when each may be reported again. More hosts than that in one
//! slot only cost extra reports.

use crate::envoy::Envoy;

/// Number of slots, that is the most keys the filter ever writes.
const SLOTS: u64 = 256;

/// How many hosts a slot remembers.
const CLAIMS: usize = 4;

/// Size of a claim, in bytes.
const CLAIM_BYTES: usize = 16;

/// How often a lost race is run again. The winner mostly reported the same host, which ends it.
const ATTEMPTS: u32 = 4;

/// For how long hosts are not reported again, in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Waits {
    /// After a report.
    pub(crate) repeat: u32,
    /// The longest that any claim holds.
    pub(crate) longest: u32,
}

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

/// One of the hosts that a slot remembers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Claim {
    key: Key,
    /// Wall clock, in milliseconds: until then the host is not reported again.
    until: u64,
}

impl Claim {
    fn encode(self) -> [u8; CLAIM_BYTES] {
        let bits = u128::from(self.key.0) << 64 | u128::from(self.until);
        bits.to_be_bytes()
    }

    fn decode(bytes: &[u8; CLAIM_BYTES]) -> Option<Self> {
        let bits = u128::from_be_bytes(*bytes);
        Some(Self {
            key: Key(u64::try_from(bits >> 64).ok()?),
            until: u64::try_from(bits & u128::from(u64::MAX)).ok()?,
        })
    }
}

fn encode(claims: &[Claim]) -> Vec<u8> {
    let claims: Vec<_> = claims.iter().copied().map(Claim::encode).collect();
    claims.into_flattened()
}

/// The claims of a slot: none where it holds what this filter does not write.
fn decode(held: Option<&[u8]>) -> Vec<Claim> {
    match held.unwrap_or_default().as_chunks() {
        (claims, []) if claims.len() <= CLAIMS => claims.iter().filter_map(Claim::decode).collect(),
        _ => Vec::new(),
    }
}

/// Whether `key` should be reported now: then what its slot is to hold, else nothing.
///
/// In a full slot the new claim takes the place of the one that ends first. A claim that reaches further than the longest
/// wait from now was made before the clock was set back, and does not count.
pub(crate) fn claim(held: Option<&[u8]>, key: Key, now: u64, waits: Waits) -> Option<Vec<u8>> {
    let latest = now.saturating_add(u64::from(waits.longest));
    let mut claims = decode(held);
    claims.retain(|claim| now < claim.until && claim.until <= latest);
    if claims.iter().any(|claim| claim.key == key) {
        return None;
    }
    let ends_first = claims
        .iter()
        .enumerate()
        .min_by_key(|(_, claim)| claim.until);
    if let Some((index, _)) = ends_first.filter(|_| claims.len() >= CLAIMS) {
        claims.swap_remove(index);
    }
    claims.push(Claim {
        key,
        until: now.saturating_add(u64::from(waits.repeat)),
    });
    Some(encode(&claims))
}

/// Claims `key` for the caller: true where the caller should report it.
pub(crate) fn admit(envoy: &dyn Envoy, key: Key, waits: Waits) -> bool {
    let slot = key.slot();
    let now = envoy.now();
    for _ in 0..ATTEMPTS {
        let (held, cas) = envoy.shared_data(&slot);
        let Some(claims) = claim(held.as_deref(), key, now, waits) else {
            return false;
        };
        if envoy.set_shared_data(&slot, &claims, cas).is_ok() {
            return true;
        }
    }
    // Hosts that share the slot keep changing it: one report too many is better than none.
    true
}

/// Lets `key` be reported again `after` milliseconds from now, where its claim would last longer.
pub(crate) fn postpone(envoy: &dyn Envoy, key: Key, after: u32) {
    amend(envoy, key, after, |until, held| until < held);
}

/// Keeps `key` from being reported again for `after` milliseconds from now, where its claim would end sooner.
pub(crate) fn extend(envoy: &dyn Envoy, key: Key, after: u32) {
    amend(envoy, key, after, |until, held| until > held);
}

/// Moves the end of `key`'s claim, where there still is one and the new end is to replace the one it has.
fn amend(envoy: &dyn Envoy, key: Key, after: u32, replaces: fn(u64, u64) -> bool) {
    let slot = key.slot();
    let until = envoy.now().saturating_add(u64::from(after));
    for _ in 0..ATTEMPTS {
        let (held, cas) = envoy.shared_data(&slot);
        let mut claims = decode(held.as_deref());
        let claim = claims.iter_mut().find(|claim| claim.key == key);
        match claim {
            Some(claim) if replaces(until, claim.until) => claim.until = until,
            _ => return,
        }
        if envoy.set_shared_data(&slot, &encode(&claims), cas).is_ok() {
            return;
        }
    }
    // Hosts that share the slot keep changing it: the claim then ends when it would have.
}

#[cfg(test)]
mod tests;
