//! Nodes that may not take part: removed ones, wiped and restored disks, old versions.

use super::*;
use crate::network::claim::Claim;
use crate::proposed::Proposed;
use crate::raft_types::SnapshotMeta;
use crate::status::Standing;
use openraft::raft::AppendEntriesRequest;
use std::path::Path;

/// A voter that does not lead, ended as by a crash: its id and what is left.
async fn kill_follower(cluster: &Cluster, nodes: &mut Vec<Registry>) -> NodeId {
    let place = usize::from(leader_of(nodes) == 0);
    let id = u16::try_from(place).expect("small") + 1;
    let dead = nodes.remove(place);
    cluster.kill(&dead, id).await;
    NodeId(id)
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("directory");
    for file in std::fs::read_dir(from).expect("directory") {
        let file = file.expect("file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copy");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_store_is_gone_does_not_start() {
    let (cluster, mut nodes) = Cluster::three().await;
    let id = kill_follower(&cluster, &mut nodes).await;
    let folder = format!("node-{id}");
    std::fs::remove_dir_all(cluster.directory.path().join(&folder)).expect("wiped");
    cluster.net.heal(id);
    let opened = cluster.try_open_at(id.0, &folder).await;
    let Err(error @ OpenError::Lost { .. }) = opened else {
        panic!("it started: {:?}", opened.map(|registry| registry.status()));
    };
    assert!(error.to_string().contains("let it join again"), "{error}");

    let remove = Change::RemoveNode { node: id };
    nodes[0].change(remove).await.expect("removed");
    let newcomer = cluster.join(&nodes[0], 4).await;
    nodes.push(newcomer);
    let rest = (1..=4).filter(|other| *other != id.0);
    voters_become(&nodes, &rest.collect::<Vec<_>>()).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_with_an_empty_store_neither_votes_nor_learns() {
    let (cluster, mut nodes) = Cluster::three().await;
    let id = kill_follower(&cluster, &mut nodes).await;
    cluster.net.heal(id);
    // Its note is gone too: only the others can tell.
    let wiped = cluster.open_at(id.0, "wiped").await;
    eventually("it knows that it has lost its settings", || {
        wiped.status().standing == Standing::LostSettings
    })
    .await;
    let refused = wiped.change(customer("anna")).await;
    let problem = refused.expect_err("it takes no part");
    assert!(problem.message.contains("join again"), "{problem}");
    let vote = Call::Vote(VoteRequest::new(Vote::new(99, 1), None));
    assert!(!answers(&wiped, NodeId(1), &vote).await);
    nodes[0]
        .change(customer("anna"))
        .await
        .expect("the others go on");
    assert!(accounts(&wiped).is_empty());
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_voter_that_is_asked_for_its_vote_gives_none() {
    let cluster = Cluster::new();
    let wiped = cluster.open(2).await;
    assert_eq!(wiped.status().standing, Standing::Member);
    let vote = Call::Vote(VoteRequest::new(Vote::new(7, 1), None));
    assert!(!answers(&wiped, NodeId(1), &vote).await);
    eventually("it knows why", || {
        wiped.status().standing == Standing::LostSettings
    })
    .await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_old_store_does_not_go_on_as_if_nothing_were_missing() {
    let (cluster, mut nodes) = Cluster::three().await;
    let folder = cluster.directory.path().to_owned();
    let place = usize::from(leader_of(&nodes) == 0);
    let id = NodeId(u16::try_from(place).expect("small") + 1);
    let backup = format!("node-{id}");
    copy_folder(&folder.join(&backup), &folder.join("backup"));
    for login in ["anna", "bert"] {
        nodes[place].change(customer(login)).await.expect("created");
    }
    let killed = kill_follower(&cluster, &mut nodes).await;
    assert_eq!(killed, id);
    std::fs::remove_dir_all(folder.join(&backup)).expect("lost");
    copy_folder(&folder.join("backup"), &folder.join(&backup));
    cluster.net.heal(id);
    let restored = cluster.open(id.0).await;
    eventually("it knows that it has lost settings", || {
        restored.status().standing == Standing::LostSettings
    })
    .await;
    nodes[0]
        .change(customer("cora"))
        .await
        .expect("the others go on");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_removed_while_it_was_away_stays_out() {
    let (cluster, mut nodes) = Cluster::three().await;
    let id = kill_follower(&cluster, &mut nodes).await;
    let remove = Change::RemoveNode { node: id };
    nodes[0].change(remove).await.expect("removed");
    let rest: Vec<u16> = (1..=3).filter(|other| *other != id.0).collect();
    voters_become(&nodes, &rest).await;
    eventually("both know that it is removed", || {
        let settings = nodes.iter().map(|node| node.desired().borrow().clone());
        settings
            .into_iter()
            .all(|desired| desired.nodes[&id].is_removed)
    })
    .await;
    let term = nodes[0].core().metrics().current_term;

    cluster.net.heal(id);
    let back = cluster.open(id.0).await;
    let leader = raft_id(nodes[0].status().leader.expect("leader"));
    let me = raft_id(id);
    for call in [
        Call::Ping,
        Call::Vote(VoteRequest::new(Vote::new(99, me), None)),
        Call::Append {
            rpc: AppendEntriesRequest {
                vote: Vote::new_committed(99, me),
                prev_log_id: None,
                entries: Vec::new(),
                leader_commit: None,
            },
            has_quorum: true,
            claim: Claim::default(),
        },
        Call::InstallSnapshot {
            vote: Vote::new_committed(99, me),
            meta: SnapshotMeta::default(),
            offset: 0,
            done: true,
        },
        Call::Change(Request::new(RequestId([3; 16]), customer("eve"))),
        Call::Position {
            deny: BTreeSet::from([NodeId(1), NodeId(2)]),
        },
        Call::Rescue {
            lost: BTreeSet::from([NodeId(1), NodeId(2)]),
            term: 99,
        },
    ] {
        for registry in &nodes {
            assert!(!answers(registry, id, &call).await, "{call:?}");
        }
    }
    let refused = back.change(customer("eve")).await;
    assert!(refused.is_err(), "nobody takes its changes: {refused:?}");
    for registry in &nodes {
        let metrics = registry.core().metrics();
        assert_eq!(metrics.current_term, term, "nobody was disturbed");
        assert_eq!(metrics.current_leader, Some(leader));
        assert_eq!(accounts(registry), ["root"]);
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_understand_a_change_stands_still() {
    let (cluster, nodes) = Cluster::three().await;
    // All three run this version here: whoever would apply it stops instead, and none panics.
    let foreign: Proposed = serde_json::from_str(r#"{"change":"paint-node"}"#).expect("JSON");
    let leader = &nodes[leader_of(&nodes)];
    let request = Request {
        id: RequestId([9; 16]),
        change: foreign,
    };
    let raft = leader.core().raft();
    let _never_answered = raft.client_write(request).await;
    eventually("the leader says so, and nobody takes its place", || {
        let is_writable = nodes.iter().any(|registry| registry.status().is_writable);
        leader.status().standing == Standing::Outdated && !is_writable
    })
    .await;
    let refused = leader.change(customer("anna")).await;
    let problem = refused.expect_err("it stands still");
    assert!(problem.message.contains("Upgrade hwcd"), "{problem}");
    for registry in &nodes {
        assert_eq!(accounts(registry), ["root"], "reads go on");
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_does_not_propose_what_it_does_not_understand() {
    let cluster = Cluster::new();
    let registry = cluster.found().await;
    let request = Request {
        id: RequestId([9; 16]),
        change: serde_json::from_str(r#"{"change":"paint-node"}"#).expect("JSON"),
    };
    let refused = submit::submit(registry.core(), &request).await;
    let problem = refused.expect_err("it is not understood");
    assert!(problem.message.contains("Upgrade it"), "{problem}");
    assert_eq!(registry.status().standing, Standing::Member);
    registry.change(customer("anna")).await.expect("it goes on");
    cluster.end().await;
}
