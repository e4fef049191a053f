//! Finding each other again: after hours, after a storm of cuts, after restarts.

use crate::world::{QUIET, ROUGH, World};
use hwc_group::membership::MembershipEvent;
use hwc_group::profile::Profile;

fn whole(size: u16, seed: u64) -> World {
    let mut world = World::new(size, Profile::Lan, ROUGH, seed);
    assert!(world.run_until(60_000, World::is_whole), "seed {seed}");
    world
}

#[test]
fn a_node_that_lost_everybody_finds_them_after_hours() {
    let mut world = whole(4, 1);
    world.cut_between(&[1], &[2, 3, 4]);
    world.run(60_000);
    let before = (world.datagrams, world.frames);
    world.run(3 * 3_600_000);
    // Being alone costs next to nothing.
    let lonely = (world.datagrams - before.0) / (3 * 3_600);
    assert!(lonely < 4 * 20, "{lonely} datagrams a second");
    world.heal();
    assert!(world.run_until(15_000, World::is_whole));
    // The others had lost one node only, and told it once.
    assert_eq!(world.deaths(0).len(), 6);
}

#[test]
fn all_find_each_other_after_a_power_cut() {
    for size in [2, 3, 9, 16] {
        let mut world = World::new(size, Profile::Lan, QUIET, 7);
        assert!(world.run_until(10_000, World::is_whole), "{size} nodes");
        assert_eq!(world.deaths(0), []);
    }
}

#[test]
fn a_split_of_two_halves_heals_within_seconds() {
    let mut world = whole(6, 3);
    let cut = world.now;
    world.cut_between(&[1, 2, 3], &[4, 5, 6]);
    world.run(120_000);
    assert_eq!(world.deaths(cut).len(), 18, "each declares the other half");
    world.heal();
    assert!(world.run_until(10_000, World::is_whole));
}

#[test]
fn a_line_that_flaps_at_one_hertz_is_no_storm() {
    let mut world = whole(3, 5);
    let before = (world.datagrams, world.frames);
    world.run(60_000);
    let normal = (world.datagrams - before.0 + world.frames - before.1) / 60;
    let flap = |world: &mut World, seconds: u64| {
        let before = (world.datagrams, world.frames, world.told.len());
        for _ in 0..seconds {
            world.cut_between(&[1], &[2, 3]);
            world.run(500);
            world.heal();
            world.run(500);
        }
        let sent = world.datagrams - before.0 + world.frames - before.1;
        (sent / seconds, world.told.len() - before.2)
    };
    let (first, _) = flap(&mut world, 60);
    flap(&mut world, 480);
    let (last, told) = flap(&mut world, 60);
    println!(
        "packets a second: {normal} normally, {first} in the first and {last} in the tenth minute of flapping"
    );
    assert!(
        last < 3 * normal + 100,
        "{last} packets a second, normally {normal}"
    );
    assert!(told < 6 * 60, "{told} changes told in a minute");
    // Slower flaps, in which deaths are declared and taken back.
    for _ in 0..100 {
        world.cut_between(&[1], &[2, 3]);
        world.run(3_000);
        world.heal();
        world.run(3_000);
    }
    assert!(world.waiting() < 500, "{} things wait", world.waiting());
    assert!(world.run_until(15_000, World::is_whole));
}

#[test]
fn a_restart_within_a_blink_is_told_as_one() {
    let mut world = whole(3, 9);
    let began = world.now;
    world.kill(3);
    world.start(3, 2, 3);
    assert!(world.run_until(10_000, World::is_whole));
    world.run(10_000);
    for by in [1, 2] {
        let told = world
            .told
            .iter()
            .filter(|(at, b, _)| *at >= began && b.0 == by);
        let ups = told.filter(|(.., event)| matches!(event, MembershipEvent::Up { .. }));
        assert_eq!(ups.count(), 1);
    }
    assert_eq!(world.deaths(began).len(), 2);
}
