//! Nodes in one process, each with its own thread and runtime, so that one can be killed (nothing of
//! it runs on, the kernel closes its ports) or frozen (nothing runs, the ports stay open).

use hwc_api::ids::{BootId, ClusterId, NodeId};
use hwc_group::identity::{ClusterAuthority, NodeIdentity, Start};
use hwc_group::roster::Roster;
use hwc_group::{Group, GroupSettings};
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc as threads;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Far longer than anything here takes on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(20);
/// Unprivileged, and below the range of ports that the kernel gives out.
const PORT: u16 = 17_400;

enum End {
    Stop,
    Kill,
}

/// A node that runs.
pub struct Node {
    pub id: NodeId,
    pub group: Group,
    pub start: Start,
    runtime: Handle,
    end: Option<oneshot::Sender<End>>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// Starts a node; `life` orders its starts.
    pub fn start(identity: NodeIdentity, listen: SocketAddr, roster: Roster, life: u64) -> Self {
        let id = identity.node();
        let start = Start {
            number: life,
            boot: BootId(u32::try_from(life).expect("small")),
        };
        let settings = GroupSettings {
            listen,
            identity,
            start,
            roster,
        };
        let (ready, is_ready) = threads::channel();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                let tasks = Tasks::new();
                let group = Group::start(settings, &tasks, &Clock::system()).await;
                ready
                    .send((group.expect("started"), Handle::current()))
                    .expect("the test waits");
                if matches!(ended.await, Ok(End::Stop)) {
                    assert!(tasks.stop(LIMIT).await.is_empty());
                }
            });
            // What still runs is dropped where it stands.
            runtime.shutdown_background();
        });
        let (group, runtime) = is_ready.recv().expect("started");
        Self {
            id,
            group,
            start,
            runtime,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// As `kill -9`: the kernel closes its sockets, nobody says good-bye.
    pub fn kill(mut self) {
        self.finish(End::Kill);
    }

    /// Stops in order.
    pub fn stop(mut self) {
        self.finish(End::Stop);
    }

    /// As SIGSTOP: until the returned value is dropped, nothing of it runs; its ports stay open.
    pub fn freeze(&self) -> threads::Sender<()> {
        let (thaw, thawed) = threads::channel::<()>();
        let (frozen, is_frozen) = threads::channel();
        self.runtime.spawn(async move {
            frozen.send(()).expect("the test waits");
            let _thawed = thawed.recv();
        });
        is_frozen.recv().expect("frozen");
        thaw
    }

    fn finish(&mut self, how: End) {
        if let Some(end) = self.end.take() {
            let _ended_already = end.send(how);
        }
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the node's thread did not panic");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.finish(End::Kill);
        }
    }
}

/// A cluster of nodes.
pub struct World {
    pub authority: ClusterAuthority,
    pub roster: Roster,
    pub nodes: BTreeMap<u16, Node>,
    identities: BTreeMap<u16, NodeIdentity>,
}

impl World {
    /// A cluster of `size` nodes that all know of each other, not started yet.
    pub fn planned(size: u16) -> Self {
        let now = Clock::system().wall();
        let letter = char::from(b'a' + (network() % 6) as u8);
        let cluster = ClusterId(letter.to_string().repeat(32));
        let authority = ClusterAuthority::create(cluster, now).expect("made");
        let addresses = free_addresses();
        let nodes = (1..=size).map(|n| (NodeId(n), addresses(n))).collect();
        let identity = |n| NodeIdentity::create(authority.clone(), NodeId(n), now).expect("made");
        Self {
            roster: Roster {
                nodes,
                ..Roster::default()
            },
            nodes: BTreeMap::new(),
            identities: (1..=size).map(|n| (n, identity(n))).collect(),
            authority,
        }
    }

    /// A cluster of `size` nodes that are up and connected.
    pub async fn up(size: u16) -> Self {
        let mut world = Self::planned(size);
        for n in 1..=size {
            world.start(n, 1);
        }
        world.all_connected().await;
        world
    }

    pub fn start(&mut self, n: u16, life: u64) {
        let listen = self.address(n);
        let node = Node::start(self.identity(n), listen, self.roster.clone(), life);
        self.nodes.insert(n, node);
    }

    pub fn identity(&self, n: u16) -> NodeIdentity {
        self.identities[&n].clone()
    }

    pub fn address(&self, n: u16) -> SocketAddr {
        self.roster.nodes[&NodeId(n)]
    }

    pub fn group(&self, n: u16) -> &Group {
        &self.nodes[&n].group
    }

    pub fn take(&mut self, n: u16) -> Node {
        self.nodes.remove(&n).expect("running")
    }

    /// Waits until all running nodes see all running nodes, and have all that they show.
    pub async fn all_connected(&self) {
        eventually("all nodes are connected", || {
            self.nodes.iter().all(|(n, node)| {
                let connected = node.group.board.connected();
                let others = self.nodes.iter().filter(|(other, _)| *other != n);
                others
                    .into_iter()
                    .all(|(_, other)| connected.get(&other.id) == Some(&(other.start, true)))
            })
        })
        .await;
    }
}

/// Addresses of 127.0.0.0/8 that no other test of this or another process uses.
pub fn free_addresses() -> impl Fn(u16) -> SocketAddr {
    let process = u8::try_from(std::process::id() % 250).expect("small") + 1;
    let network = u8::try_from(network() % 250).expect("small");
    move |n| {
        let last = u8::try_from(n).expect("small");
        let ip = Ipv4Addr::new(127, process, network, last);
        SocketAddr::from((ip, PORT))
    }
}

fn network() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Waits for a condition; fails when it does not come.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(LIMIT, waiting).await;
    assert!(came.is_ok(), "{what}: not within {LIMIT:?}");
}

/// Waits for a future; fails when it does not end.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {LIMIT:?}"),
    }
}
