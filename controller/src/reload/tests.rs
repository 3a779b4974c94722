use std::{os::unix::fs::symlink, path::Path};

use tempfile::TempDir;
use tracing::Subscriber;

use super::*;
use crate::{
    args::LogFormat,
    config::LogConfig,
    index::World,
    queue::{Key, Queue},
};

/// A controller that runs with the defaults, and a file as a ConfigMap is mounted.
struct Rig {
    directory: TempDir,
    reloader: Reloader,
    queue: Queue,
    // The level can be changed as long as there is somebody whose it is.
    _subscriber: Box<dyn Subscriber>,
}

fn mk_rig() -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let (subscriber, level) =
        crate::log::subscriber(None, LogFormat::Json, &LogConfig::default()).unwrap();
    let source = Source {
        path: directory.path().join("config.yaml"),
        level,
    };
    let running = Config::default();
    let queue = Queue::default();
    let world = World::new(Arc::new(running.settings()));
    let index = Arc::new(Index::new(world, queue.clone()));
    Rig {
        reloader: Reloader::new(source, running, index, Arc::default()),
        directory,
        queue,
        _subscriber: Box::new(subscriber),
    }
}

impl Rig {
    /// Changes the file as the kubelet does: a new directory, and a link that points to it from one moment to the next.
    fn mount(&self, version: &str, text: &str) {
        let path = |name: &str| self.directory.path().join(name);
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("config.yaml"), text).unwrap();
        symlink(version, path("..tmp")).unwrap();
        fs::rename(path("..tmp"), path("..data")).unwrap();
        if !path("config.yaml").is_symlink() {
            symlink(Path::new("..data/config.yaml"), path("config.yaml")).unwrap();
        }
    }

    async fn look(&mut self, version: &str, text: &str) {
        self.mount(version, text);
        self.look_until_settled().await;
    }

    async fn look_until_settled(&mut self) {
        for _ in 0..2 {
            self.reloader.look().await;
        }
    }

    fn counted(&self, result: &'static str) -> u64 {
        self.reloader.metrics.config_reloads(result).get()
    }

    fn stable_hosts(&self) -> Vec<String> {
        let index = &self.reloader.index;
        index.read(|world| world.settings().stable_hosts.clone())
    }
}

#[tokio::test]
async fn what_the_file_says_anew_is_taken_over_and_wakes_what_it_concerns() {
    let mut rig = mk_rig();
    rig.look("v1", "").await;
    assert_eq!(rig.counted("applied"), 0);
    rig.look(
        "v2",
        "{global: {log: {logLevel: debug}}, general: {stableHost: [a.b], replay: {portQuietSeconds: 7}}}",
    )
    .await;
    assert_eq!(rig.stable_hosts(), ["a.b"]);
    assert_eq!(rig.reloader.source.level.present(), "debug");
    assert_eq!(rig.counted("applied"), 1);
    assert_eq!(rig.queue.next().await.key, Key::Placeholder);
}

#[tokio::test]
async fn a_file_that_says_the_same_in_other_words_changes_nothing() {
    let mut rig = mk_rig();
    rig.look("v1", "# nothing").await;
    rig.look("v2", "general: {autoPort: true}").await;
    assert_eq!(rig.counted("applied"), 0);
    let before = rig.reloader.index.read(|world| world.settings().clone());
    rig.look("v3", "general: {stableHost: []}").await;
    let after = rig.reloader.index.read(|world| world.settings().clone());
    assert!(Arc::ptr_eq(&before, &after));
}

#[tokio::test]
async fn a_mistake_is_told_once_and_leaves_everything_as_it_is() {
    let mut rig = mk_rig();
    rig.look("v1", "general: {stableHost: [a.b]}").await;
    rig.look("v2", "general: {stableHosts: [c.d]}").await;
    rig.reloader.look().await;
    assert_eq!(rig.counted("rejected"), 1);
    assert_eq!(rig.stable_hosts(), ["a.b"]);
    rig.look("v3", "general: {stableHost: [c.d]}").await;
    assert_eq!(rig.stable_hosts(), ["c.d"]);
}

#[tokio::test]
async fn a_file_that_is_gone_leaves_everything_as_it_is() {
    let mut rig = mk_rig();
    rig.look("v1", "general: {stableHost: [a.b]}").await;
    fs::remove_file(rig.directory.path().join("..data")).unwrap();
    rig.look_until_settled().await;
    rig.look_until_settled().await;
    assert_eq!(rig.counted("rejected"), 1);
    assert_eq!(rig.stable_hosts(), ["a.b"]);
}

#[tokio::test]
async fn what_needs_a_restart_waits_and_the_rest_does_not() {
    let mut rig = mk_rig();
    rig.look(
        "v1",
        "{global: {istioNamespace: other}, general: {stableHost: [a.b]}}",
    )
    .await;
    assert_eq!(rig.counted("needs_restart"), 1);
    assert_eq!(rig.stable_hosts(), ["a.b"]);
    let settings = rig.reloader.index.read(|world| world.settings().clone());
    assert_eq!(settings.istio_namespace, "istio-system");
    assert_eq!(settings.replay.root_namespace, "istio-system");
}

#[tokio::test]
async fn a_file_that_is_being_written_does_not_count_until_it_stays_as_it_is() {
    let mut rig = mk_rig();
    let automatic = |rig: &Rig| {
        let index = &rig.reloader.index;
        index.read(|world| world.settings().auto_fence.is_on)
    };
    rig.look("v1", "general: {autoFence: true}").await;
    rig.mount("v2", "");
    rig.reloader.look().await;
    rig.look("v3", "general: {autoFence: true, defaultFence: true}")
        .await;
    assert!(automatic(&rig));
    assert_eq!(rig.counted("applied"), 2);
    rig.look("v4", "").await;
    assert!(!automatic(&rig));
}

#[tokio::test(start_paused = true)]
async fn the_file_is_followed_for_good() {
    let rig = mk_rig();
    rig.mount("v1", "general: {stableHost: [a.b]}");
    let index = rig.reloader.index.clone();
    let following = tokio::spawn(rig.reloader.run());
    while index.read(|world| world.settings().stable_hosts.is_empty()) {
        tokio::time::sleep(PERIOD).await;
    }
    following.abort();
}
