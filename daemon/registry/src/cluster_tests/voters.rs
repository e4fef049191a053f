//! Who votes as nodes come, go and change their services.

use super::*;
use hwc_api::desired::NodeService;

/// As long as a voter may be away here: longer than an election, shorter than a test's patience.
const PATIENCE: Duration = Duration::from_secs(3);

fn impatient() -> Cluster {
    Cluster::with_timing(Timing {
        replace_voter_after: PATIENCE,
        ..BRISK
    })
}

/// A voter among these that does not lead, and its place.
fn follower(nodes: &[Registry]) -> (NodeId, usize) {
    let leader = leader_of(nodes);
    let place = (0..nodes.len()).find(|place| *place != leader);
    let place = place.expect("more than one node");
    (NodeId(u16::try_from(place).expect("small") + 1), place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fourth_node_learns_and_votes_when_a_voter_is_gone() {
    let cluster = impatient();
    let mut nodes = cluster.of(4).await;
    voters_become(&nodes, &[1, 2, 3]).await;
    let (id, place) = follower(&nodes[..3]);
    let dead = nodes.remove(place);
    cluster.kill(&dead, id.0).await;
    let others: Vec<u16> = (1..=4).filter(|other| *other != id.0).collect();
    voters_become(&nodes, &others).await;
    nodes[0]
        .change(customer("anna"))
        .await
        .expect("three of three");

    cluster.net.heal(id);
    nodes.push(cluster.open(id.0).await);
    all_agree(&nodes, &["root", "anna"]).await;
    voters_become(&nodes, &others).await;
    assert!(nodes[0].status().learners.contains(&id), "it learns now");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_voters_become_three_when_two_are_gone_and_five_again() {
    let cluster = impatient();
    let mut nodes = cluster.of(5).await;
    voters_become(&nodes, &[1, 2, 3, 4, 5]).await;
    let leader = leader_of(&nodes);
    let doomed: Vec<usize> = (0..5)
        .rev()
        .filter(|place| *place != leader)
        .take(2)
        .collect();
    let mut dead = Vec::new();
    for place in doomed {
        let id = u16::try_from(place).expect("small") + 1;
        cluster.kill(&nodes.remove(place), id).await;
        dead.push(id);
    }
    let rest: Vec<u16> = (1..=5).filter(|id| !dead.contains(id)).collect();
    voters_become(&nodes, &rest).await;
    for id in dead {
        cluster.net.heal(NodeId(id));
        nodes.push(cluster.open(id).await);
    }
    voters_become(&nodes, &[1, 2, 3, 4, 5]).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_may_not_vote_follows_even_if_it_led() {
    let (cluster, nodes) = Cluster::three().await;
    let leader = leader_of(&nodes);
    let id = u16::try_from(leader).expect("small") + 1;
    let off = switch_off(id, [NodeService::Voting]);
    nodes[leader].change(off).await.expect("switched off");
    let others: Vec<u16> = (1..=3).filter(|other| *other != id).collect();
    voters_become(&nodes, &others).await;
    nodes[leader]
        .change(customer("anna"))
        .await
        .expect("handed on");
    all_agree(&nodes, &["root", "anna"]).await;
    let on = switch_off(id, []);
    nodes[leader].change(on).await.expect("switched on");
    voters_become(&nodes, &[1, 2, 3]).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_takes_the_place_of_a_node_that_hosts() {
    let cluster = Cluster::new();
    let nodes = cluster.of(4).await;
    voters_become(&nodes, &[1, 2, 3]).await;
    let witness = switch_off(4, [NodeService::Hosting, NodeService::FrontDoors]);
    nodes[3].change(witness).await.expect("a witness");
    eventually("it votes beside two others", || {
        nodes.iter().all(|registry| {
            let status = registry.status();
            status.voters.len() == 3 && status.voters.contains(&NodeId(4))
        })
    })
    .await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_of_two_nodes_can_be_removed_and_the_other_goes_on() {
    for leaving in [1, 2] {
        let cluster = Cluster::new();
        let nodes = cluster.of(2).await;
        voters_become(&nodes, &[1, 2]).await;
        let stays = usize::from(2 - leaving);
        let remove = Change::RemoveNode {
            node: NodeId(leaving),
        };
        nodes[stays].change(remove).await.expect("removed");
        let rest = std::slice::from_ref(&nodes[stays]);
        voters_become(rest, &[3 - leaving]).await;
        nodes[stays].change(customer("anna")).await.expect("alone");
        cluster.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_would_end_the_majority_is_refused() {
    let (cluster, nodes) = Cluster::three().await;
    let leader = leader_of(&nodes);
    let others: Vec<_> = (0..3).filter(|other| *other != leader).collect();
    let id_of = |place: usize| u16::try_from(place).expect("small") + 1;
    cluster.kill(&nodes[others[0]], id_of(others[0])).await;
    let remove = Change::RemoveNode {
        node: NodeId(id_of(others[1])),
    };
    let refused = nodes[leader].change(remove.clone()).await;
    let problem = refused.expect_err("one of three is no majority");
    assert_eq!(problem.code, ProblemCode::SettingsReadOnly, "{problem}");
    assert!(
        nodes[leader].status().is_writable,
        "and nothing has changed"
    );

    cluster.net.heal(NodeId(id_of(others[0])));
    let _back = cluster.open(id_of(others[0])).await;
    within("it is removed once the others can decide", async {
        while nodes[leader].change(remove.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    cluster.end().await;
}
