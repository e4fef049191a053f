//! What strikes, and what mends it.

use super::{Chaos, Plan};
use crate::network::Lane;
use crate::registry::Order;
use crate::time::{ms, seconds};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::names::ZoneName;

/// Something that happens to the cluster, by fate or by an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    Crash,
    PowerCut,
    Wipe,
    TakeImage,
    OldImage,
    Freeze,
    CutLink,
    CutOneWay,
    CutLane,
    Isolate,
    Halves,
    ThreeWays,
    Ring,
    Flap,
    HealTwice,
    Mistake,
    SlowDisk,
    FullDisk,
    ClockJump,
    Move,
    BadMove,
    CallOff,
    Drain,
    Undrain,
    Pin,
    Hold,
    Load,
    Create,
    Delete,
    SetReplicas,
    AddNode,
    RemoveNode,
    Rezone,
}

impl Strike {
    pub(super) const ALL: &'static [Self] = &[
        Self::Crash,
        Self::PowerCut,
        Self::Wipe,
        Self::TakeImage,
        Self::OldImage,
        Self::Freeze,
        Self::CutLink,
        Self::CutOneWay,
        Self::CutLane,
        Self::Isolate,
        Self::Halves,
        Self::ThreeWays,
        Self::Ring,
        Self::Flap,
        Self::HealTwice,
        Self::Mistake,
        Self::SlowDisk,
        Self::FullDisk,
        Self::ClockJump,
        Self::Move,
        Self::BadMove,
        Self::CallOff,
        Self::Drain,
        Self::Undrain,
        Self::Pin,
        Self::Hold,
        Self::Load,
        Self::Create,
        Self::Delete,
        Self::SetReplicas,
        Self::AddNode,
        Self::RemoveNode,
        Self::Rezone,
    ];

    /// Whether something is wrong then, so that visitors may notice.
    pub(super) const fn is_fault(self) -> bool {
        match self {
            Self::Crash
            | Self::PowerCut
            | Self::Wipe
            | Self::TakeImage
            | Self::OldImage
            | Self::Freeze
            | Self::CutLink
            | Self::CutOneWay
            | Self::CutLane
            | Self::Isolate
            | Self::Halves
            | Self::ThreeWays
            | Self::Ring
            | Self::Flap
            | Self::HealTwice
            | Self::Mistake
            | Self::SlowDisk
            | Self::FullDisk
            | Self::Delete
            | Self::RemoveNode => true,
            Self::ClockJump
            | Self::Move
            | Self::BadMove
            | Self::CallOff
            | Self::Drain
            | Self::Undrain
            | Self::Pin
            | Self::Hold
            | Self::Load
            | Self::Create
            | Self::SetReplicas
            | Self::AddNode
            | Self::Rezone => false,
        }
    }
}

/// Something that is mended, or goes on.
#[derive(Debug, Clone)]
pub(super) enum Relief {
    Boot(NodeId),
    Thaw(NodeId),
    MendLink(NodeId, NodeId),
    MendAll,
    GoodDisk(NodeId),
    /// A link that comes and goes.
    Flap {
        one: NodeId,
        other: NodeId,
        is_cut: bool,
        left: u32,
    },
    /// A network that heals a second time soon after the first.
    SplitAgain(Vec<NodeId>),
}

impl Chaos {
    pub(super) fn create_sites(&mut self) {
        self.world.run_for(ms(500));
        self.world.decree(&Order::SetBalancing(self.plan.balancing));
        self.rezone();
        for _ in 0..self.plan.sites {
            self.create();
        }
        self.world.run_for(seconds(6));
    }

