//! Boards: they converge, keep audiences apart, survive restarts, broken streams and nonsense.

use crate::world::{World, eventually, soon};
use bytes::Bytes;
use futures::SinkExt;
use hwc_api::ids::NodeId;
use hwc_group::board::wire::{self, FromOwner};
use hwc_group::board::{Audience, Board, BoardEvent, BoardFeed, Skipped};
use hwc_runtime::dial::Service;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

fn text(value: &str) -> Bytes {
    Bytes::copy_from_slice(value.as_bytes())
}

/// What the group itself shows is not looked at here.
fn is_own_affair(key: &str) -> bool {
    key.starts_with("group/")
}

/// What a node shows, as another one sees it.
fn shown(board: &Board, node: u16) -> BTreeMap<String, Bytes> {
    let mut entries = board.entries(NodeId(node));
    entries.retain(|key, _value| !is_own_affair(key));
    entries
}

fn is_own_event(event: &BoardEvent) -> bool {
    matches!(event, BoardEvent::Changed { key, .. } if is_own_affair(key))
}

/// The next event that is not the group's own affair; none when there is none.
fn next_now(feed: &mut BoardFeed) -> Option<BoardEvent> {
    std::iter::from_fn(|| feed.try_next()).find(|event| !is_own_event(event))
}

async fn next(feed: &mut BoardFeed) -> BoardEvent {
    loop {
        let event = soon("an event", feed.next()).await;
        if !is_own_event(&event) {
            return event;
        }
    }
}

#[tokio::test]
async fn facts_reach_their_audience_within_milliseconds() {
    let world = World::up(3).await;
    let board = &world.group(1).board;
    let mut feeds = [2, 3].map(|n| world.group(n).board.subscribe());
    for feed in &mut feeds {
        // What is known already comes first: two nodes, connected and complete, no values.
        for _ in 0..4 {
            next(feed).await;
        }
        assert_eq!(next_now(feed), None);
    }

    #[expect(clippy::disallowed_methods, reason = "measures the real thing")]
    let began = Instant::now();
    board.set("all", text("1"), Audience::All).expect("set");
    board
        .set("two", text("secret"), Audience::Nodes([NodeId(2)].into()))
        .expect("set");
    let mut told: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (n, feed) in [2, 3].into_iter().zip(&mut feeds) {
        for _ in 0..if n == 2 { 2 } else { 1 } {
            let BoardEvent::Changed { node, key, value } = next(feed).await else {
                panic!("something else happened");
            };
            assert!(node == NodeId(1) && value.is_some());
            told.entry(n).or_default().push(key);
        }
    }
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(told[&2], ["all", "two"]);
    assert_eq!(told[&3], ["all"]);

    board.remove("all");
    eventually("the removal arrives", || {
        shown(&world.group(3).board, 1).is_empty()
    })
    .await;
    assert_eq!(
        world.group(2).board.get(NodeId(1), "two"),
        Some(text("secret"))
    );
    assert_eq!(world.group(3).board.get(NodeId(1), "two"), None);
    assert_eq!(board.get(NodeId(1), "two"), Some(text("secret")));
}

#[tokio::test]
async fn a_restarted_node_shows_its_new_life_only() {
    let mut world = World::up(3).await;
    world
        .group(3)
        .board
        .set("old", text("1"), Audience::All)
        .expect("set");
    world
        .group(1)
        .board
        .set("kept", text("1"), Audience::All)
        .expect("set");
    eventually("the old fact arrives", || {
        world.group(1).board.get(NodeId(3), "old").is_some()
    })
    .await;
    let mut feed = world.group(1).board.subscribe();
    let old_life = BoardEvent::Synced {
        node: NodeId(3),
        start: world.nodes[&3].start,
    };
    while soon("an event", feed.next()).await != old_life {}

    world.take(3).kill();
    let lost = BoardEvent::Disconnected { node: NodeId(3) };
    while soon("an event", feed.next()).await != lost {}
    // What it showed is still known, and known to be old.
    assert!(world.group(1).board.get(NodeId(3), "old").is_some());

    world.start(3, 2);
    world
        .group(3)
        .board
        .set("new", text("2"), Audience::All)
        .expect("set");
    let start = world.nodes[&3].start;
    let synced = BoardEvent::Synced {
        node: NodeId(3),
        start,
    };
    let mut seen = Vec::new();
    loop {
        let event = soon("an event", feed.next()).await;
        if event == synced {
            break;
        }
        seen.push(event);
    }
    assert!(seen.contains(&BoardEvent::Connected {
        node: NodeId(3),
        start
    }));
    assert!(seen.contains(&BoardEvent::Changed {
        node: NodeId(3),
        key: "old".to_owned(),
        value: None,
    }));
    world.all_connected().await;
    eventually("the new fact arrives", || {
        let shown = shown(&world.group(1).board, 3);
        shown.keys().map(String::as_str).eq(["new"])
    })
    .await;
    // And it has what the others showed all the time.
    assert_eq!(world.group(3).board.get(NodeId(1), "kept"), Some(text("1")));
}

