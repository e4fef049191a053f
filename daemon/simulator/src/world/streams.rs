//! Streams between made-up nodes: what is sent, received, put in its place, torn.

use super::World;
use super::happening::{DivergentStream, ForNode, Parcel, Stream, Work};
use super::node::{Incoming, Outgoing};
use crate::disk::{Copy, Divergent};
use crate::network::Lane;
use crate::time::{ms, seconds};
use crate::truth::Point;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage};
use hwc_state_machine::{
    DatasetEvent, RefusalReason, ReplicateFailure, StreamId, StreamOffer, TransferId,
};
use std::rc::Rc;
use std::time::Duration;

/// A transfer of which nothing is heard for this long is given up.
const TRANSFER_TIMEOUT: Duration = seconds(3);
/// A divergent copy that is on its way is not sent again over the same connection before this long,
/// and twice its time on the wire.
const PUSH_TAKES: Duration = seconds(5);
/// What even an empty stream weighs.
const STREAM_BYTES_MIN: u64 = 512;

impl World {
    pub(super) fn start_stream(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        transfer: TransferId,
        to: NodeId,
        offer: StreamOffer,
    ) {
        if self.gate_epoch(id, dataset) != Some(offer.epoch) {
            self.violate("S1", || {
                format!("{id} sends dataset {dataset} without serving it")
            });
        }
        let Some(tip) = self.truth.history(dataset).tip_of(&offer.lineage) else {
            self.violate("S4", || {
                format!("{id} sends a history of dataset {dataset} that never was")
            });
            return;
        };
        let has_parent = |copy: &Copy| {
            offer
                .parent
                .is_none_or(|parent| copy.retained.contains(&parent))
        };
        let has_parent = self.copy(id, dataset).is_some_and(has_parent);
        let epoch = offer.epoch;
        if let Some(running) = self.running(id) {
            let outgoing = Outgoing { to, dataset, epoch };
            running.outgoing.insert(transfer, outgoing);
            *running.unanswered.entry((to, dataset)).or_default() += 1;
        }
        if !has_parent {
            self.note(|| format!("{id} lacks the parent for a stream to {to}"));
            self.check_parent(id, dataset, to, &offer);
            let failure = ReplicateFailure::ParentMissing;
            let work = Work::FailTransfer { transfer, failure };
            self.work(id, dataset, (ms(1), ms(5)), work);
            return;
        }
        if offer.parent.is_none() && self.copy(to, dataset).is_some() {
            self.truth.tally.full_resyncs += 1;
        }
        let history = self.truth.history(dataset);
        let parent = offer.parent.and_then(|parent| history.find(parent));
        let parent = parent.unwrap_or(Point::ROOT);
        let bytes = history.bytes(tip).saturating_sub(history.bytes(parent));
        let stream = Stream {
            dataset,
            transfer,
            offer,
            content: history.content(tip).since(history.content(parent)),
            tip,
            bytes: bytes + STREAM_BYTES_MIN,
        };
        self.send(id, to, Parcel::Stream(Rc::new(stream)));
        let work = Work::LookAfterTransfer { transfer };
        self.tell_later(id, TRANSFER_TIMEOUT, ForNode::Work(dataset, work));
    }

    /// A transfer is given up once its receiver does not take it in any more and nothing was heard
    /// of it.
    pub(super) fn look_after_transfer(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        transfer: TransferId,
    ) {
        let outgoing = self
            .running_ref(id)
            .and_then(|running| running.outgoing.get(&transfer));
        let Some(to) = outgoing.map(|outgoing| outgoing.to) else {
            return;
        };
        let is_this = |incoming: &Incoming| {
            incoming.from == id
                && incoming.stream.transfer == transfer
                && incoming.connection == self.network.connection(id, to)
        };
        let is_coming_in = self.is_awake(to)
            && self.network.is_linked(id, to, Lane::Streams)
            && self
                .running_ref(to)
                .is_some_and(|receiver| receiver.incoming.values().any(is_this));
        if is_coming_in {
            let work = Work::LookAfterTransfer { transfer };
            self.tell_later(id, TRANSFER_TIMEOUT, ForNode::Work(dataset, work));
        } else {
            self.fail_transfer(id, dataset, transfer, ReplicateFailure::Interrupted);
        }
    }

    /// A header has arrived: the brain is asked.
    pub(super) fn offer_stream(&mut self, id: NodeId, from: NodeId, stream: Rc<Stream>) {
        let connection = self.network.connection(id, from);
        let start = self.nodes.get(&from).map_or(0, |node| node.start);
        let Some(running) = self.running(id) else {
            return;
        };
        running.next_stream += 1;
        let name = StreamId(running.next_stream);
        let (dataset, offer) = (stream.dataset, stream.offer.clone());
        let incoming = Incoming {
            from,
            start,
            connection,
            stream,
        };
        running.incoming.insert(name, incoming);
        let event = DatasetEvent::StreamOffered {
            stream: name,
            offer,
        };
        self.tell_dataset(id, dataset, event);
    }