    pub(super) fn strike(&mut self) {
        let Some(strike) = self.dice.pick_weighted(&self.plan.strikes).copied() else {
            return;
        };
        let node = self.draw_node();
        match strike {
            Strike::Crash => self.down(node, Self::crash),
            Strike::PowerCut => self.down(node, |chaos, node| chaos.world.power_cut(node)),
            Strike::Wipe => self.down(node, |chaos, node| chaos.world.wipe(node)),
            Strike::TakeImage => {
                self.image = self.world.disk(node).cloned().map(|disk| (node, disk));
            }
            Strike::OldImage => self.old_image(),
            Strike::Freeze => {
                self.world.freeze(node);
                let span = self.dice.long_tailed((ms(500), seconds(120)));
                self.later(span, Relief::Thaw(node));
            }
            Strike::CutLink
            | Strike::CutOneWay
            | Strike::CutLane
            | Strike::Isolate
            | Strike::Halves
            | Strike::ThreeWays
            | Strike::Ring
            | Strike::Flap
            | Strike::HealTwice => self.strike_links(strike, node),
            Strike::Mistake => {
                let peer = self.draw_node();
                let span = self.dice.long_tailed((ms(300), seconds(60)));
                if peer != node {
                    self.world.mistake(node, peer, span);
                }
            }
            Strike::SlowDisk => {
                let slowness = u32::try_from(self.dice.number(5..=100)).unwrap_or(10);
                self.world
                    .note(|| format!("the disk of {node} is {slowness} times slower"));
                self.world
                    .set_hardware(node, |hardware| hardware.slowness = slowness);
                self.mend_disk(node);
            }
            Strike::FullDisk => {
                self.world.note(|| format!("the disk of {node} is full"));
                self.world
                    .set_hardware(node, |hardware| hardware.is_full = true);
                self.mend_disk(node);
            }
            Strike::ClockJump => {
                let jump = i64::try_from(self.dice.number(0..=1_200_000)).unwrap_or(0);
                self.world.jump_clock(node, jump - 600_000);
            }
            Strike::Move
            | Strike::BadMove
            | Strike::CallOff
            | Strike::Drain
            | Strike::Undrain
            | Strike::Pin
            | Strike::Hold
            | Strike::Load
            | Strike::Create
            | Strike::Delete
            | Strike::SetReplicas
            | Strike::AddNode
            | Strike::RemoveNode
            | Strike::Rezone => self.administrate(strike, node),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not met, or is not of this kind, changes nothing"
    )]
    fn strike_links(&mut self, strike: Strike, node: NodeId) {
        let peer = self.draw_node();
        let span = self.dice.long_tailed((seconds(1), seconds(900)));
        match strike {
            Strike::CutLink if node != peer => {
                self.world.cut(node, peer);
                self.later(span, Relief::MendLink(node, peer));
            }
            Strike::CutOneWay if node != peer => {
                self.world
                    .note(|| format!("nothing gets from {node} to {peer}"));
                for lane in [Lane::Streams, Lane::Datagrams] {
                    self.world.cut_way(node, peer, lane);
                }
                self.later(span, Relief::MendLink(node, peer));
            }
            Strike::CutLane if node != peer => {
                let lane = *self
                    .dice
                    .pick(&[Lane::Streams, Lane::Datagrams])
                    .unwrap_or(&Lane::Streams);
                self.world
                    .note(|| format!("{lane:?} between {node} and {peer} are cut"));
                self.world.cut_way(node, peer, lane);
                self.world.cut_way(peer, node, lane);
                self.later(span, Relief::MendLink(node, peer));
            }
            Strike::Isolate => {
                self.split(&[vec![node]]);
                self.later(span, Relief::MendAll);
            }
            Strike::Halves => {
                let half = self.draw_half();
                self.split(&[half]);
                self.later(span, Relief::MendAll);
            }
            Strike::ThreeWays => {
                let (one, other) = (self.draw_half(), self.draw_half());
                self.split(&[one, other]);
                self.later(span, Relief::MendAll);
            }
            Strike::Ring => {
                self.ring();
                self.later(span, Relief::MendAll);
            }
            Strike::Flap if node != peer => {
                let left = u32::try_from(self.dice.number(2..=300)).unwrap_or(2);
                let flap = Relief::Flap {
                    one: node,
                    other: peer,
                    is_cut: false,
                    left,
                };
                self.relieve(flap);
            }
            Strike::HealTwice => {
                let half = self.draw_half();
                self.split(std::slice::from_ref(&half));
                self.later(span, Relief::MendAll);
                let soon = self.dice.span((ms(50), seconds(3)));
                self.later(span + soon, Relief::SplitAgain(half));
            }
            _ => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not met, or is not of this kind, changes nothing"
    )]
    fn administrate(&mut self, strike: Strike, node: NodeId) {
        let dataset = self.draw_dataset();
        match strike {
            Strike::Move => {
                // Refusals are part of it.
                let _refused = self.world.move_to(dataset, node);
            }
            Strike::BadMove => {
                for bad in [NodeId(0), NodeId(999)] {
                    let accepted = self.world.move_to(dataset, bad).is_ok();
                    assert!(
                        !accepted,
                        "a move to a node that does not exist is accepted"
                    );
                }
            }
            Strike::CallOff => self.world.call_off(dataset),
            Strike::Drain => {
                let may_lack = self.dice.happens(0.3);
                self.world.order(node, Order::Drain(node, may_lack));
            }
            Strike::Undrain => self.world.order(node, Order::Undrain(node)),
            Strike::Pin => {
                let pin = self.dice.happens(0.6).then_some(node);
                self.world.order(node, Order::Pin(dataset, pin));
            }
            Strike::Hold => {
                let until = i64::try_from(self.world.now().millis()).unwrap_or(0) + 300_000;
                let until = Some(hwc_api::time::WallTime(until));
                self.world.order(node, Order::Hold(dataset, until));
            }
            Strike::Load => {
                let mut demand = self.world.demand(dataset);
                demand.cpu_millicores =
                    u32::try_from(self.dice.number(10..=7_000)).unwrap_or(1_000);
                self.world.set_demand(dataset, demand);
            }
            Strike::Create if self.last_dataset < 12 => self.create(),
            Strike::Delete if self.last_dataset > 1 => {
                self.world.order(node, Order::Delete(dataset));
            }
            Strike::SetReplicas => self.set_replicas(dataset),
            Strike::AddNode if self.world.node_ids().count() < 12 => {
                self.world.add_node(node);
            }
            Strike::RemoveNode if self.world.node_ids().count() > 2 => {
                let at = self.draw_node();
                if at != node {
                    self.world.order(at, Order::Remove(node));
                }
            }
            Strike::Rezone => self.rezone(),
            _ => {}
        }
    }

