use super::*;
use wasm_bindgen_test::wasm_bindgen_test;

/// Serializes pairs as Envoy does.
pub(crate) fn mk_pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (key, value) in pairs {
        bytes.extend(number(key.len()));
        bytes.extend(number(value.len()));
    }
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn mk_map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    owned.collect()
}

#[wasm_bindgen_test(unsupported = test)]
fn labels_are_read_as_envoy_writes_them() {
    let pairs = [("app", "productpage"), ("version", "v1"), ("empty", "")];
    assert_eq!(decode(&mk_pairs(&pairs)), Some(mk_map(&pairs)));
    assert_eq!(decode(&mk_pairs(&[])), Some(BTreeMap::new()));
}

#[wasm_bindgen_test(unsupported = test)]
fn anything_cut_short_or_longer_is_no_map() {
    let bytes = mk_pairs(&[("app", "productpage"), ("version", "v1")]);
    for length in 0..bytes.len() {
        assert_eq!(decode(&bytes[..length]), None, "{length}");
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert_eq!(decode(&longer), None);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_count_that_lies_asks_for_no_memory() {
    assert_eq!(decode(&[0xff; 64]), None);
    assert_eq!(decode(&[0xff, 0xff, 0xff, 0x1f, 0, 0, 0, 0]), None);
}

#[wasm_bindgen_test(unsupported = test)]
fn text_that_is_not_utf8_is_no_label() {
    let mut bytes = mk_pairs(&[("app", "x")]);
    let at = bytes.len() - 2;
    bytes[at] = 0xff;
    assert_eq!(decode(&bytes), None);
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_map_comes_back(map in proptest::collection::btree_map("[^\\x00]{0,8}", "[^\\x00]{0,8}", 0..8)) {
            let pairs: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            prop_assert_eq!(decode(&mk_pairs(&pairs)), Some(map.clone()));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
