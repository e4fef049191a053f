//! What a node shows on its board, under the keys and in the formats of a real one (`conductor::keys`
//! in the daemon), so that it is as many bytes. Pure.

use bytes::Bytes;
use hwc_api::balancing::{DatasetLoad, NodeLoad};
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::observed::{DatasetObserved, ReplicaObserved};
use hwc_api::ownership::{HolderRecord, RouteRecord, SnapshotId};
use hwc_api::time::WallTime;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// The key of a node's report of itself.
pub(super) const NODE: &str = "node";
/// Datasets that a report tells of, the heaviest first.
const HEAVIEST: u32 = 20;
/// A recent date, as long as dates are.
const TODAY: i64 = 1_790_000_000_000;

pub(super) fn holder_key(dataset: DatasetId) -> String {
    format!("holder/{dataset}")
}

pub(super) fn route_key(dataset: DatasetId) -> String {
    format!("route/{dataset}")
}

pub(super) fn dataset_key(dataset: DatasetId) -> String {
    format!("dataset/{dataset}")
}

/// The dataset whose record is under a key.
pub(super) fn holder_of(key: &str) -> Option<DatasetId> {
    key.strip_prefix("holder/")?.parse().ok()
}

pub(super) fn record(record: &HolderRecord) -> Bytes {
    compact(record)
}

pub(super) fn route(route: RouteRecord) -> Bytes {
    compact(&route)
}

pub(super) fn read_record(value: &[u8]) -> Option<HolderRecord> {
    postcard::from_bytes(value).ok()
}

fn compact(value: &impl Serialize) -> Bytes {
    // Our own records are always written; postcard's signature allows for more.
    postcard::to_stdvec(value).unwrap_or_default().into()
}

/// How fresh the copies of a dataset are.
pub(super) fn freshness(
    dataset: DatasetId,
    head: Option<SnapshotId>,
    others: &[NodeId],
    is_current: bool,
) -> Bytes {
    let replica = ReplicaObserved {
        acknowledged: head,
        current_as_of: WallTime(if is_current { 0 } else { TODAY }),
        is_current,
    };
    let observed = DatasetObserved {
        dataset,
        head,
        used_bytes: 1_073_741_824,
        replicas: others.iter().map(|node| (*node, replica)).collect(),
    };
    serde_json::to_vec(&observed).unwrap_or_default().into()
}

/// A report as it is with everything in order and twenty datasets of some weight. Written out, as
/// only its size matters here; a test reads it as what the daemon sends.
pub(super) fn report(boot: BootId, load: &NodeLoad, at: u64, first: DatasetId) -> Bytes {
    let share = DatasetLoad {
        cpu_millicores: load.cpu_millicores / HEAVIEST,
        memory_bytes: 268_435_456,
        io_bytes_per_s: load.io_bytes_per_s / u64::from(HEAVIEST),
        requests_per_1000_s: 12_345,
    };
    let heaviest = (0..HEAVIEST).map(|n| json!({"dataset": first.0 + n, "load": share}));
    let services = ["apache", "php-8.2", "php-8.4", "mariadb", "sftp", "cron"];
    let services = services.map(|name| json!({"name": name, "state": "running"}));
    let none = BTreeMap::<String, u64>::new();
    let report = json!({
        "version": "0.1.0",
        "boot": boot,
        "started_at": TODAY,
        "reported_at": TODAY + i64::try_from(at).unwrap_or(0),
        "load_1m": 3.25,
        "cores": 16,
        "load": load,
        "heaviest": heaviest.collect::<Vec<_>>(),
        "memory_total_bytes": 68_719_476_736_u64,
        "memory_available_bytes": 34_359_738_368_u64,
        "pool_total_bytes": 4_398_046_511_104_u64,
        "pool_free_bytes": 2_199_023_255_552_u64,
        "applied_index": 123_456,
        "is_registry_writable": true,
        "registry_leader": 1,
        "registry_standing": "member",
        "network": "lan",
        "refusals": {"datagrams": none, "connections": none, "boards": none, "requests": none},
        "services": services,
        "problems": [],
    });
    serde_json::to_vec(&report).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::observed::NodeObserved;

    #[test]
    fn a_report_is_what_the_daemon_sends() {
        let load = NodeLoad {
            cpu_millicores: 4_000,
            ..NodeLoad::default()
        };
        let report = report(BootId(7), &load, 1_000, DatasetId(40_000));
        let read: NodeObserved = serde_json::from_slice(&report).expect("a report");
        assert_eq!(read.heaviest.len(), 20);
        let again = serde_json::to_vec(&read).expect("written");
        let difference = again.len().abs_diff(report.len());
        assert!(difference < report.len() / 10, "{difference}");
    }
}
