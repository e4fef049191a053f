//! Keys of sealed datagrams: replaced while everything runs, useless to who was removed.

use crate::world::{LIMIT, World, eventually};
use hwc_api::ids::{BootId, NodeId};
use hwc_group::datagram::{Refusal, Sealer};
use hwc_group::identity::{NodeIdentity, Start};
use hwc_group::membership::MembershipEvent;
use hwc_group::profile::Profile;
use hwc_group::roster::Roster;
use hwc_group::{Group, GroupSettings, GroupTuning};
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use std::time::Duration;
use tokio::net::UdpSocket;

async fn all_have(world: &World, generation: u64) {
    eventually("all have the new key", || {
        let mut nodes = world.nodes.values();
        nodes.all(|node| node.group.keys.generation() == generation)
    })
    .await;
}

/// Until the old key opens nothing any more.
async fn overlap() {
    let overlap = Profile::Lan.timing().key_overlap;
    tokio::time::sleep(overlap + overlap / 4 + Duration::from_secs(1)).await;
}

/// Keys of the node that seal or open something now.
fn generations(world: &World, n: u16) -> Vec<u64> {
    let identity = world.group(n).keys.identity();
    let keys = &identity.authority().secrets.gossip;
    keys.iter().map(|key| key.generation).collect()
}

/// What node 1 refused so far, for a reason.
fn refused(world: &World, why: Refusal) -> u64 {
    let refusals = world.group(1).refusals();
    refusals.datagrams.get(&why).copied().unwrap_or_default()
}

#[tokio::test]
async fn a_key_is_replaced_while_everybody_stays_up() {
    let mut world = World::up(3).await;
    let mut events = [1, 2].map(|n| world.group(n).membership.subscribe());
    // One is away meanwhile and has the old key only.
    world.take(3).kill();
    let change = world.group(2).keys.rotate().expect("drawn");
    assert_eq!(change.generation, 2);
    all_have(&world, 2).await;
    overlap().await;
    assert_eq!(generations(&world, 1), [2]);
    assert_eq!(generations(&world, 2), [2]);
    world.start(3, 2);
    all_have(&world, 2).await;
    world.all_connected().await;
    eventually("the one that was away is up for all", || {
        [1, 2].iter().all(|n| {
            let standing = world.group(*n).membership.standing(NodeId(3));
            standing.is_some_and(|s| s.start == Some(world.nodes[&3].start))
        })
    })
    .await;
    for events in &mut events {
        while let Ok(event) = events.try_recv() {
            let is_of_third = match event {
                MembershipEvent::Down { node, .. } => node == NodeId(3),
                MembershipEvent::Up { .. }
                | MembershipEvent::Suspect { .. }
                | MembershipEvent::Trusted { .. } => true,
            };
            assert!(is_of_third, "{event:?}");
        }
    }
}

#[tokio::test]
async fn the_key_of_a_removed_node_is_useless() {
    let mut world = World::up(3).await;
    let stolen = world.identity(3);
    let roster = Roster {
        removed: [NodeId(3)].into(),
        ..world.roster.clone()
    };
    // It runs on, and knows nothing of its removal.
    world.group(1).set_roster(roster.clone());
    world.group(2).set_roster(roster);
    let removed = world.take(3);
    all_have(&world, 2).await;
    overlap().await;
    assert_eq!(generations(&world, 1), [2]);
    assert_eq!(removed.group.keys.generation(), 1);

    // It poses as node 2, with a start that node 1 would believe.
    let start = Start {
        number: 1 << 40,
        boot: BootId(9),
    };
    let keys = &stolen.authority().secrets.gossip;
    let sealer = Sealer::new(stolen.cluster(), keys, NodeId(2), start);
    let datagram = sealer.expect("a key").seal(b"\0anything").expect("sealed");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let before = refused(&world, Refusal::UnknownKey);
    eventually("its datagram is refused", || {
        let _sent = socket.try_send_to(&datagram, world.address(1));
        refused(&world, Refusal::UnknownKey) > before
    })
    .await;
    // The real node 2 is heard all the same.
    let connected = world.group(1).board.connected();
    assert!(connected.contains_key(&NodeId(2)));
    assert_eq!(refused(&world, Refusal::Unauthenticated), 0);
    removed.kill();
}

#[tokio::test]
async fn a_new_key_is_written_down_before_it_is_used() {
    let world = World::planned(1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    world.identity(1).save(folder.path()).expect("saved");
    let tasks = Tasks::new();
    let settings = GroupSettings {
        listen: world.address(1),
        identity: world.identity(1),
        start: Start::default(),
        roster: world.roster.clone(),
    };
    let tuning = GroupTuning {
        identity_folder: Some(folder.path().to_owned()),
        ..GroupTuning::default()
    };
    let group = Group::start_tuned(settings, tuning, &tasks, &Clock::system()).await;
    let group = group.expect("started");
    let kept = || {
        let identity = NodeIdentity::load(folder.path()).expect("readable");
        identity.expect("there")
    };
    group.keys.rotate().expect("drawn");
    assert_eq!(kept(), group.keys.identity());
    assert_eq!(kept().authority().secrets.gossip.len(), 2);
    // Where it can't be written down, it isn't used.
    let path = folder.path().to_owned();
    drop(folder);
    std::fs::write(&path, b"in the way").expect("written");
    assert!(group.keys.rotate().is_err());
    assert_eq!(group.keys.generation(), 2);
    std::fs::remove_file(&path).expect("removed");
    assert!(tasks.stop(LIMIT).await.is_empty());
}
