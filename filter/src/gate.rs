//! Which misses are worth a report, and what is known of their hosts, agreed on by all workers of a sidecar.
//!
//! Shared data of the proxy is never freed, and applications choose authorities: so there is a fixed number of slots, each
//! holding the last few hosts that were reported through it, when each may be reported again and its standing until then. More
//! hosts than that in one slot only cost extra reports.

mod standing;
pub(crate) mod workload;

pub(crate) use standing::Standing;

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
    standing: Standing,
    /// Wall clock, in milliseconds: until then the host is not reported again.
    until: u64,
}

/// The last bits of a claim are its end, which leaves room for the standing before them for two million years.
const UNTIL_BITS: u32 = 56;
const UNTIL_MASK: u64 = (1 << UNTIL_BITS) - 1;

impl Claim {
    fn encode(self) -> [u8; CLAIM_BYTES] {
        let standing = u64::from(self.standing as u8) << UNTIL_BITS;
        let state = standing | self.until.min(UNTIL_MASK);
        (u128::from(self.key.0) << 64 | u128::from(state)).to_be_bytes()
    }

    fn decode(bytes: &[u8; CLAIM_BYTES]) -> Option<Self> {
        let bits = u128::from_be_bytes(*bytes);
        let state = u64::try_from(bits & u128::from(u64::MAX)).ok()?;
        Some(Self {
            key: Key(u64::try_from(bits >> 64).ok()?),
            standing: Standing::decode(u8::try_from(state >> UNTIL_BITS).ok()?)?,
            until: state & UNTIL_MASK,
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

/// The claims of a slot that hold now. One that reaches further than the longest wait from now was made before the clock was
/// set back, and does not count.
fn live(held: Option<&[u8]>, now: u64, waits: Waits) -> Vec<Claim> {
    let latest = now.saturating_add(u64::from(waits.longest));
    let mut claims = decode(held);
    claims.retain(|claim| now < claim.until && claim.until <= latest);
    claims
}

/// Adds a claim; in a full slot in the place of the one that ends first.
fn add(claims: &mut Vec<Claim>, claim: Claim) {
    let ends_first = claims
        .iter()
        .enumerate()
        .min_by_key(|(_, claim)| claim.until);
    if let Some((index, _)) = ends_first.filter(|_| claims.len() >= CLAIMS) {
        claims.swap_remove(index);
    }
    claims.push(claim);
}

/// What the slot of `key` is to hold where the host should be reported now, else the host's standing.
pub(crate) fn claim(
    held: Option<&[u8]>,
    key: Key,
    now: u64,
    waits: Waits,
) -> Result<Vec<u8>, Standing> {
    let mut claims = live(held, now, waits);
    if let Some(claim) = claims.iter().find(|claim| claim.key == key) {
        return Err(claim.standing);
    }
    let claim = Claim {
        key,
        standing: Standing::Awaiting,
        until: now.saturating_add(u64::from(waits.repeat)),
    };
    add(&mut claims, claim);
    Ok(encode(&claims))
}

/// Who reports a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Admission {
    /// The caller, whose claim it is now.
    Report,
    /// It was reported, and this is what is known of it.
    Known(Standing),
}

/// Claims `key` for the caller, unless it is claimed already.
pub(crate) fn admit(envoy: &dyn Envoy, key: Key, waits: Waits) -> Admission {
    let slot = key.slot();
    let now = envoy.now();
    for _ in 0..ATTEMPTS {
        let (held, cas) = envoy.shared_data(&slot);
        let claims = match claim(held.as_deref(), key, now, waits) {
            Ok(claims) => claims,
            Err(standing) => return Admission::Known(standing),
        };
        if envoy.set_shared_data(&slot, &claims, cas).is_ok() {
            return Admission::Report;
        }
    }
    // Hosts that share the slot keep changing it: one report too many is better than none.
    Admission::Report
}

/// The standing of `key`, where it is claimed.
pub(crate) fn standing(envoy: &dyn Envoy, key: Key, waits: Waits) -> Option<Standing> {
    let (held, _) = envoy.shared_data(&key.slot());
    let claims = live(held.as_deref(), envoy.now(), waits);
    let claim = claims.into_iter().find(|claim| claim.key == key)?;
    Some(claim.standing)
}

/// What becomes of the end of a claim whose standing changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// It stays.
    Kept,
    /// So many milliseconds from now, or sooner where it is sooner.
    Within(u32),
    /// So many milliseconds from now, or later where it is later.
    NotBefore(u32),
}

impl End {
    fn apply(self, until: u64, now: u64) -> u64 {
        match self {
            Self::Kept => until,
            Self::Within(most) => until.min(now.saturating_add(u64::from(most))),
            Self::NotBefore(least) => until.max(now.saturating_add(u64::from(least))),
        }
    }
}

/// Changes the standing of `key`, where there still is a claim.
pub(crate) fn settle(envoy: &dyn Envoy, key: Key, standing: Standing, end: End) {
    amend(envoy, key, |mut claims, now| {
        let claim = claims.iter_mut().find(|claim| claim.key == key)?;
        claim.standing = standing;
        claim.until = end.apply(claim.until, now);
        Some(claims)
    });
}

/// Lets all requests to `key` pass for so many milliseconds from now, whether it is claimed or not.
pub(crate) fn pass(envoy: &dyn Envoy, key: Key, milliseconds: u32) {
    amend(envoy, key, |mut claims, now| {
        claims.retain(|claim| claim.key != key);
        let claim = Claim {
            key,
            standing: Standing::Pass,
            until: now.saturating_add(u64::from(milliseconds)),
        };
        add(&mut claims, claim);
        Some(claims)
    });
}

/// Writes what `change` makes of the claims of `key`'s slot, if anything.
fn amend(envoy: &dyn Envoy, key: Key, change: impl Fn(Vec<Claim>, u64) -> Option<Vec<Claim>>) {
    let slot = key.slot();
    let now = envoy.now();
    for _ in 0..ATTEMPTS {
        let (held, cas) = envoy.shared_data(&slot);
        let Some(claims) = change(decode(held.as_deref()), now) else {
            return;
        };
        if envoy.set_shared_data(&slot, &encode(&claims), cas).is_ok() {
            return;
        }
    }
    // Hosts that share the slot keep changing it: the claim then stays as it is.
}

#[cfg(test)]
mod tests;
