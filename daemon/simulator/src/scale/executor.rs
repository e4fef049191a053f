//! The made-up executor: carries out what a brain wants, each after a while, and reports. Nothing
//! fails here but by the death of a node; faults of disks and streams are the other simulator's.

use super::layout::COPIES;
use super::network::End;
use super::node::{Node, OnDisk};
use super::queue::Happening;
use super::shown;
use super::world::World;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage, RouteRecord, SnapshotId};
use hwc_api::time::WallTime;
use hwc_state_machine::{
    Command, DatasetEvent, Event, PeerMessage, ReplicateFailure, StreamId, StreamOffer,
    TakenSnapshot, TransferId,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// A row is on disk.
const PERSIST_MS: u64 = 5;
/// A dataset is mounted, its services run, its gate is open.
const OPEN_MS: u64 = 400;
/// A gate is closed or opened again, a copy is wound back or put aside.
const SMALL_WORK_MS: u64 = 20;
/// An increment is sent.
const STREAM_MS: u64 = 40;
/// Until a connection with a dead machine is given up.
const GIVE_UP_MS: u64 = 2_000;
/// Bytes that visitors change between two snapshots.
const CHANGED_BYTES: u64 = 20_000;

/// Streams between executors.
#[derive(Debug, Default)]
pub(super) struct Streams {
    under_way: BTreeMap<StreamId, Stream>,
    next: u64,
}

#[derive(Debug, Clone)]
struct Stream {
    dataset: DatasetId,
    from: End,
    to: End,
    transfer: TransferId,
    offer: StreamOffer,
}

/// What is done after a while.
#[derive(Debug)]
pub(super) enum Work {
    /// This is told to the brain.
    Told(DatasetEvent),
    /// A gate is open.
    Opened(Epoch),
    /// A stream is offered to this node.
    Offered(StreamId),
    /// A stream is to be put in its place.
    Committed(StreamId),
    /// A dataset has its divergent copy here.
    Kept(Lineage),
    /// The copy is this from now on.
    Copy(Option<Lineage>, DatasetEvent),
}

impl World {
    pub(super) fn carry_out(&mut self, id: NodeId, dataset: DatasetId, command: Command) {
        match command {
            Command::Persist { row, token } => {
                self.on_disk(id, dataset).row = Some(row);
                self.tell_later(id, dataset, PERSIST_MS, DatasetEvent::Persisted { token });
            }
            Command::Publish { record } => {
                self.show(id, shown::holder_key(dataset), shown::record(&record));
            }
            Command::Route { record } => self.route(id, dataset, record),
            Command::Open { epoch, .. } => self.begin_opening(id, dataset, epoch, OPEN_MS),
            Command::ReopenGate { epoch } => {
                self.begin_opening(id, dataset, epoch, SMALL_WORK_MS);
            }
            Command::Fence { epoch } => {
                self.close(id, dataset);
                let final_snapshot = None;
                let event = DatasetEvent::Fenced {
                    epoch,
                    final_snapshot,
                };
                self.tell_later(id, dataset, SMALL_WORK_MS, event);
            }
            Command::CloseGate { epoch } => {
                self.set_closed(dataset, id);
                let final_snapshot = None;
                let event = DatasetEvent::GateClosed {
                    epoch,
                    final_snapshot,
                };
                self.tell_later(id, dataset, SMALL_WORK_MS, event);
            }
            Command::Replicate {
                transfer,
                to,
                epoch,
                parent,
                lineage,
                head_taken_at,
            } => {
                let offer = StreamOffer {
                    from: id,
                    epoch,
                    parent,
                    lineage,
                    head_taken_at,
                };
                self.offer(id, to, dataset, transfer, offer);
            }
            Command::AcceptStream { stream } => {
                let event = DatasetEvent::StreamReceived { stream };
                self.tell_later(id, dataset, STREAM_MS, event);
            }
            Command::RefuseStream { stream, .. } | Command::DiscardStream { stream } => {
                self.end_stream(stream, ReplicateFailure::Refused);
            }
            Command::CommitStream { stream } => {
                self.later(id, dataset, SMALL_WORK_MS, Work::Committed(stream));
            }
            Command::FileDivergent { lineage } => {
                self.on_disk(id, dataset).divergent.push(lineage.clone());
                let event = DatasetEvent::Filed { lineage };
                self.tell_later(id, dataset, SMALL_WORK_MS, event);
            }
            Command::RollBack { to } => {
                let copy = self.on_disk(id, dataset).lineage.clone();
                let copy = copy.filter(|_| to.is_some()).map(|copy| copy.up_to(to));
                let lineage = copy.clone();
                let work = Work::Copy(copy, DatasetEvent::RolledBack { lineage });
                self.later(id, dataset, SMALL_WORK_MS, work);
            }
            Command::DropCopy => {
                let work = Work::Copy(None, DatasetEvent::CopyDropped);
                self.later(id, dataset, SMALL_WORK_MS, work);
            }
            Command::PushDivergent { to, lineage } => {
                self.later(to, dataset, STREAM_MS, Work::Kept(lineage));
            }
            Command::Send { to, message } => self.message(id, to, dataset, message),
            Command::SetReplicas { .. } => self.meter.proposals += 1,
            Command::Alarm { .. } => self.meter.refused += 1,
            Command::Retain { .. }
            | Command::TellOwner { .. }
            | Command::Decided { .. }
            | Command::MoveChanged { .. } => {}
        }
    }

    /// Something that was begun is done now.
    pub(super) fn done(&mut self, id: NodeId, dataset: DatasetId, work: Work) {
        match work {
            Work::Told(event) => self.tell(id, dataset, event),
            Work::Opened(epoch) => {
                if self.gate(id, dataset) == Some(epoch) {
                    self.set_open(dataset, id, epoch);
                    self.tell(id, dataset, DatasetEvent::Opened { epoch });
                    self.show_freshness(id, dataset, true);
                }
            }
            Work::Offered(stream) => {
                if let Some(known) = self.streams.under_way.get(&stream) {
                    let offer = known.offer.clone();
                    self.tell(id, dataset, DatasetEvent::StreamOffered { stream, offer });
                }
            }
            Work::Committed(stream) => self.committed(id, dataset, stream),
            Work::Kept(lineage) => {
                self.on_disk(id, dataset).divergent.push(lineage.clone());
                self.tell(id, dataset, DatasetEvent::DivergentReceived { lineage });
            }
            Work::Copy(lineage, event) => {
                self.on_disk(id, dataset).lineage = lineage;
                self.tell(id, dataset, event);
            }
        }
    }

    /// Every dataset that is open is written to now and then; what was written is in a snapshot a
    /// moment later.
    pub(super) fn write_some(&mut self) {
        let every = u64::try_from(self.setup.write_every.as_millis()).unwrap_or(u64::MAX);
        let every = every.max(1);
        // A hundred times a second.
        let owed = u64::from(self.setup.datasets) * 10 + self.dice.number(0..=every - 1);
        for _ in 0..owed / every {
            let last = u64::from(self.setup.datasets.max(1) - 1);
            let dataset = self.dice.number(0..=last);
            let dataset = DatasetId(u32::try_from(dataset).unwrap_or(0));
            if let Some((node, epoch)) = self.open_at(dataset) {
                self.snapshot(node, dataset, epoch);
                self.set_alarm(node);
            }
        }
    }

    /// A machine died: what it sent and received comes to nothing, which the others notice.
    pub(super) fn break_streams(&mut self, id: NodeId) {
        let concerned = |stream: &Stream| stream.from.node == id || stream.to.node == id;
        let broken = self.streams.under_way.iter();
        let broken: Vec<_> = broken
            .filter(|(_, stream)| concerned(stream))
            .map(|(stream, known)| (*stream, known.clone()))
            .collect();
        for (stream, known) in broken {
            if known.from.node == id {
                let event = DatasetEvent::StreamFailed { stream };
                self.tell_later(known.to.node, known.dataset, GIVE_UP_MS, event);
            }
            self.end_stream(stream, ReplicateFailure::Interrupted);
        }
    }

    fn tell(&mut self, id: NodeId, dataset: DatasetId, event: DatasetEvent) {
        self.think(id, Event::Dataset { dataset, event });
    }

    fn tell_later(&mut self, id: NodeId, dataset: DatasetId, after: u64, event: DatasetEvent) {
        self.later(id, dataset, after, Work::Told(event));
    }

    fn later(&mut self, id: NodeId, dataset: DatasetId, after: u64, work: Work) {
        let done = Happening::Done(self.end(id), dataset, Box::new(work));
        self.queue.push(self.now + after, done);
    }

    fn on_disk(&mut self, id: NodeId, dataset: DatasetId) -> &mut OnDisk {
        // Every node that carries anything out exists.
        let place = usize::from(id.0)
            .saturating_sub(1)
            .min(self.nodes.len() - 1);
        self.nodes[place].disk.entry(dataset).or_default()
    }

    fn gate(&self, id: NodeId, dataset: DatasetId) -> Option<Epoch> {
        let rooms = self.node(id).and_then(Node::rooms)?;
        rooms.gates.get(&dataset).copied()
    }

    fn begin_opening(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch, after: u64) {
        if let Some(rooms) = self.node_mut(id).and_then(Node::rooms_mut) {
            rooms.gates.insert(dataset, epoch);
            self.later(id, dataset, after, Work::Opened(epoch));
        }
    }

    fn close(&mut self, id: NodeId, dataset: DatasetId) {
        if let Some(rooms) = self.node_mut(id).and_then(Node::rooms_mut) {
            rooms.gates.remove(&dataset);
        }
        self.set_closed(dataset, id);
        self.take_off(id, &shown::dataset_key(dataset));
    }

    fn route(&mut self, id: NodeId, dataset: DatasetId, record: Option<RouteRecord>) {
        let key = shown::route_key(dataset);
        match record {
            Some(record) => self.show(id, key, shown::route(record)),
            None => self.take_off(id, &key),
        }
    }

    fn message(&mut self, id: NodeId, to: NodeId, dataset: DatasetId, message: PeerMessage) {
        let after = self.travel();
        let event = DatasetEvent::Message { from: id, message };
        self.tell_later(to, dataset, after, event);
    }

    fn snapshot(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        let taken_at = WallTime(i64::try_from(self.now).unwrap_or(i64::MAX));
        let copy = self.on_disk(id, dataset);
        let lineage = copy.lineage.clone().unwrap_or_default();
        let head = lineage.head().filter(|head| head.epoch == epoch);
        let sequence = head.map_or(1, |head| head.sequence + 1);
        let snapshot = SnapshotId { epoch, sequence };
        let Some(lineage) = lineage.with(snapshot, CHANGED_BYTES) else {
            self.meter.refused += 1;
            return;
        };
        copy.lineage = Some(lineage);
        copy.head_taken_at = taken_at;
        self.show_freshness(id, dataset, false);
        let taken = TakenSnapshot {
            snapshot,
            changed_bytes: CHANGED_BYTES,
            taken_at,
        };
        self.tell(id, dataset, DatasetEvent::SnapshotTaken(taken));
    }

    fn show_freshness(&mut self, id: NodeId, dataset: DatasetId, is_current: bool) {
        let head = self.on_disk(id, dataset).lineage.as_ref();
        let head = head.and_then(Lineage::head);
        let others = self.layout.set_of(dataset);
        let others: Vec<_> = others.into_iter().filter(|node| *node != id).collect();
        debug_assert!(others.len() < COPIES, "only holders serve");
        let value = shown::freshness(dataset, head, &others, is_current);
        self.show(id, shown::dataset_key(dataset), value);
    }

    fn offer(
        &mut self,
        id: NodeId,
        to: NodeId,
        dataset: DatasetId,
        transfer: TransferId,
        offer: StreamOffer,
    ) {
        if !self.is_running(to) {
            let failure = ReplicateFailure::Interrupted;
            let event = DatasetEvent::ReplicateFailed { transfer, failure };
            self.tell_later(id, dataset, GIVE_UP_MS, event);
            return;
        }
        self.streams.next += 1;
        let stream = StreamId(self.streams.next);
        let known = Stream {
            dataset,
            from: self.end(id),
            to: self.end(to),
            transfer,
            offer,
        };
        self.streams.under_way.insert(stream, known);
        let after = 2 * self.travel();
        self.later(to, dataset, after, Work::Offered(stream));
    }

    /// The sender hears that its transfer came to nothing.
    fn end_stream(&mut self, stream: StreamId, failure: ReplicateFailure) {
        let Some(known) = self.streams.under_way.remove(&stream) else {
            return;
        };
        let transfer = known.transfer;
        let event = DatasetEvent::ReplicateFailed { transfer, failure };
        let after = match failure {
            ReplicateFailure::Interrupted => GIVE_UP_MS,
            ReplicateFailure::Refused | ReplicateFailure::ParentMissing => self.travel(),
        };
        let work = Box::new(Work::Told(event));
        let done = Happening::Done(known.from, known.dataset, work);
        self.queue.push(self.now + after, done);
    }

    fn committed(&mut self, id: NodeId, dataset: DatasetId, stream: StreamId) {
        let Some(known) = self.streams.under_way.remove(&stream) else {
            // Its sender died meanwhile; what is not complete was thrown away.
            self.tell(id, dataset, DatasetEvent::OperationFailed);
            return;
        };
        let copy = self.on_disk(id, dataset);
        copy.lineage = Some(known.offer.lineage.clone());
        copy.head_taken_at = known.offer.head_taken_at;
        self.tell(id, dataset, DatasetEvent::StreamCommitted { stream });
        let transfer = known.transfer;
        let event = DatasetEvent::ReplicaAcknowledged { transfer };
        let at = self.now + self.travel();
        let work = Box::new(Work::Told(event));
        self.queue
            .push(at, Happening::Done(known.from, dataset, work));
        if self.gate(known.from.node, dataset).is_some() {
            self.show_freshness(known.from.node, dataset, true);
            self.set_alarm(known.from.node);
        }
    }
}

/// As a number of milliseconds.
pub(super) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
