//! The first bytes of connections: nothing that is not a handshake gets past the door, and the door
//! stays open for those who belong.

use crate::cases;
use hwc_api::ids::{ClusterId, NodeId};
use hwc_group::identity::{ClusterAuthority, NodeIdentity, Start};
use hwc_group::roster::Roster;
use hwc_group::transport::StreamRefusal;
use hwc_group::{Group, GroupSettings};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::Service;
use hwc_runtime::lifecycle::Tasks;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

/// The beginning of a TLS record of the handshake kind, and what may follow.
fn first_bytes() -> impl Strategy<Value = Vec<u8>> {
    let rest = proptest::collection::vec(any::<u8>(), 0..600);
    (any::<bool>(), any::<u16>(), rest).prop_map(|(is_tls, length, rest)| {
        let mut bytes = Vec::new();
        if is_tls {
            bytes.extend([0x16, 0x03, 0x01]);
            bytes.extend(length.to_be_bytes());
            bytes.extend([0x01]);
        }
        bytes.extend(rest);
        bytes
    })
}

#[tokio::test]
async fn noise_is_refused_and_counted_and_the_door_stays_open() {
    let clock = Clock::system();
    let authority = ClusterAuthority::create(ClusterId("f".repeat(32)), clock.wall());
    let authority = authority.expect("made");
    let process = u8::try_from(std::process::id() % 250).expect("small") + 1;
    let address = |n: u8| SocketAddr::from(([127, process, 251, n], 17_500));
    let nodes = [1u8, 2].map(|n| (NodeId(n.into()), address(n))).into();
    let tasks = Tasks::new();
    let mut groups = Vec::new();
    for n in [1u8, 2] {
        let identity = NodeIdentity::create(authority.clone(), NodeId(n.into()), clock.wall());
        let settings = GroupSettings {
            listen: address(n),
            identity: identity.expect("made"),
            start: Start {
                number: 1,
                ..Start::default()
            },
            roster: Roster {
                nodes: std::collections::BTreeMap::clone(&nodes),
                ..Roster::default()
            },
        };
        groups.push(
            Group::start(settings, &tasks, &clock)
                .await
                .expect("started"),
        );
    }
    let mut incoming = groups[0].transport.incoming(Service::Snapshots);

    let mut runner = TestRunner::deterministic();
    let noises = cases(64).cases;
    for _ in 0..noises {
        let noise = first_bytes()
            .new_tree(&mut runner)
            .expect("a value")
            .current();
        let mut stream = TcpStream::connect(address(1)).await.expect("connected");
        // It may have been thrown out already.
        let _thrown_out = stream.write_all(&noise).await;
        let _thrown_out = stream.shutdown().await;
        let mut answer = Vec::new();
        let _reset = timeout(LIMIT, stream.read_to_end(&mut answer))
            .await
            .expect("ended");
        // A TLS alert at most.
        assert!(answer.len() < 64 && answer.first().is_none_or(|kind| *kind == 0x15));
    }
    let refusals = groups[0].refusals().streams;
    let refused: u64 = refusals.values().sum();
    assert!(refused >= u64::from(noises), "{refusals:?}");
    assert!(
        refusals
            .keys()
            .all(|why| matches!(why, StreamRefusal::Handshake | StreamRefusal::Slow))
    );

    let dial = groups[1].dial();
    let dialled = timeout(LIMIT, dial.dial(NodeId(1), Service::Snapshots)).await;
    let _stream = dialled.expect("in time").expect("dialled");
    assert_eq!(incoming.recv().await.expect("came").peer, NodeId(2));
    assert!(tasks.stop(LIMIT).await.is_empty());
}
