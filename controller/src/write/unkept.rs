//! Not writing again and again what the API server does not keep.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use crate::fence::ObjectRef;

/// When the same is written all the same: another CustomResourceDefinition may keep it by now. As long as none does, the API server
/// finds nothing to store.
const MEMORY: Duration = Duration::from_secs(3_600);

/// By fence, the part of a status that was written and was not in the answer: Slime's own CustomResourceDefinition prunes fields that it
/// does not know, such as `conditions`.
#[derive(Debug, Default)]
pub struct Unkept(Mutex<HashMap<ObjectRef, Record>>);

#[derive(Debug)]
struct Record {
    uid: Option<String>,
    digest: u64,
    written: Instant,
}

impl Record {
    /// How long it still holds.
    fn left(&self) -> Option<Duration> {
        let left = MEMORY.checked_sub(self.written.elapsed());
        left.filter(|left| !left.is_zero())
    }
}

impl Unkept {
    /// Whether `patch`, of the fence `name` of this uid, would write nothing but what was not kept last time.
    pub fn is_vain(&self, name: &ObjectRef, uid: Option<&str>, patch: &Value) -> bool {
        let known = self.0.lock();
        known.get(name).is_some_and(|record| {
            record.uid.as_deref() == uid
                && record.digest == digest_of(&patch["status"])
                && record.left().is_some()
        })
    }

    /// How long until what was not kept of this fence is written again; `None` if all was, or the next run writes it.
    pub fn until_again(&self, name: &ObjectRef) -> Option<Duration> {
        self.0.lock().get(name)?.left()
    }

    /// Says that after a write `rest` still differed from what was wanted, or nothing did.
    pub fn written(&self, name: &ObjectRef, uid: Option<&str>, rest: Option<&Value>) {
        let mut known = self.0.lock();
        match rest {
            Some(rest) => {
                let record = Record {
                    uid: uid.map(str::to_owned),
                    digest: digest_of(&rest["status"]),
                    written: Instant::now(),
                };
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

    #[tokio::test(start_paused = true)]
    async fn the_same_is_tried_again_after_a_while() {
        let (unkept, name) = (Unkept::default(), ObjectRef::new("default", "a"));
        let patch = json!({ "status": { "conditions": [{ "type": "Ready" }] } });
        let is_vain = || unkept.is_vain(&name, Some("u1"), &patch);
        assert_eq!(unkept.until_again(&name), None);
        for _ in 0..2 {
            unkept.written(&name, Some("u1"), Some(&patch));
            tokio::time::advance(MEMORY / 2).await;
            assert_eq!(
                (is_vain(), unkept.until_again(&name)),
                (true, Some(MEMORY / 2))
            );
            tokio::time::advance(MEMORY / 2).await;
            assert_eq!((is_vain(), unkept.until_again(&name)), (false, None));
        }
    }

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