    pub(super) fn accept_stream(&mut self, id: NodeId, dataset: DatasetId, stream: StreamId) {
        let incoming = self
            .running(id)
            .and_then(|running| running.incoming.get(&stream));
        let Some((from, bytes)) = incoming.map(|incoming| (incoming.from, incoming.stream.bytes))
        else {
            return;
        };
        let now = self.now();
        let travel = self.network.carry(from, id, bytes, now);
        let store = self.disk_span(id, (ms(2), ms(60)));
        let work = Work::FinishReceiving { stream };
        self.tell_later(id, travel + store, ForNode::Work(dataset, work));
    }

    pub(super) fn finish_receiving(&mut self, id: NodeId, stream: StreamId) {
        let Some(running) = self.running(id) else {
            return;
        };
        let Some(incoming) = running.incoming.get(&stream).cloned() else {
            return;
        };
        let dataset = incoming.stream.dataset;
        if self.is_torn(id, &incoming) {
            self.take_incoming(id, stream);
            let failure = ReplicateFailure::Interrupted;
            self.end_stream(id, &incoming, Some(failure));
            self.tell_dataset(id, dataset, DatasetEvent::StreamFailed { stream });
        } else {
            self.tell_dataset(id, dataset, DatasetEvent::StreamReceived { stream });
        }
    }

    /// Whether the connection, the sender or the disk failed while a stream came in. Then nothing
    /// of it is to be seen.
    fn is_torn(&mut self, id: NodeId, incoming: &Incoming) -> bool {
        let Some(sender) = self.nodes.get(&incoming.from) else {
            return true;
        };
        let is_sender_there = sender.is_awake() && sender.start == incoming.start;
        let is_sent = is_sender_there
            && sender
                .running
                .as_ref()
                .is_some_and(|running| running.outgoing.contains_key(&incoming.stream.transfer));
        let is_full = self
            .nodes
            .get(&id)
            .is_some_and(|node| node.hardware.is_full);
        !is_sent
            || is_full
            || self.network.connection(incoming.from, id) != incoming.connection
            || !self.network.is_linked(incoming.from, id, Lane::Streams)
            || self.dice.happens(self.temper.failure)
    }

    pub(super) fn finish_commit(&mut self, id: NodeId, stream: StreamId) {
        let Some(incoming) = self.take_incoming(id, stream) else {
            return;
        };
        let Stream {
            dataset,
            offer,
            content,
            tip,
            ..
        } = &*incoming.stream;
        let (dataset, tip) = (*dataset, *tip);
        self.check_commit(id, dataset, offer);
        let before = self.copy(id, dataset).cloned();
        let mut copy = before
            .filter(|_| offer.parent.is_some())
            .unwrap_or_else(|| Copy::empty(Epoch::NONE));
        copy.content = copy.content.and(*content);
        copy.lineage = offer.lineage.clone();
        copy.tip = tip;
        copy.retained.extend(offer.lineage.head());
        self.put_copy(id, dataset, Some(copy));
        self.check_content(id, dataset);
        self.truth.tally.streams += 1;
        self.tell_dataset(id, dataset, DatasetEvent::StreamCommitted { stream });
        self.end_stream(id, &incoming, None);
    }

    /// A stream could not be put in its place: nothing of it is to be seen.
    pub(super) fn fail_commit(&mut self, id: NodeId, dataset: DatasetId, stream: StreamId) {
        if let Some(incoming) = self.take_incoming(id, stream) {
            self.end_stream(id, &incoming, Some(ReplicateFailure::Interrupted));
        }
        self.tell_dataset(id, dataset, DatasetEvent::OperationFailed);
    }

    pub(super) fn refuse_stream(
        &mut self,
        id: NodeId,
        _dataset: DatasetId,
        stream: StreamId,
        _reason: RefusalReason,
    ) {
        if let Some(incoming) = self.take_incoming(id, stream) {
            self.end_stream(id, &incoming, Some(ReplicateFailure::Refused));
        }
    }

    pub(super) fn discard_stream(&mut self, id: NodeId, _dataset: DatasetId, stream: StreamId) {
        if let Some(incoming) = self.take_incoming(id, stream) {
            self.end_stream(id, &incoming, Some(ReplicateFailure::Interrupted));
        }
    }

    /// Tells the sender how its stream ended.
    fn end_stream(&mut self, id: NodeId, incoming: &Incoming, failure: Option<ReplicateFailure>) {
        let parcel = Parcel::StreamEnded {
            dataset: incoming.stream.dataset,
            transfer: incoming.stream.transfer,
            failure,
        };
        self.send(id, incoming.from, parcel);
    }

    pub(super) fn stream_ended(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        transfer: TransferId,
        failure: Option<ReplicateFailure>,
    ) {
        match failure {
            Some(failure) => self.fail_transfer(id, dataset, transfer, failure),
            None => {
                let running = self.running(id);
                let is_new = running.is_some_and(|running| {
                    let outgoing = running.outgoing.remove(&transfer);
                    if let Some(outgoing) = outgoing {
                        running.unanswered.remove(&(outgoing.to, dataset));
                    }
                    outgoing.is_some()
                });
                if is_new {
                    let event = DatasetEvent::ReplicaAcknowledged { transfer };
                    self.tell_dataset(id, dataset, event);
                }
            }
        }
    }

