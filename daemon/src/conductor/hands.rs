//! Carries out what the brain decides: at once where it only shows or asks something, in the
//! dataset's queue where it takes time.

use super::input::{Input, Inputs};
use super::keys::{self, Key};
use super::pushes::Pushes;
use super::streams::Streams;
use super::worker::{Work, Worker};
use crate::network;
use crate::rows::RowToWrite;
use hwc_api::change::Change;
use hwc_api::desired::Desired;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::network::Network;
use hwc_api::ownership::{Epoch, HolderRecord, Lineage, RouteRecord, SnapshotId};
use hwc_awesome_proxy::AwesomeProxy;
use hwc_group::Group;
use hwc_group::board::Audience;
use hwc_hcfs::{Hcfs, Purpose, SendFailure, SendRequest};
use hwc_registry::Registry;
use hwc_runtime::lifecycle::Tasks;
use hwc_state_machine::{
    Action, Command, DatasetEvent, MoveStatus, PeerMessage, PersistToken, PersistedRow,
    ReplicateFailure, TransferId,
};
use hwc_yakd::Yakd;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The name of the call that brings a [`PeerMessage`] to another brain.
pub const BRAIN_CALL: &str = "brain";

/// The rooms that the conductor works with.
pub struct Rooms {
    /// Datasets.
    pub hcfs: Hcfs,
    /// Services.
    pub yakd: Arc<Yakd>,
    /// Front doors.
    pub proxy: AwesomeProxy,
    /// Where changes of the settings are asked for.
    pub registry: Registry,
    /// The other nodes.
    pub group: Group,
    /// The kind of network that this daemon was started for.
    pub network: Network,
    /// The newest settings.
    pub desired: watch::Receiver<Arc<Desired>>,
    /// Tasks of the conductor.
    pub tasks: Tasks,
    /// Cancelled when the node must stop itself.
    pub stop_node: CancellationToken,
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").finish_non_exhaustive()
    }
}

/// What changed in the picture because of an action of this node.
#[derive(Debug)]
pub enum OwnRecord {
    /// Its record of a dataset.
    Holder(DatasetId, Box<HolderRecord>),
    /// How it says to route.
    Route(DatasetId, Option<RouteRecord>),
}

/// What of an action is the conductor's to follow up.
#[derive(Debug)]
pub enum Effect {
    /// The picture should show it.
    Record(OwnRecord),
    /// A move from here is in another phase, or over.
    Move(DatasetId, Box<MoveStatus>),
}

/// Carries out actions.
#[derive(Debug)]
pub struct Hands {
    rooms: Arc<Rooms>,
    rows: mpsc::UnboundedSender<RowToWrite>,
    inputs: Inputs,
    workers: BTreeMap<DatasetId, mpsc::UnboundedSender<Work>>,
    /// Per dataset that is open or opening: cancelled by its fence.
    epochs: BTreeMap<DatasetId, CancellationToken>,
    /// Divergent copies on their way.
    pushes: Pushes,
    /// Incoming streams.
    pub streams: Streams,
}

impl Hands {
    /// Idle hands.
    #[must_use]
    pub fn new(rooms: Arc<Rooms>, rows: mpsc::UnboundedSender<RowToWrite>, inputs: Inputs) -> Self {
        Self {
            rooms,
            rows,
            inputs,
            workers: BTreeMap::new(),
            epochs: BTreeMap::new(),
            pushes: Pushes::default(),
            streams: Streams::default(),
        }
    }

    /// Closes every gate at once: the first thing after a freeze.
    pub fn close_all_gates(&self) {
        for dataset in self.epochs.keys() {
            self.rooms.proxy.fence(*dataset);
        }
    }

    /// The datasets that are open here, or opening.
    pub fn live(&self) -> impl Iterator<Item = DatasetId> {
        self.epochs.keys().copied()
    }

    /// Quiesces everything that is open here; each dataset's end is reported.
    pub fn quiesce_all(&mut self) {
        for dataset in self.live().collect::<Vec<_>>() {
            self.rooms.proxy.close_gate(dataset);
            self.queue(dataset, Work::Quiesce);
        }
    }

