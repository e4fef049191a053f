//! The made-up executor: carries out what a brain wants, each after a while, and reports.

use super::board::{Key, Shown};
use super::happening::{ForNode, Parcel, Work};
use super::settings::list;
use super::{World, counter};
use crate::disk::{Copy, DatasetOnDisk};
use crate::registry::Order;
use crate::time::ms;
use hwc_api::explanation::Outcome;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{HolderRecord, HolderState, RouteRecord};
use hwc_state_machine::{Command, DatasetEvent, PeerMessage};
use std::time::Duration;

impl World {
    pub(super) fn carry_out(&mut self, id: NodeId, dataset: DatasetId, command: Command) {
        match command {
            Command::Persist { row, token } => self.write_row(id, dataset, row, token),
            Command::Publish { record } => self.publish(id, dataset, record),
            Command::Route { record } => self.route(id, dataset, record),
            Command::Open { epoch, from } => self.start_open(id, dataset, epoch, from),
            Command::Fence { epoch } => self.start_fence(id, dataset, epoch),
            Command::CloseGate { epoch } => self.start_closing(id, dataset, epoch),
            Command::ReopenGate { epoch } => self.start_reopening(id, dataset, epoch),
            Command::Replicate {
                transfer,
                to,
                epoch,
                parent,
                lineage,
                head_taken_at,
            } => {
                let offer = hwc_state_machine::StreamOffer {
                    from: id,
                    epoch,
                    parent,
                    lineage,
                    head_taken_at,
                };
                self.start_stream(id, dataset, transfer, to, offer);
            }
            Command::AcceptStream { stream } => self.accept_stream(id, dataset, stream),
            Command::RefuseStream { stream, reason } => {
                self.refuse_stream(id, dataset, stream, reason);
            }
            Command::DiscardStream { stream } => self.discard_stream(id, dataset, stream),
            Command::CommitStream { stream } => {
                let (done, failed) = (Work::FinishCommit { stream }, Work::FailCommit { stream });
                self.operation(id, dataset, done, failed);
            }
            Command::FileDivergent { lineage } => {
                self.operation(id, dataset, Work::File { lineage }, Work::FailOperation);
            }
            Command::RollBack { to } => {
                self.operation(id, dataset, Work::RollBack { to }, Work::FailOperation)
            }
            Command::DropCopy => self.operation(id, dataset, Work::DropCopy, Work::FailOperation),
            Command::PushDivergent { to, lineage } => {
                self.push_divergent(id, dataset, to, &lineage)
            }
            Command::Send { to, message } => self.send_message(id, dataset, to, message),
            Command::Retain { snapshots } => {
                if let Some(running) = self.running(id) {
                    let snapshots = snapshots.into_iter().collect();
                    running.retain.insert(dataset, snapshots);
                }
            }
            Command::TellOwner { divergent, .. } => {
                self.note(|| {
                    format!("{id} tells the owner of dataset {dataset} of a divergent copy")
                });
                let head = divergent.head();
                self.truth.told.extend(head.map(|head| (dataset, head)));
            }
            Command::SetReplicas { expected, replicas } => {
                self.truth.tally.rehomed += 1;
                let nodes = list(&replicas);
                self.note(|| format!("{id} proposes that {nodes} hold dataset {dataset}"));
                let order = Order::SetReplicas {
                    dataset,
                    expected,
                    replicas,
                };
                self.propose(id, order);
            }
            Command::Decided { decision } => {
                self.check_decision(id, dataset, &decision);
                self.note(|| {
                    format!(
                        "{id} decides on dataset {dataset}: {}",
                        told(&decision.outcome)
                    )
                });
            }
            Command::MoveChanged { status } => self.move_changed(id, dataset, status),
            Command::Alarm { alarm } => {
                self.violate("contract", || {
                    format!("{id} raises {alarm:?} for dataset {dataset}")
                });
            }
        }
    }

    pub(super) fn finish(&mut self, id: NodeId, dataset: DatasetId, work: Work) {
        match work {
            Work::FinishOpen { epoch, from } => self.finish_open(id, dataset, epoch, from),
            Work::FinishReopen { epoch } => self.finish_reopening(id, dataset, epoch),
            Work::FailOpen { epoch } => self.fail_open(id, dataset, epoch),
            Work::FinishFence { epoch } => self.finish_fence(id, dataset, epoch),
            Work::FinishClosing { epoch, cut_off_at } => {
                self.finish_closing(id, dataset, epoch, cut_off_at);
            }
            Work::FinishReceiving { stream } => self.finish_receiving(id, stream),
            Work::FinishCommit { stream } => self.finish_commit(id, stream),
            Work::FailCommit { stream } => self.fail_commit(id, dataset, stream),
            Work::File { lineage } => self.finish_filing(id, dataset, lineage),
            Work::RollBack { to } => self.finish_roll_back(id, dataset, to),
            Work::DropCopy => self.finish_drop(id, dataset),
            Work::KeepDivergent {
                stream,
                from,
                connection,
            } => self.keep_divergent(id, &stream, from, connection),
            Work::FailOperation => {
                self.tell_dataset(id, dataset, DatasetEvent::OperationFailed);
            }
            Work::FailTransfer { transfer, failure } => {
                self.fail_transfer(id, dataset, transfer, failure);
            }
            Work::LookAfterTransfer { transfer } => {
                self.look_after_transfer(id, dataset, transfer);
            }
            Work::Served {
                request,
                epoch,
                door,
            } => self.request_served(id, dataset, request, epoch, door),
        }
    }

