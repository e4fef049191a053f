//! Several registries in one process over streams in memory: elections, forwarded changes, deaths,
//! partitions, restarts. The net refuses removed nodes, as the streams between real nodes do.

mod catch_up;
mod log;
mod lost;
mod standing;
mod voters;

use crate::error::OpenError;
use crate::network::call::{Answer, Call};
use crate::network::frame::Frame;
use crate::raft_types::{Request, RequestId, Vote, raft_id};
use crate::registry::{Registry, RegistryConfig};
use crate::samples::*;
use crate::submit;
use crate::timing::Timing;
use futures::future::BoxFuture;
use hwc_api::change::{Applied, Change};
use hwc_api::desired::{Desired, Node, Role};
use hwc_api::ids::{AccountId, NodeId};
use hwc_api::problem::ProblemCode;
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use openraft::raft::VoteRequest;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How long anything may take here: many elections on a busy machine.
const DEADLINE: Duration = Duration::from_secs(40);
const PIPE_BYTES: usize = 64 << 10;
/// Elections within a second.
const BRISK: Timing = Timing {
    heartbeat: Duration::from_millis(150),
    election_min: Duration::from_millis(500),
    election_max: Duration::from_millis(1_000),
    ..Timing::lan()
};

/// The wires between the nodes of one test.
#[derive(Default)]
struct Net {
    state: Mutex<NetState>,
}

#[derive(Default)]
struct NetState {
    nodes: BTreeMap<NodeId, Registry>,
    /// Nodes that reach nobody.
    isolated: BTreeSet<NodeId>,
    /// The streams that are open, with their ends.
    streams: Vec<(NodeId, NodeId, CancellationToken)>,
}

impl Net {
    fn cut(&self, node: NodeId) {
        let mut state = self.state.lock().expect("no panic");
        state.isolated.insert(node);
        for (from, to, token) in &state.streams {
            if *from == node || *to == node {
                token.cancel();
            }
        }
    }

    fn heal(&self, node: NodeId) {
        self.state.lock().expect("no panic").isolated.remove(&node);
    }

    /// Ends the streams between a node and those that it knows to be removed.
    fn cut_removed(&self, me: NodeId, desired: &Desired) {
        let is_removed =
            |node: &NodeId| desired.nodes.get(node).is_some_and(|node| node.is_removed);
        let state = self.state.lock().expect("no panic");
        for (from, to, token) in &state.streams {
            if (*from == me && is_removed(to)) || (*to == me && is_removed(from)) {
                token.cancel();
            }
        }
    }
}

/// One node's way into the net.
struct Wire {
    me: NodeId,
    net: Arc<Net>,
    tasks: Tasks,
}

impl Dial for Wire {
    fn dial(&self, node: NodeId, service: Service) -> BoxFuture<'_, Result<PeerStream, DialError>> {
        assert_eq!(service, Service::Registry);
        Box::pin(async move {
            let mut state = self.net.state.lock().expect("no panic");
            let is_cut = state.isolated.contains(&self.me) || state.isolated.contains(&node);
            let target = state.nodes.get(&node).cloned();
            let refuses = |who: &NodeId, whom: &NodeId| {
                let who = state.nodes.get(who);
                let desired = who.map(|who| who.desired().borrow().clone());
                let whom = desired.and_then(|desired| desired.nodes.get(whom).cloned());
                whom.is_some_and(|node| node.is_removed)
            };
            let is_cut = is_cut || refuses(&self.me, &node) || refuses(&node, &self.me);
            let Some(target) = target.filter(|_| !is_cut) else {
                return Err(DialError::Connect {
                    node,
                    source: io::ErrorKind::ConnectionRefused.into(),
                });
            };
            let (near, mut near_end) = tokio::io::duplex(PIPE_BYTES);
            let (far, mut far_end) = tokio::io::duplex(PIPE_BYTES);
            let token = self.tasks.token().child_token();
            state.streams.push((self.me, node, token.clone()));
            self.tasks.spawn("wire", async move {
                let relay = tokio::io::copy_bidirectional(&mut near_end, &mut far_end);
                let _closed_or_cut = token.run_until_cancelled(relay).await;
            });
            target.serve(self.me, Box::new(far));
            Ok(Box::new(near) as PeerStream)
        })
    }
}