    /// Carries out one action. Returns what is left for the conductor.
    pub fn carry_out(&mut self, action: Action) -> Option<Effect> {
        let dataset = action.dataset;
        tracing::debug!(dataset.id = %dataset, command = ?action.command, "action");
        match action.command {
            Command::Persist { row, token } => self.persist(dataset, row, token),
            Command::Publish { record } => {
                self.show(Key::Holder(dataset), keys::record(&record));
                let record = OwnRecord::Holder(dataset, Box::new(record));
                return Some(Effect::Record(record));
            }
            Command::Route { record } => {
                match &record {
                    Some(record) => self.show(Key::Route(dataset), keys::record(record)),
                    None => self
                        .rooms
                        .group
                        .board
                        .remove(&Key::Route(dataset).to_string()),
                }
                return Some(Effect::Record(OwnRecord::Route(dataset, record)));
            }
            Command::Open { epoch, from } => self.open(dataset, epoch, from),
            Command::Fence { epoch } => self.fence(dataset, epoch),
            Command::CloseGate { epoch } => self.queue(dataset, Work::CloseGate { epoch }),
            Command::ReopenGate { epoch } => {
                let fenced = self.epochs.entry(dataset).or_default().clone();
                self.queue(dataset, Work::ReopenGate { epoch, fenced });
            }
            // HCFS knows when the head was taken.
            Command::Replicate {
                transfer,
                to,
                epoch,
                parent,
                lineage,
                head_taken_at: _,
            } => {
                let purpose = Purpose::Replica;
                self.replicate(
                    transfer,
                    SendRequest {
                        dataset,
                        to,
                        purpose,
                        epoch,
                        parent,
                        lineage,
                    },
                );
            }
            Command::AcceptStream { stream } | Command::CommitStream { stream } => {
                self.streams.accept(stream);
            }
            Command::RefuseStream { stream, reason } => self.streams.refuse(stream, reason),
            Command::DiscardStream { stream } => self.streams.discard(stream),
            Command::FileDivergent { lineage } => {
                self.queue(dataset, Work::FileDivergent { lineage })
            }
            Command::RollBack { to } => self.queue(dataset, Work::RollBack { to }),
            Command::DropCopy => self.queue(dataset, Work::DropCopy),
            Command::PushDivergent { to, lineage } => self.push_divergent(dataset, to, lineage),
            Command::Send { to, message } => self.send(dataset, to, message),
            Command::Retain { snapshots } => self.queue(dataset, Work::Retain { snapshots }),
            Command::TellOwner { divergent, winner } => tell_owner(dataset, &divergent, &winner),
            Command::SetReplicas { expected, replicas } => {
                self.propose(dataset, expected, replicas);
            }
            Command::Decided { decision } => {
                let (outcome, candidates) = (&decision.outcome, &decision.candidates);
                tracing::info!(dataset.id = %dataset, ?outcome, ?candidates, "decided");
            }
            Command::MoveChanged { status } => {
                tracing::info!(dataset.id = %dataset, node.id = %status.to, stage = ?status.stage, "move");
                return Some(Effect::Move(dataset, Box::new(status)));
            }
            Command::Alarm { alarm } => {
                tracing::error!(dataset.id = %dataset, ?alarm, "reported what cannot be; refused");
            }
        }
        None
    }

    /// Shows a value on this node's board.
    pub fn show(&self, key: Key, value: Result<Vec<u8>, keys::Unreadable>) {
        match value {
            Ok(value) => {
                if let Err(error) =
                    self.rooms
                        .group
                        .board
                        .set(key.to_string(), value, Audience::All)
                {
                    tracing::error!(%key, %error, "could not be shown on the board");
                }
            }
            Err(error) => tracing::error!(%key, %error, "could not be written for the board"),
        }
    }

    /// Asks the registry for other holders. The brain asks again where nothing came of it.
    fn propose(&self, dataset: DatasetId, expected: Vec<NodeId>, replicas: Vec<NodeId>) {
        let registry = self.rooms.registry.clone();
        let title = format!("other holders for dataset {dataset}");
        self.rooms.tasks.spawn_until_stopped(title, async move {
            let change = Change::SetReplicas {
                dataset,
                expected,
                replicas: replicas.clone(),
            };
            match registry.change(change).await {
                Ok(_) => tracing::info!(dataset.id = %dataset, ?replicas, "other holders"),
                Err(problem) => {
                    tracing::info!(dataset.id = %dataset, ?replicas, %problem, "no other holders");
                }
            }
        });
    }

    fn persist(&self, dataset: DatasetId, row: PersistedRow, token: PersistToken) {
        // Nobody writes when the daemon stops; then nothing is promised either.
        let _stopped = self.rows.send(RowToWrite {
            dataset,
            row,
            token,
        });
    }

