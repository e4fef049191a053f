//! Visitors: requests that come in at any node's front door, follow the dataset to its live node,
//! and wait while nobody serves it.
//!
//! A request passes at most two nodes. One that may have been begun and changes something is never
//! asked twice.

use super::happening::{Answer, ForNode, Happening, Parcel, Work};
use super::node::GateState;
use super::{Demand, Node, World};
use crate::time::{Moment, ms, seconds};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::Epoch;
use std::collections::BTreeMap;
use std::time::Duration;

/// A visitor waits this long for an answer.
const PATIENCE: Duration = seconds(30);
/// So many requests wait at one door for one dataset.
const WAITING_MAX: usize = 64;
/// How long a request is carried out, from and to.
const SERVICE: (Duration, Duration) = (ms(1), ms(40));

/// The requests that are under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests {
    open: BTreeMap<u64, Request>,
    last: u64,
    /// Nobody comes by themselves for a while.
    pub(super) are_visitors_away: bool,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    dataset: DatasetId,
    door: NodeId,
    /// The start of that node.
    start: u32,
    writes: bool,
    arrived: Moment,
    stage: Stage,
    was_held: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// At the door, because nobody serves the dataset.
    Waiting,
    /// Carried out by this node, or on its way there.
    Asked(NodeId),
}

impl World {
    /// What the visitors of a dataset want from here on.
    pub fn set_demand(&mut self, dataset: DatasetId, demand: Demand) {
        let before = self.demands.insert(dataset, demand);
        let came = before.is_some_and(|before| !before.every.is_zero());
        if !came && !demand.every.is_zero() {
            self.schedule
                .after(demand.every, Happening::Client(dataset));
        }
    }

    /// What the visitors of a dataset want.
    #[must_use]
    pub fn demand(&self, dataset: DatasetId) -> Demand {
        self.demands.get(&dataset).copied().unwrap_or(Demand::NONE)
    }

    pub(super) fn client_comes(&mut self, dataset: DatasetId) {
        let demand = self.demand(dataset);
        if demand.every.is_zero() {
            return;
        }
        let pause = self.dice.span((demand.every / 2, demand.every * 3 / 2));
        self.schedule.after(pause, Happening::Client(dataset));
        if self.requests.are_visitors_away {
            return;
        }
        let writes = self.dice.happens(f64::from(demand.write_percent) / 100.0);
        let doors: Vec<_> = self.node_ids().filter(|id| self.is_awake(*id)).collect();
        if let Some(door) = self.dice.pick(&doors).copied() {
            self.request(door, dataset, writes);
        }
    }

    /// A visitor asks something at a door. The number of the request.
    pub fn request(&mut self, door: NodeId, dataset: DatasetId, writes: bool) -> u64 {
        self.requests.last += 1;
        let id = self.requests.last;
        let request = Request {
            dataset,
            door,
            start: self.nodes.get(&door).map_or(0, |node| node.start),
            writes,
            arrived: self.now(),
            stage: Stage::Waiting,
            was_held: false,
        };
        self.requests.open.insert(id, request);
        self.schedule
            .after(PATIENCE, Happening::GiveUp { request: id });
        self.try_request(id);
        id
    }

    /// Something is written at a node, past its door. Whether its gate was open.
    pub fn write_at(&mut self, id: NodeId, dataset: DatasetId) -> bool {
        let bytes = self.demand(dataset).write_bytes;
        let gate = self
            .nodes
            .get(&id)
            .filter(|node| node.is_awake())
            .and_then(|node| node.running.as_ref()?.gates.get(&dataset));
        let Some(gate) = gate.filter(|gate| gate.state == GateState::Open) else {
            return false;
        };
        let epoch = gate.epoch;
        self.write(id, dataset, epoch, bytes);
        true
    }

    /// Whether a request was answered.
    #[must_use]
    pub fn is_answered(&self, request: u64) -> bool {
        self.truth.served.contains(&request) && !self.requests.open.contains_key(&request)
    }

    /// Sends a request where the dataset is live, as far as its door knows.
    fn try_request(&mut self, id: u64) {
        let Some(request) = self.requests.open.get(&id).copied() else {
            return;
        };
        let is_door_there = |node: &&Node| node.is_awake() && node.start == request.start;
        let Some(door) = self.nodes.get(&request.door).filter(is_door_there) else {
            return;
        };
        let picture = door.running.as_ref().map(|running| &running.picture);
        let route = picture.and_then(|picture| picture.live_node(request.door, request.dataset));
        match route {
            Some((node, epoch, true)) => {
                self.set_stage(id, Stage::Asked(node));
                if node == request.door {
                    self.request_arrives(node, request.door, id, epoch);
                } else {
                    self.send(request.door, node, Parcel::Ask { request: id, epoch });
                }
            }
            Some((_, _, false)) | None => self.hold(id, request),
        }
    }

    fn hold(&mut self, id: u64, request: Request) {
        let Some(running) = self.running(request.door) else {
            return;
        };
        let waiting = running.waiting.entry(request.dataset).or_default();
        if waiting.contains(&id) {
            return;
        }
        if waiting.len() >= WAITING_MAX {
            self.gave_up(id);
            return;
        }
        waiting.push(id);
        self.set_stage(id, Stage::Waiting);
        if let Some(request) = self.requests.open.get_mut(&id) {
            request.was_held = true;
        }
    }

    fn set_stage(&mut self, id: u64, stage: Stage) {
        if let Some(request) = self.requests.open.get_mut(&id) {
            request.stage = stage;
        }
    }