/// A cluster under test.
struct Cluster {
    net: Arc<Net>,
    directory: TempDir,
    tasks: Tasks,
    timing: Timing,
}

impl Cluster {
    fn new() -> Self {
        Self::with_timing(BRISK)
    }

    fn with_timing(timing: Timing) -> Self {
        // Shown with RUST_LOG when a test fails.
        let _already_set = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        Self {
            net: Arc::default(),
            directory: tempfile::tempdir().expect("temporary directory"),
            tasks: Tasks::new(),
            timing,
        }
    }

    /// Opens a node's store, or opens it again.
    async fn open(&self, id: u16) -> Registry {
        self.open_at(id, &format!("node-{id}")).await
    }

    async fn open_at(&self, id: u16, directory: &str) -> Registry {
        self.try_open_at(id, directory).await.expect("opened")
    }

    async fn try_open_at(&self, id: u16, directory: &str) -> Result<Registry, OpenError> {
        let me = NodeId(id);
        let folder = self.directory.path();
        let config = RegistryConfig {
            path: folder.join(directory).join("registry.sqlite"),
            marker: folder.join(format!("{directory}.member")),
            me,
            clock: Clock::system(),
            dial: Arc::new(Wire {
                me,
                net: Arc::clone(&self.net),
                tasks: self.tasks.clone(),
            }),
            tasks: self.tasks.clone(),
            timing: self.timing,
        };
        let registry = Registry::open(config).await?;
        let (net, mut desired) = (Arc::clone(&self.net), registry.desired());
        self.tasks.spawn_until_stopped("cut removed", async move {
            while desired.changed().await.is_ok() {
                let desired = desired.borrow_and_update().clone();
                net.cut_removed(me, &desired);
            }
        });
        let mut state = self.net.state.lock().expect("no panic");
        state.nodes.insert(me, registry.clone());
        Ok(registry)
    }

    /// The first node, with an administrator's account.
    async fn found(&self) -> Registry {
        let registry = self.open(1).await;
        let founded = registry.init_cluster(cluster(), node_name("alpha"), address("10.0.0.1"));
        let node = founded.await.expect("founded");
        assert_eq!(node.id, NodeId(1));
        let root = account("root", Role::Administrator, 0, 0);
        assert_eq!(
            registry.change(root).await,
            Ok(Applied::Account(ADMINISTRATOR))
        );
        registry
    }

    /// Lets one more node in, through any member.
    async fn join(&self, member: &Registry, id: u16) -> Registry {
        let node = admit(member, id).await;
        assert_eq!(node.id, NodeId(id));
        let registry = self.open(id).await;
        within("the node arrives", registry.joined()).await;
        registry
    }

    /// Three nodes, all of them voters.
    async fn three() -> (Self, Vec<Registry>) {
        let cluster = Self::new();
        let nodes = cluster.of(3).await;
        voters_become(&nodes, &[1, 2, 3]).await;
        (cluster, nodes)
    }

    /// So many nodes, ids 1 and up.
    async fn of(&self, count: u16) -> Vec<Registry> {
        let mut nodes = vec![self.found().await];
        for id in 2..=count {
            nodes.push(self.join(&nodes[0], id).await);
        }
        nodes
    }

    /// Ends a node as a crash would look to the others.
    async fn kill(&self, registry: &Registry, id: u16) {
        self.net.cut(NodeId(id));
        let known = {
            let mut state = self.net.state.lock().expect("no panic");
            state.nodes.remove(&NodeId(id))
        };
        drop(known);
        registry.shutdown().await;
    }

    async fn end(self) {
        let nodes = std::mem::take(&mut self.net.state.lock().expect("no panic").nodes);
        for registry in nodes.values() {
            registry.shutdown().await;
        }
        let late = self.tasks.stop(Duration::from_secs(5)).await;
        assert!(late.is_empty(), "{late:?} did not stop");
    }
}

