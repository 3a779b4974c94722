//! 1,000 fences and 2,000 Services: what settles writes little, and what has settled writes nothing but the renewals of the Lease.

mod counters;
mod world;

use counters::Writes;
use integration::mesh::Mesh;
use integration::progress::step;
use std::time::{Duration, Instant};
use world::{FENCES, LATE_FENCES, World, fence_name, host_of, namespace_of};

/// How long nothing may be written but the renewals of the Lease. `SCALE_QUIET_SECONDS` makes it another, for whoever works on this test.
const QUIET: Duration = Duration::from_secs(300);
/// Between two things that happen in that time and concern no fence.
const STIR: Duration = Duration::from_secs(10);
/// The holder of the Lease renews it this often, and would lose it if it did not within the second.
const RENEWED_EVERY: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];
/// A Service that the first fence does not name.
const UNKNOWN: usize = 1990;
/// A port that no Service of the world has.
const NEW_PORT: u16 = 8099;

#[test]
fn a_thousand_settled_fences_are_left_alone() {
    let mesh = Mesh::up_without_bookinfo().unwrap();
    let told = |error: anyhow::Error| panic!("{:#}", mesh.explain(error));
    watch_it_settle(&mesh).unwrap_or_else(told);
    mesh.down().unwrap();
}

fn watch_it_settle(mesh: &Mesh) -> anyhow::Result<()> {
    let world = World::new(mesh);
    // The fences are there before the controller, as Slime leaves them to it.
    world.stop_controller()?;
    world.create()?;
    let before = Writes::read(mesh)?;
    let start = Instant::now();
    world.start_controller()?;
    world.await_settled(FENCES)?;
    tell(mesh, "has settled them", start)?;
    world.create_late_fences()?;
    world.await_settled(FENCES + LATE_FENCES)?;
    let settled = Writes::when_still(mesh)?;
    let settling = settled.since(&before);
    step(format!("settling wrote {settling}"));
    let fences = u64::try_from(FENCES + LATE_FENCES)?;
    assert_eq!(settling.of("sidecars", "", "POST"), fences, "{settling}");
    assert_eq!(settling.of("sidecars", "", ""), fences, "{settling}");
    let patches = settling.of("servicefences", "status", "PATCH");
    assert!((fences..=2 * fences).contains(&patches), "{settling}");

    step("a quiet time begins, in which much happens that concerns no fence");
    let start = Instant::now();
    let quiet = std::env::var("SCALE_QUIET_SECONDS").map_or(QUIET, |seconds| {
        Duration::from_secs(seconds.parse().unwrap())
    });
    for round in 0.. {
        world.stir(round)?;
        std::thread::sleep(STIR);
        if start.elapsed() >= quiet {
            break;
        }
    }
    let after = Writes::read(mesh)?;
    tell(mesh, "has had a quiet time", start)?;
    let written = after.since(&settled);
    step(format!("the quiet time wrote {written}"));
    let others = written.but_renewals();
    assert!(others.is_empty(), "in a quiet time: {others}");
    let [most, fewest] = RENEWED_EVERY.map(|period| start.elapsed().as_secs() / period.as_secs());
    assert!(
        // One for each end of the time.
        (fewest..=most + 2).contains(&written.renewals()),
        "the Lease is renewed as often as is needed and not more: {written}"
    );

    // What is asserted above can be seen at all: one edit is one write, and the watch of Services has not died.
    let host = host_of(UNKNOWN);
    world.add_host(0, &host)?;
    world.await_host(0, &host)?;
    let edited = Writes::when_still(mesh)?.since(&after);
    let (namespace, fence) = (namespace_of(0), fence_name(0));
    step(format!("one edit of {namespace}/{fence} wrote {edited}"));
    assert_eq!(edited.of("sidecars", "", ""), 1, "{edited}");
    assert_eq!(edited.of("servicefences", "", ""), 1, "ours: {edited}");
    assert_eq!(edited.of("servicefences", "status", ""), 1, "{edited}");
    let before = Writes::read(mesh)?;
    world.open_port(NEW_PORT)?;
    world.await_port(NEW_PORT)?;
    let opened = Writes::when_still(mesh)?.since(&before);
    step(format!("a new port wrote {opened}"));
    assert_eq!(opened.of("serviceentries", "", ""), 1, "{opened}");
    assert_eq!(opened.of("envoyfilters", "", ""), 1, "{opened}");
    assert_eq!(opened.of("sidecars", "", ""), 0, "{opened}");

    step("restarting the controller");
    let before = Writes::read(mesh)?;
    world.stop_controller()?;
    let start = Instant::now();
    world.start_controller()?;
    let restarted = Writes::when_still(mesh)?.since(&before);
    tell(mesh, "has started anew", start)?;
    step(format!("starting anew wrote {restarted}"));
    for resource in [
        "sidecars",
        "servicefences",
        "serviceentries",
        "envoyfilters",
    ] {
        assert_eq!(restarted.of(resource, "", ""), 0, "{restarted}");
        assert_eq!(restarted.of(resource, "status", ""), 0, "{restarted}");
    }
    Ok(())
}

/// Figures, which depend on the machine and are not judged.
fn tell(mesh: &Mesh, what: &str, since: Instant) -> anyhow::Result<()> {
    let used = mesh.usage("lazyload")?;
    step(format!(
        "after {:.1} s the controller {what}: {:.2} s of CPU since its start, {:.1} MB resident, {:.1} MB at most",
        since.elapsed().as_secs_f64(),
        used.cpu.as_secs_f64(),
        megabytes(used.resident),
        megabytes(used.peak),
    ));
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
