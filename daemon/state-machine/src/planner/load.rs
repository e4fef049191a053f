//! Load as one number: percent of what a node can bear.
//!
//! A node is as busy as its scarcest resource: processors in use (or waited for), memory waited
//! for, disks waited for. Waiting weighs more than use: a node that waits for its disks half of the
//! time, or for memory a quarter of the time, is as busy as one without an idle processor. Memory
//! that is merely used is no load; it is only asked whether more of it fits. Requests count as
//! processor time of the front door and the web server, which no process of the site shows.
//!
//! A dataset's share of a node is what its going would take off each of these, and is taken to
//! weigh the same on another node: processors by the number there, the rest as it is.

use crate::facts::NodeFacts;
use hwc_api::balancing::DatasetLoad;
use serde::{Deserialize, Serialize};

/// Requests a second that take one thousandth of a core before they reach the site's own processes.
const REQUESTS_PER_MILLICORE: u64 = 2;
/// Percent points of load per percent of the time in which work waited for memory.
const MEMORY_WEIGHT: u32 = 4;
/// The same for disks.
const IO_WEIGHT: u32 = 2;
/// More than this is not told apart: points of a load that cannot be, and sums of many.
const MOST_POINTS: u32 = 1_000;
/// A dataset's processes get this much more memory on a new node than they used on the old one,
/// percent.
const MEMORY_MARGIN_PERCENT: u64 = 125;

/// The part of a node's load that is due to some datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Share {
    cpu_millicores: u64,
    io_points: u32,
    memory_points: u32,
    memory_bytes: u64,
}

impl Share {
    /// What a dataset takes of the node that serves it.
    pub(crate) fn of(load: &DatasetLoad, node: &NodeFacts) -> Self {
        let front_door = u64::from(load.requests_per_1000_s) / 1_000 / REQUESTS_PER_MILLICORE;
        let used_bytes = node
            .memory_total_bytes
            .saturating_sub(node.memory_available_bytes);
        let points = Points::of(node);
        Self {
            cpu_millicores: u64::from(load.cpu_millicores).saturating_add(front_door),
            io_points: part(points.io, load.io_bytes_per_s, node.load.io_bytes_per_s),
            memory_points: part(points.memory, load.memory_bytes, used_bytes),
            memory_bytes: load.memory_bytes,
        }
    }

    /// This and `other` together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            cpu_millicores: self.cpu_millicores.saturating_add(other.cpu_millicores),
            io_points: self.io_points.saturating_add(other.io_points),
            memory_points: self.memory_points.saturating_add(other.memory_points),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }

    /// Whether the node has memory for it.
    pub(crate) fn fits_memory(&self, node: &NodeFacts) -> bool {
        let wanted = u128::from(self.memory_bytes) * u128::from(MEMORY_MARGIN_PERCENT) / 100;
        wanted <= u128::from(node.memory_available_bytes)
    }
}

/// A node's load by resource, in percent points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Points {
    cpu: u32,
    io: u32,
    memory: u32,
}

impl Points {
    /// As measured.
    pub(crate) fn of(node: &NodeFacts) -> Self {
        let load = &node.load;
        let in_use = points_of_cpu(u64::from(load.cpu_millicores), node);
        Self {
            cpu: in_use.max(u32::from(load.cpu_pressure_percent)),
            io: u32::from(load.io_pressure_percent) * IO_WEIGHT,
            memory: u32::from(load.memory_pressure_percent) * MEMORY_WEIGHT,
        }
    }

    /// With this share more, on this node.
    pub(crate) fn with(self, share: &Share, node: &NodeFacts) -> Self {
        let more = |points: u32, added: u32| points.saturating_add(added).min(MOST_POINTS);
        Self {
            cpu: more(self.cpu, points_of_cpu(share.cpu_millicores, node)),
            io: more(self.io, share.io_points),
            memory: more(self.memory, share.memory_points),
        }
    }

