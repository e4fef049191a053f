//! The made-up network: connections, records, boards, streams, and the failure detector.

use super::executor::counter;
use super::node::Incoming;
use super::{
    ANTI_ENTROPY_MS, DECLARE_MS, DatasetEvent, DatasetId, Event, ForNode, HolderRecord, NodeId,
    Parcel, ReplicateFailure, StreamId, World,
};
use hwc_api::ownership::HolderState;

/// A node asks this often for boards that it lacks.
const ASK_FOR_BOARDS_MS: u64 = 500;

impl World {
    /// The number of the connection between two nodes; what was sent over an earlier one is void.
    pub(super) fn session(&self, one: NodeId, other: NodeId) -> u64 {
        let pair = (one.min(other), one.max(other));
        self.sessions.get(&pair).copied().unwrap_or_default()
    }

    pub(super) fn is_linked(&self, one: NodeId, other: NodeId) -> bool {
        !self.cut.contains(&(one.min(other), one.max(other)))
    }

    /// The connection between two nodes broke: both need each other's board again.
    pub(super) fn reconnect(&mut self, one: NodeId, other: NodeId) {
        *self
            .sessions
            .entry((one.min(other), one.max(other)))
            .or_default() += 1;
        for (id, peer) in [(one, other), (other, one)] {
            if let Some(running) = self.running(id) {
                running.lacks_board.insert(peer);
            }
        }
    }

    pub(super) fn send(&mut self, from: NodeId, to: NodeId, parcel: Parcel) {
        let is_lost = self.happens(self.temper.loss);
        // While nothing is wrong, a record is at worst sent again by the transport.
        let is_late = is_lost
            && !self.ghost.is_faulty
            && matches!(parcel, Parcel::Record { .. } | Parcel::Board { .. });
        if is_lost && !is_late {
            return;
        }
        let resent_after = if is_late { self.draw((200, 900)) } else { 0 };
        let session = self.session(from, to);
        let times = 1 + u8::from(self.happens(self.temper.repeat));
        for _ in 0..times {
            let latency = resent_after + self.draw(self.temper.latency_ms);
            let parcel = parcel.clone();
            let what = ForNode::Parcel {
                from,
                session,
                parcel,
            };
            self.tell_later(to, latency, what);
        }
    }

    /// The record becomes this node's word; changes go to all peers.
    pub(super) fn publish(&mut self, id: NodeId, dataset: DatasetId, record: HolderRecord) {
        self.check_record(id, dataset, &record);
        self.check_winner(id, dataset, &record);
        self.check_giving_in(id, dataset, &record);
        let start = self.nodes.get(&id).map_or(0, |node| node.start);
        let Some(running) = self.running(id) else {
            return;
        };
        running.next_version += 1;
        let version = running.next_version;
        let before = running.board.insert(dataset, (version, record.clone()));
        let state_before = before.map(|(_, record)| (record.state, record.is_contending));
        if state_before != Some((record.state, record.is_contending)) {
            self.note_state(id, dataset, &record);
        }
        let peers: Vec<_> = self
            .nodes
            .keys()
            .copied()
            .filter(|peer| *peer != id)
            .collect();
        for peer in peers {
            let record = record.clone();
            let parcel = Parcel::Record {
                dataset,
                start,
                version,
                record,
            };
            self.send(id, peer, parcel);
        }
    }

    fn note_state(&mut self, id: NodeId, dataset: DatasetId, record: &HolderRecord) {
        let contending = if record.is_contending {
            ", contending"
        } else {
            ""
        };
        let state = match record.state {
            HolderState::Replica => "a replica".to_owned(),
            HolderState::Claiming => format!("claiming {}", counter(record.epoch)),
            HolderState::Live => format!("live under {}", counter(record.epoch)),
            HolderState::Draining => format!("draining {}", counter(record.epoch)),
        };
        self.note(format!("{id} shows dataset {dataset}: {state}{contending}"));
    }

    pub(super) fn ask_for_boards(&mut self, id: NodeId) {
        self.tell_later(id, ASK_FOR_BOARDS_MS, ForNode::AskForBoards);
        let asks_all = self.now % ANTI_ENTROPY_MS < ASK_FOR_BOARDS_MS;
        let peers: Vec<_> = self
            .nodes
            .keys()
            .copied()
            .filter(|peer| *peer != id)
            .collect();
        for peer in peers {
            let Some(running) = self.running(id) else {
                return;
            };
            if asks_all || running.lacks_board.contains(&peer) {
                self.send(id, peer, Parcel::AskForBoard);
            }
        }
    }