    pub(super) fn fail_transfer(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        transfer: TransferId,
        failure: ReplicateFailure,
    ) {
        let Some(running) = self.running(id) else {
            return;
        };
        if running.outgoing.remove(&transfer).is_some() {
            let event = DatasetEvent::ReplicateFailed { transfer, failure };
            self.tell_dataset(id, dataset, event);
        }
    }

    /// A fence ends every outgoing stream of its epoch: each is reported as interrupted.
    pub(super) fn end_outgoing(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        let Some(running) = self.running(id) else {
            return;
        };
        let ended: Vec<_> = running
            .outgoing
            .iter()
            .filter(|(_, outgoing)| (outgoing.dataset, outgoing.epoch) == (dataset, epoch))
            .map(|(transfer, _)| *transfer)
            .collect();
        for transfer in ended {
            let failure = ReplicateFailure::Interrupted;
            let work = Work::FailTransfer { transfer, failure };
            self.work(id, dataset, (ms(1), ms(5)), work);
        }
    }

    pub(super) fn push_divergent(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        to: NodeId,
        lineage: &Lineage,
    ) {
        let on_disk = self.on_disk(id, dataset);
        let kept = on_disk
            .divergent
            .iter()
            .find(|kept| lineage.same_branch(&kept.lineage))
            .cloned();
        let Some(kept) = kept else {
            self.violate("S5", || {
                format!("{id} pushes a divergent copy of dataset {dataset} that it doesn't have")
            });
            return;
        };
        let bytes = self.truth.history(dataset).bytes(kept.tip);
        let (now, takes) = (self.now(), self.network.time_for(bytes) * 2 + PUSH_TAKES);
        let connection = self.network.connection(id, to);
        let Some(running) = self.running(id) else {
            return;
        };
        let pushed = running.pushing.get(&(to, dataset, kept.tip));
        if pushed.is_some_and(|(over, until)| *over == connection && *until > now) {
            return;
        }
        let pushing = (connection, now + takes);
        running.pushing.insert((to, dataset, kept.tip), pushing);
        let stream = DivergentStream {
            dataset,
            lineage: kept.lineage,
            tip: kept.tip,
            content: kept.content,
            bytes: bytes + STREAM_BYTES_MIN,
        };
        self.send(id, to, Parcel::Divergent(Rc::new(stream)));
    }

    pub(super) fn receive_divergent(
        &mut self,
        id: NodeId,
        from: NodeId,
        stream: Rc<DivergentStream>,
    ) {
        let now = self.now();
        let connection = self.network.connection(from, id);
        let travel = self.network.carry(from, id, stream.bytes, now);
        let store = self.disk_span(id, (ms(2), ms(60)));
        let dataset = stream.dataset;
        let work = Work::KeepDivergent {
            stream,
            from,
            connection,
        };
        self.tell_later(id, travel + store, ForNode::Work(dataset, work));
    }

    pub(super) fn keep_divergent(
        &mut self,
        id: NodeId,
        stream: &DivergentStream,
        from: NodeId,
        connection: u64,
    ) {
        if let Some(sender) = self.running(from) {
            sender.pushing.remove(&(id, stream.dataset, stream.tip));
        }
        let is_full = self
            .nodes
            .get(&id)
            .is_some_and(|node| node.hardware.is_full);
        let is_torn = is_full
            || self.network.connection(from, id) != connection
            || !self.network.is_linked(from, id, Lane::Streams)
            || !self.is_awake(from)
            || self.dice.happens(self.temper.failure);
        if is_torn {
            return;
        }
        let divergent = Divergent {
            lineage: stream.lineage.clone(),
            tip: stream.tip,
            content: stream.content,
        };
        self.add_divergent(id, stream.dataset, divergent);
        let lineage = stream.lineage.clone();
        let event = DatasetEvent::DivergentReceived { lineage };
        self.tell_dataset(id, stream.dataset, event);
    }

    fn take_incoming(&mut self, id: NodeId, stream: StreamId) -> Option<Incoming> {
        self.running(id)?.incoming.remove(&stream)
    }

    pub(super) fn receive(&mut self, id: NodeId, from: NodeId, parcel: Parcel) {
        match parcel {
            Parcel::Message { dataset, message } => {
                self.tell_dataset(id, dataset, DatasetEvent::Message { from, message });
            }
            Parcel::Stream(stream) => self.offer_stream(id, from, stream),
            Parcel::StreamEnded {
                dataset,
                transfer,
                failure,
            } => self.stream_ended(id, dataset, transfer, failure),
            Parcel::Divergent(stream) => self.receive_divergent(id, from, stream),
            Parcel::Ask { request, epoch } => self.request_arrives(id, from, request, epoch),
            Parcel::Answer { request, answer } => self.answer_arrives(id, from, request, answer),
        }
    }
}
