//! JSON merge patches (RFC 7386).

use serde_json::{Map, Value};

/// The merge patch that turns `from` into `to`, or `None` if they are equal.
pub fn merge_patch(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return Some(to.clone());
    };
    let removed = from
        .keys()
        .filter(|key| !to.contains_key(*key))
        .map(|key| (key.clone(), Value::Null));
    let changed = to.iter().filter_map(|(key, value)| {
        let patch = merge_patch(from.get(key).unwrap_or(&Value::Null), value)?;
        Some((key.clone(), patch))
    });
    Some(Value::Object(removed.chain(changed).collect::<Map<_, _>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_differences_are_in_the_patch() {
        let from = json!({ "same": 1, "changed": { "a": 1, "b": 2 }, "removed": [1], "list": [1] });
        let to = json!({ "same": 1, "changed": { "a": 1, "b": 3 }, "added": {}, "list": [1, 2] });
        assert_eq!(
            merge_patch(&from, &to),
            Some(json!({ "changed": { "b": 3 }, "removed": null, "added": {}, "list": [1, 2] }))
        );
    }

    #[test]
    fn equal_values_need_no_patch() {
        assert_eq!(
            merge_patch(&json!({ "a": { "b": [1] } }), &json!({ "a": { "b": [1] } })),
            None
        );
    }
}
