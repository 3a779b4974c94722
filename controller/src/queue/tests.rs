use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;

use super::*;

fn mk_fence(name: &str) -> ObjectRef {
    ObjectRef::new("default", name)
}

fn learn(queue: &Queue, hosts: &[&str]) {
    for host in hosts {
        queue.learn(mk_fence("a"), host, Instant::now()).unwrap();
    }
}

/// The run that is ready now, if there is one.
fn ready(queue: &Queue) -> Option<Job> {
    queue.next().now_or_never()
}

fn hosts(job: &Job) -> Vec<&str> {
    job.learned.keys().map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_host_of_an_idle_fence_is_handed_out_at_once() {
    let queue = Queue::default();
    learn(&queue, &["x"]);
    let job = ready(&queue).unwrap();
    assert_eq!(
        (&job.key, hosts(&job)),
        (&Key::Fence(mk_fence("a")), vec!["x"])
    );
    assert_eq!(ready(&queue), None);
}

#[tokio::test(start_paused = true)]
async fn hosts_that_arrive_during_a_write_are_handed_out_together_after_it() {
    let queue = Queue::default();
    learn(&queue, &["x"]);
    let first = ready(&queue).unwrap();
    learn(&queue, &["y", "z", "y"]);
    assert_eq!(ready(&queue), None);
    queue.finish(first.key, Outcome::Done);
    assert_eq!(hosts(&ready(&queue).unwrap()), ["y", "z"]);
}

#[tokio::test(start_paused = true)]
async fn one_fence_does_not_wait_for_another() {
    let queue = Queue::default();
    queue.touch(Key::Fence(mk_fence("a")));
    queue.touch(Key::Fence(mk_fence("b")));
    let first = ready(&queue).unwrap();
    let second = ready(&queue).unwrap();
    assert_ne!(first.key, second.key);
}

#[tokio::test(start_paused = true)]
async fn many_changes_of_one_fence_are_one_run() {
    let queue = Queue::default();
    for _ in 0..3 {
        queue.touch(Key::Placeholder);
    }
    let job = ready(&queue).unwrap();
    assert_eq!(ready(&queue), None);
    queue.finish(job.key, Outcome::Done);
    assert_eq!(ready(&queue), None);
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_run_is_run_after_it() {
    let queue = Queue::default();
    queue.touch(Key::Placeholder);
    let job = ready(&queue).unwrap();
    queue.touch(Key::Placeholder);
    queue.finish(job.key, Outcome::Done);
    assert!(ready(&queue).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_is_repeated_later_with_everything_learned_meanwhile() {
    let queue = Queue::default();
    learn(&queue, &["x"]);
    let Job { key, learned } = ready(&queue).unwrap();
    let received = learned["x"];
    tokio::time::advance(Duration::from_secs(1)).await;
    learn(&queue, &["x", "y"]);
    queue.finish(key, Outcome::Retry(learned));
    learn(&queue, &["z"]);
    assert_eq!(ready(&queue), None, "reports do not end a delay");

    let job = queue.next().await;
    assert_eq!(hosts(&job), ["x", "y", "z"]);
    assert_eq!(
        job.learned["x"], received,
        "the latency counts from the first report"
    );
}

#[tokio::test(start_paused = true)]
async fn delays_grow_up_to_a_limit() {
    let queue = Queue::default();
    queue.touch(Key::Placeholder);
    let mut job = queue.next().await;
    let mut delays = Vec::new();
    for _ in 0..12 {
        let before = Instant::now();
        queue.finish(job.key, Outcome::Retry(Learned::new()));
        job = queue.next().await;
        delays.push(before.elapsed());
    }
    assert!(delays[0] >= FIRST_DELAY && delays[0] < FIRST_DELAY * 2);
    assert!(delays.is_sorted());
    assert!(delays[11] >= LONGEST_DELAY && delays[11] < LONGEST_DELAY + FIRST_DELAY);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_world_ends_a_delay() {
    let queue = Queue::default();
    queue.touch(Key::Placeholder);
    let job = ready(&queue).unwrap();
    queue.finish(job.key, Outcome::Retry(Learned::new()));
    assert_eq!(ready(&queue), None);
    queue.touch(Key::Placeholder);
    assert!(ready(&queue).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_fence_holds_a_bounded_number_of_waiting_hosts() {
    let queue = Queue::default();
    for number in 0..MAX_WAITING_HOSTS {
        queue
            .learn(mk_fence("a"), &format!("h{number}"), Instant::now())
            .unwrap();
    }
    assert_eq!(
        queue.learn(mk_fence("a"), "one-more", Instant::now()),
        Err(QueueFull)
    );
    assert_eq!(queue.learn(mk_fence("a"), "h0", Instant::now()), Ok(()));
    assert_eq!(
        queue.learn(mk_fence("b"), "one-more", Instant::now()),
        Ok(())
    );
}

#[tokio::test(start_paused = true)]
async fn flushing_waits_for_the_last_learned_host() {
    let queue = Queue::default();
    assert!(queue.flushed().now_or_never().is_some());
    learn(&queue, &["x"]);
    let job = ready(&queue).unwrap();
    let flushing = tokio::spawn({
        let queue = queue.clone();
        async move { queue.flushed().await }
    });
    tokio::task::yield_now().await;
    assert!(!flushing.is_finished());
    queue.finish(job.key, Outcome::Done);
    flushing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_timer_of_a_delay_that_ended_early_does_not_end_the_next_one() {
    let queue = Queue::default();
    queue.touch(Key::Placeholder);
    let job = ready(&queue).unwrap();
    queue.finish(job.key, Outcome::Retry(Learned::new()));
    tokio::time::advance(FIRST_DELAY / 2).await;
    queue.touch(Key::Placeholder);
    let job = ready(&queue).unwrap();
    let before = Instant::now();
    queue.finish(job.key, Outcome::Retry(Learned::new()));
    queue.next().await;
    assert!(before.elapsed() >= FIRST_DELAY * 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_due_waits_unless_a_host_is_learned() {
    let queue = Queue::default();
    let wait = Duration::from_secs(9);
    for learned in [false, true] {
        queue.touch(Key::Fence(mk_fence("a")));
        let job = ready(&queue).unwrap();
        let before = Instant::now();
        queue.finish(job.key, Outcome::Later(wait));
        assert_eq!(ready(&queue), None);
        if learned {
            learn(&queue, &["x"]);
        }
        let job = queue.next().await;
        assert_eq!(before.elapsed() < wait, learned);
        queue.finish(job.key, Outcome::Done);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_learned_during_a_run_does_not_wait_for_what_is_not_due() {
    let queue = Queue::default();
    queue.touch(Key::Fence(mk_fence("a")));
    let job = ready(&queue).unwrap();
    learn(&queue, &["x"]);
    queue.finish(job.key, Outcome::Later(Duration::from_secs(9)));
    assert_eq!(hosts(&ready(&queue).unwrap()), ["x"]);
}

#[tokio::test]
async fn a_delay_is_never_seen_without_its_timer() {
    let (queue, is_over) = (Queue::default(), AtomicBool::new(false));
    let is_delayed = |entry: &Entry| matches!(entry.phase, Phase::Delayed(_));
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let state = queue.shared.state.lock();
                let mut delayed = state.entries.iter().filter(|(_, entry)| is_delayed(entry));
                assert!(delayed.all(|(key, _)| state.timers.contains_key(key)));
            }
        });
        for _ in 0..10_000 {
            for outcome in [Outcome::Later(LONGEST_DELAY), Outcome::Done] {
                queue.touch(Key::Placeholder);
                let job = queue.pop().unwrap();
                queue.finish(job.key, outcome);
            }
        }
        is_over.store(true, Ordering::Relaxed);
        looking.join().unwrap();
    });
}

/// Tasks that are left once those that were aborted have gone, which they do when they are next polled.
async fn alive_tasks() -> usize {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn sleeps_that_are_cut_short_do_not_pile_up() {
    let queue = Queue::default();
    for _ in 0..100 {
        queue.touch(Key::Placeholder);
        let job = ready(&queue).unwrap();
        queue.finish(job.key, Outcome::Later(Duration::from_secs(3_600)));
    }
    assert_eq!(alive_tasks().await, 1);
    queue.touch(Key::Placeholder);
    let job = ready(&queue).unwrap();
    queue.finish(job.key, Outcome::Done);
    assert_eq!(alive_tasks().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_host_learned_while_nothing_is_due_does_not_wait() {
    let queue = Queue::default();
    learn(&queue, &["x"]);
    let job = ready(&queue).unwrap();
    queue.finish(job.key, Outcome::Later(Duration::from_secs(3_600)));
    assert_eq!(ready(&queue), None);
    learn(&queue, &["y"]);
    assert_eq!(hosts(&ready(&queue).unwrap()), ["y"]);
}
