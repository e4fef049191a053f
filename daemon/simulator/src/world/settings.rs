//! The registry as the nodes meet it: orders that travel to its leader, news that come with a lag.

use super::World;
use super::happening::{ForNode, Happening, Ordered};
use crate::network::Lane;
use crate::registry::Order;
use crate::time::{ms, seconds};
use hwc_api::ids::NodeId;
use hwc_state_machine::{Event, RegistryView};
use std::rc::Rc;
use std::time::Duration;

/// How long it takes to bring an order to the leader and a majority's disks.
const ORDER_TAKES: (Duration, Duration) = (ms(5), ms(60));
/// A person whose order could not be taken tries again after this long.
const ASK_AGAIN_AFTER: Duration = seconds(2);

impl World {
    /// Somebody orders something at a node: brought to the registry again and again until it is
    /// carried out or refused.
    pub fn order(&mut self, at: NodeId, order: Order) {
        self.bring(at, order, true);
    }

    /// A brain proposes something: brought to the registry once.
    pub(super) fn propose(&mut self, from: NodeId, order: Order) {
        self.bring(from, order, false);
    }

    fn bring(&mut self, from: NodeId, order: Order, is_asked: bool) {
        let ordered = Rc::new(Ordered {
            from,
            order,
            is_asked,
        });
        let span = self.dice.span(ORDER_TAKES);
        self.schedule.after(span, Happening::Order(ordered));
    }

    pub(super) fn order_arrives(&mut self, ordered: &Rc<Ordered>) {
        let is_writable = self.leader_for(ordered.from).is_some();
        if !is_writable {
            if ordered.is_asked {
                let again = Happening::Order(Rc::clone(ordered));
                self.schedule.after(ASK_AGAIN_AFTER, again);
            }
            return;
        }
        self.carry_out_order(&ordered.order, ordered.is_asked);
    }

    /// Changes the registry at once, whoever leads it: for the beginning of a run.
    pub fn decree(&mut self, order: &Order) {
        self.carry_out_order(order, true);
    }

    fn carry_out_order(&mut self, order: &Order, is_asked: bool) {
        match self.registry.carry_out(order) {
            Ok(()) => {
                self.note_order(order, is_asked);
                self.spread_settings();
                if let Order::Remove(node) = order {
                    self.take_out(*node);
                }
            }
            Err(why) => self.note(|| format!("refused: {why}")),
        }
    }

    fn note_order(&mut self, order: &Order, is_asked: bool) {
        if !is_asked {
            return;
        }
        self.note(|| match order {
            Order::Join(node) => format!("node {node} joins"),
            Order::JoinAgain(node) => format!("node {node} joins again, empty"),
            Order::Remove(node) => format!("node {node} is removed"),
            Order::SetZone(node, zone) => format!("node {node} stands in zone {zone}"),
            Order::SetHosting(node, true) => format!("node {node} hosts again"),
            Order::SetHosting(node, false) => format!("node {node} hosts nothing any more"),
            Order::Drain(node, _) => format!("node {node} is to be emptied"),
            Order::Undrain(node) => format!("node {node} is put back to use"),
            Order::Create {
                files, replicas, ..
            } => format!("dataset {files} is created on {}", list(replicas)),
            Order::Delete(dataset) => format!("dataset {dataset} is deleted"),
            Order::SetReplicas {
                dataset, replicas, ..
            } => format!("dataset {dataset} is to be on {}", list(replicas)),
            Order::Pin(dataset, Some(node)) => format!("dataset {dataset} is pinned to {node}"),
            Order::Pin(dataset, None) => format!("dataset {dataset} is let go"),
            Order::Hold(dataset, Some(_)) => format!("dataset {dataset} is to stay for a while"),
            Order::Hold(dataset, None) => format!("dataset {dataset} may move again"),
            Order::SetBalancing(rules) if rules.is_on => "load is to be spread".to_owned(),
            Order::SetBalancing(_) => "load is not to be spread".to_owned(),
            Order::NoteMove(receipt) => format!("the move of {} is noted", receipt.dataset),
        });
    }

    /// The leader, as far as a node can bring orders to it.
    pub(super) fn leader_for(&self, id: NodeId) -> Option<NodeId> {
        let leader = self.registry.leader()?;
        let is_reached = leader == id || self.network.is_linked(id, leader, Lane::Streams);
        (is_reached && self.is_awake(leader)).then_some(leader)
    }

    /// Who leads, and who lacks something.
    pub(super) fn look_after_settings(&mut self) {
        let (nodes, network) = (&self.nodes, &self.network);
        let is_awake = |id: NodeId| nodes.get(&id).is_some_and(super::Node::is_awake);
        let reaches = |from: NodeId, to: NodeId| {
            is_awake(from)
                && is_awake(to)
                && (from == to || network.is_linked(from, to, Lane::Streams))
        };
        let (before, now) = (self.registry.leader(), self.schedule.now());
        self.registry.elect(now, self.tempo.election, reaches);
        if self.registry.leader() != before {
            for id in self.node_ids().collect::<Vec<_>>() {
                if let Some(running) = self.running(id) {
                    running.picture.is_new = true;
                }
                self.facts_are_due(id);
            }
        }
        self.spread_settings();
    }

    /// Every node in the leader's reach that lacks something gets it after a while.
    fn spread_settings(&mut self) {
        let newest = self.registry.newest().index;
        let behind: Vec<_> = self
            .node_ids()
            .filter(|id| {
                let node = self.nodes.get(id);
                node.is_some_and(|node| node.is_awake() && node.settings.index < newest)
            })
            .filter(|id| self.leader_for(*id).is_some() || self.registry.leader().is_none())
            .collect();
        for id in behind {
            let is_lone = self.registry.leader().is_none();
            if is_lone && self.truth.is_faulty {
                continue;
            }
            let lag = self.dice.span(self.temper.settings_lag);
            self.tell_later(id, lag, ForNode::Settings);
        }
    }

    /// A node takes in the newest settings.
    pub(super) fn learn_settings(&mut self, id: NodeId) {
        let is_linked = self.leader_for(id).is_some() || !self.truth.is_faulty;
        let newest = Rc::clone(self.registry.newest());
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        if !is_linked || node.settings.index >= newest.index {
            return;
        }
        node.settings = newest;
        self.follow_peers(id);
        self.tell_settings(id);
    }

    pub(super) fn tell_settings(&mut self, id: NodeId) {
        let Some(view) = self.registry_view(id) else {
            return;
        };
        if let Some(running) = self.running(id) {
            running.picture.is_new = true;
        }
        self.tell(id, Event::Registry(view));
        self.facts_are_due(id);
    }

    /// The registry as a node knows it.
    fn registry_view(&self, id: NodeId) -> Option<RegistryView> {
        let settings = &self.nodes.get(&id)?.settings;
        let my_join_index = settings
            .nodes
            .get(&id)
            .map_or(u64::MAX, |member| member.join_index);
        Some(RegistryView {
            my_join_index,
            datasets: settings.datasets.clone(),
            moves: settings.moves.clone(),
        })
    }
}

/// Nodes as the log shows them.
pub(super) fn list(nodes: &[NodeId]) -> String {
    let names: Vec<_> = nodes.iter().map(ToString::to_string).collect();
    names.join(", ")
}
