//! How soon a silent node is declared dead, and that nobody else ever is.

use crate::world::{Network, QUIET, ROUGH, World};
use hwc_api::ids::NodeId;
use hwc_group::membership::{DownReason, MembershipEvent};
use hwc_group::profile::Profile;

const HOUR: u64 = 3_600_000;

fn hours() -> f64 {
    let hours = std::env::var("HWC_SIM_HOURS").ok();
    hours.and_then(|hours| hours.parse().ok()).unwrap_or(0.5)
}

/// How long a long run is, in milliseconds.
fn long_run() -> u64 {
    (hours() * HOUR as f64) as u64
}

/// Nodes that have found each other.
fn whole(size: u16, profile: Profile, network: Network, seed: u64) -> World {
    let mut world = World::new(size, profile, network, seed);
    assert!(world.run_until(60_000, World::is_whole), "seed {seed}");
    world
}

fn suspicions(world: &World) -> usize {
    let told = world.told.iter();
    told.filter(|(.., event)| matches!(event, MembershipEvent::Suspect { .. }))
        .count()
}

#[test]
fn nobody_is_declared_dead_at_one_per_cent_of_loss() {
    // With streams, and by datagrams alone.
    for (size, seed, has_streams) in [(3, 1, true), (5, 2, true), (2, 3, true), (3, 4, false)] {
        let mut world = World::new(size, Profile::Lan, ROUGH, seed);
        world.has_streams = has_streams;
        assert!(world.run_until(60_000, |w| w.all_up() && (!has_streams || w.is_whole())));
        let began = world.now;
        world.run(long_run());
        assert_eq!(world.deaths(0), [], "{size} nodes, seed {seed}");
        let seconds = (world.now - began) / 1_000;
        let per_node = |count: u64| count / seconds / u64::from(size);
        println!(
            "{size} nodes, {} h at 1 % loss and 50 ms jitter{}: 0 declared dead, {} suspected; \
             {} datagrams, {} frames, {} bytes a second and node",
            hours(),
            if has_streams { "" } else { ", datagrams alone" },
            suspicions(&world),
            per_node(world.datagrams),
            per_node(world.frames),
            per_node(world.bytes),
        );
    }
}

/// Nodes freeze, one at a time, for up to `freeze_limit` or for five seconds. Only who stood still
/// for longer than the limit may be declared dead.
#[test]
fn who_freezes_accuses_nobody_and_short_freezes_are_not_taken_for_deaths() {
    let (mut long, mut declared, mut short) = (0, 0, 0);
    for (size, seed) in [(3, 11), (5, 12)] {
        let mut world = whole(size, Profile::Lan, ROUGH, seed);
        let limit = world.timing.freeze_limit.as_millis() as u64;
        let end = world.now + long_run();
        while world.now < end {
            let pause = 5_000 + world.number(20_000);
            world.run(pause);
            let frozen = 1 + world.number(u64::from(size)) as u16;
            let is_long = world.number(2) == 0;
            let length = if is_long {
                5_000
            } else {
                limit - world.number(1_000)
            };
            let began = world.now;
            world.freeze(frozen);
            world.run(length);
            world.thaw(frozen);
            let back = world.run_until(20_000, World::is_whole);
            assert!(back, "seed {seed} at {began}: {frozen} for {length} ms");
            let deaths = world.deaths(began);
            let others: Vec<_> = deaths
                .iter()
                .filter(|(_, _, about, _)| !is_long || *about != frozen)
                .collect();
            assert!(
                others.is_empty(),
                "seed {seed}, {frozen} for {length} ms: {others:?}"
            );
            if is_long {
                long += 1;
                declared += usize::from(!deaths.is_empty());
            } else {
                short += 1;
            }
        }
    }
    println!(
        "{long} freezes of 5 s: {declared} declared dead, none of them accused anybody; \
         {short} freezes up to the limit: 0 declared dead"
    );
    assert_eq!(declared, long, "a freeze of 5 s is always noticed");
}

#[test]
fn a_starved_node_accuses_nobody() {
    let mut world = whole(3, Profile::Lan, ROUGH, 21);
    for _ in 0..600 {
        world.freeze(2);
        world.run(700);
        world.thaw(2);
        world.run(300);
    }
    assert_eq!(world.deaths(0), []);
}

/// Datagrams alone would not do: what comes on streams tells that the others live.
#[test]
fn a_node_that_hears_few_datagrams_accuses_nobody() {
    let mut world = whole(5, Profile::Lan, ROUGH, 200);
    world.deaf.insert(NodeId(2), 6_000);
    world.run(HOUR / 4);
    assert_eq!(world.deaths(0), []);
}

/// The worst moment to be suspended: while it hears nobody and suspects everybody.
#[test]
fn a_machine_that_resumes_accuses_nobody() {
    for seed in 0..40 {
        let mut world = World::new(3, Profile::Lan, ROUGH, 100 + seed);
        world.has_streams = false;
        assert!(world.run_until(60_000, World::all_up));
        world.run(10_000);
        world.cut_between(&[2], &[1, 3]);
        let deaf = 1_000 + world.number(400);
        world.run(deaf);
        let frozen = world.now;
        world.freeze(2);
        world.run(100);
        world.heal();
        world.run(10_000);
        world.resume(2);
        world.run(10_000);
        let mut accused = world.deaths(frozen);
        accused.retain(|death| death.1 == 2);
        assert!(
            accused.is_empty(),
            "seed {seed}, deaf for {deaf} ms: {accused:?}"
        );
        assert!(world.all_up());
    }
}

