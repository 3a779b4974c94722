//! Not writing again and again what the API server does not keep.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use parking_lot::Mutex;
use serde_json::Value;

use crate::fence::ObjectRef;

/// By fence, the part of a status that was written and was not in the answer: Slime's own CustomResourceDefinition prunes fields that it
/// does not know, such as `conditions`.
#[derive(Debug, Default)]
pub struct Unkept(Mutex<HashMap<ObjectRef, (Option<String>, u64)>>);

impl Unkept {
    /// Whether `patch`, of the fence `name` of this uid, would write nothing but what was not kept last time.
    pub fn is_vain(&self, name: &ObjectRef, uid: Option<&str>, patch: &Value) -> bool {
        let known = self.0.lock();
        known.get(name).is_some_and(|(of, digest)| {
            of.as_deref() == uid && *digest == digest_of(&patch["status"])
        })
    }

    /// Says that after a write `rest` still differed from what was wanted, or nothing did.
    pub fn written(&self, name: &ObjectRef, uid: Option<&str>, rest: Option<&Value>) {
        let mut known = self.0.lock();
        match rest {
            Some(rest) => {
                let record = (uid.map(str::to_owned), digest_of(&rest["status"]));
                known.insert(name.clone(), record);
            }
            None => _ = known.remove(name),
        }
    }

    /// Forgets a fence that is gone.
    pub fn forget(&self, name: &ObjectRef) {
        self.0.lock().remove(name);
    }
}

/// What `status` says, but for when it says so: conditions that are not kept begin anew every time.
fn digest_of(status: &Value) -> u64 {
    let mut status = status.clone();
    if let Some(Value::Array(conditions)) = status.get_mut("conditions") {
        for condition in conditions.iter_mut().filter_map(Value::as_object_mut) {
            condition.remove("lastTransitionTime");
        }
    }
    let mut hasher = DefaultHasher::new();
    status.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_is_vain_whenever_it_is_said_and_anything_else_is_not() {
        let patch = |second: u8, reason: &str| {
            json!({ "metadata": { "resourceVersion": second.to_string() }, "status": { "conditions": [
                { "type": "Ready", "reason": reason, "lastTransitionTime": format!("2026-01-01T00:00:0{second}Z") },
            ] } })
        };
        let (unkept, name) = (Unkept::default(), ObjectRef::new("default", "a"));
        let is_vain = |uid, patch: &Value| unkept.is_vain(&name, Some(uid), patch);
        assert!(!is_vain("u1", &patch(1, "a")));
        unkept.written(&name, Some("u1"), Some(&patch(1, "a")));
        assert!(is_vain("u1", &patch(2, "a")));
        assert!(!is_vain("u1", &patch(2, "b")));
        assert!(!is_vain("u2", &patch(2, "a")), "another object");
        unkept.written(&name, Some("u1"), None);
        assert!(!is_vain("u1", &patch(2, "a")));
    }
}