#[tokio::test]
async fn an_earlier_life_is_refused() {
    let mut world = World::planned(2);
    world.start(1, 1);
    world.start(2, 7);
    world.all_connected().await;
    world.take(2).kill();
    world.start(2, 6);
    let shown = |world: &World| world.group(1).board.connected().get(&NodeId(2)).copied();
    // The other direction works; what the earlier life shows is not believed.
    eventually("the earlier life reads", || {
        world.group(2).board.connected().contains_key(&NodeId(1))
    })
    .await;
    assert_eq!(shown(&world), None);
    world.take(2).kill();
    world.start(2, 8);
    eventually("a later life is believed", || {
        shown(&world) == Some((world.nodes[&2].start, true))
    })
    .await;
}

#[tokio::test]
async fn a_large_board_arrives_whole() {
    let mut world = World::planned(2);
    world.start(1, 1);
    let board = world.group(1).board.clone();
    let value = Bytes::from(vec![7; 60_000]);
    for n in 0..100 {
        board
            .set(format!("key-{n}"), value.clone(), Audience::All)
            .expect("set");
    }
    for n in 0..5_000 {
        board
            .set(format!("small-{n}"), text("x"), Audience::All)
            .expect("set");
    }
    world.start(2, 1);
    world.all_connected().await;
    let arrived = shown(&world.group(2).board, 1);
    assert_eq!(arrived.len(), 5_100);
    assert_eq!(arrived, shown(&board, 1));
}

/// Frames that begin well and end in nonsense.
fn nonsense() -> Vec<Vec<Bytes>> {
    let mut runner = TestRunner::deterministic();
    let frame = proptest::collection::vec(any::<u8>(), 0..300);
    let frames = proptest::collection::vec(frame, 1..4);
    (0..40)
        .map(|_| {
            let tree = frames.new_tree(&mut runner).expect("a value");
            tree.current().into_iter().map(Bytes::from).collect()
        })
        .collect()
}

#[tokio::test]
async fn nonsense_from_a_member_changes_nothing_and_is_counted() {
    let world = World::up(2).await;
    let start = world.nodes[&2].start;
    let hello = wire::encode(&FromOwner::Hello(start)).expect("encoded");
    let dial = world.group(2).dial();
    for (n, frames) in nonsense().into_iter().enumerate() {
        // Half of them take over from the real stream before they go mad.
        let polite = n % 2 == 0;
        let stream = soon("a dial", dial.dial(NodeId(1), Service::Board)).await;
        let codec = LengthDelimitedCodec::new();
        let mut stream = Framed::new(stream.expect("dialled"), codec);
        let hello = polite.then(|| hello.clone());
        for frame in hello.into_iter().chain(frames) {
            // It may have been thrown out already.
            let _thrown_out = stream.send(frame).await;
        }
    }
    world
        .group(2)
        .board
        .set("sane", text("again"), Audience::All)
        .expect("set");
    eventually("the real stream is back", || {
        world.group(1).board.get(NodeId(2), "sane") == Some(text("again"))
    })
    .await;
    world.all_connected().await;
    let skipped = world.group(1).board.counts().skipped;
    assert!(skipped.contains_key(&Skipped::Frame), "{skipped:?}");
}

#[tokio::test]
async fn a_flood_of_changes_ends_in_the_newest() {
    let world = World::up(2).await;
    let board = &world.group(1).board;
    let mut feed = world.group(2).board.subscribe();
    for n in 0..20_000 {
        board
            .set(format!("{}", n % 10), text(&n.to_string()), Audience::All)
            .expect("set");
    }
    eventually("the newest values arrive", || {
        world.group(2).board.entries(NodeId(1)) == board.entries(NodeId(1))
    })
    .await;
    // The subscriber, who has not looked once, is told of each key at most once.
    let mut changes = 0;
    while let Some(event) = next_now(&mut feed) {
        changes += usize::from(matches!(event, BoardEvent::Changed { .. }));
    }
    assert_eq!(changes, 10);
}