/// How long after its death a silent node is declared dead, by everybody, in milliseconds.
fn times_to_declare(size: u16, profile: Profile, network: Network, deaths: u64) -> Vec<u64> {
    let mut times = Vec::new();
    for seed in 0..deaths {
        let mut world = whole(size, profile, network, 1_000 + seed);
        let wait = 3_000 + world.number(3_000);
        world.run(wait);
        let died = world.now;
        world.silence(size);
        world.run(60_000);
        for by in 1..size {
            let at = world.declared(by, size, died);
            let at = at.unwrap_or_else(|| panic!("{by} of {size}, seed {seed}: never declared"));
            times.push(at - died);
        }
        let others = world.deaths(0).into_iter().filter(|death| death.2 != size);
        assert_eq!(others.count(), 0, "seed {seed}");
        let reasons = world.deaths(died);
        assert!(reasons.iter().all(|death| death.3 == DownReason::Silent));
    }
    times.sort_unstable();
    times
}

fn report(what: &str, times: &[u64]) {
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!(
        "{what}: declared dead after {} ms at least, {} median, {} for 99 %, {} at most ({} times)",
        at(0),
        at(50),
        at(99),
        at(100),
        times.len()
    );
}

#[test]
fn a_silent_node_is_declared_dead_in_two_seconds() {
    for (size, network, name) in [
        (2, QUIET, "2 nodes"),
        (3, QUIET, "3 nodes"),
        (3, ROUGH, "3 nodes at 1 % loss"),
        (7, ROUGH, "7 nodes at 1 % loss"),
    ] {
        let times = times_to_declare(size, Profile::Lan, network, 60);
        report(name, &times);
        let limit = Profile::Lan.timing().freeze_limit.as_millis() as u64;
        assert!(times[0] > limit, "longer than a pause that nobody notices");
        assert!(times[times.len() / 2] < 2_100);
        assert!(times[times.len() * 99 / 100 - 1] < 3_500);
        assert!(times[times.len() - 1] < 5_000);
    }
}

#[test]
fn a_line_of_the_wan_may_stop_for_seconds() {
    let network = Network {
        lost_of_10000: 300,
        latency_ms: 80,
        jitter_ms: 200,
    };
    let mut world = whole(4, Profile::Wan, network, 31);
    for round in 0..60 {
        world.run(55_000);
        world.cut_between(
            &[1 + round % 4],
            &[
                1 + (round + 1) % 4,
                1 + (round + 2) % 4,
                1 + (round + 3) % 4,
            ],
        );
        world.run(5_000);
        world.heal();
    }
    assert_eq!(world.deaths(0), []);
    let times = times_to_declare(4, Profile::Wan, network, 20);
    report("4 nodes on a WAN at 3 % loss", &times);
    let limit = Profile::Wan.timing().freeze_limit.as_millis() as u64;
    assert!(times[0] > limit && times[times.len() - 1] < 25_000);
}

#[test]
fn a_daemon_that_ended_is_declared_dead_sooner_and_who_leaves_at_once() {
    let mut world = whole(3, Profile::Lan, ROUGH, 41);
    let died = world.now;
    world.kill(3);
    world.run(10_000);
    for by in [1, 2] {
        let took = world.declared(by, 3, died).expect("declared") - died;
        assert!((600..1_500).contains(&took), "{took} ms");
    }
    assert!(
        world
            .deaths(died)
            .iter()
            .all(|death| death.3 == DownReason::Refused)
    );
    world.start(3, 2, 3);
    assert!(world.run_until(10_000, World::is_whole));
    let left = world.now;
    world.leave(3);
    world.run(10_000);
    for by in [1, 2] {
        let took = world.declared(by, 3, left).expect("declared") - left;
        assert!(took < 900, "{took} ms");
    }
}

/// Two nodes have no third to ask: a cut and a death look the same, to both.
#[test]
fn two_nodes_declare_each_other_dead_when_they_are_cut() {
    let mut world = whole(2, Profile::Lan, ROUGH, 51);
    let cut = world.now;
    world.cut_between(&[1], &[2]);
    world.run(600_000);
    for (by, about) in [(1, 2), (2, 1)] {
        let took = world.declared(by, about, cut).expect("declared") - cut;
        assert!((1_500..3_500).contains(&took), "{took} ms");
    }
    assert_eq!(world.deaths(cut).len(), 2, "each declares once");
    world.heal();
    assert!(world.run_until(15_000, World::is_whole));
}

#[test]
fn a_cut_between_two_nodes_that_reach_a_third_is_no_death() {
    let mut world = whole(3, Profile::Lan, ROUGH, 61);
    world.cut_between(&[1], &[2]);
    world.run(600_000);
    assert_eq!(world.deaths(0), []);
    world.heal();
    assert!(world.run_until(15_000, World::is_whole));
}