    pub(super) fn receive(&mut self, id: NodeId, from: NodeId, parcel: Parcel) {
        match parcel {
            Parcel::AskForBoard => self.send_board(id, from),
            Parcel::Board {
                boot,
                start,
                records,
            } => {
                if !self.believes_alive(id, from) {
                    return;
                }
                for (dataset, version, record) in records {
                    self.hear(id, from, dataset, (start, version), record);
                }
                if let Some(running) = self.running(id) {
                    running.lacks_board.remove(&from);
                }
                self.tell(id, Event::RecordsHeard { node: from, boot });
            }
            Parcel::Record {
                dataset,
                start,
                version,
                record,
            } => self.hear(id, from, dataset, (start, version), record),
            Parcel::Message { dataset, message } => {
                self.tell_dataset(id, dataset, DatasetEvent::Message { from, message });
            }
            Parcel::StreamHeader {
                dataset,
                transfer,
                offer,
                payload,
            } => {
                let session = self.session(id, from);
                let incoming = Incoming {
                    dataset,
                    from,
                    session,
                    transfer,
                    offer,
                    payload,
                };
                self.offer_stream(id, incoming);
            }
            Parcel::StreamRefused { dataset, transfer } => {
                self.fail_transfer(id, dataset, transfer, ReplicateFailure::Refused)
            }
            Parcel::StreamBroken { dataset, transfer } => {
                self.fail_transfer(id, dataset, transfer, ReplicateFailure::Interrupted);
            }
            Parcel::StreamAcknowledged { dataset, transfer } => {
                let is_new = self
                    .running(id)
                    .is_some_and(|running| running.outgoing.remove(&transfer).is_some());
                if is_new {
                    let event = DatasetEvent::ReplicaAcknowledged { transfer };
                    self.tell_dataset(id, dataset, event);
                }
            }
            Parcel::Divergent {
                dataset,
                lineage,
                content,
            } => {
                let on_disk = self.on_disk(id, dataset);
                on_disk.divergent.push((lineage.clone(), content));
                self.tell_dataset(id, dataset, DatasetEvent::DivergentReceived { lineage });
            }
        }
    }

    fn send_board(&mut self, id: NodeId, to: NodeId) {
        let start = self.nodes.get(&id).map_or(0, |node| node.start);
        let Some(running) = self.running(id) else {
            return;
        };
        let boot = running.brain.me().boot;
        let records = running
            .board
            .iter()
            .map(|(dataset, (version, record))| (*dataset, *version, record.clone()))
            .collect();
        let board = Parcel::Board {
            boot,
            start,
            records,
        };
        self.send(id, to, board);
    }

    /// Gives a record to the brain unless a newer one was given before.
    fn hear(
        &mut self,
        id: NodeId,
        from: NodeId,
        dataset: DatasetId,
        version: (u32, u64),
        record: HolderRecord,
    ) {
        let Some(running) = self.running(id) else {
            return;
        };
        let newest = running.heard.get(&(from, dataset));
        let is_wanted = newest.is_none_or(|newest| version > *newest);
        if is_wanted {
            running.heard.insert((from, dataset), version);
            self.tell_dataset(id, dataset, DatasetEvent::Record { from, record });
        }
    }

    fn offer_stream(&mut self, id: NodeId, incoming: Incoming) {
        let Some(running) = self.running(id) else {
            return;
        };
        running.next_stream += 1;
        let stream = StreamId(running.next_stream);
        let (dataset, offer) = (incoming.dataset, incoming.offer.clone());
        running.incoming.insert(stream, incoming);
        self.tell_dataset(id, dataset, DatasetEvent::StreamOffered { stream, offer });
    }

    fn believes_alive(&mut self, id: NodeId, peer: NodeId) -> bool {
        self.running(id)
            .and_then(|running| running.detector.get(&peer))
            .is_some_and(|detected| detected.is_alive == Some(true))
    }

    /// The failure detector of a node looks at all peers.
    pub(super) fn detect(&mut self, id: NodeId) {
        if !self.nodes.get(&id).is_some_and(super::Node::is_awake) {
            return;
        }
        let peers: Vec<_> = self
            .nodes
            .keys()
            .copied()
            .filter(|peer| *peer != id)
            .collect();
        for peer in peers {
            let is_there = self.is_linked(id, peer)
                && self.nodes.get(&peer).is_some_and(super::Node::is_awake);
            self.detect_peer(id, peer, is_there);
        }
    }

    fn detect_peer(&mut self, id: NodeId, peer: NodeId, is_there: bool) {
        let now = self.now;
        let Some(running) = self.running(id) else {
            return;
        };
        let detected = running.detector.entry(peer).or_default();
        if is_there && now >= detected.mistaken_until {
            detected.silent_since = None;
            if detected.is_alive != Some(true) {
                detected.is_alive = Some(true);
                running.lacks_board.insert(peer);
                self.tell(id, Event::PeerAlive { node: peer });
                self.send(id, peer, Parcel::AskForBoard);
            }
            return;
        }
        let silent_since = *detected.silent_since.get_or_insert(now);
        let is_declared = now >= silent_since + DECLARE_MS || now < detected.mistaken_until;
        if is_declared && detected.is_alive == Some(true) {
            detected.is_alive = Some(false);
            self.reconnect(id, peer);
            self.tell(id, Event::PeerSuspect { node: peer });
        }
    }
}
