//! What administrators order: sites, moves, drains, nodes that come and go. And how moves end.

use super::board::{Key, Shown};
use super::node::Node;
use super::{Hardware, World};
use crate::clock::NodeClock;
use crate::registry::Order;
use crate::truth::Moved;
use hwc_api::ids::{AccountId, DatasetId, NodeId};
use hwc_api::moves::MoveReason;
use hwc_state_machine::{DatasetEvent, MoveStage, MoveStatus, PastMove, Refused};
use std::rc::Rc;

/// Who asks for moves.
const ADMINISTRATOR: AccountId = AccountId(1);

impl World {
    /// A node that is there from the beginning.
    pub(super) fn found(&mut self, id: NodeId) {
        // Nobody refuses the founders.
        let _founded = self.registry.carry_out(&Order::Join(id));
        let settings = Rc::clone(self.registry.newest());
        let node = Node::new(settings, Hardware::ORDINARY, NodeClock::RIGHT);
        self.nodes.insert(id, node);
    }

    /// A new server joins the cluster.
    pub fn add_node(&mut self, at: NodeId) -> NodeId {
        let last = self.nodes.last_key_value().map_or(0, |(id, _)| id.0);
        let id = NodeId(last + 1);
        let settings = Rc::default();
        let node = Node::new(settings, Hardware::ORDINARY, NodeClock::RIGHT);
        self.nodes.insert(id, node);
        self.order(at, Order::Join(id));
        self.boot(id);
        id
    }

    /// A site with one dataset is created on these nodes, the first one preferred.
    pub fn create(&mut self, dataset: DatasetId, replicas: Vec<NodeId>) {
        let copies = u8::try_from(replicas.len()).unwrap_or(u8::MAX);
        self.decree(&Order::Create {
            files: dataset,
            databases: Vec::new(),
            replicas,
            copies,
        });
    }

    /// Other nodes are to hold a dataset, whoever holds it now.
    pub fn set_replicas(&mut self, dataset: DatasetId, replicas: Vec<NodeId>) {
        let policy = self.registry.newest().datasets.get(&dataset);
        let Some(expected) = policy.map(|policy| policy.replicas.clone()) else {
            return;
        };
        self.decree(&Order::SetReplicas {
            dataset,
            expected,
            replicas,
        });
    }

    /// An administrator asks the node on which a dataset is live to move it.
    ///
    /// # Errors
    /// Why its brain refuses; none if nobody serves it.
    pub fn move_to(&mut self, dataset: DatasetId, to: NodeId) -> Result<(), Option<Refused>> {
        let live = self.open_node(dataset).ok_or(None)?;
        let brain = self.brain(live).ok_or(None)?;
        if let Err(refused) = brain.can_move(dataset, to) {
            self.note(|| format!("{live} does not move dataset {dataset} to {to}: {refused}"));
            return Err(Some(refused));
        }
        self.note(|| format!("dataset {dataset} is to move from {live} to {to}"));
        let reason = MoveReason::Asked(ADMINISTRATOR);
        self.tell_dataset(live, dataset, DatasetEvent::MoveTo { node: to, reason });
        self.check_move_taken(live, dataset, to);
        Ok(())
    }

    /// An administrator calls a move off.
    pub fn call_off(&mut self, dataset: DatasetId) {
        if let Some(live) = self.open_node(dataset) {
            self.note(|| format!("the move of dataset {dataset} is called off"));
            self.tell_dataset(live, dataset, DatasetEvent::CallOffMove);
        }
    }

    /// A brain tells how far a move is, or how it ended.
    pub(super) fn move_changed(&mut self, id: NodeId, dataset: DatasetId, status: MoveStatus) {
        let to = status.to;
        self.check_move_told(id, dataset, &status);
        let is_over = match status.stage {
            MoveStage::UnderWay(phase) => {
                let facts = self.move_facts(id, dataset, to, phase);
                self.show(id, Key::Move(dataset), Some(Shown::Move(facts)));
                self.note(|| format!("{id} moves dataset {dataset} to {to}: {phase:?}"));
                false
            }
            MoveStage::Moved => {
                self.truth.tally.moved += 1;
                self.note(|| format!("{id} has moved dataset {dataset} to {to}"));
                self.note_moved(id, dataset, &status);
                true
            }
            MoveStage::CalledOff(why) => {
                self.truth.tally.called_off += 1;
                self.note(|| {
                    format!("{id} calls the move of dataset {dataset} to {to} off: {why:?}")
                });
                true
            }
        };
        if is_over {
            self.show(id, Key::Move(dataset), None);
        }
        if let Some(running) = self.running(id) {
            if is_over {
                running.moves.remove(&dataset);
            } else {
                running.moves.insert(dataset, status);
            }
        }
    }

    fn note_moved(&mut self, id: NodeId, dataset: DatasetId, status: &MoveStatus) {
        let now = self.now();
        let MoveStatus { to, reason, .. } = *status;
        let moved = Moved {
            at: now,
            dataset,
            from: id,
            to,
            reason,
        };
        self.check_moved(&moved);
        self.truth.moves.push(moved);
        let Some(node) = self.nodes.get(&id) else {
            return;
        };
        let receipt = PastMove {
            dataset,
            from: id,
            to,
            reason,
            ended_at: node.clock.wall(now),
        };
        self.propose(id, Order::NoteMove(receipt));
    }
}