async fn admit(member: &Registry, id: u16) -> Node {
    let secret = format!("secret of {id}");
    member.change(join_token(&secret)).await.expect("token");
    let join = join(&secret, &format!("node-{id}"), &format!("10.0.0.{id}"));
    match member.change(join).await {
        Ok(Applied::Node(node)) => node,
        other => panic!("joining gave {other:?}"),
    }
}

/// Waits for a condition, looking again and again; fails when it does not come true in time.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => done,
        Err(_elapsed) => panic!("in {DEADLINE:?} it did not happen that {what}"),
    }
}

async fn voters_become(nodes: &[Registry], ids: &[u16]) {
    let expected: BTreeSet<NodeId> = ids.iter().copied().map(NodeId).collect();
    eventually("all know the voters", || {
        nodes.iter().all(|registry| {
            let status = registry.status();
            status.voters == expected && status.leader.is_some() && status.is_writable
        })
    })
    .await;
}

fn accounts(registry: &Registry) -> Vec<String> {
    let desired = registry.desired().borrow().clone();
    let accounts = desired.accounts.values();
    accounts.map(|account| account.login.to_string()).collect()
}

fn customer(login: &str) -> Change {
    account(login, Role::Customer, 9, 9)
}

async fn all_agree(nodes: &[Registry], logins: &[&str]) {
    eventually("all nodes hold the same settings", || {
        nodes.iter().all(|registry| accounts(registry) == logins)
    })
    .await;
    let settings: Vec<_> = nodes
        .iter()
        .map(|registry| registry.desired().borrow().clone())
        .collect();
    assert!(settings.windows(2).all(|pair| pair[0] == pair[1]));
}

