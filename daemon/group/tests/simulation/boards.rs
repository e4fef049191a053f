//! Boards over rough networks: everybody has what everybody shows, soon, and nothing older.

use crate::world::{ROUGH, World};
use bytes::Bytes;
use hwc_api::ids::NodeId;
use hwc_group::board::Audience;
use hwc_group::profile::Profile;
use hwc_runtime::clock::Moment;

fn show(world: &mut World, n: u16, key: &str, value: &str) {
    let now = Moment(world.now);
    let value = Bytes::copy_from_slice(value.as_bytes());
    let board = &mut world.node(n).board;
    board
        .set(now, key.to_owned(), value, Audience::All)
        .expect("set");
    world.board(NodeId(n), hwc_group::board::BoardInput::Tick);
}

/// Whether all have what all show.
fn agree(world: &World) -> bool {
    let nodes = || world.nodes.iter();
    nodes().all(|(owner, own)| {
        let shown = own.board.entries(*owner);
        nodes().all(|(_, reader)| reader.board.entries(*owner) == shown)
    })
}

#[test]
fn changes_arrive_within_a_moment_through_loss() {
    let mut world = World::new(3, Profile::Lan, ROUGH, 1);
    assert!(world.run_until(60_000, World::is_whole));
    let mut times = Vec::new();
    for round in 0..300 {
        let n = 1 + world.number(3) as u16;
        show(&mut world, n, "key", &round.to_string());
        let began = world.now;
        assert!(world.run_until(5_000, agree), "round {round}");
        times.push(world.now - began);
        let pause = world.number(1_000);
        world.run(pause);
    }
    times.sort_unstable();
    println!(
        "a change is everywhere after {} ms, for 99 % after {}",
        times[150], times[297]
    );
    assert!(times[150] < 150);
    let counts = world.node(1).board.counts();
    assert!(counts.skipped.is_empty() && counts.full_exchanges == 0 && counts.resyncs == 0);
}

#[test]
fn all_agree_within_ten_seconds_after_any_mischief() {
    for seed in 0..20 {
        let size = 4;
        let mut world = World::new(size, Profile::Lan, ROUGH, seed);
        let mut life = 1;
        for _ in 0..60 {
            let (n, m) = (1 + world.number(4) as u16, 1 + world.number(4) as u16);
            match world.number(8) {
                0 if n != m => world.cut_between(&[n], &[m]),
                1 => world.heal(),
                2 => world.freeze(n),
                3 => world.thaw(n),
                4 => {
                    life += 1;
                    world.kill(n);
                    world.start(n, life, size);
                }
                _ => show(&mut world, n, &format!("key-{m}"), &life.to_string()),
            }
            let pause = world.number(3_000);
            world.run(pause);
        }
        world.heal();
        for n in 1..=size {
            world.thaw(n);
        }
        assert!(
            world.run_until(10_000, |w| w.is_whole() && agree(w)),
            "seed {seed}"
        );
    }
}
