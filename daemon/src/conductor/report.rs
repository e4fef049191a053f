//! Tells the other nodes what this one is like: every two seconds, and when its services changed.

use super::freshness::Served;
use super::hands::Rooms;
use super::input::{Input, Inputs, OwnFact};
use super::reconcile::NewestReport;
use crate::api::refusal::RefusedRequests;
use crate::load::{LoadMeter, Loads};
use crate::observe::{Known, observe};
use crate::view::registry_standing;
use hwc_api::ids::BootId;
use hwc_api::observed::Refusals;
use hwc_registry::Registry;
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use hwc_runtime::periodic::{Waker, spawn_periodic};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Between two reports.
const INTERVAL: Duration = Duration::from_secs(2);

/// What reports are made of.
#[derive(Clone)]
pub struct Reporter {
    /// Time.
    pub clock: Clock,
    /// This start.
    pub boot: BootId,
    /// The registry, for its status.
    pub registry: Registry,
    /// YakD's newest report.
    pub services: NewestReport,
    /// The front doors' counters, and the settings.
    pub rooms: Arc<Rooms>,
    /// What the API refused.
    pub refused: RefusedRequests,
    /// The datasets that are live here.
    pub served: watch::Receiver<Arc<Vec<Served>>>,
    /// The pool.
    pub pool: PathBuf,
    /// Where reports go.
    pub inputs: Inputs,
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporter")
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

impl Reporter {
    /// What the node and its datasets take. Looks over /proc: some milliseconds with a thousand
    /// processes.
    fn loads(&self, meter: &Mutex<LoadMeter>) -> Loads {
        let live: Vec<_> = self.served.borrow().iter().map(|s| s.dataset).collect();
        let desired = Arc::clone(&self.rooms.desired.borrow());
        let requests = self.rooms.proxy.stats();
        let now = self.clock.now();
        tokio::task::block_in_place(|| {
            let mut meter = meter.lock().unwrap_or_else(PoisonError::into_inner);
            meter.look(now, &desired, &live, requests)
        })
    }
}

/// Begins to report.
pub fn spawn(reporter: Reporter, tasks: &Tasks, waker: &Waker) {
    let started_at = reporter.clock.wall();
    let meter = Arc::new(Mutex::new(LoadMeter::default()));
    spawn_periodic(tasks, "report on this node", INTERVAL, waker, move || {
        let reporter = reporter.clone();
        let meter = Arc::clone(&meter);
        async move {
            let loads = reporter.loads(&meter);
            let told = Input::Loads(Box::new(loads.clone()));
            let _stopped = reporter.inputs.send(told);
            let status = reporter.registry.status();
            let services = reporter.services.get();
            let known = Known {
                boot: reporter.boot,
                started_at,
                applied_index: services.applied_index,
                is_registry_writable: status.is_writable,
                registry_leader: status.leader,
                registry_standing: registry_standing(status.standing),
                network: reporter.rooms.network,
                refusals: refusals(&reporter.rooms.group.refusals(), &reporter.refused),
                loads,
                services: services.services,
                problems: services.problems,
            };
            let report = observe(known, &reporter.pool, reporter.clock.wall());
            let leader = status.leader;
            let is_writable = status.is_writable;
            let _stopped = reporter.inputs.send(Input::RegistryStatus {
                is_writable,
                leader,
            });
            let _stopped = reporter
                .inputs
                .send(Input::Own(OwnFact::Node(Box::new(report))));
        }
    });
}

/// As it is told to others: reasons as words.
fn refusals(counted: &hwc_group::Refusals, requests: &RefusedRequests) -> Refusals {
    Refusals {
        datagrams: words(&counted.datagrams),
        connections: words(&counted.streams),
        boards: words(&counted.boards),
        requests: requests.by_code(),
    }
}

/// Counters under the names that their keys have in JSON.
fn words<K: Serialize>(counters: &BTreeMap<K, u64>) -> BTreeMap<String, u64> {
    let json = serde_json::to_value(counters);
    let words = json.and_then(serde_json::from_value);
    // Keys that are enums without data always become words.
    words.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_group::datagram::Refusal;
    use hwc_group::transport::StreamRefusal;

    #[test]
    fn refusals_are_told_by_their_names() {
        let counted = hwc_group::Refusals {
            datagrams: BTreeMap::from([(Refusal::Replayed, 3), (Refusal::OtherCluster, 1)]),
            streams: BTreeMap::from([(StreamRefusal::UnknownNode, 2)]),
            boards: BTreeMap::new(),
        };
        let told = refusals(&counted, &RefusedRequests::default());
        let words = |counters: &[(&str, u64)]| -> BTreeMap<String, u64> {
            let counters = counters.iter();
            counters.map(|(word, n)| ((*word).to_owned(), *n)).collect()
        };
        let datagrams = words(&[("replayed", 3), ("other-cluster", 1)]);
        let connections = words(&[("unknown-node", 2)]);
        assert_eq!(
            told,
            Refusals {
                datagrams,
                connections,
                ..Refusals::default()
            }
        );
    }
}
