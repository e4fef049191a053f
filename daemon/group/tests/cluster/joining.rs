//! Joins: with good, wrong, used and foreign tokens, and with nobody at home.

use crate::world::{LIMIT, Node, World, eventually, free_addresses, soon};
use hwc_api::ids::NodeId;
use hwc_api::names::NodeName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_group::identity::{Fingerprint, SecretBytes};
use hwc_group::join::{JoinAnswer, JoinError, JoinGrant, JoinToken, Newcomer, ask};
use hwc_group::profile::Profile;
use hwc_group::roster::Roster;
use hwc_runtime::clock::Clock;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn newcomer(address: SocketAddr) -> Newcomer {
    Newcomer {
        name: NodeName::parse("node-two").expect("a name"),
        address: address.ip(),
        version: "0.1.0".to_owned(),
    }
}

/// Node 1 admits one newcomer, as node 2, with the returned token.
fn admit_one(world: &World) -> JoinToken {
    let token = JoinToken {
        address: world.address(1),
        authority: world.authority.nodes.fingerprint(),
        secret: SecretBytes::draw(),
    };
    let good = token.secret.hash();
    let used = Arc::new(Mutex::new(BTreeSet::new()));
    let known = world.roster.nodes.clone();
    world.group(1).admit_newcomers(move |request| {
        let answer = if request.secret_hash != good {
            Err(Problem::new(ProblemCode::TokenWrong, "unknown"))
        } else if !used.lock().expect("whole").insert(request.secret_hash) {
            Err(Problem::new(ProblemCode::TokenUsed, "used"))
        } else {
            assert_eq!(request.name.as_str(), "node-two");
            let mut nodes = known.clone();
            nodes.insert(NodeId(2), (request.address, 17_400).into());
            let node = NodeId(2);
            let profile = Profile::Wan;
            Ok(JoinGrant {
                node,
                nodes,
                profile,
            })
        };
        std::future::ready(answer)
    });
    token
}

async fn join(token: &JoinToken, address: SocketAddr) -> Result<JoinAnswer, JoinError> {
    let clock = Clock::system();
    soon("an answer", ask(token, newcomer(address), &clock)).await
}

async fn refused(token: &JoinToken, address: SocketAddr) -> ProblemCode {
    match join(token, address).await {
        Err(JoinError::Refused(problem)) => problem.code,
        other => panic!("not a refusal: {other:?}"),
    }
}

#[tokio::test]
async fn a_newcomer_with_a_good_token_becomes_a_node_once() {
    let world = World::up(1).await;
    let address = free_addresses()(2);
    let token = admit_one(&world);

    let wrong = JoinToken {
        secret: SecretBytes::draw(),
        ..token.clone()
    };
    assert_eq!(refused(&wrong, address).await, ProblemCode::TokenWrong);

    let copied = JoinToken::parse(&token.encode()).expect("readable");
    let joined = join(&copied, address).await;
    let joined = joined.expect("admitted");
    assert_eq!(
        (joined.identity.node(), joined.asked),
        (NodeId(2), NodeId(1))
    );
    assert_eq!(joined.identity.authority(), &world.authority);
    assert_eq!(joined.nodes.len(), 2);
    assert_eq!(joined.profile, Profile::Wan);
    let folder = tempfile::tempdir().expect("a temporary folder");
    joined.identity.save(folder.path()).expect("saved");

    assert_eq!(refused(&token, address).await, ProblemCode::TokenUsed);

    // The new node takes part with what it was given.
    let roster = Roster {
        nodes: joined.nodes,
        ..Roster::default()
    };
    world.group(1).set_roster(roster.clone());
    let second = Node::start(joined.identity, address, roster, 1);
    eventually("both see each other", || {
        second.group.board.connected().contains_key(&NodeId(1))
            && world.group(1).board.connected().contains_key(&NodeId(2))
    })
    .await;
    second.stop();
}

#[tokio::test]
async fn a_token_of_another_cluster_gives_its_secret_to_nobody() {
    let world = World::up(1).await;
    let token = admit_one(&world);
    let foreign = JoinToken {
        authority: Fingerprint([1; 32]),
        ..token.clone()
    };
    let asked = join(&foreign, world.address(1));
    let answer = asked.await;
    assert!(
        matches!(answer, Err(JoinError::OtherCluster { .. })),
        "{answer:?}"
    );
    // The token itself is unused: the newcomer hung up before it spoke.
    let asked = join(&token, world.address(1));
    assert!(asked.await.is_ok());
}

#[tokio::test]
async fn nobody_at_home_is_said_so() {
    let world = World::planned(1);
    let token = JoinToken {
        address: world.address(1),
        authority: world.authority.nodes.fingerprint(),
        secret: SecretBytes::draw(),
    };
    let asked = join(&token, world.address(1));
    let answer = asked.await;
    assert!(
        matches!(answer, Err(JoinError::Connect { .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_node_that_admits_nobody_turns_newcomers_away() {
    let world = World::up(1).await;
    let token = JoinToken {
        address: world.address(1),
        authority: world.authority.nodes.fingerprint(),
        secret: SecretBytes::draw(),
    };
    let asked = join(&token, world.address(1));
    let answer = asked.await;
    assert!(
        matches!(answer, Err(JoinError::Exchange { .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn noise_on_the_port_is_survived() {
    let world = World::up(1).await;
    let token = admit_one(&world);
    let address = world.address(1);
    for noise in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0; 4096],
        &[0x16, 3, 1, 0xff, 0xff, 1],
        b"",
    ] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(noise).await.expect("written");
        stream.shutdown().await.expect("ended");
        let mut rest = Vec::new();
        // The node answers with an alert or not at all; either way it hangs up.
        let hung_up = tokio::time::timeout(LIMIT, stream.read_to_end(&mut rest)).await;
        assert!(hung_up.is_ok());
    }
    let asked = join(&token, address);
    assert!(asked.await.is_ok());
}