fn leader_of(nodes: &[Registry]) -> usize {
    let leader = nodes[0].status().leader.expect("a leader");
    usize::from(leader.0) - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_a_follower_is_read_there_at_once_and_everywhere_soon() {
    let (cluster, nodes) = Cluster::three().await;
    for (registry, login) in nodes.iter().zip(["anna", "bert", "cora"]) {
        registry.change(customer(login)).await.expect("created");
        assert!(
            accounts(registry).contains(&login.to_owned()),
            "read your own write"
        );
    }
    all_agree(&nodes, &["root", "anna", "bert", "cora"]).await;
    let refused = nodes[2].change(customer("anna")).await;
    assert_eq!(
        refused.map_err(|problem| problem.code),
        Err(ProblemCode::LoginTaken)
    );
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_makes_a_change_reads_it_on_the_same_node() {
    let (cluster, nodes) = Cluster::three().await;
    for number in 0..30 {
        let login = format!("user-{number}");
        for (registry, suffix) in nodes.iter().zip(["a", "b", "c"]) {
            let login = format!("{login}-{suffix}");
            registry.change(customer(&login)).await.expect("created");
            assert!(accounts(registry).contains(&login), "{login} is missing");
        }
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_leader_is_replaced_and_catches_up_when_it_returns() {
    let (cluster, mut nodes) = Cluster::three().await;
    let leader = leader_of(&nodes);
    let id = u16::try_from(leader).expect("small") + 1;
    let dead = nodes.remove(leader);
    cluster.kill(&dead, id).await;
    nodes[0]
        .change(customer("anna"))
        .await
        .expect("the others are a majority");
    nodes[1]
        .change(customer("bert"))
        .await
        .expect("the others are a majority");
    cluster.net.heal(NodeId(id));
    nodes.push(cluster.open(id).await);
    all_agree(&nodes, &["root", "anna", "bert"]).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_reads_and_refuses_and_its_majority_goes_on() {
    let (cluster, nodes) = Cluster::three().await;
    let leader = leader_of(&nodes);
    let others: Vec<_> = (0..3).filter(|other| *other != leader).collect();
    let isolated = NodeId(u16::try_from(leader).expect("small") + 1);
    cluster.net.cut(isolated);

    let (lonely, majority) = tokio::join!(
        nodes[leader].change(customer("lost")),
        nodes[others[0]].change(customer("anna")),
    );
    assert_eq!(majority, Ok(Applied::Account(AccountId(2))));
    let problem = lonely.expect_err("a minority takes no change");
    assert_eq!(problem.code, ProblemCode::SettingsReadOnly);
    assert!(problem.message.contains("not known"), "{problem}");
    eventually("the old leader knows that it has no majority", || {
        !nodes[leader].status().is_writable
    })
    .await;
    let again = nodes[leader].change(customer("again")).await;
    let problem = again.expect_err("a minority takes no change");
    assert!(problem.message.contains("Nothing was changed"), "{problem}");
    assert_eq!(accounts(&nodes[leader]), ["root"]);

    cluster.net.heal(isolated);
    voters_become(&nodes, &[1, 2, 3]).await;
    all_agree(&nodes, &["root", "anna"]).await;
    nodes[leader]
        .change(customer("bert"))
        .await
        .expect("healed");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_come_back_from_their_disks() {
    let (cluster, nodes) = Cluster::three().await;
    nodes[1].change(customer("anna")).await.expect("created");
    for (registry, id) in nodes.iter().zip(1..) {
        cluster.kill(registry, id).await;
    }
    drop(nodes);
    let mut nodes = Vec::new();
    for id in 1..=3 {
        cluster.net.heal(NodeId(id));
        nodes.push(cluster.open(id).await);
        assert!(
            !nodes[usize::from(id) - 1]
                .desired()
                .borrow()
                .nodes
                .is_empty()
        );
    }
    nodes[2]
        .change(customer("bert"))
        .await
        .expect("a majority is back");
    all_agree(&nodes, &["root", "anna", "bert"]).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_in_the_files_at_that_moment() {
    let cluster = Cluster::new();
    let registry = cluster.found().await;
    registry.change(customer("anna")).await.expect("created");
    // What a kill -9 at this moment would leave behind: the files as they are, unclosed.
    let [from, to] = ["node-1", "copy"].map(|name| cluster.directory.path().join(name));
    std::fs::create_dir(&to).expect("directory");
    for file in ["registry.sqlite", "registry.sqlite-wal"] {
        std::fs::copy(from.join(file), to.join(file)).expect("copy");
    }
    registry.shutdown().await;
    let copy = cluster.open_at(1, "copy").await;
    assert_eq!(accounts(&copy), ["root", "anna"]);
    copy.change(customer("bert")).await.expect("it goes on");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_told_twice_is_done_once() {
    let (cluster, nodes) = Cluster::three().await;
    let request = Request::new(RequestId([5; 16]), customer("anna"));
    let (first, second, third) = tokio::join!(
        submit::submit(nodes[0].core(), &request),
        submit::submit(nodes[1].core(), &request),
        submit::submit(nodes[2].core(), &request),
    );
    let made = Ok(Applied::Account(AccountId(2)));
    assert_eq!([&first, &second, &third], [&made; 3]);
    let leader = leader_of(&nodes);
    let id = u16::try_from(leader).expect("small") + 1;
    cluster.kill(&nodes[leader], id).await;
    let rest: Vec<_> = (0..3).filter(|other| *other != leader).collect();
    let again = submit::submit(nodes[rest[0]].core(), &request).await;
    assert_eq!(again, made, "the next leader knows the request too");
    assert_eq!(accounts(&nodes[rest[0]]), ["root", "anna"]);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_at_once_are_each_done_once() {
    let (cluster, nodes) = Cluster::three().await;
    let logins: Vec<String> = (0..30).map(|number| format!("user-{number}")).collect();
    let changes = logins
        .iter()
        .zip(nodes.iter().cycle())
        .map(|(login, registry)| registry.change(customer(login)));
    let results = futures::future::join_all(changes).await;
    let ids: BTreeSet<_> = results
        .into_iter()
        .map(|result| match result {
            Ok(Applied::Account(id)) => id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), logins.len());
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_loses_its_vote_and_is_not_listened_to() {
    let (cluster, nodes) = Cluster::three().await;
    let remove = Change::RemoveNode { node: NodeId(3) };
    nodes[0].change(remove).await.expect("removed");
    voters_become(&nodes[..2], &[1, 2]).await;
    eventually("it has no place at all", || {
        nodes[..2].iter().all(|registry| {
            let core = registry.core();
            let members = core.metrics().membership_config;
            members.membership().get_node(&3).is_none()
        })
    })
    .await;
    assert!(!answers(&nodes[0], NodeId(3), &Call::Ping).await);
    assert!(answers(&nodes[0], NodeId(2), &Call::Ping).await);
    nodes[1].change(customer("anna")).await.expect("two of two");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_speaks_for_another_is_not_answered() {
    let cluster = Cluster::new();
    let registry = cluster.found().await;
    let vote = |candidate| Call::Vote(VoteRequest::new(Vote::new(99, candidate), None));
    assert!(!answers(&registry, NodeId(2), &vote(3)).await);
    assert!(answers(&registry, NodeId(2), &vote(2)).await);
    cluster.end().await;
}

/// Whether a call on a stream of `peer` is answered, rather than the stream closed.
async fn answers(registry: &Registry, peer: NodeId, call: &Call) -> bool {
    let (mut near, far) = tokio::io::duplex(PIPE_BYTES);
    registry.serve(peer, Box::new(far));
    let question = Frame {
        text: serde_json::to_vec(call).expect("call"),
        body: Vec::new(),
    };
    question.write(&mut near).await.expect("stream");
    let answer = within("the stream is answered or closed", Frame::read(&mut near)).await;
    answer.ok().flatten().is_some_and(|frame| {
        let answer: Result<Answer, _> = serde_json::from_slice(&frame.text);
        answer.is_ok()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_a_cluster_takes_no_change_and_founds_one_once() {
    let cluster_under_test = Cluster::new();
    let registry = cluster_under_test.open(1).await;
    let refused = registry.change(customer("anna")).await;
    assert_eq!(
        refused.map_err(|problem| problem.code),
        Err(ProblemCode::NotMember)
    );
    let found = |copies| {
        let cluster = hwc_api::desired::Cluster {
            copies,
            ..cluster()
        };
        registry.init_cluster(cluster, node_name("alpha"), address("10.0.0.1"))
    };
    let refused = found(0).await.expect_err("no copies");
    assert_eq!(refused.code, ProblemCode::Invalid);
    assert!(registry.status().voters.is_empty(), "nothing half-made");
    found(2).await.expect("founded");
    let refused = found(2).await.expect_err("founded already");
    assert_eq!(refused.code, ProblemCode::AlreadyMember);
    cluster_under_test.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_founding_that_was_cut_is_ended_when_asked_again() {
    let cluster_under_test = Cluster::new();
    let registry = cluster_under_test.open(1).await;
    let begun = registry.core().raft().initialize(BTreeSet::from([1])).await;
    begun.expect("initialized");
    let founded = registry.init_cluster(cluster(), node_name("alpha"), address("10.0.0.1"));
    assert_eq!(founded.await.map(|node| node.id), Ok(NodeId(1)));
    cluster_under_test.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_change_is_refused() {
    let cluster = Cluster::new();
    let registry = cluster.found().await;
    let huge = create_token(ADMINISTRATOR, &"x".repeat(2 << 20));
    let refused = registry.change(huge).await;
    assert_eq!(
        refused.map_err(|problem| problem.code),
        Err(ProblemCode::TooLarge)
    );
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_store_until_there_is_room() {
    let cluster = Cluster::new();
    let registry = cluster.found().await;
    limit_pages(&registry, 1).await;
    let bulky = create_token(ADMINISTRATOR, &"x".repeat(500_000));
    let (result, ()) = tokio::join!(registry.change(bulky.clone()), async {
        eventually("openraft stops", || {
            registry.core().metrics().running_state.is_err()
        })
        .await;
        assert!(!registry.status().is_writable);
        limit_pages(&registry, 1 << 30).await;
    });
    assert!(matches!(result, Ok(Applied::Token(_))), "{result:?}");
    assert_eq!(registry.desired().borrow().tokens.len(), 1);
    cluster.end().await;
}

/// Lets the database file grow no further than so many pages (or than it is).
async fn limit_pages(registry: &Registry, pages: u32) {
    let mut transaction = registry.core().database.write().await.expect("writer");
    let pragma = sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
    sqlx::query(pragma)
        .execute(&mut *transaction)
        .await
        .expect("limit");
    transaction.commit().await.expect("commit");
}