    /// With this share less, on this node, which bears it now.
    pub(crate) fn without(self, share: &Share, node: &NodeFacts) -> Self {
        let in_use = u64::from(node.load.cpu_millicores);
        Self {
            cpu: self
                .cpu
                .saturating_sub(part(self.cpu, share.cpu_millicores, in_use)),
            io: self.io.saturating_sub(share.io_points),
            memory: self.memory.saturating_sub(share.memory_points),
        }
    }

    /// The one number.
    pub(crate) fn percent(self) -> u32 {
        self.cpu.max(self.io).max(self.memory)
    }
}

fn points_of_cpu(millicores: u64, node: &NodeFacts) -> u32 {
    let capacity = u64::from(node.cores.max(1)) * 1_000;
    let percent = millicores.saturating_mul(100) / capacity;
    u32::try_from(percent)
        .unwrap_or(MOST_POINTS)
        .min(MOST_POINTS)
}

/// The part of `points` that `share` of `whole` accounts for; none of it where nothing is known of
/// the whole.
fn part(points: u32, share: u64, whole: u64) -> u32 {
    if whole == 0 {
        return 0;
    }
    let share = u128::from(share.min(whole));
    let part = u128::from(points) * share / u128::from(whole);
    u32::try_from(part).unwrap_or(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::balancing::NodeLoad;
    use hwc_api::names::ZoneName;

    fn node(cores: u32, load: NodeLoad) -> NodeFacts {
        NodeFacts {
            zone: ZoneName::parse("rack-1").expect("a zone"),
            is_hosting: true,
            is_draining: false,
            may_lack_copies: false,
            is_up: true,
            is_well: true,
            cores,
            load,
            memory_total_bytes: 8 << 30,
            memory_available_bytes: 4 << 30,
            pool_total_bytes: 100 << 30,
            pool_free_bytes: 50 << 30,
        }
    }

    fn cpu(millicores: u32) -> NodeLoad {
        NodeLoad {
            cpu_millicores: millicores,
            ..NodeLoad::default()
        }
    }

    #[test]
    fn a_node_is_as_busy_as_its_scarcest_resource() {
        let check = |load: NodeLoad, expected: u32| {
            assert_eq!(Points::of(&node(4, load)).percent(), expected, "{load:?}");
        };
        check(NodeLoad::default(), 0);
        check(cpu(3_000), 75);
        check(
            NodeLoad {
                cpu_pressure_percent: 90,
                ..cpu(3_000)
            },
            90,
        );
        check(
            NodeLoad {
                io_pressure_percent: 50,
                ..cpu(400)
            },
            100,
        );
        check(
            NodeLoad {
                memory_pressure_percent: 20,
                ..cpu(400)
            },
            80,
        );
    }

    #[test]
    fn what_a_dataset_takes_goes_with_it() {
        let source = node(
            4,
            NodeLoad {
                io_pressure_percent: 40,
                io_bytes_per_s: 1_000,
                ..cpu(3_600)
            },
        );
        let load = DatasetLoad {
            cpu_millicores: 900,
            memory_bytes: 0,
            io_bytes_per_s: 500,
            requests_per_1000_s: 0,
        };
        let share = Share::of(&load, &source);
        let before = Points::of(&source);
        assert_eq!(before.percent(), 90);
        // A quarter of the processor time and half of the waiting for disks go.
        assert_eq!(before.without(&share, &source).percent(), 68);
        let target = node(2, cpu(200));
        assert_eq!(Points::of(&target).with(&share, &target).percent(), 55);
    }

    #[test]
    fn requests_cost_the_front_door() {
        let load = DatasetLoad {
            requests_per_1000_s: 400_000,
            ..DatasetLoad::default()
        };
        let share = Share::of(&load, &node(4, cpu(2_000)));
        assert_eq!(share.cpu_millicores, 200);
    }

    #[test]
    fn memory_must_fit_with_a_margin() {
        let target = node(4, cpu(0));
        let fits = |memory_bytes: u64| {
            let load = DatasetLoad {
                memory_bytes,
                ..DatasetLoad::default()
            };
            Share::of(&load, &target).fits_memory(&target)
        };
        assert!(fits(3 << 30));
        assert!(!fits(4 << 30));
    }
}
