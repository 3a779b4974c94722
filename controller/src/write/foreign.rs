//! Telling once of each object of somebody else's that stands in the place of one of the controller's.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::queue::Key;

/// The objects that were told of, by what they are in the place of. They may change often, and concern the controller every time.
#[derive(Debug, Default)]
pub struct Foreign(Mutex<HashMap<Key, Option<String>>>);

impl Foreign {
    /// Whether the object of `uid` in the place of `key` was not told of yet.
    pub fn is_news(&self, key: &Key, uid: Option<String>) -> bool {
        let mut told = self.0.lock();
        let is_news = told.get(key) != Some(&uid);
        told.insert(key.clone(), uid);
        is_news
    }

    /// Says that there is none of somebody else's (any more).
    pub fn forget(&self, key: &Key) {
        self.0.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_is_news_once_and_again_when_it_comes_back() {
        let (foreign, key) = (Foreign::default(), Key::Placeholder);
        let is_news = |uid: &str| foreign.is_news(&key, Some(uid.to_owned()));
        assert_eq!(
            ["a", "a", "b", "b"].map(is_news),
            [true, false, true, false]
        );
        foreign.forget(&key);
        assert!(is_news("b"));
    }
}
