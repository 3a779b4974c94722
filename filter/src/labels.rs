//! Maps as the proxy serializes them for a property.

use std::collections::BTreeMap;

/// Reads a serialized map of strings: a count, then both lengths of each pair, then each key and value with a zero byte
/// after it; numbers are 32 bits, little endian. Nothing where the bytes are anything else.
///
/// Envoy writes node metadata so, struct or not: `serializeValue` in `source/extensions/common/wasm/context.cc`.
pub(crate) fn decode(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let (count, rest) = number(bytes)?;
    // Checked before anything is reserved: a wrong count must not make the filter ask for memory.
    let lengths_size = count.checked_mul(8)?;
    let (mut lengths, mut content) = rest.split_at_checked(lengths_size)?;
    let mut map = BTreeMap::new();
    for _ in 0..count {
        let (key_length, rest) = number(lengths)?;
        let (value_length, rest) = number(rest)?;
        lengths = rest;
        let (key, rest) = text(content, key_length)?;
        let (value, rest) = text(rest, value_length)?;
        content = rest;
        map.insert(key.to_owned(), value.to_owned());
    }
    content.is_empty().then_some(map)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn text(bytes: &[u8], length: usize) -> Option<(&str, &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    let (0, rest) = rest.split_first()? else {
        return None;
    };
    Some((str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
pub(crate) mod tests;