    pub(super) fn relieve(&mut self, relief: Relief) {
        match relief {
            Relief::Boot(node) => self.world.boot(node),
            Relief::Thaw(node) => self.world.thaw(node),
            Relief::MendLink(one, other) => {
                self.world
                    .note(|| format!("{one} and {other} are linked again"));
                self.world.mend(one, other);
            }
            Relief::MendAll => self.world.mend_links(),
            Relief::GoodDisk(node) => {
                self.world
                    .note(|| format!("the disk of {node} is good again"));
                self.world.set_hardware(node, |hardware| {
                    hardware.slowness = 1;
                    hardware.is_full = false;
                });
            }
            Relief::Flap {
                one,
                other,
                is_cut,
                left,
            } => {
                if is_cut {
                    self.world.mend(one, other);
                } else {
                    self.world.cut(one, other);
                }
                if left > 0 || !is_cut {
                    let flap = Relief::Flap {
                        one,
                        other,
                        is_cut: !is_cut,
                        left: left.saturating_sub(1),
                    };
                    let span = self.dice.span((ms(300), ms(700)));
                    self.later(span, flap);
                }
            }
            Relief::SplitAgain(half) => {
                self.split(&[half]);
                let span = self.dice.span((ms(50), seconds(5)));
                self.later(span, Relief::MendAll);
            }
        }
    }

    fn down(&mut self, node: NodeId, how: impl FnOnce(&mut Self, NodeId)) {
        how(self, node);
        let span = self.dice.long_tailed((seconds(1), seconds(1_200)));
        self.later(span, Relief::Boot(node));
    }

