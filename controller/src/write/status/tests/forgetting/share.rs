//! How many hosts may go at once where they come back.

use super::*;

#[test]
fn hosts_that_come_back_at_once_make_no_room_for_others() {
    let mut sim = Sim::forgetting_on();
    let hosts: Vec<String> = (0..50).map(|number| format!("h{number}.b")).collect();
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    sim.run(&names);
    let end = sim.now + 8 * DAY;
    while let Some(next) = sim.next().filter(|next| *next <= end) {
        sim.now = next;
        sim.run(&[]);
        // All of them are in steady use.
        for _ in 0..names.len() {
            let visible = sim.visible();
            let mut missed = names.clone();
            missed.retain(|name| !visible.contains(*name));
            if !missed.is_empty() {
                sim.run(&missed);
            }
        }
    }
    let gone = sim.history.iter();
    let gone = gone.filter(|(_, _, status)| *status == DomainStatus::Expire);
    let gone: Vec<i64> = gone.map(|(at, _, _)| *at).collect();
    assert_eq!(gone.len(), 50, "each has its turn");
    for at in &gone {
        let within = gone
            .iter()
            .filter(|other| (0..3_600).contains(&(*other - at)));
        assert!(within.count() <= 5, "{gone:?}");
    }
}
