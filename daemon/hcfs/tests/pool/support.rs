//! Nodes for tests: HCFS on some backend, connected by streams in memory that can be tampered with.

use futures::FutureExt;
use futures::future::BoxFuture;
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_hcfs::backend::Backend;
use hwc_hcfs::{
    Acknowledged, FailedStage, Hcfs, HcfsConfig, InventoryItem, Parts, Purpose, RefusalReason,
    SendError, SendRequest, SnapshotPace, StreamGate, StreamId, StreamOffer, TakenSnapshot,
    TransferTimes,
};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A condition that is not met by then is a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until a condition holds.
pub async fn until<F, T>(what: &str, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let wait = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_elapsed| panic!("not in time: {what}"))
}

/// What happens to the bytes that a sender says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tamper {
    /// Nothing.
    #[default]
    Not,
    /// The connection breaks after so many.
    CutAfter(usize),
    /// One bit of this one is turned over.
    Flip(usize),
    /// The last answer is lost: the connection breaks once the receiver said this many frames.
    LoseAnswers,
    /// From here on nothing goes through, and nothing breaks.
    StallAfter(usize),
}

/// The network, and who is on it.
#[derive(Default)]
pub struct Net {
    nodes: Mutex<BTreeMap<NodeId, Hcfs>>,
    pub tamper: Mutex<Tamper>,
    /// What the last sender said.
    pub said: Arc<Mutex<Vec<u8>>>,
    tasks: Tasks,
}

/// One node's way into the network.
struct Wire {
    me: NodeId,
    net: Arc<Net>,
}

impl Dial for Wire {
    fn dial(
        &self,
        node: NodeId,
        _service: Service,
    ) -> BoxFuture<'_, Result<PeerStream, DialError>> {
        let found = lock(&self.net.nodes).get(&node).cloned();
        async move {
            let hcfs = found.ok_or(DialError::UnknownNode(node))?;
            let (near, far) = self.net.connect();
            hcfs.accept(self.me, far);
            Ok(near)
        }
        .boxed()
    }
}

impl Net {
    /// A connection through which the network's tampering goes.
    fn connect(&self) -> (PeerStream, PeerStream) {
        let tamper = *lock(&self.tamper);
        let said = Arc::clone(&self.said);
        lock(&said).clear();
        let (near, inside) = tokio::io::duplex(64 * 1024);
        let (outside, far) = tokio::io::duplex(64 * 1024);
        let (mut from_sender, mut to_sender) = tokio::io::split(inside);
        let (mut from_receiver, mut to_receiver) = tokio::io::split(outside);
        self.tasks.spawn("wire", async move {
            let forward = async {
                let mut buffer = vec![0; 16 * 1024];
                let mut passed = 0;
                loop {
                    let read = from_sender.read(&mut buffer).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    let bytes = &mut buffer[..read];
                    let range = passed..passed + read;
                    passed += read;
                    let mut length = read;
                    match tamper {
                        Tamper::Flip(at) if range.contains(&at) => bytes[at - range.start] ^= 4,
                        Tamper::CutAfter(at) | Tamper::StallAfter(at) if range.end > at => {
                            length = at.saturating_sub(range.start);
                        }
                        Tamper::Not
                        | Tamper::Flip(_)
                        | Tamper::CutAfter(_)
                        | Tamper::LoseAnswers
                        | Tamper::StallAfter(_) => {}
                    }
                    lock(&said).extend_from_slice(&bytes[..length]);
                    if to_receiver.write_all(&bytes[..length]).await.is_err() {
                        return;
                    }
                    match tamper {
                        Tamper::CutAfter(at) if range.end > at => return,
                        Tamper::StallAfter(at) if range.end > at => {
                            std::future::pending::<()>().await;
                        }
                        Tamper::Not
                        | Tamper::Flip(_)
                        | Tamper::CutAfter(_)
                        | Tamper::LoseAnswers
                        | Tamper::StallAfter(_) => {}
                    }
                }
            };
            let back = async {
                // "Go" is a frame of 5 + 32 + 1 bytes; what follows is the last answer.
                if tamper == Tamper::LoseAnswers {
                    let mut go = [0; 38];
                    if from_receiver.read_exact(&mut go).await.is_ok()
                        && to_sender.write_all(&go).await.is_ok()
                    {
                        let mut rest = Vec::new();
                        let _lost = from_receiver.read_to_end(&mut rest).await;
                    }
                    return;
                }
                let _over = tokio::io::copy(&mut from_receiver, &mut to_sender).await;
            };
            tokio::select! {
                () = forward => {}
                () = back => {}
            }
        });
        (Box::new(near), Box::new(far))
    }

