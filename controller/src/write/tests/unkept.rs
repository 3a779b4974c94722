use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_not_kept_is_written_again_after_a_while_though_nothing_happens() {
    let (writer, asked) = mk_writer(|method, _, body| match method {
        "POST" => (201, body.clone()),
        // Whatever is patched: a CustomResourceDefinition that knows no status at all.
        _ => (200, mk_fence("u1", "6", true)),
    });
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    let run = async || {
        let (key, learned) = (Key::Fence(web()), Learned::new());
        let outcome = writer.work(Job { key, learned }).await;
        let asked = std::mem::take(&mut *asked.lock());
        let is_patch =
            |(method, last, _): &&(String, String, Value)| method == "PATCH" && last == "status";
        (outcome, asked.iter().filter(is_patch).count())
    };
    let (hour, minute) = (Duration::from_secs(3_600), Duration::from_secs(60));
    assert_eq!(run().await, (Outcome::Later(hour), 1));
    tokio::time::advance(minute).await;
    assert_eq!(run().await, (Outcome::Later(hour - minute), 0));
    tokio::time::advance(hour - minute).await;
    assert_eq!(run().await, (Outcome::Later(hour), 1));
}
