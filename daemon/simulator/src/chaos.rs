//! Faults drawn from a seed.

use crate::disk::Disk;
use crate::ghost::Tally;
use crate::world::{BrainFactory, Temper, World};
use hwc_api::ids::{DatasetId, NodeId};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Which kinds of things may happen in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// No fault at all; moves, and parcels that are late, lost or repeated.
    Calm,
    /// Cuts, crashes, standstills, false suspicions, moves.
    Faults,
    /// As `Faults`, and disks are lost or replaced by old images.
    Disks,
    /// As `Faults`, and the registry changes which nodes hold the copies.
    Sets,
}

impl Plan {
    /// The plan of a seed: every fourth seed has the same one.
    #[must_use]
    pub const fn of_seed(seed: u64) -> Self {
        match seed % 4 {
            0 => Self::Calm,
            1 => Self::Faults,
            2 => Self::Disks,
            _ => Self::Sets,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed, to replay it.
    pub seed: u64,
    /// What went wrong.
    pub failure: Option<String>,
    /// What happened, a line each.
    pub log: Vec<String>,
    /// Counts.
    pub tally: Tally,
}

/// Runs one seed to its end.
#[must_use]
pub fn run_seed(seed: u64, brain: BrainFactory) -> Outcome {
    let plan = Plan::of_seed(seed);
    let mut rng = StdRng::seed_from_u64(seed ^ 0x005e_ed0f_c4a0_5000);
    let nodes = rng.random_range(2..=4);
    let mut chaos = Chaos {
        world: World::new(nodes, seed, temper(plan, &mut rng), brain),
        rng,
        plan,
        image: None,
    };
    chaos.create_datasets();
    let faults = chaos.rng.random_range(3..=14);
    for _ in 0..faults {
        let pause = chaos.rng.random_range(100..=7_000);
        chaos.world.run_for(pause);
        if chaos.world.violation().is_some() {
            break;
        }
        chaos.strike();
    }
    let pause = chaos.rng.random_range(100..=6_000);
    chaos.world.run_for(pause);
    let violation = chaos.world.violation().map(ToOwned::to_owned);
    let failure = violation.or_else(|| chaos.world.come_to_rest().err());
    Outcome {
        seed,
        failure,
        log: chaos.world.log().to_vec(),
        tally: chaos.world.ghost().tally,
    }
}

fn temper(plan: Plan, rng: &mut StdRng) -> Temper {
    let latency = rng.random_range(2..=40);
    Temper {
        latency_ms: (1, latency),
        loss: *[0.0, 0.02, 0.1].choose(rng).unwrap_or(&0.0),
        repeat: 0.05,
        failure: if plan == Plan::Calm { 0.0 } else { 0.05 },
        fence_ms: *[20, 300, 3_000].choose(rng).unwrap_or(&20),
        write_every_ms: rng.random_range(150..=1_500),
    }
}

struct Chaos {
    world: World,
    rng: StdRng,
    plan: Plan,
    image: Option<(NodeId, Disk)>,
}

impl Chaos {
    fn create_datasets(&mut self) {
        self.world.run_for(500);
        let datasets = self.rng.random_range(1..=2);
        for dataset in 1..=datasets {
            let members = self.draw_members();
            self.world.set_members(DatasetId(dataset), members);
        }
        self.world.run_for(6_000);
    }

    fn draw_members(&mut self) -> Vec<NodeId> {
        let all: Vec<_> = self.world.node_ids().collect();
        let copies = self.rng.random_range(2..=all.len().min(3));
        all.choose_multiple(&mut self.rng, copies)
            .copied()
            .collect()
    }

    fn draw_node(&mut self) -> NodeId {
        let all: Vec<_> = self.world.node_ids().collect();
        all.choose(&mut self.rng).copied().unwrap_or(NodeId(1))
    }

    fn draw_dataset(&mut self) -> DatasetId {
        DatasetId(self.rng.random_range(1..=2))
    }

    fn strike(&mut self) {
        let kind = match self.plan {
            Plan::Calm => 0,
            Plan::Faults => self.rng.random_range(0..10),
            Plan::Disks => self.rng.random_range(0..13),
            Plan::Sets => *[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 20, 20]
                .choose(&mut self.rng)
                .unwrap_or(&0),
        };
        let (node, peer) = (self.draw_node(), self.draw_node());
        match kind {
            0 => {
                let dataset = self.draw_dataset();
                self.world.move_to(dataset, node);
            }
            1 => self.world.crash(node),
            2 => self.world.power_cut(node),
            3 | 4 => self.world.boot(node),
            5 => self.world.freeze(node),
            6 => {
                for id in self.world.node_ids().collect::<Vec<_>>() {
                    self.world.thaw(id);
                }
            }
            7 => self.split(),
            8 => self.world.mend_links(),
            9 if node != peer => {
                let how_long = self.rng.random_range(300..=9_000);
                self.world.mistake(node, peer, how_long);
            }
            10 => self.world.wipe(node),
            11 => self.image = self.world.disk(node).cloned().map(|disk| (node, disk)),
            12 => {
                if let Some((node, disk)) = self.image.take() {
                    self.world.replace_disk(node, disk);
                }
            }
            20 => {
                let (dataset, members) = (self.draw_dataset(), self.draw_members());
                self.change_members(dataset, members);
            }
            _ => {}
        }
    }

    /// The registry never replaces a whole set at once: one node that has the data stays.
    fn change_members(&mut self, dataset: DatasetId, mut members: Vec<NodeId>) {
        let Some(live) = self.world.open_node(dataset) else {
            return;
        };
        if !members.contains(&live) {
            members.pop();
            members.push(live);
        }
        self.world.set_members(dataset, members);
    }

    fn split(&mut self) {
        let all: Vec<_> = self.world.node_ids().collect();
        if self.rng.random_bool(0.3) {
            let (one, other) = (self.draw_node(), self.draw_node());
            if one != other {
                self.world.cut(one, other);
            }
            return;
        }
        let left: Vec<_> = all
            .iter()
            .copied()
            .filter(|_| self.rng.random_bool(0.5))
            .collect();
        for one in &left {
            for other in all.iter().filter(|other| !left.contains(other)) {
                self.world.cut(*one, *other);
            }
        }
    }
}