    pub fn tamper(&self, how: Tamper) {
        *lock(&self.tamper) = how;
    }

    /// Says the bytes of an earlier transfer to a node once more, and waits for the end of it.
    pub async fn replay(&self, from: NodeId, to: NodeId, bytes: &[u8]) {
        let hcfs = lock(&self.nodes).get(&to).cloned().expect("a node");
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        hcfs.accept(from, Box::new(far));
        // A receiver that refuses closes; both are fine here.
        let _refused = near.write_all(bytes).await;
        let mut answers = Vec::new();
        let _closed = near.read_to_end(&mut answers).await;
    }
}

/// What a gate was told, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Offered,
    Received,
    Committed,
    Failed(FailedStage),
}

/// A conductor that grants everything unless told otherwise.
#[derive(Default)]
pub struct Gate {
    pub heard: Mutex<Vec<Heard>>,
    pub refuse_offers: Mutex<Option<RefusalReason>>,
    pub refuse_received: Mutex<Option<RefusalReason>>,
}

impl Gate {
    pub fn take_heard(&self) -> Vec<Heard> {
        std::mem::take(&mut lock(&self.heard))
    }

    fn answer(
        &self,
        heard: Heard,
        refuse: &Mutex<Option<RefusalReason>>,
    ) -> Result<(), RefusalReason> {
        lock(&self.heard).push(heard);
        lock(refuse).map_or(Ok(()), Err)
    }
}

impl StreamGate for Gate {
    fn offered<'a>(
        &'a self,
        _stream: StreamId,
        _offer: &'a StreamOffer,
    ) -> BoxFuture<'a, Result<(), RefusalReason>> {
        async { self.answer(Heard::Offered, &self.refuse_offers) }.boxed()
    }

    fn received<'a>(
        &'a self,
        _stream: StreamId,
        _offer: &'a StreamOffer,
    ) -> BoxFuture<'a, Result<(), RefusalReason>> {
        async { self.answer(Heard::Received, &self.refuse_received) }.boxed()
    }

    fn committed(&self, _stream: StreamId, _offer: &StreamOffer) {
        lock(&self.heard).push(Heard::Committed);
    }

    fn failed(&self, _stream: StreamId, _offer: &StreamOffer, stage: FailedStage) {
        lock(&self.heard).push(Heard::Failed(stage));
    }
}

/// A node with a pool.
pub struct Node {
    pub id: NodeId,
    pub hcfs: Hcfs,
    pub gate: Arc<Gate>,
    pub inventory: Vec<InventoryItem>,
    pub snapshots: mpsc::UnboundedReceiver<(DatasetId, TakenSnapshot)>,
    tasks: Tasks,
}

/// Settings under which tests are quick.
pub fn quick() -> HcfsConfig {
    HcfsConfig {
        pace: SnapshotPace {
            quiet: Duration::from_millis(30),
            longest_wait: Duration::from_millis(60),
            least_interval: Duration::from_millis(30),
            rest_factor: 0,
            rest_after_failure: Duration::from_millis(100),
        },
        transfers: TransferTimes {
            idle: Duration::from_secs(5),
            working_interval: Duration::from_secs(1),
            disk_stall: Duration::from_secs(20),
        },
        // Tests call what they test; nothing of that comes by itself.
        thinning_interval: Duration::from_secs(3600),
        scan_interval: Duration::from_secs(3600),
        reserve_bytes: 1024 * 1024,
        ..HcfsConfig::default()
    }
}

/// Settings under which no snapshot is taken that the test doesn't take.
pub fn by_hand() -> HcfsConfig {
    let mut config = quick();
    config.pace.quiet = Duration::from_secs(3600);
    config.pace.longest_wait = Duration::from_secs(3600);
    config
}