    fn open(&mut self, dataset: DatasetId, epoch: Epoch, from: Option<SnapshotId>) {
        let fenced = self.rooms.tasks.token().child_token();
        self.epochs.insert(dataset, fenced.clone());
        self.queue(
            dataset,
            Work::Open {
                epoch,
                from,
                fenced,
            },
        );
    }

    fn fence(&mut self, dataset: DatasetId, epoch: Epoch) {
        // Cancelled first: a worker that opens the gate at this moment looks again after it.
        if let Some(fenced) = self.epochs.remove(&dataset) {
            fenced.cancel();
        }
        self.rooms.proxy.fence(dataset);
        self.queue(dataset, Work::Fence { epoch });
    }

    fn queue(&mut self, dataset: DatasetId, work: Work) {
        let worker = self
            .workers
            .entry(dataset)
            .or_insert_with(|| Worker::spawn(dataset, &self.rooms, &self.inputs));
        // The worker ends with the daemon only.
        let _stopped = worker.send(work);
    }

    fn replicate(&self, transfer: TransferId, order: SendRequest) {
        let (rooms, inputs) = (Arc::clone(&self.rooms), self.inputs.clone());
        let dataset = order.dataset;
        let fenced = self.epochs.get(&dataset).cloned().unwrap_or_default();
        self.rooms.tasks.spawn(format!("send dataset {dataset} to node {}", order.to), async move {
            let to = order.to;
            let sent = fenced.run_until_cancelled(rooms.hcfs.send(order)).await;
            let event = match sent {
                Some(Ok(_)) => DatasetEvent::ReplicaAcknowledged { transfer },
                Some(Err(error)) => {
                    let failure = failure(error.failure());
                    let error = anyhow::Error::new(error);
                    tracing::info!(dataset.id = %dataset, node.id = %to, ?failure, error = format!("{error:#}"), "not sent");
                    DatasetEvent::ReplicateFailed { transfer, failure }
                }
                None => DatasetEvent::ReplicateFailed { transfer, failure: ReplicateFailure::Interrupted },
            };
            let _stopped = inputs.send(Input::Dataset(dataset, event));
        });
    }

    fn push_divergent(&self, dataset: DatasetId, to: NodeId, lineage: Lineage) {
        let Some(push) = self.pushes.begin(dataset, to) else {
            tracing::debug!(dataset.id = %dataset, node.id = %to, "a push is under way still");
            return;
        };
        let rooms = Arc::clone(&self.rooms);
        self.rooms.tasks.spawn_until_stopped(format!("push a divergent copy of dataset {dataset}"), async move {
            let _until_the_end = push;
            let purpose = Purpose::Divergent;
            let request = SendRequest { dataset, to, purpose, epoch: Epoch::NONE, parent: None, lineage };
            if let Err(error) = rooms.hcfs.send(request).await {
                let error = anyhow::Error::new(error);
                tracing::warn!(dataset.id = %dataset, node.id = %to, error = format!("{error:#}"), "divergent copy not pushed");
            }
        });
    }

    fn send(&self, dataset: DatasetId, to: NodeId, message: PeerMessage) {
        let rooms = Arc::clone(&self.rooms);
        self.rooms.tasks.spawn_until_stopped(format!("message to node {to}"), async move {
            let body = match keys::record(&(dataset, message)) {
                Ok(body) => body,
                Err(error) => {
                    tracing::error!(%error, "a message could not be written");
                    return;
                }
            };
            // Lost messages are the protocol's business: it says them again or does without.
            let limit = network::answer_limit(rooms.network);
            if let Err(error) = rooms.group.calls.call(to, BRAIN_CALL, body.into(), limit).await {
                tracing::info!(dataset.id = %dataset, node.id = %to, %error, "message not delivered");
            }
        });
    }
}

/// Divergent copies are listed with the site; the log says when each came about.
fn tell_owner(dataset: DatasetId, divergent: &Lineage, winner: &Lineage) {
    tracing::warn!(
        dataset.id = %dataset,
        kept = %divergent.branch_name(),
        kept_bytes = divergent.weight_bytes(),
        won = %winner.branch_name(),
        won_bytes = winner.weight_bytes(),
        "a divergent copy was kept"
    );
}

const fn failure(failure: SendFailure) -> ReplicateFailure {
    match failure {
        SendFailure::Interrupted => ReplicateFailure::Interrupted,
        SendFailure::Refused => ReplicateFailure::Refused,
        SendFailure::ParentMissing => ReplicateFailure::ParentMissing,
    }
}
