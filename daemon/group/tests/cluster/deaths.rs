//! Deaths: killed, frozen, stopped in order, restarted; each declared in time, and taken back.

use crate::world::{World, eventually, soon};
use hwc_api::ids::NodeId;
use hwc_api::v1::NodeHealth;
use hwc_group::membership::{DownReason, MembershipEvent};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;

const THIRD: NodeId = NodeId(3);

/// Reads events about node 3 until one fits; says how long it took.
async fn wait_for(
    events: &mut UnboundedReceiver<MembershipEvent>,
    fits: impl Fn(&MembershipEvent) -> bool,
) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "measures the real thing")]
    let began = Instant::now();
    loop {
        let event = soon("an event", events.recv()).await.expect("told");
        if fits(&event) {
            return began.elapsed();
        }
    }
}

fn is_down(event: &MembershipEvent, why: DownReason) -> bool {
    *event
        == MembershipEvent::Down {
            node: THIRD,
            reason: why,
        }
}

async fn all_up(world: &World) {
    eventually("everybody is up for everybody", || {
        world.nodes.values().all(|node| {
            let members = node.group.membership.members();
            let up = members.values().filter(|s| s.health == NodeHealth::Up);
            up.count() == world.nodes.len() - 1
        })
    })
    .await;
}

#[tokio::test]
async fn a_killed_node_is_declared_down_in_a_second_and_comes_back() {
    let mut world = World::up(3).await;
    all_up(&world).await;
    let mut events = [1, 2].map(|n| world.group(n).membership.subscribe());
    world.take(3).kill();
    for events in &mut events {
        let took = wait_for(events, |event| is_down(event, DownReason::Refused)).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    world.start(3, 2);
    let start = world.nodes[&3].start;
    let up = MembershipEvent::Up { node: THIRD, start };
    for events in &mut events {
        wait_for(events, |event| *event == up).await;
    }
    world.all_connected().await;
    all_up(&world).await;
}

#[tokio::test]
async fn a_frozen_node_is_declared_down_in_seconds_and_comes_back_by_itself() {
    let world = World::up(3).await;
    all_up(&world).await;
    let mut events = [1, 2].map(|n| world.group(n).membership.subscribe());
    let thaw = world.nodes[&3].freeze();
    for events in &mut events {
        let took = wait_for(events, |event| is_down(event, DownReason::Silent)).await;
        assert!(took < Duration::from_secs(8), "{took:?}");
    }
    drop(thaw);
    let start = world.nodes[&3].start;
    let up = MembershipEvent::Up { node: THIRD, start };
    for events in &mut events {
        wait_for(events, |event| *event == up).await;
    }
    world.all_connected().await;
    all_up(&world).await;
}

#[tokio::test]
async fn a_node_that_says_good_bye_is_down_at_once() {
    let mut world = World::up(3).await;
    all_up(&world).await;
    let mut events = world.group(1).membership.subscribe();
    world.take(3).stop();
    let took = wait_for(&mut events, |event| {
        is_down(event, DownReason::Silent) || is_down(event, DownReason::Refused)
    })
    .await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_quick_restart_is_told_as_one() {
    let mut world = World::up(3).await;
    all_up(&world).await;
    let mut events = world.group(1).membership.subscribe();
    world.take(3).kill();
    world.start(3, 2);
    let start = world.nodes[&3].start;
    let mut told = Vec::new();
    loop {
        let event = soon("an event", events.recv()).await.expect("told");
        told.push(event);
        if event == (MembershipEvent::Up { node: THIRD, start }) {
            break;
        }
    }
    let downs = told
        .iter()
        .filter(|event| matches!(event, MembershipEvent::Down { node, .. } if *node == THIRD));
    assert_eq!(downs.count(), 1, "{told:?}");
}

#[tokio::test]
async fn quiet_nodes_stay_up() {
    let world = World::up(3).await;
    all_up(&world).await;
    let mut events = world.group(1).membership.subscribe();
    for _ in 0..2 {
        soon("who is up already", events.recv()).await;
    }
    // Longer than the whole way from silence to death.
    let more = tokio::time::timeout(Duration::from_secs(5), events.recv()).await;
    assert!(more.is_err(), "{more:?}");
}
