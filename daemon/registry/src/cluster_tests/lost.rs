//! Most voters are gone for good: what is refused, and how the others go on.

use super::*;
use crate::rescue::Loss;
use crate::store::rescue::{become_only_voter, log_outline};
use hwc_api::ids::DatasetId;

fn ids(ids: &[u16]) -> BTreeSet<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

/// Three voters of which two are gone, and a site with a copy and one without on the third.
async fn one_left() -> (Cluster, Registry) {
    let (cluster, nodes) = Cluster::three().await;
    for change in [
        site(ADMINISTRATOR, &["both.example"], &[2, 1]),
        site(ADMINISTRATOR, &["gone.example"], &[2, 3]),
        customer("anna"),
    ] {
        nodes[0].change(change).await.expect("created");
    }
    cluster.kill(&nodes[1], 2).await;
    cluster.kill(&nodes[2], 3).await;
    eventually("it has no majority", || !nodes[0].status().is_writable).await;
    (cluster, nodes[0].clone())
}

async fn check_refused(registry: &Registry, lost: &[u16], code: ProblemCode, detail: Option<&str>) {
    let before = registry.desired().borrow().clone();
    for refused in [
        registry.declare_lost_preview(&ids(lost)).await,
        registry.declare_lost(&ids(lost)).await,
    ] {
        let problem = refused.expect_err("it is refused");
        let told = (problem.code, problem.detail.as_deref());
        assert_eq!(told, (code, detail), "{problem:?}");
    }
    assert_eq!(*registry.desired().borrow(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_reads_go_on_and_the_refusal_names_who_is_missing() {
    let (cluster, left) = one_left().await;
    assert_eq!(accounts(&left), ["root", "anna"]);
    let problem = left.change(customer("bert")).await.expect_err("read-only");
    assert_eq!(problem.code, ProblemCode::SettingsReadOnly);
    assert_eq!(problem.detail.as_deref(), Some("node-2, node-3"));
    assert!(problem.message.contains("of the 3 nodes"), "{problem}");
    assert_eq!(left.out_of_reach().await, ids(&[2, 3]));
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_three_voters_goes_on_alone_with_everything_it_had() {
    let (cluster, left) = one_left().await;
    let preview = left.declare_lost_preview(&ids(&[2, 3])).await;
    let before = left.desired().borrow().clone();
    let expected = Loss {
        lost: ids(&[2, 3]),
        voters: ids(&[1]),
        newest: NodeId(1),
        index: before.index,
        is_majority_lost: true,
        datasets: BTreeSet::from([DatasetId(2)]),
    };
    assert_eq!(preview, Ok(expected.clone()), "and nothing is done yet");
    assert!(!left.status().is_writable);

    assert_eq!(left.declare_lost(&ids(&[2, 3])).await, Ok(expected));
    voters_become(std::slice::from_ref(&left), &[1]).await;
    left.change(customer("bert")).await.expect("writable");
    assert_eq!(accounts(&left), ["root", "anna", "bert"]);
    let desired = left.desired().borrow().clone();
    assert!(desired.nodes[&NodeId(2)].is_removed && desired.nodes[&NodeId(3)].is_removed);

    // They come back, and are refused; a new node is not.
    let mut back = Vec::new();
    for id in [2, 3] {
        cluster.net.heal(NodeId(id));
        back.push(cluster.open(id).await);
    }
    for id in [2, 3] {
        let vote = Call::Vote(VoteRequest::new(Vote::new(999, id), None));
        let id = NodeId(u16::try_from(id).expect("small"));
        assert!(!answers(&left, id, &vote).await);
        assert!(!answers(&left, id, &Call::Ping).await);
    }
    let newcomer = cluster.join(&left, 4).await;
    let nodes = [left, newcomer];
    voters_become(&nodes, &[1, 4]).await;
    all_agree(&nodes, &["root", "anna", "bert"]).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rescue_survives_a_restart() {
    let (cluster, left) = one_left().await;
    left.declare_lost(&ids(&[2, 3])).await.expect("declared");
    cluster.kill(&left, 1).await;
    drop(left);
    cluster.net.heal(NodeId(1));
    let left = cluster.open(1).await;
    voters_become(std::slice::from_ref(&left), &[1]).await;
    left.change(customer("bert")).await.expect("writable");
    let again = left
        .declare_lost(&ids(&[2, 3]))
        .await
        .expect("nothing more to do");
    assert!(!again.is_majority_lost);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rescue_that_was_cut_by_a_crash_is_ended_at_the_next_start() {
    let (cluster, left) = one_left().await;
    cluster.kill(&left, 1).await;
    drop(left);
    // The store is rewritten, and the settings know nothing of it yet.
    let path = cluster.directory.path().join("node-1/registry.sqlite");
    let marker = cluster.directory.path().join("node-1.member");
    let open = crate::store::Database::open(&path, &marker, NodeId(1)).await;
    let database = open.expect("store");
    let outline = log_outline(&database).await.expect("outline");
    let written = become_only_voter(&database, NodeId(1), &ids(&[2, 3]), outline.term + 5).await;
    written.expect("rewritten");
    database.close().await;
    drop(database);

    for id in [1, 2, 3] {
        cluster.net.heal(NodeId(id));
    }
    let left = cluster.open(1).await;
    // Even now nobody listens to a lost node.
    let vote = Call::Vote(VoteRequest::new(Vote::new(999, 2), None));
    assert!(!answers(&left, NodeId(2), &vote).await);
    voters_become(std::slice::from_ref(&left), &[1]).await;
    eventually("the lost nodes are out of the settings", || {
        let desired = left.desired().borrow().clone();
        desired.active_nodes().count() == 1
    })
    .await;
    cluster.end().await;
}

/// Node 1 misses a change that the others have; then the lost ones die, and node `newest` has it.
async fn check_newest_goes_on(count: u16, voters: &[u16], lost: &[u16], newest: u16) {
    let cluster = Cluster::new();
    let nodes = cluster.of(count).await;
    voters_become(&nodes, voters).await;
    cluster.net.cut(NodeId(1));
    let made = nodes[1].change(customer("anna")).await;
    made.expect("the others are a majority");
    all_agree(&nodes[1..], &["root", "anna"]).await;
    for id in lost {
        cluster.kill(&nodes[usize::from(*id) - 1], *id).await;
    }
    cluster.net.heal(NodeId(1));
    assert_eq!(accounts(&nodes[0]), ["root"]);

    let loss = nodes[0].declare_lost(&ids(lost)).await.expect("declared");
    assert_eq!(loss.newest, NodeId(newest), "{loss:?}");
    let left = [nodes[0].clone(), nodes[usize::from(newest) - 1].clone()];
    voters_become(&left, &[1, newest]).await;
    all_agree(&left, &["root", "anna"]).await;
    left[0].change(customer("bert")).await.expect("writable");
    all_agree(&left, &["root", "anna", "bert"]).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_log_of_the_voters_that_remain_goes_on() {
    check_newest_goes_on(5, &[1, 2, 3, 4, 5], &[3, 4, 5], 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_goes_on_where_its_log_is_the_newest() {
    check_newest_goes_on(4, &[1, 2, 3], &[2, 3], 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_living_nobody_everybody_and_strangers_are_not_lost() {
    let (cluster, left) = one_left().await;
    check_refused(&left, &[], ProblemCode::Invalid, None).await;
    check_refused(&left, &[9], ProblemCode::UnknownNode, Some("9")).await;
    check_refused(&left, &[1, 2, 3], ProblemCode::LastNode, None).await;
    check_refused(&left, &[1, 2], ProblemCode::NodeAlive, Some("alpha")).await;
    check_refused(&left, &[2], ProblemCode::NodeDown, Some("node-3")).await;
    cluster.net.heal(NodeId(2));
    let back = cluster.open(2).await;
    voters_become(&[left.clone(), back], &[1, 2, 3]).await;
    check_refused(&left, &[2, 3], ProblemCode::NodeAlive, Some("node-2")).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_that_stays_must_be_heard_when_most_are_lost() {
    let cluster = Cluster::new();
    let nodes = cluster.of(5).await;
    voters_become(&nodes, &[1, 2, 3, 4, 5]).await;
    for id in [2, 3, 4, 5] {
        cluster.kill(&nodes[usize::from(id) - 1], id).await;
    }
    check_refused(&nodes[0], &[3, 4, 5], ProblemCode::NodeDown, Some("node-2")).await;
    nodes[0]
        .declare_lost(&ids(&[2, 3, 4, 5]))
        .await
        .expect("all of them");
    voters_become(&nodes[..1], &[1]).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_minority_is_taken_out_by_an_ordinary_change() {
    let (cluster, mut nodes) = Cluster::three().await;
    nodes[0]
        .change(site(ADMINISTRATOR, &["gone.example"], &[3]))
        .await
        .expect("created");
    cluster.kill(&nodes[2], 3).await;
    let remove = Change::RemoveNode { node: NodeId(3) };
    let refused = nodes[0].change(remove).await;
    let code = refused.map_err(|problem| problem.code);
    assert_eq!(code, Err(ProblemCode::Conflict), "it has the only copy");
    let loss = nodes[0].declare_lost(&ids(&[3])).await.expect("declared");
    assert!(!loss.is_majority_lost);
    assert_eq!(loss.datasets, BTreeSet::from([DatasetId(1)]));
    nodes.pop();
    voters_become(&nodes, &[1, 2]).await;
    cluster.end().await;
}
