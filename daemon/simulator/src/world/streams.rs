//! Streams between made-up nodes: what is sent, received, put in its place.

use super::node::Incoming;
use super::{
    Content, DatasetEvent, DatasetId, ForNode, Lineage, NodeId, Parcel, ReplicateFailure, StreamId,
    StreamOffer, TRANSFER_TIMEOUT_MS, TransferId, Work, World,
};

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
            self.violate(format!("{id} sends dataset {dataset} without serving it"));
        }
        let Some(head) = offer.lineage.head() else {
            self.violate(format!("{id} sends a copy without a snapshot"));
            return;
        };
        let on_disk = self.on_disk(id, dataset);
        let has_parent = offer.parent.is_none_or(|parent| {
            on_disk
                .copy
                .as_ref()
                .is_some_and(|copy| copy.retained.contains(&parent))
        });
        if let Some(running) = self.running(id) {
            running.outgoing.insert(transfer, to);
        }
        if !has_parent {
            self.note(format!("{id} lacks the parent for a stream to {to}"));
            let failure = ReplicateFailure::ParentMissing;
            self.work(
                id,
                dataset,
                (1, 5),
                Work::FailTransfer { transfer, failure },
            );
            return;
        }
        let whole = self
            .ghost
            .contents
            .get(&(dataset, head))
            .cloned()
            .unwrap_or_default();
        let before = offer
            .parent
            .and_then(|parent| self.ghost.contents.get(&(dataset, parent)))
            .cloned()
            .unwrap_or_default();
        let payload: Content = whole.difference(&before).copied().collect();
        let failure = ReplicateFailure::Interrupted;
        let timeout = Work::FailTransfer { transfer, failure };
        self.tell_later(id, TRANSFER_TIMEOUT_MS, ForNode::Work(dataset, timeout));
        self.send(
            id,
            to,
            Parcel::StreamHeader {
                dataset,
                transfer,
                offer,
                payload,
            },
        );
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
        if running.outgoing.remove(&transfer).is_none() {
            return;
        }
        let event = DatasetEvent::ReplicateFailed { transfer, failure };
        self.tell_dataset(id, dataset, event);
    }

    pub(super) fn finish_receiving(&mut self, id: NodeId, stream: StreamId) {
        let Some(running) = self.running(id) else {
            return;
        };
        let Some(incoming) = running.incoming.get(&stream).cloned() else {
            return;
        };
        let is_broken = self.session(incoming.from, id) != incoming.session
            || !self.is_linked(incoming.from, id)
            || self.happens(self.temper.failure);
        if is_broken {
            self.take_incoming(id, stream);
            let transfer = incoming.transfer;
            let dataset = incoming.dataset;
            self.send(
                id,
                incoming.from,
                Parcel::StreamBroken { dataset, transfer },
            );
            self.tell_dataset(id, dataset, DatasetEvent::StreamFailed { stream });
        } else {
            self.tell_dataset(
                id,
                incoming.dataset,
                DatasetEvent::StreamReceived { stream },
            );
        }
    }

    pub(super) fn finish_commit(&mut self, id: NodeId, stream: StreamId) {
        let Some(incoming) = self.take_incoming(id, stream) else {
            return;
        };
        let Incoming {
            dataset,
            from,
            transfer,
            offer,
            payload,
            ..
        } = incoming;
        self.check_commit(id, dataset, &offer);
        let on_disk = self.on_disk(id, dataset);
        let mut copy = on_disk
            .copy
            .take()
            .filter(|_| offer.parent.is_some())
            .unwrap_or_default();
        copy.content.extend(payload);
        copy.lineage = offer.lineage.clone();
        copy.retained.extend(offer.lineage.head());
        let content = copy.content.clone();
        on_disk.copy = Some(copy);
        self.ghost.tally.streams += 1;
        if let Err(what) = self.ghost.check_copy(dataset, &offer.lineage, &content) {
            self.violate(format!("{id} after a stream: {what}"));
        }
        self.tell_dataset(id, dataset, DatasetEvent::StreamCommitted { stream });
        self.send(id, from, Parcel::StreamAcknowledged { dataset, transfer });
    }

    pub(super) fn push_divergent(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        to: NodeId,
        lineage: Lineage,
    ) {
        let kept = self
            .on_disk(id, dataset)
            .divergent
            .iter()
            .find(|(kept, _)| lineage.same_branch(kept))
            .cloned();
        match kept {
            Some((lineage, content)) => {
                self.send(
                    id,
                    to,
                    Parcel::Divergent {
                        dataset,
                        lineage,
                        content,
                    },
                );
            }
            None => self.violate(format!("{id} pushes a divergent copy that it doesn't have")),
        }
    }

    pub(super) fn take_incoming(&mut self, id: NodeId, stream: StreamId) -> Option<Incoming> {
        self.running(id)?.incoming.remove(&stream)
    }
}