    /// The route of a dataset changed at a door: what waits there goes on.
    pub(super) fn retry_waiting(&mut self, door: NodeId, dataset: DatasetId) {
        let Some(running) = self.running(door) else {
            return;
        };
        for id in running.waiting.remove(&dataset).unwrap_or_default() {
            self.try_request(id);
        }
    }

    /// A request is at the node that is said to serve the dataset.
    pub(super) fn request_arrives(&mut self, id: NodeId, door: NodeId, request: u64, epoch: Epoch) {
        let Some(asked) = self.requests.open.get(&request).copied() else {
            return;
        };
        let gate = self
            .running(id)
            .and_then(|running| running.gates.get_mut(&asked.dataset))
            .filter(|gate| gate.epoch == epoch && gate.state == GateState::Open);
        let Some(gate) = gate else {
            self.answer(id, door, request, Answer::NotHere);
            return;
        };
        gate.running += 1;
        let span = self.dice.span(SERVICE);
        let work = Work::Served {
            request,
            epoch,
            door,
        };
        self.tell_later(id, span, ForNode::Work(asked.dataset, work));
    }

    /// A request has been carried out, unless the dataset was stopped meanwhile.
    pub(super) fn request_served(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        request: u64,
        epoch: Epoch,
        door: NodeId,
    ) {
        let gate = self
            .running(id)
            .and_then(|running| running.gates.get_mut(&dataset))
            .filter(|gate| gate.epoch == epoch && gate.running > 0);
        let Some(gate) = gate else {
            self.answer(id, door, request, Answer::CutOff);
            return;
        };
        gate.running -= 1;
        let is_full = self
            .nodes
            .get(&id)
            .is_some_and(|node| node.hardware.is_full);
        let writes = self
            .requests
            .open
            .get(&request)
            .is_some_and(|asked| asked.writes);
        if writes && is_full {
            self.answer(id, door, request, Answer::CutOff);
            return;
        }
        if !self.truth.served.insert(request) && writes {
            self.violate("S15", || format!("request {request} is carried out twice"));
        }
        if writes {
            let bytes = self.demand(dataset).write_bytes;
            self.write(id, dataset, epoch, bytes);
        }
        self.answer(id, door, request, Answer::Done);
    }

    fn answer(&mut self, id: NodeId, door: NodeId, request: u64, answer: Answer) {
        if id == door {
            self.answer_arrives(door, id, request, answer);
        } else {
            self.send(id, door, Parcel::Answer { request, answer });
        }
    }

    /// The answer is back at the door.
    pub(super) fn answer_arrives(
        &mut self,
        id: NodeId,
        from: NodeId,
        request: u64,
        answer: Answer,
    ) {
        let Some(asked) = self.requests.open.get(&request).copied() else {
            return;
        };
        let start = self.nodes.get(&id).map_or(0, |node| node.start);
        if asked.door != id || asked.start != start || asked.stage != Stage::Asked(from) {
            return;
        }
        match answer {
            Answer::Done => {
                self.requests.open.remove(&request);
                let waited = self.now().since(asked.arrived);
                self.truth
                    .tally
                    .requests
                    .note_answer(waited, asked.was_held);
            }
            // The route is out of date: a newer one is on its way.
            Answer::NotHere => self.hold(request, asked),
            Answer::CutOff if asked.writes => self.cut_off(request),
            Answer::CutOff => self.try_request(request),
        }
    }

    fn cut_off(&mut self, id: u64) {
        if let Some(request) = self.requests.open.remove(&id) {
            self.truth.tally.requests.cut_off += 1;
            self.note(|| format!("a request to dataset {} is cut off", request.dataset));
        }
    }

    /// A door learns that a node is gone: what was asked there is answered by nobody.
    pub(super) fn door_lost_node(&mut self, door: NodeId, node: NodeId) {
        let lost: Vec<_> = self
            .requests
            .open
            .iter()
            .filter(|(_, request)| request.door == door && request.stage == Stage::Asked(node))
            .map(|(id, request)| (*id, request.writes))
            .collect();
        for (id, writes) in lost {
            if writes {
                self.cut_off(id);
            } else {
                self.try_request(id);
            }
        }
        let datasets: Vec<_> = self
            .running(door)
            .map(|running| running.waiting.keys().copied().collect())
            .unwrap_or_default();
        for dataset in datasets {
            self.retry_waiting(door, dataset);
        }
    }

    /// A visitor goes away.
    pub(super) fn give_up(&mut self, id: u64) {
        let Some(request) = self.requests.open.get(&id).copied() else {
            return;
        };
        if let Some(running) = self.running(request.door)
            && let Some(waiting) = running.waiting.get_mut(&request.dataset)
        {
            waiting.retain(|waiting| *waiting != id);
        }
        match request.stage {
            Stage::Waiting => self.gave_up(id),
            Stage::Asked(_) => self.cut_off(id),
        }
    }

    fn gave_up(&mut self, id: u64) {
        if let Some(request) = self.requests.open.remove(&id) {
            self.truth.tally.requests.gave_up += 1;
            self.note(|| format!("a request to dataset {} waits in vain", request.dataset));
        }
    }

    /// The doors look at what waits, in case that no change of route was seen.
    pub(super) fn look_after_waiting(&mut self) {
        let waiting: Vec<_> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.is_awake())
            .filter_map(|(id, node)| Some((*id, node.running.as_ref()?)))
            .flat_map(|(id, running)| running.waiting.keys().map(move |dataset| (id, *dataset)))
            .collect();
        for (door, dataset) in waiting {
            self.retry_waiting(door, dataset);
        }
    }
}