    fn publish(&mut self, id: NodeId, dataset: DatasetId, record: HolderRecord) {
        self.check_record(id, dataset, &record);
        let before = self
            .shown(id, dataset)
            .map(|before| (before.state, before.is_contending));
        if before != Some((record.state, record.is_contending)) {
            self.note(|| told_record(id, dataset, &record));
        }
        self.show(
            id,
            Key::Holder(dataset),
            Some(Shown::Holder(Box::new(record))),
        );
    }

    fn route(&mut self, id: NodeId, dataset: DatasetId, record: Option<RouteRecord>) {
        if let Some(route) = record.filter(|route| route.is_open) {
            self.note(|| {
                format!(
                    "{id} routes dataset {dataset} here under {}",
                    counter(route.epoch)
                )
            });
        }
        self.show(id, Key::Route(dataset), record.map(Shown::Route));
    }

    fn send_message(&mut self, id: NodeId, dataset: DatasetId, to: NodeId, message: PeerMessage) {
        match &message {
            PeerMessage::Promote { lineage, .. } => {
                self.note(|| format!("{id} promotes {to} for dataset {dataset}"));
                self.truth.tally.promotions += 1;
                self.check_promotion(id, dataset, to, lineage);
            }
            PeerMessage::Grant { .. } => {
                self.truth.granted.insert((dataset, to));
            }
        }
        self.send(id, to, Parcel::Message { dataset, message });
    }

    /// What this node shows of a dataset just now.
    pub(super) fn shown(&self, id: NodeId, dataset: DatasetId) -> Option<&HolderRecord> {
        match self.running_ref(id)?.side.shown(Key::Holder(dataset)) {
            Some(Shown::Holder(record)) => Some(record),
            Some(Shown::Node(_) | Shown::Route(_) | Shown::Move(_)) | None => None,
        }
    }

    /// A local operation, which may fail and then has changed nothing.
    fn operation(&mut self, id: NodeId, dataset: DatasetId, done: Work, failed: Work) {
        let is_full = self
            .nodes
            .get(&id)
            .is_some_and(|node| node.hardware.is_full);
        let fails = self.dice.happens(self.temper.failure) || (is_full && self.dice.happens(0.5));
        let work = if fails { failed } else { done };
        self.work(id, dataset, (ms(1), ms(120)), work);
    }

    pub(super) fn work(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        range: (Duration, Duration),
        work: Work,
    ) {
        let delay = self.disk_span(id, range);
        self.tell_later(id, delay, ForNode::Work(dataset, work));
    }

    /// How long something takes that needs the disk.
    pub(super) fn disk_span(&mut self, id: NodeId, range: (Duration, Duration)) -> Duration {
        let slowness = self.nodes.get(&id).map_or(1, |node| node.hardware.slowness);
        self.dice.span(range) * slowness
    }

    pub(super) fn on_disk(&mut self, id: NodeId, dataset: DatasetId) -> &mut DatasetOnDisk {
        let settings = self.registry.newest();
        let node = self.nodes.entry(id).or_insert_with(|| {
            let (hardware, clock) = (super::Hardware::ORDINARY, crate::clock::NodeClock::RIGHT);
            super::Node::new(std::rc::Rc::clone(settings), hardware, clock)
        });
        node.disk.datasets.entry(dataset).or_default()
    }

    pub(super) fn copy(&self, id: NodeId, dataset: DatasetId) -> Option<&Copy> {
        self.disk(id)?.datasets.get(&dataset)?.copy.as_ref()
    }

    pub(super) fn copy_mut(&mut self, id: NodeId, dataset: DatasetId) -> Option<&mut Copy> {
        let disk = &mut self.nodes.get_mut(&id)?.disk;
        disk.datasets.get_mut(&dataset)?.copy.as_mut()
    }
}

fn told_record(id: NodeId, dataset: DatasetId, record: &HolderRecord) -> String {
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
    format!("{id} shows dataset {dataset}: {state}{contending}")
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Claim { epoch } => format!("it goes live here under {}", counter(*epoch)),
        Outcome::Move { to, reason, .. } => format!("it moves to {to} ({reason:?})"),
        Outcome::Stay { obstacle } => format!("it stays ({obstacle:?})"),
        Outcome::Rehome { after, reason, .. } => {
            format!("copies go to {} ({reason:?})", list(after))
        }
    }
}