    fn crash(&mut self, node: NodeId) {
        self.world.crash(node);
    }

    fn old_image(&mut self) {
        if let Some((node, disk)) = self.image.take()
            && self.world.node_ids().any(|id| id == node)
        {
            self.down(node, |chaos, node| chaos.world.replace_disk(node, disk));
        }
    }

    fn mend_disk(&mut self, node: NodeId) {
        let span = self.dice.long_tailed((seconds(5), seconds(300)));
        self.later(span, Relief::GoodDisk(node));
    }

    fn draw_node(&mut self) -> NodeId {
        let all: Vec<_> = self.world.node_ids().collect();
        self.dice.pick(&all).copied().unwrap_or(NodeId(1))
    }

    fn draw_dataset(&mut self) -> DatasetId {
        let all: Vec<_> = self.world.dataset_ids().collect();
        self.dice.pick(&all).copied().unwrap_or(DatasetId(1))
    }

    fn draw_half(&mut self) -> Vec<NodeId> {
        let all: Vec<_> = self.world.node_ids().collect();
        let many = usize::try_from(self.dice.number(1..=5)).unwrap_or(1);
        self.dice
            .pick_many(&all, many.min(all.len().saturating_sub(1)))
    }

    /// Cuts each of these groups off from everybody else.
    fn split(&mut self, groups: &[Vec<NodeId>]) {
        let all: Vec<_> = self.world.node_ids().collect();
        for group in groups {
            for one in group {
                for other in all.iter().filter(|other| !group.contains(other)) {
                    self.world.cut(*one, *other);
                }
            }
        }
    }

    /// Each node reaches its two neighbours only.
    fn ring(&mut self) {
        let all: Vec<_> = self.world.node_ids().collect();
        for (place, one) in all.iter().enumerate() {
            for (other_place, other) in all.iter().enumerate() {
                let apart = place.abs_diff(other_place);
                if apart > 1 && apart + 1 < all.len() {
                    self.world.cut(*one, *other);
                }
            }
        }
    }

    fn draw_members(&mut self) -> Vec<NodeId> {
        let nodes = &self.world.registry().newest().nodes;
        let takers = nodes
            .iter()
            .filter(|(_, member)| member.is_hosting && member.drain.is_none());
        let takers: Vec<_> = takers.map(|(id, _)| *id).collect();
        let copies = usize::try_from(self.dice.number(2..=3)).unwrap_or(2);
        self.dice.pick_many(&takers, copies)
    }

    /// A site: its files, and often a database beside them.
    fn create(&mut self) {
        let replicas = self.draw_members();
        if replicas.is_empty() {
            return;
        }
        let files = DatasetId(self.last_dataset + 1);
        let database = DatasetId(self.last_dataset + 2);
        let databases = if self.dice.happens(0.4) {
            vec![database]
        } else {
            Vec::new()
        };
        let all: Vec<_> = databases.iter().copied().chain([files]).collect();
        self.last_dataset = all.iter().map(|id| id.0).max().unwrap_or(1);
        let copies = u8::try_from(replicas.len()).unwrap_or(2);
        self.world.decree(&Order::Create {
            files,
            databases,
            replicas,
            copies,
        });
        for dataset in all {
            let demand = Plan::demand(&mut self.dice);
            self.world.set_demand(dataset, demand);
        }
    }

    /// The registry never replaces a whole set at once: one node that has the data stays.
    fn set_replicas(&mut self, dataset: DatasetId) {
        let Some(live) = self.world.open_node(dataset) else {
            return;
        };
        let mut members = self.draw_members();
        if !members.contains(&live) {
            members.pop();
            members.push(live);
        }
        self.world.set_replicas(dataset, members);
    }

    fn rezone(&mut self) {
        for node in self.world.node_ids().collect::<Vec<_>>() {
            let zone = format!("zone-{}", self.dice.number(1..=self.plan.zones));
            if let Ok(zone) = ZoneName::parse(&zone) {
                self.world.decree(&Order::SetZone(node, zone));
            }
        }
    }
}