impl Node {
    pub async fn start(
        net: &Arc<Net>,
        id: u16,
        boot: u32,
        backend: Arc<dyn Backend>,
        config: HcfsConfig,
    ) -> Self {
        // A failed test shows what was logged; a second start in one process finds it set up.
        let _set_up_already = tracing_subscriber::fmt()
            .with_test_writer()
            .with_max_level(tracing::Level::DEBUG)
            .try_init();
        let id = NodeId(id);
        let tasks = Tasks::new();
        let gate = Arc::new(Gate::default());
        let (listener, snapshots) = mpsc::unbounded_channel();
        let parts = Parts {
            backend,
            dial: Arc::new(Wire {
                me: id,
                net: Arc::clone(net),
            }),
            gate: Arc::clone(&gate) as Arc<dyn StreamGate>,
            snapshots: Arc::new(move |dataset, taken| {
                let _gone = listener.send((dataset, taken));
            }),
            clock: Clock::system(),
            tasks: tasks.clone(),
            config,
        };
        let (hcfs, inventory) = Hcfs::start(parts, id, BootId(boot)).await.expect("started");
        lock(&net.nodes).insert(id, hcfs.clone());
        Self {
            id,
            hcfs,
            gate,
            inventory,
            snapshots,
            tasks,
        }
    }

    /// Ends the node's tasks, as a crash does: nothing is tidied up.
    pub async fn stop(self) {
        assert!(self.tasks.stop(PATIENCE).await.is_empty());
    }

    pub fn epoch(&self, counter: u32) -> Epoch {
        Epoch {
            counter,
            node: self.id,
            boot: BootId(u32::from(self.id.0)),
        }
    }

    pub async fn head(&self, dataset: DatasetId) -> Option<SnapshotId> {
        self.hcfs.freshness(dataset).await.head
    }

    pub async fn lineage(&self, dataset: DatasetId) -> Lineage {
        self.hcfs.lineage(dataset).await.unwrap_or_default()
    }

    /// Makes a dataset live from whatever is here.
    pub async fn go_live(&self, dataset: DatasetId, counter: u32) -> std::path::PathBuf {
        let head = self.head(dataset).await;
        let epoch = self.epoch(counter);
        self.hcfs
            .go_live(dataset, epoch, head)
            .await
            .expect("goes live")
    }

    /// Writes a file into the live data and takes a snapshot.
    pub async fn write(&self, dataset: DatasetId, name: &str, content: &[u8]) -> SnapshotId {
        std::fs::write(self.hcfs.live_path(dataset).join(name), content).expect("written");
        self.snapshot(dataset).await
    }

    pub async fn snapshot(&self, dataset: DatasetId) -> SnapshotId {
        let taken = self.hcfs.final_snapshot(dataset).await.expect("a snapshot");
        taken.expect("a change").snapshot
    }

    /// What a file has in the newest snapshot.
    pub async fn read(&self, dataset: DatasetId, name: &str) -> Option<Vec<u8>> {
        let head = self.head(dataset).await?;
        let volume = hwc_hcfs::layout::Volume::Snapshot(dataset, head);
        std::fs::read(self.hcfs.layout().path(volume).join(name)).ok()
    }

    pub async fn request(&self, dataset: DatasetId, to: &Self) -> SendRequest {
        let lineage = self.lineage(dataset).await;
        let epoch = match self.hcfs.live_epoch(dataset).await {
            Some(epoch) => epoch,
            None => self.epoch(lineage.head().map_or(1, |head| head.epoch.counter)),
        };
        let parent = to.head(dataset).await;
        SendRequest {
            dataset,
            to: to.id,
            purpose: Purpose::Replica,
            epoch,
            parent: parent.filter(|parent| lineage.contains(*parent)),
            lineage,
        }
    }

    /// Brings a replica up to date.
    pub async fn replicate(
        &self,
        dataset: DatasetId,
        to: &Self,
    ) -> Result<Acknowledged, SendError> {
        self.hcfs.send(self.request(dataset, to).await).await
    }

    /// Names in a folder of the pool, in order.
    pub fn names(&self, folder: &str) -> BTreeSet<String> {
        let path = self.hcfs.layout().root().join(folder);
        let Ok(listing) = std::fs::read_dir(path) else {
            return BTreeSet::new();
        };
        listing
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    /// Waits until nothing is being received, and nothing of it is left.
    pub async fn until_nothing_comes_in(&self) {
        until("incoming is empty", || async {
            self.names("incoming").is_empty().then_some(())
        })
        .await;
    }
}

pub fn refusal(outcome: Result<Acknowledged, SendError>) -> RefusalReason {
    match outcome {
        Err(SendError::Refused { refusal }) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}
