//! Nodes in words and numbers.

use crate::tr;
use hwc_api::desired::NodeService;
use hwc_api::observed::{NodeObserved, ServiceState};
use hwc_api::v1::NodeView;

/// The share of the processors that is in use, 0 to 1: what load is spread by.
#[must_use]
pub fn load_share(node: &NodeView) -> f64 {
    node.observed
        .as_ref()
        .map(|report| cores_used(report.load.cpu_millicores) / f64::from(report.cores.max(1)))
        .unwrap_or_default()
}

/// Processor time in cores.
#[must_use]
pub fn cores_used(cpu_millicores: u32) -> f64 {
    f64::from(cpu_millicores) / 1_000.0
}

/// A share as whole percent, 0 to 100.
#[must_use]
pub fn whole_percent(share: f64) -> u8 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u8
}

/// Memory in use, bytes.
#[must_use]
pub const fn memory_used(report: &NodeObserved) -> u64 {
    report
        .memory_total_bytes
        .saturating_sub(report.memory_available_bytes)
}

/// Space in use in the pool, bytes.
#[must_use]
pub const fn pool_used(report: &NodeObserved) -> u64 {
    report
        .pool_total_bytes
        .saturating_sub(report.pool_free_bytes)
}

/// The load as text: `41 %`; a dash where it is not known.
#[must_use]
pub fn load(node: &NodeView) -> String {
    if node.observed.is_none() {
        return "–".to_owned();
    }
    tr!("percent", value = whole_percent(load_share(node)))
}

/// Services that should run and don't.
#[must_use]
pub fn failed_services(report: &NodeObserved) -> Vec<String> {
    report
        .services
        .iter()
        .filter(|service| service.state == ServiceState::Failed)
        .map(|service| service.name.clone())
        .collect()
}

/// What a service of a node is called.
#[must_use]
pub fn service(service: NodeService) -> String {
    match service {
        NodeService::Hosting => tr!("service-hosting"),
        NodeService::FrontDoors => tr!("service-front-doors"),
        NodeService::Voting => tr!("service-voting"),
    }
}

/// The services that are switched off, in a line.
#[must_use]
pub fn switched_off(node: &NodeView) -> String {
    if node.switched_off.is_empty() {
        return tr!("services-all-on");
    }
    let names: Vec<String> = node.switched_off.iter().copied().map(service).collect();
    names.join(", ")
}

/// How many things want a look.
#[must_use]
pub fn trouble_count(node: &NodeView) -> usize {
    node.observed
        .as_ref()
        .map(|report| report.problems.len() + failed_services(report).len())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_whole_percent() {
        for (share, percent) in [(0.0, 0), (0.414, 41), (0.999, 100), (7.5, 100), (-1.0, 0)] {
            assert_eq!(whole_percent(share), percent);
        }
        assert_eq!(whole_percent(f64::NAN), 0);
    }
}
