//! Load, and the rules by which it is spread.

use serde::{Deserialize, Serialize};

/// The load of a dataset on the node that serves it, averaged over the last minute or so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatasetLoad {
    /// Processor time, in thousandths of a core.
    pub cpu_millicores: u32,
    /// Memory of its processes, bytes.
    pub memory_bytes: u64,
    /// Bytes a second read from and written to disk.
    pub io_bytes_per_s: u64,
    /// Requests, or statements of a database, a second; in thousandths.
    pub requests_per_1000_s: u32,
}

/// The load of a node, averaged over the last minute or so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeLoad {
    /// Processor time in use, in thousandths of a core.
    pub cpu_millicores: u32,
    /// Bytes a second read from and written to disk.
    pub io_bytes_per_s: u64,
    /// Percent of the last ten seconds in which work waited for a processor (pressure stall
    /// information, `some`).
    pub cpu_pressure_percent: u8,
    /// The same for memory.
    pub memory_pressure_percent: u8,
    /// The same for the disks.
    pub io_pressure_percent: u8,
    /// Requests that its front doors answered, a second; in thousandths.
    pub requests_per_1000_s: u32,
}

/// How load is spread over the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balancing {
    /// Whether sites are moved to spread load. Drains go on without it.
    pub is_on: bool,
    /// Most planned moves a minute in the whole cluster, drains included.
    pub moves_per_minute: u16,
    /// Most planned moves at once from one node.
    pub moves_at_once: u16,
    /// A dataset that moved stays where it is for so long, seconds.
    pub cool_down_s: u32,
    /// How long a move is announced before it begins, so that it can be vetoed, seconds.
    pub veto_s: u32,
    /// A node is busy above this share of its processors, percent.
    pub busy_percent: u8,
    /// It hands a site over only to a node that stays at least this much below it, percent points.
    pub gap_percent: u8,
    /// Only after it has been busy for so long, seconds.
    pub patience_s: u32,
}

impl Default for Balancing {
    fn default() -> Self {
        Self {
            is_on: true,
            moves_per_minute: 6,
            moves_at_once: 2,
            cool_down_s: 600,
            veto_s: 30,
            busy_percent: 75,
            gap_percent: 20,
            patience_s: 120,
        }
    }
}
