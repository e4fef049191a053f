//! Streams: to the right node, refused to foreign and removed ones, cut at a removal.

use crate::world::{World, eventually, soon};
use hwc_api::ids::NodeId;
use hwc_group::Group;
use hwc_group::datagram::Refusal;
use hwc_group::identity::NodeIdentity;
use hwc_group::membership::{DownReason, MembershipEvent};
use hwc_group::roster::Roster;
use hwc_group::transport::BindError;
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{DialError, Service};
use hwc_runtime::lifecycle::Tasks;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[tokio::test]
async fn a_stream_leads_to_the_node_and_tells_who_came() {
    let world = World::up(3).await;
    let mut incoming = world.group(2).transport.incoming(Service::Snapshots);
    for round in 0..3u8 {
        // The first is a full handshake, the later ones resume it.
        let dialled = world.group(1).dial();
        let mut near = soon("a dial", dialled.dial(NodeId(2), Service::Snapshots))
            .await
            .expect("dialled");
        near.write_all(&[round]).await.expect("written");
        near.flush().await.expect("flushed");
        let mut far = soon("a stream", incoming.recv()).await.expect("came");
        assert_eq!(far.peer, NodeId(1));
        assert_eq!(far.stream.read_u8().await.expect("read"), round);
        far.stream.write_all(b"yes").await.expect("written");
        far.stream.shutdown().await.expect("ended");
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.expect("read");
        assert_eq!(answer, b"yes");
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_an_error_that_says_why() {
    let mut world = World::up(2).await;
    let dial = world.group(1).dial();
    let dialled = |node, service| soon("a dial", dial.dial(NodeId(node), service));
    let unknown = dialled(9, Service::Http).await;
    assert!(matches!(unknown, Err(DialError::UnknownNode(NodeId(9)))));
    let no_room = dialled(2, Service::Http).await;
    assert!(matches!(no_room, Err(DialError::Handshake { .. })));
    world.take(2).kill();
    let refused = dialled(2, Service::Board).await;
    match refused {
        Err(DialError::Connect { source, .. }) => {
            assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
        }
        Ok(_) | Err(_) => panic!("a dead node was reached"),
    }
}

#[tokio::test]
async fn a_node_of_another_cluster_is_refused() {
    let world = World::up(1).await;
    let mut other = World::planned(2);
    // It believes that node 1 of its own cluster lives where ours does.
    other.roster.nodes.insert(NodeId(1), world.address(1));
    other.start(2, 1);
    let dial = other.group(2).dial();
    let dialled = soon("a dial", dial.dial(NodeId(1), Service::Board)).await;
    assert!(matches!(dialled, Err(DialError::Handshake { .. })));
    // Its datagrams are dropped, and counted.
    world.group(1).set_roster(Roster {
        nodes: [1, 2].map(|n| (NodeId(n), other.address(n))).into(),
        ..Roster::default()
    });
    eventually("forged datagrams are counted", || {
        world
            .group(1)
            .membership
            .refusals()
            .contains_key(&Refusal::OtherCluster)
    })
    .await;
    assert!(
        world
            .group(1)
            .membership
            .standing(NodeId(2))
            .is_none_or(|s| s.start.is_none())
    );
    assert!(world.group(1).board.connected().is_empty());
}

#[tokio::test]
async fn a_removed_node_loses_its_streams_and_stays_out() {
    let world = World::up(3).await;
    let mut incoming = world.group(1).transport.incoming(Service::Snapshots);
    let removed = world.group(3).dial();
    let mut stream = soon("a dial", removed.dial(NodeId(1), Service::Snapshots))
        .await
        .expect("dialled");
    let mut held = soon("a stream", incoming.recv()).await.expect("came");
    let mut events = world.group(1).membership.subscribe();

    // The removed node itself has not heard of it, and still has its certificate and keys.
    let roster = Roster {
        removed: [NodeId(3)].into(),
        ..world.roster.clone()
    };
    world.group(1).set_roster(roster.clone());
    world.group(2).set_roster(roster);

    assert!(
        soon("the held stream breaks", held.stream.read_u8())
            .await
            .is_err()
    );
    // The room drops what has broken.
    drop(held);
    assert!(
        soon("its other end breaks", stream.read_u8())
            .await
            .is_err()
    );
    let again = soon("a dial", removed.dial(NodeId(1), Service::Snapshots)).await;
    assert!(matches!(again, Err(DialError::Handshake { .. })));
    let mut told = world.group(3).transport.removed_by();
    let told = soon("it is told", told.wait_for(Option::is_some)).await;
    assert!(matches!(*told.expect("told"), Some(NodeId(1 | 2))));
    let to_it = world.group(1).dial();
    let dialled = soon("a dial", to_it.dial(NodeId(3), Service::Board)).await;
    assert!(matches!(dialled, Err(DialError::UnknownNode(_))));
    let down = MembershipEvent::Down {
        node: NodeId(3),
        reason: DownReason::Removed,
    };
    while soon("an event", events.recv()).await != Some(down) {}
    eventually("its facts are gone", || {
        !world.group(1).board.connected().contains_key(&NodeId(3))
    })
    .await;
    eventually("its datagrams are dropped", || {
        let dropped = world.group(1).membership.refusals();
        dropped.contains_key(&Refusal::UnknownSender)
    })
    .await;
    assert_eq!(world.group(1).membership.standing(NodeId(3)), None);
}

#[tokio::test]
async fn a_taken_port_is_said_so() {
    let world = World::up(1).await;
    let tasks = Tasks::new();
    let settings = hwc_group::GroupSettings {
        listen: world.address(1),
        identity: world.identity(1),
        start: hwc_group::identity::Start::default(),
        roster: world.roster.clone(),
    };
    let started = Group::start(settings, &tasks, &Clock::system()).await;
    assert!(matches!(started, Err(BindError::PortTaken { .. })));
    assert!(tasks.stop(crate::world::LIMIT).await.is_empty());
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let mut world = World::planned(2);
    let long_ago = Clock::system().wall().plus_ms(-11 * 365 * 86_400_000);
    let expired = NodeIdentity::create(world.authority.clone(), NodeId(2), long_ago);
    world.start(1, 1);
    let expired = expired.expect("made");
    let second =
        crate::world::Node::start(expired.clone(), world.address(2), world.roster.clone(), 1);
    let dial = second.group.dial();
    let dialled = soon("a dial", dial.dial(NodeId(1), Service::Board)).await;
    assert!(matches!(dialled, Err(DialError::Handshake { .. })));
    let renewed = expired.renewed_if_due(Clock::system().wall());
    assert!(renewed.expect("readable").is_some());
}

#[tokio::test]
async fn without_a_certificate_there_is_joining_and_nothing_else() {
    let world = World::up(1).await;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let authority = world.authority.nodes.certificate().clone();
    roots.add(authority).expect("a certificate");
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    for service in Service::ALL.into_iter().filter(|s| *s != Service::Join) {
        let mut config = config.clone();
        config.alpn_protocols = vec![service.alpn().into()];
        let stream = TcpStream::connect(world.address(1))
            .await
            .expect("connected");
        let name = world.identity(1).name().server_name().expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        // The client's part of the handshake ends before the server has judged it.
        let stream = soon("a handshake", connector.connect(name, stream)).await;
        let mut stream = stream.expect("the client believes the server");
        let refused = soon("a refusal", stream.read_u8()).await;
        assert!(refused.is_err(), "{service:?}");
    }
}
