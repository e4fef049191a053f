//! What this node reports of itself: load, memory, pool, services. Reads /proc; cheap.

use crate::load::Loads;
use hwc_api::ids::BootId;
use hwc_api::network::Network;
use hwc_api::observed::{NodeObserved, Refusals, RegistryStanding, ServiceObserved};
use hwc_api::problem::Problem;
use hwc_api::time::WallTime;
use std::path::Path;

/// What of a report is known elsewhere in the daemon.
#[derive(Debug, Clone)]
pub struct Known {
    /// This start.
    pub boot: BootId,
    /// When it began.
    pub started_at: WallTime,
    /// Index of the last registry change that the services follow.
    pub applied_index: u64,
    /// Whether changes of the registry can be acknowledged.
    pub is_registry_writable: bool,
    /// The registry's leader.
    pub registry_leader: Option<hwc_api::ids::NodeId>,
    /// Whether this node may take part in keeping the registry.
    pub registry_standing: RegistryStanding,
    /// The kind of network that this daemon was started for.
    pub network: Network,
    /// What was refused of what came over the network, and of what was asked.
    pub refusals: Refusals,
    /// What the node and its datasets take.
    pub loads: Loads,
    /// The services.
    pub services: Vec<ServiceObserved>,
    /// What could not be brought about.
    pub problems: Vec<Problem>,
}

/// Makes this node's report.
#[must_use]
pub fn observe(known: Known, pool: &Path, now: WallTime) -> NodeObserved {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (memory_total_bytes, memory_available_bytes) = memory(&read("/proc/meminfo"));
    let (pool_total_bytes, pool_free_bytes) = space(pool);
    NodeObserved {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot: known.boot,
        started_at: known.started_at,
        reported_at: now,
        load_1m: load(&read("/proc/loadavg")),
        cores: std::thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        load: known.loads.node,
        heaviest: known.loads.heaviest(),
        memory_total_bytes,
        memory_available_bytes,
        pool_total_bytes,
        pool_free_bytes,
        applied_index: known.applied_index,
        is_registry_writable: known.is_registry_writable,
        registry_leader: known.registry_leader,
        registry_standing: known.registry_standing,
        network: known.network,
        refusals: known.refusals,
        services: known.services,
        problems: known.problems,
    }
}

fn load(loadavg: &str) -> f32 {
    loadavg
        .split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or(0.0)
}

/// Total and available memory, bytes, from /proc/meminfo (proc(5): values in kB of 1,024).
fn memory(meminfo: &str) -> (u64, u64) {
    let value = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse::<u64>().ok())
            .unwrap_or(0)
            * 1_024
    };
    (value("MemTotal:"), value("MemAvailable:"))
}

fn space(pool: &Path) -> (u64, u64) {
    match rustix::fs::statvfs(pool) {
        Ok(stat) => (stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize),
        Err(error) => {
            tracing::warn!(%error, pool = %pool.display(), "the pool's space can't be read");
            (0, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_understood() {
        assert!((load("0.52 0.58 0.59 1/467 12345\n") - 0.52).abs() < f32::EPSILON);
        let text = "MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   12000000 kB\n";
        assert_eq!(memory(text), (24_576_000_000, 12_288_000_000));
        assert_eq!(memory(""), (0, 0));
    }
}
