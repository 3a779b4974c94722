//! Not taking out of a Sidecar what another replica has just learned.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::fence::ObjectRef;

/// How long the status may take to say why the Sidecar shows a host. A replica writes both at once, but a conflict costs it two
/// more calls, and watches of different kinds are not in step.
const PATIENCE: Duration = Duration::from_secs(1);

/// By fence, whether its Sidecar has been found to show nothing but what its status says. If so, what has to go from it then goes
/// for a reason of its own.
#[derive(Debug, Default)]
pub struct Explained(Mutex<HashMap<ObjectRef, Record>>);

#[derive(Debug)]
enum Record {
    /// It was so at this version.
    At(String),
    /// It has not been so since.
    NotSince(Instant),
}

impl Explained {
    /// Says that the Sidecar at `version` shows nothing that it should not.
    pub fn explained(&self, name: &ObjectRef, version: Option<String>) {
        if let Some(version) = version {
            self.0.lock().insert(name.clone(), Record::At(version));
        }
    }

    /// How long taking anything out of the Sidecar at `version` has to wait. However often the Sidecar changes meanwhile, this
    /// ends.
    pub fn wait(&self, name: &ObjectRef, version: Option<&str>) -> Option<Duration> {
        let mut records = self.0.lock();
        let since = match records.get(name) {
            Some(Record::At(known)) if Some(known.as_str()) == version => return None,
            Some(Record::NotSince(since)) => *since,
            _ => Instant::now(),
        };
        records.insert(name.clone(), Record::NotSince(since));
        let left = PATIENCE.checked_sub(since.elapsed());
        left.filter(|left| !left.is_zero())
    }

    /// Forgets a fence that is gone.
    pub fn forget(&self, name: &ObjectRef) {
        self.0.lock().remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> ObjectRef {
        ObjectRef::new("default", "web")
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_explained_goes_at_once_and_what_was_not_after_a_second() {
        let sidecars = Explained::default();
        sidecars.explained(&web(), Some("5".to_owned()));
        assert_eq!(sidecars.wait(&web(), Some("5")), None);
        assert_eq!(sidecars.wait(&web(), Some("6")), Some(PATIENCE));
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(sidecars.wait(&web(), Some("6")), Some(PATIENCE / 2));
        sidecars.explained(&web(), Some("6".to_owned()));
        assert_eq!(sidecars.wait(&web(), Some("6")), None);
        assert_eq!(sidecars.wait(&web(), Some("7")), Some(PATIENCE), "anew");
    }

    #[tokio::test(start_paused = true)]
    async fn further_changes_do_not_put_it_off_further() {
        let sidecars = Explained::default();
        assert_eq!(sidecars.wait(&web(), Some("1")), Some(PATIENCE));
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(sidecars.wait(&web(), Some("2")), Some(PATIENCE / 2));
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(sidecars.wait(&web(), Some("3")), None);
    }
}
